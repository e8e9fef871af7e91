"""Axis animator: thin-plate-spline image animation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.animate.base import Animated, Animator, Control, Keypoints
from rgx.gesture.animate.dense_motion import DenseMotion, Motion
from rgx.gesture.animate.drawing import NoDrawing, PoseDrawing
from rgx.gesture.animate.inpainting import Inpainting
from rgx.gesture.animate.losses import hand_weights, pyramid_distance
from rgx.gesture.nn.perceptual import PerceptualFeatures
from rgx.gesture.types import Pairs
from rgx.registry import Recipe, register

RAMP, OFF = 0.1, 0.35
"""Shares of the training after which dropout is highest, and after which it ends. Source: reading 29."""


@dataclass
class SourceFeatures:
    """Pictures with what does not depend on the driving pose: features, control points and which are seen.

    drawn (B, C, h, w): what of the pose is drawn for dense motion.
    """

    picture: Tensor
    features: list[Tensor]
    points: Tensor
    visible: Tensor
    drawn: Tensor

    def expanded(self, batch: int) -> SourceFeatures:
        """Return it for B driving poses; one source serves them all."""

        def widen(x: Tensor) -> Tensor:
            return x.expand(batch, *x.shape[1:])

        rest = [widen(x) for x in (self.points, self.visible, self.drawn)]
        return SourceFeatures(widen(self.picture), [widen(f) for f in self.features], *rest)


def agree(
    source: Tensor, driving: Tensor, source_visible: Tensor, driving_visible: Tensor
) -> tuple[Tensor, Tensor]:
    """Return control points (B, G, P, 2) of both pictures that a spline can go through.

    A point not visible in both moves with the mean of its group's points that are; with none, it
    stays. One visible in neither stands in their middle, where every affine motion agrees with the mean.
    """
    in_source, in_driving = source_visible[..., None], driving_visible[..., None]
    both = in_source & in_driving
    count = both.sum(2, keepdim=True).clamp(min=1)
    middle = driving.where(both, 0.0).sum(2, keepdim=True) / count
    shift = middle - source.where(both, 0.0).sum(2, keepdim=True) / count
    driving = driving.where(in_driving, (source + shift).where(in_source, middle))
    return source.where(in_source, driving - shift), driving


@register("animator", "tps", label="TPS", source="Zhao & Zhang 2022; Sec. 4.3; reading 29")
class ThinPlateAnimator(Animator):
    """Splines through control points, a mask that chooses among them, and inpainting.

    Normalises within pictures (see `layers`), so neither batch size nor neighbours change a frame.
    limit: the furthest a spline moves a pixel, in half picture widths.
    """

    drawing: ClassVar[type[PoseDrawing]] = NoDrawing
    """What of the poses dense motion sees beside control points."""

    def __init__(
        self,
        size_px: int,
        keypoints: Recipe[Keypoints],
        width: int = 64,
        max_width: int = 512,
        downs: int = 3,
        motion_width: int = 64,
        motion_blocks: int = 5,
        motion_scale: float = 0.25,
        perceptual_weight: float = 10.0,
        warp_weight: float = 10.0,
        dropout: float = 0.3,
        limit: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise InputError(f"animator.tps.dropout = {dropout}: expected 0 or more and below 1")
        self.size_px = size_px
        self.keypoints = keypoints(size_px)
        self.driven_by_pose = self.keypoints.driven_by_pose
        self.control_points = self.keypoints.groups * self.keypoints.points
        self.drawn = self.drawing()
        self.reads_pose = self.keypoints.reads_pose or self.drawn.channels > 0
        self.motion = DenseMotion(
            size_px,
            self.keypoints,
            downs,
            motion_width,
            motion_blocks,
            motion_scale,
            limit,
            2 * self.drawn.channels,
        )
        self.inpainting = Inpainting(size_px, width, max_width, downs)
        self.perceptual_weight, self.warp_weight = perceptual_weight, warp_weight
        self.dropout = dropout
        self.step: Tensor
        # A buffer, so that a training that goes on finds dropout where it was.
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ThinPlateAnimator:
        # Each step reads it: moved to a GPU with the rest, it would have each step wait for all of the last.
        step = self.step
        super()._apply(fn, recurse)
        self.step = step
        return self

    def dropout_at(self, step: int, steps: int) -> float:
        """Return the probability that a spline is left out at a step counted from 0."""
        if step >= OFF * steps:
            return 0.0
        return self.dropout * min(1.0, (step + 1) / max(1.0, RAMP * steps))

    def losses(
        self, pairs: Pairs, perceptual: PerceptualFeatures, steps: int, hand_weight: float = 1.0
    ) -> dict[str, Tensor]:
        dropout = 0.0
        if self.training:
            dropout = self.dropout_at(int(self.step), steps)
            self.step += 1
        source = self.begin(pairs.source, pairs.source_pose, pairs.source_valid)
        control = self.control(pairs.driving, pairs.driving_pose, pairs.driving_valid)
        motion = self._move(source, control, dropout)
        warped = self.inpainting(source.picture, source.features, motion)
        weight = hand_weights(pairs, hand_weight)
        distance = pyramid_distance(perceptual, warped, pairs.driving, weight)
        losses = {"perceptual": self.perceptual_weight * distance}
        if self.warp_weight:
            warp = self.inpainting.warp_loss(source.features, pairs.driving, motion, weight)
            losses["warp"] = self.warp_weight * warp
        return losses | self.keypoints.losses(pairs.driving)

    def begin(self, picture: Tensor, pose: Tensor, valid: Tensor) -> SourceFeatures:
        features, control = self.inpainting.encode(picture), self.control(picture, pose, valid)
        drawn = self._drawn(control, picture)
        return SourceFeatures(picture, features, control.points, control.visible, drawn)

    def control(self, picture: Tensor | None, pose: Tensor, valid: Tensor) -> Control:
        return Control(self.keypoints(picture, pose), self.keypoints.visible(valid), (pose, valid))

    def control_of(self, points: Tensor) -> Control:
        if self.reads_pose:
            return super().control_of(points)
        points = points.unflatten(1, (self.keypoints.groups, self.keypoints.points))
        return Control(points, torch.ones_like(points[..., 0], dtype=torch.bool))

    def animate(self, source: SourceFeatures, control: Control) -> Animated:
        source = source.expanded(len(control.points))
        motion = self._move(source, control)
        warped = self.inpainting(source.picture, source.features, motion)
        return Animated(warped, motion.occlusion[0])

    def _move(self, source: SourceFeatures, control: Control, dropout: float = 0.0) -> Motion:
        points, driving = agree(source.points, control.points, source.visible, control.visible)
        if self.keypoints.limbs is not None:
            seen = (source.visible & control.visible).any(-1)
            points, driving = (self.keypoints.limbs.followed(x, seen) for x in (points, driving))
        drawn = torch.cat([source.drawn, self._drawn(control, source.picture)], dim=1)
        return self.motion(source.picture, points, driving, drawn, dropout)

    def _drawn(self, control: Control, picture: Tensor) -> Tensor:
        size = self.motion.size_of(picture)
        if control.pose is None:
            return control.points.new_zeros(len(control.points), 0, *size)
        return self.drawn(*control.pose, size)
