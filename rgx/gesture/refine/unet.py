"""A U-Net of residual blocks whose way up is normalised as the caller says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.refine.spade import Norm, PlainNorm


class ResidualBlock(nn.Module):
    """Two times norm, activation, convolution, beside a skip. Source: Park et al. 2019 (SPADE ResBlk)."""

    def __init__(self, inputs: int, outputs: int, norm: Callable[[int], Norm]) -> None:
        super().__init__()
        self.norms = nn.ModuleList([norm(inputs), norm(outputs)])
        sizes = ((inputs, outputs), (outputs, outputs))
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in sizes)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, structure: Tensor) -> Tensor:
        y = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(F.leaky_relu(norm(y, structure), 0.2))
        return self.skip(x) + y


class UNet(nn.Module):
    """Pictures to pictures of the same size; the last convolution starts at zero, and so does the output.

    Width doubles at each of `downs` halvings up to max_width. The way down reads the picture alone; the
    lowest level and the way up are normalised by `norm`, which sees the structure of their resolution.
    Source: Sec. 4.3, reading 40.
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
        self.read = nn.ModuleList(ResidualBlock(w, w, PlainNorm) for w in widths[:-1])
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in steps)
        self.lowest = ResidualBlock(widths[-1], widths[-1], norm)
        self.draw = nn.ModuleList(ResidualBlock(a + b, a, norm) for a, b in steps)
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
            x = torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), seen[level]], dim=1)
            x = self.draw[level](x, structures[level])
        return self.last(F.leaky_relu(self.last_norm(x, structures[0]), 0.2))
