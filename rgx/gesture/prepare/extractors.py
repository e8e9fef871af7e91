"""The extractor of a source: a variant of the poses axis and what is bound of it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from rgx.errors import InputError, nearest
from rgx.gesture import poses
from rgx.gesture.poses.base import Extractor
from rgx.gesture.poses.files import SUFFIXES, content
from rgx.gesture.prepare.streams import RefusedError
from rgx.kinds import describe_kind, describe_value
from rgx.plugins import load_plugin
from rgx.registry import Variant, find, make
from rgx.store.artifacts import checksum

PATH = "path"
"""The parameter of a variant that reads points from a file instead of looking at pictures."""


class Poses(NamedTuple):
    """An extractor, and whether its points are those of the source's own pictures, at their own rate."""

    extractor: Extractor
    own_pictures: bool


class Choice(NamedTuple):
    """A variant of the poses axis by name, a person's own variants as source, and values bound."""

    name: str
    plugins: tuple[tuple[str, str], ...] = ()
    values: tuple[tuple[str, Any], ...] = ()

    def variant(self) -> Variant:
        """Return the variant; raises InputError with the nearest spelling."""
        for module in pkgutil.iter_modules(poses.__path__, f"{poses.__name__}."):
            if not module.name.endswith("_child"):
                importlib.import_module(module.name)
        for plugin in self.plugins:
            load_plugin(*plugin)
        return find("poses", self.name)

    def reads_files(self) -> bool:
        """Return whether its points lie beside each source."""
        return PATH in self.variant().parameters

    def stands_alone(self) -> bool:
        """Return whether what it finds in a picture depends on that picture only."""
        return bool(getattr(self.variant().cls, "alone", False)) and not self.reads_files()

    def identity(self) -> dict[str, Any]:
        """Return what of it decides what it finds; a file bound counts by its content."""
        variant = self.variant()
        values = {**variant.parameters, **dict(self.values)}
        return {"variant": variant.key, **{name: _content(value) for name, value in values.items()}}

    def make(self, source: Path) -> Poses:
        """Build it for one source; raises RefusedError when it reads a file that is not there."""
        variant = self.variant()
        values = dict(self.values)
        if PATH not in variant.parameters:
            return Poses(make(variant, values), False)
        return Poses(make(variant, {**values, PATH: str(points_beside(source))}), True)


def read_choice(name: str, plugins: tuple[tuple[str, str], ...], bindings: Iterable[str]) -> Choice:
    """Return a choice with bindings such as "poses.mmpose.device = 'cuda'", and check that it can be made.

    Raises InputError for a variant, parameter or value that cannot be.
    """
    choice = Choice(name, plugins)
    variant, values = choice.variant(), dict[str, Any]()
    if trained := getattr(variant.cls, "networks", ()):
        raise InputError(f"poses.{name} is trained by the stage {', '.join(trained)}: only a sweep uses it")
    for binding in bindings:
        key, equals, text = (part.strip() for part in binding.partition("="))
        axis_and_name, _, parameter = key.rpartition(".")
        if not equals or axis_and_name != f"poses.{name}":
            raise InputError(f"--bind {binding}: expected poses.{name}.PARAMETER = VALUE")
        if parameter not in variant.parameters:
            raise InputError(f"--bind {binding}: no '{parameter}': {nearest(parameter, variant.parameters)}")
        values[parameter] = _value(binding, text, variant.parameters[parameter])
    choice = choice._replace(values=tuple(values.items()))
    if not choice.reads_files():
        make(variant, values).fingerprint()
    return choice


def _value(binding: str, text: str, default: Any) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise InputError(f"--bind {binding}: '{text}' is not a value such as 0.5 or 'text'") from None
    kinds = (int, float) if isinstance(default, float) else (type(default),)
    if type(value) not in kinds:
        raise InputError(
            f"--bind {binding}: expected {describe_kind(kinds[-1])}, found {describe_value(value)}"
        )
    # A worker may stand in another folder.
    return str(Path(value).absolute()) if isinstance(value, str) and Path(value).exists() else value


def _content(value: Any) -> str:
    return checksum(Path(value)) if isinstance(value, str) and Path(value).is_file() else repr(value)


def points_stamp(source: Path) -> list[Any]:
    """Return what changes when the file of points beside a source does; nothing where there is none."""
    try:
        files = content(points_beside(source))
    except RefusedError:
        return []
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def points_beside(source: Path) -> Path:
    """Return the keypoint file or folder of a video's name beside it; raises RefusedError without one."""
    places = [source.with_suffix(suffix) for suffix in (*SUFFIXES, "")]
    for place in places:
        if place.exists() and place != source:
            return place
    names = ", ".join(place.name for place in places)
    raise RefusedError(f"{source}: no keypoints beside it: expected one of {names}")
