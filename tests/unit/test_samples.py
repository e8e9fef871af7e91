"""What each test sample adds to a score: it adds up, or is refused; and the clips of the motion metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rgx.errors import InputError
from rgx.gesture.metrics.bas import BasAudioToMotion, BasGtRelative, BasMotionToAudio
from rgx.gesture.metrics.base import Evaluation, MotionMetric, VideoMetric, VideoPair
from rgx.gesture.metrics.fgd import FGD
from rgx.gesture.metrics.fvd_random import ReconstructionFVDRandom
from rgx.gesture.metrics.pcm import PCM
from rgx.gesture.metrics.pixels import ReconstructionHandPSNR
from rgx.gesture.scoring import by_clip, score_windows
from rgx.store.artifacts import artifact_folder
from rgx.store.runs import read_run
from rgx.store.samples import SAMPLES, SampleParts, Samples, check_samples, read_samples
from rgx.store.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
HELD = {
    "unit": "test halves",
    "names": ["a", "b"],
    "scores": {"m": {"values": [1.0, 4.0], "weights": [2.0, 1.0]}},
}


def put(folder: Path, **changed: Any) -> Path:
    (folder / SAMPLES).write_text(json.dumps(HELD | changed))
    return folder


def test_samples_come_back_as_they_were_left(tmp_path: Path) -> None:
    assert read_samples(tmp_path) is None
    samples = Samples(unit="tests", names=["a"], scores={"m": SampleParts(values=[0.1], weights=[3.0])})
    Workspace(tmp_path, "cpu", lambda _: None).save_samples(samples)
    assert read_samples(tmp_path) == samples


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, None),
        (
            {"scores": {"m": {"values": [1.0, 4.0], "weights": [1.0, 1.0]}}},
            "m has the mean 2.5, but its score is 2",
        ),
        ({"names": ["a"]}, "1 names, but 2 values and 2 weights of m"),
        ({"names": ["a", "a"]}, "two samples have one name"),
        ({"scores": {"m": {"values": [1.0, None], "weights": [1.0, 0.0]}}}, "values/1"),
        ({"names": "ab", "unit": 3}, "unit"),
    ],
)
def test_samples_that_are_not_of_the_score_are_refused(
    tmp_path: Path, changed: dict[str, Any], message: str | None
) -> None:
    folder = put(tmp_path, **changed)
    if message is None:
        check_samples("s", folder, {"m": 2.0, "other": 1.0})
        return
    with pytest.raises(InputError, match=message):
        check_samples("s", folder, {"m": 2.0})


def test_samples_of_a_score_that_could_not_be_taken_are_let_be(tmp_path: Path) -> None:
    check_samples("s", put(tmp_path), {"m": None})


@pytest.mark.parametrize("metric", [PCM(delta=0.7), BasGtRelative(), BasAudioToMotion(), BasMotionToAudio()])
def test_clips_add_up_to_the_score(metric: MotionMetric) -> None:
    random = np.random.default_rng(3)
    shape = (7, 80, 123)
    evaluation = Evaluation(
        real=random.normal(size=(*shape, 2)).cumsum(axis=1).astype(np.float32),
        generated=random.normal(size=(*shape, 2)).cumsum(axis=1).astype(np.float32),
        valid=random.random(shape) < 0.5,
        audio_beats=np.arange(7)[:, None] * (random.random((7, 80)) < 0.02) > 0,  # the first window has none
        embed=lambda motion: motion[:, 0, 0],
    )
    metric.record = {"variant": "metric/it"}
    parts = metric.parts(evaluation)
    assert parts is not None and FGD().parts(evaluation) is None, "a distance is no mean"
    samples = by_clip({"it": parts}, ["a", "a", "b", "b", "b", "c", "a"])
    assert samples.names == ["a", "b", "c"] and list(samples.scores) == ["it"]
    assert samples.scores["it"].mean() == pytest.approx(metric.score(evaluation), rel=1e-12)
    alone = Evaluation(*(x[[2, 3, 4]] for x in (evaluation.real, evaluation.generated, evaluation.valid)),
                       evaluation.audio_beats[[2, 3, 4]], evaluation.embed)  # fmt: skip
    assert samples.scores["it"].values[1] == pytest.approx(metric.score(alone), rel=1e-12)


def test_a_finished_stage_holds_its_clips(finished: Path) -> None:
    row = read_run(finished, "little").rows[-1]
    folder = artifact_folder(finished, "motion_scores", row.stages["motion_scores"])
    manifest = json.loads((folder / "manifest.json").read_text())
    samples = read_samples(folder)
    assert samples is not None and samples.unit == "test clips" and SAMPLES in manifest["files"]
    corpus = artifact_folder(finished, "corpus", row.stages["corpus"])
    spans = json.loads((corpus / "about.json").read_text())["spans"]
    assert samples.names == [span["name"] for span in spans if span["split"] == "test"]
    for metric, parts in samples.scores.items():
        assert parts.mean() == pytest.approx(manifest["outputs"]["scores"][metric])
    assert torch.tensor(samples.scores["pcm"].weights).min() > 0


def test_clips_of_videos_add_up_and_a_distance_of_many_is_left_out(tmp_path: Path) -> None:
    metrics: list[VideoMetric] = [ReconstructionHandPSNR(), ReconstructionFVDRandom()]
    for metric, name in zip(metrics, ("reconstruction_hand_psnr", "reconstruction_fvd_random"), strict=True):
        metric.record = {"variant": f"metric/{name}"}
    hands = torch.zeros(4, 12, 1, 24, 24, dtype=torch.bool)
    hands[0, :, :, :6, :6] = hands[1, :3, :, 6:] = hands[2, :, :, 3:9] = True  # nobody's in the last window
    videos = torch.rand(8, 12, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    pairs = [VideoPair(videos[n], videos[4 + n], hands[n]) for n in range(4)]
    workspace = Workspace(tmp_path, "cpu", lambda progress: None)
    outputs = score_windows(metrics, pairs, ["a", "b", "a", "c"], workspace)
    samples = read_samples(tmp_path)
    assert samples is not None and samples.names == ["a", "b", "c"] and samples.unit == "test clips"
    assert list(samples.scores) == ["reconstruction_hand_psnr"]
    parts = samples.scores["reconstruction_hand_psnr"]
    assert parts.weights == [24, 3, 0], "frames that show a hand"
    assert parts.mean() == pytest.approx(outputs["scores"]["reconstruction_hand_psnr"], rel=1e-12)
    assert parts.values[1] == pytest.approx(float(metrics[0].measure(pairs[1]).mean()), rel=1e-12)
    check_samples("reconstruction_scores", tmp_path, outputs["scores"])
