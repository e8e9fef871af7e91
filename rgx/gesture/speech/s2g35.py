"""The 35 features a frame of the S2G-Diffusion baseline."""

from __future__ import annotations

from typing import Any

import numpy as np

from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.beats import fitted, one_hot
from rgx.gesture.types import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from rgx.registry import register

HOP_SAMPLES = 512
RATE_HZ = FPS * HOP_SAMPLES
MFCC = 20
CHROMA = 12
BINS_PER_OCTAVE = 36
# The lowest of the seven octaves of the constant-Q transform needs 1.7 s of signal.
SHORTEST_SAMPLES = 4 * RATE_HZ


@register("speech", "s2g35", label="S2G 35-d", source="S2G-Diffusion baseline features")
class S2G35(Speech):
    """Onset envelope 1, MFCC 20, chroma CENS 12, onset one-hot 1 and beat one-hot 1, at 12.8 kHz."""

    @property
    def width(self) -> int:
        return 1 + MFCC + CHROMA + 1 + 1

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        import librosa

        if frames == 0:
            return np.zeros((0, self.width), np.float32)
        clip = fitted(waveform, frames * SAMPLES_PER_FRAME)
        clip = librosa.resample(clip, orig_sr=SAMPLE_RATE_HZ, target_sr=RATE_HZ)
        clip = fitted(clip, max(frames * HOP_SAMPLES, SHORTEST_SAMPLES))
        grid: dict[str, Any] = {"sr": RATE_HZ, "hop_length": HOP_SAMPLES}
        envelope = fitted(librosa.onset.onset_strength(y=clip, **grid), frames)
        mfcc = librosa.feature.mfcc(y=clip, n_mfcc=MFCC, **grid)[:, :frames].T
        onsets = beats = np.zeros(frames, bool)
        if envelope.any():
            onsets = one_hot(librosa.onset.onset_detect(onset_envelope=envelope, **grid), frames)
            beats = one_hot(librosa.beat.beat_track(onset_envelope=envelope, **grid)[1], frames)
        columns = [envelope[:, None], mfcc, _chroma(clip, frames), onsets[:, None], beats[:, None]]
        return np.concatenate(columns, axis=1, dtype=np.float32)


def _chroma(clip: np.ndarray, frames: int) -> np.ndarray:
    """Return chroma CENS (T, 12) of a clip (S,) at 12.8 kHz."""
    import librosa

    # As librosa estimates it, but 0 where the clip has no pitch at all (it would warn there).
    pitches, strengths = librosa.piptrack(y=clip, sr=RATE_HZ)
    pitched = pitches > 0
    if not pitched.any():
        return np.zeros((frames, CHROMA), np.float32)
    clear = pitches[pitched & (strengths >= np.median(strengths[pitched]))]
    tuning = librosa.pitch_tuning(clear, bins_per_octave=BINS_PER_OCTAVE)
    chroma = librosa.feature.chroma_cens(
        y=clip, sr=RATE_HZ, hop_length=HOP_SAMPLES, n_chroma=CHROMA, tuning=tuning
    )
    return chroma[:, :frames].T
