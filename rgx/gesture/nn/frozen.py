"""Convolutional networks that are never trained: torchvision's trunks, and random ones of the same build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Layer:
    """A convolution and its ReLU, after a max-pool of stride 2 and width `pool` unless that is 0.

    place: its number among torchvision's `features`; shown: whether its activations are returned.
    """

    place: int
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    pool: int = 0
    shown: bool = True

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The names and shapes of its weights in torchvision's state dict."""
        name = f"features.{self.place}"
        weight = (self.outputs, self.inputs, self.kernel, self.kernel)
        return {f"{name}.weight": weight, f"{name}.bias": (self.outputs,)}


VGG_19 = (
    Layer(0, 3, 64),
    Layer(2, 64, 64, shown=False),
    Layer(5, 64, 128, pool=2),
    Layer(7, 128, 128, shown=False),
    Layer(10, 128, 256, pool=2),
    *(Layer(place, 256, 256, shown=False) for place in (12, 14, 16)),
    Layer(19, 256, 512, pool=2),
    *(Layer(place, 512, 512, shown=False) for place in (21, 23, 25)),
    Layer(28, 512, 512, pool=2),
)
"""Up to relu5_1, which is as deep as anything here looks. Source: Simonyan 2015, configuration E."""

ALEXNET = (
    Layer(0, 3, 64, kernel=11, stride=4, padding=2),
    Layer(3, 64, 192, kernel=5, padding=2, pool=3),
    Layer(6, 192, 384, pool=3),
    Layer(8, 384, 256),
    Layer(10, 256, 256),
)
"""Source: Krizhevsky 2014, as torchvision builds it."""


def pyramid(width: int, layers: int) -> tuple[Layer, ...]:
    """Return layers of one width, each after the first at half the resolution of the one before."""
    first = Layer(0, 3, width)
    return (first, *(Layer(place, width, width, stride=2) for place in range(1, layers)))


def shapes(layers: Sequence[Layer]) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of all weights."""
    return {name: shape for layer in layers for name, shape in layer.shapes.items()}


def random_weight(shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
    """Return a convolution's weight that keeps the scale of what it reads. Source: He 2015.

    Drawn by numpy, so that no device, torch build or global seed changes it.
    """
    deviation = np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy((deviation * random.standard_normal(shape)).astype(np.float32))


def random_state(layers: Sequence[Layer], seed: int) -> dict[str, Tensor]:
    """Return weights drawn from a seed, with biases of zero."""
    random, zero = np.random.default_rng(seed), np.zeros
    return {
        name: random_weight(shape, random) if len(shape) > 1 else torch.from_numpy(zero(shape, np.float32))
        for name, shape in shapes(layers).items()
    }


def normalise(picture: Tensor) -> Tensor:
    """Return pictures (…, 3, H, W) in [0, 1] as networks trained on ImageNet expect them."""
    mean, std = (picture.new_tensor(x)[:, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))
    return (picture - mean) / std


class FrozenConvolutions(nn.Module):
    """The activations of fixed convolutions; it has no parameters and leaves nothing in a state dict."""

    def __init__(self, layers: Sequence[Layer], state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.mean: Tensor
        self.std: Tensor
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
        for name in shapes(layers):
            self.register_buffer(name.replace(".", "_"), state[name], persistent=False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return the shown activations of pictures (B, 3, H, W) in [0, 1]; raises ValueError if too small."""
        # Not `normalise`, which makes both anew: a GPU would be waited for each time.
        x, shown = (picture - self.mean.to(picture)) / self.std.to(picture), []
        for layer in self.layers:
            if layer.pool:
                if min(x.shape[-2:]) < layer.pool:
                    size = " × ".join(map(str, picture.shape[-2:]))
                    raise ValueError(f"a picture of {size} px is too small for features.{layer.place}")
                x = F.max_pool2d(x, layer.pool, stride=2)
            weight, bias = (self.get_buffer(name.replace(".", "_")) for name in layer.shapes)
            x = F.relu(F.conv2d(x, weight, bias, layer.stride, layer.padding))
            if layer.shown:
                shown.append(x)
        return shown
