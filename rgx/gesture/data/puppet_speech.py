"""Synthetic speech of the puppets: syllables, stress, and a source-filter voice."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy

from rgx.gesture.types import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

VOWELS_HZ: dict[str, tuple[float, float, float]] = {
    "a": (750, 1250, 2550),
    "ae": (660, 1700, 2450),
    "e": (480, 1950, 2550),
    "er": (480, 1250, 1650),
    "i": (290, 2300, 3050),
    "o": (470, 830, 2450),
    "u": (320, 720, 2250),
}
"""The first three formants of each vowel."""

CONSONANTS: dict[str, tuple[float, float, float, int]] = {
    "s": (4300, 7600, 0.30, 2),
    "sh": (2000, 4600, 0.35, 2),
    "f": (1200, 7000, 0.12, 2),
    "h": (600, 3000, 0.12, 2),
    "t": (3000, 6500, 0.40, 1),
    "k": (1300, 2800, 0.40, 1),
    "p": (300, 1300, 0.35, 1),
}
"""Noise band in Hz, gain, and how many frames it takes before the vowel."""


@dataclass(frozen=True)
class Voice:
    """What makes one puppet sound unlike another."""

    pitch_hz: float
    formant_scale: float
    breath: float
    tempo: float


@dataclass(frozen=True)
class Syllable:
    """One syllable; `onset` is the frame where its vowel starts, its consonant lies just before."""

    onset: int
    frames: int
    consonant: str
    vowel: str
    stressed: bool
    gain: float


@dataclass
class SpokenLine:
    """What a puppet is to say: syllables, the frame each word starts at and its number, and so of phrases."""

    syllables: list[Syllable] = field(default_factory=list)
    word_frames: list[int] = field(default_factory=list)
    word_ids: list[int] = field(default_factory=list)
    phrase_frames: list[int] = field(default_factory=list)
    phrase_ids: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class PuppetSpeech:
    """One clip's speech: waveform (S,), amplitude and roundness (T,), frames of what is in it."""

    waveform: np.ndarray
    amplitude: np.ndarray
    roundness: np.ndarray
    stress_frames: np.ndarray
    word_frames: np.ndarray
    word_ids: np.ndarray
    phrase_frames: np.ndarray
    phrase_ids: np.ndarray

    @property
    def planted(self) -> dict[str, np.ndarray]:
        """What is known of the speech: of phrases only where the world has any."""
        words = {"stress_frames": self.stress_frames, "word_frames": self.word_frames}
        words |= {"word_ids": self.word_ids, "amplitude": self.amplitude}
        phrases = {"phrase_frames": self.phrase_frames, "phrase_ids": self.phrase_ids}
        return words | phrases if len(self.phrase_frames) else words


def voice(speaker: int) -> Voice:
    """Return the voice of a speaker's number. Source: ours."""
    rng = np.random.default_rng([speaker, 11])
    high = speaker % 2
    return Voice(
        pitch_hz=float((105, 190)[high] + 14 * (speaker // 2 % 3) + rng.uniform(-5, 5)),
        formant_scale=float((0.94, 1.08)[high] + 0.03 * (speaker // 2 % 3)),
        breath=float(rng.uniform(0.02, 0.08)),
        tempo=float(rng.uniform(0.92, 1.1)),
    )


def speak(who: Voice, line: SpokenLine, frames: int, rng: np.random.Generator) -> PuppetSpeech:
    """Return a line as speech of T = frames. Source: ours."""
    syllables = line.syllables
    waveform = synthesise(who, syllables, frames, rng)
    power = scipy.ndimage.uniform_filter1d(waveform.astype(np.float64) ** 2, 3 * SAMPLES_PER_FRAME // 2)
    amplitude = np.sqrt(np.maximum(power[::SAMPLES_PER_FRAME], 0))
    roundness = np.zeros(frames)
    for s in syllables:
        roundness[s.onset : s.onset + s.frames] = (1500 - VOWELS_HZ[s.vowel][1]) / 800
    return PuppetSpeech(
        waveform=waveform,
        amplitude=(amplitude / amplitude.max()).astype(np.float32),
        roundness=roundness,
        stress_frames=np.array([s.onset for s in syllables if s.stressed], dtype=np.int64),
        word_frames=np.array(line.word_frames, dtype=np.int64),
        word_ids=np.array(line.word_ids, dtype=np.int64),
        phrase_frames=np.array(line.phrase_frames, dtype=np.int64),
        phrase_ids=np.array(line.phrase_ids, dtype=np.int64),
    )


def pronounce(
    who: Voice, word: tuple[tuple[str, str, bool], ...], start: int, rng: np.random.Generator
) -> list[Syllable]:
    """Return a word of (consonant, vowel, stressed) as syllables from a frame on."""
    spoken = []
    now = start
    for consonant, vowel, stressed in word:
        onset = now + CONSONANTS[consonant][3]
        length = rng.uniform(5, 9) if stressed else rng.uniform(3, 5.5)
        frames = max(3, round(length / who.tempo))
        gain = (1.0 if stressed else 0.45) * rng.uniform(0.85, 1.15)
        spoken.append(Syllable(onset, frames, consonant, vowel, stressed, gain))
        now = onset + frames
    return spoken


def synthesise(who: Voice, syllables: list[Syllable], frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return the waveform (640 T,) of the syllables, float32 in [-1, 1]."""
    total = frames * SAMPLES_PER_FRAME
    breath = rng.standard_normal(total)
    source = _glottis(who, syllables, frames, rng) + who.breath * breath
    out = 1e-4 * rng.standard_normal(total)
    for s in syllables:
        start = s.onset * SAMPLES_PER_FRAME
        stop = start + s.frames * SAMPLES_PER_FRAME
        vowel = _formants(source[start:stop], VOWELS_HZ[s.vowel], who.formant_scale)
        # Loudness is set afterwards: what the resonators let through depends on the vowel.
        vowel *= 0.25 * s.gain / np.sqrt(np.mean(vowel**2))
        out[start:stop] += vowel * _envelope(stop - start, attack_s=0.015, release_s=0.06)
        low, high, gain, lead = CONSONANTS[s.consonant]
        from_ = start - lead * SAMPLES_PER_FRAME
        sos = scipy.signal.butter(2, (low, high), "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
        noise = scipy.signal.sosfilt(sos, breath[from_:start])
        noise *= 0.25 * gain * s.gain / np.sqrt(np.mean(noise**2))
        attack_s, release_s = (0.003, 0.03) if lead == 1 else (0.02, 0.02)
        out[from_:start] += noise * _envelope(start - from_, attack_s, release_s)
    return (out * min(1.0, 0.95 / np.abs(out).max())).astype(np.float32)


def _glottis(who: Voice, syllables: list[Syllable], frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return a sawtooth source (640 T,) whose pitch rises on stress and wanders slowly."""
    times = np.arange(frames) / FPS
    semitones = 0.8 * np.sin(2 * np.pi * (0.2 * times + rng.uniform())) + rng.normal(0, 0.1, frames)
    for s in syllables:
        middle = s.onset + s.frames / 2
        if s.stressed:
            semitones += 3.0 * np.exp(-0.5 * ((times * FPS - middle) / 3) ** 2)
    samples = np.arange(frames * SAMPLES_PER_FRAME) / SAMPLE_RATE_HZ
    pitch_hz = who.pitch_hz * 2 ** (np.interp(samples, times, semitones) / 12)
    phase = np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    return 1 - 2 * (phase % 1.0)


def _formants(source: np.ndarray, formants_hz: tuple[float, float, float], scale: float) -> np.ndarray:
    """Return the source (S,) through a cascade of four resonators."""
    out = source
    for hz, width_hz in zip((*formants_hz, 3600.0), (80, 100, 140, 220), strict=True):
        radius = np.exp(-np.pi * width_hz / SAMPLE_RATE_HZ)
        turn = 2 * np.pi * hz * scale / SAMPLE_RATE_HZ
        # A pair of conjugate poles; their sum as the gain makes the filter 1 at 0 Hz.
        poles = [1.0, -2 * radius * np.cos(turn), radius**2]
        out = scipy.signal.lfilter([sum(poles)], poles, out)
    return out


def _envelope(samples: int, attack_s: float, release_s: float) -> np.ndarray:
    """Return a fade in and out (samples,) with a gentle decay between."""
    at = np.arange(samples)
    rise = np.minimum(1, (at + 1) / (attack_s * SAMPLE_RATE_HZ))
    fall = np.minimum(1, (samples - at) / (release_s * SAMPLE_RATE_HZ))
    return rise * fall * (1 - 0.35 * at / samples)
