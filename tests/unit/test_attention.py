"""Attention with fewer copies against torch's own modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rgx.gesture.nn.attention import attend, attend_to, encode, remember

torch.set_num_threads(1)


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    return torch.randn(3, 7, 12, requires_grad=True), torch.randn(3, 5, 12, requires_grad=True)


def with_gradients(call, module, *inputs):
    """Return a call's result under one seed, and the gradients of its sum of squares."""
    torch.manual_seed(1)
    result = call()
    used = [*inputs, *(p for p in module.parameters() if p.requires_grad)]
    return [result, *torch.autograd.grad(result.square().sum(), used)]


def compare(ours, theirs, module, *inputs):
    pairs = zip(with_gradients(ours, module, *inputs), with_gradients(theirs, module, *inputs), strict=True)
    for own, other in pairs:
        assert torch.allclose(own, other, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_self_attention_is_that_of_torch(inputs, training):
    x, _ = inputs
    attention = nn.MultiheadAttention(12, 3, 0.3, batch_first=True).train(training)
    nn.init.normal_(attention.in_proj_bias)
    compare(lambda: attend(attention, x), lambda: attention(x, x, x, need_weights=False)[0], attention, x)


@pytest.mark.parametrize("training", [True, False])
def test_attention_to_a_memory_is_that_of_torch(inputs, training):
    x, memory = inputs
    attention = nn.MultiheadAttention(12, 3, 0.3, batch_first=True).train(training)
    nn.init.normal_(attention.in_proj_bias)
    compare(
        lambda: attend_to(attention, x, remember(attention, memory)),
        lambda: attention(x, memory, memory, need_weights=False)[0],
        attention,
        x,
        memory,
    )


@pytest.mark.parametrize("training", [True, False])
def test_an_encoder_layer_is_that_of_torch(inputs, training):
    x, _ = inputs
    layer = nn.TransformerEncoderLayer(12, 3, 24, 0.2, batch_first=True, norm_first=True).train(training)
    compare(lambda: encode(layer, x), lambda: layer(x), layer, x)
