"""A U-Net of residual blocks whose way up is normalised as the caller says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.refine.spade import Norm, PlainNorm


class ResidualBlock(nn.Module):
    """Two times norm, activation, convolution beside a skip. Source: Park et al. 2019 (SPADE ResBlk)."""

    def __init__(self, channels: int, norm: Callable[[int], Norm]) -> None:
        super().__init__()
        self.norms = nn.ModuleList(norm(channels) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, structure: Tensor) -> Tensor:
        y = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(F.leaky_relu(norm(y, structure), 0.2))
        return x + y


class JoiningBlock(nn.Module):
    """What the level below draws joins what was seen on the way down; a residual block over the latter.

    What is drawn is narrowed before it grows, and each is normalised before they are put together: so the
    structure modulates a third of the channels where the level below is twice as wide. Source: reading 103.
    """

    def __init__(self, below: int, channels: int, norm: Callable[[int], Norm]) -> None:
        super().__init__()
        # Before they grow: a quarter of the pixels.
        self.narrow = nn.Conv2d(below, channels, 1)
        self.drawn_norm, self.seen_norm = norm(channels), PlainNorm(channels)
        self.join = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.norm = norm(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, seen: Tensor, structure: Tensor) -> Tensor:
        """Return (B, channels, H, W) of x (B, below, H / 2, W / 2) and seen (B, channels, H, W)."""
        drawn = F.interpolate(self.narrow(x), scale_factor=2.0, mode="nearest")
        both = torch.cat([self.drawn_norm(drawn, structure), self.seen_norm(seen, structure)], dim=1)
        y = self.join(F.leaky_relu(both, 0.2))
        return seen + self.conv(F.leaky_relu(self.norm(y, structure), 0.2))


class UNet(nn.Module):
    """Pictures to pictures of the same size; the last convolution starts at zero, and so does the output.

    Width doubles at each of `downs` halvings up to max_width. The way down reads the picture alone; the
    lowest level and the way up are normalised by `norm`, which sees the structure of their resolution.
    Source: Sec. 4.3, readings 40 and 103.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int,
        max_width: int,
        downs: int,
        norm: Callable[[int], Norm],
    ) -> None:
        super().__init__()
        widths = [min(width * 2**level, max_width) for level in range(downs + 1)]
        steps = list(pairwise(widths))
        self.stem = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.read = nn.ModuleList(ResidualBlock(w, PlainNorm) for w in widths[:-1])
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in steps)
        self.lowest = ResidualBlock(widths[-1], norm)
        self.draw = nn.ModuleList(JoiningBlock(b, a, norm) for a, b in steps)
        self.last_norm = PlainNorm(widths[0])
        self.last = nn.Conv2d(widths[0], outputs, 3, padding=1)
        # Untrained it changes nothing: a refiner begins from the animated picture, not from noise.
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, structures: Sequence[Tensor]) -> Tensor:
        """Return pictures (B, outputs, H, W) of x (B, inputs, H, W); structures one a level, finest first."""
        x = self.stem(x)
        seen = []
        for read, shrink, structure in zip(self.read, self.shrink, structures, strict=False):
            seen.append(read(x, structure))
            x = shrink(seen[-1])
        x = self.lowest(x, structures[-1])
        for level in reversed(range(len(seen))):
            x = self.draw[level](x, seen[level], structures[level])
        return self.last(F.leaky_relu(self.last_norm(x, structures[0]), 0.2))
