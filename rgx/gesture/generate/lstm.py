"""Axis generator: motion from recurrent networks in a cascade, as CaMN."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.generate.base import Generator, Inference
from rgx.gesture.generate.chaining import go_on
from rgx.gesture.nn.encoders import ResidualConv, edge_conv
from rgx.gesture.nn.motion_losses import motion_losses
from rgx.gesture.types import PREFIX_FRAMES, Batch, MotionTokenizer
from rgx.registry import register
from rgx.shares import share_rows


class Level(nn.Module):
    """A level of the cascade: an LSTM in both directions, their sum, an MLP; (B, T, C) → (B, T, outward)."""

    def __init__(self, inward: int, outward: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(inward, width, layers, batch_first=True, dropout=between, bidirectional=True)
        self.outward = nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(0.1), nn.Linear(width, outward))

    def forward(self, x: Tensor) -> Tensor:
        forth, back = self.lstm(x)[0].chunk(2, dim=-1)
        motion: Tensor = self.outward(forth + back)
        return motion


@register("generator", "lstm", label="LSTM", source="CaMN (Liu 2022), audio version; readings 101 and 102")
class LSTMGenerator(Generator):
    """Face and body from speech, speaker and the frames before the window; hands from those and the body.

    Where motion has one level only there are no hands apart. It hears the speech at every frame, both ways in
    time, and draws nothing: a speech has one motion.
    """

    needs_tokenizer = False

    def __init__(
        self,
        features: int,
        speakers: int,
        levels: tuple[int, ...],
        width: int = 384,
        layers: int = 4,
        dropout: float = 0.1,
        speech_width: int = 128,
        speaker_width: int = 16,
    ) -> None:
        super().__init__()
        self.hear = nn.Sequential(
            edge_conv(features, speech_width, 3, padding=1),
            ResidualConv(speech_width),
            ResidualConv(speech_width, dilation=3),
        )
        self.speaker = nn.Embedding(speakers, speaker_width)
        # Besides speech and speaker the frames before the window, and whether a frame is one of them.
        inward = speech_width + speaker_width + 2 * sum(levels) + 1
        body, hands = 2 * levels[0], 2 * sum(levels[1:])
        self.body = Level(inward, body, width, layers, dropout)
        self.hands = Level(inward + body, hands, width, layers, dropout) if hands else None

    def steady(self) -> Iterator[nn.Module]:
        yield self.hear

    def inputs(self, batch: Batch) -> Tensor:
        """Return what both levels see (B, P + T, C): speech, speaker, and the prefix where it is known."""
        # Before the window there is no speech; the first of it stands in.
        speech = torch.cat([batch.speech[:, :1].expand(-1, PREFIX_FRAMES, -1), batch.speech], dim=1)
        heard = rearrange(self.hear(rearrange(speech, "b t f -> b f t")), "b d t -> b t d")
        speaker = repeat(self.speaker(batch.speaker), "b d -> b t d", t=speech.shape[1])
        seed = F.pad(rearrange(batch.prefix, "b t k c -> b t (k c)"), (0, 1), value=1.0)
        seed = F.pad(seed, (0, 0, 0, batch.speech.shape[1]))
        return torch.cat([heard, speaker, seed], dim=-1)

    def forward(self, batch: Batch) -> Tensor:
        """Return the motion (B, P + T, K, 2) of the frames before a window and of its own."""
        x = self.inputs(batch)
        motion = self.body(x)
        if self.hands is not None:
            motion = torch.cat([motion, self.hands(torch.cat([x, motion], dim=-1))], dim=-1)
        return rearrange(motion, "b t (k c) -> b t k c", c=2)

    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        # With the frames before it, so that a window learns to go on from them.
        motion = torch.cat([batch.prefix, batch.motion], dim=1)
        valid = torch.cat([batch.prefix_valid, batch.valid], dim=1)
        return motion_losses(share_rows(self)(batch), motion, valid)

    @torch.no_grad()
    def sample(self, batch: Batch, inference: Inference) -> Tensor:
        return go_on(self(batch), batch)
