"""A trained cell at work: speech to motion of any length, and to video."""
