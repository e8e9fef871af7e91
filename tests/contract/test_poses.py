"""What every registered extractor must keep to: an answer a picture, shapes, scores, the same again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from extractors import SHARED, detector_weights, mediapipe_python, mmpose_weights
from PIL import Image
from roster import load_roster

from rgx import registry
from rgx.errors import InputError
from rgx.gesture.poses.base import Extractor
from rgx.gesture.poses.files import Files
from rgx.gesture.poses.mediapipe import MediaPipe, MediaPipeFollowing
from rgx.gesture.poses.mmpose import MMPose
from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.poses.puppet_net import PuppetNet
from rgx.gesture.poses.puppet_network import PoseNetwork

load_roster()
pytestmark = pytest.mark.xdist_group("extractors")
HEIGHT, WIDTH = 240, 180


def files(tmp_path: Path) -> Extractor:
    path = tmp_path / "clip.npz"
    people = np.random.default_rng(0).uniform(0.1, 1, (4, 133, 3)).astype(np.float32)
    write_own_npz(path, people * np.float32([WIDTH, HEIGHT, 1]), WIDTH, HEIGHT)
    return Files(str(path))


def puppet_net(tmp_path: Path) -> Extractor:
    torch.manual_seed(0)
    return PuppetNet().looking_with({"pose_net": PoseNetwork(32, width=4).eval()}, "cpu")


MAKERS: dict[str, Callable[[Path], Extractor]] = {
    "files": files,
    "mediapipe": lambda tmp_path: MediaPipe(python=mediapipe_python()),
    "mediapipe_following": lambda tmp_path: MediaPipeFollowing(python=mediapipe_python()),
    "puppet_net": puppet_net,
    "mmpose": lambda tmp_path: MMPose(**mmpose_weights()),
    "mmpose, detecting": lambda tmp_path: MMPose(**mmpose_weights(), **detector_weights(), least_score=0.05),
}
QUICK = {"files", "puppet_net"}


def test_every_extractor_is_held_to_its_contract() -> None:
    ours = [v for v in registry.variants("poses") if v.cls.__module__.startswith("rgx.")]
    assert {v.name for v in ours} == {name.split(",")[0] for name in MAKERS}
    for variant in ours:
        assert issubclass(variant.cls, Extractor) and not variant.shapes


def picture() -> np.ndarray:
    """Return a person in a picture higher than wide; noise where there is no folder of portraits."""
    path = SHARED / "data/portraits/001.png"
    if not path.is_file():
        return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return np.array(Image.open(path).convert("RGB").resize((WIDTH, HEIGHT)))


PICTURES = [picture(), np.zeros((HEIGHT, WIDTH, 3), np.uint8), picture(), picture()[:, ::-1]]


@pytest.fixture(
    scope="module", params=[pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in MAKERS]
)
def extractor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    return MAKERS[request.param](tmp_path_factory.mktemp("extractor"))


@pytest.fixture(scope="module")
def first(extractor: Extractor) -> list[np.ndarray]:
    """What an extractor sees in the pictures; asked once, since most start a process for it."""
    return list(extractor.track(iter(PICTURES)))


def test_an_answer_for_each_picture_and_the_same_again(extractor: Extractor, first: list[np.ndarray]) -> None:
    second = list(extractor.track(iter(PICTURES)))
    assert len(first) == len(PICTURES)
    for people, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(people, again)
        assert people.dtype == np.float32 and people.ndim == 3 and people.shape[1:] == (133, 3)
        assert extractor.people is None or len(people) <= extractor.people
        assert np.isfinite(people).all()
        scores = people[..., 2]
        assert ((scores >= 0) & (scores <= 1)).all()
        assert not people[scores == 0].any(), "what is not found has no place"
        assert (np.abs(people[..., :2]) < 20 * max(HEIGHT, WIDTH)).all()


def test_one_that_stands_alone_has_no_memory(extractor: Extractor, first: list[np.ndarray]) -> None:
    if not extractor.alone:
        return
    np.testing.assert_array_equal(first[0], first[2])
    for n in (1, 3):  # each is a start of its own
        (apart,) = extractor.track([PICTURES[n]])
        np.testing.assert_array_equal(apart, first[n])


def test_pictures_of_two_sizes_are_refused(extractor: Extractor) -> None:
    pictures = [picture(), picture()[:100]]
    with pytest.raises(InputError, match=f"frame 1 of the pictures is {WIDTH}×100 px"):
        list(extractor.track(pictures))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mediapipe", "mediapipe_following"])
def test_nobody_in_an_empty_picture(name: str, tmp_path: Path) -> None:
    empty = [np.full((HEIGHT, WIDTH, 3), grey, np.uint8) for grey in (0, 128, 255)]
    assert [len(people) for people in MAKERS[name](tmp_path).track(empty)] == [0, 0, 0]
