"""Beats over a test window: those of the speech on its waveform, those of motion on how fast it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rgx.gesture.figures.test_window import MomentFigure
from rgx.gesture.metrics.beats import body_speed, motion_beats
from rgx.gesture.types import FPS, SAMPLE_RATE_HZ
from rgx.registry import register
from rgx.report import style
from rgx.report.figures.base import Material

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

BIN_SAMPLES = 80
"""A waveform is drawn as the range of every 5 ms: more than print can show."""


@register("figure", "beats")
class Beats(MomentFigure):
    """Audio beats and kinematic beats, as the beat alignment scores take them."""

    def draw(self, material: Material) -> Drawing | None:
        """Draw the waveform, then the body's speed a motion; a dot a beat, a grey line an audio beat."""
        moment = self.moment(material)
        if moment is None:
            return None
        table = self.table(material)
        motions = {"real": moment.real} | {
            table.label(row) if table else row: motion for row, motion in moment.generated.items()
        }
        figure, grid = style.axes(
            self.width, 1 + len(motions), 1, 0.75,
            style.Around(left="body speed (shoulder widths a frame)", above=self.picked(material)[1]),
        )  # fmt: skip
        column = [line[0] for line in grid]
        sounds = np.flatnonzero(moment.audio_beats) / FPS
        bins = moment.waveform[: len(moment.waveform) // BIN_SAMPLES * BIN_SAMPLES].reshape(-1, BIN_SAMPLES)
        times = (np.arange(len(bins)) + 0.5) * BIN_SAMPLES / SAMPLE_RATE_HZ
        column[0].fill_between(times, bins.min(1), bins.max(1), color=style.OTHER, linewidth=0.3)
        column[0].set_yticks([])
        column[0].set_ylabel("speech")
        for number, (axes, (name, motion)) in enumerate(zip(column[1:], motions.items(), strict=True)):
            colour = "black" if number == 0 else style.colour(number - 1)
            self._motion(axes, motion, moment.order_frames, colour)
            axes.set_title(style.text(name), loc="left", pad=2)
        for axes in column:
            axes.vlines(
                sounds, 0, 1, transform=axes.get_xaxis_transform(),
                color=style.GREY, linewidth=0.6, linestyle=":", zorder=0,
            )  # fmt: skip
            axes.set_xlim(0, len(moment.real) / FPS)
        for axes in column[:-1]:
            axes.tick_params(axis="x", labelbottom=False)
        column[-1].set_xlabel("time (s)")
        return figure

    def _motion(self, axes: Axes, motion: np.ndarray, order_frames: int, colour: str) -> None:
        """Draw the speed of motion (T, K, 2) and its beats; the step into a frame stands at that frame."""
        speed = body_speed(motion[None])[0]
        beats = np.flatnonzero(motion_beats(motion[None], order_frames)[0])
        axes.plot(np.arange(1, len(motion)) / FPS, speed, color=colour, linewidth=0.9)
        axes.plot(beats / FPS, speed[beats - 1], "o", color=colour, markersize=4, clip_on=False, zorder=3)
        axes.set_ylim(0, None)
