"""Axis generator: base tokens one turn after another, each from those before it, as TalkSHOW's body."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.generate.base import Continuation, Decoding, Fusion, Generator, Inference, Residual
from rgx.gesture.generate.causal_trunk import CausalTrunk, turns_in_time
from rgx.gesture.generate.chaining import go_on
from rgx.gesture.generate.speech_content import encode_speech, silence_some
from rgx.gesture.generate.trunk import Memory
from rgx.gesture.nn.encoders import content_width
from rgx.gesture.types import PREFIX_TOKENS, Batch, MotionTokenizer
from rgx.registry import Recipe, register
from rgx.shares import share_rows


@register("generator", "causal", label="Causal", source="TalkSHOW (Yi 2023); readings 98 and 99")
class CausalGenerator(Generator):
    """Predicts the base tokens of a turn from those of all turns before it, the speech and the speaker.

    A turn is one time in all streams: its tokens stand side by side, know nothing of one another, and each
    enters as its stream's token of the turn before. The first turns are the prefix's. condition_dropout: of
    how many windows the speech is silent in training. Raises InputError where there are no tokens.
    """

    needs_tokenizer = True
    reads: ClassVar[Mapping[str, type]] = {"decode": Continuation, "residual": Residual}

    def __init__(
        self,
        tokenizer: MotionTokenizer | None,
        speech: nn.ModuleDict,
        speakers: int,
        fusion: Recipe[Fusion],
        width: int = 384,
        layers: int = 8,
        heads: int = 6,
        feedforward: int = 1024,
        dropout: float = 0.2,
        condition_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if tokenizer is None:
            raise InputError("generator.causal predicts tokens, and there are none")
        if not 0 <= condition_dropout < 1:
            raise InputError(
                f"generator.causal.condition_dropout = {condition_dropout}: expected 0 <= share < 1"
            )
        self.speech, self.condition_dropout = speech, condition_dropout
        self.streams, self.codes = tuple(tokenizer.members), tokenizer.codes
        content = content_width(speech)
        self.trunk = CausalTrunk(content, speakers, fusion, width, layers, heads, feedforward, dropout)
        # The code after the last one says that nothing came before.
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

    def predict(self, tokens: Tensor, memory: Memory, speaker: Tensor) -> Tensor:
        """Return logits (B, (P + N)·S, V) of tokens (B, (P + N)·S) in turns, each from those before it."""
        # What is asked for moves on by a turn, so that no token is shown to itself.
        before = F.pad(self._rows(tokens)[:, :-1], (0, 0, 1, 0), value=self.codes)
        x = torch.stack(
            [self.embedding[s](before[..., i]) + self.stream_type[i] for i, s in enumerate(self.streams)], 2
        )
        turns = turns_in_time(len(self.streams), PREFIX_TOKENS, memory.tokens, tokens.device)
        y = self._rows(self.trunk(x.flatten(1, 2), memory, turns, speaker))
        logits = torch.stack([self.head[s](y[:, :, i]) for i, s in enumerate(self.streams)], 2)
        return logits.flatten(1, 2)

    def _rows(self, x: Tensor) -> Tensor:
        """Return what stands in turns (B, N·S, …) with streams apart (B, N, S, …)."""
        return x.unflatten(1, (-1, len(self.streams)))

    def _hear(self, tokens: Tensor, content: Tensor, speaker: Tensor) -> Tensor:
        """Return the logits of `predict` from speech content that is read for this pass only."""
        return self.predict(tokens, self.trunk.read(content), speaker)

    def _in_turns(self, tokens: Mapping[str, Tensor]) -> Tensor:
        """Return base tokens (B, N·S) of all streams (B, N, Q), turn by turn."""
        return torch.stack([tokens[s][..., 0] for s in self.streams], dim=-1).flatten(1)

    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        assert tokenizer is not None
        true = self._in_turns(tokenizer.window_tokens(batch))
        logits = share_rows(self._hear)(true, self.content(batch), batch.speaker)
        # The prefix is given, and nobody will ask for it.
        window = slice(PREFIX_TOKENS * len(self.streams), None)
        return {"tokens": F.cross_entropy(logits[:, window].flatten(0, 1), true[:, window].flatten())}

    @torch.no_grad()
    def sample(self, batch: Batch, inference: Inference) -> Tensor:
        tokenizer, decode, residual = inference.tokenizer, inference.decode, inference.residual
        assert tokenizer is not None and isinstance(decode, Continuation)
        noise, content = inference.draws(batch), self.content(batch)
        prefix, streams = tokenizer.tokens(batch.prefix), len(self.streams)
        given = self._in_turns(prefix)
        tokens = F.pad(given, (0, streams * content.shape[1]))
        masked = F.pad(torch.zeros_like(given, dtype=torch.bool), (0, streams * content.shape[1]), value=True)
        turns = turns_in_time(streams, PREFIX_TOKENS, content.shape[1], tokens.device)
        predict = self._guided(content, batch.speaker, decode.guidance)
        each = self._rows(decode.fill(Decoding(tokens, masked, predict, noise, turns)))
        base = {s: rearrange(each[..., i], "b n -> b n 1") for i, s in enumerate(self.streams)}
        if residual is not None:
            window = {s: t[:, PREFIX_TOKENS:] for s, t in base.items()}
            base = residual.extend(window, prefix, batch, noise)
        # Decoded with its prefix, a window goes on from there.
        decoded = tokenizer.anchor(tokenizer.decode(base), batch.prefix)
        return go_on(self.finish(decoded, batch, tokenizer), batch)

    def finish(self, decoded: Tensor, batch: Batch, tokenizer: MotionTokenizer) -> Tensor:
        """Return what becomes of decoded motion (B, P + T, K, 2), the prefix first: nothing, here."""
        return decoded

    def _guided(
        self, content: Tensor, speaker: Tensor, guidance: float
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """Return `predict` of tokens and masks: u + guidance · (c − u), with speech c, without it u.

        No answer depends on what is masked: it comes no earlier than what is asked for.
        Source: reading 76.
        """
        if guidance == 1:
            memory = self.trunk.read(content)
            return lambda tokens, masked: self.predict(tokens, memory, speaker)
        both = self.trunk.read(torch.cat([content, self.silence.expand_as(content)]))

        def predict(tokens: Tensor, masked: Tensor) -> Tensor:
            heard, unheard = self.predict(tokens.repeat(2, 1), both, speaker.repeat(2)).chunk(2)
            return unheard + guidance * (heard - unheard)

        return predict
