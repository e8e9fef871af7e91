"""Whether a bound value is of the kind an argument's annotation asks for, and both in plain words."""

from __future__ import annotations

import inspect
import math
import os
import typing
from collections.abc import Collection, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union

from rgx.errors import InputError
from rgx.variant import UNKEYED, Recipe, Since, Variant

NAMES = {
    float: ("a number", "numbers"),
    int: ("a whole number", "whole numbers"),
    bool: ("True or False", "True or False"),
    str: ("text", "texts"),
    dict: ("a mapping", "mappings"),
    tuple: ("a list", "lists"),
    list: ("a list", "lists"),
    NoneType: ("None", "None"),
}
"""What a person calls one and several of each plain kind."""
SCOPE = "bound_in"
"""The attribute of a configured variant with the scope of the bindings that it was configured by."""


def fits(value: Any, annotation: Any) -> bool:
    """Return whether a bound value is what an argument's annotation asks for."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (Any, inspect.Parameter.empty):
        return True
    if origin is Annotated:
        return fits(value, arguments[0])
    if origin in (Union, UnionType):
        return any(fits(value, a) for a in arguments)
    if annotation in (None, NoneType):
        return value is None
    if origin is Literal:
        return value in arguments
    if origin is Recipe:
        return isinstance(value, Recipe) and issubclass(value.variant.cls, arguments[0])
    if origin is tuple:
        return isinstance(value, tuple) and _each_fits(value, arguments)
    if isinstance(value, bool):
        return annotation is bool
    if annotation is float:
        return isinstance(value, (int, float))
    return isinstance(value, origin or annotation)


def _each_fits(values: tuple[Any, ...], kinds: tuple[Any, ...]) -> bool:
    if kinds[-1] is not Ellipsis and len(values) != len(kinds):
        return False
    return all(map(fits, values, _kinds_of(values, kinds)))


def _kinds_of(values: Any, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the annotation of each value of a tuple."""
    return kinds[:1] * len(values) if kinds[-1:] == (Ellipsis,) else kinds


def canonical(value: Any, annotation: Any) -> Any:
    """Return the one form of equal values, lists as tuples and 1 as 1.0 where a float is wanted.

    A `Place` that begins with ~ begins with the home folder instead.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        home = UNKEYED in annotation.__metadata__ and isinstance(value, str)
        return os.path.expanduser(value) if home else canonical(value, arguments[0])  # noqa: PTH111  # a Path has no ./
    if origin in (Union, UnionType):
        # An int stays one where both an int and a float would do.
        kinds = sorted(arguments, key=lambda kind: kind is not type(value))
        forms = ((canonical(value, kind), kind) for kind in kinds)
        return next((form for form, kind in forms if fits(form, kind)), value)
    if isinstance(value, (list, tuple)):
        several = _kinds_of(value, arguments if origin is tuple else (Any, ...))
        return tuple(map(canonical, value, several)) if len(several) == len(value) else tuple(value)
    if isinstance(value, dict) and origin is dict:
        return {name: canonical(inner, arguments[1]) for name, inner in value.items()}
    if isinstance(value, int) and not isinstance(value, bool) and annotation is float:
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return value


def infinities(value: Any) -> Iterator[float]:
    """Yield each number in a value that is infinite or none."""
    if isinstance(value, float) and not math.isfinite(value):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for inner in [*value, *value.values()] if isinstance(value, Mapping) else value:
            yield from infinities(inner)


def describe_kind(annotation: Any, several: bool = False) -> str:
    """Return an annotation in plain words, of one such value or of several."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return describe_kind(arguments[0], several)
    if origin in (Union, UnionType):
        return " or ".join(describe_kind(kind, several) for kind in arguments)
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple and arguments[-1:] == (Ellipsis,):
        return f"{NAMES[tuple][several]} of {describe_kind(arguments[0], several=True)}"
    if origin is tuple:
        return f"{NAMES[tuple][several]} of {len(arguments)}: {', '.join(map(describe_kind, arguments))}"
    if origin is Recipe:
        return describe_kind(arguments[0], several)
    kind = origin or annotation
    return NAMES[kind][several] if kind in NAMES else str(getattr(kind, "__name__", kind))


def describe_misfit(value: Any, annotation: Any) -> str:
    """Return what kind of thing was found, of a list whatever in it does not fit."""
    inner = typing.get_args(annotation)
    kinds = (
        _kinds_of(value, inner) if typing.get_origin(annotation) is tuple and isinstance(value, tuple) else ()
    )
    wrong = [part for part, kind in zip(value, kinds, strict=False) if not fits(part, kind)] if kinds else []
    return f"{describe_value(wrong[0])} in the list" if wrong else describe_value(value)


def describe_value(value: Any) -> str:
    """Return what kind of thing a value is, in plain words."""
    if isinstance(value, Recipe):
        return f"a variant that waits for {', '.join(value.variant.shapes)}"
    if variant_of(value):
        return "a variant"
    return NAMES[type(value)][0] if type(value) in NAMES else str(type(value).__name__)


def show(value: Any) -> str:
    """Return a bound value as gin writes it, variants by their keys."""
    if isinstance(value, list):
        return f"[{', '.join(map(show, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(show, value))}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{show(name)}: {show(inner)}' for name, inner in value.items())}}}"
    return variant_of(value) or repr(value)


def variant_of(value: Any) -> str:
    """Return the key of the variant that a configured value is, or nothing."""
    record = getattr(value, "record", None)
    return str(record.get("variant", "")) if isinstance(record, dict) else ""


def binding_of(value: Any, argument: str) -> str:
    """Return what a configured variant's argument is called in gin, scope included."""
    scope = getattr(value, SCOPE, "")
    name = (variant_of(value) or type(value).__name__).replace("/", ".")
    return f"{scope}{'/' if scope else ''}{name}.{argument}"


def serves(cls: type, annotation: Any) -> bool:
    """Return whether a class is one that an annotation names: `Base`, `Recipe[Base]`, in a tuple."""
    if arguments := typing.get_args(annotation):
        return any(serves(cls, argument) for argument in arguments)
    if not isinstance(annotation, type) or annotation is object:
        return False
    try:
        return issubclass(cls, annotation)
    except TypeError:  # a protocol that says nothing at run time
        return False


def waits(annotation: Any) -> bool:
    """Return whether an annotation asks for variants that still wait for shapes."""
    return typing.get_origin(annotation) is Recipe or any(map(waits, typing.get_args(annotation)))


def refuse_marks(variant: Variant, roster: Collection[Variant]) -> None:
    """Raise InputError for a `Since` of a variant's arguments that is none, or names nobody of the roster."""
    for name in variant.arguments:
        for mark in variant.marks(name):
            fault = _fault(variant, name, mark, roster) if mark is Since or isinstance(mark, Since) else ""
            if fault:
                raise InputError(f"{variant.place}: {variant.key}: '{name}': {fault}")


def _fault(variant: Variant, name: str, mark: Any, roster: Collection[Variant]) -> str:
    """Return what is wrong with a `Since`, or nothing."""
    annotation = variant.annotations[name]
    if mark is Since:
        return "found Since without a value, expected Since(the value at which it changes nothing)"
    if name in variant.shapes:
        return "Since stands at a shape, which no record holds, expected it at a parameter or a part"
    neutral = mark.neutral
    if inspect.isclass(neutral):
        shown, fitting = neutral.__name__, neutral not in NAMES and serves(neutral, annotation)
        if fitting and not any(other.cls is neutral for other in roster):
            return f"found Since({shown}), which is not registered, expected the class of a variant"
    else:
        shown, fitting = show(neutral), fits(canonical(neutral, annotation), annotation)
    return "" if fitting else f"found Since({shown}), expected {describe_kind(annotation)}"
