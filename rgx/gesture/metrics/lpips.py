"""LPIPS: frames compared in the features of a network, and its stand-in in random features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.metrics.base import VideoPair
from rgx.gesture.metrics.pixels import FrameMetric
from rgx.gesture.nn.frozen import ALEXNET, FrozenConvolutions, pyramid, random_state, shapes
from rgx.gesture.nn.weights import Shapes, fingerprint_of_state, read_state, required
from rgx.registry import Outside, Place, register

IMAGENET_ALEXNET = Outside(
    "AlexNet trained on ImageNet",
    "torchvision's state dict, .pth or .safetensors, of which `features.*` is read",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "BSD-3-Clause",
    "233 MiB",
    "7be5be79",
)

LINEAR: Shapes = {f"lin{i}.model.1.weight": (1, layer.outputs, 1, 1) for i, layer in enumerate(ALEXNET)}
"""The weights that LPIPS v0.1 learnt for each channel of AlexNet."""


def shipped() -> str:
    """Return the path of LPIPS v0.1's linear weights, which torchmetrics carries, without importing it."""
    package = find_spec("torchmetrics")
    if package is None or not package.submodule_search_locations:
        raise InputError("LPIPS' linear weights come with torchmetrics: pip install torchmetrics")
    return str(Path(package.submodule_search_locations[0]) / "functional/image/lpips_models/alex.pth")


def unit(activations: Tensor) -> Tensor:
    """Return activations (B, D, H, W) of length 1 across channels, 0 where there are none."""
    return activations * (activations.square().sum(1, keepdim=True) + 1e-8).rsqrt()


class LPIPS(FrameMetric):
    """Σ over layers of the mean over places of Σ_c w_c (â_c − b̂_c)², â of length 1. Source: Zhang 2018."""

    direction: ClassVar[Literal["down", "up", "reference"]] = "down"
    _network: FrozenConvolutions | None = None
    _weights: Sequence[Tensor] = ()

    @abstractmethod
    def load(self) -> tuple[FrozenConvolutions, list[Tensor]]:
        """Return the network and a weight (C,) for each channel of each of its layers, on the CPU."""

    def prepare(self, device: str) -> None:
        """Load the weights onto a device; raises InputError for a file that is not them."""
        network, weights = self.load()
        self._network, self._weights = network.to(device), [w.to(device) for w in weights]

    def frames(self, pair: VideoPair) -> Tensor:
        if self._network is None:
            raise RuntimeError(f"{type(self).__name__}: prepare(device) comes before measure")
        # Its scaling layer on [−1, 1] is ImageNet's normalisation on [0, 1], which the network does.
        both = (self._network(x) for x in (pair.real, pair.generated))
        distance = pair.real.new_zeros(len(pair.real))
        for real, generated, weight in zip(*both, self._weights, strict=True):
            gap = (unit(real) - unit(generated)).square()
            distance += (gap * weight[:, None, None]).sum(1).mean((1, 2))
        return distance

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        """Return 0: real pictures compared with themselves."""
        return 0.0


@register("metric", "reconstruction_lpips", label="LPIPS", source="Zhang 2018; paper Table 3a")
class ReconstructionLPIPS(LPIPS):
    """LPIPS v0.1 in AlexNet. Source: Zhang 2018, reading 49.

    backbone: torchvision's state dict of AlexNet, as .pth or .safetensors; only `features.*` is read.
    linear: LPIPS v0.1's weights for AlexNet, by default those that torchmetrics carries.
    """

    protocol: ClassVar[str] = (
        "self-reconstruction, mean over frames, LPIPS v0.1 in AlexNet, inputs in [−1, 1], "
        "pictures not resized"
    )

    def __init__(self, backbone: Annotated[Place, IMAGENET_ALEXNET] = "", linear: Place = "") -> None:
        self.backbone, self.linear = backbone, linear

    def _paths(self) -> tuple[str, str]:
        what, otherwise = "torchvision's AlexNet weights", "use metric/reconstruction_lpips_random"
        backbone = required(self.backbone, "metric.reconstruction_lpips.backbone", what, otherwise)
        return backbone, self.linear or shipped()

    def fingerprint(self) -> str:
        backbone, linear = self._paths()
        return f"{fingerprint_of_state(backbone, shapes(ALEXNET))} {fingerprint_of_state(linear, LINEAR)}"

    def load(self) -> tuple[FrozenConvolutions, list[Tensor]]:
        backbone, linear = self._paths()
        network = FrozenConvolutions(ALEXNET, read_state(backbone, shapes(ALEXNET)))
        return network, [weight.flatten() for weight in read_state(linear, LINEAR).values()]


@register("metric", "reconstruction_lpips_random", label="LPIPS-random", source="ours, after Zhang 2018")
class ReconstructionLPIPSRandom(LPIPS):
    """LPIPS' formula in random convolutions, every weight w_c = 1. Source: ours, after Zhang 2018."""

    stand_in: ClassVar[bool] = True
    protocol: ClassVar[str] = (
        "self-reconstruction, mean over frames, LPIPS' formula in random convolutions with all weights 1, "
        "inputs in [−1, 1], pictures not resized"
    )

    def __init__(self, width: int = 32, layers: int = 4, seed: int = 0) -> None:
        for name, value in (("width", width), ("layers", layers)):
            if value < 1:
                raise InputError(f"metric.reconstruction_lpips_random.{name} = {value}: expected 1 or more")
        self.width, self.layers, self.seed = width, layers, seed

    def load(self) -> tuple[FrozenConvolutions, list[Tensor]]:
        layers = pyramid(self.width, self.layers)
        state = random_state(layers, self.seed)
        return FrozenConvolutions(layers, state), [torch.ones(self.width)] * self.layers
