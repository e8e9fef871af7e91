"""FVD's stand-in: the same distance in the features of a random network, for want of I3D's weights."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.metrics.fvd import FrechetVideoDistance
from rgx.gesture.nn.frozen import random_weight
from rgx.registry import register

RANDOM = "random 3-D convolutions at 64 px (bilinear, low-pass where it shrinks), [−1, 1], every frame"


class RandomDistance(FrechetVideoDistance):
    """The same distance in the averages of three random 3-D convolutions. Source: ours.

    Every second filter of the first sees only change over time: without that, shuffling the frames of 64
    puppet windows at 64 px scored 0.0003, with it 0.0016.
    """

    stand_in: ClassVar[bool] = True
    decimals: ClassVar[int] = 4
    size_px: ClassVar[int] = 64

    def __init__(self, width: int = 32, seed: int = 0) -> None:
        if width < 1:
            raise InputError(f"metric.{self.name}.width = {width}: expected 1 or more")
        self.width, self.seed = width, seed
        self._layers: list[Tensor] = []

    def prepare(self, device: str) -> None:
        """Draw the network's weights from the seed."""
        random = np.random.default_rng(self.seed)
        widths = (3, self.width, self.width)
        drawn = [random_weight((self.width, inputs, 3, 3, 3), random) for inputs in widths]
        # A filter whose sum over time is zero answers a still picture with nothing.
        drawn[0][::2] -= drawn[0][::2].mean(2, keepdim=True)
        self._layers = [weight.to(device) for weight in drawn]

    def features(self, video: Tensor) -> Tensor:
        if not self._layers:
            raise RuntimeError(f"metric/{self.name}: prepare(device) comes before measure")
        for depth, weight in enumerate(self._layers):
            # Frames of zeros around the first convolution's input would look like change.
            padding = (min(depth, 1), 1, 1)
            video = F.relu(F.conv3d(video, weight, stride=2, padding=padding))
        return video.mean((2, 3, 4))


@register("metric", "reconstruction_fvd_random", label="FVD-random", source="ours, after Unterthiner 2018")
class ReconstructionFVDRandom(RandomDistance):
    """FVD's stand-in for reconstructed videos. Source: ours, after Unterthiner 2018."""

    name: ClassVar[str] = "reconstruction_fvd_random"
    protocol: ClassVar[str] = f"self-reconstruction, {RANDOM}"


@register("metric", "video_fvd_random", label="FVD-random", source="ours, after Unterthiner 2018")
class VideoFVDRandom(RandomDistance):
    """FVD's stand-in for videos made from speech. Source: ours, after Unterthiner 2018."""

    name: ClassVar[str] = "video_fvd_random"
    protocol: ClassVar[str] = f"speech-driven, {RANDOM}"
