"""Frozen networks: weights read from files as a user would bring them, activations against plain loops."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from weight_files import hollow, vgg19_state, vgg_features

from rgx.errors import InputError
from rgx.gesture.nn.frozen import IMAGENET_MEAN, IMAGENET_STD, FrozenConvolutions, Layer, random_state, shapes
from rgx.gesture.nn.perceptual import VGG19, PerceptualFeatures, RandomFeatures
from rgx.gesture.nn.weights import (
    fingerprint_of,
    fingerprint_of_script,
    fingerprint_of_state,
    load_script,
    read_state,
)
from rgx.registry import find

SMALL = {"a.weight": (2, 3), "a.bias": (2,)}


def small_state() -> dict[str, Tensor]:
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, 2.0])}


@pytest.fixture(scope="module")
def vgg_state() -> dict[str, Tensor]:
    return vgg19_state()


@pytest.fixture(scope="module")
def vgg_path(vgg_state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(vgg_state, path)
    return path


# Weights


@pytest.mark.parametrize("suffix", ["pth", "safetensors", "legacy"])
def test_a_state_is_read_as_float32_and_only_as_far_as_expected(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"state.{suffix.replace('legacy', 'pth')}"
    state = small_state() | {"more": torch.zeros(7)}
    state["a.bias"] = state["a.bias"].half()
    if suffix == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=suffix == "pth")
    with torch.device("meta"):
        found = read_state(str(path), SMALL)
    assert found.keys() == SMALL.keys()
    assert all(v.dtype == torch.float32 and v.device.type == "cpu" for v in found.values())
    assert torch.equal(found["a.weight"], small_state()["a.weight"])
    assert torch.equal(found["a.bias"], small_state()["a.bias"])


class Payload:
    """What unpickling would run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_a_pickle_with_a_payload_is_refused_and_not_run(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path, mark = tmp_path / "state.pth", tmp_path / "ran"
    for write in (
        lambda: torch.save(small_state() | {"x": Payload(mark)}, path),
        lambda: path.write_bytes(pickle.dumps(small_state() | {"x": Payload(mark)})),
    ):
        write()
        with pytest.raises(InputError, match=r"state\.pth: expected plain tensors") as caught:
            read_state(str(path), SMALL)
        assert not mark.exists() and not recwarn.list
        assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 broken", b"\x80\x04.", b"\xa5" * 512])
def test_another_file_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"state.{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"state\.{suffix}: expected"):
        read_state(str(path), SMALL)


def test_a_script_is_no_state_and_a_state_no_script(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), tmp_path / "script.pt")
    torch.save(small_state(), tmp_path / "state.pth")
    with pytest.raises(InputError, match=r"script\.pt: expected plain tensors"):
        read_state(str(tmp_path / "script.pt"), SMALL)
    with pytest.raises(InputError, match=r"state\.pth: expected a TorchScript network"):
        load_script(str(tmp_path / "state.pth"))
    assert not [w for w in recwarn if w.category is UserWarning], "one message, the error's"
    with pytest.raises(InputError, match=r"forward\(input\) lacks rescale"):
        load_script(str(tmp_path / "script.pt"), ("input", "rescale"))


@pytest.mark.parametrize("read", [lambda p: read_state(p, SMALL), load_script, fingerprint_of])
def test_no_file_is_refused(tmp_path: Path, read) -> None:
    with pytest.raises(InputError, match=r"absent\.pth: expected a file of .*, found no such file"):
        read(str(tmp_path / "absent.pth"))
    with pytest.raises(InputError, match="found a folder"):
        read(str(tmp_path))


def test_missing_misshapen_and_other_things_are_named(tmp_path: Path) -> None:
    path = str(tmp_path / "state.pth")
    state = small_state()
    for content, message in (
        (
            {"a.weight": state["a.weight"], "a.bia": state["a.bias"]},
            r"lacks 1 of 2 weights, such as 'a\.bias'; it holds a\.weight, a\.bia",
        ),
        ({}, r"lacks 2 of 2 weights, such as 'a\.weight'; it holds none"),
        (state | {"a.bias": torch.zeros(3)}, r"'a\.bias' has shape \(3,\), expected \(2,\)"),
        (state | {"a.bias": 5}, r"'a\.bias' has shape int, expected \(2,\)"),
        ([1, 2], "expected a state dict, found a list"),
    ):
        torch.save(content, path)
        with pytest.raises(InputError, match=message) as caught:
            read_state(path, SMALL)
        assert path in str(caught.value)


def test_a_fingerprint_is_the_sha256_of_what_the_file_holds_now(tmp_path: Path) -> None:
    path = tmp_path / "state.pth"
    torch.save(small_state(), path)
    first = fingerprint_of_state(str(path), SMALL)
    assert first == hashlib.sha256(path.read_bytes()).hexdigest()
    copy = tmp_path / "elsewhere.pth"
    copy.write_bytes(path.read_bytes())
    assert fingerprint_of(str(copy)) == first
    torch.save(small_state() | {"a.bias": torch.ones(2)}, path)
    os.utime(path, ns=(1, 1))
    assert fingerprint_of_state(str(path), SMALL) == hashlib.sha256(path.read_bytes()).hexdigest() != first
    path.write_bytes(b"broken")
    with pytest.raises(InputError):
        fingerprint_of_state(str(path), SMALL)


def test_a_refused_file_put_right_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "state.pth"
    torch.save({}, path)
    for _ in range(2):
        with pytest.raises(InputError):
            fingerprint_of_state(str(path), SMALL)
    torch.save(small_state(), path)
    assert fingerprint_of_state(str(path), SMALL)
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), path)
    with pytest.raises(InputError, match="lacks rescale"):
        fingerprint_of_script(str(path), ("rescale",))


# VGG-19


def test_vgg_activations_are_those_of_a_plain_loop(vgg_state: dict[str, Tensor], vgg_path: Path) -> None:
    network = VGG19(weights=str(vgg_path))
    network.prepare("cpu")
    picture = torch.rand(2, 3, 40, 33, generator=torch.Generator().manual_seed(1))
    mean, std = (torch.tensor(v)[None, :, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x, block, first, expected = (picture - mean) / std, 1, True, []
    for place, (kind, _, _) in enumerate(vgg_features()):
        if kind == "conv":
            x = F.conv2d(x, *(vgg_state[f"features.{place}.{k}"] for k in ("weight", "bias")), padding=1)
        elif kind == "relu":
            x = x.clamp(min=0)
            if first:
                expected.append(x)
            first = False
        else:
            x, block, first = F.max_pool2d(x, 2), block + 1, True
            if block > 5:
                break
    found = network(picture)
    assert [f.shape[1] for f in found] == [64, 128, 256, 512, 512]
    assert len(found) == len(expected) == 5
    for one, two in zip(found, expected, strict=True):
        assert torch.allclose(one, two, rtol=1e-4, atol=1e-4)


def test_a_file_of_torchvision_names_and_shapes(vgg_state: dict[str, Tensor]) -> None:
    """What `torchvision.models.vgg19().state_dict()` holds, as torchvision 0.28 was seen to name it."""
    places = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
    names = [*(f"features.{n}" for n in places), *(f"classifier.{n}" for n in (0, 3, 6))]
    assert list(vgg_state) == [f"{name}.{kind}" for name in names for kind in ("weight", "bias")]
    assert vgg_state["features.34.weight"].shape == (512, 512, 3, 3)
    assert vgg_state["classifier.0.weight"].shape == (4096, 512 * 7 * 7)
    assert sum(tensor.numel() for tensor in vgg_state.values()) == 143_667_240


@pytest.mark.parametrize("kept", ["legacy", "parameters"])
def test_a_file_is_read_however_torchvision_kept_it(
    vgg_state: dict[str, Tensor], vgg_path: Path, tmp_path: Path, kept: str
) -> None:
    state = OrderedDict(vgg_state)
    if kept == "parameters":
        state = OrderedDict((name, nn.Parameter(tensor)) for name, tensor in state.items())
        state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]  # state_dict() has it
    torch.save(state, tmp_path / "vgg19.pth", _use_new_zipfile_serialization=kept != "legacy")
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    found, expected = (VGG19(str(path)) for path in (tmp_path / "vgg19.pth", vgg_path))
    for network in (found, expected):
        network.prepare("cpu")
    with torch.no_grad():
        for one, two in zip(found(picture), expected(picture), strict=True):
            assert torch.equal(one, two)


def vgg16(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's names of VGG-16, which has three convolutions fewer."""
    places = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    return {f"features.{n}.{kind}": torch.zeros(1) for n in places for kind in ("weight", "bias")}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (vgg16, r"lacks 6 of 26 weights, such as 'features\.16\.weight'; it holds features\.0\.weight"),
        (lambda state: {"state_dict": hollow(state)}, r"lacks 26 of 26 weights, .*; it holds state_dict"),
        (
            lambda state: {f"module.{name}": tensor for name, tensor in hollow(state).items()},
            r"lacks 26 of 26 weights, .*; it holds module\.features\.0\.weight",
        ),
        (
            lambda state: hollow(state | {"features.28.weight": torch.zeros(3, 512, 512, 3)}),
            r"'features\.28\.weight' has shape \(3, 512, 512, 3\), expected \(512, 512, 3, 3\)",
        ),
        (lambda state: nn.Linear(1, 1), "expected plain tensors"),
    ],
    ids=["VGG-16", "nested", "parallel", "misshapen", "a network itself"],
)
def test_another_network_is_not_vgg19(
    vgg_state: dict[str, Tensor], tmp_path: Path, other: Callable[[dict[str, Tensor]], object], words: str
) -> None:
    torch.save(other(vgg_state), tmp_path / "other.pth")
    with torch.device("meta"), pytest.raises(InputError, match=rf"other\.pth: {words}"):
        VGG19(str(tmp_path / "other.pth")).fingerprint()


def test_vgg_is_keyed_by_content_checked_while_planning(vgg_path: Path, tmp_path: Path) -> None:
    network = VGG19(weights=str(vgg_path))
    with torch.device("meta"):
        assert network.fingerprint() == fingerprint_of(str(vgg_path))
    torch.save(small_state(), tmp_path / "other.pth")
    with pytest.raises(
        InputError, match=r"other\.pth: lacks 26 of 26 weights, such as 'features\.0\.weight'"
    ):
        VGG19(weights=str(tmp_path / "other.pth")).fingerprint()
    for ask in (VGG19().fingerprint, lambda: VGG19().prepare("cpu")):
        with pytest.raises(InputError, match=r"perceptual\.vgg19\.weights = ''.*VGG-19.*random_features"):
            ask()


def test_vgg_says_when_a_picture_is_too_small(vgg_path: Path) -> None:
    network = VGG19(weights=str(vgg_path))
    network.prepare("cpu")
    assert len(network(torch.rand(1, 3, 16, 16))) == 5
    with pytest.raises(ValueError, match=r"8 × 20 px is too small for features\.28"):
        network(torch.rand(1, 3, 8, 20))


# Both variants


def vgg_or_random(name: str, path: Path) -> PerceptualFeatures:
    return {"vgg19": lambda: VGG19(str(path)), "random_features": RandomFeatures}[name]()


@pytest.mark.parametrize("name", ["vgg19", "random_features"])
def test_features_are_frozen_and_leave_no_trace_in_a_state_dict(name: str, vgg_path: Path) -> None:
    network = vgg_or_random(name, vgg_path)
    assert isinstance(network, find("perceptual", name).cls)
    with pytest.raises(RuntimeError, match=r"prepare\(device\) comes before"):
        network(torch.rand(1, 3, 32, 32))
    before = torch.random.get_rng_state()
    network.prepare("cpu")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not list(network.parameters()) and not network.state_dict()
    real = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    made = (real * 0.8).requires_grad_()
    assert float(network.distance(real, real)) == 0
    distance = network.distance(made, real)
    distance.backward()
    assert distance > 0 and made.grad.isfinite().all() and made.grad.abs().sum() > 0
    away = real.clone().requires_grad_()
    network.distance(made.detach().requires_grad_(), away).backward()
    assert away.grad is None
    assert torch.equal(network.distance(made, real), network.distance(made, real))


def test_only_the_stand_in_has_a_note() -> None:
    assert VGG19.note == ""
    assert "random features" in RandomFeatures.note and "VGG-19" in RandomFeatures.note
    assert RandomFeatures.note.endswith(".")


# Random features


def digest(seed: int = 0, **sizes: int) -> str:
    network = RandomFeatures(seed=seed, **sizes)
    network.prepare("cpu")
    held = [v.numpy().tobytes() for _, v in sorted(network.named_buffers())]
    return hashlib.sha256(b"".join(held)).hexdigest()


def test_random_features_follow_their_seed_and_nothing_else() -> None:
    torch.manual_seed(1)
    first = digest(4)
    torch.rand(3)
    assert digest(4) == first != digest(5)


@pytest.mark.slow
def test_random_features_are_the_same_in_every_process() -> None:
    code = (
        "import sys; sys.path[:0] = ['tests', 'tests/unit']; import torch; torch.manual_seed(99)\n"
        "from test_perceptual import digest; print(digest(4))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == digest(4)


def test_random_features_shrink_by_half_and_keep_their_scale() -> None:
    network = RandomFeatures(width=16, layers=5)
    with torch.device("meta"):
        built_while_planning = RandomFeatures(width=16, layers=5)
    for one in (network, built_while_planning):
        one.prepare("cpu")
    picture = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(3))
    found = network(picture)
    assert [f.shape[-1] for f in found] == [24, 12, 6, 3, 2]
    assert all(0.1 < float(f.square().mean().sqrt()) < 10 for f in found)
    assert all(torch.equal(a, b) for a, b in zip(found, built_while_planning(picture), strict=True))
    assert network(torch.rand(1, 3, 1, 1))[-1].shape == (1, 16, 1, 1)


@pytest.mark.parametrize("given", [{"width": 0}, {"layers": -1}])
def test_random_features_need_a_size(given: dict[str, int]) -> None:
    with pytest.raises(InputError, match=rf"perceptual\.random_features\.{next(iter(given))} = "):
        RandomFeatures(**given)


def test_frozen_convolutions_by_hand() -> None:
    layers = (Layer(0, 3, 1, kernel=1, padding=0, shown=False), Layer(3, 1, 1, kernel=1, padding=0, pool=2))
    state = {name: torch.ones(shape) for name, shape in shapes(layers).items()}
    state["features.3.weight"] *= 2
    picture = torch.tensor(IMAGENET_MEAN)[:, None, None].repeat(1, 2, 2)
    picture[0, 1, 1] += IMAGENET_STD[0]
    # normalised: 0 but for one 1; first layer 1 and 2; pooled 2; second 2·2 + 1
    (found,) = FrozenConvolutions(layers, state)(picture[None])
    assert found.flatten().tolist() == pytest.approx([5.0])
    drawn = random_state(layers, 0)
    assert {k: tuple(v.shape) for k, v in drawn.items()} == shapes(layers)
    assert drawn["features.0.weight"].isfinite().all() and not drawn["features.0.bias"].any()
