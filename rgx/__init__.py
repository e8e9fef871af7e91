"""rgx: register the parts of a method once, write the grid once, get the paper's tables."""

from rgx.registry import register

__all__ = ["__version__", "register"]
__version__ = "0.1.0"
