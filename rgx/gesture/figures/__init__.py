"""Kinds of figures about motion and its tokens."""
