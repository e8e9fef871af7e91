"""Axis discriminator: a patch discriminator conditioned on the structure map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.refine.base import Discriminator
from rgx.registry import register

PICTURE = 3


class SpectralConv(nn.Conv2d):
    """A convolution divided by its largest singular value, followed by one power step a training pass.

    Own code: torch's parametrization draws while it is built, which on the meta device imports the compiler.
    Source: Miyato et al. 2018.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding)
        self.direction: Tensor
        self.register_buffer("direction", torch.randn(outputs))

    def forward(self, x: Tensor) -> Tensor:
        # Not in the precision of an autocast region: a singular value to three digits drifts.
        with torch.autocast(x.device.type, enabled=False):
            weight = self.weight / self._largest(self.weight.flatten(1))
        return self._conv_forward(x, weight, self.bias)

    def _largest(self, matrix: Tensor) -> Tensor:
        """Return the estimate of the largest singular value; gradients reach the matrix."""
        with torch.no_grad():
            right = F.normalize(matrix.T @ self.direction, dim=0)
            left = F.normalize(matrix @ right, dim=0)
            if self.training:
                self.direction.copy_(left)
        return left @ (matrix @ right)


@register("discriminator", "patch", label="PatchGAN", source="eq. (8), reading 38")
class PatchDiscriminator(Discriminator):
    """One logit a patch of the picture beside its structure map; 70 px a patch at 3 layers.

    Source: Isola et al. 2017, with spectral normalisation in place of batch normalisation.
    """

    def __init__(self, map_channels: int, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        if layers < 1:
            raise InputError(f"discriminator.patch.layers = {layers}: expected at least 1")
        widths = [width * min(2**layer, 8) for layer in range(layers + 1)]
        shrinking = zip([PICTURE + map_channels, *widths], widths[:-1], strict=False)
        self.layers = nn.ModuleList(SpectralConv(a, b, 4, stride=2, padding=1) for a, b in shrinking)
        # Padded by 2, then by 1: together these two keep size and place, so small pictures work too.
        self.layers.append(SpectralConv(widths[-2], widths[-1], 4, stride=1, padding=2))
        self.last = SpectralConv(widths[-1], 1, 4, stride=1, padding=1)

    def forward(self, picture: Tensor, structure: Tensor) -> Tensor:
        x = torch.cat([2 * picture - 1, structure.to(picture)], dim=1)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        return self.last(x).to(picture)
