"""A small network that finds the points of a pose in pictures, and says how sure it is of each."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.nn.grid import pixel_grid
from rgx.gesture.skeleton import KEPT

MOST_PX = 64
"""The width of its maps is at most this: a place is read off between their pixels, so that finer ones gain
little and cost much."""
LEVELS = 3
"""How often the maps are halved to see all of a picture at once."""
MAP_WEIGHT, SURENESS_WEIGHT = 0.05, 0.1
"""What a cross-entropy of a map, and one of a score, weighs beside an error of half a picture width."""
TINY = 1e-8


class PoseBlock(nn.Sequential):
    """Convolution, group normalisation, ReLU: (B, inputs, H, W) → (B, outputs, H / stride, W / stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        groups = math.gcd(outputs, 8)
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.GroupNorm(groups, outputs),
            nn.ReLU(inplace=True),
        )


class PoseNetwork(nn.Module):
    """A U-Net whose map of each point is a distribution over places, of which the mean is the point.

    reach: how near to the true point a found one has to be to be right, in half picture widths.
    Source: integral regression, Sun 2018; what a score means: ours, reading 124.
    """

    def __init__(self, size_px: int, width: int = 32, reach: float = 0.1) -> None:
        super().__init__()
        self.size_px, self.reach = size_px, reach
        strided = max(1, math.ceil(math.log2(size_px / MOST_PX)))
        self.spread = 2 ** (strided + 1) / size_px
        """The width of a map's pixel, and of what stands around a point in the map it should be."""
        self.stem = nn.Sequential(
            *(PoseBlock(width if n else 3, width, stride=2) for n in range(strided)), PoseBlock(width, width)
        )
        widths = [width * min(2**level, 4) for level in range(LEVELS + 1)]
        pairs = list(pairwise(widths))
        self.downs = nn.ModuleList(nn.Sequential(PoseBlock(a, b, 2), PoseBlock(b, b)) for a, b in pairs)
        self.ups = nn.ModuleList(PoseBlock(a + b, a) for a, b in reversed(pairs))
        self.maps = nn.Conv2d(width, len(KEPT), 1)
        self.here = nn.Parameter(torch.zeros(len(KEPT), width))
        self.whole = nn.Linear(widths[-1], len(KEPT))

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Return points (B, K, 2) in [−1, 1] of pictures (B, 3, H, W) in [0, 1], and of each the logit of
        its score (B, K)."""
        points, logits, _, _ = self._read(picture)
        return points, logits

    def losses(self, picture: Tensor, pose: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """Return how far the valid points of poses (B, K, 2) are, and how wrong maps and scores are.

        valid (B, K) bool; a point that is not valid should have no score. Each is a mean over pictures.
        """
        points, logits, maps, grid = self._read(picture)
        distance = (points - pose).square().sum(-1).add(TINY).sqrt()
        right = (valid & (distance.detach() < self.reach)).to(logits.dtype)
        sureness = F.binary_cross_entropy_with_logits(logits, right)
        # A mean learns slowly what is far off: the maps are told the pixels around each point as well.
        away = (grid - pose[:, :, None]).square().sum(-1)
        near = (-0.5 * away / self.spread**2).softmax(-1)
        miss = -(near * maps.log_softmax(-1)).sum(-1)
        share = valid / valid.sum(-1, keepdim=True).clamp(min=1)
        return {
            "distance": (distance * share).sum(-1).mean(),
            "map": MAP_WEIGHT * (miss * share).sum(-1).mean(),
            "sureness": SURENESS_WEIGHT * sureness,
        }

    def _read(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return points, logits of their scores, maps (B, K, N) before they sum to 1, and where their N
        pixels are, (N, 2)."""
        x = self.stem(picture - 0.5)
        skips = []
        for down in self.downs:
            skips.append(x)
            x = down(x)
        sureness = self.whole(x.mean((-2, -1)))
        for up in self.ups:
            skip = skips.pop()
            x = up(torch.cat([skip, F.interpolate(x, size=skip.shape[-2:], mode="nearest")], dim=1))
        maps = self.maps(x).flatten(2)
        places = maps.softmax(-1)
        grid = pixel_grid(x.shape[-2], x.shape[-1], x.device).flatten(0, 1)
        seen = torch.einsum("bkn,bcn->bkc", places, x.flatten(2))
        return places @ grid, sureness + (seen * self.here).sum(-1), maps, grid
