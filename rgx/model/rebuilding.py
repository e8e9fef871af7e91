"""Stages built anew from the records in manifests, without gin and without data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rgx.errors import InputError, nearest
from rgx.registry import Since, Variant, find, make, variants
from rgx.variant import VERSION

NO_ARGUMENTS = {"variant", VERSION}


def rebuild(record: Mapping[str, Any]) -> Any:
    """Return the variant that a record describes; what it leaves out has the value that changes nothing.

    Raises InputError for a variant or an argument that this code does not know, or a newer version of one.
    """
    variant = find(*str(record["variant"]).split("/", 1))
    if record.get(VERSION, 1) > variant.version:
        raise InputError(
            f"{variant.key} is of version {record[VERSION]}, this code has version {variant.version}: "
            "a newer rgx or method made it"
        )
    for name in record.keys() - NO_ARGUMENTS:
        if name not in variant.bindable:
            raise InputError(f"{variant.key} takes no '{name}' here: {nearest(name, variant.bindable)}")
    neutral = {name: value for name in variant.bindable for value in _neutral(variant, name)}
    return make(variant, neutral | {n: _value(v) for n, v in record.items() if n not in NO_ARGUMENTS})


def _value(content: Any) -> Any:
    """Return what a record's entry stands for."""
    if isinstance(content, Mapping):
        return rebuild(content) if "variant" in content else {n: _value(v) for n, v in content.items()}
    return tuple(map(_value, content)) if isinstance(content, list) else content


def _neutral(variant: Variant, name: str) -> list[Any]:
    """Return the value at which an argument changes nothing, where it has one."""
    marks = [mark.neutral for mark in variant.marks(name) if isinstance(mark, Since)]
    return [_variant_of(mark) if isinstance(mark, type) else mark for mark in marks]


def _variant_of(kind: type) -> Any:
    """Return the variant of a class with its defaults."""
    return make(next(variant for variant in variants() if variant.cls is kind), {})
