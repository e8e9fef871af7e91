"""WavLM's last hidden layer beside mel and beats: the paper's speech features."""

from __future__ import annotations

import hashlib
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from rgx.errors import InputError, install_hint
from rgx.gesture.nn.weights import UNREADABLE, fingerprint_of
from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.batches import batch_by_length
from rgx.gesture.speech.beats import fitted
from rgx.gesture.speech.chunks import Chunk, chunks
from rgx.gesture.speech.mel_beat import checked_mels, mel_beat_features
from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from rgx.registry import Outside, Place, register

WAVLM_LARGE = Outside(
    "WavLM-Large",
    "a folder of config.json and *.safetensors or pytorch_model.bin",
    "https://huggingface.co/microsoft/wavlm-large",
    "CC BY-SA 3.0, as https://github.com/microsoft/UniSpeech has it",
    "1.26 GB",
)

STEP_SAMPLES = 320
RATE_HZ = SAMPLE_RATE_HZ // STEP_SAMPLES
# One step of WavLM's convolutions sees 400 samples: 80 beyond its own 320.
REACH_SAMPLES = 80


@dataclass(frozen=True)
class Reading:
    """How a kind of device reads: so many seconds of sound in a batch, in arithmetic of so many bits."""

    seconds: float
    bits: int


READINGS = {"cuda": Reading(96.0, 16), "cpu": Reading(0.0, 32)}
"""A GPU gains from both; a processor from neither."""
BATCHES_TOGETHER = 4
"""Clips of so many batches are sorted by length, so that little of a batch is padding."""


@register("speech", "wavlm", label="WavLM + mel + beat", source="Sec. 4.1")
class WavLM(Speech):
    """WavLM's last hidden layer at 25 Hz, log-mel, onset and beats, F = features_width + mels + 2.

    model: hub name or local folder; chunk_s: a long clip is read so many seconds at a time, with overlap_s
    more on either side, so that memory does not grow with the clip. Raises InputError for unusable values.
    """

    # Overlap, measured with random weights, clips of 60 s: where attention fades by a factor e in half a
    # second the worst row at a seam is off by 28 % of the standard deviation with none, 3 % with 1 s, 0.07 %
    # with 2 s, nothing in float32 with 4 s. Attention that never fades differs by what lies outside the
    # chunk, alike in every row; more overlap hardly changes that.

    def __init__(
        self,
        model: Annotated[Place, WAVLM_LARGE] = "microsoft/wavlm-large",
        features_width: int = 1024,
        mels: int = 128,
        chunk_s: float = 20.0,
        overlap_s: float = 2.0,
    ) -> None:
        for name, value in (("features_width", features_width), ("chunk_s", chunk_s)):
            if value < 1:
                raise InputError(f"speech.wavlm.{name} = {value}: expected 1 or more")
        if overlap_s < 0:
            raise InputError(f"speech.wavlm.overlap_s = {overlap_s}: expected 0 or more")
        self.model = model
        self.features_width = features_width
        self.mels = checked_mels("speech.wavlm", mels)
        self.chunk_s, self.overlap_s = chunk_s, overlap_s
        self._network: Any = None

    @property
    def width(self) -> int:
        return self.features_width + self.mels + 2

    def fingerprint(self) -> str:
        """Return the sha256 of a local folder's configuration and weights, or the hub name as it is."""
        folder = _folder(self.model)
        if folder is None:
            return self.model
        weights = _weights(folder)
        if not weights or not (folder / "config.json").is_file():
            files = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
            expected = "config.json and *.safetensors or pytorch_model*.bin"
            raise _unusable(self.model, f"expected {expected}, found {files}")
        digest = hashlib.sha256()
        for path in [folder / "config.json", *weights]:
            # By the one that remembers: each row and seed asks, and WavLM-Large is a gigabyte.
            digest.update(path.name.encode() + bytes.fromhex(fingerprint_of(str(path))))
        return digest.hexdigest()

    @property
    def uses_gpu(self) -> bool:
        return True

    def prepare(self, device: str) -> None:
        """Load the weights onto a device; raises InputError when that is not possible."""
        folder = _folder(self.model)
        try:
            from transformers import WavLMModel
        except ImportError as error:
            raise InputError(f"speech/wavlm: {error}; try: {install_hint('wavlm')}") from error
        try:
            loaded: Any = WavLMModel.from_pretrained(
                folder or self.model,
                use_safetensors=_is_safe(folder) if folder else None,
                weights_only=True,
                local_files_only=folder is not None,
                output_loading_info=True,
            )
        except UNREADABLE as error:
            tried = f"the folder {folder}" if folder else "a folder of that name, then the hub"
            # A pickle's reader advises to run whatever the file holds.
            cause = error if folder is None or _is_safe(folder) else "its .bin is not of plain tensors only"
            reason = f"no config.json and weights could be read; tried {tried}: {cause}"
            raise _unusable(self.model, reason) from error
        network, report = loaded
        # Absent weights would be drawn at random; the mask embedding is only used in training.
        if absent := sorted(set(report["missing_keys"]) - {"masked_spec_embed"}):
            raise _unusable(self.model, f"{len(absent)} weights of a WavLM are absent, such as {absent[0]}")
        width, step = network.config.hidden_size, math.prod(network.config.conv_stride)
        if width != self.features_width:
            raise _unusable(self.model, f"hidden_size is {width}, but features_width = {self.features_width}")
        if step != STEP_SAMPLES:
            raise _unusable(self.model, f"expected a step of {STEP_SAMPLES} samples, found {step}")
        self._network = network.to(device).eval()

    @property
    def together_s(self) -> float:
        return BATCHES_TOGETHER * self._reading().seconds

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        return self.features_of([(waveform, frames)])[0]

    def features_of(self, clips: Sequence[tuple[np.ndarray, int]]) -> list[np.ndarray]:
        read = zip(clips, self._hidden(clips), strict=True)
        return [
            np.concatenate(
                [at_motion_rate(hidden, frames), mel_beat_features(waveform, frames, self.mels)],
                axis=1,
                dtype=np.float32,
            )
            for (waveform, frames), hidden in read
        ]

    def _hidden(self, clips: Sequence[tuple[np.ndarray, int]]) -> list[np.ndarray]:
        """Return the last hidden layer (2T - 1, D) at 50 Hz of each waveform (S,)."""
        reading = self._reading()
        hidden = [np.zeros((max(2 * frames - 1, 0), self.features_width), np.float32) for _, frames in clips]
        heard = [self._heard(waveform, frames) for waveform, frames in clips]
        pieces = [(clip, piece) for clip, rows in enumerate(hidden) for piece in self._pieces(len(rows))]
        # Normalised over time a clip is not the same when it is padded.
        most = round(reading.seconds * RATE_HZ) if self._normalises_rows else 0
        for batch in batch_by_length([piece.length for _, piece in pieces], most):
            some = [pieces[index] for index in batch]
            sounds = [heard[clip][p.start * STEP_SAMPLES :][: _samples(p.length)] for clip, p in some]
            for (clip, piece), rows in zip(some, self._read(sounds, reading), strict=True):
                inner = rows[piece.first - piece.start : piece.last - piece.start]
                hidden[clip][piece.first : piece.last] = inner
        return hidden

    def _reading(self) -> Reading:
        if self._network is None:
            raise RuntimeError("speech/wavlm: prepare(device) comes before features")
        return READINGS.get(self._network.device.type, READINGS["cpu"])

    @property
    def _normalises_rows(self) -> bool:
        return bool(self._network.config.feat_extract_norm == "layer")

    def _heard(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """Return a clip as the model was trained to hear it."""
        clip = fitted(waveform, frames * SAMPLES_PER_FRAME)
        if not self._normalises_rows or not frames:
            return clip
        # Models with layer norm (large) were trained on clips of zero mean and unit variance.
        return (clip - clip.mean()) / np.sqrt(clip.var() + 1e-7)

    def _pieces(self, steps: int) -> list[Chunk]:
        if not steps:
            return []
        pieces = chunks(steps, round(self.chunk_s * RATE_HZ), round(self.overlap_s * RATE_HZ))
        if len(pieces) > 1 and not self._normalises_rows:
            raise _unusable(
                self.model,
                f"its first layer normalises over the whole clip (feat_extract_norm = group), so one of "
                f"{steps / RATE_HZ:.0f} s cannot be read in chunks of {pieces[0].length / RATE_HZ:.0f} s; "
                f"bind speech.wavlm.chunk_s to the longest clip, or take a model with layer norm "
                f"such as wavlm-large",
            )
        return pieces

    def _read(self, sounds: Sequence[np.ndarray], reading: Reading) -> np.ndarray:
        """Return the last hidden layer (B, longest, D) of sounds; beyond the end of a sound is padding."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        device = self._network.device
        sound = pad_sequence([torch.from_numpy(sound) for sound in sounds], batch_first=True).to(device)
        lengths = torch.tensor([len(sound) for sound in sounds], device=device)
        there = (torch.arange(sound.shape[1], device=device) < lengths[:, None]).long()
        mask = None if bool(there.all()) else there
        with torch.inference_mode(), warnings.catch_warnings():
            # transformers gives torch a mask of padding in other numbers than those of attention.
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            with torch.autocast(device.type, torch.float16, enabled=reading.bits < 32):
                read = self._network(sound, attention_mask=mask).last_hidden_state
            if not bool(read.isfinite().all()):
                # Half precision ends at 65,504; the few batches that reach it are read in full.
                read = self._network(sound, attention_mask=mask).last_hidden_state
        return read.float().cpu().numpy()


def _weights(folder: Path) -> list[Path]:
    """Return the files that hold a folder's weights: safetensors, or where there are none the pickled."""
    return sorted(folder.glob("*.safetensors" if _is_safe(folder) else "pytorch_model*.bin"))


def _is_safe(folder: Path) -> bool:
    return any(folder.glob("*.safetensors"))


def _samples(steps: int) -> int:
    return steps * STEP_SAMPLES + REACH_SAMPLES


def at_motion_rate(hidden: np.ndarray, frames: int) -> np.ndarray:
    """Return (T, D) at 25 Hz from (2T - 1, D) at 50 Hz: last row duplicated, then linear interpolation.

    Frame t lies midway between rows 2t and 2t + 1, for any length of clip. Source: facts 2.4.
    """
    doubled = np.concatenate([hidden, hidden[-1:]])[: 2 * frames]
    return doubled.reshape(frames, 2, hidden.shape[1]).mean(axis=1)


def _folder(model: str) -> Path | None:
    """Return the local folder meant by `model`, or None for a hub name; raises InputError if missing."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", model):
        return None
    raise _unusable(model, "expected a hub name or a folder, found neither")


def _unusable(model: str, reason: str) -> InputError:
    return InputError(f"speech.wavlm.model = '{model}': {reason}")
