"""Onsets and beats of speech at the motion's 25 frames per second."""

from __future__ import annotations

import numpy as np

from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

# 64 ms: the shortest power of two that leaves no gap between frames 40 ms apart.
FFT_SAMPLES = 1024


def fitted(waveform: np.ndarray, samples: int) -> np.ndarray:
    """Return the waveform (S,) as float32, cut or padded with silence to (samples,)."""
    part = np.asarray(waveform, np.float32).reshape(-1)[:samples]
    return np.pad(part, (0, samples - len(part)))


def mel_power(waveform: np.ndarray, frames: int, mels: int) -> np.ndarray:
    """Return the mel power spectrogram (mels, T) of a waveform (S,); frame t is centred on sample 640 t."""
    import librosa

    # One FFT of trailing silence keeps clips shorter than an FFT usable; it is cut off again.
    padded = fitted(fitted(waveform, frames * SAMPLES_PER_FRAME), frames * SAMPLES_PER_FRAME + FFT_SAMPLES)
    power = librosa.feature.melspectrogram(
        y=padded, sr=SAMPLE_RATE_HZ, n_fft=FFT_SAMPLES, hop_length=SAMPLES_PER_FRAME, n_mels=mels
    )
    return power[:, :frames]


def onset_envelope(waveform: np.ndarray, frames: int) -> np.ndarray:
    """Return the onset strength (T,) float32, in mean dB of rise a frame, of a waveform (S,) at 16 kHz."""
    import librosa

    if frames == 0:
        return np.zeros(0, np.float32)
    return rise(librosa.power_to_db(mel_power(waveform, frames, 128)))


def rise(decibels: np.ndarray) -> np.ndarray:
    """Return the onset strength (T,) float32, in mean dB of rise a frame, of mel bands (mels, T) in dB."""
    import librosa

    strength = librosa.onset.onset_strength(
        S=decibels, sr=SAMPLE_RATE_HZ, n_fft=FFT_SAMPLES, hop_length=SAMPLES_PER_FRAME
    )
    return fitted(strength, decibels.shape[1])


def beats_of(envelope: np.ndarray) -> np.ndarray:
    """Return (T,) bool, true on the beats of an onset envelope (T,) at 25 Hz."""
    import librosa

    if not envelope.any():
        return np.zeros(len(envelope), bool)
    _, beats = librosa.beat.beat_track(
        onset_envelope=envelope, sr=SAMPLE_RATE_HZ, hop_length=SAMPLES_PER_FRAME
    )
    return one_hot(beats, len(envelope))


def onsets_of(envelope: np.ndarray) -> np.ndarray:
    """Return (T,) bool, true on the local maxima of an onset envelope (T,) that stand out by 7 %."""
    import librosa

    if not envelope.any():
        return np.zeros(len(envelope), bool)
    # librosa's default neighbourhood (30 ms) is under one frame: whole runs of frames would be peaks.
    onsets = librosa.onset.onset_detect(
        onset_envelope=envelope,
        sr=SAMPLE_RATE_HZ,
        hop_length=SAMPLES_PER_FRAME,
        pre_max=1,
        post_max=2,
        wait=1,
    )
    return one_hot(onsets, len(envelope))


def one_hot(indices: np.ndarray, frames: int) -> np.ndarray:
    """Return (T,) bool, true at the indices that lie inside the clip."""
    marks = np.zeros(frames, bool)
    indices = np.asarray(indices, int)
    marks[indices[(indices >= 0) & (indices < frames)]] = True
    return marks
