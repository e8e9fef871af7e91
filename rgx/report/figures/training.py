"""Training curves, as the stages wrote them while they ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rgx.errors import InputError, nearest
from rgx.registry import register
from rgx.report import style
from rgx.report.figures.base import Material, RowsFigure
from rgx.train.names import DEV, KEPT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

STEP = "step"
SHOWN: dict[str, Callable[[float], bool]] = {"linear": lambda y: True, "log": lambda y: y > 0}
"""Which values an axis of a scale can show."""
SCALES: dict[str, Callable[[Axes], None]] = {"linear": lambda axes: None, "log": style.logarithmic}


HELD_OUT = "dashed: dev; dot: the step that is kept"


@dataclass(frozen=True)
class Logged:
    """What a training logged: values by name, each a step, and the step it kept where it chose one."""

    values: dict[str, list[float]]
    kept: float | None = None

    def points(self, name: str, scale: str) -> list[tuple[float, float]]:
        """Return the steps and values of a name that a scale can show."""
        pairs = zip(self.values[STEP], self.values.get(name, []), strict=False)
        return [(x, y) for x, y in pairs if y == y and SHOWN[scale](y)]


@register("figure", "training")
class Training(RowsFigure):
    """What `stage` logged while it trained, for some rows of a panel, beside what it measured on dev."""

    stage: str
    values: list[str] = []
    scale: Literal["linear", "log"] = "log"

    def draw(self, material: Material) -> Drawing | None:
        """Draw a set of axes a value; rows differ by colour, each seed has its line, and of dev another."""
        curves = self.curves(material)
        several = [curve for of_row in curves.values() for curve in of_row]
        known = list(dict.fromkeys(name for curve in several for name in curve.values))
        beside = {f"{DEV}{name}" for name in known}
        names = self.values or [name for name in known if name != STEP and name not in beside]
        if not curves or not names:
            return None
        for name in names:
            if name not in known:
                raise InputError(f"figure of {self.stage}: its curve has no '{name}'; {nearest(name, known)}")
        across = min(len(names), 2 if self.width == "column" else 4)
        held_out = HELD_OUT if any(name.startswith(DEV) for name in known) else ""
        above = "; ".join(filter(None, (self.picked(material)[1], held_out)))
        around = style.Around(len(curves), above=above)
        figure, grid = style.axes(self.width, -(-len(names) // across), across, 1.4, around)
        places = [axes for line in grid for axes in line]
        for axes, name in zip(places, names, strict=False):
            for number, (row, of_row) in enumerate(curves.items()):
                for seed, curve in enumerate(of_row):
                    look = style.line(number) | {"marker": None, "linewidth": 0.8, "alpha": 0.8}
                    dev = name if name.startswith(DEV) else f"{DEV}{name}"
                    trained = curve.points(name, self.scale) if name != dev else []
                    self._line(axes, trained, label=None if seed else row, **look)
                    points = curve.points(dev, self.scale)
                    self._line(axes, points, **look | {"linestyle": "--"})
                    best = [point for point in points if point[0] == curve.kept]
                    self._line(axes, best, **look | {"marker": "o", "linestyle": ""})
            axes.set_title(style.text(name.replace("_", " ")))
            SCALES[self.scale](axes)
        for axes in places[len(names) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel(STEP)
        if len(curves) > 1:
            style.legend(figure, places[:1])
        return figure

    @staticmethod
    def _line(axes: Axes, points: list[tuple[float, float]], **look: Any) -> None:
        axes.plot(*(zip(*points, strict=True) if points else ([], [])), **look)

    def curves(self, material: Material) -> dict[str, list[Logged]]:
        """Return row's label → the curves of its distinct runs."""
        by_label: dict[str, list[Logged]] = {}
        read: set[Path] = set()
        table = self.table(material)
        for row in material.rows(self.panel, self.picked(material)[0]):
            path = material.folder(row, self.stage) / "curve.jsonl" if self.stage in row.stages else None
            if path is not None and path not in read and path.is_file():
                read.add(path)
                label = style.text(table.label(row.row) if table else row.row)
                facts = (material.manifest(row, self.stage) or {}).get("outputs") or {}
                by_label.setdefault(label, []).append(Logged(_columns(path), facts.get(KEPT)))
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
