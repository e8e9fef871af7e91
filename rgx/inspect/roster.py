"""Every variant with its label, source and parameters, as a list for programs and for pages."""

from __future__ import annotations

from typing import Any

from rgx.registry import variants
from rgx.translator import plain
from rgx.variant import Variant

SIMPLE = (int, float, str, bool, type(None), list, tuple)


def described(axis: str | None = None) -> list[dict[str, Any]]:
    """Return what is known of each variant that is imported, of one axis or of all, as JSON holds it."""
    return [_described(variant) for variant in variants(axis)]


def _described(variant: Variant) -> dict[str, Any]:
    return {
        "axis": variant.axis,
        "variant": variant.name,
        "label": variant.label,
        "summary": variant.summary,
        "source": variant.source,
        "parts": variant.parts,
        "outside": {name: " ".join(mark.lines) for name, mark in variant.outside.items()},
        "parameters": {
            name: default if isinstance(default, SIMPLE) else plain(str(default))
            for name, default in variant.parameters.items()
        },
    }
