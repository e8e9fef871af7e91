"""Recordings to a corpus by the command line, measured in the files it wrote."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import planted_people
import pytest
from little import ROOT, command
from planted_people import Person, Planted, every, one, plain, record, waving

from rgx.data.videos import Videos
from rgx.poses.mediapipe import ENVIRONMENT
from rgx.prepare.shots import Shots

PLUGIN = str(Path(planted_people.__file__))
SHARED = ROOT.parent / "shared"


def prepare(source: Path, out: Path, *options: str) -> int:
    return command(
        "prepare",
        str(source),
        "--out",
        str(out),
        "--poses",
        "planted",
        "--import",
        PLUGIN,
        "--cpus",
        "1",
        *options,
    )


def cache_folder() -> Path:
    return Path(os.environ.get("RGX_CACHE") or Path.home() / ".cache/rgx")


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "index.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def sound(path: Path) -> np.ndarray:
    """Return a written clip's sound from its own first picture on, decoded by PyAV alone."""
    with av.open(str(path)) as container:
        start = next(container.decode(video=0)).time
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    wave = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert frames[0].sample_rate == 16_000 and frames[0].time is not None and start is not None
    offset = round((start - frames[0].time) * 16_000)
    return wave[offset:] if offset >= 0 else np.concatenate([np.zeros(-offset, wave.dtype), wave])


def standing(level: int, now: float) -> tuple[np.ndarray, list[Person]]:
    return plain(grey=level), [waving(now)]


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """Two plain recordings of two speakers in folders."""
    folder = tmp_path / "recordings"
    for speaker, grey_there in (("ann", 70), ("bób", 110)):
        (folder / speaker).mkdir(parents=True)
        scene = partial(standing, grey_there)
        record(folder / speaker / "a talk.mp4", scene)
    return folder


def farthest(keypoints: np.ndarray, valid: np.ndarray, frames: Iterable[np.ndarray]) -> float:
    """Return how far, in px, the points lie at most from the discs in the pictures written."""
    seen = [(k, people[0]) for k, people in enumerate(Planted().track(frames)) if len(people)]
    assert len(seen) > 0.95 * len(keypoints)
    sure = [(k, points, valid[k] & (points[:, 2] > 0)) for k, points in seen]
    return max(
        float(np.linalg.norm(points[both, :2] - keypoints[k][both], axis=-1).max())
        for k, points, both in sure
    )


def test_a_folder_becomes_a_corpus(talks: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    assert prepare(talks, out) == 0
    found = rows(out)
    assert sorted(row["speaker"] for row in found) == ["ann", "bób"]
    assert {row["split"] for row in found} == {"train", "test"} and len({row["clip"] for row in found}) == 2
    corpus = Videos(str(out))
    assert corpus.facts().clips == {"train": 1, "test": 1}
    corpus.check_pictures()
    footage = {shown.name: shown.frames for shown in corpus.footage(256)}
    for clip in corpus.clips():
        assert clip.keypoints.shape == (100, 133, 2) and clip.valid[:, :11].mean() > 0.99
        assert clip.waveform.shape == (64_000,) and clip.waveform.any()
        assert farthest(clip.keypoints, clip.valid, footage[clip.name]) < 3
    page = (out / "quality.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 2 and "bób/a talk.mp4" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page), "nothing outside the page is needed"


RATES = ("24000/1001", "25", "30000/1001", "50", "60000/1001")
SHIFTS = {"level": (0.0, 4.2), "sound first": (-0.3, 4.5), "sound late": (0.33, 4.2)}
QUICK = {("60000/1001", "sound first")}
STEP_CASES = [
    pytest.param(rate, shift, suffix, marks=[] if (rate, shift) in QUICK else pytest.mark.slow)
    for rate in RATES
    for shift in SHIFTS
    for suffix in ((".mkv",) if shift != "sound late" else (".mkv", ".mp4"))
]


SLOPE = 100
"""Grey levels a second: one is 10 ms, and the codecs err by up to three."""


def grey(now: np.ndarray | float) -> np.ndarray:
    """Return a wall's grey at a time, up and down once in two seconds: 4 levels a picture at 25 Hz."""
    return 60 + SLOPE * np.abs((np.asarray(now) + 1) % 2 - 1)


def wall(now: float) -> tuple[np.ndarray, list[Person]]:
    return plain(grey=round(float(grey(now)))), [waving(now)]


def delays(shown: list[np.ndarray], start_s: float) -> dict[int, float]:
    """Return how much later than due the time is that each picture's wall tells, where it tells one."""
    found = {}
    for k, picture in enumerate(shown):
        due, level = k / 25 + start_s, picture[:30, -30:].mean()
        if 0.1 < due % 1 < 0.9 and level < 200:
            found[k] = float((level - grey(due)) / SLOPE) * (1 if due % 2 < 1 else -1)
    return found


@pytest.mark.parametrize(("rate", "shift", "suffix"), STEP_CASES)
def test_pictures_and_speech_stay_in_step(rate: str, shift: str, suffix: str, tmp_path: Path) -> None:
    """A clap is a white picture, the one nearest to the sound's click; the wall tells the other times."""
    claps, half = [1.04, 2.4, 3.6], float(1 / Fraction(rate)) / 2

    def scene(now: float) -> tuple[np.ndarray, list[Person]]:
        if any(-half < now - clap <= half for clap in claps):
            return plain(grey=255), []
        return wall(now)

    (tmp_path / "in").mkdir()
    record(tmp_path / f"in/clap{suffix}", scene, every(Fraction(rate), 4.2), claps, SHIFTS[shift])
    out = tmp_path / "corpus"
    assert prepare(tmp_path / "in", out) == 0
    (row,) = rows(out)
    start_s = float(row["start_s"])
    # AAC hears a block before its first.
    assert start_s in ((0.32, 0.28) if shift == "sound late" else (0.0,))
    path = out / f"clips/{row['clip']}.mp4"
    shown, wave = pictures(path), np.abs(sound(path))
    corner = np.array([picture[:30, -30:].mean() for picture in shown])
    for clap in claps:
        near = np.abs(np.arange(len(shown)) / 25 - (clap - start_s)) < 0.2
        flash = np.flatnonzero((corner > 240) & near) / 25
        around = round((clap - start_s - 0.2) * 16_000)
        click = (around + wave[around : around + 6400].argmax()) / 16_000
        assert 1 <= len(flash) <= 2 and abs(flash[0] - click) < 0.020, (flash, click)
        assert abs(click - (clap - start_s)) < 0.002
    late = np.array(list(delays(shown, start_s).values()))
    assert len(late) > 60 and abs(late.mean()) < 0.004 and np.abs(late).max() < half + 0.035


@pytest.mark.slow
def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    steps = np.random.default_rng(3).choice([0.016, 0.033, 0.05, 0.1], 70)
    times = [0.0, *(time for time in np.cumsum(steps) if time < 4.4)]
    (tmp_path / "in").mkdir()
    record(tmp_path / "in/phone.mkv", wall, times, sound_s=(0.0, 4.5))
    assert prepare(tmp_path / "in", tmp_path / "out") == 0
    (row,) = rows(tmp_path / "out")
    shown = pictures(tmp_path / f"out/clips/{row['clip']}.mp4")
    wanted = {k: min(times, key=lambda time: abs(time - k / 25)) - k / 25 for k in range(len(shown) - 3)}
    off = [abs(late - wanted[k]) for k, late in delays(shown, 0.0).items() if k in wanted]
    assert (
        len(off) > 60 and np.mean(off) < 0.015 and max(off) < 0.035 and max(map(abs, wanted.values())) <= 0.05
    )
    assert "variable frame rate" in (tmp_path / "out/quality.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_many_people_cuts_and_gaps_are_left_out_with_reasons(tmp_path: Path) -> None:
    """One speaker 4 s, cut to two people 2 s, cut to one speaker in another room 4 s, nobody 2 s."""

    def scene(now: float) -> tuple[np.ndarray, list[Person]]:
        if now < 4:
            return plain(grey=90), [waving(now, 100, 45, 7)]
        if now < 6:
            return plain(grey=20), [waving(now, 85, 45, 7), waving(now, 240, 45, 7)]
        return plain(grey=150), [waving(now, 210, 60, 9)] if now < 10 else []

    (tmp_path / "in").mkdir()
    record(tmp_path / "in/show.mkv", scene, every(25, 12.0), sound_s=(0.0, 12.0))
    assert prepare(tmp_path / "in", tmp_path / "out", "--speaker", "ann") == 0
    found = [(row["start_s"], row["end_s"], row["split"], row["speaker"]) for row in rows(tmp_path / "out")]
    assert found == [("0.0", "3.52", "train", "ann"), ("6.76", "10.0", "test", "ann")]
    page = (tmp_path / "out/quality.html").read_text(encoding="utf-8")
    assert "cuts at 4.00, 6.00 s" in page and "3.52–4.00 s</td><td>kept apart from test" in page
    assert "4.00–6.00 s</td><td>several people in view for 2.00 s" in page
    assert "10.00–12.00 s</td><td>no one in view for 2.00 s" in page
    (made,) = (tmp_path / "out/sources").glob("*/clips.json")
    first, second = (clip["square"] for clip in json.loads(made.read_text())["made"])
    assert first != second, "a square for each stretch"
    for row in rows(tmp_path / "out"):
        with np.load(tmp_path / f"out/keypoints/{row['clip']}.npz") as stored:
            points, valid = stored["points"], stored["scores"] > 0.5
        shown = pictures(tmp_path / f"out/clips/{row['clip']}.mp4")
        # Hands go up to 6 px from frame to frame: a clip that began one picture late would show it.
        assert len(shown) == len(points) and farthest(points, valid, shown) < 3


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    record(folder / "good.mkv")
    (folder / "empty.mp4").touch()
    (folder / "text.mov").write_text("no video" * 99)
    record(folder / "mute.mp4", sound_s=None)
    record(folder / "short.mkv", times=every(25, 2.0))
    (folder / "copy.mkv").write_bytes((folder / "good.mkv").read_bytes())
    assert prepare(folder, out) == 0
    said = capsys.readouterr().out
    assert [row["source"] for row in rows(out)] == ["copy.mkv"]
    for line in (
        "left out: empty.mp4: the file is empty",
        "left out: text.mov: unreadable as a video: Invalid data",
        "left out: mute.mp4: no audio stream",
        "left out: good.mkv: the same content as copy.mkv",
        "1 clips, 4.0 s, of 1 sources",
    ):
        assert line in said
    page = (out / "quality.html").read_text(encoding="utf-8")
    assert "too little for a test clip" in page and "one speaker for 2.00 s; a clip needs" in page


def test_nothing_usable_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/empty.mp4").touch()
    assert prepare(tmp_path / "in", tmp_path / "out") == 2
    assert "no clip could be made" in capsys.readouterr().err
    assert prepare(tmp_path / "absent", tmp_path / "out") == 2
    assert "absent: no such file or folder" in capsys.readouterr().err
    assert command("prepare", str(tmp_path / "in"), "--out", str(tmp_path / "o"), "--poses", "mediapype") == 2
    assert "did you mean 'mediapipe'?" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/index.csv").write_text("clip,speaker,split\n")
    assert prepare(tmp_path / "in", tmp_path / "mine") == 2
    assert "holds an index.csv that rgx did not prepare" in capsys.readouterr().err
    assert (tmp_path / "mine/index.csv").read_text() == "clip,speaker,split\n"


def stamps(out: Path) -> dict[str, int]:
    paths = [p for name in ("clips", "keypoints", "sheets", "sources") for p in (out / name).rglob("*.*")]
    return {str(p.relative_to(out)): p.stat().st_mtime_ns for p in paths if p.name != "source.json"}


def content(out: Path) -> dict[str, bytes]:
    paths = [
        out / "index.csv",
        out / "quality.html",
        *(out / "clips").iterdir(),
        *(out / "keypoints").iterdir(),
    ]
    return {str(p.relative_to(out)): p.read_bytes() for p in paths}


@pytest.mark.slow
def test_what_is_finished_is_not_done_again(talks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert prepare(talks, out) == 0
    first, bytes_first = stamps(out), content(out)
    assert prepare(talks, out) == 0
    assert stamps(out) == first and content(out) == bytes_first
    record(talks / "ann/a talk.mp4", lambda now: (plain(grey=120), [waving(now + 1)]))
    assert prepare(talks, out) == 0
    second = stamps(out)
    same = {name for name in first if second.get(name) == first[name]}
    assert len(second) == len(first) and len(same) == len(first) // 2, "one of two sources was changed"
    next((out / "keypoints").iterdir()).unlink()
    assert prepare(talks, out) == 0 and len(list((out / "keypoints").iterdir())) == 2
    assert prepare(talks / "ann", out, "--speaker", "eve") == 0
    assert sorted(row["speaker"] for row in rows(out)) == ["bób", "eve"]


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(4):
        record(folder / f"talk {n}.mkv", lambda now, n=n: (plain(grey=60 + 20 * n), [waving(now + n)]))
    assert prepare(folder, tmp_path / "whole") == 0
    out = tmp_path / "out"
    arguments = ["prepare", str(folder), "--out", str(out), "--poses", "planted", "--import", PLUGIN]
    for seconds in (3.0, 4.0, 5.0, 6.0):
        run = subprocess.Popen(
            [sys.executable, "-m", "rgx", *arguments, "--cpus", "1"], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        time.sleep(seconds)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    assert prepare(folder, out) == 0
    assert {k: v for k, v in content(out).items() if k != "quality.html"} == {
        k: v for k, v in content(tmp_path / "whole").items() if k != "quality.html"
    }


@pytest.mark.slow
def test_ray_tasks_make_the_same_corpus(talks: Path, tmp_path: Path) -> None:
    assert prepare(talks, tmp_path / "here") == 0
    assert prepare(talks, tmp_path / "there", "--cpus", "2") == 0
    here, there = content(tmp_path / "here"), content(tmp_path / "there")
    assert {k: v for k, v in here.items() if "quality" not in k} == {
        k: v for k, v in there.items() if "quality" not in k
    }


@pytest.mark.slow
def test_a_failure_is_one_source_and_exit_one(
    talks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    see = Shots.see

    def fail(self: Shots, picture: np.ndarray) -> None:
        if picture[:30, -30:].mean() > 88:
            raise RuntimeError("out of luck")
        see(self, picture)

    monkeypatch.setattr(Shots, "see", fail)
    assert prepare(talks, tmp_path / "out") == 1
    assert "out of luck" in capsys.readouterr().out and len(rows(tmp_path / "out")) == 1
    logs = list((tmp_path / "out/sources").glob("*/log.txt"))
    assert len(logs) == 1 and "RuntimeError" in logs[0].read_text()
    monkeypatch.setattr(Shots, "see", see)
    assert prepare(talks, tmp_path / "out") == 0 and len(rows(tmp_path / "out")) == 2


@pytest.mark.slow
def test_points_from_a_file_belong_to_the_sources_own_pictures(tmp_path: Path) -> None:
    """50 pictures a second with points for each: the corpus has those of the pictures it keeps."""
    from rgx.poses.npz_files import write_own_npz

    folder = tmp_path / "in"
    folder.mkdir()
    times = every(50, 4.0)
    record(folder / "a.mkv", one, times)
    tracks = [next(iter(Planted().track([planted_people.draw(*one(now))])))[0] for now in times]
    write_own_npz(folder / "a.npz", np.stack(tracks), 320, 180)
    record(folder / "lonely.mkv", lambda now: (plain(grey=50), [waving(now)]))
    code = command("prepare", str(folder), "--out", str(tmp_path / "out"), "--poses", "files", "--cpus", "1")
    assert code == 0
    (row,) = rows(tmp_path / "out")
    with np.load(tmp_path / f"out/keypoints/{row['clip']}.npz") as found:
        points = found["points"]
    (record_file,) = (tmp_path / "out/sources").glob("*/clips.json")
    left, top, side = json.loads(record_file.read_text())["made"][0]["square"]
    kept = np.stack(tracks)[::2]
    wanted = (kept[..., :2] - (left, top)) * 256 / side
    assert np.allclose(points[kept[..., 2] > 0], wanted[kept[..., 2] > 0], atol=1e-3)
    page = (tmp_path / "out/quality.html").read_text(encoding="utf-8")
    assert "no keypoints beside it: expected one of lonely.npz, lonely.json, lonely" in page


@pytest.mark.slow
def test_4k_and_a_turned_recording(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    record(folder / "4k.mkv", lambda now: (plain(3840, 2160), [waving(now, 1900, 800, 110)]), every(25, 3.4))
    record(folder / "turned.mp4", lambda now: (np.rot90(planted_people.draw(*one(now)), -1), []), turn=90)
    assert prepare(folder, tmp_path / "out") == 0
    found = {row["source"]: row for row in rows(tmp_path / "out")}
    assert set(found) == {"4k.mkv", "turned.mp4"}
    for row in found.values():
        shown = pictures(tmp_path / f"out/clips/{row['clip']}.mp4")
        assert shown[0].shape == (256, 256, 3)
        with np.load(tmp_path / f"out/keypoints/{row['clip']}.npz") as stored:
            points = stored["points"]
        again = next(iter(Planted().track([shown[40]])))
        assert len(again) == 1 and np.abs(again[0, 0, :2] - points[40, 0]).max() < 2
    assert "180×320" not in (tmp_path / "out/quality.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_real_recordings(tmp_path: Path) -> None:
    recordings = SHARED / "data/recordings"
    if not recordings.is_dir():
        pytest.skip("needs ../shared/data/recordings")
    if not (cache_folder() / ENVIRONMENT.name / "complete").exists():
        pytest.skip("needs the environment of poses/mediapipe, which `rgx prepare` makes")
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    names = ("raw_pats_oliver_720p.mp4", "shot_cuts.mp4", "no_audio_track.mp4", "no_audio_59fps.avi")
    for name in names:
        (folder / name).symlink_to(recordings / name)
    assert command("prepare", str(folder), "--out", str(out), "--cpus", "1") == 0
    found = {row["source"]: row for row in rows(out)}
    assert set(found) == set(names[:2])
    oliver, singer = found.values()
    assert (oliver["start_s"], oliver["end_s"]) == ("0.0", "7.0")
    assert min(float(oliver[part]) for part in ("body", "face", "left_hand", "right_hand")) > 0.8
    assert 2.7 < float(singer["start_s"]) < 3.7 and singer["end_s"] == "7.04", "between the cuts only"
    page = (out / "quality.html").read_text(encoding="utf-8")
    assert "cuts at 0.68, 2.72, 7.04 s" in page and page.count("no audio stream") == 2
    assert "poses/mediapipe finds at most one person" in page
    assert Videos(str(out)).facts().clips == {"train": 1, "test": 1}
