"""FVD's content-debiased form: the same distance in features that were learnt from hidden parts of videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from rgx.gesture.metrics.fgd import too_few
from rgx.gesture.metrics.fvd import FrechetVideoDistance
from rgx.gesture.nn.video_mae import GIANT, VideoMAE
from rgx.gesture.nn.weight_layout import Layout
from rgx.gesture.nn.weights import required
from rgx.gesture.types import WINDOW_FRAMES
from rgx.registry import Outside, Place, register

LAYOUT = Layout(VideoMAE)
VIT_GIANT = Outside(
    "VideoMAE V2 ViT-g tuned on Something-Something V2",
    "its state dict vit_g_hybrid_pt_1200e_ssv2_ft.pth, plain or in a checkpoint's entry for it",
    "https://huggingface.co/OpenGVLab/InternVideoMAE_models (mae-g/vit_g_hybrid_pt_1200e_ssv2_ft.pth), "
    "named by https://github.com/songweige/content-debiased-fvd",
    "not stated with the file",
    "about 4 GB",
)


class VideoMAEDistance(FrechetVideoDistance):
    """The distance in VideoMAE's features, which see motion more than content. Source: Ge 2024, reading 92.

    network: the weights, as that paper's code reads them. Each 16 frames in succession are a video; what is
    left of a window is not seen. The floor is drawn by `seed`.
    """

    decimals: ClassVar[int] = 2
    size_px: ClassVar[int] = GIANT.picture
    least_frames: ClassVar[int] = GIANT.frames
    width = GIANT.width

    def __init__(self, network: Annotated[Place, VIT_GIANT] = "", seed: int = 0) -> None:
        self.network, self.seed = network, seed
        self._network: nn.Module | None = None

    def _path(self) -> str:
        what, otherwise = "VideoMAE V2's ViT-g", "leave the metric out"
        return required(self.network, f"metric.{self.name}.network", what, otherwise)

    def remarks(self, samples: int, features: int | None = None) -> list[str]:
        return too_few("CD-FVD", samples * (WINDOW_FRAMES // GIANT.frames), self.width)

    def fingerprint(self) -> str:
        return LAYOUT.fingerprint(self._path())

    def prepare(self, device: str) -> None:
        """Load the network onto a device; raises InputError for a file that is not one."""
        self._network = LAYOUT.load(self._path()).to(device)

    def features(self, video: Tensor) -> Tensor:
        """Return features (videos, 1408), one row for each 16 frames in succession."""
        if self._network is None:
            raise RuntimeError(f"metric/{self.name}: prepare(device) comes before measure")
        # Its authors' code gives it pictures in [0, 1], not normalised as in its training.
        clips = (video / 2 + 0.5).split(GIANT.frames, dim=2)
        return torch.cat([self._network(clip) for clip in clips if clip.shape[2] == GIANT.frames])

    def sides(self, measured: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        real, generated = (side.reshape(-1, self.width) for side in super().sides(measured))
        return real, generated


PROTOCOL = "VideoMAE V2 ViT-g at 224 px (bilinear, low-pass where it shrinks), [0, 1], 16 frames a video"


@register("metric", "reconstruction_fvd_videomae", label="CD-FVD", source="Ge 2024")
class ReconstructionFVDVideoMAE(VideoMAEDistance):
    """Content-debiased FVD of reconstructed videos. Source: Ge 2024, reading 92."""

    name: ClassVar[str] = "reconstruction_fvd_videomae"
    protocol: ClassVar[str] = f"self-reconstruction, {PROTOCOL}"


@register("metric", "video_fvd_videomae", label="CD-FVD", source="Ge 2024")
class VideoFVDVideoMAE(VideoMAEDistance):
    """Content-debiased FVD of videos made from speech. Source: Ge 2024, reading 92."""

    name: ClassVar[str] = "video_fvd_videomae"
    protocol: ClassVar[str] = f"speech-driven, {PROTOCOL}"
