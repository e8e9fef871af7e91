"""A stage is built with what it takes, and nothing else of its cell."""

from __future__ import annotations

import pytest
from little import ROOT
from roster import load_roster

from rgx.config import Cell, build_stage, configure_cell, plan_cell
from rgx.errors import InputError
from rgx.registry import find
from rgx.sweep.row import Row
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = ROOT / "sweeps" / "ablation_table3.yaml"


def full(*bindings: str) -> Row:
    load_roster()
    return read_sweep(SWEEP, Overrides(scale="tiny", only=["3c/full-model"], bindings=list(bindings))).rows[0]


def built(cell: Cell, name: str) -> set[str]:
    build_stage(cell, name)
    return set(cell.built)


def test_only_the_stage_its_ancestors_and_what_they_take_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    texts = full().texts
    assert set(configure_cell(texts, ["corpus"]).stages) == {"corpus"}
    cell = configure_cell(texts, ["generator"])
    assert not cell.built
    assert set(cell.stages) >= {"corpus", "speech", "alignment", "tokenizer", "generator"}
    assert "judge" not in cell.stages and "residual" not in cell.stages
    assert built(cell, "generator") == {"corpus", "speech", "tokenizer", "generator"}


def test_a_binding_of_another_stage_is_no_worker_s_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    row = full("judge/training.adamw.steps = 7")
    assert built(configure_cell(row.texts, ["corpus"]), "corpus") == {"corpus"}
    lost = full("nowhere/training.adamw.steps = 7")
    configure_cell(lost.texts, ["corpus"])
    told = plan_cell(lost.texts, lost.targets).unread.values()
    assert any("nothing in this cell reads 'nowhere/training.adamw.steps'" in line for line in told)


def test_remarks_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    row = full()
    monkeypatch.setattr(find("stage", "alignment").cls, "remarks", lambda stage, parents: "too little")
    with pytest.raises(InputError, match=r"stage alignment: remarks\(\) returned 'too little', expected"):
        plan_cell(row.texts, row.targets)
