"""Attention and transformer layers as `torch.nn` has them, with fewer passes over memory in a step."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F


def attend(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """Return what x (B, N, D) reads from itself, without a mask: the module's own sums and draws."""
    projected = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    query, key, value = rearrange(projected, "b n (s h d) -> s b h n d", s=3, h=attention.num_heads)
    return _read(attention, query, key, value)


def remember(attention: nn.MultiheadAttention, memory: Tensor) -> Tensor:
    """Return keys and values (2, B, heads, M, D / heads) of a memory (B, M, D), for any number of queries."""
    width, bias = attention.embed_dim, attention.in_proj_bias
    projected = F.linear(memory, attention.in_proj_weight[width:], bias[width:])
    return rearrange(projected, "b m (s h d) -> s b h m d", s=2, h=attention.num_heads)


def attend_to(attention: nn.MultiheadAttention, x: Tensor, remembered: Tensor) -> Tensor:
    """Return what x (B, N, D) reads from a memory's keys and values."""
    width, bias = attention.embed_dim, attention.in_proj_bias
    projected = F.linear(x, attention.in_proj_weight[:width], bias[:width])
    query = rearrange(projected, "b n (h d) -> b h n d", h=attention.num_heads)
    key, value = remembered
    return _read(attention, query, key, value)


def encode(layer: nn.TransformerEncoderLayer, x: Tensor) -> Tensor:
    """Return x (B, N, D) after a layer that normalises first and is rectified, without a mask."""
    x = x + layer.dropout1(attend(layer.self_attn, layer.norm1(x)))
    inner = layer.dropout(F.relu(layer.linear1(layer.norm2(x))))
    return x + layer.dropout2(layer.linear2(inner))


def _read(attention: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    dropout = attention.dropout if attention.training else 0.0
    if dropout and not query.is_cuda:
        # On a CPU torch's own call also looks for rows that are masked whole, of which there are none here.
        scores = (query * attention.head_dim**-0.5) @ key.transpose(-1, -2)
        read = F.dropout(scores.softmax(dim=-1), dropout) @ value
    else:
        read = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    # In memory places come before samples, as torch leaves them: a dropout that follows draws the same.
    joined: Tensor = attention.out_proj(rearrange(read, "b h n d -> n b (h d)"))
    return joined.transpose(0, 1)
