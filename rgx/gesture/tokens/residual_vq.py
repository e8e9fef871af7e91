"""Axis quantizer: residual and plain vector quantization with EMA codebooks, and none."""

from __future__ import annotations

from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.tokens.base import Quantized, Quantizer
from rgx.registry import register


class Codebook(nn.Module):
    """One codebook learned by exponential moving average; all state lives in buffers.

    Entries unused for long (EMA count below 1) are replaced by random rows of the batch.
    Source: readings 17 and 19.
    """

    entries: Tensor
    sums: Tensor
    counts: Tensor
    started: Tensor

    def __init__(self, codes: int, width: int, decay: float) -> None:
        super().__init__()
        self.decay, self._started = decay, False
        self.register_buffer("entries", torch.randn(codes, width))
        self.register_buffer("sums", torch.zeros(codes, width))
        self.register_buffer("counts", torch.zeros(codes))
        self.register_buffer("started", torch.tensor(False))

    def nearest(self, rows: Tensor) -> Tensor:
        """Return the index (M,) of the entry nearest to each row (M, D)."""
        return torch.cdist(rows, self.entries).argmin(dim=-1)

    @torch.no_grad()
    def start(self, rows: Tensor) -> None:
        """Fill the entries from the first batch, jittered where rows are fewer than entries."""
        # Asked once: a device answers only when it has done all that was asked before.
        if self._started or bool(self.started):
            self._started = True
            return
        self.entries.copy_(self._draw(rows, len(self.entries)))
        self.sums.copy_(self.entries)
        self.counts.fill_(1.0)
        self.started.fill_(True)

    @torch.no_grad()
    def update(self, rows: Tensor, index: Tensor) -> None:
        """Move the entries towards the rows (M, D) assigned to them and revive dead ones."""
        hits = F.one_hot(index, len(self.entries)).to(rows)
        self.counts.mul_(self.decay).add_(hits.sum(0), alpha=1 - self.decay)
        self.sums.mul_(self.decay).add_(hits.T @ rows, alpha=1 - self.decay)
        total = self.counts.sum()
        # Laplace smoothing: an entry that nothing chose keeps a place, and nothing is divided by zero.
        smooth = (self.counts + 1e-5) / (total + len(self.counts) * 1e-5) * total
        self.entries.copy_(self.sums / smooth[:, None])
        # Dead: a tenth of a fair share of the batch, never more than the usual count of 1.
        dead = self.counts < min(1.0, 0.1 * len(rows) / len(self.entries))
        # On a GPU one for each, dead or not: to ask how many there are would be to wait for the answer.
        count = len(dead) if dead.is_cuda else int(dead.sum())
        if count:
            fresh = self._draw(rows, count)
            self.entries.masked_scatter_(dead[:, None], fresh)
            # As if chosen once, so that it is judged only after it had a chance.
            self.sums.masked_scatter_(dead[:, None], fresh)
            self.counts.masked_fill_(dead, 1.0)

    @staticmethod
    def _draw(rows: Tensor, count: int) -> Tensor:
        # With repetition only where rows are too few; the jitter below keeps equal ones apart.
        device = rows.device
        if count > len(rows):
            drawn = rows[torch.randint(len(rows), (count,), device=device)]
        else:
            drawn = rows[torch.randperm(len(rows), device=device)[:count]]
        return drawn + 1e-3 * drawn.std() * torch.randn_like(drawn)


@register("quantizer", "rvq", label="RVQ", source="Sec. 4.1, eq. (3)")
class ResidualVQ(Quantizer):
    """Each layer quantizes what the layers before it left over; one straight-through on the sum.

    Source: eq. (3), reading 16: commitment ‖r_r − sg(e_r)‖², EMA codebooks.
    """

    def __init__(
        self,
        width: int,
        codes: int = 512,
        layers: int = 4,
        decay: float = 0.99,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.codes, self.layers, self.dropout = codes, layers, dropout
        self.books = nn.ModuleList(Codebook(codes, width, decay) for _ in range(layers))

    def book(self, layer: int) -> Codebook:
        """Return the codebook of a layer with its state."""
        return cast(Codebook, self.books[layer])

    def active_layers(self) -> int:
        """Return how many layers this step uses: all, or with probability `dropout` a random first few."""
        if self.training and float(torch.rand(())) < self.dropout:
            return int(torch.randint(1, self.layers + 1, ()))
        return self.layers

    def forward(self, latents: Tensor) -> Quantized:
        rows = rearrange(latents, "b n d -> (b n) d")
        residual, total = rows, torch.zeros_like(rows)
        codes, commitments = [], []
        active = self.active_layers()
        for layer in range(self.layers):
            book = self.book(layer)
            if self.training and layer < active:
                book.start(residual.detach())
            # Entries learn by averages, never by a gradient.
            index = book.nearest(residual.detach())
            entry = book.entries[index]
            codes.append(index)
            # Still named, so that codes have one shape; but such a layer neither adds nor learns.
            if layer >= active:
                continue
            commitments.append(F.mse_loss(residual, entry))
            if self.training:
                book.update(residual.detach(), index)
            total = total + entry
            residual = residual - entry
        # One straight-through for the whole sum: one a layer would count the encoder's error several times.
        output = rearrange(rows + (total - rows).detach(), "(b n) d -> b n d", b=len(latents))
        stacked = rearrange(torch.stack(codes, -1), "(b n) q -> b n q", b=len(latents))
        return Quantized(stacked, output, torch.stack(commitments).sum())

    def lookup(self, codes: Tensor) -> Tensor:
        return torch.stack([self.book(q).entries[codes[..., q]] for q in range(codes.shape[-1])]).sum(0)

    def codebook(self, layer: int) -> Tensor:
        return self.book(layer).entries


@register("quantizer", "vq", label="VQ", source="van den Oord et al. 2018")
class PlainVQ(ResidualVQ):
    """One codebook, no residual layers."""

    def __init__(self, width: int, codes: int = 512, decay: float = 0.99) -> None:
        super().__init__(width, codes, layers=1, decay=decay, dropout=0.0)


@register("quantizer", "none", label="Raw landmarks", source="Table 3b 'baseline'")
class NoQuantizer(Quantizer):
    """No tokens: the generator works on raw motion."""

    has_tokens = False

    def __init__(self, width: int) -> None:
        super().__init__()
