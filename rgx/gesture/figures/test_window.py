"""One test window as the artifacts hold it: real and generated motion, speech, and the beats of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rgx.errors import InputError
from rgx.gesture.metrics.beats import ORDER_FRAMES
from rgx.gesture.types import FPS, SAMPLES_PER_FRAME, WINDOW_FRAMES, WINDOW_STRIDE_FRAMES
from rgx.report.figures.base import Material, RowsFigure

if TYPE_CHECKING:
    from rgx.report.results import SweepRow

ARRAYS = "arrays.safetensors"


@dataclass(frozen=True)
class Moment:
    """A window of 80 frames.

    clip, start_s: where it lies; real (T, K, 2) in shoulder widths, valid (T, K); generated: row → (T, K, 2);
    waveform (S,), and audio_beats (T,) where the row has speech; order_frames: how far beats are compared.
    """

    clip: str
    start_s: float
    real: np.ndarray
    valid: np.ndarray
    generated: dict[str, np.ndarray]
    waveform: np.ndarray
    audio_beats: np.ndarray
    order_frames: int


class MomentFigure(RowsFigure):
    """A figure of one test window, for some rows of a panel."""

    most: ClassVar[int] = 6
    window: int = 0

    def moment(self, material: Material) -> Moment | None:
        """Return the window of each row's first seed, or None where no row has motion.

        Raises InputError for a window the corpus lacks, and for rows of different corpora or not of test.
        """
        cells: dict[str, SweepRow] = {}
        for row in material.rows(self.panel, self.picked(material)[0]):
            drawn, corpus = (material.held(row, stage, ARRAYS) for stage in ("motion", "corpus"))
            # Motion in control points is nothing that this figure could draw.
            if drawn and corpus and has_part(drawn, "motion"):
                cells.setdefault(row.row, row)
        if not cells:
            return None
        corpora = {row.stages["corpus"] for row in cells.values()}
        if len(corpora) > 1:
            raise InputError(
                f"figure of panel {self.panel}: rows {', '.join(cells)} have {len(corpora)} corpora, whose "
                "windows do not compare; name rows of one"
            )
        others = {name: split for name, row in cells.items() if (split := _split(material, row)) != "test"}
        if others:
            of = ", ".join(f"{name} ({split})" for name, split in others.items())
            raise InputError(
                f"figure of panel {self.panel}: motion of another split: {of}; expected rows of test"
            )
        first = next(iter(cells.values()))
        corpus = material.folder(first, "corpus")
        spans = json.loads((corpus / "about.json").read_text(encoding="utf-8"))["spans"]
        places = list(window_places(spans))
        if not 0 <= self.window < len(places):
            raise InputError(
                f"figure of panel {self.panel}: found window {self.window}, expected 0 to {len(places) - 1}"
            )
        start, clip = places[self.window]
        frames = slice(start, start + WINDOW_FRAMES)
        samples = slice(frames.start * SAMPLES_PER_FRAME, frames.stop * SAMPLES_PER_FRAME)
        heard = material.held(first, "speech", ARRAYS)
        own = slice(self.window, self.window + 1)
        return Moment(
            clip=clip["name"],
            start_s=(start - clip["start"]) / FPS,
            real=read_part(corpus / ARRAYS, "motion", frames),
            valid=read_part(corpus / ARRAYS, "valid", frames),
            generated={
                name: read_part(material.folder(row, "motion") / ARRAYS, "motion", own)[0]
                for name, row in cells.items()
            },
            waveform=read_part(corpus / ARRAYS, "waveform", samples),
            audio_beats=read_part(heard, "onsets", frames) if heard else np.zeros(WINDOW_FRAMES, bool),
            order_frames=_order(material.manifest(first, "motion_scores") or {}),
        )  # fmt: skip


def _split(material: Material, row: SweepRow) -> str:
    """Return the split whose windows a row's motion is of."""
    record = (material.manifest(row, "motion") or {}).get("record", {})
    return str(record.get("split", "test"))


def window_places(spans: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give each test window's first frame and its clip, in the order of generated motion.

    spans: the clips of a corpus as `about.json` has them.
    """
    for span in spans:
        if span["split"] == "test":
            for offset in range(0, span["frames"] - WINDOW_FRAMES, WINDOW_STRIDE_FRAMES):
                yield span["start"] + 1 + offset, span


def has_part(path: Path, name: str) -> bool:
    """Return whether a file on disk holds an array."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as arrays:
        return name in arrays.keys()  # noqa: SIM118 - it is no mapping


def read_part(path: Path, name: str, which: slice = slice(None)) -> np.ndarray:
    """Return some entries of an array on disk without reading the rest; raises InputError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as arrays:
            return np.asarray(arrays.get_slice(name)[which])
    except SafetensorError as error:
        raise InputError(f"{path}: no '{name}' can be read: {error}") from error


def _order(manifest: dict[str, Any]) -> int:
    """Return over how many frames the beats of the scores were compared."""
    metrics = manifest.get("record", {}).get("metrics") or []
    orders = [metric["order_frames"] for metric in metrics if "order_frames" in metric]
    return int(orders[0]) if orders else ORDER_FRAMES
