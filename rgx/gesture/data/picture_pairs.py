"""The pictures of a corpus with their poses: pairs to train on, windows to test on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rgx.gesture.data.windows import window_starts
from rgx.gesture.types import WINDOW_FRAMES, ClipSpan, Pairs


@dataclass(frozen=True)
class PictureSpan:
    """Where a clip's pictures lie, and how a motion in shoulder widths is placed in them."""

    name: str
    speaker: int
    split: str
    start: int
    frames: int
    origin: tuple[float, float]
    scale: float

    def place(self, motion: Tensor) -> Tensor:
        """Return motion (T, K, 2) in shoulder widths as poses in [−1, 1]."""
        return motion * self.scale + torch.tensor(self.origin, dtype=motion.dtype)


def picture_span(span: ClipSpan, frame_px: float) -> PictureSpan:
    """Return a clip's span for pictures made from frames `frame_px` wide."""
    half = frame_px / 2
    origin = (span.origin_px[0] / half - 1, span.origin_px[1] / half - 1)
    return PictureSpan(
        span.name, span.speaker, span.split, span.start, span.frames, origin, span.scale_px / half
    )


class Pictures:
    """All pictures of a corpus, mapped from disk and never read whole.

    frames (T, H, H, 3) uint8 over all clips; pose (T, K, 2) in [−1, 1]; valid (T, K) bool.
    """

    def __init__(
        self, path: Path, pose: Tensor, valid: Tensor, spans: Sequence[PictureSpan], device: str
    ) -> None:
        self.frames = np.load(path, mmap_mode="r")
        self.pose, self.valid, self.spans, self.device = pose, valid, spans, device

    @property
    def size_px(self) -> int:
        """The width of a picture."""
        return int(self.frames.shape[1])

    def pictures(self, index: Tensor) -> Tensor:
        """Return pictures (B, 3, H, H) float32 in [0, 1] on the device."""
        frames = torch.from_numpy(self.frames[index.cpu().numpy()])
        return frames.to(self.device).permute(0, 3, 1, 2).float() / 255

    def pairs(self, source: Tensor, driving: Tensor) -> Pairs:
        """Return the pairs of frames source (B,) and driving (B,)."""
        both = [
            (self.pictures(index), *(x[index].to(self.device) for x in (self.pose, self.valid)))
            for index in (source, driving)
        ]
        (first, first_pose, first_valid), (second, second_pose, second_valid) = both
        return Pairs(first, second, first_pose, second_pose, first_valid, second_valid)

    def draw(self, size: int, split: str = "train") -> Pairs:
        """Return random pairs, both frames of a pair from the same clip, every frame equally likely."""
        spans = [span for span in self.spans if span.split == split]
        lengths = torch.tensor([span.frames for span in spans])
        starts = torch.tensor([span.start for span in spans])
        ends = lengths.cumsum(0)
        place = torch.randint(int(ends[-1]), (size,))
        clip = torch.searchsorted(ends, place, right=True)
        first = starts[clip] + place - (ends - lengths)[clip]
        second = starts[clip] + (torch.rand(size) * lengths[clip]).long()
        return self.pairs(first, second)

    def windows(self, split: str, per_clip: int) -> list[tuple[int, PictureSpan, int]]:
        """Return up to `per_clip` windows of each clip that do not overlap: (number, span, first frame).

        The number counts all windows of the split as `window_starts` does, to find a window's motion.
        """
        starts, clips, _ = window_starts(self.spans, split)
        windows: list[tuple[int, PictureSpan, int]] = []
        for number, (start, clip) in enumerate(zip(starts.tolist(), clips.tolist(), strict=True)):
            span = self.spans[clip]
            offset = start - span.start - 1
            if offset % WINDOW_FRAMES == 0 and offset // WINDOW_FRAMES < per_clip:
                windows.append((number, span, start))
        return windows
