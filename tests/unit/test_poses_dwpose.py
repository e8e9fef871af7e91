from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rgx.errors import InputError
from rgx.gesture.poses.files import read_keypoints
from rgx.gesture.skeleton import FACE, LEFT_HAND, RIGHT_HAND

DWPOSE = Path(__file__).resolve().parents[2].parent / "shared/data/poses/dwpose_good"
BODY_18 = (
    *("nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow"),
    *("left wrist", "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle"),
    *("right eye", "left eye", "right ear", "left ear"),
)
COCO = (
    *("nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder"),
    *("left elbow", "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee"),
    *("right knee", "left ankle", "right ankle"),
)


def pose(people: int = 1) -> dict[str, Any]:
    """Every point says where it comes from: x = id / 100, y = person / 10."""

    def part(count: int, first: float = 0.0) -> np.ndarray:
        x = (np.arange(count) + first) / 100
        return np.stack([np.stack([x, np.full(count, person / 10)], -1) for person in range(people)])

    return {
        "bodies": {
            "candidate": part(18).reshape(-1, 2),
            "subset": np.arange(18.0)[None].repeat(people, 0),
            "score": np.full((people, 18), 0.5),
        },
        "hands": np.concatenate([part(21), part(21, 50)]),
        "hands_score": np.full((2 * people, 21), 1.1),
        "faces": part(68),
        "faces_score": np.full((people, 68), 0.25),
        "num": 0,
    }


def save(folder: Path, *frames: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for n, frame in enumerate(frames):
        np.save(folder / f"{n}.npy", frame)
    return folder


def test_points_go_where_their_names_say(tmp_path: Path) -> None:
    folder = save(tmp_path / "clip", pose(2), pose(1))
    people = read_keypoints(folder, 1000, 100)
    assert people.shape == (2, 2, 133, 3) and people.dtype == np.float32
    for person in range(2):
        for place, name in enumerate(COCO):
            x = 10 * BODY_18.index(name)
            np.testing.assert_allclose(people[0, person, place], [x, 10 * person, 0.5], atol=1e-4)
        for i in range(21):
            np.testing.assert_allclose(people[0, person, LEFT_HAND[i]], [10 * i, 10 * person, 1], atol=1e-4)
            np.testing.assert_allclose(
                people[0, person, RIGHT_HAND[i]], [10 * i + 500, 10 * person, 1], atol=1e-4
            )
        for i in range(68):
            np.testing.assert_allclose(people[0, person, FACE[i]], [10 * i, 10 * person, 0.25], atol=1e-4)
    assert not people[:, :, 17:23].any(), "it keeps no feet"
    assert not people[1, 1].any() and people[1, 0, 0, 2] == 0.5


def test_what_the_subset_leaves_out_is_not_found(tmp_path: Path) -> None:
    left = pose()
    left["bodies"]["subset"][0, BODY_18.index("left wrist")] = -1
    found = read_keypoints(save(tmp_path / "clip", left), 100, 100)[0, 0]
    assert not found[COCO.index("left wrist")].any() and found[COCO.index("right wrist"), 2] == 0.5


class Opens:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("inside", [lambda evil: evil, lambda evil: {**pose(), "num": evil}])
def test_a_pickle_that_runs_code_is_refused(tmp_path: Path, inside: Callable[[Any], Any]) -> None:
    mark = tmp_path / "ran"
    path = save(tmp_path / "clip", inside(Opens(mark))) / "0.npy"
    with pytest.raises(
        InputError, match=r"clip/0\.npy: refused: .* asks for _?io\.open, which could run code"
    ):
        read_keypoints(path.parent, 100, 100)
    assert not mark.exists()
    np.load(path, allow_pickle=True)
    assert mark.exists(), "the same file did run it when it was trusted"


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "eval"), ("numpy", "load"), ("numpy.core.multiarray", "fromfile")],
)
def test_nothing_else_of_numpy_or_python_is_looked_up(tmp_path: Path, module: str, name: str) -> None:
    folder = save(tmp_path / "clip", pose())
    header = (folder / "0.npy").read_bytes()[:128]
    (folder / "0.npy").write_bytes(header + f"c{module}\n{name}\n.".encode())
    with pytest.raises(InputError, match=rf"refused: .* asks for {module}\.{name}"):
        read_keypoints(folder, 100, 100)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.pop("hands"), "no array 'hands'"),
        (lambda p: p.update(bodies=3), "no dict 'bodies'"),
        (lambda p: p.update(faces=[1.0]), "no array 'faces'"),
        (
            lambda p: p.update(faces=np.zeros((1, 70, 2))),
            r"'faces' is float64 \(1, 70, 2\), expected .*68, 2",
        ),
        (lambda p: p.update(hands=np.zeros((1, 21, 2))), r"'hands' .*expected numbers of shape \(2, 21, 2\)"),
        (lambda p: p["bodies"].update(subset=np.zeros((1, 20))), r"'subset' .*expected .*\(P, 18\)"),
        (lambda p: p.update(faces=np.full((1, 68, 2), np.nan)), "'faces' holds a number that is not finite"),
        (lambda p: p.update(faces=np.full((1, 68, 2), None)), "'faces'"),
        (lambda p: p.update(draw_pose_params=[768, 512, 0, 768, 128, 640]), "part of a larger picture"),
    ],
)
def test_wrong_frames_are_named(tmp_path: Path, change: Callable[[Any], object], words: str) -> None:
    made = pose()
    change(made)
    with pytest.raises(InputError, match=rf"clip/0\.npy: .*{words}"):
        read_keypoints(save(tmp_path / "clip", made), 100, 100)


def test_other_arrays_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"clip/0\.npy: .*float64 \(3,\), expected one dictionary"):
        read_keypoints(save(tmp_path / "clip", np.zeros(3)), 100, 100)
    with pytest.raises(InputError, match=r"clip/0\.npy: no dict 'bodies'"):
        read_keypoints(save(tmp_path / "clip", np.array(None)), 100, 100)


def test_damaged_frames_never_escape_as_another_error(tmp_path: Path) -> None:
    folder = save(tmp_path / "clip", pose())
    path = folder / "0.npy"
    content = bytearray(path.read_bytes())
    random = np.random.default_rng(0)
    refused = 0
    for n in range(400):
        damaged = content.copy()
        for where in random.integers(0, len(content), 3):
            damaged[where] = random.integers(256)
        path.write_bytes(damaged[: random.integers(len(content))] if n % 4 == 0 else damaged)
        try:
            found = read_keypoints(folder, 100, 100)
            assert np.isfinite(found).all()
        except InputError as error:
            refused += 1
            assert "clip" in str(error)
    assert refused > 100


def test_a_state_of_lies_is_refused(tmp_path: Path) -> None:
    """Sizes that disagree with the bytes never reach NumPy's own reading of pickles."""
    folder = save(tmp_path / "clip", pose())
    path = folder / "0.npy"
    content = path.read_bytes()
    shape = pickle.dumps((1, 68, 2), 4)[11:-2]
    assert content.count(shape) == 1, "the shape of the face"
    path.write_bytes(content.replace(shape, shape.replace(b"KDK\x02", b"KEK\x02")))
    with pytest.raises(InputError, match=r"0\.npy: unreadable .*136 numbers for the shape \(1, 69, 2\)"):
        read_keypoints(folder, 100, 100)


@pytest.mark.skipif(not DWPOSE.is_dir(), reason="needs ../shared/data")
def test_real_frames_are_as_numpy_reads_them() -> None:
    people = read_keypoints(DWPOSE, 768, 768)
    assert people.shape == (102, 1, 133, 3)
    for n in (0, 57, 101):
        # Trusted here: these files lie in our own folder, and only to check the reader that trusts none.
        found = np.load(DWPOSE / f"{n}.npy", allow_pickle=True).item()
        np.testing.assert_allclose(people[n, 0, FACE, :2], found["faces"][0] * 768, rtol=1e-6)
        np.testing.assert_allclose(people[n, 0, LEFT_HAND, :2], found["hands"][0] * 768, rtol=1e-6)
        assert np.linalg.norm(people[n, 0, 9] - people[n, 0, LEFT_HAND[0]]) < 60, "the left hand, its wrist"
        assert people[n, 0, 5, 0] > people[n, 0, 6, 0], "facing us, the left shoulder is to the right"
        assert not people[n, 0, 13:17].any(), "knees out of the picture"
