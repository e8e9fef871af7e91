"""Thin-plate-spline animation as the later version draws it: the edge map helps to warp."""

from __future__ import annotations

from rgx.gesture.animate.drawing import EdgeDrawing
from rgx.gesture.animate.tps import ThinPlateAnimator
from rgx.registry import register


@register("animator", "edge_tps", label="TPS + edge map", source="overview figure, ACM MM; reading 83")
class EdgeThinPlateAnimator(ThinPlateAnimator):
    """Dense motion sees the edge heat-maps of source and driving pose beside those of control points."""

    drawing = EdgeDrawing
