"""The stages that train on pictures go on bit for bit after SIGTERM, whatever had been read ahead."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rgx.config import build_cell
from rgx.errors import StoppedError
from rgx.gesture.data.picture_file import NAME, PictureWriter
from rgx.gesture.data.picture_pairs import PictureSpan
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.skeleton import KEPT
from rgx.run.ending import saved_when_ended
from rgx.store.workspace import Inputs, Workspace
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path(__file__).resolve().parents[2] / "sweeps/ablation_table3.yaml"
SIZE, STEPS = 32, 8
BINDINGS = [
    f"stage.frames.size_px = {SIZE}",
    "animator.tps.width = 4",
    "animator.tps.motion_width = 4",
    "refiner.edge_heatmap.width = 4",
    "refiner.edge_heatmap.spade_width = 4",
    "discriminator.patch.width = 4",
    *(
        f"{stage}/training.adamw.{x}"
        for stage in ("animator", "refiner")
        for x in (f"steps = {STEPS}", "batch = 2")
    ),
    # Splines are left out at random in every step.
    "animator.tps.dropout = 0.5",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a finished `frames`, and what the refiner reads of an `animator`."""
    puppets = Puppets(PlainWorld(), speakers=1, train_clips=2, dev_clips=0, test_clips=0, clip_s=4.0)
    folder, spans, start = tmp_path_factory.mktemp("parents"), [], 0
    frames = Workspace(folder / "frames", "cpu", lambda _: None)
    clips = list(puppets.clips())
    with PictureWriter(frames.folder / NAME) as file:
        for clip, footage in zip(clips, puppets.footage(SIZE), strict=True):
            file.add(footage.frames)
            spans.append(
                vars(PictureSpan(clip.name, 0, "train", start, len(footage.frames), (0.0, 0.0), 1.0))
            )
            start += len(footage.frames)
    pose = torch.cat([torch.from_numpy(clip.keypoints[:, KEPT] / 128 - 1).float() for clip in clips])
    valid = torch.cat([torch.from_numpy(clip.valid[:, KEPT]) for clip in clips])
    frames.save_arrays({"pose": pose, "valid": valid, "ends": torch.tensor(file.ends)})
    frames.save_about({"spans": spans, "size_px": SIZE})
    animator = Workspace(folder / "animator", "cpu", lambda _: None)
    animator.save_about({"notes": []})
    return {"frames": frames.folder, "animator": animator.folder}


def trained(stage: str, folders: dict[str, Path], workspace: Workspace) -> dict[str, Any]:
    """Return what a stage leaves, built and run anew."""
    row = read_sweep(SWEEP, Overrides(scale="tiny", only=["3d/+ heatmap"], bindings=BINDINGS)).rows[0]
    torch.manual_seed(1)
    cell = build_cell(row.texts, (stage,))
    animator = cell.built["animator"].eval()
    inputs = Inputs({"animator": animator.requires_grad_(stage == "animator")}, folders)
    torch.manual_seed(2)
    outputs = cell.stages[stage].run(inputs, workspace, cell.built[stage])
    return {**outputs, **cell.built[stage].state_dict()}


class Ended(Workspace):
    """A workspace whose process gets SIGTERM in the middle of a training."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "cpu", lambda _: None, go_on=True)

    def progress(self, done: int, total: int, **values: float | Tensor) -> None:
        if done == STEPS // 2:
            os.kill(os.getpid(), signal.SIGTERM)
        super().progress(done, total, **values)


@pytest.mark.parametrize("stage", ["animator", "refiner"])
def test_a_stage_ended_by_sigterm_goes_on_bit_for_bit(
    stage: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    whole = trained(stage, folders, Workspace(tmp_path / "whole", "cpu", lambda _: None))
    ended = Ended(tmp_path / "ended")
    with pytest.raises(StoppedError), saved_when_ended(ended.checkpoints):
        trained(stage, folders, ended)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pictures")]
    goes_on = Workspace(tmp_path / "ended", "cpu", lambda _: None, go_on=True)
    continued = trained(stage, folders, goes_on)
    assert "goes on from step" in goes_on.notes[0]
    assert whole.keys() == continued.keys()
    for name, value in whole.items():
        same = torch.equal(value, continued[name]) if isinstance(value, Tensor) else value == continued[name]
        assert same, name
    if stage == "refiner":
        check_what_is_told(whole, tmp_path / "whole")


def check_what_is_told(outputs: dict[str, Any], folder: Path) -> None:
    """Where edges began and ended, and how often the discriminator is right, as the curve has it."""
    edges = ("body_thickness_px", "hand_thickness_px", "face_thickness_px", "mean_weight")
    begun = [outputs[f"{name}_at_start"] for name in edges]
    assert begun == pytest.approx([0.016 * SIZE, 0.008 * SIZE, 0.006 * SIZE, 1.0])
    assert all(outputs[name] != start for name, start in zip(edges, begun, strict=True))
    assert outputs["least_weight"] <= outputs["mean_weight"] <= outputs["largest_weight"]
    last = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()][-1]
    for name in (*edges, "real_called_real", "refined_called_refined"):
        assert last[name] == outputs[name]
    assert all(0 <= outputs[name] <= 1 for name in ("real_called_real", "refined_called_refined"))
