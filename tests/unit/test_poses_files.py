from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rgx.errors import InputError
from rgx.poses.files import FACE_IDS, read_mediapipe_npz

FRAMES = 3
LEFT_FIRST = {
    0: 0,
    1: 2,
    2: 5,
    3: 7,
    4: 8,
    5: 11,
    6: 12,
    7: 13,
    8: 14,
    9: 15,
    10: 16,
    11: 23,
    12: 24,
    13: 25,
    14: 26,
    15: 27,
    16: 28,
    17: 31,
    19: 29,
    20: 32,
    22: 30,
}


def planted() -> dict[str, np.ndarray]:
    """Every point says where it comes from: x = id / 1000, y = array number / 10."""
    arrays = {}
    for number, (name, points) in enumerate(
        [("pose", 33), ("face", 468), ("left_hand", 21), ("right_hand", 21)]
    ):
        array = np.empty((FRAMES, points, 2), np.float32)
        array[..., 0] = np.arange(points) / 1000
        array[..., 1] = number / 10
        arrays[name] = array
    arrays["pose"] = np.concatenate([arrays["pose"], np.ones((FRAMES, 33, 1), np.float32)], axis=-1)
    return arrays


def save(path: Path, **changes: np.ndarray | None) -> Path:
    arrays = {n: a for n, a in {**planted(), **changes}.items() if a is not None}
    np.savez(path, **arrays)
    return path


def test_every_point_comes_from_its_mediapipe_id(tmp_path: Path) -> None:
    points, valid = read_mediapipe_npz(save(tmp_path / "a.npz"), 1000, 10)
    assert points.dtype == np.float32 and points.shape == (FRAMES, 133, 2)
    for coco, mediapipe in LEFT_FIRST.items():
        np.testing.assert_allclose(points[:, coco], [[mediapipe, 0]] * FRAMES, atol=1e-4)
    for i in range(68):
        np.testing.assert_allclose(points[:, 23 + i], [[FACE_IDS[i], 1]] * FRAMES, atol=1e-4)
    for i in range(21):
        np.testing.assert_allclose(points[:, 91 + i], [[i, 2]] * FRAMES, atol=1e-4)
        np.testing.assert_allclose(points[:, 112 + i], [[i, 3]] * FRAMES, atol=1e-4)
    assert np.flatnonzero(~valid.all(axis=0)).tolist() == [18, 21]
    assert not valid[:, [18, 21]].any() and np.isnan(points[:, [18, 21]]).all()


def test_face_ids_are_ibug_order() -> None:
    assert len(FACE_IDS) == len(set(FACE_IDS)) == 68
    assert FACE_IDS[8] == 152, "chin"
    assert FACE_IDS[30] in (1, 4), "nose tip"
    assert (FACE_IDS[36], FACE_IDS[39], FACE_IDS[42], FACE_IDS[45]) == (33, 133, 362, 263), "eye corners"
    assert (FACE_IDS[48], FACE_IDS[54], FACE_IDS[60], FACE_IDS[64]) == (61, 291, 78, 308), "mouth corners"
    assert (FACE_IDS[51], FACE_IDS[57], FACE_IDS[62], FACE_IDS[66]) == (0, 17, 13, 14), "mid lips"


def test_validity(tmp_path: Path) -> None:
    arrays = planted()
    arrays["pose"][0, 11, 2] = 0.4
    arrays["pose"][1, 11, 2] = 0.5
    arrays["pose"][:, 12, 2] = np.nan
    arrays["pose"][0, 0, 0] = -0.01
    arrays["pose"][1, 0, 1] = 1.01
    arrays["left_hand"][1] = np.nan
    arrays["right_hand"][2, 4, 1] = np.inf
    path = save(tmp_path / "a.npz", **arrays)
    points, valid = read_mediapipe_npz(path, 256, 256)
    assert valid[:, 5].tolist() == [False, False, True]
    assert valid[:, 6].tolist() == [False] * 3
    assert valid[:, 0].tolist() == [False, False, True]
    assert valid[:, 91:112].all(axis=1).tolist() == [True, False, True]
    assert not valid[1, 91:112].any() and np.isnan(points[1, 91:112]).all()
    assert not valid[2, 116] and np.isnan(points[2, 116]).all()
    assert np.isfinite(points[valid]).all()
    assert read_mediapipe_npz(path, 256, 256, visibility=0.3)[1][:, 5].all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"face": None}, "missing face"),
        ({"world": np.zeros(3)}, "extra world"),
        ({"face": np.zeros((FRAMES, 478, 2))}, r"'face' is float64 \(3, 478, 2\), expected .*\(3, 468, 2\)"),
        ({"left_hand": np.zeros((FRAMES - 1, 21, 2))}, "'left_hand'"),
        ({"pose": np.zeros((FRAMES, 33, 2))}, "'pose'"),
        ({"pose": np.zeros((0, 33, 3))}, "no frames"),
        ({"pose": np.float32(1)}, "no frames"),
        ({"right_hand": np.full((FRAMES, 21, 2), "x")}, "expected floats"),
        ({"face": np.array([None] * FRAMES)}, "unreadable"),
    ],
)
def test_wrong_arrays_name_the_file(
    tmp_path: Path, changes: dict[str, np.ndarray | None], words: str
) -> None:
    path = save(tmp_path / "odd.npz", **changes)
    with pytest.raises(InputError, match=rf"odd\.npz.*{words}"):
        read_mediapipe_npz(path, 256, 256)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.6, 0.9, 0.999])
def test_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.npz"
    np.savez_compressed(path, **planted())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"cut\.npz: unreadable"):
        read_mediapipe_npz(path, 256, 256)


def test_damaged_bytes_never_escape_as_another_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez_compressed(path, **planted())
    content = bytearray(path.read_bytes())
    random = np.random.default_rng(0)
    for _ in range(60):
        damaged = content.copy()
        for where in random.integers(0, len(content), 4):
            damaged[where] = random.integers(256)
        path.write_bytes(damaged)
        try:
            read_mediapipe_npz(path, 256, 256)
        except InputError as error:
            assert "bad.npz" in str(error)


def test_other_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.npz: no such file"):
        read_mediapipe_npz(tmp_path / "absent.npz", 256, 256)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"one\.npy: expected an \.npz"):
        read_mediapipe_npz(tmp_path / "one.npy", 256, 256)
    with pytest.raises(InputError, match="unreadable"):
        read_mediapipe_npz(tmp_path, 256, 256)
