"""Systems outside rgx: commands that really run, what they answer, and what is refused."""

from __future__ import annotations

import json
import runpy
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from rgx.errors import InputError
from rgx.gesture.data.submissions import Submission
from rgx.gesture.external.command import Command, digest_of
from rgx.gesture.external.mailbox import Mailbox
from rgx.gesture.external.replies import KeypointAnswers, PictureAnswers
from rgx.gesture.external.requests import PoseRequest, SpeechRequest
from rgx.gesture.skeleton import KEPT, POINTS
from rgx.gesture.video.files import write_mp4
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

ROOT = Path(__file__).resolve().parents[2]
STILL = str(ROOT / "examples" / "external" / "still.py")
ARGV = ("{python}", "{adapter}", "{inputs}", "{outputs}")
RANDOM = np.random.default_rng(0)
SIZE = 32


def command(adapter: str = STILL, argv: tuple[str, ...] = ARGV, timeout_s: float = 60.0) -> Command:
    return Command("generator.external", argv, "still 1", "MIT", adapter, timeout_s)


def speech(name: str) -> SpeechRequest:
    """Return a request whose pose is known but for its left wrist."""
    pose, valid = RANDOM.uniform(0, 256, (len(KEPT), 2)).astype(np.float32), np.ones(len(KEPT), bool)
    valid[KEPT.index(9)] = False
    waveform = RANDOM.uniform(-1, 1, 51_200).astype(np.float32)
    return SpeechRequest(name, "a clip", "ann", 11, 5, waveform, pose, valid, (128.0, 100.0), 50.0)


def adapter(folder: Path, *lines: str) -> str:
    """Write an adapter that knows `names`, `inputs` and `outputs`; returns its path."""
    head = ["import json, pathlib, shutil, sys", "inputs, outputs = map(pathlib.Path, sys.argv[1:])"]
    head += ["names = [w['name'] for w in json.loads((inputs / 'request.json').read_text())['windows']]"]
    path = folder / "adapter.py"
    path.write_text("\n".join([*head, *lines]))
    return str(path)


def keypoints(path: Path, frames: int = 80, fps: float = 25, **changed: np.ndarray) -> Path:
    arrays = {
        "points": np.ones((frames, POINTS, 2)),
        "scores": np.ones((frames, POINTS)),
        "fps": np.array(fps),
    }
    np.savez(path, **(arrays | changed))
    return path


def test_a_generator_is_given_speech_and_a_condition_frame(tmp_path: Path) -> None:
    said: list[int] = []
    requests = [speech("000000"), speech("000001")]
    answers = list(Mailbox(tmp_path, said.append).answers(command(), requests, KeypointAnswers()))
    inputs = tmp_path / ".mailbox" / "inputs"
    index = json.loads((inputs / "request.json").read_text())
    assert index == {
        "contract": 1, "fps": 25, "frames": 80, "answers": "keypoints",
        "windows": [
            {"name": name, "clip": "a clip", "speaker": "ann", "first_frame": 11, "seed": 5}
            for name in ("000000", "000001")
        ],
    }  # fmt: skip
    with wave.open(str(inputs / "000001.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        samples = np.frombuffer(file.readframes(51_201), "<i2") / 32767
    assert np.abs(samples - requests[1].waveform).max() < 1e-4
    for request, tracked in zip(requests, answers, strict=True):
        motion = request.motion(tracked)
        expected = (request.pose - (128, 100)) / 50
        assert motion.shape == (80, len(KEPT), 2)
        assert np.allclose(motion[:, request.valid], expected[request.valid], atol=1e-5)
        assert np.isfinite(motion).all(), "a point that nobody knows is somewhere near"
    assert said[-1] == 2


def test_an_animator_is_given_a_picture_and_poses(tmp_path: Path) -> None:
    picture = RANDOM.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    poses = RANDOM.uniform(-1, 1, (81, len(KEPT), 2)).astype(np.float32)
    valid = np.ones((81, len(KEPT)), bool)
    request = PoseRequest("0000", picture, (poses[:1], valid[:1]), (poses[1:], valid[1:]))
    (frames,) = Mailbox(tmp_path, lambda _: None).answers(command(), [request], PictureAnswers(SIZE))
    assert (frames == picture).all() and len(frames) == 80
    inputs = tmp_path / ".mailbox" / "inputs"
    with np.load(inputs / "0000.driving.npz") as driving, np.load(inputs / "0000.source.npz") as source:
        assert source["points"].shape == (1, POINTS, 2)
        assert np.allclose(driving["points"][:, KEPT], (poses[1:] + 1) * SIZE / 2)
        absent = sorted(set(range(POINTS)) - set(KEPT))
        assert (driving["scores"][:, KEPT] == 1).all() and not driving["scores"][:, absent].any()
    assert json.loads((inputs / "request.json").read_text())["size_px"] == SIZE


def test_what_was_answered_before_a_crash_is_not_asked_again(tmp_path: Path) -> None:
    whole = keypoints(tmp_path / "whole.npz")
    crash = adapter(
        tmp_path,
        f"shutil.copy({str(whole)!r}, outputs / f'{{names[0]}}.npz')",
        f"(outputs / f'{{names[1]}}.npz').write_bytes(pathlib.Path({str(whole)!r}).read_bytes()[:900])",
        "sys.exit('CUDA ran out of everything')",
    )
    requests = [speech(name) for name in ("a", "b", "c")]
    with pytest.raises(InputError) as error:
        list(Mailbox(tmp_path, lambda _: None).answers(command(crash), requests, KeypointAnswers()))
    assert str(error.value) == (
        "generator.external: the command ended with exit code 1, after 2 answers\n"
        "    CUDA ran out of everything"
    )
    said: list[int] = []
    assert len(list(Mailbox(tmp_path, said.append).answers(command(), requests, KeypointAnswers()))) == 3
    index = json.loads((tmp_path / ".mailbox" / "inputs" / "request.json").read_text())
    assert [window["name"] for window in index["windows"]] == ["b", "c"], "half an answer is none"
    assert said[0] == 1 and said[-1] == 3
    broken = command(str(tmp_path / "absent.py"))
    assert len(list(Mailbox(tmp_path, said.append).answers(broken, requests, KeypointAnswers()))) == 3


def test_a_command_that_answers_nothing_is_ended(tmp_path: Path) -> None:
    slow = adapter(tmp_path, "(outputs / 'began').touch()", "import time", "time.sleep(60)")
    mailbox = Mailbox(tmp_path, lambda _: None)
    with pytest.raises(InputError, match=r"gave no answer for 0.4 s, after 0 answers; it said nothing"):
        list(mailbox.answers(command(slow, timeout_s=0.4), [speech("a")], KeypointAnswers()))


def test_windows_that_are_absent_are_named(tmp_path: Path) -> None:
    one = adapter(tmp_path, f"shutil.copy({str(keypoints(tmp_path / 'k.npz'))!r}, outputs / 'a.npz')")
    mailbox = Mailbox(tmp_path, lambda _: None)
    with pytest.raises(InputError, match=r"answered 1 of 2 windows; expected b\.npz in .*outputs"):
        list(mailbox.answers(command(one), [speech("a"), speech("b")], KeypointAnswers()))


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    absent = command(argv=("no-such-program", "{inputs}", "{outputs}"))
    with pytest.raises(InputError, match="no-such-program cannot be run: No such file"):
        list(Mailbox(tmp_path, lambda _: None).answers(absent, [speech("a")], KeypointAnswers()))


@pytest.mark.parametrize(
    ("frames", "fps", "changed", "said"),
    [
        (96, 30, {}, "30 frames per second, expected 25: resample in the adapter"),
        (79, 25, {}, r"'points' is float64 \(79, 133, 2\), expected numbers of shape \(80, 133, 2\)"),
        (80, 25, {"scores": np.zeros((80, 133))}, "no point has a score above 0"),
        (
            80,
            25,
            {"scores": np.ones((80, 134))},
            r"'scores' is float64 \(80, 134\), expected numbers of shape",
        ),
        (
            80,
            25,
            {"points": np.full((80, 133, 2), np.nan)},
            "a point of frame 0 with a score above 0 is not fin",
        ),
    ],
)
def test_keypoints_that_are_wrong_are_refused(
    tmp_path: Path, frames: int, fps: float, changed: dict[str, np.ndarray], said: str
) -> None:
    with pytest.raises(InputError, match=rf"k\.npz: .*{said}"):
        KeypointAnswers().read(keypoints(tmp_path / "k.npz", frames, fps, **changed))


def test_keypoints_that_are_no_npz_or_lack_an_array_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.npz"
    np.savez(path, point=np.ones(3), fps=np.array(25))
    with pytest.raises(InputError, match="no array 'points': did you mean 'point'"):
        KeypointAnswers().read(path)
    np.save(tmp_path / "k.npy", np.ones(3))
    (tmp_path / "k.npy").replace(path)
    with pytest.raises(InputError, match=r"unreadable as an \.npz of keypoints"):
        KeypointAnswers().read(path)


def test_pictures_that_are_wrong_are_refused(tmp_path: Path) -> None:
    answers, path = PictureAnswers(SIZE), tmp_path / "w.mp4"
    write_mp4(path, np.zeros((10, 64, 64, 3), np.uint8))
    assert answers.place(tmp_path, "w") == path
    with pytest.raises(InputError, match="10 pictures, expected 80: a window at 25 fps"):
        answers.read(path)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width = stream.height = 64
        container.mux([*stream.encode(av.VideoFrame(64, 64, "yuv420p")), *stream.encode(None)])
    with pytest.raises(InputError, match="30 frames per second, expected 25"):
        answers.read(path)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"revision": ""}, "external.revision: nothing is bound, expected which state of which system"),
        ({"licence": ""}, "external.licence: nothing is bound, expected the licence of that system"),
        ({"argv": ()}, "external.command: nothing is bound, expected the program"),
        ({"argv": ("x", "{input}", "{outputs}")}, "unknown place '{input}'; did you mean 'inputs'"),
        ({"argv": ("x", "{inputs}")}, "'{outputs}' is absent, so it could not know the folder of outputs"),
        ({"adapter": ""}, "external.adapter: nothing is bound, and the command names '{adapter}'"),
        ({"timeout_s": 0.0}, "external.timeout_s = 0.0: expected seconds above 0"),
    ],
)
def test_a_command_that_cannot_be_is_refused(changed: dict[str, object], said: str) -> None:
    given = {"argv": ARGV, "revision": "r", "licence": "MIT", "adapter": STILL, "timeout_s": 1.0} | changed
    with pytest.raises(InputError, match=said):
        Command("generator.external", **given)  # type: ignore[arg-type]


ROW = """\
name: outside
config: [gin/realistic_gesture.gin]
scale: tiny
targets: {p: [video_scores]}
panels:
  p:
    Still: {quantizer: none, generator: {external: SYSTEM}, animator: {external: SYSTEM}, REFINER}
"""


def keys(folder: Path, adapter: str, refiner: str = "refiner: none") -> dict[str, str]:
    """Return the keys of a row whose generator and animator are outside rgx."""
    system = f"{{command: {json.dumps(ARGV)}, adapter: {adapter}, revision: r, licence: MIT}}"
    file = folder / "outside.yaml"
    file.write_text(ROW.replace("SYSTEM", system).replace("REFINER", refiner))
    (cell,) = make_plan(read_sweep(file, Overrides())).cells
    stages: dict[str, str] = cell["stages"]
    return stages


def test_a_key_is_of_the_command_and_of_the_adapters_bytes_wherever_it_lies(tmp_path: Path) -> None:
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    for path in (first, second):
        path.write_text("pass")
    before = keys(tmp_path, str(first))
    assert "speech" not in before and "tokenizer" not in before and "alignment" not in before
    assert keys(tmp_path, str(second)) == before
    first.write_text("pass  # otherwise")
    after = keys(tmp_path, str(first))
    changed = {stage for stage in before if before[stage] != after[stage]}
    assert changed == {"generator", "animator", "motion", "animation", "video", "video_scores"}
    first.unlink()
    with pytest.raises(InputError, match=r"adapter = '.*first\.py': No such file or directory; expected its"):
        keys(tmp_path, str(first))
    assert digest_of("o", "") == ""


def test_a_refiner_cannot_learn_from_an_animator_outside(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="refiner: unet learns from pairs of frames.*choose refiner: none"):
        keys(tmp_path, STILL, "refiner: unet")


THEIRS = """\
import shutil, sys, wave
asked = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with wave.open(asked["--wav_file"]) as file:
    samples = file.readframes(10**9)
shutil.copytree("prepared", asked["--vis_dir"])
with open("heard", "ab") as heard:
    heard.write(samples)
import argparse
argparse.Namespace().use_retrival
"""
"""What stands in for S2G-Diffusion's script: its options, its file, and the option that it never defines."""


def test_videos_of_a_whole_system_are_those_that_score_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = runpy.run_path(str(ROOT / "examples" / "external" / "s2g_diffusion.py"))
    corpus, repository = tmp_path / "corpus", tmp_path / "repository"
    (corpus / "clips").mkdir(parents=True)
    (repository / "prepared").mkdir(parents=True)
    (corpus / "index.csv").write_text("clip,split\none,test\ntwo,train\n")
    speech = np.sin(np.arange(90 * 640) / 9).astype(np.float32) / 2
    write_mp4(corpus / "clips" / "one.mp4", np.full((90, SIZE, SIZE, 3), 200, np.uint8), speech)
    grey = np.full((160, SIZE, SIZE, 3), 90, np.uint8)
    write_mp4(repository / "prepared" / "first.mp4", grey)
    (repository / "inference.py").write_text(THEIRS)
    options = ["--repository", str(repository), "--python", sys.executable]
    monkeypatch.setattr(sys, "argv", ["s2g", str(corpus), str(tmp_path / "out"), *options])
    module["main"]()
    heard = np.frombuffer((repository / "heard").read_bytes(), "<i2")
    assert len(heard) == 3 * 51_200 and not heard[:51_200].any(), "a window that it skips, and two whole ones"
    assert np.abs(heard[51_200:][: 89 * 640]).max() > 8_000 and not heard[51_200 + 89 * 640 :].any()
    frames = Submission(str(tmp_path / "out")).pictures("one", SIZE)
    assert frames.shape == (90, SIZE, SIZE, 3), "as long as the clip"
    assert abs(int(frames[0].mean()) - 200) < 3 and abs(int(frames[1:].mean()) - 90) < 3
    module["main"]()
    assert len((repository / "heard").read_bytes()) == 2 * len(heard), "what there is already is left"
