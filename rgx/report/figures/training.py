"""Training curves, as the stages wrote them while they ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rgx.errors import InputError, nearest
from rgx.registry import register
from rgx.report import style
from rgx.report.figures.base import Material, RowsFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

STEP = "step"
SHOWN: dict[str, Callable[[float], bool]] = {"linear": lambda y: True, "log": lambda y: y > 0}
"""Which values an axis of a scale can show."""
SCALES: dict[str, Callable[[Axes], None]] = {"linear": lambda axes: None, "log": style.logarithmic}


@register("figure", "training")
class Training(RowsFigure):
    """What `stage` logged while it trained, for some rows of a panel."""

    stage: str
    values: list[str] = []
    scale: Literal["linear", "log"] = "log"

    def draw(self, material: Material) -> Drawing | None:
        """Draw a set of axes a value; rows differ by colour, and each seed has its line."""
        curves = self.curves(material)
        known = list(dict.fromkeys(name for of_row in curves.values() for curve in of_row for name in curve))
        names = self.values or [name for name in known if name != STEP]
        if not curves or not names:
            return None
        for name in names:
            if name not in known:
                raise InputError(f"figure of {self.stage}: its curve has no '{name}'; {nearest(name, known)}")
        across = min(len(names), 2 if self.width == "column" else 4)
        around = style.Around(len(curves), above=self.picked(material)[1])
        figure, grid = style.axes(self.width, -(-len(names) // across), across, 1.4, around)
        places = [axes for line in grid for axes in line]
        for axes, name in zip(places, names, strict=False):
            for number, (row, of_row) in enumerate(curves.items()):
                for seed, curve in enumerate(of_row):
                    look = style.line(number) | {"marker": None, "linewidth": 0.8, "alpha": 0.8}
                    label = None if seed else row
                    points = [
                        (x, y)
                        for x, y in zip(curve[STEP], curve.get(name, []), strict=False)
                        if SHOWN[self.scale](y)
                    ]
                    axes.plot(*(zip(*points, strict=True) if points else ([], [])), label=label, **look)
            axes.set_title(style.text(name.replace("_", " ")))
            SCALES[self.scale](axes)
        for axes in places[len(names) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel(STEP)
        if len(curves) > 1:
            style.legend(figure, places[:1])
        return figure

    def curves(self, material: Material) -> dict[str, list[dict[str, list[float]]]]:
        """Return row's label → its distinct runs → name → values a step."""
        by_label: dict[str, list[dict[str, list[float]]]] = {}
        read: set[Path] = set()
        table = self.table(material)
        for row in material.rows(self.panel, self.picked(material)[0]):
            path = material.folder(row, self.stage) / "curve.jsonl" if self.stage in row.stages else None
            if path is not None and path not in read and path.is_file():
                read.add(path)
                label = style.text(table.label(row.row) if table else row.row)
                by_label.setdefault(label, []).append(_columns(path))
        return by_label


def _columns(path: Path) -> dict[str, list[float]]:
    """Return a curve's values by name; a step that lacks one has NaN.

    A run that was killed repeats the steps since its last checkpoint; the later line of a step counts.
    """
    by_step: dict[float, dict[str, float]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            values = {name: float(value) for name, value in json.loads(line).items()}
            by_step[values[STEP]] = values
        except (KeyError, ValueError, TypeError, AttributeError):
            raise InputError(f"{path}:{number}: not a step of a training curve: {line[:60]!r}") from None
    steps = [by_step[step] for step in sorted(by_step)]
    names = dict.fromkeys(name for step in steps for name in step)
    return {name: [step.get(name, float("nan")) for step in steps] for name in names}
