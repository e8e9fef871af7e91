"""A planted speaker's points, and that speaker in every dialect of keypoint files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rgx.gesture.poses.mediapipe_points import BODY_IDS, FACE_IDS, FEET_IDS
from rgx.gesture.skeleton import FACE, LEFT_HAND, POINTS, RIGHT_HAND

Size = tuple[int, int]
"""Width and height in px of the pictures that points were found in."""
FRAMES = 200
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


def person(frames: int = FRAMES, rate_hz: float = 25.0) -> np.ndarray:
    """Return a speaker (T, 133, 3) in px who faces the camera and moves smoothly by time."""
    random = np.random.default_rng(1)
    seconds = np.arange(frames)[:, None] / rate_hz
    still = random.uniform((280, 120), (360, 180), (POINTS, 2))
    still[[5, 6, 7, 8, 9, 10]] = (380, 200), (260, 200), (400, 260), (240, 260), (390, 320), (250, 320)
    still[list(BODY[:5])] = (320, 100), (326, 96), (314, 96), (335, 98), (305, 98)
    still[11:23] = random.uniform((300, 330), (340, 355), (12, 2))
    still[list(FACE)] = random.uniform((300, 80), (340, 120), (68, 2))
    points = np.repeat(still[None], frames, axis=0)
    sway = np.stack([20 * np.sin(1.3 * seconds), 15 * np.cos(1.7 * seconds)], axis=-1)
    for wrist, hand, sign in ((9, LEFT_HAND, 1), (10, RIGHT_HAND, -1)):
        points[:, [wrist]] += sign * sway
        points[:, list(hand)] = points[:, [wrist]] + random.uniform(-8, 8, (21, 2))
    return np.concatenate([points, np.ones((frames, POINTS, 1))], axis=-1).astype(np.float32)


def exchanged(points: np.ndarray, *parts: str) -> np.ndarray:
    """Return points (T, 133, 3) with left and right of 'hands' or 'body' changed over."""
    swapped = points.copy()
    if "hands" in parts:
        swapped[:, LEFT_HAND], swapped[:, RIGHT_HAND] = points[:, RIGHT_HAND], points[:, LEFT_HAND]
    if "body" in parts:
        for left in range(1, 17, 2):
            swapped[:, [left, left + 1]] = points[:, [left + 1, left]]
        for left, right in ((17, 20), (18, 21), (19, 22)):
            swapped[:, [left, right]] = points[:, [right, left]]
    return swapped


def flat(person: np.ndarray, places: Any) -> list[float]:
    """Return OpenPose's list of the points at these places, a place of None as not found."""
    return [n for place in places for n in ((0, 0, 0) if place is None else person[place].tolist())]


def openpose(person: np.ndarray, body: tuple[int | None, ...]) -> dict[str, Any]:
    face = [*FACE, FACE[0], FACE[1]]
    parts = {"pose": body, "face": face, "hand_left": LEFT_HAND, "hand_right": RIGHT_HAND}
    return {f"{part}_keypoints_2d": flat(person, places) for part, places in parts.items()}


def shares(points: np.ndarray, size: Size) -> np.ndarray:
    return points / (*size, 1)


def mediapipe_arrays(points: np.ndarray, face: int, size: Size) -> dict[str, np.ndarray]:
    scaled, frames = shares(points, size), len(points)
    pose = np.full((frames, 33, 3), np.nan)
    faces = np.full((frames, face, 2), np.nan)
    pose[:, list(MEDIAPIPE)] = scaled[:, list(MEDIAPIPE.values())]
    faces[:, list(FACE_IDS)] = scaled[:, FACE, :2]
    return {
        "pose": pose, "face": faces,
        "left_hand": scaled[:, LEFT_HAND, :2], "right_hand": scaled[:, RIGHT_HAND, :2],
    }  # fmt: skip


def holistic(points: np.ndarray, size: Size, shape: Callable[[list[Any]], Any]) -> list[dict[str, Any]]:
    """Return frames as MediaPipe's tasks give them, each list in a form that a version has."""
    arrays = mediapipe_arrays(points, 478, size)
    frames: list[dict[str, Any]] = [{} for _ in points]
    for name, part in zip(HOLISTIC, ("pose", "face", "left_hand", "right_hand"), strict=True):
        keys = ("x", "y", "visibility") if part == "pose" else ("x", "y")
        for lists, rows in zip(frames, np.nan_to_num(arrays[part], nan=0.0).tolist(), strict=True):
            lists[name] = shape([{**dict(zip(keys, row, strict=True)), "z": 0.1} for row in rows])
    return frames


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


def annotations(points: np.ndarray, size: Size) -> dict[str, Any]:
    parts = {
        "keypoints": BODY, "foot_kpts": FEET, "face_kpts": FACE,
        "lefthand_kpts": LEFT_HAND, "righthand_kpts": RIGHT_HAND,
    }  # fmt: skip
    labelled = points * (1, 1, 2)
    return {
        "images": [{"id": 40 + n, "width": size[0], "height": size[1]} for n in range(len(points))],
        "annotations": [
            {"image_id": 40 + n, **{part: flat(person, places) for part, places in parts.items()}}
            for n, person in enumerate(labelled)
        ],
    }


def table(path: Path, points: np.ndarray, size: Size, columns: dict[str, int], judged: bool) -> Path:
    """Write points under names, those in columns, as shares of the picture."""
    head, marks = ["time"], ("X", "Y", "Z", *(["visibility"] if judged else []))
    for name in columns:
        head += [f"{mark}_{name}" for mark in marks]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for n, person in enumerate(shares(points, size)):
            cells = [[person[p][0], person[p][1], 0.1, person[p][2]][: len(marks)] for p in columns.values()]
            writer.writerow([40 * n, *(cell for four in cells for cell in four)])
    return path


def tables(folder: Path, points: np.ndarray, size: Size) -> Path:
    folder.mkdir()
    table(folder / "body.csv", points, size, {f"P{n}": MEDIAPIPE.get(n, 0) for n in range(33)}, True)
    sides = {"LEFT": LEFT_HAND, "RIGHT": RIGHT_HAND}
    hands = {
        f"{s}_{'WRIST' if not i else f'INDEX_FINGER_{i}'}": p
        for s, h in sides.items()
        for i, p in enumerate(h)
    }
    table(folder / "hands.csv", points, size, hands, False)
    return folder


def pose_file(path: Path, points: np.ndarray, size: Size) -> Path:
    from pose_format import Pose
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

    arrays = mediapipe_arrays(points, 468, size)
    names = ("POSE_LANDMARKS", "FACE_LANDMARKS", "LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS")
    components, data, scores = [], [], []
    for name, array in zip(names, arrays.values(), strict=True):
        labels = [str(n) for n in range(array.shape[1])]
        components.append(PoseHeaderComponent(name, labels, [], [], "XYZC"))
        found = np.isfinite(array[..., 0])
        data.append(np.concatenate([np.nan_to_num(array[..., :2]) * size, found[..., None]], axis=-1))
        scores.append(found.astype(np.float32))
    header = PoseHeader(0.2, PoseHeaderDimensions(*size), components)
    coordinates = np.concatenate(data, axis=1)[:, None]
    body = NumPyPoseBody(25, np.ma.masked_array(coordinates), np.concatenate(scores, axis=1)[:, None])
    with path.open("wb") as file:
        Pose(header, body).write(file)
    return path


def canvas(points: np.ndarray, scale: int, size: Size) -> list[dict[str, Any]]:
    sides = {"canvas_width": scale * size[0], "canvas_height": scale * size[1]}
    return [{"people": [openpose(p * (scale, scale, 1), NECK)], **sides} for p in points]


def shared_canvas(points: np.ndarray, size: Size) -> list[dict[str, Any]]:
    return [
        {"people": [openpose(p, NECK)], "canvas_width": 99, "canvas_height": 7} for p in shares(points, size)
    ]


ALL, HEAD_DOWN = set(range(133)), {18, 21}
"""MediaPipe has no small toes; OpenPose's 18 points no feet; a table no face."""
NO_FEET = set(FEET)
WRITERS: dict[str, tuple[Callable[[Path, np.ndarray, Size], Path], set[int], str]] = {
    "mediapipe 468": (
        lambda p, x, s: arrays_in(p / "a.npz", **mediapipe_arrays(x, 468, s)), HEAD_DOWN, "Media"
    ),
    "mediapipe 478": (
        lambda p, x, s: arrays_in(p / "a.npz", **mediapipe_arrays(x, 478, s)), HEAD_DOWN, "Media"
    ),
    "holistic tasks": (
        lambda p, x, s: listed(p / "a.json", holistic(x, s, lambda r: r)),
        HEAD_DOWN, "MediaPipe's results",
    ),
    "nested tasks": (
        lambda p, x, s: listed(p / "a.json", {"frames": holistic(x, s, lambda r: [r])}),
        HEAD_DOWN, "MediaPipe's results",
    ),
    "legacy solutions": (
        lambda p, x, s: frames_in(p / "a", holistic(x, s, lambda r: {"landmark": r})),
        HEAD_DOWN, "MediaPipe's results",
    ),
    "openpose 25": (
        lambda p, x, s: frames_in(p / "a", [{"people": [openpose(person, BODY_25)]} for person in x]),
        set(), "OpenPose",
    ),
    "openpose 18": (
        lambda p, x, s: frames_in(p / "a", [{"people": [openpose(person, NECK)]} for person in x]),
        NO_FEET, "OpenPose",
    ),
    "controlnet px of its canvas": (
        lambda p, x, s: listed(p / "a.json", canvas(x, 2, s)), NO_FEET, "ControlNet"
    ),
    "controlnet shares": (lambda p, x, s: listed(p / "a.json", shared_canvas(x, s)), NO_FEET, "ControlNet"),
    "mmpose video": (
        lambda p, x, s: listed(p / "a.json", [
            {"frame_id": n, "instances": people} for n, people in enumerate(instances(x), 1)
        ]),
        set(), "MMPose",
    ),
    "mmpose folder": (lambda p, x, s: frames_in(p / "a", instances(x)), set(), "MMPose"),
    "rtmlib json": (
        lambda p, x, s: listed(p / "a.json", [
            {"keypoints": [q[:, :2].tolist()], "scores": [q[:, 2].tolist()]} for q in x
        ]),
        set(), "RTMLib",
    ),
    "rtmlib npz": (
        lambda p, x, s: arrays_in(p / "a.npz", keypoints=x[:, None, :, :2], scores=x[:, None, :, 2]),
        set(), "RTMLib",
    ),
    "coco annotations": (lambda p, x, s: listed(p / "a.json", annotations(x, s)), set(), "COCO-WholeBody"),
    "pose-format": (lambda p, x, s: pose_file(p / "a.pose", x, s), HEAD_DOWN, "pose-format"),
    "tables": (lambda p, x, s: tables(p / "a", x, s), HEAD_DOWN | set(FACE), "table"),
}  # fmt: skip
