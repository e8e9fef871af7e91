"""Axis perceptual: features in which two pictures are compared."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.nn.efficientnet_lite0 import SIZES, WEIGHTS_SHA256, EfficientNetLite0, weights_path
from rgx.gesture.nn.frozen import VGG_19, FrozenConvolutions, pyramid, random_state, shapes
from rgx.gesture.nn.precision import laid_out
from rgx.gesture.nn.weights import fingerprint_of_state, read_state, required
from rgx.registry import Outside, Place, register

IMAGENET_VGG_19 = Outside(
    "VGG-19 trained on ImageNet",
    "torchvision's state dict, .pth or .safetensors, of which `features.*` is read",
    "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    "BSD-3-Clause",
    "548 MiB",
    "dcbb9e9d",
)


class PerceptualFeatures(nn.Module):
    """A fixed network whose activations tell pictures apart; `prepare` loads it before use."""

    note: ClassVar[str] = ""
    """What a table must say of numbers that this network had a part in."""

    def fingerprint(self) -> str:
        """Return the identity of pretrained weights; raises InputError for a file that is not them."""
        return ""

    def prepare(self, device: str) -> None:
        """Load the weights, frozen, on a device."""

    @abstractmethod
    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return activations, shallow to deep, of pictures (B, 3, H, W) in [0, 1]."""

    def distance(self, generated: Tensor, real: Tensor) -> Tensor:
        """Return the mean absolute difference of activations over all layers; gradients reach the first."""
        return layers_apart(self(generated), self(real))


def layers_apart(generated: list[Tensor], real: list[Tensor]) -> Tensor:
    """Return the mean absolute differences of activations, summed over layers; gradients reach the first."""
    return sum(
        # The real picture's side needs no gradient: half of the memory.
        ((a - b.detach()).abs().mean() for a, b in zip(generated, real, strict=True)),
        # Summed in full precision, whatever the activations are in.
        start=generated[0].new_zeros((), dtype=torch.promote_types(generated[0].dtype, torch.float32)),
    )


class ConvolutionFeatures(PerceptualFeatures):
    """Activations of frozen convolutions; without parameters and absent from every state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.network: nn.Module | None = None

    @abstractmethod
    def load(self) -> nn.Module:
        """Return the network on the CPU."""

    def prepare(self, device: str) -> None:
        """Load or draw the weights onto a device; raises InputError for a file that is not them."""
        self.network = laid_out(self.load().to(device), device)

    def forward(self, picture: Tensor) -> list[Tensor]:
        if self.network is None:
            raise RuntimeError(f"{type(self).__name__}: prepare(device) comes before features")
        activations: list[Tensor] = self.network(picture)
        return activations


@register("perceptual", "vgg19", label="VGG-19", source="Johnson 2016; Simonyan 2015; reading 29")
class VGG19(ConvolutionFeatures):
    """relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 of VGG-19, ImageNet's normalisation inside.

    weights: torchvision's state dict of VGG-19, as .pth or .safetensors; only `features.*` is read.
    Source: Johnson 2016 (the loss), Simonyan 2015 (the network), reading 29 (the layers).
    """

    def __init__(self, weights: Annotated[Place, IMAGENET_VGG_19] = "") -> None:
        super().__init__()
        self.weights = weights

    def _path(self) -> str:
        what, otherwise = "torchvision's VGG-19 weights", "use perceptual/random_features"
        return required(self.weights, "perceptual.vgg19.weights", what, otherwise)

    def fingerprint(self) -> str:
        return fingerprint_of_state(self._path(), shapes(VGG_19))

    def load(self) -> FrozenConvolutions:
        return FrozenConvolutions(VGG_19, read_state(self._path(), shapes(VGG_19)))


@register("perceptual", "efficientnet_lite0", label="EfficientNet-lite0", source="Tan 2019; reading 85")
class EfficientNetFeatures(ConvolutionFeatures):
    """The finest `levels` levels of EfficientNet-lite0, each divided by its size on photographs.

    Trained on ImageNet as VGG-19 is, its weights come with the extra `perceptual`. Three levels, down to an
    eighth of a picture, cost a step of 64 px about what random features do. Raises InputError for another
    number of levels than 1 to 5. Source: Tan 2019 (the network), reading 85 (the levels).
    """

    note = "The perceptual loss is measured in EfficientNet-lite0, not VGG-19."

    def __init__(self, levels: int = 3) -> None:
        super().__init__()
        if not 1 <= levels <= len(SIZES):
            raise InputError(f"perceptual.efficientnet_lite0.levels = {levels}: expected 1 to {len(SIZES)}")
        self.levels = levels

    def _path(self) -> str:
        return weights_path("perceptual/efficientnet_lite0", "use --set perceptual=random_features")

    def fingerprint(self) -> str:
        self._path()
        return WEIGHTS_SHA256

    def load(self) -> nn.Module:
        return EfficientNetLite0(self._path(), self.levels)

    def forward(self, picture: Tensor) -> list[Tensor]:
        levels = super().forward(picture)
        return [level / size for level, size in zip(levels, SIZES[: self.levels], strict=True)]


@register("perceptual", "random_features", label="random features")
class RandomFeatures(ConvolutionFeatures):
    """A pyramid of random convolutions, the same for the same seed everywhere. Source: ours.

    It stands in for VGG-19 where its weights are not at hand: a picture equal to another is at
    distance 0, and edges and colours count, but nothing it tells apart was learnt.
    """

    note = "The perceptual loss is measured in random features, not VGG-19."

    def __init__(self, width: int = 32, layers: int = 4, seed: int = 0) -> None:
        super().__init__()
        for name, value in (("width", width), ("layers", layers)):
            if value < 1:
                raise InputError(f"perceptual.random_features.{name} = {value}: expected 1 or more")
        self.width, self.layers, self.seed = width, layers, seed

    def load(self) -> FrozenConvolutions:
        layers = pyramid(self.width, self.layers)
        return FrozenConvolutions(layers, random_state(layers, self.seed))
