"""Axis decode: how masked tokens are filled in at inference."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.generate.base import Decoding, Filling, positive
from rgx.gesture.generate.noise import Noise
from rgx.gesture.nn.precision import sent
from rgx.registry import register


def choose(logits: Tensor, temperature: float, top_share: float, noise: Noise) -> tuple[Tensor, Tensor]:
    """Return drawn codes (B, N) and their confidence under the full distribution.

    logits (B, N, V); only the best `top_share` of the codes may be drawn. Source: reading 27.
    """
    probability = logits.softmax(-1)
    # At least one, however small the share: there must be something to draw.
    keep = max(1, math.ceil(top_share * logits.shape[-1]))
    best, index = logits.topk(keep, dim=-1)
    # Where a number of the window's own falls among the shares laid end to end.
    ends = (best / temperature).softmax(-1).cumsum(-1)
    drawn = (ends < sent(noise.uniform(logits.shape[1]), logits.device)[..., None]).sum(-1, keepdim=True)
    # `drawn` counts among the best; `index` says which codes those are.
    codes = index.gather(-1, drawn.clamp(max=keep - 1))
    return codes[..., 0], probability.gather(-1, codes)[..., 0]


@register("decode", "iterative", label="Iterative", source="Sec. 4.2 Inference, Table 3f")
class IterativeDecoding(Filling):
    """Fill all, keep the confident, re-mask the lowest; what was accepted is never re-masked.

    The share still masked after step l of L is cos(π l / 2L).
    """

    def __init__(
        self, steps: int = 5, temperature: float = 1.0, top_share: float = 0.1, guidance: float = 1.0
    ) -> None:
        if steps < 1 or temperature <= 0 or not 0 < top_share <= 1:
            raise InputError(
                "decode.iterative: expected steps >= 1, temperature > 0 and 0 < top_share <= 1, "
                f"found {steps}, {temperature}, {top_share}"
            )
        self.steps, self.temperature, self.top_share = steps, temperature, top_share
        self.guidance = positive(guidance, "decode.iterative")

    def fill(self, decoding: Decoding) -> Tensor:
        tokens, masked = decoding.tokens.clone(), decoding.masked.clone()
        total = masked.sum(dim=1, keepdim=True)
        for step in range(1, self.steps + 1):
            logits = decoding.predict(tokens, masked)
            drawn, confidence = choose(logits, self.temperature, self.top_share, decoding.noise)
            tokens = torch.where(masked, drawn, tokens)
            # Without the millionth, a share that comes to 2.9999999 tokens would leave 2.
            remain = torch.floor(total * math.cos(math.pi / 2 * step / self.steps) + 1e-6)
            # Accepted tokens rank above all that are masked: none of them is masked again.
            rank = confidence.masked_fill(~masked, torch.inf).argsort(dim=1).argsort(dim=1)
            masked = masked & (rank < remain)
        return tokens


@register("decode", "one_shot", label="One shot")
class OneShotDecoding(Filling):
    """Fill all masked tokens at once with the likeliest codes."""

    def __init__(self, guidance: float = 1.0) -> None:
        self.guidance = positive(guidance, "decode.one_shot")

    def fill(self, decoding: Decoding) -> Tensor:
        best = decoding.predict(decoding.tokens, decoding.masked).argmax(dim=-1)
        return torch.where(decoding.masked, best, decoding.tokens)
