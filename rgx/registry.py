"""The only roster: every variant of every axis, and the record of how each was configured.

Arguments of a variant with a default are hyper-parameters (gin binds them, the record keeps
them). Arguments without one are shapes the program supplies: such a variant reaches its owner
as a `Recipe`, to be called with them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar

import gin

from rgx.errors import InputError, nearest

T = TypeVar("T")
UNKEYED = "not part of an artifact's identity"
Place = Annotated[str, UNKEYED]
"""A path, device or hub name: where something is, never what it is."""
OWN_ROOMS = ("rgx.train", "rgx.resources", "rgx.report.figures", "rgx.report.formats")
"""Where the framework itself registers variants."""


@dataclass(frozen=True)
class Variant:
    """One registered entry on an axis."""

    axis: str
    name: str
    label: str
    source: str
    cls: type

    @property
    def key(self) -> str:
        return f"{self.axis}/{self.name}"

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.cls) or "").split("\n")[0]

    @cached_property
    def annotations(self) -> dict[str, Any]:
        return typing.get_type_hints(self.cls.__init__, include_extras=True)  # type: ignore[misc]

    @cached_property
    def arguments(self) -> dict[str, inspect.Parameter]:
        parameters = list(inspect.signature(self.cls.__init__).parameters.values())[1:]  # type: ignore[misc]
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return {p.name: p for p in parameters if p.kind in named}

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Hyper-parameters and their defaults."""
        empty = inspect.Parameter.empty
        return {n: p.default for n, p in self.arguments.items() if p.default is not empty}

    @property
    def shapes(self) -> list[str]:
        """Arguments the program supplies."""
        return [n for n in self.arguments if n not in self.parameters]


class Recipe(Generic[T]):
    """A configured variant that still waits for its shapes; call it with them to build."""

    def __init__(self, variant: Variant, bound: dict[str, Any]) -> None:
        self.variant = variant
        self.bound = bound
        self.record = _record(variant, bound)

    def __call__(self, *shapes: Any, **named: Any) -> T:
        made = self.variant.cls(*shapes, **named, **self.bound)
        object.__setattr__(made, "record", self.record)
        return made

    def __getattr__(self, name: str) -> Any:
        """Constants of the class, such as `Augmentation.keeps_size`, can be read before building."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.variant.cls, name)


_roster: dict[tuple[str, str], Variant] = {}


def register(
    axis: str, name: str, *, label: str | None = None, source: str = "ours"
) -> Callable[[type[T]], type[T]]:
    """Enter a class as the variant `name` of `axis`; raises InputError when the name is taken."""

    def enter(cls: type[T]) -> type[T]:
        variant = Variant(axis, name, label or name, source, cls)
        known = _roster.get((axis, name))
        if known is not None:
            if known.cls.__qualname__ != cls.__qualname__:
                raise InputError(
                    f"{axis}/{name} is registered twice: by {known.cls.__module__}."
                    f"{known.cls.__qualname__} and by {cls.__module__}.{cls.__qualname__}"
                )
            _roster[axis, name] = variant
            return cls
        _roster[axis, name] = variant
        gin.register(name, module=axis)(_configurable(axis, name))
        return cls

    return enter


def _configurable(axis: str, name: str) -> Callable[..., Any]:
    def configure(**given: Any) -> Any:
        variant = _roster[axis, name]
        bound = {**variant.parameters, **given}
        bound = {n: _checked(variant, n, value) for n, value in bound.items()}
        if variant.shapes:
            return Recipe(variant, bound)
        made = variant.cls(**bound)
        object.__setattr__(made, "record", _record(variant, bound))
        return made

    variant = _roster[axis, name]
    keyword = inspect.Parameter.KEYWORD_ONLY
    configure.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, keyword, default=d) for n, d in variant.parameters.items()]
    )
    configure.__name__ = configure.__qualname__ = name
    return configure


def _record(variant: Variant, bound: dict[str, Any]) -> dict[str, Any]:
    kept = {
        n: record_of(value)
        for n, value in bound.items()
        if UNKEYED not in getattr(variant.annotations.get(n), "__metadata__", ())
    }
    return {"variant": variant.key, **kept}


def record_of(value: Any) -> Any:
    """Return the canonical JSON form of a configured value; raises InputError when it has none."""
    if isinstance(value, (str, int, float, bool, NoneType)):
        return value
    if isinstance(value, (list, tuple)):
        return [record_of(v) for v in value]
    if isinstance(value, dict):
        return {str(k): record_of(v) for k, v in value.items()}
    record = getattr(value, "record", None)
    if isinstance(record, dict):
        return record
    raise InputError(f"{value!r} cannot be part of an identity: give a plain value or a variant")


def _checked(variant: Variant, name: str, value: Any) -> Any:
    annotation = variant.annotations.get(name, Any)
    if isinstance(value, list):
        value = tuple(value)
    if not _fits(value, annotation):
        kind = getattr(annotation, "__name__", None) or str(annotation).replace("typing.", "")
        shown = getattr(value, "record", {}).get("variant") or repr(value)
        raise InputError(
            f"{variant.axis}.{variant.name}.{name} = {shown}: expected {kind}, found {type(value).__name__}"
        )
    return float(value) if annotation is float else value


def _fits(value: Any, annotation: Any) -> bool:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (Any, inspect.Parameter.empty):
        return True
    if origin is typing.Annotated:
        return _fits(value, arguments[0])
    if origin in (typing.Union, UnionType):
        return any(_fits(value, a) for a in arguments)
    if annotation in (None, NoneType):
        return value is None
    if origin is Literal:
        return value in arguments
    if origin is Recipe:
        return isinstance(value, Recipe) and issubclass(value.variant.cls, arguments[0])
    if origin is tuple:
        inner = arguments[0]
        if not isinstance(value, tuple):
            return False
        if arguments[-1] is Ellipsis:
            return all(_fits(v, inner) for v in value)
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    if isinstance(value, bool):
        return annotation is bool
    if annotation is float:
        return isinstance(value, (int, float))
    return isinstance(value, origin or annotation)


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


def import_own() -> None:
    """Import what the framework itself registers: training, resources, kinds of figures, formats."""
    for room in OWN_ROOMS:
        package = importlib.import_module(room)
        for module in pkgutil.iter_modules(getattr(package, "__path__", []), f"{room}."):
            importlib.import_module(module.name)
