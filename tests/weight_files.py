"""Weight files as others publish them, by name and shape, with random values or hollow."""

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


Shapes = dict[str, tuple[int, ...]]


def dover_shapes() -> Shapes:
    """Return the names and shapes of all 381 tensors of DOVER.pth."""
    shapes: Shapes = _affine("technical_backbone.patch_embed.proj", (96, 3, 2, 4, 4))
    shapes |= _affine("technical_backbone.patch_embed.norm", (96,))
    for layer, (depth, heads) in enumerate(((2, 3), (2, 6), (6, 12), (2, 24))):
        width, place = 96 * 2**layer, f"technical_backbone.layers.{layer}"
        for name in (f"{place}.blocks.{n}" for n in range(depth)):
            tables = ("relative", "fragment") if layer < 3 else ("relative",)
            shapes |= {f"{name}.attn.{t}_position_bias_table": (15 * 13 * 13, heads) for t in tables}
            shapes[f"{name}.attn.relative_position_index"] = (8 * 7 * 7, 8 * 7 * 7)
            for part, shape in (
                *(("norm1", (width,)), ("attn.qkv", (3 * width, width)), ("attn.proj", (width, width))),
                *(("norm2", (width,)), ("mlp.fc1", (4 * width, width)), ("mlp.fc2", (width, 4 * width))),
            ):
                shapes |= _affine(f"{name}.{part}", shape)
        if layer < 3:
            shapes[f"{place}.downsample.reduction.weight"] = (2 * width, 4 * width)
            shapes |= _affine(f"{place}.downsample.norm", (4 * width,))
    shapes |= _affine("technical_backbone.norm", (768,))
    widths = (96, 192, 384, 768)
    for stage, (width, depth) in enumerate(zip(widths, (3, 3, 9, 3), strict=True)):
        halving = f"aesthetic_backbone.downsample_layers.{stage}"
        if stage:
            shapes |= _affine(f"{halving}.0", (width // 2,))
            shapes |= _affine(f"{halving}.1", (width, width // 2, 1, 2, 2))
        else:
            shapes |= _affine(f"{halving}.0", (96, 3, 2, 4, 4)) | _affine(f"{halving}.1", (96,))
        for n in range(depth):
            name = f"aesthetic_backbone.stages.{stage}.{n}"
            shapes |= _affine(f"{name}.dwconv", (width, 1, 3 if n % 3 == 1 else 1, 7, 7))
            shapes |= _affine(f"{name}.norm", (width,)) | {f"{name}.gamma": (width,)}
            shapes |= _affine(f"{name}.pwconv1", (4 * width, width))
            shapes |= _affine(f"{name}.pwconv2", (width, 4 * width))
    shapes |= _affine("aesthetic_backbone.norm", (768,))
    for view in ("technical", "aesthetic"):
        shapes |= _affine(f"{view}_head.fc_hid", (64, 768, 1, 1, 1))
        shapes |= _affine(f"{view}_head.fc_last", (1, 64, 1, 1, 1))
    return shapes


# Of Inception's mixed blocks: inputs, and the widths of b0, b1a, b1b, b2a, b2b and b3b.
MIXED = {
    "3b": (192, 64, 96, 128, 16, 32, 32),
    "3c": (256, 128, 128, 192, 32, 96, 64),
    "4b": (480, 192, 96, 208, 16, 48, 64),
    "4c": (512, 160, 112, 224, 24, 64, 64),
    "4d": (512, 128, 128, 256, 24, 64, 64),
    "4e": (512, 112, 144, 288, 32, 64, 64),
    "4f": (528, 256, 160, 320, 32, 128, 128),
    "5b": (832, 256, 160, 320, 32, 128, 128),
    "5c": (832, 384, 192, 384, 48, 128, 128),
}


def i3d_shapes() -> Shapes:
    """Return the names and shapes of i3d_pretrained_400.pt, of which the counts of steps are left out."""
    units = {
        "Conv3d_1a_7x7": (64, 3, 7, 7, 7),
        "Conv3d_2b_1x1": (64, 64, 1, 1, 1),
        "Conv3d_2c_3x3": (192, 64, 3, 3, 3),
    }
    for place, (inputs, b0, b1a, b1b, b2a, b2b, b3b) in MIXED.items():
        name = f"Mixed_{place}"
        units |= {f"{name}.{b}": (n, inputs, 1, 1, 1) for b, n in (("b0", b0), ("b1a", b1a), ("b2a", b2a))}
        units |= {f"{name}.b1b": (b1b, b1a, 3, 3, 3), f"{name}.b2b": (b2b, b2a, 3, 3, 3)}
        units[f"{name}.b3b"] = (b3b, inputs, 1, 1, 1)
    shapes: Shapes = {f"{name}.conv3d.weight": shape for name, shape in units.items()}
    for name, (width, *_) in units.items():
        parts = ("weight", "bias", "running_mean", "running_var")
        shapes |= {f"{name}.bn.{part}": (width,) for part in parts}
    return shapes | _affine("logits.conv3d", (400, 1024, 1, 1, 1))


def video_mae_shapes() -> Shapes:
    """Return the names and shapes of all 526 tensors of vit_g_hybrid_pt_1200e_ssv2_ft.pth."""
    width, hidden = 1408, 6144
    shapes = _affine("patch_embed.proj", (width, 3, 2, 14, 14))
    for name in (f"blocks.{n}" for n in range(40)):
        shapes |= _affine(f"{name}.norm1", (width,)) | _affine(f"{name}.norm2", (width,))
        shapes |= {f"{name}.attn.{bias}_bias": (width,) for bias in "qv"}
        shapes[f"{name}.attn.qkv.weight"] = (3 * width, width)
        shapes |= _affine(f"{name}.attn.proj", (width, width))
        shapes |= _affine(f"{name}.mlp.fc1", (hidden, width)) | _affine(f"{name}.mlp.fc2", (width, hidden))
    return shapes | _affine("fc_norm", (width,)) | _affine("head", (174, width))


def drawn(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return tensors of these names and shapes that keep the scale of what they read; variances are 1."""
    draw, state = torch.Generator().manual_seed(0), {}
    for name, shape in shapes.items():
        inputs = torch.Size(shape[1:]).numel()
        state[name] = torch.randn(shape, generator=draw) * (2 / inputs) ** 0.5 * (1 if shape[1:] else 0.1)
        if name.endswith("running_var") or (name.endswith("bn.weight") and not shape[1:]):
            state[name] = torch.ones(shape)
    return state


def empty(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return tensors of these names and shapes, of which a file holds one value each."""
    return {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}


def _affine(name: str, weight: tuple[int, ...]) -> Shapes:
    return {f"{name}.weight": weight, f"{name}.bias": weight[:1]}


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
