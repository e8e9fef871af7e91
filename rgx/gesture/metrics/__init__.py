"""Motion to scores."""
