"""One planted person in every dialect of keypoint files: what is read is what was planted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_tracks import (
    BODY,
    NECK,
    WRITERS,
    arrays_in,
    frames_in,
    listed,
    mediapipe_arrays,
    openpose,
    pose_file,
)

from rgx.errors import InputError
from rgx.gesture.data.videos import KEYPOINTS
from rgx.gesture.poses.files import READERS, SUFFIXES, dialect, read_keypoints
from rgx.gesture.skeleton import FACE, LEFT_HAND, RIGHT_HAND

SHARED = Path(__file__).resolve().parents[2].parent / "shared/data"
FRAMES, SIZE = 3, (640, 360)


def planted() -> np.ndarray:
    """Return a person (T, 133, 3) in px inside the picture, every point surely found."""
    random = np.random.default_rng(5)
    points = random.uniform(2, 350, (FRAMES, 133, 3))
    points[..., 2] = 1
    return points


@pytest.mark.parametrize("name", WRITERS)
def test_what_was_planted_is_read(tmp_path: Path, name: str) -> None:
    write, absent, called = WRITERS[name]
    path = write(tmp_path, planted(), SIZE)
    people = read_keypoints(path, *SIZE)
    assert people.shape == (FRAMES, 1, 133, 3) and people.dtype == np.float32
    kept = sorted(set(range(133)) - absent)
    np.testing.assert_allclose(people[:, 0][:, kept], planted()[:, kept], atol=2e-3)
    assert not people[:, 0][:, sorted(absent)].any(), "absent is not found"
    assert called in dialect(path)


def test_a_part_that_is_null_or_not_there_is_not_found(tmp_path: Path) -> None:
    person = openpose(planted()[0], NECK)
    person["face_keypoints_2d"] = None
    del person["hand_left_keypoints_2d"]
    points = read_keypoints(frames_in(tmp_path / "a", [{"people": [person]}]), *SIZE)[0, 0]
    assert not points[list(FACE)].any() and not points[list(LEFT_HAND)].any()
    assert points[list(RIGHT_HAND), 2].all() and points[list(BODY), 2].all()
    arrays = mediapipe_arrays(planted(), 468, SIZE)
    found = read_keypoints(arrays_in(tmp_path / "b.npz", pose=arrays["pose"]), *SIZE)[:, 0]
    assert not found[:, 23:].any() and found[:, list(BODY), 2].all()


def test_frames_without_anybody_come_first(tmp_path: Path) -> None:
    empty: list[Any] = [{"people": []}, {"people": [openpose(planted()[0], NECK)]}]
    people = read_keypoints(frames_in(tmp_path / "a", empty), *SIZE)
    assert (people[..., 2] > 0).any(axis=-1).tolist() == [[False], [True]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{"head": 1, "tail": 2}], "frame 0: an object with the keys head, tail: expected one of"),
        ({"images": [], "annotations": []}, "no images"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 2}]}, "annotation 0 is of image 2"),
        ([{"pose_landmarks": [[{"x": 0, "y": 0}], [{"x": 0, "y": 0}]]}], "2 people, expected one"),
        ([{"pose_landmarks": [{"x": 0}]}], "expected a list of points with x and y"),
        ([{"pose_landmarks": [{"x": 0.1, "y": 0.1}] * 32}], "has 32 points, expected 17 .* or 33"),
        ([{"keypoints": [[1, 2]], "scores": [1]}], r"keypoints \(1, 2\) and scores \(1,\)"),
        (
            [{"people": [{"pose_keypoints_2d": [2] * 54}], "canvas_width": 100, "canvas_height": 100}],
            "pictures of 100×100 px, the video's are 640×360 px",
        ),
    ],
)  # fmt: skip
def test_what_tells_nothing_or_is_broken_is_named(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(InputError, match=rf"odd\.json.*{words}"):
        read_keypoints(listed(tmp_path / "odd.json", content), *SIZE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "unreadable|no columns"),
        ("a,b\n1,2\n", "no columns X_"),
        ("X_NOSE,Y_NOSE,visibility_NOSE\n1,2\n", r"odd\.csv:2: 2 columns, the first line has 3"),
        ("X_NOSE,Y_NOSE,visibility_NOSE\n1,x,1\n", "not an array of numbers"),
        ("X_NOSE,Y_NOSE,visibility_NOSE\n.1,.2,1\n", "the body has 1 points, expected 17"),
    ],
)
def test_odd_tables_are_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "odd.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        read_keypoints(tmp_path / "odd.csv", *SIZE)


def test_a_broken_pose_file_is_named(tmp_path: Path) -> None:
    whole = pose_file(tmp_path / "a.pose", planted(), SIZE).read_bytes()
    for share in (0.0, 0.1, 0.6):
        (tmp_path / "b.pose").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=r"b\.pose: unreadable as a \.pose"):
            read_keypoints(tmp_path / "b.pose", *SIZE)


def test_damaged_json_never_escapes_as_another_error(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("holistic tasks", "controlnet shares", "mmpose video", "rtmlib json", "coco annotations"):
        (tmp_path / name).mkdir()
        path = WRITERS[name][0](tmp_path / name, planted(), SIZE)
        content = path.read_bytes()
        for _ in range(20):
            damaged = bytearray(content)
            for where in random.integers(0, len(content), 3):
                damaged[where] = random.choice(list(b'0[]{}",x'))
            path.write_bytes(damaged)
            try:
                read_keypoints(path, *SIZE)
            except InputError as error:
                assert "a.json" in str(error)


def test_a_clip_and_a_source_may_have_any_of_them() -> None:
    assert {f"keypoints/{{}}{suffix}" for suffix in SUFFIXES} <= set(KEYPOINTS)
    assert set(SUFFIXES) < set(READERS)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_published_tables_and_annotations(tmp_path: Path) -> None:
    people = read_keypoints(SHARED / "recordings/sample_body.csv", 1280, 720)
    assert people.shape == (518, 1, 133, 3)
    left, right = people[:, 0, 5], people[:, 0, 6]
    assert (left[:, 0] > right[:, 0]).mean() > 0.99, "left is the speaker's left"
    with pytest.raises(InputError, match=r"sample_hands\.csv:82: 64 columns, the first line has 127"):
        read_keypoints(
            SHARED / "recordings/sample_hands.csv", 1280, 720
        )  # of one hand, and which is not said
    images = json.loads((SHARED / "coco_wholebody/test_coco_wholebody.json").read_text())
    with pytest.raises(InputError, match="the video's are 425×640 px"):
        read_keypoints(SHARED / "coco_wholebody/test_coco_wholebody.json", 425, 640)
    first = {**images, "images": [image for image in images["images"] if image["id"] == 785]}
    first["annotations"] = [a for a in images["annotations"] if a["image_id"] == 785]
    one = listed(tmp_path / "one.json", first)
    size = first["images"][0]["width"], first["images"][0]["height"]
    assert read_keypoints(one, *size).shape == (1, len(first["annotations"]), 133, 3)
