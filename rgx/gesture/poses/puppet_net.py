"""Axis poses: a small network of one's own, for pictures in which no detector of people finds anybody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from rgx.errors import InputError
from rgx.gesture.nn.grid import resize
from rgx.gesture.poses.base import Extractor, same_size, scored
from rgx.gesture.poses.puppet_network import PoseNetwork
from rgx.gesture.skeleton import KEPT, POINTS
from rgx.registry import register


@register("poses", "puppet_net", label="Puppet net", source="ours, reading 124")
class PuppetNet(Extractor):
    """The network of the stage `pose_net`, trained on the corpus' own pictures; it knows the 123 kept points.

    It is blind until a stage gives it that network, so only stages of a sweep look with it.
    """

    people = 1
    alone = True
    networks: ClassVar[tuple[str, ...]] = ("pose_net",)

    def __init__(self) -> None:
        self.network: PoseNetwork | None = None
        self.device = "cpu"

    def looking_with(self, networks: Mapping[str, Any], device: str) -> PuppetNet:
        """Return one that looks with the network of `pose_net`, on a device."""
        sighted = PuppetNet()
        sighted.network, sighted.device = networks["pose_net"].to(device), device
        return sighted

    def track(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield (1, 133, 3) for each picture; raises InputError before a stage has given it its network."""
        if self.network is None:
            raise InputError("poses.puppet_net is trained by the stage pose_net: only a sweep uses it")
        for frame in same_size(frames):
            yield self._look(self.network, frame)

    @torch.no_grad()
    def _look(self, network: PoseNetwork, frame: np.ndarray) -> np.ndarray:
        """Return the person (1, 133, 3) of a picture (H, W, 3)."""
        height, width = frame.shape[:2]
        # One at a time: in a batch the last bits of a point depend on the pictures beside its own.
        picture = torch.tensor(frame.copy(), device=self.device).permute(2, 0, 1)[None].float() / 255
        points, logits = network(resize(picture, (network.size_px, network.size_px)))
        person = np.zeros((1, POINTS, 3), np.float32)
        places = (points.cpu().numpy() + 1) / 2 * np.array([width, height])
        person[:, KEPT] = scored(places, logits.sigmoid().cpu().numpy())
        return person
