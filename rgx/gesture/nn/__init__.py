"""Layers that two rooms share."""
