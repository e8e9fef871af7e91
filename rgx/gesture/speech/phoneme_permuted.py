"""Speech with the rhythm it has and the sounds of other places of the same clip."""

from __future__ import annotations

import zlib

import numpy as np

from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.beats import mel_power, onset_envelope, onsets_of
from rgx.gesture.speech.mel_beat import below_peak, checked_mels, rhythm
from rgx.registry import register

ALIKE = 8
"""Segments exchange their sounds among so many of the most similar level, up to twice as many at the ends."""


@register("speech", "phoneme_permuted", label="Phonemes permuted", source="ours, reading 73")
class PhonemePermuted(Speech):
    """`mel_beat` whose spectra have changed places, F = mels + 2; raises InputError for an unusable `mels`.

    Between two onsets lies a segment, about a syllable; each takes the spectra of another one of like level,
    stretched to its length, and keeps the level of each frame, onsets and beats. The same clip is always
    permuted alike; one with fewer than two segments stays as it is. Source: ours, reading 73.
    """

    def __init__(self, mels: int = 128) -> None:
        self.mels = checked_mels("speech.phoneme_permuted", mels)

    @property
    def width(self) -> int:
        return self.mels + 2

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        envelope = onset_envelope(waveform, frames)
        power = mel_power(waveform, frames, self.mels).T
        order = np.random.default_rng(zlib.crc32(np.ascontiguousarray(waveform).tobytes()))
        bands = below_peak(permuted(power, onsets_of(envelope), order))
        return np.concatenate([bands, rhythm(envelope)], axis=1, dtype=np.float32)


def permuted(power: np.ndarray, onsets: np.ndarray, order: np.random.Generator) -> np.ndarray:
    """Return power (T, M) whose segments between onsets (T,) keep their levels and exchange their spectra."""
    frames, bands = power.shape
    level = power.sum(axis=1, keepdims=True)
    # Digital silence has no spectrum; any will do, but it must sum to one.
    spectra = np.divide(power, level, out=np.full_like(power, 1 / bands), where=level > 0)
    bounds = np.unique([0, *np.flatnonzero(onsets), frames])
    starts, lengths = bounds[:-1], np.diff(bounds)
    sources = _others([float(level[s : s + n].mean()) for s, n in zip(starts, lengths, strict=True)], order)
    places = [
        starts[source] + np.arange(length) * lengths[source] // length
        for source, length in zip(sources, lengths, strict=True)
    ]
    return level * spectra[np.concatenate([np.zeros(0, int), *places])]


def _others(levels: list[float], order: np.random.Generator) -> np.ndarray:
    """Return for each segment another one of like level, each once; a single one has none but itself."""
    others = np.zeros(len(levels), int)
    for alike in np.array_split(np.argsort(levels, kind="stable"), max(1, len(levels) // ALIKE)):
        # Along a random circle, so that none stays where it is.
        circle = order.permutation(alike)
        others[circle] = np.roll(circle, 1)
    return others
