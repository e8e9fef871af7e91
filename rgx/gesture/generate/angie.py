"""Axis generator: common patterns from a causal transformer, and this speech's rhythm on top, as ANGIE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from rgx.gesture.generate.base import Continuation, Fusion
from rgx.gesture.generate.causal import CausalGenerator
from rgx.gesture.nn.encoders import ResidualConv, edge_conv
from rgx.gesture.nn.motion_losses import motion_losses
from rgx.gesture.types import PREFIX_FRAMES, Batch, MotionTokenizer
from rgx.registry import Recipe, register
from rgx.shares import share_rows

DILATIONS = (1, 3, 9)
"""Of the refinement's layers, frames apart: together they see a second before and after."""


class PatternRefinement(nn.Module):
    """What streams are told (B, T, C) and speech (B, T, F) to what is added to it, at first nothing."""

    def __init__(self, coordinates: int, features: int, width: int) -> None:
        super().__init__()
        last = edge_conv(width, coordinates, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.layers = nn.Sequential(
            edge_conv(coordinates + features, width, 3, padding=1),
            *(ResidualConv(width, dilation) for dilation in DILATIONS),
            nn.ReLU(),
            last,
        )

    def forward(self, coded: Tensor, speech: Tensor) -> Tensor:
        both = rearrange(torch.cat([coded, speech], dim=-1), "b t c -> b c t")
        return rearrange(self.layers(both), "b c t -> b t c")


@register("generator", "angie", label="ANGIE-style", source="ANGIE (Liu 2022), rebuilt; readings 116 to 118")
class AngieGenerator(CausalGenerator):
    """The causal generator, and a refinement that adds to its decoded patterns what follows the speech.

    It adds to what each stream is told, steps and shapes where `parts` has those, and learns on the patterns
    of true tokens by where that leaves the motion. Without refinement this is `generator/causal`.
    """

    reads: ClassVar[Mapping[str, type]] = {"decode": Continuation}

    def __init__(
        self,
        tokenizer: MotionTokenizer | None,
        speech: nn.ModuleDict,
        features: int,
        speakers: int,
        fusion: Recipe[Fusion],
        width: int = 384,
        layers: int = 8,
        heads: int = 6,
        feedforward: int = 1024,
        dropout: float = 0.2,
        condition_dropout: float = 0.1,
        refinement_width: int = 256,
    ) -> None:
        sizes = (width, layers, heads, feedforward, dropout, condition_dropout)
        super().__init__(tokenizer, speech, speakers, fusion, *sizes)
        assert tokenizer is not None
        self.refinement = PatternRefinement(tokenizer.coordinates, features, refinement_width)

    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        assert tokenizer is not None
        losses = super().losses(batch, tokenizer)
        with torch.no_grad():
            patterns = tokenizer.decode(tokenizer.window_tokens(batch))
        motion = self.finish(patterns, batch, tokenizer)[:, PREFIX_FRAMES:]
        refined = motion_losses(motion, batch.motion, batch.valid)
        return losses | {f"refined_{name}": value for name, value in refined.items()}

    def finish(self, decoded: Tensor, batch: Batch, tokenizer: MotionTokenizer) -> Tensor:
        # Before the window there is no speech; the first of it stands in.
        speech = torch.cat([batch.speech[:, :1].expand(-1, PREFIX_FRAMES, -1), batch.speech], dim=1)
        coded = tokenizer.split(decoded)
        change = share_rows(self.refinement)(torch.cat(list(coded.values()), dim=-1), speech)
        parts = change.split([part.shape[-1] for part in coded.values()], dim=-1)
        refined = {s: part + more for (s, part), more in zip(coded.items(), parts, strict=True)}
        return tokenizer.anchor(tokenizer.merge(refined), batch.prefix)
