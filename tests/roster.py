"""The whole roster: what the framework registers, and the shipped method."""

from __future__ import annotations

from rgx.methods import import_methods
from rgx.registry import import_own


def load_roster() -> None:
    """Import every variant that rgx ships."""
    import_own()
    import_methods()
