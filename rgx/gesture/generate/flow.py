"""Axis generator: flow matching on a tokenizer's latents, in one step or two, as GestureLSM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.generate.base import Denoising, Generator, Inference
from rgx.gesture.generate.chaining import go_on
from rgx.gesture.generate.flow_network import VelocityNetwork
from rgx.gesture.generate.hearing import Hearing
from rgx.gesture.generate.samplers import Euler
from rgx.gesture.generate.speech_content import silence_some
from rgx.gesture.nn.precision import sent
from rgx.gesture.types import FRAMES_PER_TOKEN, PREFIX_TOKENS, Batch, MotionTokenizer
from rgx.registry import register
from rgx.shares import share_rows

HALVINGS = 7
"""The least of the two steps that one is learned from is 2 to the power of minus so many: 1 / 128."""
TIMES = 2.0, 1.2
"""Of the beta distribution of how much motion there is in what the flow is learned from."""


def straight_path(time: float) -> tuple[float, float]:
    """Return how much of the latents and of noise there is at a time in [0, 1]."""
    return 1 - time, time


def window_latents(tokenizer: MotionTokenizer, batch: Batch) -> Tensor:
    """Return what is decoded of windows, the prefix first: (B, P + N, S, D), the sum of all layers' codes."""
    tokens = tokenizer.window_tokens(batch)
    return torch.stack(
        [
            torch.stack([tokenizer.codebook(s, q)[own[..., q]] for q in range(own.shape[-1])]).sum(dim=0)
            for s, own in tokens.items()
        ],
        dim=2,
    )


class LatentScale(nn.Module):
    """Mean and deviation of each stream's latents (S, D), as the first batch of a training has them."""

    mean: Tensor
    deviation: Tensor
    started: Tensor

    def __init__(self, streams: int, latent: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(streams, latent))
        self.register_buffer("deviation", torch.ones(streams, latent))
        self.register_buffer("started", torch.tensor(False))

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        """Measure latents (B, N, S, D), once."""
        # Chosen in the tensor: a step does not wait for the device to say whether it has begun.
        mean, deviation = latents.mean(dim=(0, 1)), latents.std(dim=(0, 1)).clamp(min=1e-3)
        self.mean.copy_(torch.where(self.started, self.mean, mean))
        self.deviation.copy_(torch.where(self.started, self.deviation, deviation))
        self.started.fill_(True)

    def forward(self, latents: Tensor) -> Tensor:
        """Return latents in units of their deviation."""
        return (latents - self.mean) / self.deviation

    def undo(self, latents: Tensor) -> Tensor:
        """Return latents as the tokenizer decodes them."""
        return latents * self.deviation + self.mean


@register("generator", "flow", label="Flow", source="GestureLSM; readings 128 to 130")
class FlowGenerator(Generator):
    """Noise to latents along straight lines, in steps of any size that a power of two divides.

    The network says which way a latent goes, and is told how far it will go: of a share of the windows it
    learns that one step is what two of half its size come to. condition_dropout: of how many windows the
    speech is silent in training, which guidance needs. Raises InputError for a share out of range.
    """

    needs_tokenizer = True
    reads: ClassVar[Mapping[str, type]] = {"sampler": Euler}

    def __init__(
        self,
        tokenizer: MotionTokenizer | None,
        features: int,
        speakers: int,
        width: int = 256,
        listening_layers: int = 3,
        layers: int = 8,
        heads: int = 4,
        dropout: float = 0.1,
        speech_width: int = 256,
        condition_dropout: float = 0.1,
        shortcut_share: float = 0.25,
    ) -> None:
        super().__init__()
        if tokenizer is None:
            raise InputError("generator.flow works on a tokenizer's latents, and there are none")
        for name, share in (("condition_dropout", condition_dropout), ("shortcut_share", shortcut_share)):
            if not 0 <= share < 1:
                raise InputError(f"generator.flow.{name} = {share}: expected 0 <= share < 1")
        self.condition_dropout, self.shortcut_share = condition_dropout, shortcut_share
        self.streams, latent = tuple(tokenizer.members), tokenizer.width
        self.scale = LatentScale(len(self.streams), latent)
        self.network = VelocityNetwork(
            len(self.streams), latent, speakers, width, listening_layers, layers, heads, dropout
        )
        self.hearing = Hearing(features, speech_width, self.network.together)
        self.silence = nn.Parameter(torch.zeros(self.network.together))

    def steady(self) -> Iterator[nn.Module]:
        yield self.hearing

    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        assert tokenizer is not None
        latents = window_latents(tokenizer, batch)
        if self.training:
            self.scale.start(latents)
        prefix, clean = self.scale(latents).tensor_split((PREFIX_TOKENS,), dim=1)
        noise = sent(torch.randn(clean.shape), clean.device)
        # Windows are drawn at random: the first ones are as good as any.
        shortcuts = int(self.shortcut_share * len(clean))
        time, half = (sent(x, clean.device) for x in draw_times(len(clean), shortcuts))
        memory = share_rows(self.hearing)(batch.speech)
        if self.training:
            memory = silence_some(memory, self.silence, self.condition_dropout)
        noisy = clean + time[:, None, None, None] * (noise - clean)
        goal = clean - noise
        if shortcuts:
            given = (noisy, time, half, prefix, memory.detach(), batch.speaker)
            two_steps = share_rows(self._two_steps)(*(x[:shortcuts] for x in given))
            goal = torch.cat([two_steps, goal[shortcuts:]])
        velocity = share_rows(self.network)(noisy, time, 2 * half, prefix, memory, batch.speaker)
        error = (velocity - goal).square().flatten(1).mean(dim=1) / len(clean)
        return {"flow": error[shortcuts:].sum(), "shortcut": error[:shortcuts].sum()}

    @torch.no_grad()
    def _two_steps(
        self, x: Tensor, time: Tensor, half: Tensor, prefix: Tensor, memory: Tensor, speaker: Tensor
    ) -> Tensor:
        """Return the mean velocity of two steps of half the size: what one of the whole size is to be."""
        # No step as small as the least is learned from two: there the flow itself is asked.
        sizes = torch.where(half > 2**-HALVINGS, half, 0.0)
        first = self.network(x, time, sizes, prefix, memory, speaker)
        halfway = x + half[:, None, None, None] * first
        second = self.network(halfway, time - half, sizes, prefix, memory, speaker)
        return (first + second) / 2

    @torch.no_grad()
    def sample(self, batch: Batch, inference: Inference) -> Tensor:
        tokenizer, sampler = inference.tokenizer, inference.sampler
        assert tokenizer is not None and isinstance(sampler, Euler)
        before = tokenizer.latents(batch.prefix)
        prefix = self.scale(torch.stack([before[s] for s in self.streams], dim=2))
        predict, device = self._guided(prefix, batch, sampler.guidance), batch.speech.device
        shape = (batch.speech.shape[1] // FRAMES_PER_TOKEN, *prefix.shape[2:])
        window = sampler.run(Denoising(shape, predict, straight_path, inference.draws(batch), device))
        latents = self.scale.undo(torch.cat([prefix, window], dim=1))
        # Decoded with its prefix, a window goes on from there.
        return go_on(tokenizer.decode_latents(dict(zip(self.streams, latents.unbind(2), strict=True))), batch)

    def _guided(
        self, prefix: Tensor, batch: Batch, guidance: float
    ) -> Callable[[Tensor, float, float], Tensor]:
        """Return what a sampler asks: u + guidance · (c − u), with speech c, without it u, in one batch.

        With a guidance of 1 there is no pass without speech. Source: Ho & Salimans 2022.
        """
        memory, passes = self.hearing(batch.speech), 1 if guidance == 1 else 2
        if passes == 2:
            memory = torch.cat([memory, self.silence.expand_as(memory)])
        prefix, speaker = prefix.repeat(passes, 1, 1, 1), batch.speaker.repeat(passes)

        def predict(x: Tensor, time: float, step: float) -> Tensor:
            times, steps = (torch.full((len(speaker),), value, device=x.device) for value in (time, step))
            ways = self.network(x.repeat(passes, 1, 1, 1), times, steps, prefix, memory, speaker).chunk(
                passes
            )
            return x + time * (ways[-1] + guidance * (ways[0] - ways[-1]))

        return predict


def draw_times(windows: int, shortcuts: int) -> tuple[Tensor, Tensor]:
    """Return times (B,) in (0, 1] and half the steps (B,) that are learned there, 0 of the flow itself.

    The first `shortcuts` are of steps: of a random power of two, at a time from which a whole number of them
    leads to the end, so that no step goes beyond it. Of the flow, times are more often near the motion.
    """
    step = 0.5 ** torch.randint(HALVINGS, (shortcuts,)).float()
    begun = step * (1 + (torch.rand(shortcuts) / step).floor())
    motion = torch.distributions.Beta(*TIMES).sample((windows - shortcuts,))
    return torch.cat([begun, 1 - motion]), torch.cat([step / 2, torch.zeros(windows - shortcuts)])
