"""The contracts of the axes generator, fusion, style, residual, mask_ratio, decode and audio_init."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.types import Batch, MotionTokenizer


class Fusion(nn.Module):
    """What gesture features (B, N, D) take in of a speech memory (B, M, D)."""

    def read(self, memory: Tensor) -> Tensor:
        """Return what `forward` takes as memory: what can be made of it once for any number of passes."""
        return memory

    @abstractmethod
    def forward(self, x: Tensor, memory: Tensor, place: Tensor) -> Tensor:
        """Return what is taken in (B, N, D), to which the trunk adds what was there.

        memory as `read` gives it; place (N,) is each token's own position in it.
        """


class SpeakerStyle(nn.Module):
    """How a speaker's identity shapes gesture features."""

    @abstractmethod
    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """Return the styled features (B, N, D); speaker (B,) long."""


class MaskRatio(ABC):
    """How much of a window is masked in training."""

    @abstractmethod
    def draw(self, count: int) -> Tensor:
        """Return `count` ratios in [0, 1], from the global random state."""


@dataclass
class Decoding:
    """What a decoder sees: tokens (B, N) with those of the prefix fixed, and the model to ask.

    predict: tokens (B, N), masked positions (B, N) bool → logits (B, N, V).
    """

    tokens: Tensor
    masked: Tensor
    predict: Callable[[Tensor, Tensor], Tensor]


class Decode(ABC):
    """How masked tokens are filled in at inference, and how much more speech counts there than it did alone.

    guidance: 1 asks the model once a step, more pushes away from what it says without speech.
    """

    guidance: float = 1.0

    @abstractmethod
    def fill(self, decoding: Decoding) -> Tensor:
        """Return tokens (B, N) with every masked position predicted and all others untouched."""


class AudioInit(ABC):
    """Where the generator's speech encoders start from, and at what share of the learning rate they learn."""

    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, rate: float) -> None:
        if rate < 0:
            raise InputError(f"audio_init: expected a rate from 0, found rate = {rate}")
        self.rate = rate

    @abstractmethod
    def start(self, encoders: nn.ModuleDict, aligned: nn.ModuleDict | None) -> None:
        """Set the weights of the encoders (by stream) in place."""


class Generator(nn.Module):
    """Speech, the frames before a window and a speaker to motion."""

    needs_tokens: ClassVar[bool]
    speech: nn.ModuleDict

    def steady(self) -> Iterator[nn.Module]:
        """Yield the networks that see one shape at every step, which may be compiled."""
        yield from self.speech.values()

    @abstractmethod
    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        """Return the named scalar losses of a batch; their sum is minimised."""

    @abstractmethod
    def sample(
        self, batch: Batch, tokenizer: MotionTokenizer | None, decode: Decode, residual: Residual | None
    ) -> Tensor:
        """Return motion (B, T, K, 2); reads the batch's speech, prefix and speaker only."""


class Residual(nn.Module):
    """Base tokens to the tokens of the residual layers."""

    present: ClassVar[bool] = True
    speech: nn.ModuleDict

    def steady(self) -> Iterator[nn.Module]:
        """Yield the networks that see one shape at every step, which may be compiled."""
        yield from self.speech.values()

    @abstractmethod
    def losses(self, batch: Batch, tokenizer: MotionTokenizer) -> dict[str, Tensor]:
        """Return the named scalar losses of a batch."""

    @abstractmethod
    def extend(self, base: dict[str, Tensor], prefix: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return tokens (B, P + N, Q) of base tokens (B, N, 1) after those of the prefix (B, P, Q)."""
