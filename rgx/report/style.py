"""One look for all figures: widths of a two-column page, serif letters, colours told apart by everyone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTHS_IN = {"column": 3.25, "page": 6.75}
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]
"""Source: Okabe and Ito 2008, the yellow last since it is faint on white."""
MARKERS = "osD^vPX*"
LINES = ["-", "--", "-.", ":"]
GREY, QUIET, OURS, OTHER = "#808080", "#555555", PALETTE[1], PALETTE[0]
LOOK: Any = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral"],
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titley": 1.0,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,
}
"""Type 42 keeps the letters of a PDF as fonts, as publishers ask."""


PNG_DPI, COLOURS = 200, 64
LINE_IN, NAMED_A_LINE = 0.16, 3


@dataclass(frozen=True)
class Around:
    """What stands around axes: how many things a legend below names, and what is said left and above."""

    named: int = 0
    left: str = ""
    above: str = ""


NOTHING = Around()


def axes(
    width: str, rows: int, columns: int, row_height_in: float, around: Around = NOTHING
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure of one of WIDTHS_IN and its grid of axes."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import TightLayoutEngine

    below, above = LINE_IN * -(-around.named // NAMED_A_LINE), LINE_IN * bool(around.above)
    height = rows * row_height_in + below + above
    left, bottom, top = LINE_IN * bool(around.left) / WIDTHS_IN[width], below / height, 1 - above / height
    # One pass over the axes; the constrained layout takes two, and is the better part of a figure's time.
    layout = TightLayoutEngine(pad=0.3, h_pad=0.6, w_pad=1.0, rect=(left, bottom, 1, top))
    figure = Figure(figsize=(WIDTHS_IN[width], height), layout=layout)
    if around.left:
        figure.text(0.3 * left, (bottom + top) / 2, text(around.left), rotation=90, ha="left", va="center")
    if around.above:
        figure.text(0.5, (1 + top) / 2, text(around.above), ha="center", va="center", color=QUIET)
    return figure, figure.subplots(rows, columns, squeeze=False).tolist()


def look() -> Any:
    """Return a context in which what is drawn has the one look."""
    from matplotlib import rc_context  # slow to import, and many reports have no figure

    return rc_context(LOOK)


def letters(size_px: int) -> Any:
    """Return a font for Pillow that has the letters of most of Europe; Pillow's own has those of English."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size_px)


def legend(figure: Figure, axes: Iterable[Axes]) -> None:
    """Name what is drawn in some axes below all of them, each name once, where `axes` left room."""
    known = {
        name: handle
        for panel in axes
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(known.values()), list(known), loc="lower center", ncols=NAMED_A_LINE,
        borderpad=0.2, borderaxespad=0.0,
    )  # fmt: skip


def saved(figure: Figure) -> dict[str, bytes]:
    """Return a figure as vector PDF and PNG by suffix; the same figure gives the same bytes.

    Pictures in it are in the PDF as they are, pixel by pixel.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    # Straight to the canvases: `savefig` draws everything once more to learn what it may crop.
    png, pdf = BytesIO(), BytesIO()
    figure.set_dpi(PNG_DPI)
    _hold(figure, "")
    (canvas := FigureCanvasAgg(figure)).draw()
    page = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    if pictures := [image for axes in figure.axes for image in axes.images]:
        page.save(png, "png")
        for image in pictures:
            image.set_interpolation("none")
    else:
        # So many colours hold a few lines and their edges, in a third of the bytes.
        page.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(png, "png")
    figure.set_layout_engine("none")  # it is laid out now, and doing so takes as long as drawing
    _hold(figure)
    FigureCanvasPdf(figure).print_pdf(pdf, metadata={"CreationDate": None})
    return {".pdf": pdf.getvalue(), ".png": png.getvalue()}


def logarithmic(axes: Axes) -> None:
    """Give axes a logarithmic height with few ticks, written as numbers and not as powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    decades = np.log10(high / low)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2 else (1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _hold(figure: Figure, *texts: str) -> None:
    """Keep the labels of axes where they are, all or those of some texts: looking for a place takes long."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            label = axis.label
            if not texts or label.get_text() in texts:
                place = label.get_transform().transform(label.get_position())
                axis.set_label_coords(*axes.transAxes.inverted().transform(place))


def text(label: str) -> str:
    """Return a label on one line that is not read as a formula."""
    return " ".join(label.split()).replace("$", r"\$")


def colour(index: int) -> str:
    """Return the colour of the n-th thing shown."""
    return PALETTE[index % len(PALETTE)]


def line(index: int) -> dict[str, Any]:
    """Return colour, marker and dash of the n-th line, which stay apart beyond the palette and in grey."""
    dash = LINES[index // len(PALETTE) % len(LINES)]
    return {"color": colour(index), "marker": MARKERS[index % len(MARKERS)], "linestyle": dash}
