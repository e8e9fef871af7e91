"""Real and generated frames compared pixel by pixel: PSNR and SSIM, of whole pictures and of hands."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from rgx.gesture.metrics.base import VideoMetric, VideoPair
from rgx.registry import register

CHUNK = 16
"""Frames looked at together: memory does not grow with the length of a window."""
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
        if pair.real.shape != pair.generated.shape:
            raise ValueError(f"frames differ: {tuple(pair.real.shape)} and {tuple(pair.generated.shape)}")
        pieces = zip(*(x.split(CHUNK) for x in (pair.real, pair.generated, pair.hands)), strict=True)
        return torch.cat([self.frames(VideoPair(*piece)).double().cpu() for piece in pieces]).numpy()

    def score(self, measured: Sequence[np.ndarray]) -> float:
        """Return the mean, NaN when no frame has a number."""
        values = np.concatenate([*measured, np.empty(0)])
        return float(values.mean()) if len(values) else float("nan")


def psnr(squared_error: Tensor) -> Tensor:
    """Return PSNR in dB of mean squared errors (n,) of pictures in [0, 1], at most CAP_DB."""
    # Equal frames would be at infinity and take every mean with them.
    return -10 * squared_error.clamp(min=10 ** (-CAP_DB / 10)).log10()


def ssim_map(generated: Tensor, real: Tensor) -> Tensor:
    """Return SSIM at every pixel, (B, H, W), the mean of the channels. Source: Wang 2004."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    _, full = structural_similarity_index_measure(
        generated,
        real,
        gaussian_kernel=True,
        sigma=1.5,
        k1=0.01,
        k2=0.03,
        data_range=1.0,
        reduction="none",
        return_full_image=True,
    )
    return full.mean(1)


def inside(values: Tensor, hands: Tensor) -> Tensor:
    """Return the means (n,) of values (B, H, W) inside hands (B, 1, H, W), of the frames that show a hand."""
    box = hands[:, 0]
    area = box.sum((1, 2))
    # A mean over the box, not over the picture: hands are small.
    return ((values * box).sum((1, 2)) / area)[area > 0]


def squared_error(pair: VideoPair) -> Tensor:
    """Return squared errors (B, H, W), the mean of the channels."""
    return (pair.generated.double() - pair.real.double()).square().mean(1)


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
        return psnr(squared_error(pair).mean((1, 2)))


@register("metric", "reconstruction_hand_psnr", label="PSNR (hands)", source="paper Table 3a; boxes ours")
class ReconstructionHandPSNR(ReconstructionPSNR):
    """PSNR in the boxes around the real hands; frames without one add nothing. Source: ours."""

    protocol: ClassVar[str] = (
        "self-reconstruction, inside the boxes around the real hands, mean over frames that show one, "
        "data range 1, pictures not resized"
    )

    def frames(self, pair: VideoPair) -> Tensor:
        return psnr(inside(squared_error(pair), pair.hands))


@register("metric", "reconstruction_ssim", label="SSIM", source="Wang 2004; paper Sec. 5.4")
class ReconstructionSSIM(SelfSimilar):
    """Structural similarity, mean over pixels and channels. Source: Wang 2004, reading 49."""

    protocol: ClassVar[str] = (
        "self-reconstruction, mean over frames, Gaussian window of 11 px (sigma 1.5), data range 1, "
        "pictures not resized"
    )

    def frames(self, pair: VideoPair) -> Tensor:
        return ssim_map(pair.generated, pair.real).mean((1, 2))


@register("metric", "reconstruction_hand_ssim", label="SSIM (hands)", source="Wang 2004; boxes ours")
class ReconstructionHandSSIM(SelfSimilar):
    """SSIM at the pixels inside the boxes around the real hands. Source: Wang 2004; boxes ours.

    Windows of pixels near a box's edge look beyond it. Frames without hands add nothing.
    """

    protocol: ClassVar[str] = (
        "self-reconstruction, at the pixels inside the boxes around the real hands, mean over frames that "
        "show one, Gaussian window of 11 px (sigma 1.5), data range 1, pictures not resized"
    )

    def frames(self, pair: VideoPair) -> Tensor:
        return inside(ssim_map(pair.generated, pair.real), pair.hands)
