"""Strips of frames, one a row of a panel, in one picture (as Figs. 4 and 5 of the paper)."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from rgx.errors import InputError
from rgx.report.frames import Results, manifest_path

LABEL_PX, MARGIN_PX = 18, 4


def strips(panel: str, stage: str, results: Results, store: Path) -> dict[str, Path]:
    """Return row → the strip that a stage left for its first seed, for the rows that have one."""
    found: dict[str, Path] = {}
    for row in results.sweep.rows:
        if row.panel == panel and row.row not in found and stage in row.stages:
            path = manifest_path(store, stage, row.stages[stage]).with_name("strip.png")
            if path.is_file():
                found[row.row] = path
    return found


def stack(found: dict[str, Path], labels: dict[str, str]) -> Image.Image:
    """Return one strip or more, labelled, one below the other; raises InputError for what is no picture.

    labels: row → what it is called in print.
    """
    read = {row: _read(path) for row, path in found.items()}
    font = ImageFont.load_default(size=12)
    letters = max(font.getlength(labels.get(name, name)) for name in read)
    width = max(*(strip.width for strip in read.values()), 2 * MARGIN_PX + ceil(letters))
    height = sum(strip.height + LABEL_PX for strip in read.values())
    page, top = Image.new("RGB", (width, height), "white"), 0
    draw = ImageDraw.Draw(page)
    for name, strip in read.items():
        draw.text((MARGIN_PX, top + 2), labels.get(name, name), fill="black", font=font)
        page.paste(strip, (0, top + LABEL_PX))
        top += strip.height + LABEL_PX
    return page


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as found:
            return found.convert("RGB")
    except OSError as error:
        raise InputError(f"{path}: cannot be read as a picture: {error}") from None
