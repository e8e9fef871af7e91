"""Recordings to a corpus by the command line, measured in the files it wrote."""

from __future__ import annotations

import csv
import html
import json
import os
import re
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Iterable
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import planted_people
import pytest
from extractors import mediapipe_python
from little import ROOT, command
from nursery import Started
from pats_folder import HEAD
from PIL import Image
from planted_people import Person, Planted, every, one, plain, record, waving

from rgx.gesture.data.splits import S2GSplit
from rgx.gesture.data.videos import Videos
from rgx.gesture.poses.mediapipe_points import BODY_IDS
from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.prepare.shots import Shots
from rgx.gesture.prepare.timing import at_25_hz

PLUGIN = str(Path(planted_people.__file__))
SHARED = ROOT.parent / "shared"
S2G_IDS = SHARED / "data/pats/s2g_filtered_intervals.json"


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
@pytest.mark.slow
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
    (folder / "cut off.mkv").write_bytes((folder / "good.mkv").read_bytes()[:20_000])
    Image.new("RGB", (64, 64)).save(folder / "still ünï.png")
    with wave.open(str(folder / "voice.wav"), "wb") as voice:
        voice.setparams((1, 2, 16_000, 0, "NONE", ""))
        voice.writeframes(bytes(32_000))
    assert prepare(folder, out) == 0
    said = capsys.readouterr().out
    assert [row["source"] for row in rows(out)] == ["copy.mkv"]
    for line in (
        "left out: empty.mp4: the file is empty",
        "left out: text.mov: unreadable as a video: Invalid data",
        "left out: mute.mp4: no audio stream",
        "left out: good.mkv: the same content as copy.mkv",
        "left out: cut off.mkv: cut short: ends at",
        "left out: still ünï.png: a picture without sound, expected a video",
        "left out: voice.wav: no video stream",
        "1 clips, 4.0 s, of 1 sources",
    ):
        assert line in said
    page = html.unescape((out / "quality.html").read_text(encoding="utf-8"))
    for name, reason in re.findall(r"left out: (.*?): (.*)", said):
        assert f"<td>{name}</td><td>{reason}" in page
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
    for begun in range(1, 5):
        run = Started([*arguments, "--cpus", "1"], ROOT, os.environ, tmp_path / "printed.txt")
        while run.poll() is None and len(list(out.glob("sources/*"))) < begun:
            time.sleep(0.05)
        time.sleep(0.5 * begun)
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert prepare(folder, out) == 0
    assert {k: v for k, v in content(out).items() if k != "quality.html"} == {
        k: v for k, v in content(tmp_path / "whole").items() if k != "quality.html"
    }


@pytest.mark.slow
@pytest.mark.xdist_group("ray in pipelines")
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

    def fail(self: Shots, cells: np.ndarray) -> None:
        if cells[:3, -3:].mean() > 88:
            raise RuntimeError("out of luck")
        see(self, cells)

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


class Opens:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.path), "w")


@pytest.mark.slow
def test_points_that_run_code_are_one_line_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mark = tmp_path / "in", tmp_path / "ran"
    (folder / "evil").mkdir(parents=True)
    record(folder / "evil.mkv", partial(standing, 50), every(25, 3.4))
    for n in range(85):
        np.save(folder / f"evil/{n}.npy", np.array(Opens(mark), dtype=object), allow_pickle=True)
    record(folder / "good.mkv", one, times := every(25, 3.4))
    tracks = [next(iter(Planted().track([planted_people.draw(*one(now))])))[0] for now in times]
    write_own_npz(folder / "good.npz", np.stack(tracks), 320, 180)
    assert (
        command("prepare", str(folder), "--out", str(tmp_path / "o"), "--poses", "files", "--cpus", "1") == 0
    )
    assert [row["source"] for row in rows(tmp_path / "o")] == ["good.mkv"] and not mark.exists()
    assert re.search(r"left out: evil\.mkv: .*0\.npy.*open", capsys.readouterr().out)


@pytest.mark.slow
def test_4k_and_a_turned_recording(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    record(folder / "4k.mkv", lambda now: (plain(3840, 2160), [waving(now, 1900, 800, 110)]), every(12, 3.4))
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


USABLE = {
    "man_seated_gesturing.mp4": 19.9,
    "presenter_30fps.mp4": 16.9,
    "raw_pats_oliver_720p.mp4": 6.9,
    "shot_cuts.mp4": 3.3,
    "woman_seated_outdoors.mp4": 9.9,
}
"""Least seconds of clips."""
SHOWN_S, SHOWN_USABLE = (
    {
        "man_seated_gesturing.mp4": 4.0,
        "presenter_30fps.mp4": 5.0,
        "raw_pats_oliver_720p.mp4": 4.5,
        "shot_cuts.mp4": 8.0,
        "woman_seated_outdoors.mp4": 4.0,
    },
    {
        "man_seated_gesturing.mp4": 3.9,
        "presenter_30fps.mp4": 4.6,
        "raw_pats_oliver_720p.mp4": 4.4,
        "woman_seated_outdoors.mp4": 3.9,
    },
)
"""How much of each is looked at, past its last cut where it has cuts, and what of that is usable."""
if "RGX_WHOLE_RECORDINGS" in os.environ:
    SHOWN_S, SHOWN_USABLE = {}, {}
MUTE = ("no_audio_track.mp4", "no_audio_59fps.avi")


def copy_first(source: Path, copy: Path, seconds: float) -> None:
    """Write the first seconds of a recording, its packets as they are."""
    with av.open(str(source)) as whole, av.open(str(copy), "w") as part:
        streams = {
            s.index: part.add_stream_from_template(s) for s in (*whole.streams.video, *whole.streams.audio)
        }
        for packet in whole.demux(*(whole.streams[index] for index in streams)):
            if packet.dts is not None and packet.dts * packet.time_base < seconds:
                packet.stream = streams[packet.stream.index]
                part.mux(packet)


@pytest.mark.slow
@pytest.mark.xdist_group("ray in pipelines")
def test_real_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    originals, recordings, out = SHARED / "data/recordings", tmp_path / "recordings", tmp_path / "out"
    if not originals.is_dir():
        pytest.skip("needs ../shared/data/recordings")
    mediapipe_python()  # made here where it is absent
    recordings.mkdir()
    for original in (path for kind in ("mp4", "avi") for path in originals.glob(f"*.{kind}")):
        if original.name in SHOWN_S:
            copy_first(original, recordings / original.name, SHOWN_S[original.name])
        else:
            (recordings / original.name).symlink_to(original)
    assert command("prepare", str(recordings), "--out", str(out), "--cpus", "2") == 0
    said = capsys.readouterr().out
    assert all(f"left out: {name}: no audio stream" in said for name in MUTE)
    found = rows(out)
    seconds = dict.fromkeys(USABLE, 0.0)
    for row in found:
        seconds[row["source"]] += float(row["end_s"]) - float(row["start_s"])
        assert min(float(row[part]) for part in ("body", "face")) > 0.7, row
    usable = USABLE | SHOWN_USABLE
    assert set(seconds) == set(usable) and all(seconds[name] >= least for name, least in usable.items())
    oliver = next(row for row in found if row["source"].startswith("raw_pats"))
    assert min(float(oliver[part]) for part in ("left_hand", "right_hand")) > 0.8
    (singer,) = (row for row in found if row["source"] == "shot_cuts.mp4")
    assert 2.7 < float(singer["start_s"]) < 3.7 and singer["end_s"] == "7.04", "between the cuts only"
    page = (out / "quality.html").read_text(encoding="utf-8")
    assert "cuts at 0.68, 2.72, 7.04 s" in page and "several people in view" in page
    assert set(Videos(str(out)).facts().clips) == {"train", "dev", "test"}
    assert_near_their_tracks(out, [row for row in found if row["source"].startswith("presenter")])


def assert_near_their_tracks(out: Path, clips: list[dict[str, str]]) -> None:
    """Every body point above the hips, in the files of the corpus, is within 2 % of a shoulder width."""
    with (SHARED / "data/recordings/sample_body.csv").open(newline="") as file:
        table = np.array([[float(n or "nan") for n in row] for row in list(csv.reader(file))[1:]])
    theirs = table[:, 1:].reshape(len(table), 33, 4)[..., :2] * (1280, 720)
    width = np.median(np.linalg.norm(theirs[:, 11] - theirs[:, 12], axis=-1))
    times = [Fraction(round(ms), 1000) for ms in table[:, 0]]
    at_25 = list(at_25_hz((time, n) for n, time in enumerate(times)))
    (source,) = (p for p in out.glob("sources/*/clips.json") if clips[0]["clip"] in p.read_text())
    squares = {made["name"]: made["square"] for made in json.loads(source.read_text())["made"]}
    apart: list[np.ndarray] = []
    for clip in clips:
        left, top, side = squares[clip["clip"]]
        with np.load(out / f"keypoints/{clip['clip']}.npz") as stored:
            points = stored["points"][:, :11] * side / 256 + (left, top)
            apart.append(np.where(stored["scores"][:, :11, None] > 0, points, np.nan))
        first = round(float(clip["start_s"]) * 25)
        apart[-1] -= theirs[at_25[first : first + len(apart[-1])]][:, list(BODY_IDS[:11])]
    off = np.linalg.norm(np.concatenate(apart), axis=-1) / width
    assert (np.isfinite(off).mean(axis=0) > 0.9).all() and np.nanmedian(off, axis=0).max() < 0.02


def interval_line(name: str, speaker: str, first: float, last: float, video: str, split: str) -> str:
    times = [f"2019-09-26 00:00:{t:012.9f}" for t in (last, first)]
    return f"{split},{last - first},{times[0]},{name},{speaker},{times[1]},{video},https://example.org\n"


@pytest.mark.slow
def test_a_table_says_what_is_cut_out_and_what_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two videos: one has a second person in its second interval; the third interval is of neither."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()

    def scene(now: float) -> tuple[np.ndarray, list[Person]]:
        second = [waving(now, 240, 45, 7)] if now > 4.2 else []
        return plain(), [waving(now, 85, 45, 7), *second]

    record(folder / "vidA.mkv", scene, every(25, 8.0), sound_s=(0.0, 8.0))
    record(folder / "vidB.mkv", partial(standing, 60), every(25, 4.0))
    record(folder / "vidC.mkv", partial(standing, 40), every(25, 3.5))
    table = tmp_path / "cmu_intervals_df.csv"
    table.write_text(
        HEAD
        + interval_line("cmu1", "oliver", 0.4, 4.0, "vidA", "train")
        + interval_line("cmu2", "oliver", 4.0, 7.6, "vidA", "train")
        + interval_line("cmu3", "noah", 0.0, 4.0, "vidB", "test")
        + interval_line("cmu4", "noah", 0.0, 4.0, "vidD", "test")
    )
    assert prepare(folder, out, "--intervals", str(table)) == 0
    said = capsys.readouterr().out
    assert "left out: vidC.mkv: no interval of cmu_intervals_df.csv is of this video" in said
    columns = ("clip", "speaker", "split", "start_s", "end_s", "interval", "video")
    assert [tuple(row[c] for c in columns) for row in rows(out)] == [
        ("cmu1", "oliver", "train", "0.4", "4.0", "cmu1", "vidA"),
        ("cmu3", "noah", "test", "0.0", "4.0", "cmu3", "vidB"),
    ]
    page = (out / "quality.html").read_text(encoding="utf-8")
    assert "2 of its 3 intervals here have a clip" in page and "also train" not in page
    assert "4.00–7.60 s</td><td>several people in view for 3.36 s; one speaker for 0.24 s" in page
    corpus = Videos(str(out))
    assert corpus.facts().clips == {"train": 1, "test": 1}
    assert corpus.report() == {"test_clips_of_train_videos": 0}
    footage = {shown.name: shown.frames for shown in corpus.footage(256)}
    for clip in corpus.clips():
        assert farthest(clip.keypoints, clip.valid, footage[clip.name]) < 3
    before = stamps(out)
    assert prepare(folder, out, "--intervals", str(table)) == 0 and stamps(out) == before
    assert prepare(folder, out, "--intervals", str(table), "--speaker", "ann") == 2
    assert "the table names the speakers" in capsys.readouterr().err
    assert prepare(folder, out, "--intervals", str(tmp_path / "no.csv")) == 2
    assert "no.csv: unreadable as an interval table" in capsys.readouterr().err


@pytest.mark.slow
def test_memory_stays_flat_in_a_recording_s_length(tmp_path: Path) -> None:
    peaks = []
    for seconds in (12.0, 36.0):
        folder = tmp_path / f"in {seconds}"
        folder.mkdir()
        scene = partial(standing, 80)
        record(folder / "talk.mp4", scene, every(25, seconds), sound_s=(0.0, seconds))
        arguments = ["prepare", str(folder), "--out", str(tmp_path / f"out {seconds}"), "--cpus", "1"]
        arguments += ["--poses", "planted", "--import", PLUGIN]
        code = (
            "import re, rgx.cli, sys\n"
            f"sys.argv = ['rgx', *{arguments!r}]\n"
            "try: rgx.cli.main()\n"
            "except SystemExit: pass\n"
            "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout.split()[-1]))
        assert len(rows(tmp_path / f"out {seconds}")) > 1
    assert peaks[1] < 1.08 * peaks[0], peaks


@pytest.mark.slow
@pytest.mark.xdist_group("ray in pipelines")
def test_one_recording_is_shared_by_two_workers(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    record(tmp_path / "in/talk.mp4", partial(standing, 80), every(30, 16.0), sound_s=(0.0, 16.0))
    assert prepare(tmp_path / "in", tmp_path / "here") == 0
    assert prepare(tmp_path / "in", tmp_path / "there", "--cpus", "2") == 0
    here, there = (content(tmp_path / name) for name in ("here", "there"))
    assert {k: v for k, v in here.items() if "quality" not in k} == {
        k: v for k, v in there.items() if "quality" not in k
    }
    assert len(rows(tmp_path / "here")) == 2


@pytest.mark.slow
def test_a_real_pats_video_is_cut_by_a_table(tmp_path: Path) -> None:
    video = SHARED / "data/recordings/raw_pats_oliver_720p.mp4"
    if not video.is_file():
        pytest.skip("needs ../shared/data/recordings")
    mediapipe_python()  # made here where it is absent
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/4bwMeTKC0M4.mp4").symlink_to(video)
    table = tmp_path / "cmu_intervals_df.csv"
    table.write_text(
        HEAD
        + interval_line("cmu100905", "oliver", 0.0, 3.5, "4bwMeTKC0M4", "train")
        + interval_line("cmu103786", "oliver", 3.5, 6.9, "4bwMeTKC0M4", "test")
    )
    out = tmp_path / "out"
    arguments = ["prepare", str(tmp_path / "videos"), "--out", str(out), "--intervals", str(table)]
    assert command(*arguments, "--cpus", "1") == 0
    found = [(row["clip"], row["speaker"], row["split"], row["start_s"], row["end_s"]) for row in rows(out)]
    assert found == [
        ("cmu100905", "oliver", "train", "0.0", "3.52"),
        ("cmu103786", "oliver", "test", "3.52", "6.88"),
    ]
    ids = {k: set(json.loads(S2G_IDS.read_text())[k]) for k in ("train", "test")}
    assert 100905 in ids["train"] and 103786 in ids["test"]
    corpus = Videos(str(out), split=S2GSplit(str(S2G_IDS)))
    assert corpus.facts().clips == {"train": 1, "test": 1}
    assert corpus.report() == {"test_clips_of_train_videos": 1}
    for clip in corpus.clips():
        assert clip.valid[:, :11].mean() > 0.95
    page = (out / "quality.html").read_text(encoding="utf-8")
    assert "1 test intervals are of videos that also train" in page
