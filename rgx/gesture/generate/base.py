"""The contracts of the axes by which speech becomes motion: generator, decode, sampler, residual and more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.generate.noise import Noise
from rgx.gesture.nn.precision import sent
from rgx.gesture.types import Batch, MotionTokenizer

if TYPE_CHECKING:
    from rgx.gesture.external.requests import AskedWindows


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


def positive(guidance: float, of: str) -> float:
    """Return a guidance; raises InputError for one that would turn away from the speech."""
    if not guidance > 0:
        raise InputError(f"{of}.guidance = {guidance}: expected a number above 0; 1 is without guidance")
    return guidance


@dataclass
class Decoding:
    """What a decoder sees: tokens (B, N) with those of the prefix fixed, and the model to ask.

    predict: tokens (B, N), masked positions (B, N) bool → logits (B, N, V). turns (N,) long: when each
    position comes, of a generator that goes on in time.
    """

    tokens: Tensor
    masked: Tensor
    predict: Callable[[Tensor, Tensor], Tensor]
    noise: Noise
    turns: Tensor | None = None


class Decode(ABC):
    """How tokens come about at inference, and how much more speech counts there than it did alone.

    guidance: 1 asks the model once a step, more pushes away from what it says without speech.
    """

    guidance: float = 1.0

    @abstractmethod
    def fill(self, decoding: Decoding) -> Tensor:
        """Return tokens (B, N) with every masked position predicted and all others untouched."""


class Filling(Decode):
    """Fills masked tokens in any order: of a model that sees all of the others."""


class Continuation(Decode):
    """Fills masked tokens turn by turn: of a model that sees what came before."""


@dataclass
class Denoising:
    """What a sampler sees: the path to noise, x_t = signal(t) x₀ + spread(t) ε, and the model to ask.

    predict: x (B, *shape), its time in (0, 1] (1 is all noise) and how far the step goes → x₀ (B, *shape);
    path: time → (signal, spread). All of it on `device`.
    """

    shape: tuple[int, ...]
    predict: Callable[[Tensor, float, float], Tensor]
    path: Callable[[float], tuple[float, float]]
    noise: Noise
    device: torch.device

    def start(self) -> Tensor:
        """Return the noise (B, *shape) that sampling begins from."""
        return self.path(1.0)[1] * sent(self.noise.normal(*self.shape), self.device)


class Sampler(ABC):
    """How noise becomes motion at inference; steps and guidance never retrain a generator.

    guidance: 1 asks the model once a step, more pushes away from what it says without speech.
    """

    steps: int
    guidance: float = 1.0

    @abstractmethod
    def run(self, denoising: Denoising) -> Tensor:
        """Return x₀ (B, *shape)."""


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


@dataclass(frozen=True)
class Inference:
    """What a generator may use at inference; it reads no more of it than its class says.

    noise: each window's own random numbers; without it they are drawn anew. asked: the windows as they were
    recorded, for a generator outside rgx.
    """

    tokenizer: MotionTokenizer | None = None
    decode: Decode | None = None
    residual: Residual | None = None
    sampler: Sampler | None = None
    noise: Noise | None = None
    asked: AskedWindows | None = None

    def draws(self, batch: Batch) -> Noise:
        """Return the random numbers of a batch's windows."""
        return self.noise if self.noise is not None else Noise.drawn(len(batch.speaker))


class Generator(nn.Module):
    """Speech, the frames before a window and a speaker to motion.

    Built with those of these shapes that its constructor names: tokenizer (or None), speech (the encoders of
    the alignment, by stream), features (how many numbers a frame of speech has), speakers, levels (how many
    points a frame of motion has, by level of a cascade: of landmarks those of face and body before those of
    the hands, of control points all at once), and heard (what the corpus holds of speech). Without `speech`
    it has no encoder that alignment could have trained, and `audio_init` says nothing of it; without `levels`
    it makes landmarks only. outside: whether another program does all of it, so that there is nothing to
    train and it reads recordings in place of features. needs_tokenizer: whether it works on what a tokenizer
    makes of motion. reads: which of decode, residual and sampler it uses at inference, each with the kind
    that fits; the others are no part of its motion.
    """

    needs_tokenizer: ClassVar[bool]
    outside: ClassVar[bool] = False
    reads: ClassVar[Mapping[str, type]] = MappingProxyType({})
    speech: nn.ModuleDict

    @classmethod
    def fingerprint(cls, **bound: Any) -> str:
        """Return the identity of what it reads from outside the store, by what is bound."""
        return ""

    def notes(self) -> list[str]:
        """Return what a table must say beside the numbers of its motion."""
        return []

    def steady(self) -> Iterator[nn.Module]:
        """Yield the networks that see one shape at every step, which may be compiled."""
        yield from self.speech.values()

    @abstractmethod
    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        """Return the named scalar losses of a batch; their sum is minimised."""

    @abstractmethod
    def sample(self, batch: Batch, inference: Inference) -> Tensor:
        """Return motion (B, T, K, 2); reads the batch's speech, prefix and speaker only."""


class SpanGenerator(Generator):
    """A generator that predicts some of a window's tokens from all of the others."""

    @abstractmethod
    def refill(self, batch: Batch, masked: dict[str, Tensor], inference: Inference) -> Tensor:
        """Return the motion (B, T, K, 2) of windows whose masked tokens, (B, N) bool a stream, are made anew.

        All layers of the other tokens stay what the batch's motion and prefix are encoded as.
        """


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
    def extend(
        self,
        base: dict[str, Tensor],
        prefix: dict[str, Tensor],
        batch: Batch,
        noise: Noise,
        known: Mapping[str, tuple[Tensor, Tensor]] | None = None,
    ) -> dict[str, Tensor]:
        """Return tokens (B, P + N, Q) of base tokens (B, N, 1) after those of the prefix (B, P, Q).

        known: by stream tokens (B, N, Q), and which of them (B, N) bool are to be predicted all the same.
        """
