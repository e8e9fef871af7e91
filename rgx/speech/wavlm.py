"""WavLM's last hidden layer beside mel and beats: the paper's speech features."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rgx.errors import InputError
from rgx.registry import register
from rgx.speech.base import Speech
from rgx.speech.beats import fitted
from rgx.speech.chunks import Chunk, chunks
from rgx.speech.mel_beat import checked_mels, mel_beat_features
from rgx.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, Place

if TYPE_CHECKING:
    from torch import Tensor

STEP_SAMPLES = 320
RATE_HZ = SAMPLE_RATE_HZ // STEP_SAMPLES
# One step of WavLM's convolutions sees 400 samples: 80 beyond its own 320.
REACH_SAMPLES = 80


@dataclass(frozen=True)
class Reading:
    """How a kind of device reads: so many chunks at a time, in arithmetic of so many bits."""

    chunks: int
    bits: int


READINGS = {"cuda": Reading(4, 16), "cpu": Reading(1, 32)}
"""A GPU gains from both; a processor from neither."""


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
        model: Place = "microsoft/wavlm-large",
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
        weights = sorted(folder.glob("*.safetensors"))
        if not weights or not (folder / "config.json").is_file():
            found = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
            raise _unusable(self.model, f"expected config.json and *.safetensors, found {found}")
        digest = hashlib.sha256()
        for path in [folder / "config.json", *weights]:
            with path.open("rb") as opened:
                digest.update(path.name.encode() + hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()

    @property
    def uses_gpu(self) -> bool:
        return True

    def prepare(self, device: str) -> None:
        """Load the weights onto a device; raises InputError when that is not possible."""
        folder = _folder(self.model)
        try:
            from safetensors import SafetensorError
            from transformers import WavLMModel
        except ImportError as error:
            raise InputError(f"speech/wavlm: {error}; try: pip install 'rgx[wavlm]'") from error
        try:
            network, report = WavLMModel.from_pretrained(
                folder or self.model,
                use_safetensors=True,
                local_files_only=folder is not None,
                output_loading_info=True,
            )
        except (OSError, ValueError, SafetensorError) as error:
            tried = f"the folder {folder}" if folder else "a folder of that name, then the hub"
            reason = f"no config.json and safetensors could be read; tried {tried}: {error}"
            raise _unusable(self.model, reason) from error
        # Absent weights would be drawn at random; the mask embedding is only used in training.
        if absent := sorted(set(report["missing_keys"]) - {"masked_spec_embed"}):
            raise _unusable(self.model, f"{len(absent)} weights of a WavLM are absent, such as {absent[0]}")
        found, step = network.config.hidden_size, math.prod(network.config.conv_stride)
        if found != self.features_width:
            raise _unusable(self.model, f"hidden_size is {found}, but features_width = {self.features_width}")
        if step != STEP_SAMPLES:
            raise _unusable(self.model, f"expected a step of {STEP_SAMPLES} samples, found {step}")
        self._network = network.to(device).eval()

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        hidden = at_motion_rate(self._hidden(waveform, frames), frames)
        rest = mel_beat_features(waveform, frames, self.mels)
        return np.concatenate([hidden, rest], axis=1, dtype=np.float32)

    def _hidden(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """Return the last hidden layer (2T - 1, D) at 50 Hz of a waveform (S,)."""
        if self._network is None:
            raise RuntimeError("speech/wavlm: prepare(device) comes before features")
        steps = max(2 * frames - 1, 0)
        hidden = np.zeros((steps, self.features_width), np.float32)
        if not steps:
            return hidden
        clip = fitted(waveform, frames * SAMPLES_PER_FRAME)
        pieces = chunks(steps, round(self.chunk_s * RATE_HZ), round(self.overlap_s * RATE_HZ))
        if self._network.config.feat_extract_norm == "layer":
            # Models with layer norm (large) were trained on clips of zero mean and unit variance.
            clip = (clip - clip.mean()) / np.sqrt(clip.var() + 1e-7)
        elif len(pieces) > 1:
            raise _unusable(
                self.model,
                f"its first layer normalises over the whole clip (feat_extract_norm = group), so one of "
                f"{steps / RATE_HZ:.0f} s cannot be read in chunks of {pieces[0].length / RATE_HZ:.0f} s; "
                f"bind speech.wavlm.chunk_s to the longest clip, or take a model with layer norm "
                f"such as wavlm-large",
            )
        for some, read in self._read(clip, pieces):
            for piece, rows in zip(some, read, strict=True):
                kept = rows[piece.first - piece.start : piece.last - piece.start]
                hidden[piece.first : piece.last] = kept.float().cpu().numpy()
        return hidden

    def _read(self, clip: np.ndarray, pieces: list[Chunk]) -> Iterator[tuple[list[Chunk], Tensor]]:
        """Yield a few chunks at a time and their last hidden layers (chunks, length, D)."""
        import torch

        device = self._network.device
        reading = READINGS.get(device.type, READINGS["cpu"])
        for first in range(0, len(pieces), reading.chunks):
            some = pieces[first : first + reading.chunks]
            heard = np.stack([clip[p.start * STEP_SAMPLES :][: _samples(p.length)] for p in some])
            with torch.inference_mode():
                sound = torch.from_numpy(heard).to(device)
                with torch.autocast(device.type, torch.float16, enabled=reading.bits < 32):
                    read = self._network(sound).last_hidden_state
                if not bool(read.isfinite().all()):
                    # Half precision ends at 65,504; the few chunks that reach it are read in full.
                    read = self._network(sound).last_hidden_state
            yield some, read


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
