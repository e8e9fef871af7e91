"""Grids and pairs of factors as rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from rgx.errors import InputError
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

HEAD = "name: f\nconfig: [gin/realistic_gesture.gin]\nscale: tiny\npanels:\n  p:\n"
GRID = (
    HEAD
    + """\
    plain: {}
    grid:
      fusion: [cross_attention, concat]
      mask_ratio: [cosine, {uniform: {low: 0.3, high: 1.0}}]
      generator/training.adamw.learning_rate: [0.001, 0.002]
"""
)
ZIP = HEAD + "    zip:\n      fusion: [cross_attention, concat]\n      style: [adain, none]\n"


def rows(tmp_path: Path, text: str, **given: list[str]) -> list[str]:
    (tmp_path / "f.yaml").write_text(text)
    return [row.name for row in read_sweep(tmp_path / "f.yaml", Overrides(**given)).rows]


def test_a_grid_is_every_combination_in_order(tmp_path: Path) -> None:
    found = rows(tmp_path, GRID)
    assert len(found) == 1 + 8 == len(set(found))
    assert found[1] == "fusion=cross_attention, mask_ratio=cosine, learning_rate=0.001"
    assert found[-1] == "fusion=concat, mask_ratio=uniform(low=0.3, high=1.0), learning_rate=0.002"


def test_the_cells_of_a_grid_differ_as_the_factors_say(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(GRID)
    plan = make_plan(read_sweep(tmp_path / "f.yaml"))
    generators = {key: task.record for key, task in plan.tasks.items() if task.stage == "generator"}
    assert len(generators) == 9
    rates = {record["training"]["learning_rate"] for record in generators.values()}
    assert rates == {0.001, 0.002}
    (tokenizer,) = {row["stages"]["tokenizer"] for row in plan.cells}
    assert tokenizer


def test_a_zip_pairs_its_lists(tmp_path: Path) -> None:
    assert rows(tmp_path, ZIP) == ["fusion=cross_attention, style=adain", "fusion=concat, style=none"]


def test_a_row_of_a_grid_can_be_chosen(tmp_path: Path) -> None:
    name = "fusion=concat, style=none"
    assert rows(tmp_path, ZIP, only=[f"p/{name}"]) == [name]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "[adain, none]",
            "[adain]",
            r"f.yaml:6: zip: expected lists of one length; fusion has 2, style has 1",
        ),
        ("[adain, none]", "adain", r"f.yaml:8: zip: expected a list of levels for 'style', found 'adain'"),
        ("[adain, none]", "[adain, nine]", r"f.yaml:8: unknown variant 'nine'.*did you mean 'none'"),
        ("style:", "stile:", r"f.yaml:8: unknown axis 'stile'"),
        ("style:", "trunk.transfomer.width:", r"unknown binding"),
    ],
)
def test_what_cannot_be_expanded_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    (tmp_path / "f.yaml").write_text(ZIP.replace(old, new))
    with pytest.raises(InputError, match=told):
        make_plan(read_sweep(tmp_path / "f.yaml"))
