"""The pictures of a corpus with their poses: pairs to train on, windows to test on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from rgx.gesture.data.picture_file import PictureFile
from rgx.gesture.data.windows import window_starts
from rgx.gesture.nn.precision import sent
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
    """All pictures of a corpus, decoded when they are asked for.

    frames (T, H, H, 3) uint8 over all clips; pose (T, K, 2) in [−1, 1]; valid (T, K) bool.
    """

    def __init__(
        self, frames: PictureFile, pose: Tensor, valid: Tensor, spans: Sequence[PictureSpan], device: str
    ) -> None:
        self.frames, self.pose, self.valid, self.spans, self.device = frames, pose, valid, spans, device

    @property
    def size_px(self) -> int:
        """The width of a picture."""
        return self.frames.shape[1]

    def pictures(self, index: Tensor) -> Tensor:
        """Return pictures (B, 3, H, H) float32 in [0, 1] on the device."""
        return self.shown(torch.from_numpy(self.frames[index.numpy()]))

    def shown(self, frames: Tensor) -> Tensor:
        """Return frames (B, H, H, 3) uint8 as pictures (B, 3, H, H) float32 in [0, 1] on the device."""
        return sent(frames, self.device).permute(0, 3, 1, 2).float() / 255

    def pairs(self, index: Tensor, frames: Tensor) -> Pairs:
        """Return the pairs of index (2, B), sources first; frames (2 · B, H, H, 3) are their pictures."""
        source, driving = self.shown(frames).chunk(2)
        poses = [sent(self.pose[row], self.device) for row in index]
        valid = [sent(self.valid[row], self.device) for row in index]
        return Pairs(source, driving, *poses, *valid)

    def draw(self, size: int) -> Tensor:
        """Return random pairs (2, B) of frames of training clips: both of one clip, each equally likely."""
        starts, lengths, ends = self._training
        place = torch.randint(int(ends[-1]), (size,))
        clip = torch.searchsorted(ends, place, right=True)
        first = starts[clip] + place - (ends - lengths)[clip]
        second = starts[clip] + (torch.rand(size) * lengths[clip]).long()
        return torch.stack([first, second])

    @cached_property
    def _training(self) -> tuple[Tensor, Tensor, Tensor]:
        """Where each training clip begins, how many frames it has, and how many it and those before have."""
        spans = [span for span in self.spans if span.split == "train"]
        lengths = torch.tensor([span.frames for span in spans])
        return torch.tensor([span.start for span in spans]), lengths, lengths.cumsum(0)

    def clip_of(self, frame: int) -> str:
        """Return the name of the clip that a frame is of."""
        return next(s.name for s in self.spans if s.start <= frame < s.start + s.frames)

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
