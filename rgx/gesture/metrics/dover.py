"""DOVER's two scores of a video, by a network the user brings: its licence keeps it out of rgx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.metrics.base import VideoMetric, VideoPair
from rgx.gesture.metrics.dover_views import aesthetic_view, technical_view
from rgx.gesture.nn.frozen import normalise
from rgx.gesture.nn.weights import fingerprint_of_script, load_script, required
from rgx.registry import Outside, Place, register

DOVER = Outside(
    "DOVER",
    "TorchScript, network(aesthetic, technical), traced from the published code and its DOVER.pth",
    "https://github.com/VQAssessment/DOVER, weights DOVER.pth (SHA-256 f4a42c0b…) of its release v0.1.0",
    "S-Lab License 1.0, not for commerce",
)


class Dover(VideoMetric):
    """100 σ((x − centre) / spread) of a raw score x, mean over generated videos. Source: Wu 2023, reading 48.

    network: TorchScript, called as network(aesthetic, technical) with two views (1, 3, 32, 224, 224) in
    ImageNet's normalisation. It returns two tensors in the order aesthetic, technical (DOVER's own
    scripts differ in it); of a tensor with more than one value the mean is the raw score.
    seed: decides the fragments. The reference is the score of the real videos. `measure` keeps raw scores.
    """

    direction: ClassVar[Literal["down", "up", "reference"]] = "up"
    range: ClassVar[tuple[float, float]] = (0.0, 100.0)
    decimals: ClassVar[int] = 2
    name: ClassVar[str]
    place: ClassVar[int]
    """Which of the network's two scores it reads."""
    network: str
    seed: int
    centre: float
    spread: float
    _network: torch.jit.ScriptModule | None = None

    def _path(self) -> str:
        what = "DOVER as TorchScript, network(aesthetic, technical)"
        return required(self.network, f"metric.{self.name}.network", what, "leave the metric out")

    def fingerprint(self) -> str:
        return fingerprint_of_script(self._path())

    def prepare(self, device: str) -> None:
        """Load the network onto a device; raises InputError for a file that is not one."""
        self._network = load_script(self._path()).to(device)

    @torch.no_grad()
    def measure(self, pair: VideoPair) -> np.ndarray:
        """Return the raw scores of the generated and the real video."""
        return np.array([self._raw(video) for video in (pair.generated, pair.real)])

    def score(self, measured: Sequence[np.ndarray]) -> float:
        return self._calibrated(measured, 0)

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        """Return the score of the real videos."""
        return self._calibrated(measured, 1)

    def _raw(self, video: Tensor) -> float:
        if self._network is None:
            raise RuntimeError(f"metric/{self.name}: prepare(device) comes before measure")
        views = (aesthetic_view(video), technical_view(video, self.seed))
        scores = self._network(*(normalise(view).transpose(0, 1)[None].contiguous() for view in views))
        if len(scores) != 2:
            raise InputError(f"{self.network}: expected aesthetic and technical score, found {len(scores)}")
        return float(scores[self.place].double().mean())

    def _calibrated(self, measured: Sequence[np.ndarray], which: int) -> float:
        raw = np.stack(measured)[:, which]
        # σ(z) = (1 + tanh(z / 2)) / 2, which no score overflows.
        return float(50 + 50 * np.tanh((raw - self.centre) / self.spread / 2).mean())


VIEWS = (
    "one call a window with aesthetic view (32 frames, 224 px, bilinear) and technical view "
    "(7 × 7 seeded fragments of 32 px, one clip of 32 frames, stride 2)"
)


@register("metric", "video_dover_aesthetic", label="VQA_A", source="Wu 2023; paper Tables 1 and 3d")
class DoverAesthetic(Dover):
    """DOVER's aesthetic score, calibrated for natural video as DOVER does. Source: Wu 2023, reading 48."""

    name: ClassVar[str] = "video_dover_aesthetic"
    place: ClassVar[int] = 0
    protocol: ClassVar[str] = f"speech-driven, DOVER, {VIEWS}; calibrated for natural video"

    def __init__(
        self,
        network: Annotated[Place, DOVER] = "",
        centre: float = -0.08285,
        spread: float = 0.03774,
        seed: int = 0,
    ) -> None:
        self.network, self.centre, self.spread, self.seed = network, centre, spread, seed


@register("metric", "video_dover_technical", label="VQA_T", source="Wu 2023; paper Tables 1 and 3d")
class DoverTechnical(Dover):
    """DOVER's technical score, calibrated for natural video as DOVER does. Source: Wu 2023, reading 48."""

    name: ClassVar[str] = "video_dover_technical"
    place: ClassVar[int] = 1
    protocol: ClassVar[str] = f"speech-driven, DOVER, {VIEWS}; calibrated for natural video"

    def __init__(
        self,
        network: Annotated[Place, DOVER] = "",
        centre: float = 0.1107,
        spread: float = 0.07355,
        seed: int = 0,
    ) -> None:
        self.network, self.centre, self.spread, self.seed = network, centre, spread, seed
