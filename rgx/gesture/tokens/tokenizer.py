"""The RVQ-VAE: one codec per stream, motion to tokens and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn

from rgx.gesture.nn.encoders import ResidualConv, edge_conv
from rgx.gesture.skeleton import STREAMS, stream_slice
from rgx.gesture.tokens.base import Parts, Quantized, Quantizer
from rgx.gesture.types import FRAMES_PER_TOKEN, PREFIX_FRAMES, PREFIX_TOKENS, Batch
from rgx.registry import Recipe
from rgx.shares import share_rows


class Layers(nn.Sequential):
    """Layers one after another, which can be compiled as a whole; torch's own are not, one by one only."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return x


class Codec(nn.Module):
    """Convolutional encoder (÷4), quantizer and decoder of one stream. Source: reading 17."""

    def __init__(self, coordinates: int, quantizer: Recipe[Quantizer], width: int, depth: int) -> None:
        super().__init__()
        self.quantizer = quantizer(width)
        halvings = int(math.log2(FRAMES_PER_TOKEN))

        def stack() -> list[nn.Module]:
            # Dilations 1, 3, 9: what a code has seen triples a layer, at the same cost.
            return [ResidualConv(width, 3**d) for d in range(depth)]

        encoder: list[nn.Module] = [edge_conv(coordinates, width, 3, padding=1), nn.ReLU()]
        decoder: list[nn.Module] = [edge_conv(width, width, 3, padding=1)]
        for _ in range(halvings):
            encoder += [edge_conv(width, width, 4, stride=2, padding=1), *stack()]
            decoder += [
                *reversed(stack()),
                # Not a transposed convolution, which leaves a pattern of its stride in the motion.
                nn.Upsample(scale_factor=2),
                edge_conv(width, width, 3, padding=1),
            ]
        encoder += [edge_conv(width, width, 3, padding=1)]
        decoder += [nn.ReLU(), edge_conv(width, coordinates, 3, padding=1)]
        self.encoder, self.decoder = Layers(*encoder), Layers(*decoder)

    def encode(self, x: Tensor) -> Tensor:
        """Return latents (B, N, D) of coordinates (B, T, C)."""
        return rearrange(self.encoder(rearrange(x, "b t c -> b c t")), "b d n -> b n d")

    def decode(self, latents: Tensor) -> Tensor:
        """Return coordinates (B, T, C) of latents (B, N, D)."""
        return rearrange(self.decoder(rearrange(latents, "b n d -> b d n")), "b c t -> b t c")


def with_prefix(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the motion (B, P + T, K, 2) of windows and what comes before them, and where it is valid."""
    motion = torch.cat([batch.prefix, batch.motion], dim=1)
    return motion, torch.cat([batch.prefix_valid, batch.valid], dim=1)


class Tokenizer(nn.Module):
    """A codec per stream; motion (B, T, K, 2) ↔ tokens {stream: (B, N, Q)}.

    places: where in a frame the points of each member of a stream lie, as landmarks do unless told.
    """

    def __init__(
        self,
        parts: Parts,
        quantizer: Recipe[Quantizer],
        width: int,
        depth: int,
        places: Mapping[str, slice] | None = None,
    ) -> None:
        super().__init__()
        self.places = places or {stream: stream_slice(stream) for stream in STREAMS}
        points = {member: place.stop - place.start for member, place in self.places.items()}
        self.parts, self.members = parts, parts.over(tuple(points))
        sizes = {
            stream: parts.size(stream, 2 * sum(points[m] for m in members))
            for stream, members in self.members.items()
        }
        self.coordinates = sum(sizes.values())
        self.codecs = nn.ModuleDict({s: Codec(size, quantizer, width, depth) for s, size in sizes.items()})
        first_quantizer = self.codec(next(iter(self.members))).quantizer
        self.width, self.codes, self.layers = width, first_quantizer.codes, first_quantizer.layers

    def codec(self, stream: str) -> Codec:
        """Return the codec of a stream."""
        return cast(Codec, self.codecs[stream])

    def steady(self) -> Iterator[nn.Module]:
        """Yield the networks that see one shape at every step, which may be compiled."""
        for stream in self.members:
            yield from (self.codec(stream).encoder, self.codec(stream).decoder)

    def split(self, motion: Tensor) -> dict[str, Tensor]:
        """Return what each stream is told of motion (B, T, C)."""
        return self.parts.code(
            {
                stream: torch.cat(
                    [rearrange(motion[:, :, self.places[m]], "b t k c -> b t (k c)") for m in members], -1
                )
                for stream, members in self.members.items()
            }
        )

    def merge(self, coordinates: dict[str, Tensor]) -> Tensor:
        """Return the motion (B, T, K, 2) of what the streams are told, where it belongs or yet to anchor."""
        restored = self.parts.restore({s: coordinates[s] for s in self.members})
        return rearrange(restored, "b t (k c) -> b t k c", c=2)

    def anchor(self, decoded: Tensor, known: Tensor) -> Tensor:
        """Return decoded motion (B, T, K, 2) where it belongs: its first P frames are known (B, P, K, 2)."""
        return self.parts.anchor(decoded, known)

    def forward(self, motion: Tensor) -> tuple[Tensor, dict[str, Quantized]]:
        quantized = self._quantize(motion)
        decoded = self.decode_latents({s: q.output for s, q in quantized.items()})
        return self.anchor(decoded, motion[:, :PREFIX_FRAMES]), quantized

    def _quantize(self, motion: Tensor) -> dict[str, Quantized]:
        streams = ((s, self.codec(s), x) for s, x in self.split(motion).items())
        return {s: codec.quantizer(share_rows(codec.encode)(x)) for s, codec, x in streams}

    def tokens(self, motion: Tensor) -> dict[str, Tensor]:
        """Return the tokens (B, N, Q) of each stream."""
        return {s: quantized.codes for s, quantized in self._quantize(motion).items()}

    def latents(self, motion: Tensor) -> dict[str, Tensor]:
        """Return what each stream decodes (B, N, D): the sum of its layers' codes."""
        return {s: quantized.output for s, quantized in self._quantize(motion).items()}

    @torch.no_grad()
    def window_tokens(self, batch: Batch) -> dict[str, Tensor]:
        """Return tokens (B, P + N, Q), those of the prefix first: the batch's own, if it has any."""
        if batch.tokens:
            return batch.tokens
        # The prefix by itself, as it is known before there is a window; the window as what follows on it.
        prefix, both = self.tokens(batch.prefix), self.tokens(with_prefix(batch)[0])
        return {s: torch.cat([prefix[s], both[s][:, PREFIX_TOKENS:]], dim=1) for s in self.members}

    def codebook(self, stream: str, layer: int) -> Tensor:
        """Return the entries (V, D) of one layer of a stream's quantizer."""
        return self.codec(stream).quantizer.codebook(layer)

    def decode_latents(self, latents: dict[str, Tensor]) -> Tensor:
        """Return the motion of quantized latents (B, N, D) of each stream."""
        return self.merge({s: share_rows(self.codec(s).decode)(latents[s]) for s in self.members})

    def decode(self, tokens: dict[str, Tensor]) -> Tensor:
        """Return the motion of tokens (B, N, q), q ≤ Q layers."""
        return self.decode_latents({s: self.codec(s).quantizer.lookup(tokens[s]) for s in self.members})
