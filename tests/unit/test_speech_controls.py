"""Controls of what speech says: rhythm without sounds, and sounds in other places."""

from __future__ import annotations

import numpy as np
import pytest

from rgx.gesture.speech.beats import mel_power
from rgx.gesture.speech.envelope_only import EnvelopeOnly
from rgx.gesture.speech.mel_beat import MelBeat
from rgx.gesture.speech.phoneme_permuted import PhonemePermuted, permuted
from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

FRAMES, EVERY = 400, 8
PITCHES_HZ = (300.0, 900.0, 2700.0)


def syllables(pitches: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return a burst every 8 frames, of one of three tones and of a random loudness of its own."""
    gains = np.random.default_rng(seed).uniform(0.3, 1.0, len(pitches))
    samples = np.arange(EVERY * SAMPLES_PER_FRAME)
    fade = np.exp(-samples / (2.0 * SAMPLES_PER_FRAME))
    bursts = [
        gain * fade * np.sin(2 * np.pi * PITCHES_HZ[p] * samples / SAMPLE_RATE_HZ)
        for p, gain in zip(pitches, gains, strict=True)
    ]
    hiss = 1e-3 * np.random.default_rng(seed).standard_normal(FRAMES * SAMPLES_PER_FRAME)
    return (0.3 * np.concatenate(bursts) + hiss).astype(np.float32)


def drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 3, FRAMES // EVERY)


def level_of(bands: np.ndarray) -> np.ndarray:
    """Return the level (T,) in dB below the loudest frame of log-mel bands (T, M) in [-1, 1]."""
    level = 10 * np.log10((10 ** (4 * (bands.astype(float) - 1))).sum(axis=1))
    return level - level.max()


def test_the_envelope_is_the_same_whatever_is_said():
    one, two = (syllables(drawn(seed)) for seed in (1, 2))
    made = [EnvelopeOnly().features(track, FRAMES) for track in (one, two)]
    whole = [MelBeat().features(track, FRAMES) for track in (one, two)]
    assert made[0].shape == (FRAMES, 3)
    assert np.corrcoef(made[0][:, 0], made[1][:, 0])[0, 1] > 0.98
    assert np.corrcoef(whole[0][:, :-2].ravel(), whole[1][:, :-2].ravel())[0, 1] < 0.8
    np.testing.assert_array_equal(made[0][:, 1:], whole[0][:, -2:])


def test_twice_as_loud_is_six_decibels_and_silence_is_the_bottom():
    track = np.repeat([0.2, 0.1, 0.0], 10 * SAMPLES_PER_FRAME).astype(np.float32)
    level = EnvelopeOnly().features(track, 30)[:, 0]
    np.testing.assert_allclose(level[[5, 15, 25]], [1.0, 1 - 2 * 6.0206 / 80, -1.0], atol=1e-5)


@pytest.fixture(scope="module")
def before_and_after() -> tuple[np.ndarray, np.ndarray]:
    track = syllables(drawn(1))
    return MelBeat().features(track, FRAMES), PhonemePermuted().features(track, FRAMES)


def test_permuted_phonemes_keep_the_rhythm(before_and_after):
    before, after = before_and_after
    np.testing.assert_array_equal(after[:, -2:], before[:, -2:])
    # What lies 80 dB down and more is cut off of both, before and after.
    np.testing.assert_allclose(level_of(after[:, :-2]), level_of(before[:, :-2]), atol=0.2)


def test_permuted_phonemes_are_said_elsewhere(before_and_after):
    before, after = before_and_after
    bands = np.array([np.argmax(mel_power(syllables(np.full(50, p)), FRAMES, 128).sum(1)) for p in range(3)])
    said = [np.abs(x[4::EVERY, :-2].argmax(axis=1)[:, None] - bands).argmin(axis=1) for x in (before, after)]
    assert (said[0] == drawn(1)).mean() > 0.95, "the original says which tone sounds"
    assert 0.15 < (said[1] == drawn(1)).mean() < 0.55, "chance is a third"
    assert np.abs(np.bincount(said[0], minlength=3) - np.bincount(said[1], minlength=3)).max() <= 3


def test_permuting_by_hand():
    # Three segments; where each finds its spectrum is one of two circles, and levels stay.
    power = np.array([[4.0, 0.0], [2.0, 0.0], [0.0, 4.0], [1.0, 1.0], [1.0, 1.0]])
    onsets = np.array([False, False, True, True, False])
    new = permuted(power, onsets, np.random.default_rng(0))
    np.testing.assert_allclose(new.sum(1), [4, 2, 4, 2, 2])
    spectra = [tuple(row) for row in new / new.sum(1, keepdims=True)]
    assert spectra in (
        [(0.0, 1.0), (0.0, 1.0), (0.5, 0.5), (1.0, 0.0), (1.0, 0.0)],
        [(0.5, 0.5), (0.5, 0.5), (1.0, 0.0), (0.0, 1.0), (0.0, 1.0)],
    )


def test_no_segment_keeps_its_own_sound_and_each_is_used_once():
    power = np.eye(30) * np.linspace(1, 9, 30)[:, None]
    new = permuted(power, np.ones(30, bool), np.random.default_rng(3))
    assert sorted(new.argmax(1)) == list(range(30)) and (new.argmax(1) != np.arange(30)).all()
    moved = np.abs(new.argmax(1) - np.arange(30))
    assert moved.max() < 16, "sounds move between segments of like level"


def test_a_clip_is_always_permuted_alike_and_another_one_otherwise(before_and_after):
    track = syllables(drawn(1))
    np.testing.assert_array_equal(PhonemePermuted().features(track, FRAMES), before_and_after[1])
    louder = PhonemePermuted().features(track * 0.5, FRAMES)
    assert not np.allclose(louder, before_and_after[1], atol=0.1)


def test_where_there_is_one_segment_nothing_changes():
    power = np.random.default_rng(0).random((40, 16))
    for onsets in (np.zeros(40, bool), np.arange(40) == 0):
        np.testing.assert_allclose(permuted(power, onsets, np.random.default_rng(0)), power)
    silence = np.zeros(40 * SAMPLES_PER_FRAME, np.float32)
    np.testing.assert_array_equal(PhonemePermuted().features(silence, 40), MelBeat().features(silence, 40))
    assert PhonemePermuted().features(silence[:0], 0).shape == (0, 130)
