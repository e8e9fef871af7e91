"""Poses to pictures, a few frames at a time: what every stage that makes pictures shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.animate.base import Animated, Animator, Control
from rgx.gesture.data.picture_pairs import Pictures
from rgx.gesture.external.mailbox import Mailbox
from rgx.gesture.external.requests import PoseRequest
from rgx.gesture.nn.precision import fast
from rgx.gesture.refine.base import Refiner
from rgx.gesture.types import WINDOW_FRAMES
from rgx.store.workspace import Workspace

CHUNK = 16
"""Frames rendered at once: memory is flat in the length of a clip."""
FRAMES = "frames.npy"


@torch.no_grad()
def animate(
    animator: Animator, source: tuple[Tensor, Tensor, Tensor], controls: Iterable[Control], device: str
) -> Iterator[Animated]:
    """Yield what an animator makes of a source for each chunk of what drives it.

    source: picture (1, 3, H, W), pose (1, K, 2) and valid (1, K).
    """
    with fast(device):
        begun = animator.begin(*(x.to(device) for x in source))
    for control in controls:
        with fast(device):
            yield animator.animate(begun, control)


@dataclass(frozen=True)
class DrivenWindow:
    """A window to be animated: what `animate` takes as its source, and what yields its controls anew.

    poses: (T, K, 2) with valid (T, K), which an animator outside rgx is given; None for control points.
    """

    source: tuple[Tensor, Tensor, Tensor]
    controls: Callable[[], Iterable[Control]]
    poses: tuple[Tensor, Tensor] | None = None


def animate_windows(
    animator: Animator, windows: Sequence[DrivenWindow], device: str, mailbox: Mailbox
) -> Iterator[Iterable[Animated]]:
    """Yield what an animator makes of each window, a chunk at a time, and tell how many are done.

    mailbox: where one outside rgx is asked, for all windows at once.
    """
    if animator.outside:
        requests = [_request(number, window) for number, window in enumerate(windows)]
        for animated in animator.answered(requests, mailbox):
            yield [animated]
        return
    for number, window in enumerate(windows, start=1):
        yield animate(animator, window.source, window.controls(), device)
        mailbox.say(number)


def _request(number: int, window: DrivenWindow) -> PoseRequest:
    if window.poses is None:
        raise InputError("an animator outside rgx is driven by landmarks: choose space: landmarks")
    picture, pose, valid = window.source
    poses, seen = window.poses
    before, driving = (pose.numpy(), valid.numpy()), (poses.numpy(), seen.numpy())
    return PoseRequest(f"{number:04d}", to_bytes(picture)[0], before, driving)


@torch.no_grad()
def refine(
    refiner: Refiner | None, animated: Iterable[Animated], pose: Tensor, valid: Tensor, device: str
) -> Iterator[Tensor]:
    """Yield pictures (B, 3, H, W) in [0, 1] for animated chunks of the poses (T, K, 2) with valid (T, K)."""
    for chunk, poses, seen in zip(animated, pose.split(CHUNK), valid.split(CHUNK), strict=True):
        shown = chunk.picture
        if refiner is not None:
            with fast(device):
                shown = refiner(shown, chunk.trusted, poses.to(device), seen.to(device))
        yield shown.float().clamp(0, 1)


@dataclass(frozen=True)
class Renderer:
    """An animator and, where the method has one, a refiner: poses to pictures in one go."""

    animator: Animator
    refiner: Refiner | None
    device: str

    def render(self, source: tuple[Tensor, Tensor, Tensor], pose: Tensor, valid: Tensor) -> Iterator[Tensor]:
        """Yield pictures (B, 3, H, W) in [0, 1] for chunks of poses (T, K, 2) with valid (T, K)."""
        controls = controls_of_poses(self.animator, pose, valid, self.device)
        animated = animate(self.animator, source, controls, self.device)
        return refine(self.refiner, animated, pose, valid, self.device)


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


def all_valid(pose: Tensor) -> Tensor:
    """Return valid (T, K) of generated poses (T, K, 2): every point."""
    return torch.ones(pose.shape[:-1], dtype=torch.bool)


@torch.no_grad()
def controls_of_poses(animator: Animator, pose: Tensor, valid: Tensor, device: str) -> Iterator[Control]:
    """Yield what drives of poses (T, K, 2) with valid (T, K), a chunk at a time, without a picture."""
    for poses, seen in zip(pose.split(CHUNK), valid.split(CHUNK), strict=True):
        with fast(device):
            yield animator.control(None, poses.to(device), seen.to(device))


@torch.no_grad()
def controls_of_points(animator: Animator, points: Tensor, device: str) -> Iterator[Control]:
    """Yield generated control points (T, N, 2) as what drives, a chunk at a time."""
    for chunk in points.split(CHUNK):
        yield animator.control_of(chunk.to(device))


@torch.no_grad()
def controls_of_frames(animator: Animator, pictures: Pictures, start: int) -> Iterator[Control]:
    """Yield what drives of a recorded window, a chunk at a time."""
    device = pictures.device
    for index in torch.arange(start, start + WINDOW_FRAMES).split(CHUNK):
        pose, valid = (x[index].to(device) for x in (pictures.pose, pictures.valid))
        with fast(device):
            yield animator.control(pictures.pictures(index), pose, valid)


def create_frames(workspace: Workspace, windows: int, size_px: int) -> np.memmap[Any, np.dtype[np.uint8]]:
    """Return room on disk for windows of frames (W, T, H, H, 3) uint8, which figures and films show."""
    shape = (windows, WINDOW_FRAMES, size_px, size_px, 3)
    return np.lib.format.open_memmap(workspace.folder / FRAMES, mode="w+", dtype=np.uint8, shape=shape)
