from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rgx.errors import InputError
from rgx.gesture.poses.files import Files, read_keypoints
from rgx.gesture.poses.mediapipe_points import FACE_IDS
from rgx.gesture.poses.npz_files import write_own_npz

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
    people = read_keypoints(save(tmp_path / "a.npz"), 1000, 10)
    assert people.dtype == np.float32 and people.shape == (FRAMES, 1, 133, 3)
    points, scores = people[:, 0, :, :2], people[:, 0, :, 2]
    for coco, mediapipe in LEFT_FIRST.items():
        np.testing.assert_allclose(points[:, coco], [[mediapipe, 0]] * FRAMES, atol=1e-4)
    for i in range(68):
        np.testing.assert_allclose(points[:, 23 + i], [[FACE_IDS[i], 1]] * FRAMES, atol=1e-4)
    for i in range(21):
        np.testing.assert_allclose(points[:, 91 + i], [[i, 2]] * FRAMES, atol=1e-4)
        np.testing.assert_allclose(points[:, 112 + i], [[i, 3]] * FRAMES, atol=1e-4)
    assert np.flatnonzero((scores != 1).any(axis=0)).tolist() == [18, 21], "MediaPipe has no small toes"
    assert not people[:, :, [18, 21]].any()


def test_face_ids_are_ibug_order() -> None:
    assert len(FACE_IDS) == len(set(FACE_IDS)) == 68
    assert FACE_IDS[8] == 152, "chin"
    assert FACE_IDS[30] in (1, 4), "nose tip"
    assert (FACE_IDS[36], FACE_IDS[39], FACE_IDS[42], FACE_IDS[45]) == (33, 133, 362, 263), "eye corners"
    assert (FACE_IDS[48], FACE_IDS[54], FACE_IDS[60], FACE_IDS[64]) == (61, 291, 78, 308), "mouth corners"
    assert (FACE_IDS[51], FACE_IDS[57], FACE_IDS[62], FACE_IDS[66]) == (0, 17, 13, 14), "mid lips"


def test_scores(tmp_path: Path) -> None:
    arrays = planted()
    arrays["pose"][0, 11, 2] = 0.4
    arrays["pose"][1, 11, 2] = 1.5
    arrays["pose"][:, 12, 2] = np.nan
    arrays["pose"][0, 0, 0] = -0.01
    arrays["left_hand"][1] = np.nan
    arrays["right_hand"][2, 4, 1] = np.inf
    people = read_keypoints(save(tmp_path / "a.npz", **arrays), 256, 256)[:, 0]
    assert people[:, 5, 2].tolist() == [np.float32(0.4), 1, 1]
    assert not people[:, 6].any(), "no visibility is not found"
    assert people[0, 0].tolist() == [np.float32(-2.56), 0, 1], "outside the picture is found"
    assert people[:, 91:112, 2].all(axis=1).tolist() == [True, False, True]
    assert not people[1, 91:112].any() and not people[2, 116].any()
    assert np.isfinite(people).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pose": None}, "missing pose"),
        ({"world": np.zeros(3)}, "extra world"),
        ({"face": np.zeros((FRAMES, 470, 2))}, r"'face' has 470 points, expected .*468 .* or 478"),
        ({"face": np.zeros((FRAMES, 468, 5))}, r"'face' is float64 \(3, 468, 5\), expected .*\(3, 468, 2\)"),
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
        read_keypoints(path, 256, 256)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.6, 0.9, 0.999])
def test_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.npz"
    np.savez_compressed(path, **planted())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"cut\.npz: unreadable"):
        read_keypoints(path, 256, 256)


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
            read_keypoints(path, 256, 256)
        except InputError as error:
            assert "bad.npz" in str(error)


def test_other_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.npz: no such file"):
        read_keypoints(tmp_path / "absent.npz", 256, 256)
    np.save(tmp_path / "one", np.zeros(3))
    with pytest.raises(InputError, match=r"one\.npy: keypoints in '\.npy': did you mean '\.npz'"):
        read_keypoints(tmp_path / "one.npy", 256, 256)
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(InputError, match=r"one\.npz: expected an \.npz"):
        read_keypoints(tmp_path / "one.npz", 256, 256)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="empty: a folder with neither, expected .json or .npy frames"):
        read_keypoints(empty, 256, 256)
    (empty / "1.npy").touch(), (empty / "1.json").touch()
    with pytest.raises(InputError, match=r"empty: a folder with \.json and \.npy"):
        read_keypoints(empty, 256, 256)


def tracked(frames: int = FRAMES) -> np.ndarray:
    """Return one person's random points (T, 133, 3), some not found."""
    random = np.random.default_rng(3)
    people = random.uniform(0.01, 1, (frames, 133, 3)).astype(np.float32) * np.float32([640, 360, 1])
    people[random.random((frames, 133)) < 0.2] = 0
    return people


def test_own_file_comes_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    write_own_npz(path, tracked(), 640, 360)
    with np.load(path, allow_pickle=False) as found:
        assert {n: (found[n].shape, str(found[n].dtype)) for n in found.files} == {
            "points": ((FRAMES, 133, 2), "float32"),
            "scores": ((FRAMES, 133), "float32"),
            "size_px": ((2,), "int64"),
        }
    np.testing.assert_array_equal(read_keypoints(path, 640, 360)[:, 0], tracked())
    half = read_keypoints(path, 320, 180)[:, 0]
    np.testing.assert_array_equal(half, tracked() * np.float32([0.5, 0.5, 1]))
    with pytest.raises(
        InputError, match=r"clip\.npz: points of pictures of 640×360 px, the video's are 360×640"
    ):
        read_keypoints(path, 360, 640)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"points": np.zeros((FRAMES, 134, 2), np.float32)}, r"'points' .*\(3, 134, 2\), expected .*133, 2"),
        ({"scores": np.zeros((FRAMES + 1, 133))}, "'scores'"),
        ({"scores": np.full((FRAMES, 133), 1.2)}, "'scores' goes from 1.2 to 1.2, expected 0 to 1"),
        ({"points": np.full((FRAMES, 133, 2), np.nan)}, "'points' is not finite in frame 0"),
        ({"scores": None}, "missing scores; expected points, scores, size_px"),
        ({"size_px": np.array([1.5, 2.0])}, "'size_px' is float64"),
        ({"size_px": np.array([0, 0])}, "pictures of 0×0 px"),
    ],
)
def test_wrong_own_arrays_name_the_file(
    tmp_path: Path, changes: dict[str, np.ndarray | None], words: str
) -> None:
    arrays = {"points": tracked()[..., :2], "scores": tracked()[..., 2], "size_px": np.array([640, 360])}
    path = tmp_path / "own.npz"
    np.savez(path, **{n: a for n, a in {**arrays, **changes}.items() if a is not None})
    with pytest.raises(InputError, match=rf"own\.npz.*{words}"):
        read_keypoints(path, 640, 360)


def test_a_file_stands_in_for_an_extractor(tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    people = tracked()
    people[1] = 0
    write_own_npz(path, people, 640, 360)
    picture = np.zeros((360, 640, 3), np.uint8)
    found = list(Files(str(path)).track([picture] * FRAMES))
    assert [len(p) for p in found] == [1, 0, 1], "who is not found is not there"
    np.testing.assert_array_equal(found[2][0], people[2])
    with pytest.raises(InputError, match=r"clip\.npz: 3 frames of keypoints, the video has 2"):
        list(Files(str(path)).track([picture] * 2))
    with pytest.raises(InputError, match=r"clip\.npz: 3 frames of keypoints, the video has more"):
        list(Files(str(path)).track([picture] * 4))
    with pytest.raises(InputError, match=r"poses\.files\.path"):
        Files()
