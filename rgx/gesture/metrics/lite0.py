"""Pictures compared in the features of EfficientNet-lite0: the form of LPIPS, and two Fréchet distances."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.metrics.base import VideoMetric, VideoPair
from rgx.gesture.metrics.fgd import FGD, floor, frechet, rows_of
from rgx.gesture.metrics.lpips import unit
from rgx.gesture.nn.efficientnet_lite0 import WEIGHTS_SHA256, WIDTHS, EfficientNetLite0, weights_path
from rgx.registry import register


@dataclass(frozen=True)
class WindowFeatures:
    """What is seen in a window of T frames; D counts the channels of all levels, real comes before generated.

    distances (T,): between real and generated; frames (2, T, D): activations of length 1, averaged over
    places; changes (2, T − 1, D): how far they move from a frame to the next, averaged over places.
    """

    distances: Tensor
    frames: Tensor
    changes: Tensor


class Eye:
    """EfficientNet-lite0 on a device, as all metrics of a window look through it together."""

    def __init__(self, network: EfficientNetLite0) -> None:
        self.network = network

    @torch.no_grad()
    def __call__(self, pair: VideoPair) -> WindowFeatures:
        """Return what is seen in a window; raises ValueError where real and generated differ in shape."""
        distances, frames, changes = [], [], []
        last: list[Tensor] = []
        for chunk in pair.chunks:
            both = self.network(torch.cat([chunk.real, chunk.generated]))
            levels = [unit(level).unflatten(0, (2, -1)) for level in both]
            gaps = [(real - generated).square().sum(1).mean((1, 2)) for real, generated in levels]
            distances.append(torch.stack(gaps).mean(0))
            frames.append(torch.cat([level.mean((3, 4)) for level in levels], dim=2))
            # The last frame of the chunk before, so that no change is lost between two chunks.
            follow = [torch.cat(two, dim=1) for two in zip(last, levels, strict=True)] if last else levels
            changes.append(torch.cat([level.diff(dim=1).abs().mean((3, 4)) for level in follow], dim=2))
            last = [level[:, -1:] for level in levels]
        return WindowFeatures(torch.cat(distances), torch.cat(frames, dim=1), torch.cat(changes, dim=1))


@cache
def eye(path: str, device: str) -> Eye:
    """Return the weights at a path on a device, read once for all metrics."""
    return Eye(EfficientNetLite0(path).to(device))


class Lite0Metric(VideoMetric):
    """A metric that looks at windows through EfficientNet-lite0, which the extra `perceptual` brings."""

    name: ClassVar[str]
    otherwise: ClassVar[str] = "leave the metric out"
    _eye: Eye | None = None

    def _path(self) -> str:
        return weights_path(f"metric/{self.name}", self.otherwise)

    def fingerprint(self) -> str:
        self._path()
        return WEIGHTS_SHA256

    def prepare(self, device: str) -> None:
        """Load the weights onto a device; raises InputError where they are absent or other ones."""
        self._eye = eye(self._path(), device)

    @property
    def eye(self) -> Eye:
        """What it looks through; raises RuntimeError before `prepare`."""
        if self._eye is None:
            raise RuntimeError(f"metric/{self.name}: prepare(device) comes before measure")
        return self._eye


@register("metric", "reconstruction_lpips_lite0", label="LPIPS-lite0", source="ours, after Zhang 2018")
class ReconstructionLPIPSLite0(Lite0Metric):
    """LPIPS' formula in the five levels of EfficientNet-lite0, every channel weighing 1, and their mean.

    LPIPS has weights learnt from people's judgements; this has none. Source: reading 86, after Zhang 2018.
    """

    name: ClassVar[str] = "reconstruction_lpips_lite0"
    otherwise: ClassVar[str] = "use metric/reconstruction_lpips_random"
    stand_in: ClassVar[bool] = True
    direction: ClassVar[Literal["down", "up", "reference"]] = "down"
    protocol: ClassVar[str] = (
        "self-reconstruction, mean over frames, LPIPS' formula in EfficientNet-lite0 with all weights 1, "
        "pictures not resized"
    )

    def measure(self, pair: VideoPair) -> np.ndarray:
        return pair.once(self.eye).distances.double().cpu().numpy()

    def score(self, measured: Sequence[np.ndarray]) -> float:
        """Return the mean over all frames."""
        return float(np.concatenate(measured).mean())

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        """Return 0: real pictures compared with themselves."""
        return 0.0


class Lite0Frechet(Lite0Metric):
    """A Fréchet distance of rows of features, of which a window has many, real against generated.

    The D = 512 channels are projected on `width` fixed random directions: a table has tens of windows, whose
    frames resemble one another, so a covariance in all channels is mostly noise; in few it has full rank, and
    what is planted stands further above the floor (LOG.md). The reference is the floor: halves of the
    real windows, drawn by `seed`, against each other. Source: reading 86, after Heusel 2017.
    """

    direction: ClassVar[Literal["down", "up", "reference"]] = "down"
    decimals: ClassVar[int] = 4
    stand_in: ClassVar[bool] = True
    reference_is: ClassVar[str] = FGD.reference_is
    reference_line: ClassVar[str] = FGD.reference_line

    def __init__(self, width: int = 32, seed: int = 0) -> None:
        if not 1 <= width <= sum(WIDTHS):
            raise InputError(f"metric.{self.name}.width = {width}: expected 1 to {sum(WIDTHS)}")
        self.width, self.seed = width, seed
        directions = np.random.default_rng(seed).standard_normal((sum(WIDTHS), width))
        self._directions = directions / np.sqrt(width)

    @abstractmethod
    def rows(self, features: WindowFeatures) -> Tensor:
        """Return the rows (2, N, D) that are compared."""

    def measure(self, pair: VideoPair) -> np.ndarray:
        rows = self.rows(pair.once(self.eye)).double().cpu().numpy()
        return (rows @ self._directions).ravel()

    def score(self, measured: Sequence[np.ndarray]) -> float:
        real, generated = self._sides(measured)
        return frechet(rows_of(real), rows_of(generated))

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        """Return the floor, NaN with fewer than 4 windows."""
        return floor(self._sides(measured)[0], self.seed) if len(measured) >= 4 else float("nan")

    def _sides(self, measured: Sequence[np.ndarray]) -> np.ndarray:
        """Return real and generated windows, (2, W, N, width)."""
        return np.stack([window.reshape(2, -1, self.width) for window in measured], axis=1)


class FrameDistance(Lite0Frechet):
    """How far apart the frames are as pictures, in whatever order."""

    def rows(self, features: WindowFeatures) -> Tensor:
        return features.frames


class ChangeDistance(Lite0Frechet):
    """How far apart the changes from frame to frame are: what moves, how much, and what jumps or stands."""

    def rows(self, features: WindowFeatures) -> Tensor:
        return features.changes


FRAMES = "Fréchet distance of frames in EfficientNet-lite0, pictures not resized"
CHANGES = "Fréchet distance of changes from frame to frame in EfficientNet-lite0, pictures not resized"


@register("metric", "reconstruction_fid_lite0", label="FID-lite0", source="ours, after Heusel 2017")
class ReconstructionFIDLite0(FrameDistance):
    """The distance of frames, of reconstructed videos. Source: reading 86."""

    name: ClassVar[str] = "reconstruction_fid_lite0"
    protocol: ClassVar[str] = f"self-reconstruction, {FRAMES}"


@register("metric", "video_fid_lite0", label="FID-lite0", source="ours, after Heusel 2017")
class VideoFIDLite0(FrameDistance):
    """The distance of frames, of videos made from speech. Source: reading 86."""

    name: ClassVar[str] = "video_fid_lite0"
    protocol: ClassVar[str] = f"speech-driven, {FRAMES}"


@register("metric", "reconstruction_fvd_lite0", label="FVD-lite0", source="ours, after Unterthiner 2018")
class ReconstructionFVDLite0(ChangeDistance):
    """The distance of changes, of reconstructed videos. Source: reading 86."""

    name: ClassVar[str] = "reconstruction_fvd_lite0"
    otherwise: ClassVar[str] = "use metric/reconstruction_fvd_random"
    protocol: ClassVar[str] = f"self-reconstruction, {CHANGES}"


@register("metric", "video_fvd_lite0", label="FVD-lite0", source="ours, after Unterthiner 2018")
class VideoFVDLite0(ChangeDistance):
    """The distance of changes, of videos made from speech. Source: reading 86."""

    name: ClassVar[str] = "video_fvd_lite0"
    otherwise: ClassVar[str] = "use metric/video_fvd_random"
    protocol: ClassVar[str] = f"speech-driven, {CHANGES}"
