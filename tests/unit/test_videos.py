from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from jpeg_video import write_jpegs

from rgx import memory
from rgx.errors import InputError
from rgx.gesture.data import tracked_clip
from rgx.gesture.data.splits import S2GSplit, TableSplit, VideoSplit
from rgx.gesture.data.videos import Videos
from rgx.gesture.poses.fit import TrackFit
from rgx.gesture.video.files import probe, read_speech, write_mp4
from rgx.registry import find
from rgx.store.known_files import keep, recall

MINI = Path(__file__).resolve().parents[2].parent / "shared/data/pats_mini"
FRAMES = 90
AUDIO_HZ = 48_000


def make_video(
    path: Path,
    fps: int = 25,
    audio_start_s: float | None = 0.0,
    burst_s: float = 0.1,
    width: int = 64,
    frames: int = FRAMES,
) -> None:
    """Grey frames 64 px high; audio lasts as long, silent but for one full-scale sample at `burst_s`."""
    with av.open(str(path), "w", format="matroska") as out:
        video = out.add_stream("mpeg4", rate=fps)
        video.width, video.height = width, 64
        video.pix_fmt = "yuv420p"
        audio = None
        if audio_start_s is not None:
            audio = out.add_stream("pcm_s16le", rate=AUDIO_HZ, layout="mono")
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((64, width, 3), 90, np.uint8), format="rgb24")
            frame.pts = i
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            samples = np.zeros((1, AUDIO_HZ * frames // fps), np.int16)
            samples[0, round((burst_s - audio_start_s) * AUDIO_HZ)] = 32_000
            sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            sound.sample_rate = AUDIO_HZ
            sound.pts = round(audio_start_s * AUDIO_HZ)
            out.mux(audio.encode(sound))
            out.mux(audio.encode(None))


def make_landmarks(path: Path, frames: int = FRAMES) -> None:
    random = np.random.default_rng(len(path.stem))
    shapes = {"pose": (33, 3), "face": (468, 2), "left_hand": (21, 2), "right_hand": (21, 2)}
    arrays = {n: random.uniform(0.1, 0.9, (frames, *s)).astype(np.float32) for n, s in shapes.items()}
    arrays["pose"][..., 2] = 1
    np.savez(path, **arrays)


def alter(path: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Change the arrays of a landmarks file."""
    with np.load(path) as old:
        arrays = {name: old[name] for name in old.files}
    change(arrays)
    np.savez(path, **arrays)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sound clips: 'a' of split train, 'b' of split test."""
    for name in ("clips", "landmarks"):
        (tmp_path / name).mkdir()
    for clip in "ab":
        make_video(tmp_path / "clips" / f"{clip}.mp4")
        make_landmarks(tmp_path / "landmarks" / f"{clip}.npz")
    index(tmp_path, "a,ann,train", "b,bob,test")
    return tmp_path


def index(folder: Path, *rows: str, head: str = "clip,speaker,split") -> None:
    (folder / "index.csv").write_text("\n".join([head, *rows]) + "\n")


def test_made_corpus(folder: Path) -> None:
    facts = Videos(str(folder)).facts()
    assert facts.speakers == ("ann", "bob") and facts.clips == {"train": 1, "test": 1}
    clips = list(Videos(str(folder)).clips())
    assert [(c.name, c.speaker, c.split) for c in clips] == [("a", "ann", "train"), ("b", "bob", "test")]
    for clip in clips:
        assert clip.keypoints.shape == (FRAMES, 133, 2) and clip.keypoints.dtype == np.float32
        assert clip.valid.shape == (FRAMES, 133)
        assert clip.waveform.shape == (640 * FRAMES,) and clip.waveform.dtype == np.float32
        assert abs(np.abs(clip.waveform).argmax() - 1600) <= 1, "the burst at 0.1 s"


def test_identity_keeps_hyper_parameters_and_leaves_the_place() -> None:
    variant = find("corpus", "videos")
    assert variant.parameters == {
        "folder": "data/videos",
        "index": "index.csv",
        "longest_gap_frames": 5,
        "visibility": 0.5,
        "smoothing_frames": 1,
        "split": None,
        "fit": None,
    }
    assert variant.label == "Videos" and variant.shapes == []


@pytest.mark.parametrize("start_s", [-0.04, 0.0, 0.05])
def test_stream_offsets_are_honoured(tmp_path: Path, start_s: float) -> None:
    path = tmp_path / "offset.mkv"
    make_video(path, audio_start_s=start_s + 0.2, burst_s=0.3)
    waveform = read_speech(path, 0.2, 640 * FRAMES)
    assert waveform.shape == (640 * FRAMES,)
    assert abs(np.abs(waveform).argmax() - 1600) <= 1
    if start_s > 0:
        assert not waveform[: round(start_s * 16_000) - 20].any()


def test_audio_wholly_outside_the_video(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    make_video(path, audio_start_s=5.0, burst_s=5.1)
    with pytest.raises(InputError, match=r"late\.mkv: no audio during the video"):
        read_speech(path, 0.0, 640 * FRAMES)


def test_fingerprint_sees_content_and_not_order_or_place(folder: Path, tmp_path_factory) -> None:
    first = Videos(str(folder)).facts().fingerprint
    index(folder, "b,bob,test,note", "a,ann,train,", head="clip,speaker,split,remark")
    assert Videos(str(folder)).facts().fingerprint == first
    assert [c.name for c in Videos(str(folder)).clips()] == ["a", "b"]
    copy = tmp_path_factory.mktemp("copy") / "there"
    shutil.copytree(folder, copy)
    assert Videos(str(copy)).facts().fingerprint == first
    seen = {first}
    index(folder, "a,ann,train", "b,eve,test")
    seen.add(Videos(str(folder)).facts().fingerprint)
    make_landmarks(folder / "landmarks/a.npz")
    alter(folder / "landmarks/a.npz", lambda arrays: arrays["face"].__iadd__(0.01))
    seen.add(Videos(str(folder)).facts().fingerprint)
    make_video(folder / "clips/b.mp4", burst_s=0.2)
    seen.add(Videos(str(folder)).facts().fingerprint)
    assert len(seen) == 4


def far(path: Path) -> None:
    """Landmarks in pixels, where shares of the picture are expected."""
    alter(path, lambda arrays: [array[..., :2].__imul__(640) for array in arrays.values()])


def unfound(path: Path) -> None:
    alter(path, lambda arrays: [array.fill(np.nan) for array in arrays.values()])


def unseen(path: Path) -> None:
    hidden = ["face", "left_hand", "right_hand"]
    alter(path, lambda arrays: [arrays["pose"].fill(0.4), *(arrays[n].fill(np.nan) for n in hidden)])


def at_one_place(path: Path) -> None:
    alter(path, lambda arrays: arrays["pose"][..., :2].fill(0.5))


def shoulder_lost(path: Path) -> None:
    alter(path, lambda arrays: arrays["pose"][:, 11].fill(0))


def shorten(folder: Path, clip: str, frames: int) -> None:
    make_video(folder / f"clips/{clip}.mp4", frames=frames)
    make_landmarks(folder / f"landmarks/{clip}.npz", frames)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent clip": (lambda f: index(f, "a,ann,train", "b,bob,test", "c,cat,dev"), r"line 4: .*c\.mp4"),
    "absent landmarks": (lambda f: (f / "landmarks/b.npz").unlink(), r"line 3: .*b\.npz: no such file"),
    "no audio": (lambda f: make_video(f / "clips/a.mp4", audio_start_s=None), r"a\.mp4: no audio stream"),
    "rate": (lambda f: make_video(f / "clips/a.mp4", fps=30), r"a\.mp4: 30\.000 frames per second"),
    "length": (
        lambda f: make_landmarks(f / "landmarks/a.npz", 9),
        r"npz .MediaPipe.*: 9 frames, expected 90 as the clip has",
    ),
    "never found": (lambda f: unfound(f / "landmarks/b.npz"), r"line 3: .*b\.npz: no point is found"),
    "never visible": (
        lambda f: unseen(f / "landmarks/b.npz"),
        r"line 3: .*b\.npz: no point is more visible than 0\.5",
    ),
    "in px": (
        lambda f: far(f / "landmarks/a.npz"),
        r"line 2: .*a\.npz: every point lies outside .* to 5\d\d of",
    ),
    "one shoulder": (lambda f: shoulder_lost(f / "landmarks/a.npz"), r"line 2: .*a\.npz: both shoulders"),
    "one place": (lambda f: at_one_place(f / "landmarks/a.npz"), r"a\.npz: the shoulder width is zero"),
    "truncated landmarks": (lambda f: truncate(f / "landmarks/a.npz"), r"line 2: .*a\.npz: unreadable"),
    "empty video": (lambda f: (f / "clips/a.mp4").write_bytes(b""), r"a\.mp4: unreadable as a video"),
    "not a video": (lambda f: (f / "clips/a.mp4").write_bytes(b"text" * 99), r"a\.mp4: unreadable as"),
    "empty split": (lambda f: index(f, "a,ann,train", "b,bob,dev"), r"index\.csv: no clip of split 'test'"),
    "odd split": (lambda f: index(f, "a,ann,trian", "b,bob,test"), r"line 2: split 'trian'.*'train'"),
    "twice": (lambda f: index(f, "a,ann,train", "a,ann,test"), r"line 3: clip 'a' is already .* line 2"),
    "column": (lambda f: index(f, "a,train", head="clip,split"), r"index\.csv line 1: no column speaker"),
    "near column": (lambda f: index(f, "a,b,c", head="clips,speaker,split"), r"did you mean 'clips'"),
    "no speaker": (lambda f: index(f, "a,,train", "b,bob,test"), r"line 2: clip 'a' has no speaker"),
    "short row": (lambda f: index(f, "a", "b,bob,test"), r"index\.csv line 2"),
    "outside": (lambda f: index(f, "../a,ann,train", "b,bob,test"), r"line 2: .*/a' is not a file name"),
    "no rows": (lambda f: index(f), r"index\.csv: names no clips"),
    "empty index": (lambda f: (f / "index.csv").write_bytes(b""), r"index\.csv line 1: no column"),
    "not text": (lambda f: (f / "index.csv").write_bytes(b"\xff\xfe\x00clip"), r"index\.csv: unreadable"),
    "no index": (lambda f: (f / "index.csv").unlink(), r"index\.csv: unreadable"),
    "no folder": (lambda f: shutil.rmtree(f), r"no such folder"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_named(folder: Path, what: str) -> None:
    spoil, words = BAD[what]
    spoil(folder)
    with pytest.raises(InputError, match=words) as caught:
        Videos(str(folder)).facts()
    assert str(folder) in str(caught.value)
    with pytest.raises(InputError):
        list(Videos(str(folder)).clips())


def test_a_cut_video_has_fewer_frames(folder: Path) -> None:
    truncate(folder / "clips/a.mp4")
    with pytest.raises(InputError, match=r"a\.(mp4|npz)"):
        Videos(str(folder)).facts()


def test_a_split_without_windows_is_refused_and_a_short_clip_beside_a_long_one_kept(folder: Path) -> None:
    shorten(folder, "c", 30)
    index(folder, "a,ann,train", "b,bob,test", "c,cat,test")
    assert Videos(str(folder)).facts().clips == {"train": 1, "test": 2}
    assert [len(clip.valid) for clip in Videos(str(folder)).clips()] == [FRAMES, FRAMES, 30]
    shorten(folder, "b", 80)
    words = r"index\.csv: no clip of split 'test' has at least 81 frames .*; the longest, 'b', has 80"
    with pytest.raises(InputError, match=words):
        Videos(str(folder)).facts()
    assert [len(clip.valid) for clip in Videos(str(folder)).clips()] == [FRAMES, 80, 30]
    shorten(folder, "b", 81)
    assert Videos(str(folder)).facts().clips == {"train": 1, "test": 2}


def test_shoulders_seen_in_turn_are_bridged(folder: Path) -> None:
    def in_turn(arrays: dict[str, np.ndarray]) -> None:
        arrays["pose"][::2, 11, 2], arrays["pose"][1::2, 12, 2] = 0, 0

    alter(folder / "landmarks/a.npz", in_turn)
    assert Videos(str(folder)).facts().clips == {"train": 1, "test": 1}
    with pytest.raises(InputError, match=r"line 2: .*a\.npz: both shoulders"):
        Videos(str(folder), longest_gap_frames=0).facts()


def test_files_are_read_once_until_they_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        "rgx.gesture.data.tracked_clip.probe", lambda path: read.append(path.name) or probe(path)
    )
    first = Videos(str(folder)).facts()
    assert sorted(read) == ["a.mp4", "b.mp4"]
    assert Videos(str(folder)).facts() == first and len(read) == 2
    alter(folder / "landmarks/b.npz", lambda arrays: arrays["face"].__iadd__(0.01))
    changed = Videos(str(folder)).facts()
    assert changed.fingerprint != first.fingerprint and read[2:] == ["b.mp4"]
    Videos(str(folder), visibility=0.6).facts()
    assert len(read) == 5, "another threshold may find another clip of no use"
    (folder / "clips/a.mp4").unlink()
    with pytest.raises(InputError, match=r"line 2: .*a\.mp4"):
        Videos(str(folder)).facts()


def test_a_file_changed_behind_its_times_is_read_again(folder: Path) -> None:
    path = folder / "landmarks/a.npz"
    before, times = Videos(str(folder)).facts(), path.stat()
    alter(path, lambda arrays: arrays["face"].__iadd__(0.01))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size
    assert Videos(str(folder)).facts().fingerprint != before.fingerprint


def test_pictures_follow_the_clips(folder: Path) -> None:
    footage = list(Videos(str(folder)).footage(16))
    assert [(f.name, f.frame_px, f.frames.shape) for f in footage] == [
        (name, 64.0, (FRAMES, 16, 16, 3)) for name in "ab"
    ]
    assert footage[0].frames.dtype == np.uint8 and abs(int(footage[0].frames.mean()) - 90) < 4


def test_only_pictures_must_be_square_and_all_that_are_not_are_named_first(folder: Path) -> None:
    for clip in "ab":
        make_video(folder / f"clips/{clip}.mp4", width=96)
    corpus = Videos(str(folder))
    assert corpus.facts().clips == {"train": 1, "test": 1} and len(list(corpus.clips())) == 2
    with pytest.raises(InputError) as caught:
        next(corpus.footage(16))
    told = str(caught.value).splitlines()
    assert len(told) == 2 and "line 2" in told[0] and "line 3" in told[1]
    assert all("pictures of 96×64 px" in line and "crop" in line for line in told)


def test_pictures_that_change_size(folder: Path) -> None:
    write_jpegs(folder / "clips/b.mp4", *[64] * 50, *[32] * 40)
    corpus = Videos(str(folder))
    assert corpus.facts().clips == {"train": 1, "test": 1} and len(list(corpus.clips())) == 2
    words = r"line 3: .*b\.mp4: the pictures change from 64×64 px to 32×32 px at 2\.00 s"
    for look in (corpus.check_pictures, lambda: next(corpus.footage(16))):
        with pytest.raises(InputError, match=words):
            look()


def test_pictures_fewer_than_packets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = [np.zeros((16, 16, 3), np.uint8)] * (FRAMES - 1)
    monkeypatch.setattr("rgx.gesture.data.videos.read_frames", lambda *_: iter(some))
    with pytest.raises(InputError, match=r"a\.mp4: 89 pictures can be decoded, expected 90"):
        next(Videos(str(folder)).footage(16))


def test_all_problems_at_once_ten_shown(folder: Path) -> None:
    index(folder, "a,ann,train", "b,bob,test", *(f"x{i},ann,train" for i in range(13)), "a,ann,trian")
    with pytest.raises(InputError) as caught:
        Videos(str(folder)).facts()
    lines = str(caught.value).splitlines()
    assert len(lines) == 11 and lines[-1] == "and 5 more"
    assert sum("x0.mp4" in line for line in lines) == 1


SOURCED = "clip,speaker,split,interval,video"


def test_a_split_takes_the_place_of_the_index_s(folder: Path) -> None:
    """Two pieces of one interval go together; what the split leaves out is in neither."""
    for kind, suffix in (("clips", ".mp4"), ("landmarks", ".npz")):
        for clip in ("c", "d"):
            shutil.copy(folder / f"{kind}/a{suffix}", folder / f"{kind}/{clip}{suffix}")
    rows = ("a,ann,train,1,v", "b,ann,test,2,v", "c,ann,test,2,v", "d,ann,train,3,w")
    index(folder, *rows, head=SOURCED)
    assert Videos(str(folder)).facts().clips == {"train": 2, "test": 2}
    assert Videos(str(folder)).report() == {"test_clips_of_train_videos": 1}, "one interval"
    ids = folder / "ids.json"
    ids.write_text('{"train": [2], "test": [1]}')
    listed = Videos(str(folder), split=S2GSplit(str(ids), replacement="noah"))
    assert [(c.name, c.split) for c in listed.clips()] == [("a", "test"), ("b", "train"), ("c", "train")]
    parted = Videos(str(folder), split=VideoSplit(0.5))
    assert parted.report() == {"test_clips_of_train_videos": 0}
    splits = {c.name: c.split for c in parted.clips()}
    assert splits["a"] == splits["b"] == splits["c"] != splits["d"]
    assert parted.facts().fingerprint != Videos(str(folder)).facts().fingerprint


def test_a_split_needs_videos_only_where_it_parts_them(folder: Path) -> None:
    usual = Videos(str(folder))
    assert Videos(str(folder), split=TableSplit()).facts() == usual.facts() and usual.report() == {}
    with pytest.raises(
        InputError, match=r"index\.csv line 2: clip 'a' is of no video: corpus\.videos\.split"
    ):
        Videos(str(folder), split=VideoSplit()).facts()


def test_smoothing_calms_what_is_seen(folder: Path) -> None:
    def shake(arrays: dict[str, np.ndarray]) -> None:
        arrays["pose"][:, 15, 0] += 0.02 * (np.arange(FRAMES) % 2)

    alter(folder / "landmarks/a.npz", shake)
    raw, calm = (next(iter(Videos(str(folder), smoothing_frames=n).clips())) for n in (1, 5))
    np.testing.assert_array_equal(raw.valid, calm.valid)
    steps = [float(np.abs(np.diff(clip.keypoints[:, 9, 0])).mean()) for clip in (raw, calm)]
    assert steps[1] < 0.7 * steps[0]


@pytest.mark.parametrize(
    "wrong",
    [{"longest_gap_frames": -1}, {"visibility": 1.5}, {"smoothing_frames": 4}, {"smoothing_frames": 0}],
)
def test_wrong_arguments(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Videos(**wrong)


needs_mini = pytest.mark.skipif(not MINI.is_dir(), reason="needs ../shared/data/pats_mini, absent here")


@needs_mini
def test_real_facts_decode_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rgx.gesture.data.videos.read_speech", lambda *_: pytest.fail("facts decoded audio"))
    facts = Videos(str(MINI)).facts()
    assert facts.speakers == ("chemistry", "noah", "oliver", "seth")
    assert sum(facts.clips.values()) == 20 and set(facts.clips) <= {"train", "dev", "test"}
    assert len(facts.fingerprint) == len(hashlib.sha256().hexdigest())


@needs_mini
@pytest.mark.slow
def test_real_clips() -> None:
    clips = list(Videos(str(MINI)).clips())
    assert len(clips) == 20 and sum(len(c.valid) for c in clips) == 3880
    for clip in clips:
        assert np.isfinite(clip.keypoints).all() and len(clip.waveform) == 640 * len(clip.valid)
        assert 0.005 < clip.waveform.std() < 0.5 and np.abs(clip.waveform).max() <= 1.5
        # Independent routes to one place: face mesh and pose model, hand model and pose model.
        assert _apart(clip, 0, 53) < 8 and _apart(clip, 1, 68) < 12 and _apart(clip, 2, 59) < 12
        assert _apart(clip, 91, 9) < 16
    valid = np.concatenate([c.valid for c in clips])
    assert valid[:, 23:91].mean() > 0.99
    assert valid[:, 91:112].mean() == pytest.approx(0.743, abs=0.005)
    assert valid[:, 112:].mean() == pytest.approx(0.901, abs=0.005)


def _apart(clip, one: int, other: int) -> float:
    both = clip.valid[:, one] & clip.valid[:, other]
    return float(np.median(np.linalg.norm(clip.keypoints[both, one] - clip.keypoints[both, other], axis=-1)))


@needs_mini
def test_real_frame_counts_match_decoding() -> None:
    path = MINI / "clips/chem2.mp4"
    with av.open(str(path)) as container:
        decoded = sum(1 for _ in container.decode(video=0))
    video = probe(path)
    assert (video.frames, video.width_px, video.height_px) == (decoded, 256, 256)


@needs_mini
@pytest.mark.slow
def test_real_speech_agrees_with_another_decoder() -> None:
    librosa = pytest.importorskip("librosa")
    path = MINI / "clips/oliver4.mp4"
    with av.open(str(path)) as container:
        frames = [f.to_ndarray().mean(axis=0) for f in container.decode(audio=0)]
    whole = librosa.resample(np.concatenate(frames), orig_sr=44_100, target_sr=16_000)
    ours = read_speech(path, 0.0, 78 * 640)
    size = min(len(whole), len(ours))
    assert np.corrcoef(whole[:size], ours[:size])[0, 1] > 0.99


def test_a_worker_reads_no_clip_again_that_its_driver_has_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    known = Videos(str(folder)).facts()
    keep(tmp_path)
    for name in ("_known", "_lasting"):
        monkeypatch.setattr(memory, name, {})
    recall(tmp_path)
    monkeypatch.setattr(tracked_clip, "read_tracked", lambda *_: pytest.fail("a clip was read again"))
    assert Videos(str(folder)).facts() == known


def test_a_clip_that_is_shown_turned_is_refused(folder: Path) -> None:
    path = folder / "clips" / "a.mp4"
    write_mp4(path, [np.zeros((64, 64, 3), np.uint8)] * FRAMES, np.zeros(640 * FRAMES, np.float32))
    assert Videos(str(folder)).facts().clips == {"train": 1, "test": 1}
    content = bytearray(path.read_bytes())
    for place in (found.start() + 44 for found in re.finditer(b"tkhd", bytes(content))):
        content[place : place + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 256 << 16, 0, 1 << 30)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.mp4: shown turned by (90|270)°"):
        Videos(str(folder)).facts()


def test_a_bystander_is_counted_and_another_rate_is_named(folder: Path) -> None:
    place = folder / "keypoints" / "a"
    place.mkdir(parents=True)
    (folder / "landmarks" / "a.npz").unlink()
    random = np.random.default_rng(2)
    body = [(float(x), float(y), 1.0) for x, y in random.uniform(10, 60, (18, 2))]
    body[2], body[5] = (20.0, 40.0, 1.0), (50.0, 40.0, 1.0)  # the right shoulder, then the left one
    body[0], body[14:] = (35.0, 12.0, 1.0), [(30.0 + n, 12.0, 1.0) for n in range(4)]  # the head
    person = {"pose_keypoints_2d": [n for point in body for n in point]}
    for n in range(FRAMES):
        people = [person, person] if n < 3 else [person]
        (place / f"{n}.json").write_text(json.dumps({"people": people}))
    assert Videos(str(folder)).report()["frames_with_others"] == 3
    for n in range(FRAMES, FRAMES * 6 // 5):
        (place / f"{n}.json").write_text(json.dumps({"people": [person]}))
    make_landmarks(folder / "landmarks" / "b.npz", FRAMES * 6 // 5)
    with pytest.raises(InputError, match=r"30 frames per second\? .*corpus/fit\.track\.rate_hz = 30"):
        Videos(str(folder)).facts()
    assert Videos(str(folder), fit=TrackFit(rate_hz=30)).facts().frames["train"] == (FRAMES,)
