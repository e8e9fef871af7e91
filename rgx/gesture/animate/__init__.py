"""Poses to pictures: a source picture warped to follow them (Sec. 3 and 4.3)."""
