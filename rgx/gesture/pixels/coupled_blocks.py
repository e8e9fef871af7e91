"""The blocks of the coupled U-Net: the same change of two streams, video and sound, at one time of the noise.

Source: MM-Diffusion, from a description of its structure.
"""

from __future__ import annotations

from typing import cast

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.pixels.coupling import Coupling, SelfAttention, norm, silent

VIDEO_STRIDE, SOUND_STRIDE = (1, 2, 2), 4
"""From a level to the next one: video keeps its frames, so sound keeps as many slots of as many frames."""
DILATIONS = 10
"""After so many blocks the dilation of the sound's convolutions, 2, 4, 8, …, begins again at 1."""


class VideoConv(nn.Module):
    """A 3 × 3 convolution in each picture, then one of three frames at each place."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.space = nn.Conv3d(channels, out, (1, 3, 3), padding="same")
        self.time = nn.Conv2d(out, out, (3, 1), padding="same")

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, T, H, W)."""
        picture: Tensor = self.space(x)
        return cast(Tensor, self.time(picture.flatten(3))).view_as(picture)


class SoundConv(nn.Conv1d):
    """A convolution of three samples that lie `dilation` apart."""

    def __init__(self, channels: int, out: int, dilation: int = 1) -> None:
        super().__init__(channels, out, 3, padding="same", dilation=dilation)


def dilation(block: int) -> int:
    """Return the dilation of a block's sound, counted from the first block of the network."""
    return int(2 ** ((block + 1) % DILATIONS))


class Same(nn.Identity):
    """Leaves the size of a stream as it is."""


class Down(nn.Module):
    """Makes a stream smaller: the mean of what becomes one place."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, T, H / 2, W / 2) or (B, C, S / 4)."""
        return F.avg_pool3d(x, VIDEO_STRIDE) if x.dim() == 5 else F.avg_pool1d(x, SOUND_STRIDE)


class Up(nn.Module):
    """Makes a stream larger: each place repeated."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, T, 2 H, 2 W) or (B, C, 4 S)."""
        return F.interpolate(x, scale_factor=VIDEO_STRIDE if x.dim() == 5 else SOUND_STRIDE)


class Half(nn.Module):
    """One stream's part of a block; `inward` is its convolution."""

    def __init__(self, channels: int, out: int, inward: nn.Module, size: nn.Module, dropout: float) -> None:
        super().__init__()
        self.norm_in, self.inward, self.size = norm(channels), inward, size
        self.norm_out, self.dropout = norm(out), nn.Dropout(dropout)
        self.outward = silent(nn.Conv1d(out, out, 1))
        self.skip = nn.Identity() if out == channels else nn.Conv1d(channels, out, 1)

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Return the stream (B, C, …), its features scaled and shifted (B, C)."""
        hidden = self.size(self.inward(F.silu(self.norm_in(x))))
        scale, shift = (each.view(*each.shape, *[1] * (x.dim() - 2)) for each in (scale, shift))
        hidden = F.silu(self.norm_out(hidden) * (1 + scale) + shift)
        added = self.skip(self.size(x).flatten(2)) + self.outward(self.dropout(hidden).flatten(2))
        return cast(Tensor, added.view_as(hidden))


class CoupledBlock(nn.Module):
    """A residual block of both streams, told the time, after which places may read each other.

    heads: of attention within pictures, then over time; 0 for none. listens: whether sound attends as well.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        width: int,
        number: int,
        dropout: float,
        heads: int = 0,
        listens: bool = False,
        size: type[nn.Module] = Same,
    ) -> None:
        super().__init__()
        self.time = nn.Linear(width, 2 * out)
        self.video = Half(channels, out, VideoConv(channels, out), size(), dropout)
        self.sound = Half(channels, out, SoundConv(channels, out, dilation(number)), size(), dropout)
        self.in_space = SelfAttention(out, heads) if heads else None
        self.over_time = SelfAttention(out, heads) if heads else None
        self.listen = SelfAttention(out, heads) if listens else None

    def forward(self, video: Tensor, sound: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return both streams; time (B, D)."""
        scale, shift = self.time(F.silu(time)).chunk(2, dim=1)
        video, sound = self.video(video, scale, shift), self.sound(sound, scale, shift)
        if self.in_space is not None and self.over_time is not None:
            count, _, frames, height, _ = video.shape
            pictures = self.in_space(rearrange(video, "b c t h w -> (b t) c (h w)"))
            places = rearrange(pictures, "(b t) c n -> (b n) c t", t=frames)
            video = rearrange(self.over_time(places), "(b h w) c t -> b c t h w", b=count, h=height)
        return video, sound if self.listen is None else self.listen(sound)


class CoupledStep(nn.Module):
    """A block, what its streams then read of each other, and a block that changes their size; not all."""

    def __init__(
        self, block: CoupledBlock, coupling: Coupling | None = None, resize: CoupledBlock | None = None
    ) -> None:
        super().__init__()
        self.block, self.coupling, self.resize = block, coupling, resize

    def forward(self, video: Tensor, sound: Tensor, time: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """Return both streams; share: in [0, 1), how far the windows of the coupling are moved."""
        video, sound = self.block(video, sound, time)
        if self.coupling is not None:
            video, sound = self.coupling(video, sound, share)
        return (video, sound) if self.resize is None else self.resize(video, sound, time)
