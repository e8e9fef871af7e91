"""What people really bring: each kind is read right, or refused with what is wrong and what mends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_tracks import (
    BODY_25,
    HEAD_DOWN,
    annotations,
    arrays_in,
    exchanged,
    frames_in,
    holistic,
    instances,
    listed,
    openpose,
    person,
    tables,
)

from rgx.errors import InputError
from rgx.gesture.poses.files import read_keypoints
from rgx.gesture.poses.fit import MisfitError, TrackFit
from rgx.gesture.poses.lag import lag_between, moved_back

SIZE, FRAMES = (640, 360), 6
TRUTH = person(FRAMES)
Written = Callable[[Path], Path]


def text_in(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def changed_tables(folder: Path, change: Callable[[str], str]) -> Path:
    made = tables(folder / "a", TRUTH, SIZE)
    for file in made.iterdir():
        text_in(file, change(file.read_text()))
    return made


def results(**left_hand: Any) -> list[dict[str, Any]]:
    """MediaPipe's results whose left hand has other values in frame 2."""
    frames = holistic(TRUTH, SIZE, lambda points: points)
    for point in frames[2]["left_hand_landmarks"]:
        point.update(left_hand)
    return frames


def predictions(number: Callable[[int], Any] = lambda n: n) -> list[dict[str, Any]]:
    return [{"frame_id": number(n), "instances": people} for n, people in enumerate(instances(TRUTH))]


def people(*others: Any) -> list[dict[str, Any]]:
    return [{"people": [openpose(points, BODY_25), *others]} for points in TRUTH]


def renamed(**change: Any) -> dict[str, Any]:
    content = annotations(TRUTH, SIZE)
    for annotation in content["annotations"]:
        annotation.update({name: form(annotation[name]) for name, form in change.items()})
    return content


READ: dict[str, Written] = {
    "a value a line": lambda p: text_in(p / "a.json", "\n".join(map(json.dumps, results()))),
    "NaN coordinates": lambda p: listed(p / "a.json", results(x=float("nan"), y=float("nan"))),
    "null coordinates": lambda p: listed(p / "a.json", results(x=None, y=None)),
    "null visibility": lambda p: listed(
        p / "a.json",
        [{name: [{**q, "visibility": None} for q in part] for name, part in f.items()} for f in results()],
    ),
    "null frame": lambda p: listed(p / "a.json", [*results()[:2], None, *results()[3:]]),
    "nobody as null": lambda p: frames_in(p / "a", [*people()[:2], {"people": None}, *people()[3:]]),
    "null person": lambda p: frames_in(p / "a", people(None)),
    "empty person": lambda p: frames_in(p / "a", people({})),
    "frame_id as text": lambda p: listed(p / "a.json", predictions(str)),
    "image_id as text": lambda p: listed(p / "a.json", renamed(image_id=str)),
    "semicolons": lambda p: changed_tables(p, lambda t: t.replace(",", ";").replace(".", ",")),
    "tabs": lambda p: changed_tables(p, lambda t: t.replace(",", "\t")),
    "BOM, CRLF and blank lines": lambda p: changed_tables(
        p, lambda t: "\ufeff" + t.replace("\r\n", "\n").replace("\n", "\r\n") + "\r\n"
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_what_was_not_found_is_not_found_and_the_rest_is_right(kind: str, tmp_path: Path) -> None:
    read = read_keypoints(READ[kind](tmp_path), *SIZE)[:, 0]
    assert len(read) == FRAMES
    seen = read[..., 2] > 0
    np.testing.assert_allclose(read[seen][:, :2], TRUTH[seen][:, :2], atol=0.01)
    some = [0, 1, *range(3, FRAMES)]
    assert seen[some][:, [n for n in range(17) if n not in HEAD_DOWN]].all()


NO_ORDER = {
    "a hole": ([0, 1, 2, 4, 5], r"4 after 80: frames are missing between|160 after 80: frames are missing"),
    "lines backwards": ([5, 4, 3, 2, 1, 0], "lines are not in order"),
    "a line twice": ([0, 1, 1, 2, 3, 4], "lines are not in order"),
}


@pytest.mark.parametrize("kind", NO_ORDER)
def test_a_table_whose_times_do_not_go_on_is_named(kind: str, tmp_path: Path) -> None:
    order, words = NO_ORDER[kind]

    def change(text: str) -> str:
        head, *lines = text.splitlines()
        return "\n".join([head, *(lines[n] for n in order)])

    with pytest.raises(InputError, match=rf"csv:\d: time .*{words}"):
        read_keypoints(changed_tables(tmp_path, change), *SIZE)


REFUSED: dict[str, tuple[Written, str]] = {
    "a page": (lambda p: text_in(p / "a.json", "<!DOCTYPE html>"), "begins with '<!DOCTYPE html>'"),
    "nothing": (lambda p: text_in(p / "a.npz", ""), "the file is empty"),
    "compressed": (lambda p: text_in(p / "a.json", b"\x1f\x8b\x08\0\0\0"), "it is compressed, unpack it"),
    "line 2 is no JSON": (lambda p: text_in(p / "a.json", '{"people": []}\n{'), r"a\.json:2: unreadable"),
    "pickled arrays": (
        lambda p: arrays_in(p / "a.npz", keypoints=np.array([None]), scores=np.array([None])), "allow_pickle"
    ),
    "points in columns of their own": (
        lambda p: text_in(p / "a.csv", "frame,X_0,X_1,Y_0,Y_1\n0,1,1,1,1\n"), "X_0 is not followed by Y_0"
    ),
    "frames out of order": (
        lambda p: listed(p / "a.json", predictions(lambda n: 9 - n)), "missing, there twice, or out of order"
    ),
    "names against ids": (
        lambda p: listed(p / "a.json", {
            **renamed(),
            "images": [{"id": 40 + n, "file_name": f"{9 - n:03d}.jpg"} for n in range(FRAMES)],
        }),
        "'009.jpg' before '008.jpg'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_says_why(kind: str, tmp_path: Path) -> None:
    write, words = REFUSED[kind]
    with pytest.raises(InputError, match=words):
        read_keypoints(write(tmp_path), *SIZE)


def fitted(fit: TrackFit, points: np.ndarray) -> np.ndarray:
    return fit.fitted("a", points[:, None].astype(np.float32), FRAMES, SIZE, "corpus/").points


def turned(points: np.ndarray, degrees: int) -> np.ndarray:
    width, height = SIZE
    for _ in range(degrees // 90):
        points = np.stack([height - points[..., 1], points[..., 0], points[..., 2]], axis=-1)
        width, height = height, width
    return points


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_points_of_turned_pictures_are_named_and_then_turned_back(degrees: int) -> None:
    with pytest.raises(MisfitError, match="the head lies") as refused:
        fitted(TrackFit(), turned(TRUTH, degrees))
    assert refused.value.binding == f"corpus/fit.track.turned = {degrees}"
    np.testing.assert_allclose(fitted(TrackFit(turned=degrees), turned(TRUTH, degrees)), TRUTH, atol=1e-3)
    with pytest.raises(MisfitError, match="that is not how it is"):
        fitted(TrackFit(turned=degrees), TRUTH)


def test_y_from_the_bottom_is_named_and_then_put_right() -> None:
    made = TRUTH * np.float32([1, -1, 1]) + np.float32([0, SIZE[1], 0])
    with pytest.raises(MisfitError, match="the head lies below the shoulders") as refused:
        fitted(TrackFit(), made)
    assert refused.value.binding == "corpus/fit.track.upwards = True"
    np.testing.assert_allclose(fitted(TrackFit(upwards=True), made), TRUTH, atol=1e-3)


def test_points_called_found_in_the_corner_were_not_found() -> None:
    made = TRUTH.copy()
    made[:, 112:, :2] = 0
    fit = TrackFit().fitted("a", made[:, None], FRAMES, SIZE, "")
    assert fit.corners == 21 * FRAMES and not fit.points[:, 112:].any()
    np.testing.assert_array_equal(fit.points[:, :112], TRUTH[:, :112])


def test_a_shoulder_that_is_never_inside_names_the_size() -> None:
    fit, made = TrackFit(), TRUTH + np.float32([270, 0, 0])
    with pytest.raises(MisfitError, match=r"left shoulder always lies outside pictures of 640×360.*size_px"):
        fit.check_size("a", made, SIZE, "corpus/")


def test_a_frame_too_many_is_asked_about() -> None:
    made = person(FRAMES + 1)
    with pytest.raises(MisfitError, match="do they only end apart") as refused:
        fitted(TrackFit(), made)
    assert refused.value.binding == "corpus/fit.track.rate_hz = 25"
    np.testing.assert_array_equal(fitted(TrackFit(rate_hz=25), made), TRUTH)
    with pytest.raises(MisfitError, match="exchanged"):
        fitted(TrackFit(), exchanged(TRUTH, "hands"))


def nervous(frames: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return a speaker whose steps are of random size, and pictures that change as much."""
    random = np.random.default_rng(3)
    sizes = random.exponential(4, frames)
    points = np.repeat(person(1), frames, axis=0)
    points[:, :17, :2] += np.cumsum(sizes * random.choice([-1, 1], frames))[:, None, None]
    grey = 128 + np.cumsum(sizes * np.where(np.arange(frames) % 2, -1, 1))
    noise = random.normal(0, 1, (frames, 4, 4, 3))
    return points, list(grey[:, None, None, None] + noise)


@pytest.mark.parametrize("frames", [0, 5, -4])
def test_a_track_behind_or_ahead_of_its_pictures_is_named_and_moved(frames: int) -> None:
    points, pictures = nervous(120)
    late, fit = moved_back(points, -frames), TrackFit(lag_frames=12)
    if not frames:
        fit.check_lag("a", late, pictures, "corpus/")
        return
    with pytest.raises(
        MisfitError, match=f"moves {abs(frames)} frames {'after' if frames > 0 else 'before'}"
    ) as refused:
        fit.check_lag("a", late, pictures, "corpus/")
    assert refused.value.binding == f"corpus/fit.track.delay_frames = {frames}"
    moved = TrackFit(delay_frames=frames).fitted("a", late[:, None], 120, SIZE, "").points
    both = (moved[..., 2] > 0).all(axis=1)
    assert both.sum() == 120 - abs(frames)
    np.testing.assert_array_equal(moved[both], points[both])


def test_periodic_and_still_pictures_tell_no_lag() -> None:
    speed = 2 + np.sin(np.arange(120) * np.pi / 4)
    assert not lag_between(speed, np.roll(speed, 3), 12).is_sure
    assert not lag_between(speed, np.zeros(120), 12).is_sure
