"""Poses found in videos: planted keypoints are found, true motion costs the floor, nobody is said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rgx.config import Cell, build_cell
from rgx.errors import InputError
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.looking import PRINTED_PX
from rgx.gesture.metrics.hand_confidence import VideoHandConfidence
from rgx.gesture.poses.base import Extractor
from rgx.gesture.poses.puppet_net import PuppetNet
from rgx.gesture.prepare.extractors import read_choice
from rgx.gesture.skeleton import POINTS
from rgx.gesture.stages.tracked import TrackedStage
from rgx.gesture.types import WINDOW_FRAMES
from rgx.store.workspace import Inputs, Workspace, load_network
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path(__file__).resolve().parents[2] / "sweeps/table1.yaml"
SIZE, ERROR_PX = 32, 20.0
"""The width of the pictures, and how near in px of 256, two of theirs, a network of a second has to come."""
BINDINGS = [
    "corpus.puppets.speakers = 1",
    "corpus.puppets.train_clips = 2",
    "corpus.puppets.test_clips = 2",
    "corpus.puppets.dev_clips = 1",
    "corpus.puppets.clip_s = 4.0",
    f"stage.frames.size_px = {SIZE}",
    "stage.pose_net.width = 8",
    "stage.pose_net.reach = 0.25",
    "pose_net/training.adamw.steps = 180",
    "pose_net/training.adamw.batch = 4",
    "pose_net/training.adamw.validate_every = 1.0",
    "stage.tracked_scores.metrics = [@metric.fgd(), @metric.pcm(), @metric.jerk()]",
    "stage.tracked_floor.metrics = [@metric.fgd(), @metric.pcm()]",
]


class Made:
    """What stages of a cell leave, each in a folder of its name."""

    def __init__(self, cell: Cell, folder: Path) -> None:
        self.cell, self.folder = cell, folder
        self.learned: dict[str, Any] = {}
        self.recorded: dict[str, Any] = {}
        self.floor: dict[str, Any] = {}

    def workspace(self, stage: str) -> Workspace:
        return Workspace(self.folder / stage, "cpu", lambda _: None)

    def run(self, stage: str) -> dict[str, Any]:
        outputs = self.cell.stages[stage].run(self.inputs, self.workspace(stage), self.cell.built[stage])
        if (self.folder / stage / "network.safetensors").exists():
            load_network(self.cell.built[stage], self.folder / stage, "cpu")
        return outputs

    @property
    def inputs(self) -> Inputs:
        return Inputs(self.cell.built, {path.name: path for path in self.folder.iterdir()})

    def about(self, stage: str) -> dict[str, Any]:
        return json.loads((self.folder / stage / "about.json").read_text())

    def leave_speech_and_judge(self) -> None:
        """Leave silence, and a judge that has learned nothing, for what is measured does not ask them."""
        corpus = self.inputs.arrays("corpus")
        frames = len(corpus["motion"])
        silence = {"features": torch.zeros(frames, 1), "mean": torch.zeros(1), "std": torch.ones(1)}
        silence |= {name: torch.zeros(frames, dtype=torch.bool) for name in ("onsets", "pauses")}
        self.workspace("speech").save_arrays(silence)
        judge = self.workspace("judge")
        judge.save_network(self.cell.built["judge"])
        judge.save_arrays({name: corpus[name] for name in ("mean", "std")})
        judge.save_about({"notes": []})

    def windows(self) -> tuple[np.ndarray, list[int]]:
        """Return the recordings' own windows (W, T, H, H, 3) that do not overlap, and their first frames."""
        pictures = load_pictures(self.inputs, "cpu")
        starts = [start for _, _, start in pictures.windows("test", 1)]
        return np.stack([pictures.frames[start : start + WINDOW_FRAMES] for start in starts]), starts

    def leave_video(self, frames: np.ndarray, starts: list[int]) -> None:
        """Leave what the stage `video` does."""
        workspace = self.workspace("video")
        np.save(workspace.folder / "frames.npy", frames)
        workspace.save_about({"starts": starts, "notes": []})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    row = read_sweep(SWEEP, Overrides(only=["table1/Ours"], bindings=BINDINGS)).rows[0]
    torch.manual_seed(0)
    made = Made(build_cell(row.texts, ("tracked_scores",)), tmp_path_factory.mktemp("made"))
    made.run("corpus")
    made.leave_speech_and_judge()
    made.run("frames")
    made.learned = made.run("pose_net")
    made.recorded = made.run("tracked_recording")
    made.floor = made.run("tracked_floor")
    return made


def test_the_network_finds_planted_keypoints(made: Made) -> None:
    assert made.learned["dev_distance"] * PRINTED_PX / 2 < ERROR_PX
    assert made.recorded["error_px"] < ERROR_PX and made.recorded["found_share"] > 0.5
    (note,) = made.about("tracked_floor")["notes"]
    assert f"{made.recorded['error_px']:.1f} px of 256" in note
    assert f"PCM {made.floor['scores']['pcm']:.3f} (1.000)" in note


def test_it_is_surer_of_people_than_of_pixels_in_another_order(made: Made) -> None:
    tracker = PuppetNet().looking_with(made.cell.built, "cpu")
    shown = made.windows()[0][0, :8]
    shuffled = np.random.default_rng(0).permuted(shown.reshape(8, -1, 3), axis=1).reshape(shown.shape)
    scores = [np.mean([people[0, :, 2] for people in tracker.track(frames)]) for frames in (shown, shuffled)]
    assert scores[0] > 3 * scores[1]


def test_blind_it_says_who_trains_it() -> None:
    with pytest.raises(InputError, match="trained by the stage pose_net"):
        next(PuppetNet().track(np.zeros((1, SIZE, SIZE, 3), np.uint8)))
    with pytest.raises(InputError, match="trained by the stage pose_net, which no metric reads"):
        VideoHandConfidence(PuppetNet())
    with pytest.raises(InputError, match="trained by the stage pose_net: only a sweep uses it"):
        read_choice("puppet_net", (), ())


def test_videos_of_true_motion_are_what_is_real(made: Made) -> None:
    made.leave_video(*made.windows())
    assert made.run("tracked")["windows"] == 2
    tracked, recorded = (made.inputs.arrays(stage) for stage in ("tracked", "tracked_recording"))
    rows = torch.searchsorted(recorded["windows"], tracked["windows"])
    seen = recorded["valid"][rows]
    assert torch.allclose(tracked["motion"][seen], recorded["motion"][rows][seen], atol=1e-4)
    outputs = made.run("tracked_scores")
    assert outputs["scores"]["pcm"] == 1.0 and outputs["notes"][0].startswith("Floor of tracking")
    assert outputs["metrics"]["pcm"]["protocol"].endswith("poses tracked in video")
    assert outputs["scores"]["jerk"] == pytest.approx(outputs["references"]["jerk"], rel=0.05)


def test_a_frozen_video_has_no_motion(made: Made) -> None:
    frames, starts = made.windows()
    made.leave_video(frames[:, :1].repeat(WINDOW_FRAMES, axis=1), starts)
    made.run("tracked")
    assert made.inputs.arrays("tracked")["motion"].diff(dim=1).abs().max() == 0
    outputs = made.run("tracked_scores")
    assert outputs["scores"]["jerk"] == 0 < outputs["references"]["jerk"]
    assert outputs["scores"]["pcm"] < 1.0


class InTheLight(Extractor):
    """Finds a person of one point at the middle of each picture that is not black, and nobody in others."""

    alone = True

    def track(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for frame in frames:
            person = np.zeros((int(frame.any()), POINTS, 3), np.float32)
            person[..., :] = (SIZE / 2, SIZE / 2, 0.9)
            yield person


def look(made: Made, frames: np.ndarray, tmp_path: Path) -> tuple[dict[str, Any], Inputs]:
    """Return what the stage returns of windows of video, and its artifact."""
    made.leave_video(frames, made.windows()[1])
    outputs = TrackedStage(InTheLight()).run(
        made.inputs, Workspace(tmp_path, "cpu", lambda _: None), made.cell.built["video"]
    )
    return outputs, Inputs({}, {"tracked": tmp_path})


def test_a_window_without_anybody_is_left_out_and_said(made: Made, tmp_path: Path) -> None:
    frames, starts = made.windows()
    frames[0] = 0
    outputs, left = look(made, frames, tmp_path)
    clip = load_pictures(made.inputs, "cpu").clip_of(starts[0])
    assert outputs["windows"] == 1 and outputs["found_share"] == 0.5
    assert left.about("tracked")["notes"] == [
        f"nobody is found in 1 of 2 windows, which are not scored: {clip}"
    ]
    assert len(left.arrays("tracked")["motion"]) == 1


def test_a_video_without_anybody_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nobody is found in any of 160 pictures: no point has a score"):
        look(made, np.zeros_like(made.windows()[0]), tmp_path)


def test_what_is_no_video_is_refused(made: Made, tmp_path: Path) -> None:
    made.leave_video(*made.windows())
    (made.folder / "video/frames.npy").unlink()
    with pytest.raises(InputError, match=r"stage.tracked.video = 'video': this stage leaves no frames.npy"):
        made.run("tracked")


def test_a_person_is_placed_as_the_motion_that_was_drawn(made: Made, tmp_path: Path) -> None:
    _, left = look(made, made.windows()[0], tmp_path)
    spans = [span for span in load_pictures(made.inputs, "cpu").spans if span.split == "test"]
    for motion, span in zip(left.arrays("tracked")["motion"], spans, strict=True):
        assert span.place(motion).abs().max() < 1e-5  # the middle of the picture
