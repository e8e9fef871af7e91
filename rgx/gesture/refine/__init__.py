"""Warped pictures to refined ones, guided by the structure of the pose (Sec. 4.3)."""
