"""Axis trunk: the order of self-attention, fusion, feed-forward and style, and what is added where."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from rgx.gesture.generate.trunk import Trunk, TrunkBlock
from rgx.gesture.nn.attention import attend
from rgx.registry import register


class DrawnBlock(TrunkBlock):
    """One layer as the authors drew it: two sums, each normalised; style is inside the second.

    What the tokens of a window share in time passes by the style, which takes it away. A token asks the
    speech as what it is and what it reads of the others: without the one it would not know its own place.
    Source: reading 50.
    """

    def forward(self, x: Tensor, memory: Tensor, place: Tensor, speaker: Tensor) -> Tensor:
        asked = x + attend(self.attend, x)
        x = self.attend_norm(x + self.fusion(asked, memory, place))
        return cast(Tensor, self.feed_norm(x + self.style(self.feed(x), speaker)))


class LetterBlock(TrunkBlock):
    """One layer as drawn, to the letter: only what a token reads of the others asks the speech."""

    def forward(self, x: Tensor, memory: Tensor, place: Tensor, speaker: Tensor) -> Tensor:
        x = self.attend_norm(x + self.fusion(attend(self.attend, x), memory, place))
        return cast(Tensor, self.feed_norm(x + self.style(self.feed(x), speaker)))


class StreamStyleBlock(TrunkBlock):
    """One layer with three sums, each of what was normalised before; style is of the whole stream."""

    def forward(self, x: Tensor, memory: Tensor, place: Tensor, speaker: Tensor) -> Tensor:
        x = x + attend(self.attend, self.attend_norm(x))
        x = x + self.fusion(x, memory, place)
        return self.style(x + self.feed(self.feed_norm(x)), speaker)


@register("trunk", "paper", label="As drawn", source="Sec. 4.2, authors' figure; readings 21 and 50")
class PaperTrunk(Trunk):
    """Self-attention, fusion, add and norm, feed-forward, style, add and norm; all of it N times."""

    name = "trunk.paper"
    block, last = DrawnBlock, nn.Identity


@register("trunk", "letter", label="To the letter", source="Sec. 4.2, authors' figure; reading 50")
class LetterTrunk(Trunk):
    """As drawn, and what asks the speech has no skip either."""

    name = "trunk.letter"
    block, last = LetterBlock, nn.Identity


@register("trunk", "transformer", label="Style on the stream", source="Sec. 4.2 alone; sizes: reading 21")
class StreamStyleTrunk(Trunk):
    """Self-attention, fusion and feed-forward with a skip around each; style after every layer."""

    name = "trunk.transformer"
    block, last = StreamStyleBlock, nn.LayerNorm
