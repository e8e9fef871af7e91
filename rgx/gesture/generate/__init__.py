"""Speech to tokens or landmarks (Sec. 4.2)."""
