"""What a system outside rgx is given of a window: speech and a condition frame, or a picture and poses."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rgx.gesture.external.mailbox import Mailbox
from rgx.gesture.poses.gaps import bridge_gaps
from rgx.gesture.skeleton import KEPT, POINTS, normalise
from rgx.gesture.types import SAMPLE_RATE_HZ


@dataclass(frozen=True)
class SpeechRequest:
    """A window's speech (S,) at 16 kHz and the pose (K, 2), valid (K,), of the frame before it, in px.

    first_frame: where in its clip it begins; seed: for its random numbers; origin_px, scale_px: the clip's
    middle and shoulder width.
    """

    name: str
    clip: str
    speaker: str
    first_frame: int
    seed: int
    waveform: np.ndarray
    pose: np.ndarray
    valid: np.ndarray
    origin_px: tuple[float, float]
    scale_px: float

    def facts(self) -> dict[str, Any]:
        """Return what the index says of it."""
        return {name: getattr(self, name) for name in ("clip", "speaker", "first_frame", "seed")}

    def write(self, folder: Path) -> None:
        """Write NAME.wav and NAME.npz."""
        samples = (self.waveform.clip(-1, 1) * 32767).round().astype("<i2")
        with wave.open(str(folder / f"{self.name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE_HZ)
            file.writeframes(samples.tobytes())
        write_poses(folder / f"{self.name}.npz", self.pose[None], self.valid[None])

    def motion(self, tracked: np.ndarray) -> np.ndarray:
        """Return points (T, 133, 3) in px, those of score 0 bridged, as (T, K, 2) in shoulder widths."""
        seen = tracked[..., 2] > 0
        points, _ = bridge_gaps(np.where(seen[..., None], tracked[..., :2], np.nan), seen)
        return normalise(points, np.array(self.origin_px), self.scale_px)


@dataclass(frozen=True)
class AskedWindows:
    """The windows of a batch as they were recorded, for a system outside, and where its answers come from.

    mean, std: of the motion in shoulder widths, by which what is answered is standardised.
    """

    requests: Sequence[SpeechRequest]
    mailbox: Mailbox
    mean: np.ndarray
    std: np.ndarray


@dataclass(frozen=True)
class PoseRequest:
    """A source picture (H, H, 3) uint8 with its pose (1, K, 2), valid (1, K), and the poses (T, K, 2), valid
    (T, K), that it shall follow, all in [−1, 1]."""

    name: str
    picture: np.ndarray
    source: tuple[np.ndarray, np.ndarray]
    driving: tuple[np.ndarray, np.ndarray]

    def facts(self) -> dict[str, Any]:
        """Return what the index says of it."""
        return {}

    def write(self, folder: Path) -> None:
        """Write NAME.source.png, NAME.source.npz and NAME.driving.npz."""
        Image.fromarray(self.picture).save(folder / f"{self.name}.source.png")
        for what, (pose, valid) in (("source", self.source), ("driving", self.driving)):
            write_poses(folder / f"{self.name}.{what}.npz", (pose + 1) / 2 * len(self.picture), valid)


def write_poses(path: Path, pose: np.ndarray, valid: np.ndarray) -> None:
    """Write poses (T, K, 2) in px as points (T, 133, 2) and scores (T, 133), 0 for what is not known."""
    points, scores = np.zeros((len(pose), POINTS, 2), np.float32), np.zeros((len(pose), POINTS), np.float32)
    points[:, KEPT], scores[:, KEPT] = pose, valid
    np.savez_compressed(path, points=points, scores=scores)
