"""The real libraries against tracks that someone else made, and against strangers' weights."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from extractors import POSE, SHARED, detector_weights, mediapipe_python, mmpose_python, mmpose_weights
from PIL import Image

from rgx.errors import InputError
from rgx.gesture.data.videos import Videos
from rgx.gesture.poses.files import read_keypoints
from rgx.gesture.poses.mediapipe import MediaPipe, MediaPipeFollowing
from rgx.gesture.poses.mediapipe_points import BODY_IDS, FEET_IDS
from rgx.gesture.poses.mmpose import MMPose
from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.skeleton import LEFT_HAND, RIGHT_HAND

pytestmark = pytest.mark.xdist_group("extractors")
RECORDINGS = SHARED / "data/recordings"
PRESENTER = RECORDINGS / "presenter_30fps.mp4"
SIZE_PX = (1280, 720)
UPPER = range(11)
BODY = {**dict(enumerate(BODY_IDS)), **FEET_IDS}
"""Every body point by COCO number; the hips and below lie under the picture, where both trackers guess."""
needs_shared = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="needs ../shared/data")


def presenter(frames: int) -> Iterator[np.ndarray]:
    with av.open(str(PRESENTER)) as container:
        for frame in islice(container.decode(video=0), frames):
            yield frame.to_ndarray(format="rgb24")


def their_table(name: str) -> list[list[float]]:
    with (RECORDINGS / name).open(newline="") as file:
        return [[float(n or "nan") for n in row] for row in list(csv.reader(file))[1:]]


def their_body() -> np.ndarray:
    """Return the presenter's body as others tracked it: (518, 33, 2) in px."""
    table = np.array(their_table("sample_body.csv"))
    return table[:, 1:].reshape(len(table), 33, 4)[..., :2] * SIZE_PX


def their_hands() -> dict[int, np.ndarray]:
    """Return both hands (42, 2) in px, left then right, of the frames where others found both."""
    rows = enumerate(their_table("sample_hands.csv"))
    found = {n: np.reshape(row[1:], (42, 3))[:, :2] * SIZE_PX for n, row in rows if len(row) == 127}
    return {n: hands for n, hands in found.items() if np.isfinite(hands).all()}


def shoulder_width() -> float:
    body = their_body()
    return float(np.median(np.linalg.norm(body[:, 11] - body[:, 12], axis=-1)))


@needs_shared
def test_their_frames_and_times_are_the_video_s() -> None:
    times = np.array([row[0] for row in their_table("sample_body.csv")])
    with av.open(str(PRESENTER)) as container:
        stream = container.streams.video[0]
        shown = sorted(float(p.pts * stream.time_base) for p in container.demux(stream) if p.pts is not None)
    assert len(times) == len(shown) == 518
    np.testing.assert_allclose(times, np.array(shown) * 1000, atol=1.0)  # its time base is 1 ms


@needs_shared
@pytest.mark.slow
def test_still_pictures_give_the_points_that_others_found() -> None:
    frames = 24
    found = np.array([people[0] for people in MediaPipe(python=mediapipe_python()).track(presenter(frames))])
    body = their_body()[:frames, list(BODY.values())]
    apart = np.linalg.norm(found[:, list(BODY), :2] - body, axis=-1) / shoulder_width()
    assert np.median(apart, axis=0).max() < 0.001, "all body points, in shoulder widths"
    both = {n: hands for n, hands in their_hands().items() if n < frames}
    assert len(both) > 5
    for n, hands in both.items():
        ours = found[n, LEFT_HAND + RIGHT_HAND]
        assert ours[:, 2].all()
        assert np.median(np.linalg.norm(ours[:, :2] - hands, axis=-1)) < 0.001 * shoulder_width()


@needs_shared
@pytest.mark.slow
def test_a_followed_person_stays_near_the_points_that_others_found() -> None:
    frames = 60
    tracked = list(MediaPipeFollowing(python=mediapipe_python()).track(presenter(frames)))
    assert len(tracked) == frames
    found = np.array([people[0] for people in tracked])
    body = their_body()[:frames, BODY_IDS][:, UPPER]
    apart = np.linalg.norm(found[:, UPPER, :2] - body, axis=-1) / shoulder_width()
    assert np.median(apart, axis=0).max() < 0.05, "theirs are of still pictures, ours smoothed over time"

    def restless(points: np.ndarray) -> float:
        return float(np.median(np.linalg.norm(np.diff(points, axis=0), axis=-1)))

    assert restless(found[:, UPPER, :2]) < 0.6 * restless(body), "which is what following is for"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_a_corpus_reads_our_files_as_it_reads_mediapipe_s(tmp_path: Path) -> None:
    mini = SHARED / "data/pats_mini"
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder, kind in ((theirs, "landmarks"), (ours, "keypoints")):
        (folder / kind).mkdir(parents=True)
        (folder / "clips").symlink_to(mini / "clips")
        (folder / "index.csv").write_text("clip,speaker,split\noliver1,oliver,train\nchem1,chemistry,test\n")
    for clip in ("oliver1", "chem1"):
        (theirs / f"landmarks/{clip}.npz").symlink_to(mini / f"landmarks/{clip}.npz")
        people = read_keypoints(mini / f"landmarks/{clip}.npz", 256, 256)
        write_own_npz(ours / f"keypoints/{clip}.npz", people[:, 0], 256, 256)
    for a, b in zip(Videos(str(theirs)).clips(), Videos(str(ours)).clips(), strict=True):
        np.testing.assert_array_equal(a.keypoints, b.keypoints)
        np.testing.assert_array_equal(a.valid, b.valid)
    (ours / "landmarks").symlink_to(mini / "landmarks")
    with pytest.raises(
        InputError, match=r"line 2: .*landmarks/oliver1\.npz and .*npz are both there: keep one"
    ):
        Videos(str(ours)).facts()


@needs_shared
@pytest.mark.slow
def test_mmpose_finds_points_for_each_person_a_detector_finds() -> None:
    path = SHARED / "data/coco_wholebody/000000000785.jpg"
    picture = np.array(Image.open(path).convert("RGB"))
    found = MMPose(**mmpose_weights(), **detector_weights(), least_score=0.05)
    (people,) = found.track([picture])
    assert len(people) == 3, "a detector with random weights sees people all over, its configuration three"
    assert (people[..., 2] > 0).all(), "a model has all 133 points of whoever it looks at"
    middles = people[..., :2].mean(axis=1)
    assert np.linalg.norm(np.ptp(middles, axis=0)) > 20, "each in a box of its own"


class Opens:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.path), "w")


@pytest.mark.slow
def test_weights_that_run_code_are_refused(tmp_path: Path) -> None:
    mark, path = tmp_path / "ran", tmp_path / "evil.pth"
    torch.save({"state_dict": {"weight": torch.zeros(3)}, "meta": Opens(mark)}, path)
    found = MMPose(config=POSE, checkpoint=str(path), python=mmpose_python())
    with pytest.raises(InputError, match=r"evil\.pth: refused: it asks for _?io\.open, which could run code"):
        list(found.track([np.zeros((64, 64, 3), np.uint8)]))
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the same file did run it when it was trusted"


@pytest.mark.slow
def test_weights_of_another_model_are_refused() -> None:
    weights = {**mmpose_weights(), "checkpoint": detector_weights()["detector_checkpoint"]}
    found = MMPose(**weights)
    with pytest.raises(InputError, match=r"detector\.pth: not the weights of this model"):
        list(found.track([np.zeros((64, 64, 3), np.uint8)]))
