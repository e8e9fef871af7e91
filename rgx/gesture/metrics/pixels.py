"""Real and generated frames compared pixel by pixel: PSNR and SSIM, of whole pictures and of hands."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from rgx.gesture.metrics.base import VideoMetric, VideoPair
from rgx.registry import register

SIGMA_PX, REACH_PX = 1.5, 5
"""Of SSIM's Gaussian window. Source: Wang 2004."""
DARK, FLAT = 0.01**2, 0.03**2
"""Keep SSIM finite where pictures in [0, 1] are dark, or flat. Source: Wang 2004."""
CAP_DB = 100.0
"""The PSNR of frames whose difference is no more than rounding, which would be infinite."""


class FrameMetric(VideoMetric):
    """A number per frame, averaged over the frames of all windows that have one."""

    direction: ClassVar[Literal["down", "up", "reference"]] = "up"

    @abstractmethod
    def frames(self, pair: VideoPair) -> Tensor:
        """Return the numbers (n,) of a few frames; a frame that says nothing has none."""

    @torch.no_grad()
    def measure(self, pair: VideoPair) -> np.ndarray:
        """Return one number a frame; raises ValueError where real and generated differ in shape."""
        return torch.cat([self.frames(chunk).double().cpu() for chunk in pair.chunks]).numpy()

    def score(self, measured: Sequence[np.ndarray]) -> float:
        """Return the mean, NaN when no frame has a number."""
        values = np.concatenate([*measured, np.empty(0)])
        return float(values.mean()) if len(values) else float("nan")

    def part(self, measures: np.ndarray) -> tuple[float, float]:
        return float(measures.mean()), float(len(measures))


def psnr(squared_error: Tensor) -> Tensor:
    """Return PSNR in dB of mean squared errors (n,) of pictures in [0, 1], at most CAP_DB."""
    # Equal frames would be at infinity and take every mean with them.
    return -10 * squared_error.clamp(min=10 ** (-CAP_DB / 10)).log10()


def ssim_map(pair: VideoPair) -> Tensor:
    """Return SSIM where a window lies inside the picture, (B, H − 10, W − 10), mean of the channels, float64.

    The border is left out as the reference does, whose windows never look beyond. Source: Wang 2004.
    Where pictures are flat, a variance is the difference of nearly equal squares: float32 put puppets at
    64 px 1.3e-4 too low.
    """
    real, generated = pair.real.double(), pair.generated.double()
    rows, columns = (blur(side).to(real) for side in real.shape[-2:])
    moments = torch.stack([real, generated, real * real, generated * generated, real * generated])
    # Two products with a matrix: a Gaussian is one along each side.
    x, y, xx, yy, xy = (rows @ moments @ columns.T).unbind()
    variance = (xx - x * x) + (yy - y * y)
    brightness = (2 * x * y + DARK) / (x * x + y * y + DARK)
    return (brightness * (2 * (xy - x * y) + FLAT) / (variance + FLAT)).mean(1)


@cache
def blur(side: int) -> Tensor:
    """Return the Gaussian window wherever it lies inside a side, as a matrix (side − 10, side)."""
    reach = torch.arange(-REACH_PX, REACH_PX + 1)
    weights = torch.exp(-0.5 * (reach.double() / SIGMA_PX).square())
    places = torch.arange(REACH_PX, side - REACH_PX)[:, None] + reach
    matrix = torch.zeros(len(places), side, dtype=torch.float64)
    return matrix.scatter_(1, places, (weights / weights.sum()).expand(len(places), -1))


def without_border(pictures: Tensor) -> Tensor:
    """Return of pictures (…, H, W) the pixels that `ssim_map` has a number of."""
    return pictures[..., REACH_PX:-REACH_PX, REACH_PX:-REACH_PX]


def inside(values: Tensor, hands: Tensor) -> Tensor:
    """Return the means (n,) of values (B, H, W) inside hands (B, 1, H, W), of the frames that show a hand."""
    box = hands[:, 0]
    area = box.sum((1, 2))
    # A mean over the box, not over the picture: hands are small.
    return ((values * box).sum((1, 2)) / area)[area > 0]


def squared_error(pair: VideoPair) -> Tensor:
    """Return squared errors (B, H, W), the mean of the channels."""
    return (pair.generated.double() - pair.real.double()).square().mean(1)


def source_error(pair: VideoPair) -> Tensor:
    """Return squared errors (B, H, W) of the source picture in the place of every frame."""
    return (pair.source.picture.double() - pair.real.double()).square().mean(1)


class SelfSimilar(FrameMetric):
    """SSIM-like numbers: real frames are at 1 from themselves."""

    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        """Return 1: real pictures compared with themselves."""
        return 1.0


@register("metric", "reconstruction_psnr", label="PSNR", source="paper Table 3a")
class ReconstructionPSNR(FrameMetric):
    """−10 log₁₀ of the mean squared error of a frame. Source: reading 49.

    The reference stays empty: real frames would score CAP_DB by definition.
    """

    unit: ClassVar[str] = "dB"
    decimals: ClassVar[int] = 2
    range: ClassVar[tuple[float, float]] = (0.0, CAP_DB)
    protocol: ClassVar[str] = "self-reconstruction, mean over frames, data range 1, pictures not resized"

    def frames(self, pair: VideoPair) -> Tensor:
        return psnr(pair.once(squared_error).mean((1, 2)))


@register("metric", "reconstruction_hand_psnr", label="PSNR (hands)", source="paper Table 3a; boxes ours")
class ReconstructionHandPSNR(ReconstructionPSNR):
    """PSNR in the boxes around the real hands; frames without one add nothing. Source: ours."""

    protocol: ClassVar[str] = (
        "self-reconstruction, inside the boxes around the real hands, mean over frames that show one, "
        "data range 1, pictures not resized"
    )

    def frames(self, pair: VideoPair) -> Tensor:
        return psnr(inside(pair.once(squared_error), pair.hands))


@register("metric", "reconstruction_psnr_gain", label="PSNR gain", source="ours")
class ReconstructionPSNRGain(ReconstructionPSNR):
    """By how much PSNR is above that of the source picture repeated, which moves nothing. Source: reading 89.

    Below 0 a system had better copy its source. The reference stays empty, as of PSNR.
    """

    range: ClassVar[tuple[float, float]] = (-CAP_DB, CAP_DB)
    protocol: ClassVar[str] = (
        "self-reconstruction, PSNR less that of the source frame repeated, mean over frames, data range 1, "
        "pictures not resized"
    )

    def frames(self, pair: VideoPair) -> Tensor:
        still, error = pair.once(source_error), pair.once(squared_error)
        return psnr(error.mean((1, 2))) - psnr(still.mean((1, 2)))


@register("metric", "reconstruction_hand_psnr_gain", label="PSNR gain (hands)", source="ours")
class ReconstructionHandPSNRGain(ReconstructionPSNRGain):
    """The gain in the boxes around the real hands; frames without one add nothing. Source: reading 89."""

    protocol: ClassVar[str] = (
        "self-reconstruction, PSNR less that of the source frame repeated, inside the boxes around the real "
        "hands, mean over frames that show one, data range 1, pictures not resized"
    )

    def frames(self, pair: VideoPair) -> Tensor:
        errors = (pair.once(squared_error), pair.once(source_error))
        generated, still = (psnr(inside(error, pair.hands)) for error in errors)
        return generated - still


@register("metric", "reconstruction_ssim", label="SSIM", source="Wang 2004; paper Sec. 5.4", version=3)
class ReconstructionSSIM(SelfSimilar):
    """Structural similarity, mean over pixels and channels. Source: Wang 2004, reading 49."""

    protocol: ClassVar[str] = (
        "self-reconstruction, mean over frames, Gaussian window of 11 px (sigma 1.5) inside the picture, "
        "data range 1, pictures not resized"
    )

    def frames(self, pair: VideoPair) -> Tensor:
        return pair.once(ssim_map).mean((1, 2))


@register(
    "metric", "reconstruction_hand_ssim", label="SSIM (hands)", source="Wang 2004; boxes ours", version=3
)
class ReconstructionHandSSIM(SelfSimilar):
    """SSIM at the pixels inside the boxes around the real hands. Source: Wang 2004; boxes ours.

    Windows of pixels near a box's edge look beyond it, and never beyond the picture: boxes are cut where they
    would. Frames without hands add nothing.
    """

    protocol: ClassVar[str] = (
        "self-reconstruction, at the pixels inside the boxes around the real hands, mean over frames that "
        "show one, Gaussian window of 11 px (sigma 1.5) inside the picture, data range 1, "
        "pictures not resized"
    )

    def frames(self, pair: VideoPair) -> Tensor:
        return inside(pair.once(ssim_map), without_border(pair.hands))
