"""Speech-gesture alignment (Sec. 4.1)."""
