"""Spans of a recording made anew: what changes, what never does, and spans that are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from little import command
from safetensors.torch import load_file

import rgx
from rgx.errors import InputError
from rgx.gesture.animate.base import Animated, Animator, Control
from rgx.gesture.model.edited import edited
from rgx.gesture.model.editing import SEAM_FRAMES, EditSpan, _lay, read_spans
from rgx.gesture.model.gesture_model import GestureModel
from rgx.gesture.model.tracked_video import TrackedVideo, read_video
from rgx.gesture.poses.files import read_keypoints
from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.rendering import Renderer
from rgx.gesture.skeleton import KEPT, POINTS, STREAMS
from rgx.gesture.types import SAMPLES_PER_FRAME, WINDOW_FRAMES
from rgx.gesture.video.files import write_mp4
from rgx.store.artifacts import artifact_folder
from rgx.store.runs import read_run

FRAMES, SIZE_PX = 150, 32
FACE, BODY = (list(STREAMS[stream]) for stream in ("face", "body"))


@pytest.fixture(scope="module")
def video(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The last clip of the store as a video of shades with its speech, and its keypoints."""
    key = read_run(finished, "little").rows[0].stages["corpus"]
    corpus = load_file(artifact_folder(finished, "corpus", key) / "arrays.safetensors")
    folder, samples = tmp_path_factory.mktemp("video"), FRAMES * SAMPLES_PER_FRAME
    shades = [np.full((SIZE_PX, SIZE_PX, 3), shade + 50, np.uint8) for shade in range(FRAMES)]
    write_mp4(folder / "in.mp4", shades, corpus["waveform"][-samples:].numpy())
    points = np.zeros((FRAMES, POINTS, 3), np.float32)
    points[:, list(KEPT), :2] = corpus["motion"][-FRAMES:].numpy() * 6 + 12
    points[:, list(KEPT), 2] = corpus["valid"][-FRAMES:].numpy()
    write_own_npz(folder / "in.npz", points, SIZE_PX, SIZE_PX)
    return folder / "in.mp4", folder / "in.npz"


@pytest.fixture(scope="module")
def recording(video: tuple[Path, Path]) -> TrackedVideo:
    return read_video(*video)


def changed(recording: TrackedVideo, points: np.ndarray) -> set[int]:
    """Return the frames in which any number of any point is another."""
    return {int(frame) for frame in np.flatnonzero((points != recording.points).any((1, 2)))}


def test_keypoints_outside_of_the_spans_are_those_recorded_to_the_bit(
    model: GestureModel, recording: TrackedVideo
) -> None:
    # The first is longer than a window, the last ends with the video.
    edit = edited(model, recording, ["5.2:6.0", "0.4:4.4"], seed=1)
    assert changed(recording, edit.points()) == {*range(10, 110), *range(130, 150)}
    again = edited(model, recording, ["0.4:4.4", "5.2:6.0"], seed=1)
    assert np.array_equal(again.points(), edit.points())
    other = edited(model, recording, ["0.4:4.4", "5.2:6.0"], seed=2)
    assert not np.array_equal(other.points(), edit.points())


@pytest.mark.parametrize(("part", "own", "other"), [("face", FACE, BODY), ("body", BODY, FACE)])
def test_one_part_leaves_the_other(
    model: GestureModel, recording: TrackedVideo, part: str, own: list[int], other: list[int]
) -> None:
    points = edited(model, recording, ["2.0:3.0"], part=part).points()
    assert np.array_equal(points[:, other], recording.points[:, other])
    assert not np.array_equal(points[50:75, own], recording.points[50:75, own])


def test_other_speech_makes_another_motion_and_is_heard_in_its_span(
    model: GestureModel, recording: TrackedVideo, video: tuple[Path, Path]
) -> None:
    edit = edited(model, recording, ["2.0:3.0"], speech=video[0])
    first, last = 50 * SAMPLES_PER_FRAME, 75 * SAMPLES_PER_FRAME
    assert np.array_equal(edit.waveform[:first], recording.waveform[:first])
    assert np.array_equal(edit.waveform[last:], recording.waveform[last:])
    assert np.corrcoef(edit.waveform[first:last], recording.waveform[: last - first])[0, 1] > 0.99
    with pytest.raises(InputError, match="for one span, found 2"):
        edited(model, recording, ["2.0:3.0", "4.0:5.0"], speech=video[0])


def test_nothing_masked_is_what_the_tokens_say(model: GestureModel, recording: TrackedVideo) -> None:
    from rgx.gesture.model.editing import _window

    motion = (recording.motion() - model.normal.motion_mean) / model.normal.motion_std
    batch = _window(motion, recording.valid, torch.zeros(FRAMES, 130), 20, 0)
    masked = {stream: torch.zeros(1, 20, dtype=torch.bool) for stream in ("face", "body")}
    kept = model.generator.refill(batch, masked, model.inference(None))
    assert model.tokenizer is not None
    expected = model.tokenizer.decode(model.tokenizer.window_tokens(batch))[:, 8:]
    assert torch.allclose(kept, expected, atol=1e-5)
    masked["body"][0, 10] = True
    other = model.generator.refill(batch, masked, model.inference(None))
    face = len(STREAMS["face"])
    assert torch.equal(other[:, :, :face], kept[:, :, :face]) and not torch.equal(other, kept)


def test_a_seam_is_in_line_with_the_frames_beside_it() -> None:
    recorded, window = torch.ones(120, 2, 2), torch.zeros(WINDOW_FRAMES, 2, 2)
    work = recorded.clone()
    _lay(work, window, recorded, 20, EditSpan(40, 80), True, {"all": slice(0, 2)})
    values = work[39:81, 0, 0]
    assert (values.diff().abs() <= 1 / (SEAM_FRAMES + 1) + 1e-6).all()
    assert (values[SEAM_FRAMES + 1 : -SEAM_FRAMES - 1] == 0).all() and values[0] == values[-1] == 1


class Shown(Animator):
    """Shows its source, inverted."""

    driven_by_pose = True

    def losses(self, *_: object) -> dict[str, torch.Tensor]:  # type: ignore[override]
        return {}

    def begin(self, picture: torch.Tensor, pose: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        return picture

    def control(self, picture: torch.Tensor | None, pose: torch.Tensor, valid: torch.Tensor) -> Control:
        return Control(pose[:, None], valid[:, None], (pose, valid))

    def animate(self, source: torch.Tensor, control: Control) -> Animated:
        shown = (1 - source).expand(len(control.points), -1, -1, -1)
        return Animated(shown, shown[:, :1])


def test_frames_outside_of_the_spans_are_unchanged(
    model: GestureModel, recording: TrackedVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = edited(model, recording, ["2.0:3.0"])
    with pytest.raises(InputError, match="no animator, so no picture moves"):
        next(edit.pictures())
    monkeypatch.setattr(model, "renderer", Renderer(Shown(), None, "cpu"))
    monkeypatch.setattr(model, "size_px", 64)
    frames, before = list(edit.pictures()), list(recording.frames())
    same = [np.array_equal(*pair) for pair in zip(frames, before, strict=True)]
    assert [n for n, equal in enumerate(same) if not equal] == list(range(50, 75))
    assert all(np.allclose(frame, 255 - before[49], atol=2) for frame in frames[50:75])


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        (["2.0:7.0"], "outside of the video, which ends at 6.00 s"),
        (["2.0:2.0"], "it ends where it begins"),
        (["2.01:2.0"], "it ends where it begins, or before"),
        (["1:3", "2:4"], "1:3 and 2:4 overlap"),
        (["two:4"], "expected BEGIN:END in seconds, such as 2.0:4.5"),
        (["-1:4"], "expected BEGIN:END in seconds"),
    ],
)
def test_spans_that_are_none_are_refused(spans: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_spans(spans, FRAMES)


def test_what_a_model_cannot_edit_is_refused(
    model: GestureModel, recording: TrackedVideo, finished: Path
) -> None:
    with pytest.raises(InputError, match="--parts hand: choose one of: body, face"):
        edited(model, recording, ["1:2"], part="hand")
    baseline = rgx.load("little:3b/baseline", GestureModel, store=finished, device="cpu")
    with pytest.raises(InputError, match="generator/regression makes windows as a whole"):
        edited(baseline, recording, ["1:2"])


def test_keypoints_that_do_not_fit_the_video_are_refused(video: tuple[Path, Path], tmp_path: Path) -> None:
    points = read_keypoints(video[1], SIZE_PX, SIZE_PX)[:, 0]
    write_own_npz(tmp_path / "short.npz", points[:-1], SIZE_PX, SIZE_PX)
    with pytest.raises(InputError, match="149 frames of keypoints, the video has 150"):
        read_video(video[0], tmp_path / "short.npz")


@pytest.fixture
def options(model_folder: Path, video: tuple[Path, Path]) -> Iterator[list[str]]:
    yield ["edit", "--model", str(model_folder), "--video", str(video[0]), "--keypoints", str(video[1])]


def test_the_command_writes_keypoints(options: list[str], recording: TrackedVideo, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    assert command(*options, "--span", "2.0:3.0", "--out", str(out)) == 0
    assert changed(recording, read_keypoints(out, SIZE_PX, SIZE_PX)[:, 0]) == set(range(50, 75))
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]


def test_the_command_leaves_nothing_when_it_fails(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*options, "--span", "2.0:9.0", "--out", str(tmp_path / "out.npz")) == 2
    assert command(*options, "--span", "2.0:3.0", "--out", str(tmp_path / "out.mp4")) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and "outside of the video" in errors[0] and "no animator" in errors[1]
    assert not list(tmp_path.iterdir())
