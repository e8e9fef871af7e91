"""Checkpoints: random numbers of every library, the last two, other code, the clock and SIGTERM."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rgx.errors import StoppedError
from rgx.run.ending import saved_when_ended
from rgx.store.checkpoints import Checkpoints, StepOrigin
from rgx.store.workspace import Workspace
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

OLD = StepOrigin({"digest": "old", "modules": {"m.loss": "1", "m.net": "1"}}, "near", "cpu")
NEW = StepOrigin({"digest": "new", "modules": {"m.loss": "2", "m.net": "1"}}, "far", "cpu")


class BrokenOffError(Exception):
    pass


class Drawn(nn.Module):
    """A weight whose loss draws from Python's, NumPy's and PyTorch's random numbers."""

    def __init__(self, end_at: int = 0, end: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.steps, self.end_at, self.end = 0, end_at, end

    def losses(self) -> dict[str, Tensor]:
        self.steps += 1
        if self.steps == self.end_at:
            self.end()
        target = random.gauss(0, 1) + np.random.standard_normal() + torch.randn(())
        return {"drawn": (self.weight - target).square()}


def break_off() -> None:
    raise BrokenOffError


def seeded() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)


def place(
    folder: Path, origin: StepOrigin = OLD, go_on: bool = False, checkpoint_s: float = 300.0
) -> Workspace:
    return Workspace(folder, "cpu", lambda said: None, origin, go_on, checkpoint_s)


def train(workspace: Workspace, network: Drawn, every: int = 3) -> Tensor:
    seeded()
    training = AdamW(steps=9, batch=1, learning_rate=0.1, checkpoint_every=every)
    fit(network, network.losses, training, workspace)
    return network.weight.detach()


def log(folder: Path) -> str:
    return (folder / "log.txt").read_text()


@pytest.mark.parametrize("end_at", [5, 6, 8])
def test_numbers_drawn_from_every_library_go_on_bit_for_bit(tmp_path: Path, end_at: int) -> None:
    whole = train(place(tmp_path / "whole"), Drawn())
    with pytest.raises(BrokenOffError):
        train(place(tmp_path / "cut"), Drawn(end_at, break_off))
    rest = Drawn()
    assert torch.equal(train(place(tmp_path / "cut"), rest), whole)
    assert rest.steps == 9 - (end_at - 1) // 3 * 3
    curves = [(tmp_path / name / "curve.jsonl").read_text() for name in ("whole", "cut")]
    assert curves[0] == curves[1]


def test_a_checkpoint_by_the_clock_changes_no_number(tmp_path: Path) -> None:
    whole = train(place(tmp_path / "steps"), Drawn())
    workspace = place(tmp_path / "clock", checkpoint_s=1e-9)
    assert torch.equal(train(workspace, Drawn(), every=10**9), whole)
    assert int(Checkpoints(tmp_path / "clock", print, OLD).load()["step"]) == 9
    train(place(tmp_path / "neither"), Drawn(), every=10**9)
    assert not (tmp_path / "neither" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 64, None])
def test_a_broken_checkpoint_is_set_aside_and_the_one_before_goes_on(
    tmp_path: Path, content: bytes | None
) -> None:
    whole = train(place(tmp_path / "whole"), Drawn())
    with pytest.raises(BrokenOffError):
        train(place(tmp_path / "cut"), Drawn(8, break_off))
    last = tmp_path / "cut" / "checkpoint.safetensors"
    last.write_bytes(last.read_bytes()[:-5] if content is None else content)
    broken, rest = last.read_bytes(), Drawn()
    assert torch.equal(train(place(tmp_path / "cut"), rest), whole)
    assert rest.steps == 6
    assert (tmp_path / "cut" / "checkpoint.broken.safetensors").read_bytes() == broken
    assert "checkpoint.safetensors is broken" in log(tmp_path / "cut")
    assert "goes on from step 3 of checkpoint.previous.safetensors" in log(tmp_path / "cut")


def test_a_crash_between_the_two_renames_leaves_a_whole_one(tmp_path: Path) -> None:
    with pytest.raises(BrokenOffError):
        train(place(tmp_path), Drawn(8, break_off))
    (tmp_path / "checkpoint.safetensors").replace(tmp_path / "checkpoint.previous.safetensors")
    rest = Drawn()
    train(place(tmp_path), rest)
    assert rest.steps == 3


def test_a_checkpoint_of_other_code_is_not_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(BrokenOffError):
        train(place(tmp_path, OLD), Drawn(8, break_off))
    anew, workspace = Drawn(), place(tmp_path, NEW)
    train(workspace, anew)
    assert anew.steps == 9
    assert workspace.checkpoints.segments() == [
        {"from": 0, "to": 9, "code": "new", "host": "far", "device": "cpu"}
    ]
    assert "of step 6 is of other code (changed: m.loss); the stage begins anew" in log(tmp_path)
    assert int(Checkpoints(tmp_path, print, NEW).load()["step"]) == 9
    (tmp_path / "checkpoint.other-code.safetensors").replace(tmp_path / "checkpoint.safetensors")
    assert int(Checkpoints(tmp_path, print, OLD).load()["step"]) == 6


def test_as_asked_it_is_gone_on_with_and_the_segments_say_so(tmp_path: Path) -> None:
    with pytest.raises(BrokenOffError):
        train(place(tmp_path, OLD), Drawn(8, break_off))
    rest, workspace = Drawn(), place(tmp_path, NEW, go_on=True)
    train(workspace, rest)
    assert rest.steps == 3
    assert workspace.checkpoints.segments() == [
        {"from": 0, "to": 6, "code": "old", "host": "near", "device": "cpu"},
        {"from": 6, "to": 9, "code": "new", "host": "far", "device": "cpu"},
    ]
    assert "(changed: m.loss); gone on with as asked" in log(tmp_path)


def test_sigterm_saves_after_the_step_and_nothing_is_lost(tmp_path: Path) -> None:
    def ask() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    whole = train(place(tmp_path / "whole"), Drawn())
    workspace = place(tmp_path / "cut")
    before = signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(StoppedError, match="stopped by SIGTERM; goes on from step 5"),
        saved_when_ended(workspace.checkpoints),
    ):
        train(workspace, Drawn(5, ask), every=10**9)
    assert signal.getsignal(signal.SIGTERM) == before
    rest = Drawn()
    assert torch.equal(train(place(tmp_path / "cut"), rest, every=10**9), whole)
    assert rest.steps == 4


def test_sigterm_ends_what_keeps_no_checkpoint_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match="SIGTERM"), saved_when_ended(place(tmp_path).checkpoints):
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("went on")
