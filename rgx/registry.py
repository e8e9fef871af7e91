"""The only roster: every variant of every axis, and how bindings configure each (`rgx.variant`)."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import pkgutil
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import gin
from gin.config import interactive_mode

from rgx.errors import InputError, nearest
from rgx.kinds import (
    SCOPE,
    canonical,
    describe_kind,
    describe_misfit,
    fits,
    infinities,
    refuse_marks,
    serves,
    show,
    waits,
)
from rgx.outside import Outside, Reader, note_reader
from rgx.variant import Part, Place, Recipe, Since, Unkeyed, Variant, record_bound, record_of

__all__ = [
    "Outside",
    "Part",
    "Place",
    "Recipe",
    "Since",
    "Unkeyed",
    "Variant",
    "axes",
    "find",
    "import_own",
    "make",
    "record_of",
    "register",
    "replacements",
    "variants",
]

T = TypeVar("T")
REPORT_ROOMS = ("rgx.report.figures", "rgx.report.formats")
OWN_ROOMS = ("rgx.train", "rgx.resources", *REPORT_ROOMS)
"""Where the framework itself registers variants; what a report needs of them is light."""

_roster: dict[tuple[str, str], Variant] = {}
Calls = list[tuple[list[str], str]]
"""The scopes and the selector, such as `training.adamw`, of each variant configured."""
_noted: list[Calls] = []


@contextlib.contextmanager
def calls_noted() -> Iterator[Calls]:
    """Give a list to which each variant configured meanwhile is added."""
    calls: Calls = []
    _noted.append(calls)
    try:
        yield calls
    finally:
        _noted.pop()


def register(
    axis: str, name: str, *, label: str | None = None, source: str = "ours", version: int = 1,
    replace: bool = False,
) -> Callable[[type[T]], type[T]]:  # fmt: skip
    """Enter a class as the variant `name` of `axis`; raises InputError when the name is taken.

    version: raised by hand when its code means another result at the same parameters; replace: whether it
    stands in the place of another class of that name, whichever of them is registered first.
    """
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InputError(f"{axis}/{name}: version = {version!r}: expected a whole number from 1")

    def enter(cls: type[T]) -> type[T]:
        known, place = _roster.get((axis, name)), (axis, name)
        replaced = known.replaced if known is not None else None
        if known is not None and _called(known.cls) != _called(cls):
            if known.replaced is not None and _called(known.replaced) == _called(cls):
                return cls
            if known.replaced is not None or known.replaces == replace:
                raise InputError(_twice(known, cls))
            if known.replaces:
                _roster[place] = dataclasses.replace(known, replaced=cls)
                return cls
            replaced = known.cls
        _roster[place] = Variant(axis, name, label or name, source, cls, version, replace, replaced)
        with interactive_mode():  # what is registered again may take other arguments
            gin.register(name, module=axis)(_configurable(axis, name))
        return cls

    return enter


def replacements() -> list[str]:
    """Return a line for each variant that stands in the place of another class."""
    return [
        f"{variant.key} is {_called(variant.cls)} in place of {_called(variant.replaced)}"
        for variant in variants()
        if variant.replaced is not None
    ]


def _twice(known: Variant, cls: type) -> str:
    both = f"by {_called(known.cls)} and by {_called(cls)}"
    files = " and ".join(_file(each) for each in (known.cls, cls))
    remedy = "rename one, or have one that shall stand in the other's place say replace=True"
    return f"{known.key} is registered twice: {both} ({files}); {remedy}"


def _called(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _file(cls: type) -> str:
    module = sys.modules.get(cls.__module__)
    return str(getattr(module, "__file__", None) or f"{cls.__module__}.py")


def make(variant: Variant, given: Mapping[str, Any]) -> Any:
    """Return a variant with what is given bound, as a recipe where it waits for shapes.

    Raises InputError for a required part that is not given, and for a value of another kind.
    """
    refuse_marks(variant, _roster.values())
    bound = {**variant.parameters, **given}
    name = f"{variant.axis}.{variant.name}"
    if absent := [part for part in variant.parts if part not in bound]:
        needs = (f"'{part}': bind {name}.{part} = {_offer(variant, part)}" for part in absent)
        raise InputError(f"{name} needs {'; and '.join(needs)}")
    bound = {n: _checked(variant, n, value, n in given) for n, value in bound.items()}
    instance = None if variant.shapes else variant.cls(**bound)
    if variant.outside:
        read = {argument: (bound[argument], mark) for argument, mark in variant.outside.items()}
        note_reader(Reader(name, read, instance))
    if instance is None:
        return Recipe(variant, bound)
    object.__setattr__(instance, "record", record_bound(variant, bound))
    return instance


def _configurable(axis: str, name: str) -> Callable[..., Any]:
    def configure(**given: Any) -> Any:
        variant = _roster[axis, name]
        for calls in _noted:
            calls.append((gin.current_scope(), f"{axis}.{name}"))
        instance = make(variant, given)
        if not isinstance(instance, Recipe):
            object.__setattr__(instance, SCOPE, gin.current_scope_str())
        return instance

    variant = _roster[axis, name]
    keyword = inspect.Parameter.KEYWORD_ONLY
    # Shapes too: what they are is known only when every name in an annotation is.
    configure.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, keyword, default=a.default) for n, a in variant.arguments.items()]
    )
    configure.__name__ = configure.__qualname__ = name
    return configure


def _checked(variant: Variant, name: str, value: Any, given: bool) -> Any:
    """Return a value in its one form; raises InputError for one of another kind, or that is infinite."""
    annotation = variant.annotations.get(name, Any)
    value = canonical(value, annotation)
    required = name in variant.parts
    empty = required and value == ()
    bound = f"{variant.axis}.{variant.name}.{name} = {show(value)}"
    default = "" if given else f"; it is the default of {variant.place}"
    if not fits(value, annotation) or empty:
        expected = f"{_offer(variant, name)};" if required else f"{describe_kind(annotation)},"
        kind = "none" if empty else describe_misfit(value, annotation)
        raise InputError(f"{bound}: expected {expected} found {kind}{default}")
    if any(infinities(value)):
        raise InputError(f"{bound}: expected a finite number{default}")
    return value


def _offer(variant: Variant, part: str) -> str:
    """Return what a required part may be bound to, what does not fit as it comes apart; or its kind."""
    annotation = variant.annotations.get(part, Any)
    serving = [v for v in variants() if serves(v.cls, annotation)]
    wanting = waits(annotation)
    fitting = [v for v in serving if bool(v.shapes) == wanting]
    if not serving:
        return f"<{describe_kind(annotation)}>"
    of_one_axis = len({v.axis for v in serving}) == 1
    names, others = (
        ", ".join(v.name if of_one_axis else f"{v.axis}.{v.name}" for v in some)
        for some in (fitting, [v for v in serving if v not in fitting])
    )
    reference = f"@{serving[0].axis}.NAME()" if of_one_axis else "@NAME()"
    if typing.get_origin(annotation) is tuple:
        reference = f"({reference}, …)"
    apart = "not those that wait for nothing" if wanting else "not those that wait for shapes"
    return f"{reference} (NAME: {names or 'there are none'}{f'; {apart}: {others}' if others else ''})"


def variants(axis: str | None = None) -> list[Variant]:
    """Return the roster in order of registration; raises InputError for an unknown axis."""
    if axis is not None and axis not in axes():
        raise InputError(f"unknown axis '{axis}': {nearest(axis, axes())}")
    return [v for (a, _), v in sorted(_roster.items()) if axis in (None, a)]


def axes() -> list[str]:
    """Return the names of all axes."""
    return sorted({axis for axis, _ in _roster})


def find(axis: str, name: str) -> Variant:
    """Return one variant; raises InputError with the nearest spelling."""
    if (axis, name) in _roster:
        return _roster[axis, name]
    names = [v.name for v in variants(axis)]
    raise InputError(f"unknown variant '{name}' on axis '{axis}': {nearest(name, names)}")


def import_own(rooms: tuple[str, ...] = OWN_ROOMS) -> None:
    """Import what the framework itself registers: training, resources, kinds of figures, formats."""
    for room in rooms:
        package = importlib.import_module(room)
        for module in pkgutil.iter_modules(getattr(package, "__path__", []), f"{room}."):
            importlib.import_module(module.name)
