"""How sharp a video is and how much it flickers, beside the recording."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from rgx.errors import NotMeasurableError
from rgx.gesture.metrics.base import CHUNK, VideoMetric, VideoPair
from rgx.registry import register

LUMA = (0.299, 0.587, 0.114)
"""What of a grey is red, green and blue. Source: ITU-R BT.601."""
GREYS = 255


def grey(pictures: Tensor) -> Tensor:
    """Return pictures (T, 3, H, W) in [0, 1] as greys (T, H, W)."""
    return torch.einsum("tchw,c->thw", pictures, pictures.new_tensor(LUMA))


def laplacian_variance(pictures: Tensor) -> Tensor:
    """Return the variance (T,) of the Laplacian of pictures (T, 3, H, W). Source: Pech-Pacheco 2000."""
    x = grey(pictures).double()
    around = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    return (around - 4 * x[:, 1:-1, 1:-1]).var((1, 2), correction=0)


def taken_back(pictures: Tensor) -> Tensor:
    """Return how much of each change of grey the next frame takes back, (T − 2,), mean over pixels."""
    change = grey(pictures).double().diff(dim=0)
    before, after = change[:-1], change[1:]
    back = torch.minimum(before.abs(), after.abs())
    return torch.where(before * after < 0, back, torch.zeros_like(back)).mean((1, 2))


class BesideTheRecording(VideoMetric):
    """A number of each side of a window, generated before real; nearest to the reference is best."""

    direction: ClassVar[Literal["down", "up", "reference"]] = "reference"

    @abstractmethod
    def quantity(self, pictures: Tensor) -> Tensor:
        """Return numbers (n,) of pictures (T, 3, H, W), whose mean is a window's number."""

    overlap: ClassVar[int] = 0
    """How many frames two pieces of a video share."""

    @torch.no_grad()
    def measure(self, pair: VideoPair) -> np.ndarray:
        """Return the window's numbers (2,); raises ValueError where real and generated differ in shape."""
        if pair.real.shape != pair.generated.shape:
            raise ValueError(f"frames differ: {tuple(pair.real.shape)} and {tuple(pair.generated.shape)}")
        sides = [
            torch.cat([self.quantity(piece) for piece in self._pieces(side)]).mean()
            for side in (pair.generated, pair.real)
        ]
        return torch.stack(sides).cpu().numpy()

    def _pieces(self, frames: Tensor) -> list[Tensor]:
        starts = range(0, len(frames) - self.overlap, CHUNK)
        return [frames[start : start + CHUNK + self.overlap] for start in starts]

    @staticmethod
    def _means(measured: Sequence[np.ndarray]) -> tuple[float, float]:
        """Return the means over windows, of generated and of real ones."""
        generated, real = np.stack(measured).mean(axis=0)
        return float(generated), float(real)


class Sharpness(BesideTheRecording):
    """The variance of the Laplacian of generated frames over that of real ones. Source: reading 88.

    1 is as sharp as the recording; raises NotMeasurableError where the recording is all of one grey.
    """

    decimals: ClassVar[int] = 2
    reference_is: ClassVar[str] = "the recording's own, 1"

    def quantity(self, pictures: Tensor) -> Tensor:
        return laplacian_variance(pictures)

    def score(self, measured: Sequence[np.ndarray]) -> float:
        generated, real = self._means(measured)
        if not real > 0:
            raise NotMeasurableError("sharpness: the recording is all of one grey")
        return generated / real

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        return 1.0


class Flicker(BesideTheRecording):
    """How much of each pixel's change the next frame takes back, in greys of 255. Source: reading 88.

    What moves on takes nothing back, so that no warp must be known; jumps, noise and boiling do. The
    reference is what the recording's own pixels do.
    """

    overlap: ClassVar[int] = 2

    def quantity(self, pictures: Tensor) -> Tensor:
        return GREYS * taken_back(pictures)

    def score(self, measured: Sequence[np.ndarray]) -> float:
        return self._means(measured)[0]

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        return self._means(measured)[1]


LAPLACIAN = "variance of the Laplacian of greys, over that of the recording, pictures not resized"
BACK = "change of grey, of 255, that the next frame takes back, mean over pixels, pictures not resized"


@register("metric", "reconstruction_sharpness", label="Sharpness", source="Pech-Pacheco 2000")
class ReconstructionSharpness(Sharpness):
    """Sharpness of reconstructed videos. Source: reading 88."""

    protocol: ClassVar[str] = f"self-reconstruction, {LAPLACIAN}"


@register("metric", "video_sharpness", label="Sharpness", source="Pech-Pacheco 2000")
class VideoSharpness(Sharpness):
    """Sharpness of videos made from speech. Source: reading 88."""

    protocol: ClassVar[str] = f"speech-driven, {LAPLACIAN}"


@register("metric", "reconstruction_flicker", label="Flicker", source="ours")
class ReconstructionFlicker(Flicker):
    """Flicker of reconstructed videos. Source: reading 88."""

    protocol: ClassVar[str] = f"self-reconstruction, {BACK}"


@register("metric", "video_flicker", label="Flicker", source="ours")
class VideoFlicker(Flicker):
    """Flicker of videos made from speech. Source: reading 88."""

    protocol: ClassVar[str] = f"speech-driven, {BACK}"
