"""The kinds of figures a report file can ask for."""

from __future__ import annotations

from rgx.report.figures.bars import Bars
from rgx.report.figures.base import Figure, Material
from rgx.report.figures.beats import Beats
from rgx.report.figures.codebook import Codebook
from rgx.report.figures.curve import Curve
from rgx.report.figures.factorial import Factorial
from rgx.report.figures.graph import Graph
from rgx.report.figures.training import Training
from rgx.report.figures.trajectories import Trajectories

FIGURES: dict[str, type[Figure]] = {
    "bars": Bars,
    "beats": Beats,
    "codebook": Codebook,
    "curve": Curve,
    "factorial": Factorial,
    "graph": Graph,
    "training": Training,
    "trajectories": Trajectories,
}

__all__ = ["FIGURES", "Figure", "Material"]
