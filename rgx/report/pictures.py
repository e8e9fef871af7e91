"""The pictures that stages left for the rows of a panel, one below the other in one picture."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from rgx.errors import InputError
from rgx.report.results import Results, manifest_path

FILE = "strip.png"
"""What a stage calls its picture of a row, wider than high."""
LABEL_PX, MARGIN_PX = 18, 4


def gather_pictures(panel: str, stage: str, results: Results, store: Path) -> dict[str, Path]:
    """Return row → the picture that a stage left for its first seed, for the rows that have one."""
    paths: dict[str, Path] = {}
    for row in results.sweep.rows:
        if row.panel == panel and row.row not in paths and stage in row.stages:
            path = manifest_path(store, stage, row.stages[stage]).with_name(FILE)
            if path.is_file():
                paths[row.row] = path
    return paths


def stack(paths: dict[str, Path], labels: dict[str, str]) -> Image.Image:
    """Return one picture or more, labelled, one below the other; raises InputError for what is no picture.

    labels: row → what it is called in print.
    """
    read = {row: _read(path) for row, path in paths.items()}
    font = ImageFont.load_default(size=12)
    letters = max(font.getlength(labels.get(name, name)) for name in read)
    width = max(*(picture.width for picture in read.values()), 2 * MARGIN_PX + ceil(letters))
    height = sum(picture.height + LABEL_PX for picture in read.values())
    page, top = Image.new("RGB", (width, height), "white"), 0
    draw = ImageDraw.Draw(page)
    for name, picture in read.items():
        draw.text((MARGIN_PX, top + 2), labels.get(name, name), fill="black", font=font)
        page.paste(picture, (0, top + LABEL_PX))
        top += picture.height + LABEL_PX
    return page


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except OSError as error:
        raise InputError(f"{path}: cannot be read as a picture: {error}") from None
