"""One look for all figures: widths of a two-column page, serif letters, colours told apart by everyone."""

from __future__ import annotations

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
GREY, OURS, OTHER = "#808080", PALETTE[1], PALETTE[0]
LOOK: Any = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral"],
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.titlesize": 8,
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


def axes(
    width: str, rows: int, columns: int, row_height_in: float, named: int = 0
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure of one of WIDTHS_IN and its grid of axes.

    named: how many things a legend below them names, three a line.
    """
    from matplotlib.figure import Figure

    size = (WIDTHS_IN[width], rows * row_height_in + 0.14 * -(-named // 3))
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False).tolist()


def saved(figure: Figure) -> dict[str, bytes]:
    """Return a figure as vector PDF and PNG by suffix; the same figure gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    # Straight to the canvases: `savefig` draws everything once more to learn what it may crop.
    png, pdf = BytesIO(), BytesIO()
    figure.set_dpi(PNG_DPI)
    (canvas := FigureCanvasAgg(figure)).draw()
    # So many colours hold a few lines and their edges, in a third of the bytes.
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(COLOURS).save(png, "png")
    figure.set_layout_engine("none")  # it is laid out now, and doing so takes as long as drawing
    FigureCanvasPdf(figure).print_pdf(pdf, metadata={"CreationDate": None})
    return {".pdf": pdf.getvalue(), ".png": png.getvalue()}


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
