"""Windows of a corpus as small pictures with the sound that is heard, read when they are asked for."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from rgx.gesture.data.picture_pairs import Pictures
from rgx.gesture.data.windows import window_starts
from rgx.gesture.nn.precision import sent
from rgx.gesture.types import SAMPLES_PER_FRAME, WINDOW_FRAMES, PixelBatch

WINDOW_SAMPLES = WINDOW_FRAMES * SAMPLES_PER_FRAME


def sound_from(waveform: Tensor, starts: Tensor) -> Tensor:
    """Return the sound (B, S) of windows of 80 frames, by their first frame (B,), of a waveform at 16 kHz."""
    return waveform[starts[:, None] * SAMPLES_PER_FRAME + torch.arange(WINDOW_SAMPLES)]


def shrink(pictures: Tensor, size_px: int) -> Tensor:
    """Return pictures (B, 3, H, H) in [0, 1] as small ones in [−1, 1]: means over what becomes one pixel."""
    return 2 * F.interpolate(pictures, size=(size_px, size_px), mode="area") - 1


class PixelWindows:
    """All windows of one split, as pictures `size_px` wide, of every `every` frames the last.

    So they are evenly spaced from the source picture on, which is the frame before a window. waveform (S,):
    that of all clips.
    """

    def __init__(self, pictures: Pictures, waveform: Tensor, split: str, size_px: int, every: int) -> None:
        self.pictures, self.waveform, self.size_px, self.every = pictures, waveform, size_px, every
        self.starts, _, _ = window_starts(pictures.spans, split)

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, index: Tensor) -> PixelBatch:
        """Return the windows at `index` (B,)."""
        starts = self.starts[index]
        frames = starts[:, None] + torch.arange(self.every - 1, WINDOW_FRAMES, self.every)
        small = shrink(self.pictures.pictures(frames.flatten()), self.size_px)
        video = small.unflatten(0, frames.shape).transpose(1, 2)
        return PixelBatch(video, *self.given(starts))

    def draw(self, size: int) -> PixelBatch:
        """Return `size` random windows."""
        return self.batch(torch.randint(len(self), (size,)))

    def given(self, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is known beforehand of windows by their first frame (B,): source picture and sound."""
        source = shrink(self.pictures.pictures(starts - 1), self.size_px)
        return source, sent(sound_from(self.waveform, starts), self.pictures.device)

    def spread(self, most: int) -> Tensor:
        """Return the numbers of at most so many windows, spread over the split."""
        count = min(most, len(self))
        return torch.linspace(0, max(0, len(self) - 1), count).round().long()
