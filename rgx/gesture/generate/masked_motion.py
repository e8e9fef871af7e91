"""Axis generator: tokens from motion of which parts are masked, in one pass, as EMAGE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.generate.base import Generator, Inference, MaskRatio, Residual
from rgx.gesture.generate.chaining import go_on
from rgx.gesture.generate.hearing import Hearing
from rgx.gesture.nn.encoders import edge_conv, place_codes
from rgx.gesture.nn.precision import sent
from rgx.gesture.types import PREFIX_TOKENS, Batch, MotionTokenizer
from rgx.registry import Part, register
from rgx.shares import share_rows

LATENT_WEIGHT = 3.0
"""What the error of latents counts beside that of codes, as published."""


class Hints(nn.Module):
    """Motion of which some is known (B, T, K, 2) to features of it at the token rate (B, T / 4, D)."""

    def __init__(self, points: int, inner: int, width: int) -> None:
        super().__init__()
        self.unknown = nn.Parameter(nn.init.normal_(torch.empty(points, 2), std=0.02))
        self.layers = nn.Sequential(
            edge_conv(2 * points, inner, 3, padding=1),
            nn.LeakyReLU(0.2),
            edge_conv(inner, inner, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            edge_conv(inner, inner, 4, stride=2, padding=1),
        )
        self.outward = nn.Sequential(nn.Linear(inner, width), nn.LeakyReLU(0.2), nn.Linear(width, width))

    def forward(self, motion: Tensor, known: Tensor) -> Tensor:
        seen = torch.where(known[..., None], motion, self.unknown)
        features = rearrange(self.layers(rearrange(seen, "b t k c -> b (k c) t")), "b d n -> b n d")
        return cast(Tensor, self.outward(features))


class HintedTrunk(nn.Module):
    """Hints (B, P + N, D), speech (B, P + N, D) and speaker to features of each stream (B, P + N, D).

    A layer of attention to itself, layers that ask the speech, then in each stream one that asks the others.
    """

    def __init__(
        self, streams: int, speakers: int, width: int, layers: int, heads: int, feedforward: int,
        dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        if width % heads:
            raise InputError(
                f"generator.masked_motion.width = {width}: expected a multiple of heads = {heads}"
            )

        def layer() -> nn.TransformerDecoderLayer:
            return nn.TransformerDecoderLayer(width, heads, feedforward, dropout, batch_first=True)

        self.width, self.speaker = width, nn.Embedding(speakers, width)
        self.first = nn.TransformerEncoderLayer(width, heads, feedforward, dropout, batch_first=True)
        self.asking = nn.ModuleList(layer() for _ in range(layers))
        self.apart = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, width))
            for _ in range(streams)
        )
        self.others = nn.ModuleList(layer() for _ in range(streams))

    def forward(self, hints: Tensor, speech: Tensor, speaker: Tensor) -> list[Tensor]:
        place = torch.arange(-PREFIX_TOKENS, hints.shape[1] - PREFIX_TOKENS, device=hints.device)
        places = place_codes(place, self.width)
        x, memory = hints + places + self.speaker(speaker)[:, None], speech + places
        x = self.first(x)
        for layer in self.asking:
            x = layer(x, memory)
        own = [apart(x) for apart in self.apart]
        total = torch.stack(own).sum(dim=0)
        return [layer(each, total - each) for layer, each in zip(self.others, own, strict=True)]


@register(
    "generator", "masked_motion", label="Masked motion", source="EMAGE (Liu 2024), audio version; reading 131"
)
class MaskedMotionGenerator(Generator):
    """Base tokens of a window from what is known of its motion, the speech and the speaker, in one pass.

    It learns a window three times: from the frames before it and speech, from what a random mask leaves of
    it and speech, and from that without speech, which counts `unheard_weight`. At inference only the frames
    before are known, and the likeliest codes are taken: a speech has one motion.
    """

    needs_tokenizer = True
    reads: ClassVar[Mapping[str, type]] = {"residual": Residual}

    def __init__(
        self,
        tokenizer: MotionTokenizer | None,
        features: int,
        speakers: int,
        levels: tuple[int, ...],
        mask_ratio: Part[MaskRatio],
        width: int = 768,
        layers: int = 8,
        heads: int = 4,
        feedforward: int = 1536,
        dropout: float = 0.1,
        inner: int = 256,
        unheard_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if tokenizer is None:
            raise InputError("generator.masked_motion predicts tokens, and there are none")
        if unheard_weight < 0:
            raise InputError(f"generator.masked_motion.unheard_weight = {unheard_weight}: expected 0 or more")
        self.mask_ratio, self.unheard_weight = mask_ratio, unheard_weight
        self.streams = tuple(tokenizer.members)
        self.hints, self.hearing = Hints(sum(levels), inner, width), Hearing(features, inner, width)
        self.trunk = HintedTrunk(len(self.streams), speakers, width, layers, heads, feedforward, dropout)
        self.latent = nn.ModuleDict({s: nn.Linear(width, tokenizer.width) for s in self.streams})
        self.head = nn.ModuleDict({s: nn.Linear(width, tokenizer.codes) for s in self.streams})
        self.silence = nn.Parameter(torch.zeros(width))

    def steady(self) -> Iterator[nn.Module]:
        yield self.hints
        yield self.hearing
        yield self.trunk

    def predict(
        self, motion: Tensor, known: Tensor, speech: Tensor, speaker: Tensor
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Return each stream's latents (B, N, D) and logits (B, N, V) of the window.

        motion (B, P + T, K, 2), of which is seen what is known (B, P + T, K); speech (B, N, D) as heard.
        """
        # Before the window there is no speech; the first of it stands in.
        speech = torch.cat([speech[:, :1].expand(-1, PREFIX_TOKENS, -1), speech], dim=1)
        features = self.trunk(self.hints(motion, known), speech, speaker)
        window = {s: x[:, PREFIX_TOKENS:] for s, x in zip(self.streams, features, strict=True)}
        return {s: (self.latent[s](x), self.head[s](x)) for s, x in window.items()}

    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        assert tokenizer is not None
        true = {s: t[:, PREFIX_TOKENS:, 0] for s, t in tokenizer.window_tokens(batch).items()}
        heard = share_rows(self.hearing)(batch.speech)
        before, some = self._known(batch)
        paths = [(before, heard, 1.0), (some, heard, 1.0)]
        if self.unheard_weight:
            paths.append((some, self.silence.expand_as(heard), self.unheard_weight))
        known, speech, weights = zip(*paths, strict=True)
        times = len(paths)
        motion = torch.cat([batch.prefix, batch.motion], dim=1).repeat(times, 1, 1, 1)
        # All of them in one pass.
        predicted = share_rows(self.predict)(
            motion, torch.cat(known), torch.cat(speech), batch.speaker.repeat(times)
        )
        losses = {"latents": heard.new_zeros(()), "tokens": heard.new_zeros(())}
        for stream, both in predicted.items():
            book, goal = tokenizer.codebook(stream, 0), true[stream]
            for weight, latents, logits in zip(weights, *(x.chunk(times) for x in both), strict=True):
                # In units of the codebook, however wide a tokenizer spreads its codes.
                error = F.mse_loss(latents, book[goal]) / book.var()
                losses["latents"] = losses["latents"] + weight * LATENT_WEIGHT * error
                losses["tokens"] = losses["tokens"] + weight * F.cross_entropy(logits.mT, goal)
        return losses

    def _known(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return what is known (B, P + T, K) where only the prefix is, and where a random mask leaves more.

        Where a point was not seen, there is nothing to know.
        """
        ratio = self.mask_ratio.draw(len(batch.valid))[:, None, None]
        left = sent(torch.rand(batch.valid.shape) >= ratio, batch.valid.device)
        some = torch.cat([batch.prefix_valid, batch.valid & left], dim=1)
        return F.pad(batch.prefix_valid, (0, 0, 0, batch.valid.shape[1])), some

    @torch.no_grad()
    def sample(self, batch: Batch, inference: Inference) -> Tensor:
        tokenizer, residual = inference.tokenizer, inference.residual
        assert tokenizer is not None
        frames = batch.speech.shape[1]
        motion = F.pad(batch.prefix, (0, 0, 0, 0, 0, frames))
        known = F.pad(batch.prefix_valid, (0, 0, 0, frames))
        predicted = self.predict(motion, known, self.hearing(batch.speech), batch.speaker)
        base = {s: rearrange(logits.argmax(dim=-1), "b n -> b n 1") for s, (_, logits) in predicted.items()}
        prefix = tokenizer.tokens(batch.prefix)
        if residual is not None:
            tokens = residual.extend(base, prefix, batch, inference.draws(batch))
        else:
            tokens = {s: torch.cat([prefix[s][..., :1], own], dim=1) for s, own in base.items()}
        # Decoded with its prefix, a window goes on from there.
        return go_on(tokenizer.decode(tokens), batch)
