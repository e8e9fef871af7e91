"""The motion auto-encoder in whose features FGD and diversity are measured."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.types import WINDOW_FRAMES
from rgx.registry import register
from rgx.shares import share_rows

STRIDE = 8


def masked_l1(difference: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean absolute value where mask, which broadcasts to it, holds; 0 where it never does."""
    if mask is None:
        return difference.abs().mean()
    weight = mask.expand_as(difference).to(difference.dtype)
    return (difference.abs() * weight).sum() / weight.sum().clamp(min=1)


@register("judge", "autoencoder", label="motion auto-encoder", source="Yoon 2020; reading 43")
class Judge(nn.Module):
    """A convolutional auto-encoder of standardised motion windows (B, T, C). Source: Yoon 2020, reading 43.

    Without normalisation layers, so the features of a window never depend on its batch. T is any
    multiple of 8; away from 80 frames the encoding is resampled in time to what the latent expects.
    """

    def __init__(self, points_width: int, latent: int = 32, width: int = 64) -> None:
        super().__init__()
        self.positions = WINDOW_FRAMES // STRIDE
        self.width, self.latent = width, latent
        down = [nn.Conv1d(i, width, 4, 2, 1) for i in (points_width, width, width)]
        up = [nn.ConvTranspose1d(width, o, 4, 2, 1) for o in (width, width, points_width)]
        act = nn.LeakyReLU(0.2)
        self.down = nn.Sequential(down[0], act, down[1], act, down[2], act)
        # All positions at once: a window's feature knows when in it something happened.
        self.to_latent = nn.Linear(width * self.positions, latent)
        self.from_latent = nn.Linear(latent, width * self.positions)
        self.up = nn.Sequential(act, up[0], act, up[1], act, up[2])

    def encode(self, x: Tensor) -> Tensor:
        """Return features (B, latent) of motion (B, T, C); raises ValueError when 8 does not divide T."""
        if x.shape[1] == 0 or x.shape[1] % STRIDE:
            raise ValueError(f"the judge needs a multiple of {STRIDE} frames, found {x.shape[1]}")
        hidden = self._resample(self.down(x.transpose(1, 2)), self.positions)
        return self.to_latent(hidden.flatten(1))

    def decode(self, latent: Tensor, frames: int = WINDOW_FRAMES) -> Tensor:
        """Return motion (B, frames, C) of features (B, latent)."""
        hidden = self.from_latent(latent).unflatten(1, (self.width, self.positions))
        return self.up(self._resample(hidden, frames // STRIDE)).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x), x.shape[1])

    def loss(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return L1 + L1 of frame differences; mask (B, T, C) or (B, T, 1), a step needs both its frames."""
        error = share_rows(self)(x) - x
        steps = None if mask is None else mask[:, 1:].bool() & mask[:, :-1].bool()
        return masked_l1(error, mask) + masked_l1(error[:, 1:] - error[:, :-1], steps)

    @staticmethod
    def _resample(hidden: Tensor, positions: int) -> Tensor:
        if hidden.shape[-1] == positions:
            return hidden
        return F.interpolate(hidden, size=positions, mode="linear", align_corners=False)
