"""Rows beside each other as frames of one window, hands enlarged, under the words that are said.

Source: the layouts of Figs. 4 and 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from rgx.errors import nearest
from rgx.gesture.figures import rows_film
from rgx.gesture.figures.heads import ABOVE
from rgx.gesture.figures.shown_window import ShownFrames, ShownWindows, has_pictures
from rgx.gesture.figures.strip_page import Square, Strip, StripRow, draw
from rgx.gesture.types import WINDOW_FRAMES
from rgx.gesture.video.comparison import pick
from rgx.gesture.video.hand_boxes import square_around
from rgx.registry import register
from rgx.report.figures.base import Material
from rgx.report.figures.panel_pictures import Film, PicturesFigure
from rgx.report.panel import Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

REAL = "real"
CHOICES: Mapping[str, Callable[[ShownWindows], int]] = MappingProxyType({"liveliest": ShownWindows.liveliest})
"""How a window is chosen that is not given by its number."""


@register("figure", "strips")
class Strips(PicturesFigure):
    """Frames of one window, evenly spaced: the source picture, what was recorded, and what each row made.

    window: its number, or the one whose recorded hands move most; frames: how many of it; above: what stands
    over them; transcripts: a folder of `<clip>.words.csv` where the corpus does not know what is said.
    """

    stages: ClassVar[tuple[str, ...]] = ("video", "reconstruction_scores")
    most: ClassVar[int] = 6
    stage: str = "video"
    window: int | Literal["liveliest"] = "liveliest"
    frames: int = Field(default=6, ge=1, le=16)
    hands: bool = True
    above: Literal["time", "words"] = "time"
    transcripts: Path | None = None

    def wrong(self, panels: Mapping[str, Panel]) -> Iterator[tuple[str, str]]:
        """Give also a stage that leaves no pictures, and transcripts that are not shown."""
        yield from super().wrong(panels)
        if self.stage not in self.stages:
            yield "stage", f"'{self.stage}' leaves no pictures of rows; {nearest(self.stage, self.stages)}"
        if self.transcripts is not None and not ABOVE[self.above].reads_transcripts:
            yield "transcripts", "are shown by `above: words` only"

    def draw(self, material: Material) -> Drawing | None:
        """Draw a row for the recording and for each system; raises InputError."""
        windows = self._windows(material)
        if not windows:
            return None
        window = windows.window(self._number(windows))
        chosen = pick(WINDOW_FRAMES, self.frames)
        labels = self._labels(windows, material)
        shown_rows = {REAL: window.real} | {labels[row]: frames for row, frames in window.made.items()}
        size = len(window.source)
        side = _side(shown_rows.values(), chosen) if self.hands else 0
        heads, said = ABOVE[self.above].heads(window, chosen, self.transcripts)
        rows = [
            StripRow(label, [shown.frames[t] for t in chosen], _squares(shown, chosen, side, size))
            for label, shown in shown_rows.items()
        ]
        above = "; ".join(filter(None, (f"clip {window.place}", said, *self._rows_in_words(material))))
        return draw(Strip(window.source, rows, heads, above, side), self.width)

    def film(self, material: Material) -> Film | None:
        """Return the recording and all rows side by side over the same window."""
        windows = self._windows(material)
        if not windows:
            return None
        number, labels = self._number(windows), self._labels(windows, material)
        keys = {row: sorted(cell.stages.items()) for row, cell in windows.cells.items()}
        content = repr((rows_film.VERSION, windows.starts[number], labels, keys))
        place = f"clip {windows.place(number)}, real first"
        said = "; ".join(filter(None, (place, *self._rows_in_words(material))))
        return Film(content, said, partial(_write_film, windows, number, labels))

    def drawable(self, material: Material, rows: list[str]) -> list[str]:
        """Return the rows that have pictures, or all where none has."""
        pictured = {
            cell.row for cell in material.rows(self.panel, rows) if has_pictures(material, cell, self.stage)
        }
        return [row for row in rows if row in pictured] or rows

    def _rows_in_words(self, material: Material) -> tuple[str, str]:
        """Return in words which rows of many are shown, and which rows have no pictures to show."""
        rows, table = self.rows or material.results.rows(self.panel), self.table(material)
        pictured = self.drawable(material, rows)
        absent = [table.label(row) if table else row for row in rows if row not in pictured]
        return self.picked(material)[1], f"without pictures: {', '.join(absent)}" if absent else ""

    def _windows(self, material: Material) -> ShownWindows:
        names, table = self.picked(material)[0], self.table(material)
        if table is not None and not self.rows:
            names = [row for row in table.rows if row in names] + [
                row for row in names if row not in table.rows
            ]
        cells = material.rows(self.panel, names)
        return ShownWindows(f"figure of panel {self.panel}", cells, self.stage, material)

    def _labels(self, windows: ShownWindows, material: Material) -> dict[str, str]:
        """Return what each row is called: its label, where no other thing shown is called so."""
        table = self.table(material)
        labels = {row: table.label(row) if table else row for row in windows.cells}
        named = Counter([REAL, *labels.values()])
        return {row: label if named[label] == 1 else row for row, label in labels.items()}

    def _number(self, windows: ShownWindows) -> int:
        return CHOICES[self.window](windows) if isinstance(self.window, str) else self.window


def _write_film(windows: ShownWindows, number: int, labels: Mapping[str, str], path: Path) -> None:
    window = windows.window(number)
    shown = {REAL: window.real.frames} | {labels[row]: system.frames for row, system in window.made.items()}
    rows_film.write(path, shown, window.waveform)


def _side(shown_rows: Iterable[ShownFrames], chosen: list[int]) -> int:
    """Return the width in px that holds every hand of the frames shown."""
    boxes = [shown.hands[chosen] for shown in shown_rows if shown.hands is not None]
    return max((int((box[..., 2:] - box[..., :2]).max(initial=0)) for box in boxes), default=0)


def _squares(shown: ShownFrames, chosen: list[int], side_px: int, size_px: int) -> list[list[Square | None]]:
    """Return where each hand of the frames shown is cut out."""
    if not side_px or shown.hands is None:
        return [[] for _ in chosen]
    return [
        [square_around(box, side_px, size_px) if box.any() else None for box in shown.hands[t]]
        for t in chosen
    ]
