"""PATS by its features alone, end to end: a body without a face, speech without sound."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from little import LITTLE, command, manifests
from pats_folder import write_folder

h5py = pytest.importorskip("h5py", reason="needs the extra rgx-experiments[pats]")


def sweep(tmp_path: Path, choices: str) -> int:
    """Sweep a folder laid out as PATS, whose people swing their arms, and return the exit code."""
    folder = write_folder(tmp_path / "pats")
    for path in folder.glob("processed/*/*.h5"):
        with h5py.File(path, "a") as file:
            file["pose/data"][:, 2:7] += 40 * np.sin(2 * np.pi * np.arange(90) / 15)[:, None]
    text = LITTLE.partition("  corpus.puppets")[0].replace("gesture.gin]", "gesture.gin, gin/data/pats.gin]")
    text += f"  corpus.pats.folder: {folder}\n  corpus.pats.speakers: [oliver]\n"
    text += f"panels:\n  3b:\n    +distill: {choices}\n"
    file = tmp_path / "pats.yaml"
    file.write_text(text)
    return command(
        "sweep", str(file), "--store", str(tmp_path / "store"), "--engine", "inline", "--no-report"
    )


@pytest.mark.slow
def test_features_train_the_method_and_score_it(tmp_path: Path) -> None:
    assert sweep(tmp_path, "{split: table}") == 0
    held = {key.split("/")[0]: m["outputs"] for key, m in manifests(tmp_path / "store").items()}
    assert held["corpus"]["test_clips_of_train_videos"] == 1
    outputs = held["motion_scores"]
    lacking = {name for name, value in outputs["scores"].items() if value is None}
    assert all(math.isfinite(value) for name, value in outputs["scores"].items() if name not in lacking)
    # Its one test clip is no longer than two windows, and there is no other that its speech could be.
    assert lacking <= {"mismatch"} and "another window of its speaker" in outputs["unscored"]["mismatch"]


def test_speech_that_needs_sound_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "{split: table, speech: mel_beat}") == 2
    told = capsys.readouterr().err
    assert "holds speech as log_mel; speech/mel_beat is made from waveform" in told
    assert not (tmp_path / "store").exists()
