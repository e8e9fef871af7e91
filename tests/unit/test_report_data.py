"""Under a table stands what its numbers were taken on, where that is not test, and what was too little."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from keyed import digest, manifest_of

from rgx.errors import InputError
from rgx.report.gather import gather
from rgx.report.layout import footnotes
from rgx.report.render import render
from rgx.report.results import Measured, Results
from rgx.store.records import Run

Splits = dict[str, dict[str, str | None]]
CHAIN = ("corpus", "alignment", "scores")


def notes(
    root: Path, splits: Splits, remarks: dict[str, dict[str, Any]], chosen_on: dict[str, str] | None = None
) -> list[str]:
    """Write a store and report and return its notes; splits: by row and metric; remarks: by row and stage."""
    rows, store = [], root / "store"
    for row, own in splits.items():
        parents: dict[str, str] = {}
        keys: dict[str, str] = {}
        for stage in CHAIN:
            keys[stage] = digest(f"{root}{stage}{row}", parents)
            parents = {stage: keys[stage]}
            about = {name: {"label": name.upper(), "split": split} for name, split in own.items()}
            outputs = {"scores": dict.fromkeys(own, 1.0), "metrics": about} if stage == "scores" else {}
            more = {"remarks": remarks[row][stage]} if stage in remarks.get(row, {}) else {}
            path = store / stage / keys[stage][:16] / "manifest.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(manifest_of(stage, keys[stage], outputs=outputs, seconds=1.0, **more)))
        chosen = {"chosen_on": chosen_on[row]} if chosen_on else {}
        rows.append({"panel": "p", "row": row, "seed": 0, "stages": keys, **chosen})
    (store / "sweeps").mkdir(parents=True)
    (store / "sweeps/s.json").write_text(json.dumps({"name": "s", "seeds": [0], "rows": rows}))
    columns = list(dict.fromkeys(name for own in splits.values() for name in own))
    panel = {"caption": "C.", "columns": columns, "labels": {"b": "row B"}}
    (root / "s.yaml").write_text(yaml.safe_dump({"sweep": "s.yaml", "panels": {"p": panel}}))
    (table,) = gather(root / "s.yaml", store).panels
    assert render(root / "s.yaml", store, root / "out")
    return [note for note in footnotes(table) if not note.startswith("Protocol")]


def test_test_is_what_a_table_reads_and_nothing_is_said(tmp_path: Path) -> None:
    assert notes(tmp_path, {"a": {"x": "test"}, "b": {"x": "test"}}, {}, {"a": "dev", "b": "dev"}) == []
    (tmp_path / "old").mkdir()
    assert notes(tmp_path / "old", {"a": {"x": None}}, {}) == [], "a manifest that does not say its split"


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"a": {"x": "dev", "y": "dev"}, "b": {"x": "dev", "y": "dev"}}, ["Scores of the dev split."]),
        ({"a": {"x": "test"}, "b": {"x": "dev"}}, ["Scores of the dev split (row B)."]),
        ({"a": {"x": "test", "y": "train"}}, ["Y of the train split."]),
        (
            {"a": {"x": "dev", "y": "train"}, "b": {"x": "test", "y": "train"}},
            ["X of the dev split (a).", "Y of the train split."],
        ),
    ],
)
def test_another_split_is_said(tmp_path: Path, splits: Splits, said: list[str]) -> None:
    assert notes(tmp_path, splits, {}) == said


def test_trials_chosen_by_test_are_said(tmp_path: Path) -> None:
    (said,) = notes(tmp_path, {"a": {"x": "test"}, "b": {"x": "test"}}, {}, {"a": "test", "b": "test"})
    assert said == "Chosen by scores of the test split: the best of them looks better than it is."


def test_what_was_too_little_behind_a_number_is_said_with_its_stage_and_rows(tmp_path: Path) -> None:
    both = {"alignment": ["no negatives"]}
    said = notes(
        tmp_path,
        {"a": {"x": "test"}, "b": {"x": "test"}},
        {"a": both, "b": both | {"scores": ["3 windows are few"], "corpus": "no list"}},
    )
    assert said == [
        "Too little data for alignment: no negatives.",
        "Too little data for scores: 3 windows are few (row B).",
    ]


def test_a_column_is_of_the_stage_that_it_names_or_that_each_row_has() -> None:
    def number(row: str, stage: str, value: float) -> Measured:
        return Measured("p", row, 0, stage, "fgd", value, None, f"{row}{stage}")

    apart = [number("a", "scores", 1.0), number("b", "tracked_scores", 2.0)]
    results = Results(Run(name="s", seeds=[0], rows=[]), apart, {})
    assert [one.value for one in results.numbers("p", "fgd")] == [1.0, 2.0]
    both = Results(results.sweep, [*apart, number("a", "tracked_scores", 3.0)], {})
    assert [one.value for one in both.numbers("p", "tracked_scores/fgd")] == [2.0, 3.0]
    assert [one.value for one in both.numbers("p", "scores/fgd")] == [1.0]
    with pytest.raises(InputError, match=r"2 stages; write 'scores/fgd' or 'tracked_scores/fgd'"):
        both.numbers("p", "fgd")
