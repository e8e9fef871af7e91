"""Networks of our own in others' layouts: names, shapes and arithmetic against second implementations."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from weight_files import Shapes, dover_shapes, drawn, empty, i3d_shapes, video_mae_shapes

from rgx.errors import InputError
from rgx.gesture.metrics import dover, fvd, fvd_videomae
from rgx.gesture.nn.convnext_3d import ConvNeXt3D
from rgx.gesture.nn.dover_network import DOVER
from rgx.gesture.nn.i3d import I3D, Mixed, largest, padded
from rgx.gesture.nn.video_mae import Sizes, VideoMAE
from rgx.gesture.nn.video_swin import VideoSwin, WindowBlock
from rgx.gesture.nn.weight_layout import Layout

LAYOUTS = {
    "dover": (dover.LAYOUT, dover_shapes, 381),
    "i3d": (fvd.LAYOUT, i3d_shapes, 287),
    "video_mae": (fvd_videomae.LAYOUT, video_mae_shapes, 526),
}


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def randomised(network: nn.Module) -> nn.Module:
    """Return a network whose floating-point weights, zeros and ones among them, are all drawn."""
    draw = torch.Generator().manual_seed(1)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=draw) * 0.3)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_published_tensor_has_its_place_and_no_other(name: str, tmp_path: Path) -> None:
    layout, shapes, count = LAYOUTS[name]
    published = shapes()
    whole = empty(published)
    assert len(published) == count
    path = tmp_path / "weights.pth"
    # Whole checkpoints keep the weights under a name, and some files torch's counts of steps.
    counts = {"Conv3d_1a_7x7.bn.num_batches_tracked": torch.tensor(3)}
    for held in (whole, {"epoch": 3, "module": whole}, whole | counts):
        torch.save(held, path)
        with torch.device("meta"):
            assert layout.fingerprint(str(path)) == hashlib.sha256(path.read_bytes()).hexdigest()
    network = layout.load(str(path))
    assert {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()} == published
    assert not network.training and not any(tensor.is_meta for tensor in network.state_dict().values())

    def refused(changed: dict[str, Any], told: str) -> None:
        torch.save(changed, path)
        with pytest.raises(InputError, match=rf"weights\.pth: {told}"):
            layout.fingerprint(str(path))

    first, *rest = published
    refused({key: whole[key] for key in rest}, f"lacks 1 of {count} weights, such as '{first}'")
    refused(whole | {"odd": torch.ones(1)}, f"holds 1 weights beside the {count} .*'odd'")
    refused(whole | {first: torch.ones(2, 2)}, f"'{first}' has shape \\(2, 2\\), expected")
    refused({"epoch": 3}, f"lacks {count} of {count} .*it holds epoch")


def test_what_a_file_holds_tells_its_layout(tmp_path: Path) -> None:
    script, state, text = (tmp_path / f"{name}.pt" for name in ("script", "state", "text"))
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), script)
    torch.save(nn.Linear(1, 1).state_dict(), state)
    text.write_text("no network")
    layout = Layout(lambda: nn.Linear(1, 1), takes=())
    assert layout.is_script(str(script)) and not layout.is_script(str(state))
    for path in (script, state):
        assert layout.load(str(path))(torch.ones(1)).shape == (1,)
    with pytest.raises(
        InputError, match=r"text\.pt: expected plain tensors.*; nor is it a network in TorchSc"
    ):
        layout.load(str(text))
    # Where no TorchScript is published, one is no more than a file that cannot be read.
    with pytest.raises(InputError, match=r"script\.pt: expected plain tensors"):
        Layout(lambda: nn.Linear(1, 1)).load(str(script))
    with pytest.raises(InputError, match="found no such file"):
        layout.load(str(tmp_path / "absent.pt"))


# The shapes of what comes out, at the published sizes; the device "meta" works nothing out.


@pytest.mark.parametrize(
    ("build", "videos", "outputs"),
    [
        (DOVER, ((1, 3, 32, 224, 224), (3, 3, 32, 224, 224)), ((1, 1, 16, 7, 7), (3, 1, 16, 7, 7))),
        (I3D, ((1, 3, 80, 224, 224),), ((1, 400),)),
        (I3D, ((2, 3, 10, 224, 224),), ((2, 400),)),
        (VideoMAE, ((1, 3, 16, 224, 224),), ((1, 1408),)),
    ],
)
def test_what_comes_out_at_the_published_sizes(
    build: Callable[[], nn.Module], videos: tuple[tuple[int, ...], ...], outputs: tuple[tuple[int, ...], ...]
) -> None:
    with torch.device("meta"), torch.no_grad():
        given = build()(*(torch.empty(shape) for shape in videos))
    given = given if isinstance(given, tuple) else (given,)
    assert tuple(tuple(each.shape) for each in given) == outputs


# Windows


def by_loops(block: WindowBlock, tokens: Tensor, fragments: tuple[int, int]) -> Tensor:
    """Return what a block adds to tokens (1, T, H, W, C) by attention, one pair of tokens after the other."""
    attention, window = block.attn, block.window
    grid, heads = tuple(tokens.shape[1:4]), attention.heads
    shift = tuple(w // 2 if block.shifted and side > w else 0 for w, side in zip(window, grid, strict=True))
    parts = attention.qkv(block.norm1(tokens))[0].unflatten(-1, (3, heads, -1))
    all_places = list(product(*(range(side) for side in grid)))
    # Where each token lies after the shift: its window, and its place there.
    moved = {
        at: tuple((x - s) % side for x, s, side in zip(at, shift, grid, strict=True)) for at in all_places
    }
    of_window = {at: tuple(x // w for x, w in zip(moved[at], window, strict=True)) for at in all_places}
    fragment = {at: (at[1] * fragments[0] // grid[1], at[2] * fragments[1] // grid[2]) for at in all_places}
    seen = torch.zeros_like(tokens)
    for at in all_places:
        mates = [other for other in all_places if of_window[other] == of_window[at]]
        matches = torch.zeros(heads, len(mates))
        for number, other in enumerate(mates):
            apart = [moved[at][axis] % window[axis] - moved[other][axis] % window[axis] for axis in range(3)]
            row = 0
            for distance, side in zip(apart, window, strict=True):
                row = row * (2 * side - 1) + distance + side - 1
            bias = attention.relative_position_bias_table[row]
            if attention.fragment_position_bias_table is not None:
                gate = sum(abs(a - b) for a, b in zip(fragment[at], fragment[other], strict=True))
                bias = gate * bias + (1 - gate) * attention.fragment_position_bias_table[row]
            # One came around the edge of the grid and the other did not.
            walled = any((at[axis] < shift[axis]) != (other[axis] < shift[axis]) for axis in range(3))
            query, key = parts[at][0], parts[other][1]
            matches[:, number] = (query * key).sum(-1) / key.shape[-1] ** 0.5 + bias - 100 * walled
        values = torch.stack([parts[other][2] for other in mates], 1)
        seen[0][at] = attention.proj((matches.softmax(-1)[..., None] * values).sum(1).flatten())
    return seen


@pytest.mark.parametrize(("shifted", "in_fragments"), [(False, True), (True, True), (True, False)])
def test_attention_in_windows_of_fragments_is_the_same_by_loops(shifted: bool, in_fragments: bool) -> None:
    block = randomised(WindowBlock(8, 2, (2, 3, 3), shifted, in_fragments))
    # A picture in 3 × 3 fragments of 2 × 2 tokens: a window sees up to three along a side.
    tokens = noise(1, 4, 6, 6, 8)
    expected = tokens + by_loops(block, tokens, (3, 3))
    expected = expected + block.mlp(block.norm2(expected))
    assert torch.allclose(block(tokens, (3, 3)), expected, atol=1e-5)


def test_a_video_of_fragments_is_halved_thrice_and_its_windows_fill_it() -> None:
    network = randomised(VideoSwin(8, (2, 1, 1, 1), (1, 2, 4, 8), (2, 2, 2)))
    videos = noise(2, 3, 8, 64, 64)
    features = network(videos)
    assert features.shape == (2, 64, 4, 2, 2)
    assert torch.allclose(features[1:], network(videos[1:]), atol=1e-5)
    with pytest.raises(ValueError, match=r"\(3, 16, 16\) tokens are no multiple of a window of \(2, 2, 2\)"):
        network(noise(1, 3, 6, 64, 64))


# Against transformers, whose models have other names


def test_convolutions_of_a_still_video_are_those_of_its_picture() -> None:
    from transformers import ConvNextConfig, ConvNextModel

    widths, depths = (4, 6, 8, 10), (3, 3, 4, 3)
    config = ConvNextConfig(hidden_sizes=widths, depths=depths, layer_norm_eps=1e-6)
    theirs, ours = randomised(ConvNextModel(config)), randomised(ConvNeXt3D(widths, depths))
    names = {"norm": "layernorm", "gamma": "layer_scale_parameter"}
    of_picture = theirs.state_dict()
    for key, tensor in ours.state_dict().items():
        kind, *places = key.split(".")
        if kind == "norm":
            value = of_picture[f"layernorm.{places[0]}"]
        elif kind == "stages":
            stage, block, part, *rest = places
            head = f"encoder.stages.{stage}.layers.{block}.{names.get(part, part)}"
            value = of_picture[".".join([head, *rest])]
        elif places[0] == "0":
            part = ("patch_embeddings", "layernorm")[int(places[1])]
            value = of_picture[f"embeddings.{part}.{places[2]}"]
        else:
            value = of_picture[f"encoder.stages.{places[0]}.downsampling_layer.{'.'.join(places[1:])}"]
        if tensor.dim() == 5 and tensor.shape[2] == 3:
            # Of three frames the one in the middle.
            value = F.pad(value[:, :, None], (0, 0, 0, 0, 1, 1))
        elif tensor.dim() == 5:
            value = value[:, :, None].expand(tensor.shape) / tensor.shape[2]
        tensor.copy_(value)
    pictures = noise(2, 3, 64, 64)
    still = pictures[None].repeat_interleave(2, 1).transpose(1, 2)
    expected = theirs(pictures).last_hidden_state.movedim(1, -1)
    expected = theirs.layernorm(expected).movedim(-1, 1)
    assert torch.allclose(ours(still)[0].transpose(0, 1), expected, atol=1e-5)


def test_a_video_mae_sees_what_that_of_transformers_sees() -> None:
    from transformers import VideoMAEConfig, VideoMAEModel

    sizes = Sizes(width=16, depth=2, heads=4, hidden=28, patch=8, picture=16, frames=4, classes=5)
    config = VideoMAEConfig(
        **{"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 28},
        **{"patch_size": 8, "image_size": 16, "num_frames": 4, "layer_norm_eps": 1e-6},
    )
    theirs, ours = randomised(VideoMAEModel(config)), randomised(VideoMAE(sizes))
    state = theirs.state_dict()
    names = {
        **{"norm1": "layernorm_before", "norm2": "layernorm_after", "attn.proj": "attention.output.dense"},
        **{"mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense"},
    }
    for place, block in enumerate(ours.blocks):
        head = f"encoder.layer.{place}"
        attention = f"{head}.attention.attention"
        for name, other in names.items():
            for part in ("weight", "bias"):
                block.get_submodule(name).get_parameter(part).copy_(state[f"{head}.{other}.{part}"])
        weights = [state[f"{attention}.{part}.weight"] for part in ("query", "key", "value")]
        block.attn.qkv.weight.copy_(torch.cat(weights))
        for part, bias in (("query", block.attn.q_bias), ("value", block.attn.v_bias)):
            bias.copy_(state.get(f"{attention}.{part}.bias", state.get(f"{attention}.{part[0]}_bias")))
    for part in ("weight", "bias"):
        projection = state[f"embeddings.patch_embeddings.projection.{part}"]
        ours.patch_embed.proj.get_parameter(part).copy_(projection)
    # Theirs ends with a normalisation of each token, ours with one of their mean.
    theirs.layernorm = nn.Identity()
    videos = noise(3, 3, 4, 16, 16)
    tokens = theirs(videos.transpose(1, 2)).last_hidden_state
    assert torch.allclose(ours(videos), ours.fc_norm(tokens.mean(1)), atol=1e-5)
    with pytest.raises(ValueError, match=r"looks at videos of \(3, 4, 16, 16\), found \(3, 2, 16, 16\)"):
        ours(videos[:, :, :2])


# I3D


@pytest.mark.parametrize(
    ("side", "size", "stride", "before", "after"),
    [
        # n places of stride 2 under a kernel of 7: 224 → 112 takes 111 · 2 + 7 = 229, five more
        *((224, 7, 2, 2, 3), (7, 7, 2, 3, 3), (8, 7, 2, 2, 3)),
        *(
            (112, 3, 2, 0, 1),
            (7, 3, 2, 1, 1),
            (5, 2, 2, 0, 1),
            (10, 2, 2, 0, 0),
            (9, 3, 1, 1, 1),
            (4, 1, 1, 0, 0),
        ),
    ],
)
def test_same_padding_by_hand(side: int, size: int, stride: int, before: int, after: int) -> None:
    row = padded(torch.ones(1, 1, 1, 1, side), (1, 1, size), (1, 1, stride))[0, 0, 0, 0]
    assert row.tolist() == [0.0] * before + [1.0] * side + [0.0] * after
    assert F.conv1d(row[None], torch.ones(1, 1, size), stride=stride).shape[-1] == -(-side // stride)
    # Each axis has its own, times first.
    assert padded(torch.ones(1, 1, side, 4, 4), (size, 3, 1), (stride, 1, 1)).shape[2:] == (
        *(side + before + after, 6, 4),
    )


def test_the_largest_of_a_cell_is_found_at_an_odd_edge() -> None:
    row = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])[None, None, None, None]
    assert largest(row, (1, 1, 3), (1, 1, 2)).flatten().tolist() == [2.0, 4.0, 5.0]
    assert largest(row, (1, 1, 2), (1, 1, 2)).flatten().tolist() == [2.0, 4.0, 5.0]


def test_a_mixed_block_by_hand() -> None:
    mixed = Mixed(1, (1, 1, 1, 1, 1, 1)).eval().requires_grad_(False)
    for unit, factor in (("b0", 1.0), ("b1a", 2.0), ("b2a", 3.0), ("b3b", 4.0)):
        mixed.get_submodule(unit).conv3d.weight.fill_(factor)
    for unit in ("b1b", "b2b"):
        weight = mixed.get_submodule(unit).conv3d.weight
        weight.zero_()[0, 0, 1, 1, 1] = 1.0
    video = torch.zeros(1, 1, 3, 3, 3)
    video[0, 0, 1, 1, 1] = 5.0
    ways = mixed(video)[0]
    ε = (1 + 1e-5) ** -0.5
    assert ways[:, 1, 1, 1].tolist() == pytest.approx([5 * ε, 10 * ε**2, 15 * ε**2, 20 * ε])
    # Only the pool brings the middle to the corner.
    assert ways[:, 0, 0, 0].tolist() == pytest.approx([0.0, 0.0, 0.0, 20 * ε])


def test_i3d_from_its_file_gives_the_mean_over_time_of_its_logits(tmp_path: Path) -> None:
    shapes: Shapes = i3d_shapes()
    state = drawn(shapes)
    torch.save(state, tmp_path / "i3d.pt")
    network = fvd.LAYOUT.load(str(tmp_path / "i3d.pt"))
    video = noise(1, 3, 10, 224, 224).clamp(-1, 1)
    reached: list[Tensor] = []
    network.get_submodule("Mixed_5c").register_forward_hook(lambda *given: reached.append(given[2]))
    with torch.no_grad():
        logits = network(video)
    (features,) = reached
    assert features.shape == (1, 1024, 2, 7, 7) and logits.std() > 1e-3
    weight, bias = state["logits.conv3d.weight"].flatten(1), state["logits.conv3d.bias"]
    assert torch.allclose(logits[0], weight @ features.mean((2, 3, 4))[0] + bias, atol=1e-4)
