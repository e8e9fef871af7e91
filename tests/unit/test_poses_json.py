from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rgx.errors import InputError
from rgx.gesture.poses.files import read_keypoints
from rgx.gesture.skeleton import FACE, LEFT_HAND, RIGHT_HAND

OPENPOSE = Path(__file__).resolve().parents[2].parent / "shared/data/poses/openpose_json"
BODY_25 = (
    *("nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow"),
    *("left wrist", "mid hip", "right hip", "right knee", "right ankle", "left hip", "left knee"),
    *("left ankle", "right eye", "left eye", "right ear", "left ear", "left big toe", "left small toe"),
    *("left heel", "right big toe", "right small toe", "right heel"),
)
COCO = (
    *("nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder"),
    *("left elbow", "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee"),
    *("right knee", "left ankle", "right ankle", "left big toe", "left small toe", "left heel"),
    *("right big toe", "right small toe", "right heel"),
)
SIZES = {"pose": 25, "face": 70, "hand_left": 21, "hand_right": 21}


def person(**changes: Any) -> dict[str, Any]:
    """Every point says where it comes from: x = 10 + its id, y = 100 × its part, score 0.5."""
    parts = {
        f"{part}_keypoints_2d": [n for i in range(count) for n in (10 + i, 100 * number, 0.5)]
        for number, (part, count) in enumerate(SIZES.items(), 1)
    }
    return {**parts, **changes}


def save(folder: Path, *frames: Any, first: int = 7) -> Path:
    folder.mkdir(exist_ok=True)
    for n, people in enumerate(frames, first):
        (folder / f"v2_{n:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


def test_openpose_points_go_where_their_names_say(tmp_path: Path) -> None:
    (found,) = read_keypoints(save(tmp_path / "clip", [person()]), 640, 480)[0]
    for place, name in enumerate(COCO):
        assert found[place].tolist() == [10 + BODY_25.index(name), 100, 0.5], name
    for part, places in ((2, FACE), (3, LEFT_HAND), (4, RIGHT_HAND)):
        for i, place in enumerate(places):
            assert found[place].tolist() == [10 + i, 100 * part, 0.5]


def test_openpose_people_and_empty_parts(tmp_path: Path) -> None:
    lost = person(face_keypoints_2d=[], hand_left_keypoints_2d=[0] * 63)
    people = read_keypoints(save(tmp_path / "clip", [], [lost, person()], [person()]), 640, 480)
    assert people.shape == (3, 2, 133, 3) and people.dtype == np.float32
    assert (people[..., 2] > 0).any(axis=-1).tolist() == [[False, False], [True, True], [True, False]]
    assert not people[1, 0, FACE].any() and not people[1, 0, LEFT_HAND].any()
    assert people[1, 0, RIGHT_HAND, 2].all() and people[1, 1, FACE, 2].all()


@pytest.mark.parametrize(
    ("people", "words"),
    [
        (
            [person(pose_keypoints_2d=[1.0] * 57)],
            r"person 0: pose_keypoints_2d has 19 points, expected 17 \(COCO\)",
        ),
        ([person(), {"pose": []}], "person 1 has none of pose_keypoints_2d, face_keypoints_2d"),
        ([person(hand_left_keypoints_2d=[float("inf")] * 63)], "hand_left.* not finite"),
        ([person(hand_left_keypoints_2d=["x"] * 63)], "hand_left.* not an array of numbers"),
        ([person(face_keypoints_2d=[[1, 2], [3]])], "face.* not an array of numbers"),
        (["someone"], "person 0 has none of pose_keypoints_2d"),
        ([person(pose_keypoints_2d=[1.0] * 76)], "pose_keypoints_2d has 76 numbers"),
        (3, "no list 'people'"),
        ([person(pose_keypoints_2d=[10**400] * 75)], "not an array of numbers"),
    ],
)
def test_wrong_openpose_names_file_and_person(tmp_path: Path, people: Any, words: str) -> None:
    with pytest.raises(InputError, match=rf"clip/v2_0+7_keypoints\.json.*{words}"):
        read_keypoints(save(tmp_path / "clip", people), 640, 480)


def test_frames_in_order_of_their_numbers_and_none_missing(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    folder.mkdir()
    for n in (9, 10, 11):
        where = [n, 5, 1] * 25
        content = {"people": [person(pose_keypoints_2d=where)]}
        (folder / f"f{n}.json").write_text(json.dumps(content))
    assert read_keypoints(folder, 640, 480)[:, 0, 0, 0].tolist() == [9, 10, 11]
    (folder / "f10.json").rename(folder / "f12.json")
    with pytest.raises(InputError, match=r"clip: frame 10 is missing between f9\.json and f12\.json"):
        read_keypoints(folder, 640, 480)
    (folder / "g9.json").write_text("{}")
    with pytest.raises(InputError, match=r"clip: f9\.json and g9\.json are both frame 9"):
        read_keypoints(folder, 640, 480)
    (folder / "g9.json").rename(folder / "notes.json")
    with pytest.raises(InputError, match=r"notes\.json: no frame number"):
        read_keypoints(folder, 640, 480)


def test_shares_of_the_picture_are_not_taken_for_px(tmp_path: Path) -> None:
    scaled = person(**{f"{part}_keypoints_2d": [0.5] * 3 * n for part, n in SIZES.items()})
    with pytest.raises(InputError, match=r"clip: coordinates of at most 1, expected px"):
        read_keypoints(save(tmp_path / "clip", [scaled]), 640, 480)


def instance(**changes: Any) -> dict[str, Any]:
    return {"keypoints": [[i, 2 * i] for i in range(133)], "keypoint_scores": [0.5] * 132 + [1.2], **changes}


def predictions(*frames: list[Any], first: int = 1) -> dict[str, Any]:
    listed = [{"frame_id": n, "instances": people} for n, people in enumerate(frames, first)]
    return {"meta_info": {}, "instance_info": listed}


@pytest.mark.parametrize("form", [lambda made: made, lambda made: made["instance_info"]])
def test_mmpose_predictions(tmp_path: Path, form: Callable[[Any], Any]) -> None:
    path = tmp_path / "clip.json"
    path.write_text(json.dumps(form(predictions([], [instance(), instance()], [instance()]))))
    people = read_keypoints(path, 640, 480)
    assert people.shape == (3, 2, 133, 3) and people.dtype == np.float32
    assert people[1, 1, 5].tolist() == [5, 10, 0.5] and people[1, 1, 132].tolist() == [132, 264, 1]
    assert (people[..., 2] > 0).any(axis=-1).tolist() == [[False, False], [True, True], [True, False]]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("{", "unreadable as JSON"),
        ("[" * 100_000, "unreadable as JSON"),
        ("{}", "an empty object: expected a list of frames, or an object with 'instance_info'"),
        ("[]", "an empty list: expected a list of frames"),
        ("[3]", "frame 0: the value '3': expected one of: OpenPose's"),
        ('[{"frame_id": 1}]', "frame 0 has no 'frame_id' or 'instances'"),
        (
            json.dumps(predictions([instance()])).replace('"frame_id": 1', '"frame_id": null'),
            "frame 0 has no",
        ),
        (
            json.dumps([*predictions([])["instance_info"], {"frame_id": 3, "instances": []}]),
            "frame_id 3 where 2",
        ),
        (json.dumps(predictions([instance(keypoints=[[1, 2]] * 17)])), r"instance 0: keypoints \(17, 2\)"),
        (json.dumps(predictions([instance(), {"keypoints": []}])), "instance 1: no 'keypoints' and"),
        (json.dumps(predictions([instance(keypoint_scores=[float("inf")] * 133)])), "scores: .* not finite"),
    ],
)
def test_wrong_mmpose_predictions_name_file_and_frame(tmp_path: Path, found: str, words: str) -> None:
    path = tmp_path / "clip.json"
    path.write_text(found)
    with pytest.raises(InputError, match=rf"clip\.json: .*{words}"):
        read_keypoints(path, 640, 480)


@pytest.mark.skipif(not OPENPOSE.is_dir(), reason="needs ../shared/data")
def test_real_openpose_frames() -> None:
    people = read_keypoints(OPENPOSE, 1080, 1920)
    assert people.shape == (154, 1, 133, 3)
    points, seen = people[:, 0, :, :2], people[:, 0, :, 2] > 0
    assert not seen[:, FACE].any(), "the face was not asked for"
    shoulders = np.linalg.norm(points[:, 5] - points[:, 6], axis=-1)
    for wrist, hand in ((9, LEFT_HAND[0]), (10, RIGHT_HAND[0])):
        both = seen[:, wrist] & seen[:, hand]
        apart = np.linalg.norm(points[both, wrist] - points[both, hand], axis=-1)
        assert both.sum() > 100 and np.median(apart) < 0.15 * np.median(shoulders), (
            "a hand is at its own wrist"
        )
