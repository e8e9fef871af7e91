"""rgx: register the parts of a method once, write the grid once, get the paper's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rgx.registry import register

__all__ = ["__version__", "register"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load `register`, and gin with it, when first asked for: `rgx --help` and reports need neither."""
    if name == "register":
        from rgx.registry import register

        return register
    raise AttributeError(f"module 'rgx' has no attribute '{name}'")
