"""Axis augmentation: pairs of pictures as they might have been seen as well."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.nn.precision import sent
from rgx.gesture.skeleton import KEPT, MIRRORED, kept_index
from rgx.gesture.types import Pairs
from rgx.registry import register

GREY = (0.299, 0.587, 0.114)
"""How bright red, green and blue are. Source: ITU-R BT.601."""


class Augmentation(ABC):
    """What is done to pairs that are trained on; held-out pictures are never augmented."""

    @abstractmethod
    def __call__(self, pairs: Pairs) -> Pairs:
        """Return pairs as many, by what is drawn from torch's random state on the CPU."""


@register("augmentation", "none", label="w/o augmentation")
class NoAugmentation(Augmentation):
    """Pairs as they were recorded; draws nothing."""

    def __call__(self, pairs: Pairs) -> Pairs:
        return pairs


@register("augmentation", "flips_and_colour", label="flips and colour", source="TPSMM, S2G; reading 81")
class FlipsAndColour(Augmentation):
    """Mirrors half of the pairs, lets half run backwards, and changes colours, of both pictures alike.

    brightness, contrast, saturation: at most this much more or less; hue: at most this share of a turn.
    Raises InputError for one below 0, above 1, or a hue above a half.
    """

    def __init__(
        self,
        brightness: float = 0.1,
        contrast: float = 0.1,
        saturation: float = 0.1,
        hue: float = 0.1,
    ) -> None:
        self.strengths = {
            "brightness": brightness,
            "contrast": contrast,
            "saturation": saturation,
            "hue": hue,
        }
        for name, value in self.strengths.items():
            most = 0.5 if name == "hue" else 1.0
            if not 0 <= value <= most:
                raise InputError(f"augmentation.flips_and_colour.{name} = {value}: expected 0 to {most:g}")

    def __call__(self, pairs: Pairs) -> Pairs:
        drawn = torch.rand(2 + len(self.strengths), len(pairs.source))
        device = pairs.source.device
        pairs = backwards(pairs, sent(drawn[0] < 0.5, device))
        pairs = mirrored(pairs, sent(drawn[1] < 0.5, device))
        strengths = torch.tensor(list(self.strengths.values()))[:, None]
        matrix, shift = colouring(*(strengths * (2 * drawn[2:] - 1)))
        matrix, shift = sent(matrix, device), sent(shift, device)
        return replace(
            pairs,
            source=recoloured(pairs.source, matrix, shift),
            driving=recoloured(pairs.driving, matrix, shift),
        )


def backwards(pairs: Pairs, which: Tensor) -> Pairs:
    """Return pairs of which some (B,) bool have source and driving exchanged."""

    def exchange(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        chosen = which.view(-1, *[1] * (first.dim() - 1))
        return torch.where(chosen, second, first), torch.where(chosen, first, second)

    source, driving = exchange(pairs.source, pairs.driving)
    source_pose, driving_pose = exchange(pairs.source_pose, pairs.driving_pose)
    source_valid, driving_valid = exchange(pairs.source_valid, pairs.driving_valid)
    return Pairs(source, driving, source_pose, driving_pose, source_valid, driving_valid)


def mirrored(pairs: Pairs, which: Tensor) -> Pairs:
    """Return pairs of which some (B,) bool are mirrored; a left hand is a right hand then."""
    order = _mirror_order(which.device)

    def picture(x: Tensor) -> Tensor:
        return torch.where(which[:, None, None, None], x.flip(-1), x)

    def pose(x: Tensor) -> Tensor:
        across, down = x[:, order].unbind(-1)
        return torch.where(which[:, None, None], torch.stack([-across, down], dim=-1), x)

    def valid(x: Tensor) -> Tensor:
        return torch.where(which[:, None], x[:, order], x)

    return Pairs(
        picture(pairs.source),
        picture(pairs.driving),
        pose(pairs.source_pose),
        pose(pairs.driving_pose),
        valid(pairs.source_valid),
        valid(pairs.driving_valid),
    )


@cache
def _mirror_order(device: torch.device) -> Tensor:
    """Return of each point of a pose which takes its place; made once, or a GPU would be waited for."""
    return torch.tensor([kept_index(MIRRORED[point]) for point in KEPT], device=device)


def colouring(brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> tuple[Tensor, Tensor]:
    """Return what changes colours: matrices (B, 3, 3) and shifts (B, 3) of changes (B,), none at 0.

    Contrast is about the middle grey, saturation about a colour's own brightness; hue turns about grey.
    """
    identity, third = torch.eye(3), torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    angle = 2 * math.pi * hue[:, None, None]
    turn = third + angle.cos() * (identity - third) + angle.sin() * cross
    vivid = torch.lerp(torch.tensor(GREY).expand(3, 3), identity, 1 + saturation[:, None, None])
    stretch = 1 + contrast[:, None]
    matrix = (1 + brightness[:, None, None]) * stretch[..., None] * (vivid @ turn)
    return matrix, (0.5 * (1 - stretch)).expand(-1, 3)


def recoloured(picture: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """Return pictures (B, 3, H, W) in [0, 1] with each colour changed by matrix and shift."""
    changed = torch.einsum("bij,bjhw->bihw", matrix.to(picture), picture)
    return (changed + shift.to(picture)[..., None, None]).clamp(0, 1)
