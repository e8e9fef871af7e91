"""Weight files as torchvision and lpips leave them, by name and shape, with random values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor

# torchvision's cfg "E": numbers are widths of convolutions, each with its ReLU, M is a pool.
CONFIGURATION_E = (64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M")
ALEXNET = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
"""Outputs, inputs and kernel of the convolutions among torchvision's `features`."""
LPIPS_WIDTHS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}


def vgg_features() -> list[tuple[str, int, int]]:
    """Return (kind, inputs, outputs) of each of torchvision's 37 `features` of VGG-19."""
    found: list[tuple[str, int, int]] = []
    inputs = 3
    for entry in CONFIGURATION_E:
        if isinstance(entry, str):
            found.append(("pool", 0, 0))
        else:
            found += [("conv", inputs, entry), ("relu", 0, 0)]
            inputs = entry
    return found


def vgg19_state() -> OrderedDict[str, Tensor]:
    """Return all 38 tensors of torchvision's `vgg19().state_dict()`."""
    layers = enumerate(vgg_features())
    features = {n: (outputs, inputs, 3) for n, (kind, inputs, outputs) in layers if kind == "conv"}
    return _state(features, {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)})


def alexnet_state() -> OrderedDict[str, Tensor]:
    """Return all 16 tensors of torchvision's `alexnet().state_dict()`."""
    return _state(ALEXNET, {1: (4096, 9216), 4: (4096, 4096), 6: (1000, 4096)})


def linear_state(network: str = "alex") -> OrderedDict[str, Tensor]:
    """Return the five tensors of the lpips package's `weights/v0.1/alex.pth`, or of `vgg.pth`."""
    draw = torch.Generator().manual_seed(1)
    widths = LPIPS_WIDTHS[network]
    return OrderedDict(
        (f"lin{n}.model.1.weight", torch.rand(1, width, 1, 1, generator=draw))
        for n, width in enumerate(widths)
    )


def hollow(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of the same names and shapes, of which a file holds one value each."""
    return {name: torch.zeros(1).expand(tensor.shape) for name, tensor in state.items()}


def _state(
    features: Mapping[int, tuple[int, int, int]], classifier: Mapping[int, tuple[int, int]]
) -> OrderedDict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    state: OrderedDict[str, Tensor] = OrderedDict()
    for n, (outputs, inputs, kernel) in features.items():
        weight = torch.randn(outputs, inputs, kernel, kernel, generator=draw)
        state[f"features.{n}.weight"] = weight * (2 / (inputs * kernel**2)) ** 0.5
        state[f"features.{n}.bias"] = torch.randn(outputs, generator=draw) * 0.1
    for n, shape in classifier.items():
        # Nothing here reads the classifier, which is five sixths of the file.
        state[f"classifier.{n}.weight"] = torch.zeros(1).expand(shape)
        state[f"classifier.{n}.bias"] = torch.zeros(1).expand(shape[:1])
    return state
