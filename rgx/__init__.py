"""rgx: register the parts of a method once, write the grid once, get the paper's tables."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rgx.api import plan, results, sweep
    from rgx.model.loading import load
    from rgx.registry import register

__all__ = ["__version__", "load", "plan", "register", "results", "sweep"]
__version__ = "0.1.0"
LATER = {"load": "rgx.model.loading", "plan": "rgx.api", "results": "rgx.api"}


class _SweepRoom(ModuleType):
    """The package `rgx.sweep`, which is also the function of that name: one attribute has to be both."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return import_module("rgx.api").sweep(*arguments, **named)


import_module("rgx.sweep").__class__ = _SweepRoom


def __getattr__(name: str) -> Any:
    """Import `register`, and gin with it, or what a notebook asks for, when first asked: help needs none.

    Modules are named as strings, but for the registry's: they are no code that stages run on, and must not
    count as such.
    """
    if name == "register":
        from rgx.registry import register

        return register
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module 'rgx' has no attribute '{name}'")
