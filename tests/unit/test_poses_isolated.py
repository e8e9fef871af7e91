from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rgx.errors import InputError
from rgx.gesture.poses import isolated
from rgx.gesture.poses.base import same_size, scored
from rgx.gesture.poses.isolated import Environment, run_child
from rgx.gesture.poses.mediapipe import MediaPipe, MediaPipeFollowing
from rgx.gesture.poses.mmpose import MMPose

ECHO = """
import json, os, struct, sys
settings = json.loads(sys.argv[1])
if settings.get("dies") == "at once":
    sys.exit("no such model")
out, n = sys.stdout.buffer, 0
out.write(b"rgx1")
out.flush()
while len(head := sys.stdin.buffer.read(8)) == 8:
    height, width = struct.unpack("<II", head)
    picture = sys.stdin.buffer.read(height * width * 3)
    if settings.get("dies") == n:
        os.kill(os.getpid(), 9)
    if settings.get("stops") == n:
        sys.exit(0)
    if settings.get("wrong") == n:
        out.write(b"what")
        sys.exit(0)
    answer = (width, height, picture[0], len(picture), picture[-1], n)
    out.write(struct.pack("<II6f", 1, 2, *answer))
    out.flush()
    n += 1
"""
"""Answers each picture with its size, first byte, length, last byte and number."""


def pictures(count: int, height: int = 4, width: int = 6) -> Iterator[np.ndarray]:
    for n in range(count):
        yield np.full((height, width, 3), n, np.uint8)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "child.py"
    path.write_text(ECHO)
    return path


def run(script: Path, frames: Iterator[np.ndarray], **settings: object) -> Iterator[np.ndarray]:
    return run_child(Path(sys.executable), script, settings, frames, "poses.fake")


def test_every_picture_is_answered_in_order(script: Path) -> None:
    answers = list(run(script, pictures(50)))
    assert [a.shape for a in answers] == [(1, 2, 3)] * 50 and answers[0].dtype == np.float32
    assert [a.ravel().tolist() for a in answers] == [[6, 4, n, 72, n, n] for n in range(50)]
    assert list(run(script, pictures(0))) == []


def test_views_that_are_not_contiguous_are_sent_as_they_look(script: Path) -> None:
    whole = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    (answer,) = run(script, iter([whole[::-1, ::2]]))
    assert answer.ravel().tolist() == [3, 4, whole[3, 0, 0], 36, whole[0, 4, 2], 0]


def test_pictures_larger_than_any_pipe_overlap_with_answers(script: Path) -> None:
    sent: list[int] = []

    def frames() -> Iterator[np.ndarray]:
        for n in range(6):
            sent.append(threading.get_ident())
            yield np.full((700, 900, 3), n, np.uint8)

    answers = list(run(script, frames()))
    assert [a[0, 0, 2] for a in answers] == [0, 1, 2, 3, 4, 5]
    assert len(sent) == 6 and threading.get_ident() not in sent, "another thread reads the pictures"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dies": "at once"}, r"no such model \(.*python.* ended with exit code 1 after 0 pictures\)"),
        ({"dies": 2}, r"it said nothing \(.*python.* was killed by SIGKILL after 2 pictures\)"),
        ({"wrong": 1}, r"it said nothing \(.* ended with exit code 0 after 1 pictures\)"),
        ({"stops": 3}, r"it said nothing \(.* ended with exit code 0 after 3 pictures\)"),
    ],
)
def test_an_early_end_is_told(script: Path, settings: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=rf"^poses\.fake: {words}"):
        list(run(script, pictures(5000, 40, 60), **settings))


def test_an_absent_interpreter_is_told(script: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"poses\.fake: .*/nothing cannot be run: No such file"):
        list(run_child(tmp_path / "nothing", script, {}, pictures(1), "poses.fake"))


def test_what_reading_the_pictures_raises_passes_through(script: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield from pictures(3)
        raise InputError("clip.mp4: unreadable")

    answers = run(script, broken())
    found = []
    with pytest.raises(InputError, match=r"^clip\.mp4: unreadable$"):
        for answer in answers:
            found.append(answer)
    assert len(found) == 3, "what came before is answered"


def test_whoever_stops_looking_leaves_no_process(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen
    monkeypatch.setattr(
        isolated.subprocess, "Popen", lambda *a, **k: started.append(start(*a, **k)) or started[0]
    )
    running = threading.active_count()
    answers = run(script, (np.zeros((400, 600, 3), np.uint8) for _ in range(10_000)))
    next(answers)
    assert started[0].poll() is None and threading.active_count() == running + 1
    answers.close()  # type: ignore[attr-defined]  # a generator
    assert started[0].poll() is not None and threading.active_count() == running


def test_pictures_of_one_size() -> None:
    frames = [np.zeros((4, 6, 3), np.uint8), np.zeros((6, 4, 3), np.uint8)]
    with pytest.raises(InputError, match="frame 1 of the pictures is 4×6 px, the first is 6×4 px"):
        list(same_size(frames))
    with pytest.raises(ValueError, match=r"frame 0 is float64 \(4, 6, 3\)"):
        list(same_size([np.zeros((4, 6, 3))]))


def test_scores_in_the_form_of_the_contract() -> None:
    points = np.array([[1, 2], [3, 4], [np.nan, 5], [6, 7], [1e300, 8], [9, 10]])
    people = scored(points, np.array([0.5, 1.5, 1, np.nan, 1, 0]))
    assert people.tolist() == [[1, 2, 0.5], [3, 4, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert people.dtype == np.float32


@pytest.mark.parametrize("extractor", [MediaPipe, MediaPipeFollowing])
def test_an_interpreter_without_mediapipe_names_what_to_install(extractor: type[MediaPipe]) -> None:
    made = extractor(python=sys.executable)
    with pytest.raises(InputError, match=r"poses\.mediapipe: .* pip install mediapipe==0\.10\.21"):
        list(made.track(pictures(2)))


def test_mmpose_says_what_it_needs(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    weights.touch()
    with pytest.raises(InputError, match=r"poses\.mmpose\.checkpoint: expected a file of weights; none is"):
        MMPose()
    with pytest.raises(InputError, match=r"absent\.pth: expected a file of pretrained weights"):
        MMPose(checkpoint=str(tmp_path / "absent.pth")).fingerprint()
    with pytest.raises(InputError, match=r"poses\.mmpose\.detector_checkpoint: expected"):
        MMPose(checkpoint=str(weights), detector="rtmdet_nano")
    with pytest.raises(InputError, match=r"least_score = 1\.5: expected 0 to 1"):
        MMPose(checkpoint=str(weights), least_score=1.5)
    alone = MMPose(checkpoint=str(weights), python=sys.executable)
    assert alone.people == 1
    assert MMPose(checkpoint=str(weights), detector="x", detector_checkpoint=str(weights)).people is None
    with pytest.raises(InputError, match=r"poses\.mmpose: .*MMPose cannot be imported"):
        list(alone.track(pictures(1)))


def test_an_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    ran: list[list[str]] = []
    monkeypatch.setenv("RGX_CACHE", str(tmp_path / "cache"))

    def pretend(self: Environment, folder: Path, command: list[str]) -> None:
        time.sleep(0.05)
        folder.mkdir(parents=True, exist_ok=True)
        ran.append(command[1:])

    monkeypatch.setattr(Environment, "_run", pretend)
    made = Environment("some-1", (("one==1",), ("--no-deps", "two==2")), "do it yourself", {})
    threads = [threading.Thread(target=made.interpreter) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folder = tmp_path / "cache/some-1"
    assert made.interpreter() == folder / "bin/python"
    assert ran == [
        ["-m", "venv", str(folder)],
        ["-m", "pip", "install", "--quiet", "--no-compile", "one==1"],
        ["-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", "two==2"],
    ]
    assert capsys.readouterr().err == f"making {folder} with pip: once, some minutes\n"


def test_this_interpreter_stands_in_where_it_has_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RGX_CACHE", str(tmp_path))
    monkeypatch.setattr(Environment, "_run", lambda self, folder, command: folder.mkdir(exist_ok=True))
    here, own = Path(sys.executable), tmp_path / "some-1/bin/python"
    for packages, wanted in (
        ({"numpy": np.__version__}, here),
        ({"numpy": np.__version__, "av": "0.1"}, own),
        ({"numpy": np.__version__, "rgx-of-nowhere": "9"}, own),
        ({}, own),
    ):
        assert Environment("some-1", (("one==1",),), "", packages).interpreter() == wanted


def test_an_environment_that_cannot_be_made_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RGX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(isolated.sys, "executable", "/bin/false")
    made = Environment("some-1", (), "name an interpreter", {})
    for _ in range(2):
        with pytest.raises(InputError, match=r"some-1: `venv .*` failed: no word why; name an interpreter"):
            made.interpreter()
    (tmp_path / "file").touch()
    monkeypatch.setenv("RGX_CACHE", str(tmp_path / "file/cache"))
    with pytest.raises(
        InputError, match=r"file/cache/some-1: cannot be made: Not a directory; set RGX_CACHE"
    ):
        made.interpreter()


@pytest.mark.slow
def test_what_pip_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RGX_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", os.devnull)
    made = Environment("some-1", (("rgx-of-nowhere==9",),), "name an interpreter", {})
    asked = r"`pip install .* rgx-of-nowhere==9` failed: .*rgx-of-nowhere==9.*; name an interpreter"
    with pytest.raises(InputError, match=asked):
        made.interpreter()
    assert not (tmp_path / "some-1/complete").exists()
