"""Axis generator: motion regressed from speech without tokens, Table 3b's baseline."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from einops import rearrange
from torch import Tensor, nn

from rgx.gesture.generate.base import Generator, Inference
from rgx.gesture.generate.trunk import Trunk
from rgx.gesture.nn.encoders import content_width
from rgx.gesture.nn.motion_losses import motion_losses
from rgx.gesture.types import FRAMES_PER_TOKEN, Batch, MotionTokenizer
from rgx.registry import Recipe, register
from rgx.shares import share_rows


@register("generator", "regression", label="Regression", source="Sec. 5.4, Table 3b 'baseline'")
class RegressionGenerator(Generator):
    """The same trunk without tokens: four frames of points from each position, in one pass."""

    needs_tokenizer = False

    def __init__(
        self,
        tokenizer: MotionTokenizer | None,
        speech: nn.ModuleDict,
        speakers: int,
        levels: tuple[int, ...],
        trunk: Recipe[Trunk],
    ) -> None:
        super().__init__()
        self.speech = speech
        self.trunk = trunk(content_width(speech), speakers)
        coordinates = 2 * sum(levels)
        self.inward = nn.Linear(coordinates, self.trunk.width)
        self.outward = nn.Linear(self.trunk.width, FRAMES_PER_TOKEN * coordinates)

    def steady(self) -> Iterator[nn.Module]:
        yield from super().steady()
        yield self.trunk

    def forward(self, batch: Batch) -> Tensor:
        content = torch.cat([encoder(batch.speech) for encoder in self.speech.values()], dim=-1)
        # Every position begins with the same frame; only its place and the speech tell it from the others.
        x = self.inward(rearrange(batch.prefix[:, -1], "b k c -> b 1 (k c)")).expand(-1, content.shape[1], -1)
        place = torch.arange(content.shape[1], device=x.device)
        y = self.outward(self.trunk(x, self.trunk.read(content), place, batch.speaker))
        return rearrange(y, "b n (f k c) -> b (n f) k c", f=FRAMES_PER_TOKEN, c=2)

    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        return motion_losses(share_rows(self)(batch), batch.motion, batch.valid)

    @torch.no_grad()
    def sample(self, batch: Batch, inference: Inference) -> Tensor:
        return self(batch)
