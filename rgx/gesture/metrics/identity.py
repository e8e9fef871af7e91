"""Whether it is still the person of the source picture: faces in the features of EfficientNet-lite0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rgx.gesture.metrics.base import CHUNK, Box, VideoPair
from rgx.gesture.metrics.lite0 import Lite0Metric
from rgx.gesture.metrics.lpips import unit
from rgx.gesture.nn.grid import resize
from rgx.registry import register

FACE_PX, EVERY = 64, 4
"""The side that a face is brought to, and of how many frames one is looked at: faces change slowly."""


class FaceLikeness(Lite0Metric):
    """Cosine of a frame's features and the source picture's, in the box of the source's face.

    The network knows things and not people: it is no CSIM, which takes a network trained on faces. The
    reference is what real frames score: heads turn. Windows whose source shows no face add nothing.
    Source: reading 87.
    """

    direction: ClassVar[Literal["down", "up", "reference"]] = "up"
    stand_in: ClassVar[bool] = True
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    @torch.no_grad()
    def measure(self, pair: VideoPair) -> np.ndarray:
        """Return the cosine of each fourth generated frame and then of each fourth real one."""
        face = pair.source.face
        if face is None:
            return np.empty(0)
        source = self._looks(pair.source.picture, face)
        cosines = [
            F.cosine_similarity(self._looks(frames, face), source)
            for side in (pair.generated, pair.real)
            for frames in side[::EVERY].split(CHUNK)
        ]
        return torch.cat(cosines).double().cpu().numpy()

    def score(self, measured: Sequence[np.ndarray]) -> float:
        """Return the mean over generated frames."""
        return float(np.concatenate([np.split(cosines, 2)[0] for cosines in measured]).mean())

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        """Return the mean over real frames."""
        return float(np.concatenate([np.split(cosines, 2)[1] for cosines in measured]).mean())

    def _looks(self, frames: Tensor, face: Box) -> Tensor:
        """Return the features (B, D) of frames (B, 3, H, W) in a box: all levels, averaged over places."""
        top, bottom, left, right = face
        levels = self.eye.network(resize(frames[..., top:bottom, left:right], (FACE_PX, FACE_PX)))
        return torch.cat([unit(level).mean((2, 3)) for level in levels], dim=1)


FACES = (
    f"cosine of EfficientNet-lite0's features in the box of the source's face, at {FACE_PX} px (bilinear), "
    f"mean over every {EVERY}th frame"
)


@register("metric", "reconstruction_identity_lite0", label="ID-lite0", source="ours")
class ReconstructionIdentityLite0(FaceLikeness):
    """Identity of reconstructed videos. Source: reading 87."""

    name: ClassVar[str] = "reconstruction_identity_lite0"
    protocol: ClassVar[str] = f"self-reconstruction, {FACES}"


@register("metric", "video_identity_lite0", label="ID-lite0", source="ours")
class VideoIdentityLite0(FaceLikeness):
    """Identity of videos made from speech. Source: reading 87."""

    name: ClassVar[str] = "video_identity_lite0"
    protocol: ClassVar[str] = f"speech-driven, {FACES}"
