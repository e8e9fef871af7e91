"""Axes refiner and discriminator: the third stage of S2G-Diffusion."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.refine.base import Discriminator, Refined, Refiner
from rgx.gesture.refine.discriminator import PICTURE, SpectralConv
from rgx.gesture.refine.spade import GROUPS
from rgx.registry import register

HOLES = 1
SLOPE = 0.2


class PaddedBlock(nn.Sequential):
    """Two convolutions over a reflected edge beside a skip: (B, C, H, W) → (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        def conv() -> nn.Conv2d:
            return nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

        super().__init__(conv(), _norm(channels), nn.ReLU(), conv(), _norm(channels))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)
        return x + y


class DeepUNet(nn.Module):
    """Pictures (B, 4, H, W) to pictures (B, 3, H, W) in (−1, 1), by way of one pixel where the side allows.

    Every level keeps what it saw beside what comes up from below. Source: S2G-Diffusion, reading 113.
    """

    def __init__(self, width: int, max_width: int, downs: int) -> None:
        super().__init__()
        widths = [min(width * 2**level, max_width) for level in range(downs)]
        steps = list(pairwise(widths))
        # Normalised are neither the first, which sees colours, nor the last, which may be of one pixel.
        self.down = nn.ModuleList(
            [
                nn.Conv2d(PICTURE + HOLES, width, 4, stride=2, padding=1),
                *(nn.Sequential(_shrink(a, b), _norm(b)) for a, b in steps[:-1]),
                _shrink(*steps[-1]),
            ]
        )
        below = [widths[-1], *(2 * w for w in reversed(widths[1:-1]))]
        self.up = nn.ModuleList(
            nn.Sequential(nn.ReLU(), _grow(a, b), _norm(b))
            for a, b in zip(below, reversed(widths[:-1]), strict=True)
        )
        self.half_size = nn.Sequential(PaddedBlock(width), PaddedBlock(width))
        self.full_size = nn.Sequential(
            *(nn.ReLU(), _grow(2 * width, width), nn.Tanh(), PaddedBlock(width), PaddedBlock(width)),
            nn.Conv2d(width, PICTURE, 7, padding=3, padding_mode="reflect"),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        for down in self.down:
            x = down(x)
            seen.append(x)
        x = seen.pop()
        for up in self.up[:-1]:
            x = torch.cat([seen.pop(), up(x)], dim=1)
        x = torch.cat([seen.pop(), self.half_size(self.up[-1](x))], dim=1)
        painted: Tensor = self.full_size(x)
        return painted


def _norm(channels: int) -> nn.GroupNorm:
    # Of a picture, never of a batch: no frame depends on its neighbours.
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels)


def _shrink(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.LeakyReLU(SLOPE), nn.Conv2d(inputs, outputs, 4, stride=2, padding=1))


def _grow(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)


@register("refiner", "s2g", label="S2G refinement", source="S2G-Diffusion stage 3, reading 113")
class S2GRefiner(Refiner):
    """Paints the whole picture anew, and shows that where the animated one is not trusted.

    Raises InputError for a side that cannot be halved twice.
    """

    reads_pose = False

    def __init__(self, size_px: int, width: int = 64, max_width: int = 512) -> None:
        super().__init__()
        downs = (size_px & -size_px).bit_length() - 1
        if size_px <= 0 or downs < 2:
            raise InputError(
                f"refiner.s2g: pictures of {size_px} px: expected a side that can be halved twice or more"
            )
        self.network = DeepUNet(width, max_width, downs)

    def forward(self, picture: Tensor, trusted: Tensor, pose: Tensor, valid: Tensor) -> Tensor:
        return self.refine(picture, trusted, pose, valid).picture

    def refine(self, picture: Tensor, trusted: Tensor, pose: Tensor, valid: Tensor) -> Refined:
        painted = (self.network(torch.cat([picture, 1 - trusted], dim=1)) + 1) / 2
        shown = picture * trusted + painted * (1 - trusted)
        structure = self.structure(pose, valid, (picture.shape[-2], picture.shape[-1]))
        return Refined(shown, painted, trusted, structure)


@register("discriminator", "s2g", label="S2G discriminator", source="S2G-Diffusion stage 3, reading 113")
class S2GDiscriminator(Discriminator):
    """Logits of wide patches of the picture alone: five convolutions of 5 × 5, the first three halve it."""

    def __init__(self, map_channels: int, width: int = 64) -> None:
        super().__init__()
        widths = [PICTURE, width, 2 * width, 4 * width]
        self.layers = nn.ModuleList(SpectralConv(a, b, 5, stride=2, padding=2) for a, b in pairwise(widths))
        self.layers.append(SpectralConv(4 * width, 8 * width, 5, stride=1, padding=2))
        self.last = SpectralConv(8 * width, 1, 5, stride=1, padding=2)

    def forward(self, picture: Tensor, structure: Tensor) -> Tensor:
        x = 2 * picture - 1
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
        return self.last(x).to(picture)
