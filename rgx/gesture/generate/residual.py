"""Axis residual: the tokens of the residual layers from those below them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.generate.base import Residual
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


@register("residual", "transformer", label="Residual", source="Sec. 4.2, eq. (4)")
class ResidualTransformer(Residual):
    """Predicts layer j from the summed embeddings of layers below j, speech, speaker and j.

    One random j a step. Source: eq. (4), readings 18 and 28.
    """

    def __init__(
        self,
        tokenizer: MotionTokenizer,
        speech: nn.ModuleDict,
        speakers: int,
        trunk: Recipe[Trunk],
    ) -> None:
        super().__init__()
        if tokenizer.layers < 2:
            raise InputError(
                "residual.transformer needs a quantizer with residual layers; this one has a single "
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
        return torch.cat([share_rows(encoder)(batch.speech) for encoder in self.speech.values()], dim=-1)

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
        y = self.trunk(x + self.layer[layer], memory, place, speaker)
        parts = y.chunk(len(self.streams), dim=1)
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
        logits = share_rows(self._hear)(tokens, layer, self.content(batch), batch.speaker)
        return {
            f"tokens_{s}": F.cross_entropy(
                logits[s][:, PREFIX_TOKENS:].flatten(0, 1), tokens[s][:, PREFIX_TOKENS:, layer].flatten()
            )
            for s in self.streams
        }

    @torch.no_grad()
    def extend(self, base: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        tokens, memory = dict(base), self.trunk.read(self.content(batch))
        for layer in range(1, self.layers):
            # Likeliest codes: the draw was the base token's, these only say more exactly where it is.
            logits = self.predict(tokens, layer, memory, batch.speaker)
            tokens = {
                s: torch.cat([tokens[s], logits[s].argmax(-1, keepdim=True)], dim=-1) for s in self.streams
            }
        return tokens


def _module(table: nn.ModuleDict, stream: str, layer: int) -> nn.Module:
    """Return one entry of a table, which torch types as a plain module."""
    return cast(nn.ModuleList, table[stream])[layer]
