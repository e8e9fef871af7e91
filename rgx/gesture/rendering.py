"""Poses to pictures, a few frames at a time: what every stage that makes pictures shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rgx.gesture.animate.base import Animator
from rgx.gesture.data.picture_pairs import Pictures
from rgx.gesture.nn.precision import fast
from rgx.gesture.refine.base import Refiner
from rgx.gesture.types import WINDOW_FRAMES
from rgx.gesture.video.comparison import pick, strip
from rgx.store.workspace import Workspace

CHUNK = 16
"""Frames rendered at once: memory is flat in the length of a clip."""
STRIP_COLUMNS = 8


@dataclass(frozen=True)
class Renderer:
    """An animator and, where the method has one, a refiner."""

    animator: Animator
    refiner: Refiner | None
    device: str

    @torch.no_grad()
    def render(
        self, picture: Tensor, pose: Tensor, valid: Tensor, driving: Iterator[tuple[Tensor, Tensor, Tensor]]
    ) -> Iterator[Tensor]:
        """Yield pictures (B, 3, H, W) in [0, 1] for chunks of poses (B, K, 2), valid (B, K) and pictures.

        picture (1, 3, H, W), pose (1, K, 2), valid (1, K): the source. The driving pictures are read
        only by animators that a pose does not drive.
        """
        with fast(self.device):
            source = self.animator.begin(*(x.to(self.device) for x in (picture, pose, valid)))
        for chunk in driving:
            poses, seen, pictures = (x.to(self.device) for x in chunk)
            with fast(self.device):
                animated = self.animator.animate(source, poses, seen, pictures)
                shown = animated.picture
                if self.refiner is not None:
                    shown = self.refiner(shown, animated.trusted, poses, seen)
            yield shown.float().clamp(0, 1)


def to_bytes(pictures: Tensor) -> np.ndarray:
    """Return pictures (B, 3, H, W) in [0, 1] as (B, H, W, 3) uint8."""
    return (pictures.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def to_pictures(frames: np.ndarray, device: str) -> Tensor:
    """Return frames (B, H, W, 3) uint8 as pictures (B, 3, H, W) in [0, 1]."""
    return torch.tensor(np.asarray(frames), device=device).permute(0, 3, 1, 2).float() / 255


def source_of(pictures: Pictures, start: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the condition frame of a window: picture (1, 3, H, W), pose (1, K, 2), valid (1, K)."""
    index = torch.tensor([start - 1])
    return pictures.pictures(index), pictures.pose[index], pictures.valid[index]


def poses_in_chunks(pose: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield generated poses (T, K, 2) a chunk at a time: all valid, and no driving picture."""
    for poses in pose.split(CHUNK):
        seen = torch.ones(poses.shape[:-1], dtype=torch.bool)
        yield poses, seen, poses.new_zeros(len(poses), 3, 0, 0)


def save_strip(workspace: Workspace, pictures: Pictures, start: int, generated: np.ndarray) -> None:
    """Leave strip.png: real frames above generated ones, evenly spaced over one window."""
    real = pictures.frames[start : start + WINDOW_FRAMES]
    chosen = pick(WINDOW_FRAMES, STRIP_COLUMNS)
    rows = {"real": [real[i] for i in chosen], "made": [generated[i] for i in chosen]}
    Image.fromarray(strip(rows, pictures.size_px)).save(workspace.folder / "strip.png")
