"""Axis residual: the tokens of the residual layers from those below them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.generate.base import Residual
from rgx.gesture.generate.decode import choose
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.speech_content import encode_speech, silence_some
from rgx.gesture.generate.trunk import Memory, Trunk, place_tokens
from rgx.gesture.nn.encoders import content_width
from rgx.gesture.types import PREFIX_TOKENS, Batch, MotionTokenizer
from rgx.registry import Recipe, register
from rgx.shares import share_rows


@register("residual", "none", label="w/o residual", source="Sec. 5.4, Table 3c 'w/o res'")
class NoResidual(Residual):
    """Base tokens are decoded alone."""

    present = False

    def __init__(self, tokenizer: MotionTokenizer, speech: nn.ModuleDict, speakers: int) -> None:
        super().__init__()


class ResidualGenerator(Residual):
    """Predicts layer j from the summed embeddings of layers below j, speech, speaker and R_j.

    How R_j is told and what is taken of the predicted is a subclass's own. One random j a step.
    Source: eq. (4), readings 18 and 28.
    """

    def __init__(
        self, tokenizer: MotionTokenizer, speech: nn.ModuleDict, speakers: int, trunk: Recipe[Trunk]
    ) -> None:
        super().__init__()
        if tokenizer.layers < 2:
            raise InputError(
                "a residual generator needs a quantizer with residual layers; this one has a single "
                "layer: choose residual: none or quantizer: rvq"
            )
        self.speech, self.streams, self.layers = speech, tuple(tokenizer.members), tokenizer.layers
        self.trunk = trunk(content_width(speech), speakers)
        width, codes = self.trunk.width, tokenizer.codes

        def table(make: type[nn.Module], *size: int) -> nn.ModuleDict:
            return nn.ModuleDict(
                {s: nn.ModuleList(make(*size) for _ in range(self.layers - 1)) for s in self.streams}
            )

        self.embedding, self.head = table(nn.Embedding, codes, width), table(nn.Linear, width, codes)
        self.stream_type = nn.Parameter(nn.init.normal_(torch.empty(len(self.streams), width), std=0.02))
        self.layer = nn.Parameter(nn.init.normal_(torch.empty(self.layers, width), std=0.02))

    def steady(self) -> Iterator[nn.Module]:
        yield from super().steady()
        yield self.trunk

    def content(self, batch: Batch) -> Tensor:
        """Return the speech content (B, N, E) of all streams' encoders."""
        return encode_speech(self.speech, batch.speech)

    @abstractmethod
    def ask(self, x: Tensor, place: Tensor, layer: int, memory: Memory, speaker: Tensor) -> Tensor:
        """Return what the trunk says of one layer at each embedded token of x (B, N, D), place (N,)."""

    @abstractmethod
    def take(self, logits: Tensor, noise: Noise) -> Tensor:
        """Return codes (B, N) of logits (B, N, V)."""

    def predict(
        self, tokens: dict[str, Tensor], layer: int, memory: Memory, speaker: Tensor
    ) -> dict[str, Tensor]:
        """Return logits (B, P + N, V) of one layer from tokens (B, P + N, layer) below it."""
        x = torch.cat(
            [
                sum(
                    (_module(self.embedding, s, q)(tokens[s][..., q]) for q in range(layer)),
                    self.stream_type[i],
                )
                for i, s in enumerate(self.streams)
            ],
            dim=1,
        )
        place = place_tokens(len(self.streams), memory.tokens, x.device)
        parts = self.ask(x, place, layer, memory, speaker).chunk(len(self.streams), dim=1)
        return {s: _module(self.head, s, layer - 1)(p) for s, p in zip(self.streams, parts, strict=True)}

    def _hear(
        self, tokens: dict[str, Tensor], layer: int, content: Tensor, speaker: Tensor
    ) -> dict[str, Tensor]:
        """Return the logits of `predict` from speech content that is read for this pass only."""
        return self.predict(tokens, layer, self.trunk.read(content), speaker)

    def losses(self, batch: Batch, tokenizer: MotionTokenizer) -> dict[str, Tensor]:
        tokens = tokenizer.window_tokens(batch)
        # One layer a step, drawn: all of them in each would cost that many times as much.
        layer = int(torch.randint(1, self.layers, ()))
        content = self.content(batch)
        window = content.shape[1]
        logits = share_rows(self._hear)(tokens, layer, content, batch.speaker)
        return {
            f"tokens_{s}": F.cross_entropy(
                logits[s][:, -window:].flatten(0, 1), tokens[s][:, -window:, layer].flatten()
            )
            for s in self.streams
        }

    @torch.no_grad()
    def extend(
        self,
        base: dict[str, Tensor],
        prefix: dict[str, Tensor],
        batch: Batch,
        noise: Noise,
        known: Mapping[str, tuple[Tensor, Tensor]] | None = None,
    ) -> dict[str, Tensor]:
        memory = self.trunk.read(self.content(batch))
        tokens = {s: torch.cat([prefix[s][..., :1], base[s]], dim=1) for s in self.streams}
        for layer in range(1, self.layers):
            logits = self.predict(tokens, layer, memory, batch.speaker)
            for s in self.streams:
                window = self.take(logits[s][:, PREFIX_TOKENS:], noise)
                if known is not None:
                    codes, masked = known[s]
                    window = torch.where(masked, window, codes[..., layer])
                taken = torch.cat([prefix[s][..., layer], window], dim=1)
                tokens[s] = torch.cat([tokens[s], taken[..., None]], dim=-1)
        return tokens


@register("residual", "prefix_token", label="Residual", source="Sec. 4.2, eq. (4); reading 52")
class PrefixTokenResidual(ResidualGenerator):
    """R_j is a learned token before all others; codes are drawn as those of the base layer are.

    condition_dropout: how often a window's speech is a learned silence in training; temperature, top_share:
    as those of iterative decoding.
    """

    def __init__(
        self,
        tokenizer: MotionTokenizer,
        speech: nn.ModuleDict,
        speakers: int,
        trunk: Recipe[Trunk],
        condition_dropout: float = 0.1,
        temperature: float = 1.0,
        top_share: float = 0.1,
    ) -> None:
        super().__init__(tokenizer, speech, speakers, trunk)
        if temperature <= 0 or not 0 < top_share <= 1 or not 0 <= condition_dropout < 1:
            raise InputError(
                "residual.prefix_token: expected temperature > 0, 0 < top_share <= 1 and "
                f"0 <= condition_dropout < 1, found {temperature}, {top_share}, {condition_dropout}"
            )
        self.condition_dropout, self.temperature, self.top_share = condition_dropout, temperature, top_share
        self.silence = nn.Parameter(torch.zeros(content_width(speech)))

    def content(self, batch: Batch) -> Tensor:
        content = super().content(batch)
        return silence_some(content, self.silence, self.condition_dropout) if self.training else content

    def ask(self, x: Tensor, place: Tensor, layer: int, memory: Memory, speaker: Tensor) -> Tensor:
        asked = torch.cat([self.layer[layer].expand(len(x), 1, -1), x], dim=1)
        # Before the first of them in time: a place of its own, which is no token's.
        place = torch.cat([place.amin(0, keepdim=True) - 1, place])
        return self.trunk(asked, memory, place, speaker)[:, 1:]

    def take(self, logits: Tensor, noise: Noise) -> Tensor:
        return choose(logits, self.temperature, self.top_share, noise)[0]


@register("residual", "transformer", label="Layer embedding", source="Sec. 4.2, eq. (4)")
class LayerEmbeddingResidual(ResidualGenerator):
    """R_j is added to every token; the likeliest codes are taken."""

    def ask(self, x: Tensor, place: Tensor, layer: int, memory: Memory, speaker: Tensor) -> Tensor:
        return self.trunk(x + self.layer[layer], memory, place, speaker)

    def take(self, logits: Tensor, noise: Noise) -> Tensor:
        # The draw was the base token's, these only say more exactly where it is.
        return logits.argmax(-1)


def _module(table: nn.ModuleDict, stream: str, layer: int) -> nn.Module:
    """Return one entry of a table, which torch types as a plain module."""
    return cast(nn.ModuleList, table[stream])[layer]
