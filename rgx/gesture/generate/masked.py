"""Axis generator: the masked gesture generator of Sec. 4.2."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.generate.base import Decoding, Filling, Inference, MaskRatio, Residual, SpanGenerator
from rgx.gesture.generate.chaining import go_on
from rgx.gesture.generate.masking import deal
from rgx.gesture.generate.speech_content import encode_speech, silence_some
from rgx.gesture.generate.trunk import Memory, Trunk, place_tokens
from rgx.gesture.nn.encoders import content_width
from rgx.gesture.nn.motion_losses import motion_losses
from rgx.gesture.nn.precision import sent
from rgx.gesture.types import PREFIX_FRAMES, PREFIX_TOKENS, Batch, MotionTokenizer
from rgx.registry import Part, Recipe, register
from rgx.shares import share_rows

IGNORED = -100
"""What stands for a token that no loss is taken of."""


def mask_some(ratio: Tensor, tokens: int) -> Tensor:
    """Return (B, N) bool with round(ratio · N), at least one, random positions set in each row."""
    # At least one: a window with nothing masked has nothing to learn from.
    count = (ratio * tokens).round().clamp(min=1)
    return torch.rand(len(ratio), tokens).argsort(dim=1).argsort(dim=1) < count[:, None]


def after_prefix(windows: list[Tensor]) -> Tensor:
    """Return masks (B, S·(P + N)) of whole streams from those of windows (B, N): no prefix is ever masked."""
    return torch.cat([F.pad(window, (PREFIX_TOKENS, 0)) for window in windows], dim=1)


@register("generator", "masked", label="Masked", source="Sec. 4.2, eq. (4)")
class MaskedGenerator(SpanGenerator):
    """Predicts masked base tokens of all streams from the rest, the speech and the speaker.

    Streams follow one another in time with a type embedding and are masked independently; each
    begins with the tokens of its prefix, which are never masked. replaced_share: of the tokens to be
    predicted, how many become a random code; masked_share: of the rest, how many the mask.
    reconstruction_share: of how many of a batch's windows the motion is decoded for the loss on it, a third
    of a step if of all.
    Source: readings 24, 53 and 57.
    """

    needs_tokenizer = True
    reads: ClassVar[Mapping[str, type]] = {"decode": Filling, "residual": Residual}

    def __init__(
        self,
        tokenizer: MotionTokenizer | None,
        speech: nn.ModuleDict,
        speakers: int,
        trunk: Recipe[Trunk],
        mask_ratio: Part[MaskRatio],
        condition_dropout: float = 0.1,
        replaced_share: float = 0.1,
        masked_share: float = 0.88,
        reconstruction_weight: float = 1.0,
        reconstruction_share: float = 0.25,
    ) -> None:
        super().__init__()
        if tokenizer is None:
            raise InputError("generator.masked predicts tokens, and there are none")
        self.speech, self.mask_ratio = speech, mask_ratio
        self.streams, self.codes = tuple(tokenizer.members), tokenizer.codes
        self.condition_dropout = condition_dropout
        if not (0 <= replaced_share <= 1 and 0 <= masked_share <= 1):
            raise InputError(
                "generator.masked: expected 0 <= replaced_share <= 1 and 0 <= masked_share <= 1, "
                f"found {replaced_share} and {masked_share}"
            )
        self.replaced_share, self.masked_share = replaced_share, masked_share
        if not 0 < reconstruction_share <= 1:
            raise InputError(
                f"generator.masked.reconstruction_share = {reconstruction_share}: expected 0 < share <= 1"
            )
        self.reconstruction_weight, self.reconstruction_share = reconstruction_weight, reconstruction_share
        content = content_width(speech)
        self.trunk = trunk(content, speakers)
        width = self.trunk.width
        self.embedding = nn.ModuleDict({s: nn.Embedding(self.codes + 1, width) for s in self.streams})
        self.stream_type = nn.Parameter(nn.init.normal_(torch.empty(len(self.streams), width), std=0.02))
        self.head = nn.ModuleDict({s: nn.Linear(width, self.codes) for s in self.streams})
        self.silence = nn.Parameter(torch.zeros(content))

    def steady(self) -> Iterator[nn.Module]:
        yield from super().steady()
        yield self.trunk

    def content(self, batch: Batch) -> Tensor:
        """Return the speech content (B, N, E) of all streams' encoders, dropped at random in training."""
        content = encode_speech(self.speech, batch.speech)
        return silence_some(content, self.silence, self.condition_dropout) if self.training else content

    def predict(self, tokens: Tensor, masked: Tensor, memory: Memory, speaker: Tensor) -> Tensor:
        """Return logits (B, S·(P + N), V) of tokens (B, S·(P + N)), streams one after another."""
        # The code after the last one says "masked".
        each = tokens.masked_fill(masked, self.codes).chunk(len(self.streams), dim=1)
        x = torch.cat(
            [
                self.embedding[s](t) + self.stream_type[i]
                for i, (s, t) in enumerate(zip(self.streams, each, strict=True))
            ],
            dim=1,
        )
        place = place_tokens(len(self.streams), memory.tokens, tokens.device)
        y = self.trunk(x, memory, place, speaker).chunk(len(self.streams), dim=1)
        return torch.cat([self.head[s](part) for s, part in zip(self.streams, y, strict=True)], dim=1)

    def _hear(self, tokens: Tensor, masked: Tensor, content: Tensor, speaker: Tensor) -> Tensor:
        """Return the logits of `predict` from speech content that is read for this pass only."""
        return self.predict(tokens, masked, self.trunk.read(content), speaker)

    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        assert tokenizer is not None
        tokens = tokenizer.window_tokens(batch)
        true = torch.cat([tokens[s][..., 0] for s in self.streams], dim=1)
        size = true.shape[1] // len(self.streams) - PREFIX_TOKENS
        masks = [mask_some(self.mask_ratio.draw(len(true)), size) for _ in self.streams]
        masked = sent(after_prefix(masks), true.device)
        replaced, hidden = deal(masked, self.replaced_share, self.masked_share)
        seen = torch.where(replaced, sent(torch.randint(self.codes, true.shape), true.device), true)
        logits = share_rows(self._hear)(seen, hidden, self.content(batch), batch.speaker)
        # Not logits[masked]: how many there are only the device knows, and a step does not wait for it.
        hoped = true.masked_fill(~masked, IGNORED).flatten()
        losses = {"tokens": F.cross_entropy(logits.flatten(0, 1), hoped, ignore_index=IGNORED)}
        if self.reconstruction_weight:
            # Windows are drawn at random: the first ones are as good as any.
            some = slice(math.ceil(self.reconstruction_share * len(true)))
            parts = {s: t[some] for s, t in tokens.items()}
            decoded = self._soft_motion(logits[some], true[some], masked[some], parts, tokenizer)
            motion = tokenizer.anchor(decoded, batch.prefix[some])[:, PREFIX_FRAMES:]
            terms = motion_losses(motion, batch.motion[some], batch.valid[some])
            losses |= {k: self.reconstruction_weight * v for k, v in terms.items()}
        return losses

    def _soft_motion(
        self,
        logits: Tensor,
        true: Tensor,
        masked: Tensor,
        tokens: dict[str, Tensor],
        tokenizer: MotionTokenizer,
    ) -> Tensor:
        """Decode expected base codes where masked, true codes elsewhere, with the true residual layers.

        The prefix is decoded before the window.

        Source: Sec. 4.2, last sentence before inference; the soft expectation is ours (reading 25).
        """
        latents = {}
        parts = (x.chunk(len(self.streams), dim=1) for x in (logits, true, masked))
        for stream, own_logits, own_true, own_masked in zip(self.streams, *parts, strict=True):
            books = [tokenizer.codebook(stream, q) for q in range(tokenizer.layers)]
            expected = own_logits.softmax(-1) @ books[0]
            base = torch.where(own_masked[..., None], expected, books[0][own_true])
            rest = [books[q][tokens[stream][..., q]] for q in range(1, tokenizer.layers)]
            latents[stream] = base + sum(rest, torch.zeros_like(base))
        return tokenizer.decode_latents(latents)

    @torch.no_grad()
    def sample(self, batch: Batch, inference: Inference) -> Tensor:
        tokenizer, decode, residual = inference.tokenizer, inference.decode, inference.residual
        assert tokenizer is not None and isinstance(decode, Filling)
        noise = inference.draws(batch)
        content = self.content(batch)
        size = content.shape[1]
        prefix = tokenizer.tokens(batch.prefix)
        # After the prefix as many places as there are to fill; what stands there is masked.
        tokens = torch.cat([F.pad(prefix[s][..., 0], (0, size)) for s in self.streams], dim=1)
        blank = torch.ones(len(tokens), size, dtype=torch.bool, device=tokens.device)
        masked = after_prefix([blank] * len(self.streams))
        predict = self._guided(content, batch.speaker, decode.guidance)
        each = decode.fill(Decoding(tokens, masked, predict, noise)).chunk(len(self.streams), dim=1)
        base = {s: rearrange(t, "b n -> b n 1") for s, t in zip(self.streams, each, strict=True)}
        if residual is not None:
            window = {s: t[:, PREFIX_TOKENS:] for s, t in base.items()}
            base = residual.extend(window, prefix, batch, noise)
        # Decoded with its prefix, a window goes on from there.
        return go_on(tokenizer.anchor(tokenizer.decode(base), batch.prefix), batch)

    @torch.no_grad()
    def refill(self, batch: Batch, masked: dict[str, Tensor], inference: Inference) -> Tensor:
        tokenizer, decode, residual = inference.tokenizer, inference.decode, inference.residual
        assert tokenizer is not None and isinstance(decode, Filling)
        noise, tokens = inference.draws(batch), tokenizer.window_tokens(batch)
        base = torch.cat([tokens[s][..., 0] for s in self.streams], dim=1)
        hidden = after_prefix([masked[s] for s in self.streams])
        predict = self._guided(self.content(batch), batch.speaker, decode.guidance)
        each = decode.fill(Decoding(base, hidden, predict, noise)).chunk(len(self.streams), dim=1)
        filled = {s: rearrange(t, "b n -> b n 1") for s, t in zip(self.streams, each, strict=True)}
        if residual is not None:
            window = {s: t[:, PREFIX_TOKENS:] for s, t in filled.items()}
            prefix = {s: t[:, :PREFIX_TOKENS] for s, t in tokens.items()}
            known = {s: (tokens[s][:, PREFIX_TOKENS:], masked[s]) for s in self.streams}
            filled = residual.extend(window, prefix, batch, noise, known)
        latents = {}
        for s, own in zip(self.streams, hidden.chunk(len(self.streams), dim=1), strict=True):
            # Without a residual a new token has one layer, and those around it all of theirs.
            new, old = (_latents(tokenizer, s, codes[s]) for codes in (filled, tokens))
            latents[s] = torch.where(own[..., None], new, old)
        return tokenizer.decode_latents(latents)[:, PREFIX_FRAMES:]

    def _guided(
        self, content: Tensor, speaker: Tensor, guidance: float
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """Return `predict` of tokens and masks: u + guidance · (c − u), with speech c, without it u.

        Source: Ho & Salimans 2022, reading 76.
        """
        if guidance == 1:
            memory = self.trunk.read(content)
            return lambda tokens, masked: self.predict(tokens, masked, memory, speaker)
        both = self.trunk.read(torch.cat([content, self.silence.expand_as(content)]))

        def predict(tokens: Tensor, masked: Tensor) -> Tensor:
            logits = self.predict(tokens.repeat(2, 1), masked.repeat(2, 1), both, speaker.repeat(2))
            heard, unheard = logits.chunk(2)
            return unheard + guidance * (heard - unheard)

        return predict


def _latents(tokenizer: MotionTokenizer, stream: str, codes: Tensor) -> Tensor:
    """Return what codes (B, N, q) of a stream are decoded from, (B, N, D)."""
    layers = [tokenizer.codebook(stream, q)[codes[..., q]] for q in range(codes.shape[-1])]
    return torch.stack(layers).sum(0)
