"""What is held out of the motion half's trainings: windows of the dev split, the same ones at each look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from rgx.gesture.data.reading import load_windows
from rgx.gesture.data.windows import Windows, window_starts
from rgx.gesture.types import LANDMARKS, Batch, ClipSpan, MotionSource, MotionTokenizer
from rgx.store.workspace import Inputs
from rgx.train.keeping import Validation

Looked = TypeVar("Looked")
"""What a training is looked at by: batches of its own kind."""
MOST = 128
"""Windows that are looked at: about three steps' worth at a batch of 32, as nothing is learned from them."""
LOSS = "loss"


def load_dev(inputs: Inputs, device: str, source: MotionSource = LANDMARKS) -> Windows | None:
    """Return the windows of the dev split, or None where the corpus has none."""
    spans = [ClipSpan(**span) for span in inputs.about("corpus")["spans"]]
    return load_windows(inputs, "dev", device, source) if len(window_starts(spans, "dev")[0]) else None


def dev_batches(
    inputs: Inputs,
    device: str,
    size: int,
    tokenizer: MotionTokenizer | None = None,
    source: MotionSource = LANDMARKS,
) -> list[Batch]:
    """Return at most MOST windows spread over the dev split, tokenised, all batches equal in size."""
    windows = load_dev(inputs, device, source)
    if windows is None:
        return []
    count = min(MOST, len(windows))
    size = min(size, count)
    index = torch.linspace(0, len(windows) - 1, count // size * size).round().long()
    batches = [windows.batch(part) for part in index.split(size)]
    if tokenizer is None:
        return batches
    return [replace(batch, tokens=tokenizer.window_tokens(batch)) for batch in batches]


def held_out(
    losses: Callable[[Looked], Mapping[str, Tensor]],
    batches: Sequence[Looked],
    score: str = LOSS,
    more: Callable[[], Mapping[str, float]] | None = None,
    higher: bool = False,
) -> Validation | None:
    """Return what is measured over batches: each loss, their sum and `more`; None where there are none."""
    if not batches:
        return None

    def measure() -> dict[str, float]:
        terms = [losses(batch) for batch in batches]
        means = {name: float(sum(float(term[name]) for term in terms)) / len(terms) for name in terms[0]}
        return {LOSS: sum(means.values()), **means, **(more() if more is not None else {})}

    return Validation(measure, score, higher)
