"""Strips of frames, one a row of a panel, in one picture (as Figs. 4 and 5 of the paper)."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from rgx.report.frames import Results, manifest_path

LABEL_PX = 18


def stack(
    panel: str, stage: str, labels: dict[str, str], results: Results, store: Path
) -> Image.Image | None:
    """Return the strips a stage left for each row's first seed, labelled, one below the other.

    labels: row → what it is called in print. None where no row has a strip yet.
    """
    found: dict[str, Path] = {}
    for row in results.sweep.rows:
        if row.panel == panel and row.row not in found and stage in row.stages:
            path = manifest_path(store, stage, row.stages[stage]).with_name("strip.png")
            if path.is_file():
                found[row.row] = path
    if not found:
        return None
    strips = {row: Image.open(path).convert("RGB") for row, path in found.items()}
    width = max(strip.width for strip in strips.values())
    height = sum(strip.height + LABEL_PX for strip in strips.values())
    page, top = Image.new("RGB", (width, height), "white"), 0
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=12)
    for name, strip in strips.items():
        draw.text((4, top + 2), labels.get(name, name), fill="black", font=font)
        page.paste(strip, (0, top + LABEL_PX))
        top += strip.height + LABEL_PX
    return page
