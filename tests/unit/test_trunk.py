"""The order of a trunk's block against slow references, and what it leaves of a window's offset."""

from __future__ import annotations

import pytest
import torch
from test_generate import recipe, trunk
from torch.nn import functional as F

from rgx.gesture.nn.encoders import place_codes, positions

torch.set_num_threads(1)
WIDTH, TOKENS = 16, 6


def made(name, fusion="cross_attention", layers=1):
    """Return a trunk whose speakers differ, features, content, places and speakers."""
    torch.manual_seed(0)
    built = trunk(name, fusion, layers=layers)(5, 2).eval()
    for block in built.blocks:
        torch.nn.init.normal_(block.style.modulation[-1].weight)
        torch.nn.init.normal_(block.attend.in_proj_bias)
    return built, torch.randn(3, TOKENS, WIDTH), torch.randn(3, 4, 5), torch.tensor([0, 1, 0])


def attention(module, query, memory):
    """Return what torch's own call reads."""
    return module(query, memory, memory, need_weights=False)[0]


def taken(block, x, memory, place):
    """Return what a block's fusion takes in, token by token where it mixes."""
    if hasattr(block.fusion, "attention"):
        return attention(block.fusion.attention, block.fusion.norm(x), memory)
    linear = block.fusion.mix[0]
    columns = [torch.cat([x[:, n], memory[:, place[n]]], -1) @ linear.weight.T for n in range(x.shape[1])]
    return torch.stack(columns, dim=1) + linear.bias


def styled(block, x, speaker):
    """Return AdaIN one window and one feature at a time."""
    y = torch.empty_like(x)
    for b in range(len(x)):
        scale, shift = block.style.modulation(speaker[b : b + 1])[0].chunk(2)
        for d in range(x.shape[2]):
            series = x[b, :, d]
            normal = (series - series.mean()) / (series.var(unbiased=False) + 1e-5).sqrt()
            y[b, :, d] = (1 + scale[d]) * normal + shift[d]
    return y


def drawn(block, x, memory, place, speaker):
    asked = x + attention(block.attend, x, x)
    x = block.attend_norm(x + taken(block, asked, memory, place))
    return block.feed_norm(x + styled(block, block.feed(x), speaker))


def to_the_letter(block, x, memory, place, speaker):
    x = block.attend_norm(x + taken(block, attention(block.attend, x, x), memory, place))
    return block.feed_norm(x + styled(block, block.feed(x), speaker))


def on_the_stream(block, x, memory, place, speaker):
    normal = block.attend_norm(x)
    x = x + attention(block.attend, normal, normal)
    x = x + taken(block, x, memory, place)
    return styled(block, x + block.feed(block.feed_norm(x)), speaker)


BLOCKS = [("paper", drawn), ("letter", to_the_letter), ("transformer", on_the_stream)]


@pytest.mark.parametrize("fusion", ["cross_attention", "concat"])
@pytest.mark.parametrize(("name", "reference"), BLOCKS)
def test_a_block_is_its_slow_reference(name, reference, fusion):
    built, x, content, speaker = made(name, fusion, layers=2)
    place = torch.tensor([-2, -1, 0, 1, 2, 3])
    memory = built.memory(content) + positions(4, WIDTH)
    y = x + torch.stack(
        [positions(9, WIDTH)[n] if n >= 0 else place_codes(n + torch.zeros(1), WIDTH)[0] for n in place]
    )
    for block in built.blocks:
        y = reference(block, y, memory, place.clamp(min=0), speaker)
    assert torch.allclose(built(x, built.read(content), place, speaker), built.norm(y), atol=1e-5)


def test_an_offset_of_a_window_survives_the_block_as_drawn_and_no_style_over_the_whole_stream():
    kept = {}
    for name in ("paper", "transformer"):
        built, x, content, speaker = made(name)
        block, memory = built.blocks[0], built.read(content).blocks[0]
        place, offset = torch.arange(TOKENS).clamp(max=3), torch.linspace(-2, 2, WIDTH)
        means = [block(each, memory, place, speaker).mean(1) for each in (x, x + offset)]
        kept[name] = (means[1] - means[0]).abs().mean()
    assert kept["paper"] > 0.2
    assert kept["transformer"] < 1e-5


def test_places_have_codes_of_their_own_before_the_window_too():
    codes = place_codes(torch.arange(-6, 20), WIDTH)
    assert torch.equal(codes[6:], positions(20, WIDTH))
    distance = torch.cdist(codes, codes) + torch.eye(len(codes))
    assert distance.min() > 0.1


def test_the_speaker_s_mlp_starts_without_a_speaker():
    torch.manual_seed(0)
    style, x = recipe("style", "adain")(6, 3), torch.randn(3, 9, 6)
    normal = F.instance_norm(x.transpose(1, 2)).transpose(1, 2)
    assert torch.allclose(style(x, torch.tensor([0, 1, 2])), normal, atol=1e-5)
