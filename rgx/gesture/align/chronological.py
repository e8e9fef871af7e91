"""Contrastive alignment that also tells a window's speech from the same phrases in another order."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from rgx.gesture.align.contrastive import ContrastiveAlignment
from rgx.gesture.nn.precision import sent
from rgx.gesture.types import Batch
from rgx.registry import register
from rgx.shares import share_rows


@register("alignment", "chronological", label="Chronological", source="the later version; readings 70, 71")
class ChronologicalAlignment(ContrastiveAlignment):
    """As `contrastive`, with a window's own speech, cut at pauses and disordered, as one more negative.

    Source: the later version's headline; reading 70.
    """

    @staticmethod
    def remarks(windows: int) -> list[str]:
        if windows > 1:
            return []
        return ["a batch is one window: its only negative is its own speech in another order"]

    def further(self, batch: Batch, mask: Tensor, stream: str, z_g: Tensor) -> Tensor:
        disordered, differs = disorder(batch)
        # Hidden where the gesture is, not where the frames were: else the hidden spans would tell the order.
        speech = torch.where(mask, self.hidden_speech, disordered.speech)
        like = (self.pooled(share_rows(self.speech[stream])(speech)) * z_g).sum(dim=1)
        return like.masked_fill(~differs, -torch.inf)[:, None]


def disorder(batch: Batch) -> tuple[Batch, Tensor]:
    """Return the windows with their speech's phrases in another random order, and which are changed (B,).

    Features move as whole frames. A window of one phrase has no other order; nor has one whose phrases are
    all alike, since its speech stays what it was. Source: reading 70.
    """
    if batch.pauses is None:
        raise ValueError("an order of phrases needs the pauses of the windows, which these lack")
    order = another_order(phrases(batch.pauses))
    speech = batch.speech.gather(1, order[..., None].expand_as(batch.speech))
    return dataclasses.replace(batch, speech=speech), (speech != batch.speech).flatten(1).any(dim=1)


def phrases(pauses: Tensor) -> Tensor:
    """Return the number of the phrase, from 0, that each frame belongs to: (B, T) bool → (B, T) long.

    A window is cut in the middle of each pause with speech on either side of it in the window.
    """
    frames = pauses.shape[1]
    place = torch.arange(frames, device=pauses.device).expand_as(pauses)
    before = place.masked_fill(pauses, -1).cummax(dim=1).values
    after = place.masked_fill(pauses, frames).flip(1).cummin(dim=1).values.flip(1)
    between = pauses & (before >= 0) & (after < frames)
    return (between & (place == (before + after + 1) // 2)).cumsum(dim=1)


def another_order(phrase: Tensor) -> Tensor:
    """Return the places (B, T) that frames come from where their phrases (B, T) are in another order.

    The order is random and never their own; of one phrase there is no other, and frames stay where they are.
    """
    frames, device = phrase.shape[1], phrase.device
    place = torch.arange(frames, device=device)
    count = phrase[:, -1:] + 1
    draws = sent(torch.rand(phrase.shape), device).masked_fill(place >= count, 2.0)
    rank = draws.argsort(dim=1, stable=True).argsort(dim=1)
    own = (rank == place).all(dim=1, keepdim=True)
    # Where the draw is the order that they have, the last comes first.
    rank = torch.where(own & (place < count), (rank + 1) % count, rank)
    return (rank.gather(1, phrase) * frames + place).argsort(dim=1)
