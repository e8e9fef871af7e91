"""Motion to tokens and back (Sec. 4.1)."""
