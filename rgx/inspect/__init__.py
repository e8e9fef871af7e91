"""Knowing why: what a store holds, where a number came from, and how to carry it."""
