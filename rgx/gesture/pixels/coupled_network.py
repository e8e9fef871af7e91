"""Two U-Nets in lock-step, of video and of sound, coupled at every level but the first.

Source: MM-Diffusion, from a description of its structure; where it differs, reading 119.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.generate.denoiser import time_codes
from rgx.gesture.pixels.coupled_blocks import (
    SOUND_STRIDE,
    CoupledBlock,
    CoupledStep,
    Down,
    Same,
    SoundConv,
    Up,
    VideoConv,
)
from rgx.gesture.pixels.coupling import Coupling, norm, silent

COLOURS = 3


@dataclass(frozen=True)
class CoupledSizes:
    """How large the network is.

    multiples: channels of each level, in widths; blocks a level; windows: of the coupling, in frames, at each
    level from the second on; heads of self-attention; head_channels: how wide a head of the coupling is.
    """

    width: int
    multiples: tuple[int, ...]
    blocks: int
    windows: tuple[int, ...]
    heads: int
    head_channels: int
    dropout: float

    @property
    def halvings(self) -> int:
        """How often a picture is halved."""
        return len(self.multiples) - 1

    def samples_slot(self, frames: int) -> int:
        """Return of how many samples the sound has to be a multiple, to have a slot a frame at each level."""
        return frames * int(SOUND_STRIDE**self.halvings)


class CoupledUNet(nn.Module):
    """Noisy video and sound, and how noisy, to what is predicted of both; nothing before it has learned."""

    def __init__(self, sizes: CoupledSizes, colours: int = COLOURS) -> None:
        super().__init__()
        self.sizes, width = sizes, sizes.width
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        channels = width * sizes.multiples[0]
        self.video_inward = VideoConv(colours, channels)
        self.sound_inward = SoundConv(1, channels)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        left = self._build_down(channels)
        channels = left[-1]
        middle = self._block(channels, channels, len(self.down), attends=True, listens=True)
        after = self._block(channels, channels, len(self.down), attends=True, listens=True)
        coupled = CoupledStep(middle, self._coupling(channels, None))
        self.middle = nn.ModuleList([coupled, CoupledStep(after)])
        channels = self._build_up(left)
        self.video_norm, self.sound_norm = norm(channels), norm(channels)
        self.video_outward = silent(nn.Conv3d(channels, COLOURS, 3, padding="same"))
        self.sound_outward = silent(SoundConv(channels, 1))

    def forward(
        self, video: Tensor, sound: Tensor, time: Tensor, shares: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """Return what is predicted of video (B, 3, T, H, W) and of sound (B, S).

        video may have more colours; time (B,) in [0, 1]; shares: of each step on the way down, in the middle
        and up, in [0, 1), how far the windows of its coupling are moved.
        """
        now = self.time(time_codes(time, self.sizes.width))
        streams = self.video_inward(video), self.sound_inward(sound[:, None])
        left, share = [streams], iter(shares)
        for step in self.down:
            streams = step(*streams, now, next(share))
            left.append(streams)
        for step in self.middle:
            streams = step(*streams, now, next(share))
        for step in self.up:
            joined = (torch.cat(pair, dim=1) for pair in zip(streams, left.pop(), strict=True))
            streams = step(*joined, now, next(share))
        seen = self.video_outward(F.silu(self.video_norm(streams[0])))
        heard = self.sound_outward(F.silu(self.sound_norm(streams[1])))
        return cast(Tensor, seen), cast(Tensor, heard)[:, 0]

    @property
    def steps(self) -> int:
        """How many shares a pass takes."""
        return len(self.down) + len(self.middle) + len(self.up)

    def _build_down(self, channels: int) -> list[int]:
        """Append the steps on the way down; return the channels that each of them, and the start, leaves."""
        left = [channels]
        for level, multiple in enumerate(self.sizes.multiples):
            for _ in range(self.sizes.blocks):
                self.down.append(self._step(channels, multiple, level, len(self.down)))
                channels = self.sizes.width * multiple
                left.append(channels)
            if level < self.sizes.halvings:
                self.down.append(CoupledStep(self._block(channels, channels, len(self.down), size=Down)))
                left.append(channels)
        return left

    def _build_up(self, left: list[int]) -> int:
        """Append the steps on the way up, each after what is `left` of the way down; return the channels."""
        channels, number = left[-1], len(left) - 2
        for level, multiple in reversed(list(enumerate(self.sizes.multiples))):
            for block in range(self.sizes.blocks + 1):
                step = self._step(channels + left.pop(), multiple, level, number)
                channels, number = self.sizes.width * multiple, number - 1
                if level and block == self.sizes.blocks:
                    step.resize = self._block(channels, channels, number, size=Up)
                self.up.append(step)
        return channels

    def _step(self, channels: int, multiple: int, level: int, number: int) -> CoupledStep:
        out = self.sizes.width * multiple
        coupling = self._coupling(out, self.sizes.windows[level - 1]) if level else None
        return CoupledStep(self._block(channels, out, number, level > 0), coupling)

    def _coupling(self, channels: int, window: int | None) -> Coupling:
        return Coupling(channels, max(1, channels // self.sizes.head_channels), window)

    def _block(
        self,
        channels: int,
        out: int,
        number: int,
        attends: bool = False,
        listens: bool = False,
        size: type[nn.Module] = Same,
    ) -> CoupledBlock:
        sizes = self.sizes
        heads = sizes.heads if attends else 0
        return CoupledBlock(channels, out, sizes.width, number, sizes.dropout, heads, listens, size)
