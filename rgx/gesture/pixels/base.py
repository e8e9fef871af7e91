"""The contract of the axis pixels: speech to a window of small pictures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from torch import Tensor, nn

from rgx.gesture.generate.base import Sampler
from rgx.gesture.generate.noise import Noise
from rgx.gesture.types import PixelBatch


class PixelGenerator(nn.Module):
    """The sound of a window, and its source picture where it asks for that, to its pictures, small and few.

    Built with `picture_px`, the width of the corpus' pictures. It makes pictures `size_px` wide, the last one
    of every `every` frames of a window. reads: of which kind the sampler has to be.
    """

    size_px: int
    every: int
    reads: ClassVar[Mapping[str, type]] = MappingProxyType({"sampler": Sampler})

    @abstractmethod
    def losses(self, batch: PixelBatch) -> dict[str, Tensor]:
        """Return the named scalar losses of a batch; their sum is minimised."""

    @abstractmethod
    def sample(self, source: Tensor, sound: Tensor, sampler: Sampler, noise: Noise) -> Tensor:
        """Return video (B, 3, F, H, H) in [−1, 1]; source (B, 3, H, H) in [−1, 1], sound (B, S)."""
