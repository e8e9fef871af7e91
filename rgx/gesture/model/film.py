"""Poses of any number to pictures by an animator and a refiner, as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, tee

import numpy as np
from torch import Tensor

from rgx.gesture.rendering import CHUNK, Renderer, all_valid, animate, controls_of_poses, refine, to_bytes


def film(
    renderer: Renderer, source: tuple[Tensor, Tensor, Tensor], poses: Iterable[Tensor]
) -> Iterator[np.ndarray]:
    """Yield frames (H, W, 3) uint8 of generated poses (N, K, 2); source as `animate` takes it."""
    ahead, beside = tee(chunk for some in poses for chunk in some.split(CHUNK))
    animator, device = renderer.animator, renderer.device
    controls = chain.from_iterable(controls_of_poses(animator, p, all_valid(p), device) for p in ahead)
    every = animate(animator, source, controls, device)
    for pose, animated in zip(beside, every, strict=True):
        for shown in refine(renderer.refiner, [animated], pose, all_valid(pose), device):
            yield from to_bytes(shown)
