"""Where single joints go over a test window: generated motion against real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from rgx.errors import nearest
from rgx.gesture.figures.test_window import Moment, MomentFigure
from rgx.gesture.skeleton import BODY, LEFT_HAND, RIGHT_HAND, kept_index
from rgx.gesture.types import FPS
from rgx.registry import register
from rgx.report import style
from rgx.report.figures.base import Material
from rgx.report.panel import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

NAMES = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip"
)
JOINTS = dict(zip(NAMES.split(), BODY, strict=True)) | {
    "left_index_tip": LEFT_HAND[8],
    "right_index_tip": RIGHT_HAND[8],
}
DIRECTIONS = {"rightwards": (0, 1.0), "upwards": (1, -1.0)}
"""How an axis is named in print → the coordinate and its sign: pictures count y downwards."""


@register("figure", "trajectories")
class Trajectories(MomentFigure):
    """Joints against time, for some rows of a panel and the motion that was recorded."""

    joints: list[str] = ["left_wrist", "right_wrist"]

    def wrong(self, panels: Mapping[str, Panel]) -> Iterator[tuple[str, str]]:
        """Give also a joint that there is not."""
        yield from super().wrong(panels)
        for joint in self.joints:
            if joint not in JOINTS:
                yield "joints", f"there is no joint '{joint}'; {nearest(joint, JOINTS)}"

    def draw(self, material: Material) -> Drawing | None:
        """Draw a line of axes a joint: how far right and how far up, in shoulder widths from the chest."""
        moment = self.moment(material)
        if moment is None:
            return None
        table = self.table(material)
        figure, grid = style.axes(
            self.width, len(self.joints), len(DIRECTIONS), 1.25,
            style.Around(1 + len(moment.generated), "shoulder widths", self.picked(material)[1]),
        )  # fmt: skip
        for line, joint in zip(grid, self.joints, strict=True):
            for axes, (name, (coordinate, sign)) in zip(line, DIRECTIONS.items(), strict=True):
                labels = {row: table.label(row) if table else row for row in moment.generated}
                self._joint(axes, moment, labels, (kept_index(JOINTS[joint]), coordinate), sign)
                axes.set_title(f"{joint.replace('_', ' ')} {name}")
        for axes in grid[-1]:
            axes.set_xlabel("time (s)")
        style.legend(figure, grid[0][:1])
        return figure

    def _joint(
        self, axes: Axes, moment: Moment, labels: dict[str, str], place: tuple[int, int], sign: float
    ) -> None:
        point, coordinate = place
        times = np.arange(len(moment.real)) / FPS
        seen = np.where(moment.valid[:, point], moment.real[:, point, coordinate], np.nan)
        axes.plot(times, sign * seen, color="black", linewidth=1.4, label="real")
        for number, (row, motion) in enumerate(moment.generated.items()):
            look = style.line(number) | {"marker": None, "linestyle": style.LINES[number % len(style.LINES)]}
            axes.plot(times, sign * motion[:, point, coordinate], label=style.text(labels[row]), **look)
        axes.set_xlim(0, len(moment.real) / FPS)
