"""Axis decode: one turn after another, as speech goes on."""

from __future__ import annotations

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.generate.base import Continuation, Decoding, positive
from rgx.gesture.generate.decode import choose
from rgx.registry import register


@register("decode", "left_to_right", label="Left to right", source="TalkSHOW (Yi 2023); reading 100")
class LeftToRight(Continuation):
    """Draws the codes of a turn from what the model says of it once all earlier turns are there.

    A pass a turn. Raises InputError for a temperature that is not above 0 and a share outside (0, 1].
    """

    def __init__(self, temperature: float = 1.0, top_share: float = 1.0, guidance: float = 1.0) -> None:
        if temperature <= 0 or not 0 < top_share <= 1:
            raise InputError(
                "decode.left_to_right: expected temperature > 0 and 0 < top_share <= 1, "
                f"found {temperature}, {top_share}"
            )
        self.temperature, self.top_share = temperature, top_share
        self.guidance = positive(guidance, "decode.left_to_right")

    def fill(self, decoding: Decoding) -> Tensor:
        assert decoding.turns is not None
        tokens, masked = decoding.tokens.clone(), decoding.masked.clone()
        # In time, wherever each of them stands; a turn that is known in every window needs no pass.
        for turn in decoding.turns[masked.any(dim=0)].unique().tolist():
            places = (decoding.turns == turn).nonzero().flatten()
            logits = decoding.predict(tokens, masked)[:, places]
            drawn, _ = choose(logits, self.temperature, self.top_share, decoding.noise)
            tokens[:, places] = torch.where(masked[:, places], drawn, tokens[:, places])
            masked[:, places] = False
        return tokens
