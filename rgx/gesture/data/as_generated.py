"""Axis augmentation: pictures as a network may paint them, for what has to look at such pictures."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.data.augmentation import FlipsAndColour
from rgx.gesture.nn.grid import pixel_grid, resize, sample
from rgx.gesture.nn.precision import sent
from rgx.gesture.types import Pairs
from rgx.registry import register

BLURRED = 0.25
"""The share of pictures that are seen at half their size. Source: ours."""


@register("augmentation", "as_generated", label="as generated", source="ours, reading 125")
class AsGenerated(FlipsAndColour):
    """Besides, moves and sizes each picture, blurs some and adds noise: as networks paint.

    shift: at most so far, in half picture widths; zoom: at most so much larger or smaller; noise: the most
    that its standard deviation is. Raises InputError for one outside 0 to 1.
    """

    def __init__(self, shift: float = 0.05, zoom: float = 0.05, noise: float = 0.02) -> None:
        super().__init__()
        for name, value in {"shift": shift, "zoom": zoom, "noise": noise}.items():
            if not 0 <= value < 1:
                raise InputError(f"augmentation.as_generated.{name} = {value}: expected 0 or more, below 1")
        self.shift, self.zoom, self.noise = shift, zoom, noise

    def __call__(self, pairs: Pairs) -> Pairs:
        pairs = super().__call__(pairs)
        source, source_pose = self._changed(pairs.source, pairs.source_pose)
        driving, driving_pose = self._changed(pairs.driving, pairs.driving_pose)
        return replace(
            pairs, source=source, source_pose=source_pose, driving=driving, driving_pose=driving_pose
        )

    def _changed(self, picture: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        drawn = torch.rand(5, len(picture))
        moves, (size, blurred, noise) = 2 * drawn[:2] - 1, drawn[2:]
        move = sent(self.shift * moves.T[:, None], picture.device)
        size = sent((1 + self.zoom * (2 * size - 1))[:, None, None], picture.device)
        height, width = picture.shape[-2:]
        grid = (pixel_grid(height, width, picture.device) - move[:, None]) / size[:, None]
        seen = sample(picture, grid)
        coarse = resize(resize(seen, (height // 2, width // 2)), (height, width))
        seen = torch.where(sent(blurred < BLURRED, picture.device)[:, None, None, None], coarse, seen)
        spread = sent(self.noise * noise, picture.device)[:, None, None, None]
        seen = seen + spread * sent(torch.randn(seen.shape), picture.device)
        return seen.clamp(0, 1), pose * size + move
