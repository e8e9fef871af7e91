"""Recordings in: corpora, splits, windows."""
