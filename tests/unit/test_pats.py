"""PATS as published: the table, the splits, poses brought from 15 to 25 Hz, and files that are no use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pats_folder import write_folder, write_interval

from rgx.errors import InputError
from rgx.gesture.data.pats import Pats
from rgx.gesture.data.pats_files import read_interval, read_missing, read_table, shape_of
from rgx.gesture.data.splits import (
    Interval,
    RandomSplit,
    S2GSplit,
    TableSplit,
    VideoSplit,
    leaks,
    leaks_by_split,
)
from rgx.gesture.skeleton import LEFT_HAND, LEFT_SHOULDER, RIGHT_HAND, RIGHT_SHOULDER

h5py = pytest.importorskip("h5py", reason="needs the extra rgx-experiments[pats]")
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "pats"


def test_poses_are_absolute_and_on_the_line_between_frames(tmp_path: Path) -> None:
    write_interval(tmp_path / "a.h5", seconds=6, mel_seconds=5.5)
    keypoints, valid, mel = read_interval(tmp_path / "a.h5", confidence=0.1)
    assert len(keypoints) == len(mel) == int(5.5 * 25)  # cut to the shorter modality
    at = np.arange(len(keypoints)) / 25
    # PATS joint 4 is the left shoulder, joint 1 the right one, joints 10 and 31 the hands' roots.
    for point, joint in ((LEFT_SHOULDER, 4), (RIGHT_SHOULDER, 1), (LEFT_HAND[0], 10), (RIGHT_HAND[0], 31)):
        np.testing.assert_allclose(keypoints[:, point, 0], 300 + 30 * at + joint - 4, atol=1e-3)
        np.testing.assert_allclose(keypoints[:, point, 1], 200 + 10 * joint, atol=1e-3)
    assert valid[:, LEFT_HAND[0]].all() and not valid[:, 23:91].any()  # it has no faces
    np.testing.assert_allclose(mel[:, 0], 4 * np.arange(len(mel)) + 1.5)


def test_a_point_is_as_sure_as_the_frames_around_it(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_interval(path)
    confidence = np.ones((90, 104))
    confidence[6, [1, 53]] = 0.05  # the right shoulder in the frame at 0.4 s
    with h5py.File(path, "a") as file:
        file["pose/confidence"] = confidence
    valid = read_interval(path, confidence=0.1)[1][:, RIGHT_SHOULDER]
    expected = [not 5 / 15 < k / 25 < 7 / 15 for k in range(len(valid))]
    assert valid.tolist() == expected and expected.count(False) == 3


def test_real_interval_is_a_person() -> None:
    path = SHARED / "cmu0000033570.h5"
    if not path.is_file():
        pytest.skip("needs ../shared")
    assert shape_of(path).frames == 180  # 109 frames at 15 Hz and 721 at 100 Hz: 7.21 s
    keypoints, _, mel = read_interval(path, confidence=0.1)
    assert keypoints.shape == (180, 133, 2) and mel.shape == (180, 64)
    middle = np.median(keypoints, axis=0)
    assert middle[RIGHT_SHOULDER, 0] < middle[0, 0] < middle[LEFT_SHOULDER, 0]  # faces the camera
    assert middle[0, 1] < middle[LEFT_SHOULDER, 1] < middle[9, 1]  # head above shoulders above hands
    shoulders = np.linalg.norm(middle[LEFT_SHOULDER] - middle[RIGHT_SHOULDER])
    for wrist, root in ((9, LEFT_HAND[0]), (10, RIGHT_HAND[0])):
        assert np.linalg.norm(middle[wrist] - middle[root]) < 0.1 * shoulders
    assert not read_missing(SHARED / "missing_intervals.h5")  # it has no key at all


def test_a_folder_is_a_corpus_without_faces(tmp_path: Path) -> None:
    corpus = Pats(write_folder(tmp_path), split=TableSplit(), speakers=("oliver",))
    facts = corpus.facts()
    assert (facts.speakers, facts.clips, facts.heard) == (("oliver",), {"train": 9, "test": 1}, "log_mel")
    clips = list(corpus.clips())
    assert len(clips) == 10 and all(len(c.waveform) == 0 and len(c.keypoints) == 150 for c in clips)
    # The last pair of intervals is of one video, and one of them tests.
    assert corpus.report() == {"unusable_clips": 0, "test_clips_of_train_videos": 1}
    with pytest.raises(InputError, match="no pictures"):
        corpus.check_pictures()


def test_the_fingerprint_follows_data_and_splits(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    first = Pats(folder, split=TableSplit(), speakers=("oliver",)).facts().fingerprint
    assert first == Pats(folder, split=TableSplit(), speakers=("oliver",)).facts().fingerprint
    assert first != Pats(folder, split=VideoSplit(), speakers=("oliver",)).facts().fingerprint
    write_interval(folder / "processed/oliver/cmu000003.h5", seconds=7)
    assert first != Pats(folder, split=TableSplit(), speakers=("oliver",)).facts().fingerprint


def test_files_of_no_use_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    held = folder / "processed/oliver"
    (held / "cmu000000.h5").write_bytes(b"")
    (held / "cmu000001.h5").unlink()
    write_interval(held / "cmu000002.h5", joints=49)
    write_interval(held / "cmu000003.h5", seconds=3)
    with h5py.File(held / "cmu000004.h5", "a") as file:
        del file["pose"]
    with h5py.File(held / "cmu000005.h5", "a") as file:
        file["something/else"] = [1, 2]  # an extra key is no problem
    with h5py.File(folder / "missing_intervals.h5", "w") as file:
        file["intervals"] = np.array([b"cmu000006"])
    corpus = Pats(folder, split=TableSplit(), speakers=("oliver",))
    assert corpus.facts().clips == {"train": 3, "test": 1}
    assert corpus.report()["unusable_clips"] == 5
    assert [clip.name[-1] for clip in corpus.clips()] == ["5", "7", "8", "9"]
    for k in range(10):
        (held / f"cmu00000{k}.h5").unlink(missing_ok=True)
    with pytest.raises(
        InputError, match=r"no usable interval in the train split.*9 are no use\n.*no such file"
    ):
        corpus.facts()


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("interval_id", "interval", r"line 1: no column interval_id: did you mean 'interval'"),
        ("train,", "training,", r"line 2: dataset 'training': did you mean 'train'"),
        ("2019-09-26 00:00:00.500000001", "soon", r"line 2: start_time 'soon'"),
        ("cmu000000,", "../up,", r"line 2: interval_id '../up' is not a file name"),
    ],
)
def test_a_wrong_table_is_told_with_its_line(tmp_path: Path, wrong: str, right: str, said: str) -> None:
    path = write_folder(tmp_path) / "cmu_intervals_df.csv"
    path.write_text(path.read_text().replace(wrong, right))
    with pytest.raises(InputError, match=said):
        read_table(path, ("oliver",))
    with pytest.raises(InputError, match="no interval of speaker 'olivier': did you mean 'oliver'"):
        Pats(write_folder(tmp_path), split=TableSplit(), speakers=("olivier",)).facts()


def test_times_of_the_published_table() -> None:
    path = SHARED / "cmu_intervals_df_transforms.csv"
    if not path.is_file():
        pytest.skip("needs ../shared")
    found = read_table(path, ("lec_evol|mirror",))
    assert len(found) == 632
    first = read_table(path, ("lec_cosmic|mirror",))[0]
    assert (first.number, first.video, first.listed) == (6370, "4bwMeTKC0M4", "train")
    assert first.end_s - first.start_s == pytest.approx(28.46666666666667)


def intervals(speaker: str, first: int, count: int, per_video: int = 4) -> list[Interval]:
    return [
        Interval(f"cmu{n:07d}", speaker, f"{speaker}{n // per_video}", 0.0, 5.0, "train")
        for n in range(first, first + count)
    ]


def test_s2g_split_replaces_the_speaker_that_is_gone() -> None:
    path = SHARED / "s2g_filtered_intervals.json"
    if not path.is_file():
        pytest.skip("needs ../shared")
    listed = json.loads(path.read_text())
    ours = intervals("noah", 1_000_037_489, 1500)
    theirs = [Interval(f"cmu{n:07d}", "any", "v", 0, 5, "dev") for n in (*listed["train"], *listed["test"])]
    assigned = S2GSplit(path).assign([*theirs, *ours, *intervals("any", 1, 5)])
    counts = [sum(s == split for s in assigned.values()) for split in ("train", "test")]
    assert counts == [4320 + 1080, 480 + 120]
    assert assigned[ours[1079].name] == "train" and assigned[ours[1080].name] == "test"
    assert ours[1200].name not in assigned and "cmu0000001" not in assigned
    spare = Interval("cmu9999999", "any", "w", 0, 5, "dev")
    assert S2GSplit(path).assign([*theirs, *ours, spare]) == {**assigned, spare.name: "dev"}
    few = S2GSplit(path).assign(ours[:50])
    assert list(few.values()) == ["train"] * 45 + ["test"] * 5


def test_a_split_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    for held in ("[]", "{", '{"train": [1]}', '{"train": ["x"], "test": []}'):
        path.write_text(held)
        with pytest.raises(InputError, match="expected JSON with lists of numbers 'train' and 'test'"):
            S2GSplit(path).assign([])
    path.write_text('{"train": [1, 2], "test": [2]}')
    with pytest.raises(InputError, match="2 is in both"):
        S2GSplit(path).assign([])


LEAKS = ("test_clips_of_train_videos", "dev_clips_of_train_videos", "test_clips_of_dev_videos")


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_dev_takes_nothing_from_test_and_leaves_half_to_train(share: float) -> None:
    for videos in range(1, 12):
        every = intervals("seth", 0, videos, per_video=1)
        both = [VideoSplit(share, dev_share=dev).assign(every) for dev in (0.0, 0.1)]
        without, with_dev = ({n: s for n, s in split.items() if s != "train"} for split in both)
        assert {n for n, s in with_dev.items() if s == "test"} == without.keys()
        assert ("dev" in with_dev.values()) == (videos > 3)
        assert 2 * len(with_dev) <= videos or "dev" not in with_dev.values()
    with pytest.raises(InputError, match="dev_share = 1: expected 0 or more"):
        VideoSplit(0.1, 1)


def test_splits_by_video_never_leak_and_random_ones_say_that_they_do() -> None:
    every = [*intervals("oliver", 0, 200), *intervals("seth", 1000, 80)]
    by_video, random = VideoSplit(0.1).assign(every), RandomSplit(0.1).assign(every)
    assert not leaks(every, by_video)
    assert len(leaks(every, random)) > 20
    for assigned in (by_video, random):
        for speaker, count in (("oliver", 20), ("seth", 8)):
            for split in ("test", "dev"):
                chosen = [i for i in every if i.speaker == speaker and assigned[i.name] == split]
                assert len(chosen) == count
    assert leaks_by_split(every, by_video) == dict.fromkeys(LEAKS, 0)
    assert all(count > 0 for count in leaks_by_split(every, random).values())
    # An interval keeps its side when others arrive after it, as far as its share allows.
    more = RandomSplit(0.1).assign([*every, *intervals("noah", 5000, 40)])
    assert all(more[name] == side for name, side in random.items())
