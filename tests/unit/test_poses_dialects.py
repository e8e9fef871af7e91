"""One planted person in every dialect of keypoint files: what is read is what was planted."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rgx.errors import InputError
from rgx.gesture.data.videos import KEYPOINTS
from rgx.gesture.poses.files import READERS, SUFFIXES, dialect, read_keypoints
from rgx.gesture.poses.mediapipe_points import BODY_IDS, FACE_IDS, FEET_IDS
from rgx.gesture.skeleton import FACE, LEFT_HAND, RIGHT_HAND

SHARED = Path(__file__).resolve().parents[2].parent / "shared/data"
FRAMES, SIZE = 3, (640, 360)
BODY, FEET = tuple(range(17)), tuple(range(17, 23))
NECK = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""COCO points of OpenPose's 18, whose second is the neck."""
BODY_25 = (*NECK[:8], None, *NECK[8:14], *NECK[14:], 17, 18, 19, 20, 21, 22)
"""And of its 25: the neck, then the middle of the hips."""
MEDIAPIPE = {**dict(zip(BODY_IDS, BODY, strict=True)), **{theirs: ours for ours, theirs in FEET_IDS.items()}}
HOLISTIC = {
    "pose_landmarks": 33,
    "face_landmarks": 478,
    "left_hand_landmarks": 21,
    "right_hand_landmarks": 21,
}


def planted() -> np.ndarray:
    """Return a person (T, 133, 3) in px inside the picture, every point surely found."""
    random = np.random.default_rng(5)
    points = random.uniform(2, 350, (FRAMES, 133, 3))
    points[..., 2] = 1
    return points


def flat(person: np.ndarray, places: Any) -> list[float]:
    """Return OpenPose's list of the points at these places, a place of None as not found."""
    return [n for place in places for n in ((0, 0, 0) if place is None else person[place].tolist())]


def openpose(person: np.ndarray, body: tuple[int | None, ...]) -> dict[str, Any]:
    face = [*FACE, FACE[0], FACE[1]]
    parts = {"pose": body, "face": face, "hand_left": LEFT_HAND, "hand_right": RIGHT_HAND}
    return {f"{part}_keypoints_2d": flat(person, places) for part, places in parts.items()}


def shares(points: np.ndarray) -> np.ndarray:
    return points / (*SIZE, 1)


def mediapipe_arrays(points: np.ndarray, face: int) -> dict[str, np.ndarray]:
    scaled = shares(points)
    pose = np.full((FRAMES, 33, 3), np.nan)
    faces = np.full((FRAMES, face, 2), np.nan)
    pose[:, list(MEDIAPIPE)] = scaled[:, list(MEDIAPIPE.values())]
    faces[:, list(FACE_IDS)] = scaled[:, FACE, :2]
    return {
        "pose": pose, "face": faces,
        "left_hand": scaled[:, LEFT_HAND, :2], "right_hand": scaled[:, RIGHT_HAND, :2],
    }  # fmt: skip


def holistic(points: np.ndarray, frame: int, shape: Callable[[list[Any]], Any]) -> dict[str, Any]:
    """Return a frame as MediaPipe's tasks give it, each list in a form that a version has."""
    arrays = mediapipe_arrays(points, 478)
    lists = {}
    for name, part in zip(HOLISTIC, ("pose", "face", "left_hand", "right_hand"), strict=True):
        rows = np.nan_to_num(arrays[part][frame], nan=0.0)
        keys = ("x", "y", "visibility") if part == "pose" else ("x", "y")
        lists[name] = shape([{**dict(zip(keys, row.tolist(), strict=True)), "z": 0.1} for row in rows])
    return lists


def frames_in(folder: Path, contents: list[Any]) -> Path:
    folder.mkdir()
    for n, content in enumerate(contents):
        (folder / f"clip_{n}.json").write_text(json.dumps(content))
    return folder


def listed(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def arrays_in(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def instances(points: np.ndarray) -> list[Any]:
    return [
        [{"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist(), "bbox": []}] for p in points
    ]


def annotations(points: np.ndarray) -> dict[str, Any]:
    parts = {
        "keypoints": BODY, "foot_kpts": FEET, "face_kpts": FACE,
        "lefthand_kpts": LEFT_HAND, "righthand_kpts": RIGHT_HAND,
    }  # fmt: skip
    labelled = points * (1, 1, 2)
    return {
        "images": [{"id": 40 + n, "width": SIZE[0], "height": SIZE[1]} for n in range(FRAMES)],
        "annotations": [
            {"image_id": 40 + n, **{part: flat(person, places) for part, places in parts.items()}}
            for n, person in enumerate(labelled)
        ],
    }


def table(path: Path, points: np.ndarray, columns: dict[str, int], judged: bool) -> Path:
    """Write points under names, those in columns, as shares of the picture."""
    head, marks = ["time"], ("X", "Y", "Z", *(["visibility"] if judged else []))
    for name in columns:
        head += [f"{mark}_{name}" for mark in marks]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for n, person in enumerate(shares(points)):
            cells = [[person[p][0], person[p][1], 0.1, person[p][2]][: len(marks)] for p in columns.values()]
            writer.writerow([40 * n, *(cell for four in cells for cell in four)])
    return path


def tables(folder: Path, points: np.ndarray) -> Path:
    folder.mkdir()
    table(folder / "body.csv", points, {f"P{n}": MEDIAPIPE.get(n, 0) for n in range(33)}, True)
    sides = {"LEFT": LEFT_HAND, "RIGHT": RIGHT_HAND}
    hands = {
        f"{s}_{'WRIST' if not i else f'INDEX_FINGER_{i}'}": p
        for s, h in sides.items()
        for i, p in enumerate(h)
    }
    table(folder / "hands.csv", points, hands, False)
    return folder


def pose_file(path: Path, points: np.ndarray) -> Path:
    from pose_format import Pose
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

    arrays = mediapipe_arrays(points, 468)
    names = ("POSE_LANDMARKS", "FACE_LANDMARKS", "LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS")
    components, data, scores = [], [], []
    for name, array in zip(names, arrays.values(), strict=True):
        labels = [str(n) for n in range(array.shape[1])]
        components.append(PoseHeaderComponent(name, labels, [], [], "XYZC"))
        found = np.isfinite(array[..., 0])
        data.append(np.concatenate([np.nan_to_num(array[..., :2]) * SIZE, found[..., None]], axis=-1))
        scores.append(found.astype(np.float32))
    header = PoseHeader(0.2, PoseHeaderDimensions(*SIZE), components)
    coordinates = np.concatenate(data, axis=1)[:, None]
    body = NumPyPoseBody(25, np.ma.masked_array(coordinates), np.concatenate(scores, axis=1)[:, None])
    with path.open("wb") as file:
        Pose(header, body).write(file)
    return path


def canvas(points: np.ndarray, scale: float) -> list[dict[str, Any]]:
    size = {"canvas_width": 2 * SIZE[0], "canvas_height": 2 * SIZE[1]}
    return [{"people": [openpose(p * (scale, scale, 1), NECK)], **size} for p in points]


def shared_canvas(points: np.ndarray) -> list[dict[str, Any]]:
    return [{"people": [openpose(p, NECK)], "canvas_width": 99, "canvas_height": 7} for p in shares(points)]


ALL, HEAD_DOWN = set(range(133)), {18, 21}
"""MediaPipe has no small toes; OpenPose's 18 points no feet; a table no face."""
NO_FEET = set(FEET)
WRITERS: dict[str, tuple[Callable[[Path, np.ndarray], Path], set[int], str]] = {
    "mediapipe 468": (lambda p, x: arrays_in(p / "a.npz", **mediapipe_arrays(x, 468)), HEAD_DOWN, "Media"),
    "mediapipe 478": (lambda p, x: arrays_in(p / "a.npz", **mediapipe_arrays(x, 478)), HEAD_DOWN, "Media"),
    "holistic tasks": (
        lambda p, x: listed(p / "a.json", [holistic(x, n, lambda r: r) for n in range(FRAMES)]),
        HEAD_DOWN, "MediaPipe's results",
    ),
    "nested tasks": (
        lambda p, x: listed(p / "a.json", {"frames": [holistic(x, n, lambda r: [r]) for n in range(FRAMES)]}),
        HEAD_DOWN, "MediaPipe's results",
    ),
    "legacy solutions": (
        lambda p, x: frames_in(p / "a", [holistic(x, n, lambda r: {"landmark": r}) for n in range(FRAMES)]),
        HEAD_DOWN, "MediaPipe's results",
    ),
    "openpose 25": (
        lambda p, x: frames_in(p / "a", [{"people": [openpose(person, BODY_25)]} for person in x]),
        set(), "OpenPose",
    ),
    "openpose 18": (
        lambda p, x: frames_in(p / "a", [{"people": [openpose(person, NECK)]} for person in x]),
        NO_FEET, "OpenPose",
    ),
    "controlnet px of its canvas": (lambda p, x: listed(p / "a.json", canvas(x, 2)), NO_FEET, "ControlNet"),
    "controlnet shares": (lambda p, x: listed(p / "a.json", shared_canvas(x)), NO_FEET, "ControlNet"),
    "mmpose video": (
        lambda p, x: listed(p / "a.json", [
            {"frame_id": n, "instances": people} for n, people in enumerate(instances(x), 1)
        ]),
        set(), "MMPose",
    ),
    "mmpose folder": (lambda p, x: frames_in(p / "a", instances(x)), set(), "MMPose"),
    "rtmlib json": (
        lambda p, x: listed(p / "a.json", [
            {"keypoints": [q[:, :2].tolist()], "scores": [q[:, 2].tolist()]} for q in x
        ]),
        set(), "RTMLib",
    ),
    "rtmlib npz": (
        lambda p, x: arrays_in(p / "a.npz", keypoints=x[:, None, :, :2], scores=x[:, None, :, 2]),
        set(), "RTMLib",
    ),
    "coco annotations": (lambda p, x: listed(p / "a.json", annotations(x)), set(), "COCO-WholeBody"),
    "pose-format": (lambda p, x: pose_file(p / "a.pose", x), HEAD_DOWN, "pose-format"),
    "tables": (lambda p, x: tables(p / "a", x), HEAD_DOWN | set(FACE), "table"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_what_was_planted_is_read(tmp_path: Path, name: str) -> None:
    write, absent, called = WRITERS[name]
    path = write(tmp_path, planted())
    people = read_keypoints(path, *SIZE)
    assert people.shape == (FRAMES, 1, 133, 3) and people.dtype == np.float32
    kept = sorted(ALL - absent)
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
    arrays = mediapipe_arrays(planted(), 468)
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
    whole = pose_file(tmp_path / "a.pose", planted()).read_bytes()
    for share in (0.0, 0.1, 0.6):
        (tmp_path / "b.pose").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=r"b\.pose: unreadable as a \.pose"):
            read_keypoints(tmp_path / "b.pose", *SIZE)


def test_damaged_json_never_escapes_as_another_error(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("holistic tasks", "controlnet shares", "mmpose video", "rtmlib json", "coco annotations"):
        (tmp_path / name).mkdir()
        path = WRITERS[name][0](tmp_path / name, planted()[:, :, :])
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
