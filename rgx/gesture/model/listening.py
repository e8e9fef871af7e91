"""Speech of any length as the features of windows that follow one another, a few seconds held at a time."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import numpy as np
import torch
from torch import Tensor

from rgx.gesture.model.fading import OVERLAP_FRAMES
from rgx.gesture.model.sound_blocks import Sound
from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.chunks import chunks
from rgx.gesture.types import SAMPLES_PER_FRAME, WINDOW_FRAMES

CORE_FRAMES, AROUND_FRAMES = 400, 50
"""Features are those of 16 s and 2 s on either side: about the length of clips that models are trained on."""
QUIET = 10 ** (-50 / 20)
"""A chunk no louder than this beside the loudest of its file is silent, though it may hiss."""
STEP_FRAMES = WINDOW_FRAMES - OVERLAP_FRAMES


def window_features(sound: Sound, speech: Speech, mean: Tensor, std: Tensor) -> Iterator[Tensor]:
    """Yield the standardised features (1, 80, F) of windows, each of which begins in the one before.

    Silence follows the speech until the last window is whole.
    """
    heard = mean.new_zeros(0, len(mean))
    for features in hear(sound, speech, padded_frames(sound.frames), mean, std):
        heard = torch.cat([heard, features])
        while len(heard) >= WINDOW_FRAMES:
            yield heard[None, :WINDOW_FRAMES]
            heard = heard[STEP_FRAMES:]


def padded_frames(frames: int) -> int:
    """Return how many frames the windows have that cover so many frames of speech."""
    return WINDOW_FRAMES + STEP_FRAMES * ceil(max(0, frames - WINDOW_FRAMES) / STEP_FRAMES)


def hear(sound: Sound, speech: Speech, frames: int, mean: Tensor, std: Tensor) -> Iterator[Tensor]:
    """Yield the standardised features (N, F) of every frame once, each chunk of them normalised by itself.

    frames: how many, those beyond the speech silent. Source: reading 140.
    """
    blocks = sound.blocks()
    buffer, at = np.zeros(0, np.float32), 0
    for chunk in chunks(frames, CORE_FRAMES, AROUND_FRAMES):
        begin, end = chunk.start * SAMPLES_PER_FRAME, (chunk.start + chunk.length) * SAMPLES_PER_FRAME
        pieces = [buffer[begin - at :]]
        missing = end - begin - len(pieces[0])
        while missing > 0:
            block = next(blocks, None)
            pieces.append(np.zeros(missing, np.float32) if block is None else block)
            missing -= len(pieces[-1])
        buffer, at = np.concatenate(pieces), begin
        waveform = buffer[: end - begin]
        if np.abs(waveform).max(initial=0.0) < QUIET * sound.peak:
            waveform = np.zeros_like(waveform)
        features = speech.features(waveform, chunk.length)
        rows = features[chunk.first - chunk.start : chunk.last - chunk.start]
        yield (torch.from_numpy(rows).to(mean) - mean) / std
