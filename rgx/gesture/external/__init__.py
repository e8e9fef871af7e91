"""Systems outside rgx, each run by its own command: what they are given and what they answer."""
