"""What motion metrics look at: beats from one place, and a judge's views of the windows it scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from rgx.gesture.align.contrastive import ContrastiveAlignment
from rgx.gesture.data.reading import load_windows
from rgx.gesture.evaluation import evaluate
from rgx.gesture.metrics.judge import Judge
from rgx.gesture.metrics.mismatch import Mismatch
from rgx.gesture.metrics.sync_judge import SyncJudge
from rgx.gesture.skeleton import KEPT, STREAMS
from rgx.gesture.types import WINDOW_FRAMES, WindowFacts
from rgx.store.artifacts import artifact_folder
from rgx.store.runs import read_run
from rgx.store.workspace import Inputs, load_network


@pytest.fixture
def inputs(finished: Path) -> Inputs:
    """The artifacts of a row of the little sweep, with the networks that judge it."""
    stages = read_run(finished, "little").rows[-1].stages
    folders = {stage: artifact_folder(finished, stage, key) for stage, key in stages.items()}
    judges: dict[str, nn.Module] = {
        "judge": Judge(2 * len(KEPT), width=32),
        "sync_judge": SyncJudge(130, 2 * len(STREAMS["body"]), width=48, latent=24),
    }
    networks = {stage: load_network(network, folders[stage], "cpu") for stage, network in judges.items()}
    return Inputs({**networks, "motion": WindowFacts("test", None)}, folders)


def test_beat_head_and_beat_alignment_read_the_same_beats(inputs: Inputs) -> None:
    evaluation, _ = evaluate(inputs, "motion")
    windows = load_windows(inputs, "test", "cpu")
    batch = windows.batch(torch.arange(len(windows)))
    frames = windows.starts[:, None] + torch.arange(WINDOW_FRAMES)
    onsets = inputs.arrays("speech")["onsets"][frames]
    assert onsets.any() and torch.equal(batch.beats, onsets)
    assert np.array_equal(evaluation.audio_beats, batch.beats.numpy())
    torch.manual_seed(0)
    head = ContrastiveAlignment(130, width=8, layers=1, heads=2, masked_share=0.0, beat_weight=1.0).eval()
    for linear in head.beat.values():
        assert isinstance(linear, nn.Linear)
        nn.init.zeros_(linear.weight)
        nn.init.constant_(linear.bias, 2.0)
    # With a constant logit the loss knows only how many of the frames it reads are beats.
    share = float(onsets.float().mean())
    expected = 10 * share * np.log1p(np.exp(-2)) + (1 - share) * np.log1p(np.exp(2))
    assert head.losses(batch)["beat_body"].item() == pytest.approx(expected, rel=1e-5)


def test_a_store_s_mismatch_is_measured_again_from_its_artifacts(inputs: Inputs) -> None:
    evaluation, names = evaluate(inputs, "motion")
    outputs = json.loads((inputs.folders["motion_scores"] / "manifest.json").read_text())["outputs"]
    assert Mismatch().score(evaluation) == pytest.approx(outputs["scores"]["mismatch"])
    assert Mismatch().reference(evaluation) == pytest.approx(outputs["references"]["mismatch"])
    assert Mismatch().chance(evaluation) == pytest.approx(outputs["chances"]["mismatch"])
    low, high = outputs["intervals"]["mismatch"]
    assert low <= outputs["scores"]["mismatch"] <= high and len(names) == outputs["windows"]
    views = load_file(inputs.folders["sync_judge"] / "test.safetensors")
    assert views["speech"].shape == (len(names), WINDOW_FRAMES // 4, 24) and views["heard"].all()
