"""From control points to one flow: which spline each pixel follows, and where the source shows nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.animate.base import Keypoints
from rgx.gesture.animate.layers import ConvBlock
from rgx.gesture.animate.thin_plate import ThinPlate
from rgx.gesture.nn.grid import pixel_grid, resize, resize_grid, sample
from rgx.gesture.nn.precision import sent

VARIANCE = 0.01
"""Of the heat map around a control point. Source: reading 29."""


@dataclass
class Motion:
    """A backward grid (B, h, w, 2) and occlusion maps (B, 1, ·, ·) in [0, 1], full size first, 0 = not shown.

    mask (B, G + 1, h, w) sums to 1: the share of the background and of each spline in the grid.
    """

    grid: Tensor
    occlusion: list[Tensor]
    mask: Tensor
    _grids: dict[tuple[int, int], Tensor] = field(default_factory=dict, repr=False)

    def grid_for(self, picture: Tensor) -> Tensor:
        """Return the grid at the size of pictures or features (B, C, H, W), worked out once a size."""
        size = (picture.shape[-2], picture.shape[-1])
        if size not in self._grids:
            self._grids[size] = resize_grid(self.grid, size)
        return self._grids[size]


class Hourglass(nn.Module):
    """Features (B, inputs, h, w) to features of every level, (B, widths[i], h / 2^i, …), finest first.

    Odd sides round up, so it takes any size; width doubles a level, to 16 times at most. Source: reading 29.
    """

    def __init__(self, inputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.widths = widths = [width * 2 ** min(4, i) for i in range(blocks + 1)]
        self.enter = ConvBlock(inputs, width)
        self.down = nn.ModuleList(ConvBlock(widths[i], widths[i + 1]) for i in range(blocks))
        self.up = nn.ModuleList(ConvBlock(widths[i + 1] + widths[i], widths[i]) for i in range(blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = [self.enter(x)]
        for block in self.down:
            levels.append(block(F.avg_pool2d(levels[-1], 2, ceil_mode=True)))
        for i in range(len(self.up) - 1, -1, -1):
            # What was seen from afar, beside what this level saw by itself.
            coarse = F.interpolate(levels[i + 1], size=levels[i].shape[-2:])
            levels[i] = self.up[i](torch.cat([coarse, levels[i]], dim=1))
        return levels


def heat_maps(points: Tensor, height: int, width: int) -> Tensor:
    """Return Gaussians (B, G · P, H, W) around points (B, G, P, 2)."""
    places = pixel_grid(height, width, points.device)
    # A round Gaussian is the product of its two sides: H + W exponentials a point, not H · W.
    x = torch.exp(-0.5 / VARIANCE * (places[0, :, 0] - points.float().flatten(1, 2)[..., 0:1]).square())
    y = torch.exp(-0.5 / VARIANCE * (places[:, 0, 1] - points.float().flatten(1, 2)[..., 1:2]).square())
    return y[..., :, None] * x[..., None, :]


def dropout_softmax(logits: Tensor, probability: float) -> Tensor:
    """Return the softmax over (B, G + 1, …) with splines left out at random; the background (first) stays.

    Who is left out has no part in the sum, and who stays weighs 1 / (1 − probability) times as much
    against the background, so the expected sum is that without dropout; the public code divides after
    taking the exponential, where it has no effect (reading 29).
    """
    if probability > 0:
        out = torch.rand(logits.shape[:2]) < probability
        change = torch.where(out, -torch.inf, -math.log1p(-probability))
        change[:, 0] = 0.0
        logits = logits + sent(change, logits.device).to(logits)[..., None, None]
    return logits.softmax(dim=1)


class DenseMotion(nn.Module):
    """Source picture and control points to motion. Source: reading 29.

    Works at a share `scale` of the resolution; `downs` coarser occlusion maps follow the full one. drawn: how
    many channels are drawn of the poses beside the heat maps of their control points.
    Raises InputError for a share that is not 1, ½, ¼, … or a size that it does not divide.
    """

    def __init__(
        self,
        size_px: int,
        keypoints: Keypoints,
        downs: int,
        width: int,
        blocks: int,
        scale: float,
        limit: float,
        drawn: int = 0,
    ) -> None:
        super().__init__()
        self.halvings = round(-math.log2(scale)) if 0 < scale <= 1 else -1
        if 0.5**self.halvings != scale or size_px % 2**self.halvings:
            raise InputError(f"motion_scale = {scale}: expected 1, 0.5, 0.25, … dividing {size_px} px")
        self.limit, self.limbs = limit, keypoints.limbs
        groups = keypoints.groups
        seen = (groups + 1) * 3 + groups * keypoints.points + drawn
        self.hourglass = Hourglass(seen, width, blocks)
        self.mask = nn.Conv2d(width, groups + 1, 3, padding=1)
        finer = [min(width, max(4, width // 2**i)) for i in range(self.halvings + 1)]
        self.finer = nn.ModuleList(ConvBlock(a, b) for a, b in pairwise(finer))
        widths = [*reversed(finer), *self.hourglass.widths[1:]]
        self.occlusion = nn.ModuleList(
            nn.Conv2d(widths[min(level, len(widths) - 1)], 1, 3, padding=1) for level in range(downs + 1)
        )

    def size_of(self, picture: Tensor) -> tuple[int, int]:
        """Return the size that motion has of pictures (B, 3, H, W)."""
        return picture.shape[-2] // 2**self.halvings, picture.shape[-1] // 2**self.halvings

    def forward(
        self, picture: Tensor, source: Tensor, driving: Tensor, drawn: Tensor, dropout: float = 0.0
    ) -> Motion:
        """Return the motion of pictures (B, 3, H, W) from control points source to driving (B, G, P, 2).

        drawn (B, C, h, w): what is drawn of both poses, at the size of the motion.
        """
        full = picture.shape[-2:]
        height, width = self.size_of(picture)
        small = resize(picture.float(), (height, width))
        here = pixel_grid(height, width, picture.device)
        # Backward: for each place of the driving picture, where in the source it comes from.
        spline = ThinPlate.between(driving, source, limbs=self.limbs)
        moves = spline.moves(height, width, self.limit)
        warped = sample(small, rearrange(here + moves, "b g h w c -> b (g h) w c"))
        warped = rearrange(warped, "b c (g h) w -> b (g c) h w", g=moves.shape[1])
        heat = heat_maps(driving, height, width)
        seen = torch.cat([small, warped, heat - heat_maps(source, height, width), drawn.to(small)], dim=1)
        levels = self.hourglass(seen)
        logits = self.mask(levels[0]).float()
        if self.limbs is not None:
            background, splines = logits.split((1, moves.shape[1]), dim=1)
            near = self.limbs.nearness(heat.unflatten(1, driving.shape[1:3]))
            logits = torch.cat([background, splines + near], dim=1)
        mask = dropout_softmax(logits, dropout)
        # The background, first of the shares, stays where it is: it adds nothing to the flow.
        flow = torch.einsum("bghw,bghwc->bhwc", mask[:, 1:].float(), moves)
        return Motion(here + flow, self._occlusion(levels, full), mask)

    def _occlusion(self, levels: list[Tensor], full: torch.Size) -> list[Tensor]:
        for block in self.finer:
            levels = [block(F.interpolate(levels[0], scale_factor=2.0)), *levels]
        maps = []
        for level, head in enumerate(self.occlusion):
            size = (full[0] // 2**level, full[1] // 2**level)
            occlusion = head(levels[min(level, len(levels) - 1)]).float().sigmoid()
            maps.append(resize(occlusion, size))
        return maps
