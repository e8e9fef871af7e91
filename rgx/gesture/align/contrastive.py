"""CLIP-style alignment of speech and gesture, with synchronous span masking and a beat head."""

from __future__ import annotations

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.align.base import Alignment
from rgx.gesture.nn.encoders import SequenceEncoder, gesture_steps
from rgx.gesture.nn.precision import sent
from rgx.gesture.skeleton import STREAMS
from rgx.gesture.types import FRAMES_PER_TOKEN, Batch
from rgx.registry import register
from rgx.shares import share_rows


def contrastive_loss(z_s: Tensor, z_g: Tensor, temperature: float, further: Tensor | None = None) -> Tensor:
    """Return eq. (1): both directions of InfoNCE over matching rows, summed without ½.

    z_s, z_g (B, D), L2-normalised; further (B, E): how like each gesture is to more speech that is not its
    own, −∞ for none. Source: eq. (1), readings 10 and 70.
    """
    logits = z_s @ z_g.T / temperature
    target = torch.arange(len(logits), device=logits.device)
    of_gestures = logits.T if further is None else torch.cat([logits.T, further / temperature], dim=1)
    return F.cross_entropy(logits, target) + F.cross_entropy(of_gestures, target)


def span_mask(batch: int, frames: int, share: float, span: int, device: torch.device) -> Tensor:
    """Return (B, T) bool with contiguous spans, whole tokens long, that cover `share` of each row.

    Source: Sec. 4.1 ("30 % of segments"), reading 11.
    """
    blocks = frames // span
    hidden = round(share * blocks)
    # The rank of a random number within its row: so exactly `hidden` blocks are hidden, wherever they fall.
    # Drawn on the CPU, as all such numbers are: a seed hides the same spans on every device.
    order = torch.rand(batch, blocks).argsort(dim=1).argsort(dim=1)
    mask = repeat(order < hidden, "b n -> b (n s)", s=span)
    return sent(F.pad(mask, (0, frames - mask.shape[1])), device)


@register("alignment", "contrastive", label="Contrastive", source="Sec. 4.1, eq. (1), readings 10 to 14")
class ContrastiveAlignment(Alignment):
    """Paired face and body encoders trained so that matching speech and gesture embed alike."""

    beat_positive: Tensor

    def __init__(
        self,
        features: int,
        width: int = 256,
        layers: int = 3,
        heads: int = 4,
        dropout: float = 0.1,
        temperature: float = 0.1,
        masked_share: float = 0.3,
        span_frames: int = 8,
        beat_weight: float = 0.5,
        beat_positive: float = 10.0,
    ) -> None:
        super().__init__()
        self.width, self.temperature = width, temperature
        self.masked_share, self.span_frames = masked_share, span_frames
        self.beat_weight = beat_weight
        size = (width, layers, heads, dropout)
        self.speech = nn.ModuleDict({s: SequenceEncoder(features, *size) for s in STREAMS})
        self.gesture = nn.ModuleDict({s: SequenceEncoder(2 * len(p), *size) for s, p in STREAMS.items()})
        self.beat = nn.ModuleDict({s: nn.Linear(width, FRAMES_PER_TOKEN) for s in STREAMS})
        self.hidden_speech = nn.Parameter(torch.zeros(features))
        self.hidden_gesture = nn.ParameterDict(
            {s: nn.Parameter(torch.zeros(2 * len(p))) for s, p in STREAMS.items()}
        )
        self.register_buffer("beat_positive", torch.tensor(beat_positive))

    @staticmethod
    def remarks(windows: int) -> list[str]:
        if windows > 1:
            return []
        return ["no negatives: a batch is one window, so the contrastive loss is 0 at every step"]

    def embed(self, batch: Batch, stream: str) -> tuple[Tensor, Tensor]:
        z_s = self.speech[stream](batch.speech)
        z_g = self.gesture[stream](gesture_steps(batch, stream))
        return self.pooled(z_s), self.pooled(z_g)

    def further(self, batch: Batch, mask: Tensor, stream: str, z_g: Tensor) -> Tensor:
        """Return how like each gesture z_g (B, D) is to more negatives (B, E), −∞ for none; here E is 0.

        mask (B, T, 1): what is hidden of the windows' speech and gestures.
        """
        return z_g[:, :0]

    @staticmethod
    def pooled(content: Tensor) -> Tensor:
        """Return the L2-normalised mean over time: (B, N, D) → (B, D)."""
        return F.normalize(reduce(content, "b n d -> b d", "mean"), dim=-1)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        frames = batch.speech.shape[1]
        mask = span_mask(len(batch.speech), frames, self.masked_share, self.span_frames, batch.speech.device)[
            ..., None
        ]
        # What hides a span is learned: zero would be what silence and rest look like.
        speech = torch.where(mask, self.hidden_speech, batch.speech)
        terms: dict[str, Tensor] = {}
        for stream in STREAMS:
            # The same mask: what is hidden of the speech cannot be read off the gesture beside it.
            gesture = torch.where(mask, self.hidden_gesture[stream], gesture_steps(batch, stream))
            c_s = share_rows(self.speech[stream])(speech)
            c_g = share_rows(self.gesture[stream])(gesture)
            z_s, z_g = self.pooled(c_s), self.pooled(c_g)
            further = self.further(batch, mask, stream, z_g)
            terms[f"contrastive_{stream}"] = contrastive_loss(z_s, z_g, self.temperature, further)
            logits = rearrange(self.beat[stream](c_g), "b n f -> b (n f)")
            terms[f"beat_{stream}"] = self.beat_weight * F.binary_cross_entropy_with_logits(
                logits, batch.beats.float(), pos_weight=self.beat_positive
            )
        return terms


def recall(z_s: Tensor, z_g: Tensor, rank: int) -> float:
    """Return the share of gestures found among the `rank` nearest of their speech: z_s, z_g (B, D)."""
    similarity = z_s @ z_g.T
    # Ties count against: embeddings that are all alike find nothing.
    better = (similarity >= similarity.diagonal()[:, None]).sum(dim=1) - 1
    return float((better < rank).float().mean())
