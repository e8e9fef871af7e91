"""Rows of Table 1 that speak in tokens or landmarks one after another: what fits, and how large they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from rgx.config import build_stage, configure_cell
from rgx.errors import InputError
from rgx.meta import shapes_only
from rgx.stage import count_parameters
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "sweeps" / "table1.yaml"
ROWS = ("TalkSHOW-like", "CaMN-like")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{generator: causal}", r"causal cannot use decode: iterative; choose decode: left_to_right"),
        (
            "{decode: left_to_right}",
            r"masked cannot use decode: left_to_right; choose decode: iterative or one_shot",
        ),
        ("{generator: lstm}", r"lstm works on raw landmarks, which quantizer: rvq"),
        ("{generator: causal, decode: left_to_right, quantizer: none}", r"causal needs tokens"),
    ],
)
def test_what_does_not_fit_is_refused_while_planning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, told: str
) -> None:
    monkeypatch.chdir(ROOT)
    file = tmp_path / "bad.yaml"
    head = TABLE.read_text(encoding="utf-8").split("panels:")[0]
    file.write_text(f"{head}panels:\n  p:\n    row: {row}\n", encoding="utf-8")
    with pytest.raises(InputError, match=told):
        make_plan(read_sweep(file))


@pytest.mark.parametrize("scale", ["tiny", "bench", "small", "paper"])
def test_both_have_as_many_weights_as_ours_within_a_quarter(scale: str) -> None:
    sizes = {}
    for row in read_sweep(TABLE, Overrides(scale=scale)).rows:
        if row.name in (*ROWS, "Ours"):
            with shapes_only():
                generator = build_stage(configure_cell(row.texts, ("generator",)), "generator")
            sizes[row.name] = count_parameters(generator)
    for row in ROWS:
        assert 0.75 < sizes[row] / sizes["Ours"] < 1.25, f"{row}: {sizes}"


def test_a_row_s_motion_rests_on_what_it_reads_only() -> None:
    plan = make_plan(read_sweep(TABLE, Overrides(only=[f"table1/{row}" for row in ROWS])))
    parents = {}
    for cell in plan.cells:
        parents[cell["row"]] = set(plan.tasks[cell["stages"]["motion"]].parents)
    assert parents["TalkSHOW-like"] == {"corpus", "speech", "tokenizer", "generator"}
    assert parents["CaMN-like"] == {"corpus", "speech", "generator"}
    for task in plan.tasks.values():
        assert task.stage not in ("alignment", "residual"), "neither is a step of theirs"
