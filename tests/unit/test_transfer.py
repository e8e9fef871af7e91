"""A speaker's style on another person: bones of their own length, directions of the speaker's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from little import command
from PIL import Image
from safetensors.torch import load_file
from scipy.io import wavfile
from torch import Tensor

import rgx
from rgx.errors import InputError
from rgx.gesture.model.gesture_model import GestureModel
from rgx.gesture.model.portrait import read_portrait
from rgx.gesture.model.retargeting import BONES, FLAT, retarget
from rgx.gesture.poses.files import read_keypoints
from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.skeleton import KEPT, LEFT_HAND, POINTS, kept_index


@pytest.fixture(scope="module")
def rest(model_folder: Path) -> Tensor:
    return load_file(model_folder / "rest.safetensors")["points"]


SEEN = torch.ones(len(KEPT), dtype=torch.bool)


def length(motion: Tensor, start: int, end: int) -> Tensor:
    return (motion[..., kept_index(end), :] - motion[..., kept_index(start), :]).norm(dim=-1)


def test_who_is_like_the_pattern_moves_like_it(rest: Tensor) -> None:
    moved = retarget(rest[0], rest[0], SEEN)(rest[:1])
    assert torch.allclose(moved, rest[:1], atol=1e-5)


def test_bones_are_as_long_as_the_persons_and_directions_the_patterns(rest: Tensor) -> None:
    person = rest[0] * 1.2
    motion = rest[:1] + 0.02 * torch.randn(50, len(KEPT), 2, generator=torch.Generator().manual_seed(0))
    moved = retarget(rest[0], person, SEEN)(motion)
    for bone in BONES:
        assert torch.allclose(length(moved, *bone), length(person, *bone).expand(50), rtol=1e-4)
    start, end = (kept_index(point) for point in BONES[0])
    ways = [x[:, end] - x[:, start] for x in (motion, moved)]
    assert torch.cosine_similarity(*ways).min() > 0.9999
    hand = LEFT_HAND[5], LEFT_HAND[6]
    assert torch.allclose(length(moved, *hand), 1.2 * length(motion, *hand), rtol=1e-3)


def test_a_bone_towards_the_camera_stays_short(rest: Tensor) -> None:
    motion, (start, end) = rest[:1].clone(), BONES[1]
    shoulder = motion[:, kept_index(start)]
    motion[:, kept_index(end)] = shoulder + 0.4 * (motion[:, kept_index(end)] - shoulder)
    moved = retarget(rest[0], rest[0] * 1.2, SEEN)(motion)
    expected = 1.2 * length(rest[0], start, end) * 0.4 / FLAT
    assert float(length(moved, start, end)) == pytest.approx(float(expected), rel=1e-4)


def test_without_an_arm_in_sight_nobody_takes_it_on(rest: Tensor) -> None:
    seen = SEEN.clone()
    seen[[kept_index(point) for point in (7, 8)]] = False
    with pytest.raises(InputError, match="no bone of the portrait's arms is seen whole"):
        retarget(rest[0], rest[1], seen)


def test_the_command_gives_the_portrait_the_patterns_motion(
    model_folder: Path, rest: Tensor, tmp_path: Path
) -> None:
    points = torch.zeros(1, POINTS, 3)
    points[0, list(KEPT), :2] = rest[0] * 9 + torch.tensor([32.0, 20.0])
    points[0, list(KEPT), 2] = 1
    write_own_npz(tmp_path / "p.npz", points.numpy(), 64, 64)
    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    noise = torch.rand(32_000, generator=torch.Generator().manual_seed(0)) - 0.5
    wavfile.write(tmp_path / "a.wav", 16_000, noise.numpy())
    told = ["--speech", str(tmp_path / "a.wav"), "--out", str(tmp_path / "out.npz"), "--portrait"]
    told += [str(tmp_path / "p.png"), "--portrait-keypoints", str(tmp_path / "p.npz")]
    assert command("transfer", "--model", str(model_folder), *told, "--pattern", "puppet_b") == 0
    made = torch.from_numpy(read_keypoints(tmp_path / "out.npz", 64, 64)[:, 0, list(KEPT), :2])
    assert made.shape == (50, len(KEPT), 2)
    own = points[0, list(KEPT), :2]
    for bone in BONES:
        # As long as the portrait's where it lies in the picture, as at rest, and never longer.
        assert float(length(made, *bone).max()) == pytest.approx(float(length(own, *bone)), rel=0.02)
    model = rgx.load(model_folder, GestureModel, device="cpu")
    person = read_portrait(tmp_path / "p.png", tmp_path / "p.npz")
    performance = model.transfer(tmp_path / "a.wav", "puppet_b", person)
    assert torch.equal(performance._start().prefix, model.begin(noise.numpy(), "puppet_b")._start().prefix)
    assert command("transfer", "--model", str(model_folder), *told, "--pattern", "puppet_z") == 2
