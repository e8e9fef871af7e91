"""The network that judges whether a gesture belongs to its speech: no part of any generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.nn.encoders import ResidualConv
from rgx.gesture.nn.precision import sent
from rgx.registry import register
from rgx.shares import share_rows

SHARPEST = math.log(100.0)
"""The largest logarithm of the scale of similarities. Source: CLIP."""


class LocalEncoder(nn.Module):
    """Frames (B, T, F) to unit vectors (B, T / 4, D), each of about a second around its moment."""

    def __init__(self, features: int, width: int, latent: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(dropout),
            nn.Conv1d(features, width, 4, stride=2, padding=1),
            ResidualConv(width),
            nn.Dropout(dropout),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            ResidualConv(width),
            nn.Dropout(dropout),
            ResidualConv(width, dilation=2),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(width, latent, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.layers(x.transpose(1, 2)).transpose(1, 2), dim=-1)


@register("sync_judge", "local", label="local sync judge", source="ours, reading 65")
class SyncJudge(nn.Module):
    """Speech and body motion side by side, moment by moment: a window fits by the mean cosine of its moments.

    posture, noise: how far, in standard deviations, each coordinate of a window is moved in training as a
    whole and frame by frame, so that neither how one sits nor a window known by heart decides. Source: ours,
    reading 65.
    """

    def __init__(
        self,
        features: int,
        points_width: int,
        width: int = 64,
        latent: int = 32,
        dropout: float = 0.2,
        posture: float = 0.5,
        noise: float = 0.1,
    ) -> None:
        super().__init__()
        self.latent, self.posture, self.noise = latent, posture, noise
        self.speech = LocalEncoder(features, width, latent, dropout)
        self.gesture = LocalEncoder(2 * points_width, width, latent, dropout)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def hear(self, speech: Tensor) -> Tensor:
        """Return views (B, N, D) of standardised speech (B, T, F)."""
        views: Tensor = share_rows(self.speech)(speech)
        return views

    def see(self, motion: Tensor) -> Tensor:
        """Return views (B, N, D) of standardised body motion (B, T, C): its places and steps."""
        steps = F.pad(motion[:, 1:] - motion[:, :-1], (0, 0, 1, 0))
        # Steps of standardised motion are small: at five times their size both halves weigh alike.
        views: Tensor = share_rows(self.gesture)(torch.cat([motion, 5 * steps], dim=-1))
        return views

    def losses(self, speech: Tensor, motion: Tensor) -> dict[str, Tensor]:
        """Return InfoNCE both ways over windows of one speaker: speech (B, T, F), motion (B, T, C)."""
        shift = self.posture * torch.randn(len(motion), 1, motion.shape[2])
        motion = motion + sent(shift + self.noise * torch.randn(motion.shape), motion.device)
        speech = speech + sent(self.noise * torch.randn(speech.shape), speech.device)
        fits = fit(self.hear(speech), self.see(motion))
        logits = self.log_scale.clamp(max=SHARPEST).exp() * fits
        target = torch.arange(len(logits), device=logits.device)
        return {
            "from_speech": F.cross_entropy(logits, target),
            "from_motion": F.cross_entropy(logits.T, target),
        }


def fit(heard: Tensor, seen: Tensor) -> Tensor:
    """Return how well each speech fits each motion (B, B): the mean cosine of views (B, N, D)."""
    return heard.flatten(1) @ seen.flatten(1).T / heard.shape[1]
