"""The page of a strip: frames in rows under words or times, hands enlarged below each, laid out in pixels.

Everything lies on whole pixels of the PNG and a frame takes a whole number of them for each of its own, so
that the PNG shows a frame's pixels as they are; the PDF has them as they are in any case.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rgx.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

LINE_PX, GAP_PX, WAVE_PX = 30, 4, 70
"""A line of letters, the room between pictures, and how high speech is drawn."""
LABEL_LINES = 3
"""Lines of a row's label at most."""
LETTER_PX, SMALL_PT, LABEL_LETTER_PX, LABEL_PT = 10, 7, 11, 8
"""About what a letter of a head and one of a label take."""
HANDS = (style.PALETTE[1], style.PALETTE[5])
"""The colours of the left and of the right hand's frames."""
Square = tuple[int, int]
"""Left and top of what is cut out, in px of a frame."""


@dataclass(frozen=True)
class StripRow:
    """Frames (H, H, 3) uint8 of one label, and for each where its hands are cut out; None for no hand."""

    label: str
    frames: Sequence[np.ndarray]
    squares: Sequence[Sequence[Square | None]]


@dataclass(frozen=True)
class Heads:
    """What stands above the columns: a text for each, or how loud the speech is, (S,), from first to last."""

    texts: Sequence[str] = ()
    loudness: np.ndarray | None = None


@dataclass(frozen=True)
class Strip:
    """All that a strip shows: source picture, rows, heads and a line above; side_px of what is cut out."""

    source: np.ndarray
    rows: Sequence[StripRow]
    heads: Heads
    above: str
    side_px: int


class Grid:
    """Where things lie on a page of a width, in its pixels."""

    def __init__(self, strip: Strip, width_px: int) -> None:
        size, columns = len(strip.source), 1 + len(strip.rows[0].frames)
        # A label stands along its row's frames, which are about as high as they are wide.
        letters = (width_px - LINE_PX) // columns // LABEL_LETTER_PX
        self.labels = [_lines(row.label, letters) for row in strip.rows]
        self.left = LINE_PX * max(len(lines) for lines in self.labels) + GAP_PX
        room = (width_px - self.left - columns * GAP_PX) // columns
        self.cell = size * (room // size) if room >= size else size // -(-size // room)
        self.hand = (self.cell - GAP_PX) // 2
        if strip.side_px and self.hand > strip.side_px:
            self.hand -= self.hand % strip.side_px
        self.width = self.left + columns * (self.cell + GAP_PX)
        self.letters = max(1, self.cell // LETTER_PX)
        self.texts = [textwrap.wrap(text, self.letters) or [""] for text in strip.heads.texts]
        lines = max((len(text) for text in self.texts), default=1)
        wave = WAVE_PX if strip.heads.loudness is not None else 0
        self.top = LINE_PX + max(LINE_PX * lines, wave) + GAP_PX
        heights = [
            self.cell + GAP_PX + (self.hand + GAP_PX if any(map(any, row.squares)) else 0)
            for row in strip.rows
        ]
        self.tops = [self.top + sum(heights[:number]) for number in range(len(heights))]
        self.height = self.top + sum(heights)

    def column(self, number: int) -> int:
        """Return the left edge of a column; 0 is the source's."""
        return self.left + number * (self.cell + GAP_PX)


def draw(strip: Strip, width: str) -> Drawing:
    """Return a strip as a figure of one of style.WIDTHS_IN, or a little less."""
    from matplotlib.figure import Figure

    grid = Grid(strip, round(style.WIDTHS_IN[width] * style.PNG_DPI))
    figure = Figure(figsize=(grid.width / style.PNG_DPI, grid.height / style.PNG_DPI))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, grid.width)
    axes.set_ylim(grid.height, 0)
    axes.text(grid.width / 2, LINE_PX / 2, style.text(strip.above), color=style.QUIET, **_middle(SMALL_PT))
    _heads(axes, grid, strip.heads)
    _shown(axes, strip.source, grid.column(0), grid.top, grid.cell)
    axes.text(grid.column(0) + grid.cell / 2, grid.top - GAP_PX - LINE_PX / 2, "source", **_middle(SMALL_PT))
    for number, row in enumerate(strip.rows):
        _label(axes, grid, number)
        _row(axes, grid, strip, row, grid.tops[number])
    return figure


def _heads(axes: Axes, grid: Grid, heads: Heads) -> None:
    bottom = grid.top - GAP_PX
    for number, lines in enumerate(grid.texts, start=1):
        middle = grid.column(number) + grid.cell / 2
        for up, line in enumerate(reversed(lines)):
            axes.text(middle, bottom - (up + 0.5) * LINE_PX, style.text(line), **_middle(SMALL_PT))
    if heads.loudness is not None:
        columns = (grid.width - grid.left) // (grid.cell + GAP_PX) - 1
        first, last = (grid.column(column) + grid.cell / 2 for column in (1, columns))
        along = np.linspace(first, last, len(heads.loudness))
        heights = heads.loudness / max(float(heads.loudness.max(initial=0)), 1e-9) * (WAVE_PX - GAP_PX)
        axes.fill_between(along, bottom, bottom - heights, color=style.OTHER, linewidth=0.3)


def _lines(label: str, letters: int) -> list[str]:
    """Return a label in lines of so many letters, LABEL_LINES of them at most."""
    return textwrap.wrap(label, max(letters, 1), max_lines=LABEL_LINES, placeholder="…") or [""]


def _label(axes: Axes, grid: Grid, number: int) -> None:
    """Draw a row's label beside its frames, from below upwards."""
    lines = grid.labels[number]
    for line, text in enumerate(lines):
        across = grid.left - GAP_PX - (len(lines) - line - 0.5) * LINE_PX
        middle = grid.tops[number] + grid.cell / 2
        axes.text(across, middle, style.text(text), rotation=90, **_middle(LABEL_PT))


def _row(axes: Axes, grid: Grid, strip: Strip, row: StripRow, top: int) -> None:
    """Draw a row's frames, and below each the hands that are framed in it."""
    scale = grid.cell / len(strip.source)
    for number, (frame, squares) in enumerate(zip(row.frames, row.squares, strict=True), start=1):
        left = grid.column(number)
        _shown(axes, frame, left, top, grid.cell)
        for hand, square in enumerate(squares):
            if square is None:
                continue
            x, y = square
            side = strip.side_px
            cut = frame[y : y + side, x : x + side]
            # Who faces the camera has the right hand on the picture's left.
            place = left + (1 - hand) * (grid.hand + GAP_PX), top + grid.cell + GAP_PX
            _shown(axes, cut, *place, grid.hand)
            _framed(axes, *place, grid.hand, HANDS[hand])
            _framed(axes, left + x * scale, top + y * scale, side * scale, HANDS[hand])


def _shown(axes: Axes, picture: np.ndarray, left: float, top: float, side: float) -> None:
    from matplotlib.image import AxesImage

    # Not `imshow`, which would turn the axes to each picture's own proportions.
    image = AxesImage(axes, extent=(left, left + side, top + side, top), origin="upper")
    image.set_data(picture)
    axes.add_image(image)


def _framed(axes: Axes, left: float, top: float, side: float, colour: str) -> None:
    from matplotlib.patches import Rectangle

    # Not `add_patch`, which also looks for what it adds to the axes' limits.
    axes.add_artist(Rectangle((left, top), side, side, fill=False, edgecolor=colour, linewidth=0.6))


def _middle(size_pt: float) -> dict[str, Any]:
    return {"ha": "center", "va": "center", "fontsize": size_pt}
