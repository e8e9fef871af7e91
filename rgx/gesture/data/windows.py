"""Windows of 3.2 s over a corpus held in memory on the training device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from rgx.gesture.nn.precision import sent
from rgx.gesture.types import (
    PREFIX_FRAMES,
    WINDOW_FRAMES,
    WINDOW_STRIDE_FRAMES,
    Batch,
    ClipSpan,
    MotionTokenizer,
)


class Span(Protocol):
    """What windows need to know of a clip."""

    @property
    def start(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def speaker(self) -> int: ...
    @property
    def split(self) -> str: ...


def window_starts(spans: Sequence[Span], split: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return each window's first frame, clip and speaker (W,); the frame before it is its source frame.

    Source: reading 2.
    """
    rows = [
        (span.start + 1 + offset, clip, span.speaker)
        for clip, span in enumerate(spans)
        if span.split == split
        # From the second frame on: the first is the source frame of the first window.
        for offset in range(0, span.frames - WINDOW_FRAMES, WINDOW_STRIDE_FRAMES)
    ]
    starts, clips, speakers = torch.tensor(rows, dtype=torch.long).reshape(-1, 3).unbind(dim=1)
    return starts, clips, speakers


class Windows:
    """All windows of one split; batches are gathered on the device, no per-item loader.

    motion (T, K, 2) standardised, valid (T, K), speech (T, F), beats and pauses (T,) over all clips' frames.
    """

    def __init__(
        self,
        spans: Sequence[ClipSpan],
        split: str,
        motion: Tensor,
        valid: Tensor,
        speech: Tensor,
        beats: Tensor,
        pauses: Tensor | None = None,
    ) -> None:
        self.starts, self.clips, self.speakers = window_starts(spans, split)
        self.motion, self.valid, self.speech, self.beats = motion, valid, speech, beats
        self.pauses = pauses
        # Chosen by on the CPU, gathered by on the device.
        clip_starts = torch.tensor([span.start for span in spans], dtype=torch.long)[self.clips]
        self._facts = torch.stack([self.starts, self.clips, self.speakers, clip_starts], dim=1).to(
            motion.device
        )
        by_clip = [torch.nonzero(self.clips == c)[:, 0] for c in self.clips.unique()]
        self._by_clip = by_clip
        self.tokens: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self.starts)

    def batch(self, index: Tensor, still: Tensor | None = None) -> Batch:
        """Return the windows at `index` (B,).

        still (B,) bool: whose prefix is the source frame repeated, as where only a picture is known; all,
        unless given. What would lie before a clip is its first frame. Source: reading 23.
        """
        device = self.motion.device
        still = torch.ones(len(index), dtype=torch.bool) if still is None else still
        index, still = sent(index, device), sent(still, device)
        starts, clips, speakers, clip_starts = self._facts[index].unbind(dim=1)
        frames = starts[:, None] + torch.arange(WINDOW_FRAMES, device=device)
        source = starts[:, None] - 1
        before = source - torch.arange(PREFIX_FRAMES - 1, -1, -1, device=device)
        before = torch.where(still[:, None], source, before.maximum(clip_starts[:, None]))
        return Batch(
            motion=self.motion[frames],
            valid=self.valid[frames],
            speech=self.speech[frames],
            beats=self.beats[frames],
            prefix=self.motion[before],
            prefix_valid=self.valid[before],
            speaker=speakers,
            clip=clips,
            tokens={s: t[still.long(), index].long() for s, t in self.tokens.items()},
            pauses=None if self.pauses is None else self.pauses[frames],
        )

    def tokenise(self, tokenizer: MotionTokenizer, size: int = 256) -> None:
        """Look up the tokens of all windows now, `size` at a time, instead of each time one is drawn."""
        both = []
        for still in (False, True):
            batches = (self.batch(i, torch.full(i.shape, still)) for i in self.chunks(size))
            both.append([tokenizer.window_tokens(batch) for batch in batches])
        # A code is at most a few thousand, and there is one a window, place and layer: half the memory.
        self.tokens = {
            s: torch.stack([torch.cat([piece[s].int() for piece in pieces]) for pieces in both])
            for s in both[0][0]
        }

    def draw(self, size: int, still_share: float = 1.0) -> Batch:
        """Return `size` random windows, that share of them with a still prefix."""
        index = torch.randint(len(self), (size,))
        return self.batch(index, torch.rand(size) < still_share)

    def draw_apart(self, size: int, apart_frames: int = 0) -> Batch:
        """Return at most `size` random windows, one of each clip.

        Where clips are too few for that, more of theirs follow which begin at least `apart_frames` from every
        other of their clip; none with 0. Overlapping ones would be false negatives. Source: reading 13.
        """
        chosen = torch.randperm(len(self._by_clip))[:size]
        index = torch.stack([w[torch.randint(len(w), ())] for w in (self._by_clip[c] for c in chosen)])
        if apart_frames and len(index) < size:
            index = torch.cat([index, self._more_apart(index, size - len(index), apart_frames)])
        return self.batch(index)

    def _more_apart(self, index: Tensor, count: int, apart_frames: int) -> Tensor:
        """Return up to `count` random windows that begin so far from those at `index` and from each other."""
        free = torch.ones(len(self), dtype=torch.bool)
        more: list[Tensor] = []

        def take(window: Tensor) -> None:
            near = (self.starts - self.starts[window]).abs() < apart_frames
            free[near & (self.clips == self.clips[window])] = False

        for window in index:
            take(window)
        while len(more) < count and free.any():
            places = free.nonzero()[:, 0]
            more.append(places[torch.randint(len(places), ())])
            take(more[-1])
        return torch.stack(more) if more else index[:0]

    def chunks(self, size: int) -> list[Tensor]:
        """Return the indices of all windows in order, `size` at a time."""
        return list(torch.arange(len(self)).split(size))
