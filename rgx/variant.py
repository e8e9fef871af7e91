"""What a registered variant is, what its arguments are, and the recipe it stays while it lacks shapes.

What an argument is, its default and its annotation alone say:

- With a default it is a hyper-parameter: gin may bind it, the record keeps it.
- Without one it is a required part where it is annotated `Recipe[Base]` or `Part[Base]` (also inside
  a tuple), and always in a stage, to which nothing else is ever given: gin must bind it, the record
  keeps it, and an empty tuple counts as nothing bound.
- Any other argument is a shape, which the program supplies: a width, a network that a parent left.
  A variant with shapes reaches its owner as a `Recipe`, to be called with them.

A plain class is no sign of a part, since networks of other stages are given as shapes too; and what
somebody else registers never changes what an argument is.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Generic, TypeVar

from rgx.errors import InputError, nearest
from rgx.outside import Outside

T = TypeVar("T")
UNKEYED = "not part of an artifact's identity"
VERSION = "variant_version"
"""The entry of a record with its variant's version, where that is not 1."""
Unkeyed = Annotated[T, UNKEYED]
"""What changes no result, such as how often something is kept: `checkpoint_every: Unkeyed[int] = 200`."""
Place = Unkeyed[str]
"""A path, device or hub name: where something is, never what it is."""
BOUND = "supplied by a binding"
Part = Annotated[T, BOUND]
"""A whole variant that a binding must supply: `ratio: Part[MaskRatio]`. One that waits is a `Recipe`."""
GIVEN_NOTHING = "stage"
"""The axis whose variants are built from bindings alone."""


@dataclass(frozen=True)
class Since:
    """Marks an argument that came later with the value at which it changes nothing.

    `dropout: Annotated[float, Since(0.0)] = 0.0`, or a variant by its class:
    `gate: Annotated[Part[Gate], Since(NoGate)]`. At that value it is left out of the record, so that what was
    trained before there was such an argument keeps its key.
    """

    neutral: Any

    def leaves_out(self, value: Any) -> bool:
        """Return whether a configured value is the one that changes nothing."""
        if inspect.isclass(self.neutral):
            return self.neutral is (value.variant.cls if isinstance(value, Recipe) else type(value))
        return bool(value == self.neutral)


@dataclass(frozen=True)
class Variant:
    """One registered entry on an axis."""

    axis: str
    name: str
    label: str
    source: str
    cls: type
    version: int = 1
    replaces: bool = False
    """Whether it is to stand in the place of another class of its name."""
    replaced: type | None = None
    """That other class, once it is registered."""

    @property
    def key(self) -> str:
        return f"{self.axis}/{self.name}"

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.cls) or "").split("\n")[0]

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """The resolved annotation of each argument; raises InputError for a name that cannot be found."""
        try:
            return typing.get_type_hints(self.cls.__init__, include_extras=True)  # type: ignore[misc]
        except NameError as error:
            raise InputError(
                f"{self.key}: an annotation of {self.cls.__module__}.{self.cls.__qualname__} cannot be "
                f"resolved: {error}; import it at the top of the module"
            ) from None

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

    @cached_property
    def parts(self) -> list[str]:
        """Required parts: arguments without a default that gin must bind."""
        rest = [n for n in self.arguments if n not in self.parameters]
        return [n for n in rest if self.axis == GIVEN_NOTHING or _names_part(self.annotations.get(n))]

    @property
    def place(self) -> str:
        """Where its constructor is written, as file:line."""
        code = getattr(self.cls.__init__, "__code__", None)  # type: ignore[misc]
        module = f"{self.cls.__module__}.{self.cls.__qualname__}"
        return f"{code.co_filename}:{code.co_firstlineno}" if code else module

    def marks(self, name: str) -> tuple[Any, ...]:
        """Return what an argument's annotation says beside its kind, such as UNKEYED."""
        return getattr(self.annotations.get(name), "__metadata__", ())

    @cached_property
    def outside(self) -> dict[str, Outside]:
        """The arguments that name somebody else's files, each with where people get them."""
        marks = ((name, mark) for name in self.arguments for mark in self.marks(name))
        return {name: mark for name, mark in marks if isinstance(mark, Outside)}

    @property
    def bindable(self) -> list[str]:
        """Arguments that gin may bind."""
        return [n for n in self.arguments if n in self.parameters or n in self.parts]

    @property
    def shapes(self) -> list[str]:
        """Arguments the program supplies."""
        return [n for n in self.arguments if n not in self.bindable]


class Record(dict[str, Any]):
    """What a configured variant is, as plain data: what keys are made of.

    left_out: the arguments that have the value at which they change nothing (`Since`), of its own.
    """

    left_out: Mapping[str, Any] = MappingProxyType({})

    def neutral(self) -> dict[str, Any]:
        """Return what is left out here and in each part, under the part's name."""
        inner = {name: value.neutral() for name, value in self.items() if isinstance(value, Record)}
        return {**self.left_out, **{name: parts for name, parts in inner.items() if parts}}


class Recipe(Generic[T]):
    """A configured variant that still waits for its shapes; call it with them to build."""

    def __init__(self, variant: Variant, bound: dict[str, Any]) -> None:
        self.variant = variant
        self.bound = bound
        self.record = record_bound(variant, bound)

    def __call__(self, *shapes: Any, **named: Any) -> T:
        names = self.variant.shapes
        if len(shapes) > len(names):
            expected = f"{len(names)} shapes ({', '.join(names)})"
            raise TypeError(f"{self.variant.key} is built with {expected}, found {len(shapes)}")
        built = self.variant.cls(**dict(zip(names, shapes, strict=False)), **named, **self.bound)
        object.__setattr__(built, "record", self.record)
        return built

    def given(self, **offered: Any) -> T:
        """Build it with those of the offered shapes that it names; raises InputError for another."""
        for name in self.variant.shapes:
            if name not in offered:
                raise InputError(
                    f"{self.variant.key}: '{name}' is no shape of its axis; {nearest(name, offered)}"
                )
        return self(**{name: offered[name] for name in self.variant.shapes})

    def __getattr__(self, name: str) -> Any:
        """Constants of the class, such as `Augmentation.keeps_size`, can be read before building."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.variant.cls, name)


def record_bound(variant: Variant, bound: dict[str, Any]) -> Record:
    """Return the record of a variant with all its arguments that gin binds and that its result depends on.

    Its version is where it is not the first, so that no variant's key changes before its author raises it.
    """
    record, left_out = Record(variant=variant.key), dict[str, Any]()
    if variant.version != 1:
        record[VERSION] = variant.version
    for name, value in bound.items():
        marks = variant.marks(name)
        if UNKEYED in marks:
            continue
        neutral = any(isinstance(mark, Since) and mark.leaves_out(value) for mark in marks)
        (left_out if neutral else record)[name] = record_of(value)
    if left_out:
        record.left_out = left_out
    return record


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


def _names_part(annotation: Any) -> bool:
    """Return whether `Recipe` or `Part` stands anywhere in an annotation."""
    if Recipe in (annotation, typing.get_origin(annotation)):
        return True
    if BOUND in getattr(annotation, "__metadata__", ()):
        return True
    return any(map(_names_part, typing.get_args(annotation)))
