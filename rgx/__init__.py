"""rgx: register the parts of a method once, write the grid once, get the paper's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rgx.model.loading import load
    from rgx.registry import register

__all__ = ["__version__", "load", "register"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `register`, and gin with it, or `load` when first asked for: `rgx --help` needs neither."""
    if name == "register":
        from rgx.registry import register

        return register
    if name == "load":
        from rgx.model.loading import load

        return load
    raise AttributeError(f"module 'rgx' has no attribute '{name}'")
