"""FVD: Fréchet distance between real and generated videos in the features of a network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.metrics.base import VideoMetric, VideoPair
from rgx.gesture.metrics.fgd import FGD, floor, frechet, too_few
from rgx.gesture.nn.grid import resize
from rgx.gesture.nn.i3d import I3D
from rgx.gesture.nn.weight_layout import Layout
from rgx.gesture.nn.weights import required
from rgx.registry import Outside, Place, register

LEAST_FRAMES = 10
LOGITS = 400
LAYOUT = Layout(I3D, takes=("rescale", "resize", "return_features"))
KINETICS_I3D = Outside(
    "I3D trained on Kinetics-400",
    "TorchScript that returns 400 logits, as StyleGAN-V has it, or the state dict of VideoGPT and TATS",
    "https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt, named by "
    "https://github.com/universome/stylegan-v, or "
    "https://github.com/songweige/TATS/raw/main/tats/fvd/i3d_pretrained_400.pt",
    "not stated with the file; DeepMind's I3D is Apache-2.0",
    "about 50 MB",
)


class FrechetVideoDistance(VideoMetric):
    """Fréchet distance of one feature vector a window, real against generated. Source: Unterthiner 2018.

    The reference is the floor: halves of the real windows, drawn by `seed`, against each other.
    """

    direction: ClassVar[Literal["down", "up", "reference"]] = "down"
    reference_is: ClassVar[str] = FGD.reference_is
    reference_line: ClassVar[str] = FGD.reference_line
    name: ClassVar[str]
    size_px: ClassVar[int]
    least_frames: ClassVar[int] = LEAST_FRAMES
    seed: int

    width: int
    """How many features a video has."""

    def remarks(self, samples: int, features: int | None = None) -> list[str]:
        return too_few("FVD", samples, self.width)

    @abstractmethod
    def features(self, video: Tensor) -> Tensor:
        """Return features (1, D) of a video (1, 3, T, size_px, size_px) in [−1, 1], or rows of its parts."""

    @torch.no_grad()
    def measure(self, pair: VideoPair) -> np.ndarray:
        """Return the features of the real and of the generated video, one after the other.

        Raises ValueError for fewer frames than it needs.
        """
        if len(pair.real) < self.least_frames:
            raise ValueError(f"FVD needs at least {self.least_frames} frames, found {len(pair.real)}")
        size = (self.size_px, self.size_px)
        features = [
            self.features(resize(video, size).transpose(0, 1)[None].contiguous() * 2 - 1).flatten()
            for video in (pair.real, pair.generated)
        ]
        return torch.cat(features).double().cpu().numpy()

    def score(self, measured: Sequence[np.ndarray]) -> float:
        """Return the distance; raises ValueError with fewer than 2 windows."""
        return frechet(*self.sides(measured))

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        """Return the floor, NaN with fewer than 4 windows."""
        if len(measured) < 4:
            return float("nan")
        real, _ = self.sides(measured)
        return floor(real, self.seed)

    def sides(self, measured: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the features (videos, D) of the real and of the generated videos."""
        # `measure` put both beside each other, so that pairs stay pairs until here.
        real, generated = np.split(np.stack(measured), 2, axis=1)
        return real, generated


class I3DDistance(FrechetVideoDistance):
    """FVD. network: I3D of Kinetics-400, in one of the two files that public implementations read.

    The state dict i3d_pretrained_400.pt; or TorchScript, i3d_torchscript.pt, whose network(video (1, 3, T,
    224, 224) in [−1, 1], rescale=False, resize=False, return_features=True) returns 400 logits.
    Source: Unterthiner 2018, readings 47 and 91.
    """

    decimals: ClassVar[int] = 2
    size_px: ClassVar[int] = 224
    width = LOGITS

    def __init__(self, network: Annotated[Place, KINETICS_I3D] = "", seed: int = 0) -> None:
        self.network, self.seed = network, seed
        self._logits: Callable[[Tensor], Tensor] | None = None

    def _path(self) -> str:
        what, otherwise = "I3D (Kinetics-400)", f"use metric/{self.name}_random"
        return required(self.network, f"metric.{self.name}.network", what, otherwise)

    def fingerprint(self) -> str:
        return LAYOUT.fingerprint(self._path())

    def prepare(self, device: str) -> None:
        """Load the network onto a device; raises InputError for a file that is not one."""
        path = self._path()
        network = LAYOUT.load(path).to(device)
        if LAYOUT.is_script(path):
            self._logits = partial(network, rescale=False, resize=False, return_features=True)
            self.read_as = "I3D as TorchScript"
        else:
            self._logits, self.read_as = network, "I3D's state dict"

    def features(self, video: Tensor) -> Tensor:
        """Raise InputError for a network that does not give 400 logits."""
        if self._logits is None:
            raise RuntimeError(f"metric/{self.name}: prepare(device) comes before measure")
        logits = self._logits(video)
        if logits.shape != (1, LOGITS):
            raise InputError(f"{self.network}: expected {LOGITS} logits, found shape {tuple(logits.shape)}")
        return logits


PROTOCOL = "I3D-K400 logits at 224 px (bilinear, low-pass where it shrinks), [−1, 1], every frame"


@register("metric", "reconstruction_fvd", label="FVD", source="Unterthiner 2018; paper Table 3a")
class ReconstructionFVD(I3DDistance):
    """FVD of reconstructed videos. Source: Unterthiner 2018, readings 47 and 91."""

    name: ClassVar[str] = "reconstruction_fvd"
    protocol: ClassVar[str] = f"self-reconstruction, {PROTOCOL}"


@register("metric", "video_fvd", label="FVD", source="Unterthiner 2018; paper Tables 1 and 3d")
class VideoFVD(I3DDistance):
    """FVD of videos made from speech. Source: Unterthiner 2018, readings 47 and 91."""

    name: ClassVar[str] = "video_fvd"
    protocol: ClassVar[str] = f"speech-driven, {PROTOCOL}"
