"""The contract of the alignment axis."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from torch import Tensor, nn

from rgx.gesture.types import Batch


class Alignment(nn.Module):
    """Paired encoders of speech and gesture, one pair per stream (face, body)."""

    width: int
    speech: nn.ModuleDict
    """Speech encoders by stream: (B, T, F) → (B, N, D)."""
    gesture: nn.ModuleDict
    """Gesture encoders by stream: (B, T, C) → (B, N, D)."""

    def steady(self) -> Iterator[nn.Module]:
        """Yield the networks that see one shape at every step, which may be compiled."""
        yield from (*self.speech.values(), *self.gesture.values())

    @staticmethod
    def remarks(windows: int) -> list[str]:
        """Return in sentences what it cannot learn from batches of so many windows."""
        return []

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the named scalar losses of a batch; their sum is minimised."""

    @abstractmethod
    def embed(self, batch: Batch, stream: str) -> tuple[Tensor, Tensor]:
        """Return L2-normalised speech and gesture embeddings z^s, z^g, each (B, D)."""
