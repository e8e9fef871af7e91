"""The sources of a corpus: found, told apart by content, named, remembered."""

from __future__ import annotations

import hashlib
import os
import shutil
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rgx.errors import InputError
from rgx.gesture.prepare.analysis import ANALYSIS
from rgx.gesture.prepare.clips import CLIPS, DRAFTS, PLACES, file_of
from rgx.store.artifacts import checksum, read_json, write_json

VIDEO = ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .mts .m2ts .ts .wmv .flv .3gp .ogv .mxf .vob .gif"
OTHER_MEDIA = ".wav .mp3 .m4a .aac .flac .ogg .opus .jpg .jpeg .png .bmp .webp .tif .tiff"
"""Sound and pictures: looked at too, so that they are refused by name and not passed over."""
MEDIA = {*VIDEO.split(), *OTHER_MEDIA.split()}
SOURCE, SOURCES = "source.json", "sources"
LONGEST_NAME = 60


class Listed(NamedTuple):
    """An interval that a table lists of a recording: frames [first, last) at 25 Hz."""

    name: str
    speaker: str
    video: str
    split: str
    first: int
    last: int


@dataclass(frozen=True)
class Recording:
    """One recording: where it is, what it is called, whose it is, the hash of its content.

    intervals: what a table lists of it, by which it is cut; none where it is cut by its shots alone.
    """

    path: Path
    name: str
    speaker: str
    sha256: str
    out: Path
    intervals: tuple[Listed, ...] = ()

    @property
    def folder(self) -> Path:
        """Where what is known of it lies."""
        return self.out / SOURCES / self.sha256[:16]

    @property
    def analysis(self) -> dict[str, Any] | None:
        """What the first look found, if it was finished."""
        record = read_json(self.folder / ANALYSIS)
        return record if isinstance(record, dict) else None

    @property
    def clips(self) -> dict[str, Any] | None:
        """What the second look wrote, if it was finished and all files are there."""
        record = read_json(self.folder / CLIPS)
        names = [clip["name"] for clip in record["made"] if not clip["reason"]] if record else []
        whole = all(file_of(self.out, name, suffix).is_file() for name in names for suffix in PLACES)
        return record if whole else None

    @property
    def made(self) -> list[dict[str, Any]]:
        """The clips that were written."""
        return [clip for clip in (self.clips or {"made": []})["made"] if not clip["reason"]]

    @property
    def stem(self) -> str:
        """Its file's name as the beginning of a clip's: printable, without separators, not too long."""
        stem = unicodedata.normalize("NFC", self.path.stem)
        letters = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in stem).strip(" .")
        return letters[:LONGEST_NAME] or "source"

    def remember(self) -> None:
        """Write down what and where it is."""
        about = {"path": str(self.path), "stamp": stamp(self.path), "sha256": self.sha256}
        about |= {"name": self.name, "speaker": self.speaker, "intervals": self.intervals}
        write_json(self.folder / SOURCE, about)

    def drop_clips(self, keep: Collection[str] = ()) -> None:
        """Remove its clips, to be written anew, but those of some names."""
        drafts = {draft.stem: draft for draft in (self.folder / DRAFTS).glob("*.json")}
        clips = [clip["name"] for clip in (read_json(self.folder / CLIPS) or {"made": []})["made"]]
        for name in {*drafts, *clips}.difference(keep):
            for suffix in PLACES:
                file_of(self.out, name, suffix).unlink(missing_ok=True)
            (self.folder / DRAFTS / f"{name}.json").unlink(missing_ok=True)
        (self.folder / CLIPS).unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove its clips and all that is known of it."""
        self.drop_clips()
        shutil.rmtree(self.folder)


def stamp(path: Path) -> list[int]:
    """Return what changes when a file does."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def find_files(source: Path, out: Path) -> list[Path]:
    """Return the media files of a folder and the folders in it, or the one file given, in order.

    Hidden files and what lies in `out` are left alone. Raises InputError when there are none.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise InputError(f"{source}: no such file or folder; expected recordings")
    inside, files = out.resolve(), []
    if inside == source.resolve():
        raise InputError(f"{out}: expected another folder than the recordings' own")
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(f for f in folders if f[0] != "." and (Path(folder) / f).resolve() != inside)
        paths = [Path(folder) / name for name in sorted(names) if name[0] != "."]
        files += [path for path in paths if path.suffix.lower() in MEDIA and path.is_file()]
    if not files:
        raise InputError(f"{source}: no recordings; expected files such as .mp4, .mov, .mkv")
    return files


def identify(paths: Iterable[Path], root: Path, out: Path, speaker: str | None) -> list[Recording]:
    """Return the source each file is; its speaker is as given, or named as the folder it lies in.

    A file whose size and time are as remembered is not read again.
    """
    known = {(about["path"], *about["stamp"]): about["sha256"] for about in _remembered(out)}
    identified = []
    for path in paths:
        place = path.absolute()  # not resolved: keypoints lie beside a link, not beside its target
        sha256 = known.get((str(place), *stamp(place))) or checksum(place)
        name = path.relative_to(root).as_posix() if root.is_dir() else path.name
        whose = speaker or printable(place.parent.resolve().name) or "speaker"
        identified.append(Recording(place, printable(name), whose, sha256, out))
    return identified


def printable(text: str) -> str:
    """Return text that a terminal, a table and a file in UTF-8 can hold."""
    return "".join(c if c.isprintable() else "�" for c in text).strip()


def all_sources(out: Path) -> list[Recording]:
    """Return every source of a corpus, those of earlier runs too, in order of their names."""
    every = [
        Recording(
            Path(about["path"]),
            about["name"],
            about["speaker"],
            about["sha256"],
            out,
            tuple(Listed(*listed) for listed in about.get("intervals", ())),
        )
        for about in _remembered(out)
    ]
    return sorted(every, key=lambda source: (source.name, source.sha256))


def forget_replaced(sources: Iterable[Recording], out: Path) -> None:
    """Forget what a file held before it was changed."""
    now = {source.path: source.sha256 for source in sources}
    for old in all_sources(out):
        if now.get(old.path, old.sha256) != old.sha256:
            old.forget()


def clip_stems(sources: Iterable[Recording]) -> dict[str, str]:
    """Return how the clips of each source, by hash, are called; of one stem, all carry a part of their hash.

    Stems are the same when a file system could take them for the same.
    """
    sources = list(sources)
    counts = Counter(source.stem.casefold() for source in sources)
    return {
        s.sha256: f"{s.stem}.{s.sha256[:8]}" if counts[s.stem.casefold()] > 1 else s.stem for s in sources
    }


def _remembered(out: Path) -> list[dict[str, Any]]:
    records = [read_json(path) for path in sorted((out / SOURCES).glob(f"*/{SOURCE}"))]
    return [about for about in records if isinstance(about, dict)]


def digest(text: str) -> str:
    """Return a short hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
