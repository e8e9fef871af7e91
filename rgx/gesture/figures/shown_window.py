"""One window as pictures: what was recorded, what each row made of it, where hands are, and what is said."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rgx.errors import InputError
from rgx.gesture.data.picture_file import NAME, PictureFile
from rgx.gesture.figures.test_window import ARRAYS, has_part, read_part
from rgx.gesture.types import FPS, SAMPLES_PER_FRAME, WINDOW_FRAMES
from rgx.gesture.video.hand_boxes import HANDS, hand_boxes

if TYPE_CHECKING:
    from rgx.report.figures.base import Material
    from rgx.report.results import SweepRow

FILE, POSES = "frames.npy", "animation"
"""The pictures (W, T, H, H, 3) uint8 that a stage leaves, and the stage with the poses that made them."""
ELSEWHERE = ("submission_", "pixel_")
"""Before the name of a stage, those that hold the same of another system, or of one without poses."""


@dataclass(frozen=True)
class ShownFrames:
    """Pictures (T, H, H, 3) uint8 and the boxes (T, 2, 4) of their hands in px, if these are known."""

    frames: np.ndarray
    hands: np.ndarray | None


@dataclass(frozen=True)
class ShownWindow:
    """A window of 80 frames.

    place, clip, first: where it lies, in words and as a clip's frame; source (H, H, 3): the picture that all
    rows begin from; made: row → pictures; waveform (S,), empty where there is none; words: what is said, and
    at which frame of the window it begins.
    """

    place: str
    clip: str
    first: int
    source: np.ndarray
    real: ShownFrames
    made: dict[str, ShownFrames]
    waveform: np.ndarray
    words: list[tuple[str, int]]


class ShownWindows:
    """The windows that all of some rows show at their first seed, in the order of the first of them.

    where: what shows them, for messages. Raises InputError for rows of different recordings, or that share
    no window.
    """

    def __init__(self, where: str, cells: Iterable[SweepRow], stage: str, material: Material) -> None:
        self.where, self.material, self.stage = where, material, stage
        self.cells: dict[str, SweepRow] = {}
        for cell in cells:
            if has_pictures(material, cell, stage):
                self.cells.setdefault(cell.row, cell)
        folders = {material.folder(cell, "frames") for cell in self.cells.values()}
        if len(folders) > 1:
            raise InputError(
                f"{where}: rows {', '.join(self.cells)} have pictures of {len(folders)} recordings, which do "
                "not compare; name rows of one"
            )
        self.starts: list[int] = []
        if self.cells:
            self.frames = folders.pop()
            self.about = _json(self.frames / "about.json")
            if not isinstance(size := self.about.get("size_px"), int):
                raise InputError(
                    f"{self.frames / 'about.json'}: 'size_px' is {size!r}, expected a whole number"
                )
            self.size_px = size
            shown = {row: self._starts(cell) for row, cell in self.cells.items()}
            first, *others = shown.values()
            self.starts = [start for start in first if all(start in other for other in others)]
            if not self.starts:
                raise InputError(f"{where}: rows {', '.join(self.cells)} have no window in common")

    def __len__(self) -> int:
        return len(self.starts)

    def liveliest(self) -> int:
        """Return the number of the window in which the recorded hands move most, a point a frame."""
        speeds = [self._hand_speed(start) for start in self.starts]
        return int(np.argmax(speeds))

    def place(self, number: int) -> str:
        """Return the clip of a window and when in it the window begins; raises InputError for none."""
        span, first = self._span(number)
        return f"{span['name']} from {first / FPS:.1f} s"

    def window(self, number: int) -> ShownWindow:
        """Return one of the windows; raises InputError for one that there is not, and for damaged files."""
        span, first = self._span(number)
        start, size = self.starts[number], self.size_px
        frames = slice(start, start + WINDOW_FRAMES)
        pictures = PictureFile(self.frames / NAME, read_part(self.frames / ARRAYS, "ends"), size)
        pose, valid = (read_part(self.frames / ARRAYS, name, frames) for name in ("pose", "valid"))
        boxes = hand_boxes(pose, valid, size)
        words = self.about.get("words", {}).get(span["name"], [])
        return ShownWindow(
            place=self.place(number),
            clip=span["name"],
            first=first,
            source=pictures[start - 1 : start][0],
            real=ShownFrames(pictures[frames], boxes),
            made={row: self._made(cell, start, size, boxes) for row, cell in self.cells.items()},
            waveform=self._waveform(start),
            words=[(text, at - first) for text, at in words if 0 <= at - first < WINDOW_FRAMES],
        )

    def _span(self, number: int) -> tuple[dict[str, Any], int]:
        """Return the clip of a window and the window's first frame in it."""
        if not 0 <= number < len(self):
            raise InputError(f"{self.where}: found window {number}, expected 0 to {len(self) - 1}")
        start = self.starts[number]
        try:
            span = next(s for s in self.about["spans"] if 0 <= start - s["start"] < s["frames"])
            return span, start - span["start"]
        except (KeyError, TypeError, StopIteration):
            path = self.frames / "about.json"
            raise InputError(f"{path}: no clip holds frame {start}, where a window begins") from None

    def _made(self, cell: SweepRow, start: int, size: int, recorded: np.ndarray) -> ShownFrames:
        path, number = self._file(cell), self._starts(cell).index(start)
        assert path is not None
        try:
            frames = np.load(path, mmap_mode="r")[number]
        except (OSError, ValueError, IndexError) as error:
            raise InputError(f"{path}: window {number} cannot be read: {error}") from None
        if frames.shape != (expected := (WINDOW_FRAMES, size, size, 3)):
            raise InputError(f"{path}: a window of {frames.shape}, expected {expected}")
        stage = self._stage(cell)
        if stage != self.stage:
            return ShownFrames(frames, None)
        manifest = self.material.manifest(cell, stage) or {}
        poses = self.material.held(cell, POSES, ARRAYS)
        if POSES not in manifest.get("parents", {}):
            return ShownFrames(frames, recorded)  # driven by the recording
        if poses is None or not has_part(poses, "pose"):
            return ShownFrames(frames, None)
        pose = read_part(poses, "pose", slice(number, number + 1))[0]
        return ShownFrames(frames, hand_boxes(pose, np.ones(pose.shape[:2], bool), size))

    def _waveform(self, start: int) -> np.ndarray:
        heard = self.material.held(next(iter(self.cells.values())), "corpus", ARRAYS)
        if heard is None or not has_part(heard, "waveform"):
            return np.zeros(0, np.float32)
        samples = slice(start * SAMPLES_PER_FRAME, (start + WINDOW_FRAMES) * SAMPLES_PER_FRAME)
        return read_part(heard, "waveform", samples)

    def _hand_speed(self, start: int) -> float:
        frames, hands = slice(start, start + WINDOW_FRAMES), [*HANDS[0], *HANDS[1]]
        pose, valid = (read_part(self.frames / ARRAYS, name, frames)[:, hands] for name in ("pose", "valid"))
        steps = np.linalg.norm(np.diff(pose, axis=0), axis=-1)
        seen = valid[1:] & valid[:-1]
        return float(steps[seen].mean()) if seen.any() else 0.0

    def _stage(self, cell: SweepRow) -> str:
        return stage_of(cell, self.stage)

    def _file(self, cell: SweepRow) -> Path | None:
        return file_of(self.material, cell, self.stage)

    def _starts(self, cell: SweepRow) -> list[int]:
        starts = _json(self.material.folder(cell, self._stage(cell)) / "about.json").get("starts")
        return list(starts) if isinstance(starts, list) else []


def stage_of(cell: SweepRow, stage: str) -> str:
    """Return the stage whose pictures a row shows in the place of a stage: its own, or one of `ELSEWHERE`."""
    names = (stage, *(f"{before}{stage}" for before in ELSEWHERE))
    return next((name for name in names if name in cell.stages), stage)


def file_of(material: Material, cell: SweepRow, stage: str) -> Path | None:
    """Return the file with a row's pictures, or None where it has none."""
    shown = stage_of(cell, stage)
    return material.held(cell, shown, FILE) if shown in cell.stages else None


def has_pictures(material: Material, cell: SweepRow, stage: str) -> bool:
    """Return whether a row has pictures, and the recording that they are shown beside."""
    recorded = "frames" in cell.stages and material.held(cell, "frames", NAME) is not None
    return recorded and file_of(material, cell, stage) is not None


def _json(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    return about if isinstance(about, dict) else {}
