"""Control points found in a picture, and the loss that teaches them to move with it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rgx.gesture.animate.layers import ConvBlock, StridedResidual
from rgx.gesture.animate.thin_plate import ThinPlate
from rgx.gesture.nn.grid import pixel_grid, sample

AFFINE, BEND, SIDE = 0.05, 0.005, 5
"""The random spline of the equivariance loss: spreads of its parts, points a side. Source: reading 29."""


class Detector(nn.Module):
    """A small residual network from a picture (B, 3, H, W) to control points (B, G, P, 2), random at first.

    Source: reading 29 (ResNet, sigmoid × 2 − 1); compact, and the points start apart: ours.
    """

    def __init__(self, size_px: int, groups: int, points: int, width: int) -> None:
        super().__init__()
        self.groups, self.points = groups, points
        layers: list[nn.Module] = [ConvBlock(3, width, 6, stride=2)]
        side, channels = size_px // 2, width
        while side > 4:
            layers.append(StridedResidual(channels, min(8 * width, 2 * channels), stride=2))
            # As the strided convolution rounds: up.
            side, channels = -(-side // 2), min(8 * width, 2 * channels)
        self.layers = nn.Sequential(*layers)
        self.place = nn.Linear(channels * side**2, groups * points * 2)
        # Points that begin in one place get one gradient, and never part.
        nn.init.uniform_(self.place.bias, -2.0, 2.0)

    def forward(self, picture: Tensor) -> Tensor:
        raw = self.place(self.layers(picture).flatten(1)).float()
        return (raw.sigmoid() * 2 - 1).view(-1, self.groups, self.points, 2)


def equivariance(detect: Callable[[Tensor], Tensor], picture: Tensor, transform: ThinPlate) -> Tensor:
    """Return how far points found in a transformed picture are, sent back, from those of the picture.

    The transformed picture shows at z what the picture shows at T(z). Source: reading 29.
    """
    height, width = picture.shape[-2:]
    grid = pixel_grid(height, width, picture.device) + transform.moves(height, width)[:, 0]
    points, again = detect(torch.cat([picture, sample(picture, grid, "reflection")])).chunk(2)
    places = again.flatten(1, 2).float()
    back = places + transform.displacement(places)[:, 0]
    return (points.flatten(1, 2).float() - back).abs().mean()


def random_equivariance(detect: Callable[[Tensor], Tensor], picture: Tensor) -> Tensor:
    """Return the equivariance loss under one random spline a picture."""
    return equivariance(detect, picture, ThinPlate.random(len(picture), AFFINE, BEND, SIDE, picture.device))
