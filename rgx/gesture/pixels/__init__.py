"""Speech to pictures at once, without a pose in between."""
