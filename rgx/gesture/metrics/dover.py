"""DOVER's two scores of a video, by weights the user brings: their licence keeps them out of rgx."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.metrics.base import VideoMetric, VideoPair
from rgx.gesture.metrics.dover_views import aesthetic_view, technical_view
from rgx.gesture.nn.dover_network import DOVER
from rgx.gesture.nn.frozen import normalise
from rgx.gesture.nn.weight_layout import Layout
from rgx.gesture.nn.weights import fingerprint_of, required
from rgx.registry import Outside, Place, register

LAYOUT = Layout(DOVER, takes=())
WEIGHTS = Outside(
    "DOVER",
    "its state dict DOVER.pth as published, or TorchScript, network(aesthetic, technical)",
    "https://github.com/VQAssessment/DOVER/releases/download/v0.1.0/DOVER.pth",
    "S-Lab License 1.0, not for commerce",
    "about 240 MB",
    "f4a42c0b",
)
_networks: WeakValueDictionary[tuple[str, str], nn.Module] = WeakValueDictionary()
"""By a file's SHA-256 and the device: the metrics of one table share a network, and it goes with them."""


@dataclass(frozen=True)
class RawScores:
    """A network's raw scores of the videos of a pair, alike for all metrics with the same file and seed."""

    network: nn.Module
    path: str
    seed: int

    def __call__(self, pair: VideoPair) -> Tensor:
        """Return (2, 2): the generated and the real video, its aesthetic and its technical score."""
        return torch.stack([self._of(video) for video in (pair.generated, pair.real)])

    def _of(self, video: Tensor) -> Tensor:
        views = (aesthetic_view(video, self.seed)[None], technical_view(video, self.seed))
        scores = self.network(*(normalise(view).transpose(1, 2).contiguous() for view in views))
        if len(scores) != 2:
            raise InputError(f"{self.path}: expected aesthetic and technical score, found {len(scores)}")
        return torch.stack([score.double().mean().cpu() for score in scores])


class Dover(VideoMetric):
    """The raw score, mean over generated videos. Source: Wu 2023, readings 48 and 90.

    network: DOVER.pth; or TorchScript, called as network(aesthetic, technical) with one view
    (1, 3, 32, 224, 224) and three (3, 3, 32, 224, 224) in ImageNet's normalisation, that returns two tensors
    in the order aesthetic, technical (DOVER's own scripts differ in it). Of more than one value the mean
    is the raw score. seed: decides the fragments. The reference is the score of the real videos.
    """

    direction: ClassVar[Literal["down", "up", "reference"]] = "up"
    range: ClassVar[tuple[float, float]] = (float("-inf"), float("inf"))
    decimals: ClassVar[int] = 4
    name: ClassVar[str]
    place: ClassVar[int]
    """Which of the network's two scores it reads."""
    network: str
    seed: int
    _scores: RawScores | None = None

    def _path(self) -> str:
        return required(self.network, f"metric.{self.name}.network", "DOVER.pth", "leave the metric out")

    def fingerprint(self) -> str:
        return LAYOUT.fingerprint(self._path())

    def prepare(self, device: str) -> None:
        """Load the network onto a device; raises InputError for a file that is not one."""
        path = self._path()
        key = (fingerprint_of(path), device)
        network = _networks.get(key)
        if network is None:
            network = _networks[key] = LAYOUT.load(path).to(device)
        self.read_as = "weights as TorchScript" if LAYOUT.is_script(path) else "weights of DOVER.pth"
        self._scores = RawScores(network, path, self.seed)

    @torch.no_grad()
    def measure(self, pair: VideoPair) -> np.ndarray:
        """Return the raw scores of the generated and the real video."""
        if self._scores is None:
            raise RuntimeError(f"metric/{self.name}: prepare(device) comes before measure")
        return pair.once(self._scores)[:, self.place].numpy()

    def score(self, measured: Sequence[np.ndarray]) -> float:
        return self.of_raw(np.stack(measured)[:, 0])

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        """Return the score of the real videos."""
        return self.of_raw(np.stack(measured)[:, 1])

    def of_raw(self, raw: np.ndarray) -> float:
        """Return the score of videos by their raw scores (videos,)."""
        return float(raw.mean())


class CalibratedDover(Dover):
    """100 σ((x − centre) / spread) of raw scores x, mean over generated videos. Source: Wu 2023."""

    range: ClassVar[tuple[float, float]] = (0.0, 100.0)
    decimals: ClassVar[int] = 2
    centre: float
    spread: float

    def of_raw(self, raw: np.ndarray) -> float:
        # σ(z) = (1 + tanh(z / 2)) / 2, which no score overflows.
        return float(50 + 50 * np.tanh((raw - self.centre) / self.spread / 2).mean())


VIEWS = (
    "speech-driven, DOVER, one call a window with aesthetic view (32 frames, 224 px, bilinear) and technical "
    "view (7 × 7 seeded fragments of 32 px, 3 clips of 32 frames, stride 2)"
)
CALIBRATED = f"{VIEWS}; calibrated for natural video"
RAW = f"{VIEWS}; raw"


@register("metric", "video_dover_aesthetic", label="VQA_A", source="Wu 2023; paper Tables 1 and 3d")
class DoverAesthetic(CalibratedDover):
    """DOVER's aesthetic score, calibrated for natural video as DOVER does. Source: Wu 2023, reading 48."""

    name: ClassVar[str] = "video_dover_aesthetic"
    place: ClassVar[int] = 0
    protocol: ClassVar[str] = CALIBRATED

    def __init__(
        self,
        network: Annotated[Place, WEIGHTS] = "",
        centre: float = -0.08285,
        spread: float = 0.03774,
        seed: int = 0,
    ) -> None:
        self.network, self.centre, self.spread, self.seed = network, centre, spread, seed


@register("metric", "video_dover_technical", label="VQA_T", source="Wu 2023; paper Tables 1 and 3d")
class DoverTechnical(CalibratedDover):
    """DOVER's technical score, calibrated for natural video as DOVER does. Source: Wu 2023, reading 48."""

    name: ClassVar[str] = "video_dover_technical"
    place: ClassVar[int] = 1
    protocol: ClassVar[str] = CALIBRATED

    def __init__(
        self,
        network: Annotated[Place, WEIGHTS] = "",
        centre: float = 0.1107,
        spread: float = 0.07355,
        seed: int = 0,
    ) -> None:
        self.network, self.centre, self.spread, self.seed = network, centre, spread, seed


@register("metric", "video_dover_aesthetic_raw", label="VQA_A raw", source="Wu 2023")
class DoverAestheticRaw(Dover):
    """DOVER's aesthetic score as its network gives it. Source: Wu 2023, reading 90."""

    name: ClassVar[str] = "video_dover_aesthetic_raw"
    place: ClassVar[int] = 0
    protocol: ClassVar[str] = RAW

    def __init__(self, network: Annotated[Place, WEIGHTS] = "", seed: int = 0) -> None:
        self.network, self.seed = network, seed


@register("metric", "video_dover_technical_raw", label="VQA_T raw", source="Wu 2023")
class DoverTechnicalRaw(Dover):
    """DOVER's technical score as its network gives it. Source: Wu 2023, reading 90."""

    name: ClassVar[str] = "video_dover_technical_raw"
    place: ClassVar[int] = 1
    protocol: ClassVar[str] = RAW

    def __init__(self, network: Annotated[Place, WEIGHTS] = "", seed: int = 0) -> None:
        self.network, self.seed = network, seed
