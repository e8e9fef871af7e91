"""Motion made anew in spans of a recording, from what is around them and what is said."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from rgx.errors import InputError, nearest
from rgx.gesture.generate.base import Inference, SpanGenerator
from rgx.gesture.generate.noise import Noise
from rgx.gesture.model.gesture_model import GestureModel
from rgx.gesture.skeleton import STREAMS, stream_slice
from rgx.gesture.types import FPS, FRAMES_PER_TOKEN, PREFIX_FRAMES, WINDOW_FRAMES, Batch

AROUND_FRAMES = 16
"""So much of what is around a span its first and last windows see at least, where there is so much."""
MOST_FRAMES = WINDOW_FRAMES - 2 * AROUND_FRAMES
"""So much is made anew in one window."""
SEAM_FRAMES = 8
"""Over so many frames of a span what its tokens miss of the frame beside it is left. Source: reading 141."""


@dataclass(frozen=True)
class EditSpan:
    """Frames [first, last) of a recording."""

    first: int
    last: int


def read_spans(texts: Sequence[str], frames: int) -> list[EditSpan]:
    """Return spans such as 2.0:4.5, in seconds, of a recording of so many frames, in order.

    Raises InputError for what is none, has no length, lies outside of the recording or overlaps another.
    """
    spans = []
    for text in texts:
        times = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", text)
        if times is None:
            raise InputError(f"--span {text}: expected BEGIN:END in seconds, such as 2.0:4.5")
        first, last = (round(float(time) * FPS) for time in times.groups())
        if last <= first:
            raise InputError(f"--span {text}: it ends where it begins, or before: expected BEGIN < END")
        if last > frames:
            raise InputError(f"--span {text}: outside of the video, which ends at {frames / FPS:.2f} s")
        spans.append(EditSpan(first, last))
    spans.sort(key=lambda span: span.first)
    for before, after in pairwise(spans):
        if after.first < before.last:
            raise InputError(f"--span: {_time(before)} and {_time(after)} overlap")
    return spans


def _time(span: EditSpan) -> str:
    return f"{span.first / FPS:g}:{span.last / FPS:g}"


def streams_of(model: GestureModel, part: str | None) -> dict[str, slice]:
    """Return the streams of tokens that hold a part, or all, with where their points lie.

    Raises InputError for a part that is none, and one whose tokens hold more than it.
    """
    if not isinstance(model.generator, SpanGenerator) or model.tokenizer is None:
        kind = model.generator.record["variant"]
        raise InputError(f"{kind} makes windows as a whole: only a generator that fills masked tokens edits")
    if part is not None and part not in STREAMS:
        raise InputError(f"--parts {part}: {nearest(part, STREAMS)}")
    members = model.tokenizer.members
    chosen = {s: m for s, m in members.items() if part is None or part in m}
    if part is not None and any(len(m) > 1 for m in chosen.values()):
        raise InputError(f"--parts {part}: this model's tokens hold {' and '.join(STREAMS)} together")
    places = {s: [stream_slice(member) for member in m] for s, m in chosen.items()}
    return {s: slice(min(p.start for p in own), max(p.stop for p in own)) for s, own in places.items()}


@torch.no_grad()
def edit(
    model: GestureModel, motion: Tensor, valid: Tensor, features: Tensor, spans: Sequence[EditSpan],
    streams: dict[str, slice], speaker: int, seed: int, inference: Inference,
) -> Tensor:  # fmt: skip
    """Return motion (T, K, 2) in shoulder widths that is made anew in spans, and untouched elsewhere.

    valid (T, K); features (T, F) standardised. In a span the tokens of the streams are masked, and all layers
    of the others stay. Source: Sec. 5.5, reading 141.
    """
    frames, normal = len(motion), model.normal
    spare = max(0, WINDOW_FRAMES - frames)
    points, seen, heard = (
        torch.cat([x, x[-1:].expand(spare, *x.shape[1:])])
        for x in (motion.to(normal.motion_mean), valid, features)
    )
    work = (points - normal.motion_mean) / normal.motion_std
    recorded, number = work.clone(), 0
    for span in spans:
        done = span.first
        while done < span.last:
            end = min(span.last, done + MOST_FRAMES)
            start = _start_of(done, end, len(work))
            noise = Noise([(seed, number)])
            batch = _window(work, seen, heard, start, speaker)
            masked = _masked(model, streams, done - start, span.last - start)
            window = model.generator.refill(batch, masked, replace(inference, noise=noise))[0]
            _lay(work, window, recorded, start, EditSpan(done, end), end == span.last, streams)
            done, number = end, number + 1
    edited = motion.clone()
    for span in spans:
        place = slice(span.first, span.last)
        for points_of in streams.values():
            new = work[place, points_of] * normal.motion_std[points_of] + normal.motion_mean[points_of]
            edited[place, points_of] = new.to(motion)
    return edited


def _start_of(done: int, end: int, frames: int) -> int:
    """Return where a window begins that sees as much before as after, its tokens where the span begins."""
    start = done - max(
        AROUND_FRAMES, (WINDOW_FRAMES - (end - done)) // 2 // FRAMES_PER_TOKEN * FRAMES_PER_TOKEN
    )
    return min(max(start, 0), frames - WINDOW_FRAMES)


def _window(work: Tensor, seen: Tensor, heard: Tensor, start: int, speaker: int) -> Batch:
    """Return one window with what is before it; before the recording is its first frame."""
    device = work.device
    place = torch.arange(start, start + WINDOW_FRAMES, device=device)
    before = (start - torch.arange(PREFIX_FRAMES, 0, -1, device=device)).clamp(min=0)
    marks = torch.zeros(1, WINDOW_FRAMES, dtype=torch.bool, device=device)
    who, clip = torch.tensor([speaker], device=device), torch.zeros(1, dtype=torch.long, device=device)
    motion, valid, speech, prefix, known = (
        x[rows][None]
        for x, rows in ((work, place), (seen, place), (heard, place), (work, before), (seen, before))
    )
    return Batch(motion, valid, speech, marks, prefix, known, who, clip, pauses=marks)


def _masked(model: GestureModel, streams: dict[str, slice], first: int, last: int) -> dict[str, Tensor]:
    """Return by stream which tokens (1, N) touch frames [first, last) of a window."""
    token = torch.arange(WINDOW_FRAMES // FRAMES_PER_TOKEN, device=model.device)
    touched = (token >= first // FRAMES_PER_TOKEN) & (token < math.ceil(last / FRAMES_PER_TOKEN))
    assert model.tokenizer is not None
    return {s: (touched & (s in streams))[None] for s in model.tokenizer.members}


def _lay(
    work: Tensor,
    window: Tensor,
    recorded: Tensor,
    start: int,
    span: EditSpan,
    ends: bool,
    streams: dict[str, slice],
) -> None:
    """Put frames of a window in their place, in line with the frame before them and, where it ends, after."""
    own = slice(span.first - start, span.last - start)
    length = span.last - span.first
    fade = 1 - torch.arange(1, length + 1, device=work.device) / (SEAM_FRAMES + 1)
    fade = fade.clamp(min=0)[:, None, None]
    for points in streams.values():
        new = window[own, points].clone()
        if span.first > start:
            new += fade * (work[span.first - 1, points] - window[own.start - 1, points])
        if ends and own.stop < len(window):
            new += fade.flip(0) * (recorded[span.last, points] - window[own.stop, points])
        work[span.first : span.last, points] = new
