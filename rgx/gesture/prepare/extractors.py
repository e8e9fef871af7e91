"""The extractor of a source: a variant of the poses axis and what is bound of it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from rgx.bindings import Text
from rgx.bound import configure_variants
from rgx.errors import InputError
from rgx.gesture.poses.base import Extractor
from rgx.gesture.poses.files import SUFFIXES, content
from rgx.gesture.prepare.signal import USUAL, Signal
from rgx.gesture.prepare.streams import RefusedError
from rgx.methods import import_methods
from rgx.plugins import load_plugin
from rgx.registry import Variant, find
from rgx.statements import asked_texts
from rgx.text_file import read_text

PATH = "path"
"""The parameter of a variant that reads points from a file instead of looking at pictures."""
BESIDE = "the file beside each recording"


class Poses(NamedTuple):
    """An extractor, and whether its points are those of the source's own pictures, at their own rate."""

    extractor: Extractor
    own_pictures: bool


class Choice(NamedTuple):
    """A variant of the poses axis by name, a person's own variants as source, and what gin binds of it.

    signal: the thresholds by which recordings are judged; folder: where relative paths begin.
    """

    name: str
    plugins: tuple[tuple[str, str], ...] = ()
    texts: tuple[Text, ...] = ()
    signal: Signal = USUAL
    folder: str = ""

    def variant(self) -> Variant:
        """Return the variant; raises InputError with the nearest spelling."""
        import_methods()
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
        """Return what decides what is found and judged: records as keys have them, weights by content."""
        extractor, signal = self._configured(BESIDE)
        weights = extractor.fingerprint()
        return {"poses": extractor.record, "weights": weights, "signal": signal.record}

    def make(self, source: Path) -> Poses:
        """Build it for one source; raises RefusedError when it reads a file that is not there."""
        if not self.reads_files():
            return Poses(self._configured(BESIDE)[0], False)
        return Poses(self._configured(str(points_beside(source)))[0], True)

    def checked(self) -> Choice:
        """Return it with its thresholds; raises InputError for what cannot be made or nothing reads."""
        if trained := getattr(self.variant().cls, "networks", ()):
            names = ", ".join(trained)
            raise InputError(f"poses.{self.name} is trained by the stage {names}: only a sweep uses it")
        extractor, signal = self._configured(BESIDE)
        extractor.fingerprint()
        return self._replace(signal=signal)

    def _configured(self, path: str) -> tuple[Any, Any]:
        """Return the extractor, which reads its points at `path` where it reads any, and the thresholds."""
        if self.folder and Path.cwd() != Path(self.folder):  # a worker may stand in another one
            os.chdir(self.folder)
        texts = [*self.texts]
        if self.reads_files():
            texts.append(Text(f"poses.{self.name}.{PATH} = {path!r}", BESIDE, True, (BESIDE,), True))
        extractor, signal = configure_variants(texts, [f"poses.{self.name}", "signal.usual"])
        return extractor, signal


def read_choice(
    name: str, plugins: tuple[tuple[str, str], ...], bindings: Iterable[str], files: Iterable[Path] = ()
) -> Choice:
    """Return a choice as gin files, and then bindings such as "poses.mmpose.device = 'cuda'", have it.

    Raises InputError, with the place, for a variant, parameter or value that cannot be.
    """
    Choice(name, plugins).variant()  # what bindings name has to be known
    written = [Text(read_text(file), str(file), everywhere=True) for file in files]
    return Choice(name, plugins, (*written, *asked_texts(bindings)), folder=str(Path.cwd())).checked()


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
