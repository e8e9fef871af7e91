"""Manifests to tables; never imports torch."""
