"""What the runs of a name come to, against a slow reading of the rule; names; pins, gc and the trash."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyed import digest, manifest_of

from rgx.errors import InputError
from rgx.inspect.garbage import delete, find_garbage
from rgx.inspect.runs import delete_runs, list_runs, pin
from rgx.store.artifacts import artifact_folder, write_json
from rgx.store.records import Run, SweepRow
from rgx.store.runs import merge, new_run_path, read_run, run_names
from rgx.store.trash import empty
from rgx.sweep.run_name import run_name, sweep_of

ROWS = st.builds(
    lambda row, seed, key, definition: SweepRow(
        panel=row[0], row=row[1], seed=seed, stages={"scores": key}, definition=definition
    ),
    *(st.sampled_from(["ax", "ay", "bx"]), st.integers(0, 2), st.sampled_from("123")),
    st.sampled_from(["", "old", "new"]),
)
RUNS = st.builds(
    lambda rows, whole: Run(name="n", seeds=sorted({row.seed for row in rows}), rows=rows, whole=whole),
    st.lists(ROWS, max_size=5, unique_by=lambda row: (row.panel, row.row, row.seed)),
    st.booleans(),
)


def slow_merge(runs: list[Run]) -> dict[tuple[str, str, int], dict[str, str]]:
    """Return the stages of each cell, one question at a time."""
    wholes = [number for number, run in enumerate(runs) if run.whole]
    first = wholes[-1] if wholes else 0
    cells: dict[tuple[str, str, int], dict[str, str]] = {}
    for panel, name in ("ax", "ay", "bx"):
        plans = [
            (number, row)
            for number, run in enumerate(runs)
            for row in run.rows
            if (row.panel, row.row) == (panel, name)
        ]
        if not any(number >= first for number, _ in plans):
            continue
        known: list[tuple[int, SweepRow]] = [plan for plan in plans if plan[1].definition]
        last = max(number for number, _ in known) if known else -1
        now = next((row.definition for number, row in known if number == last), "")
        for seed in range(3):
            fitting = [row for _, row in plans if row.seed == seed and row.definition in ("", now)]
            if fitting:
                cells[panel, name, seed] = fitting[-1].stages
    return cells


@given(st.lists(RUNS, min_size=1, max_size=5))
def test_the_newest_plan_of_each_row_and_seed_stands(runs: list[Run]) -> None:
    merged = merge("n", runs)
    cells = {(row.panel, row.row, row.seed): row.stages for row in merged.rows}
    assert len(cells) == len(merged.rows)
    assert cells == slow_merge(runs)
    assert set(merged.seeds) == {seed for _, _, seed in cells} | set(runs[-1].seeds)
    assert merge("n", [merged]).rows == merged.rows


def test_names_are_plain_where_they_can_be_and_never_two_for_one_run() -> None:
    assert run_name("s", []) == "s"
    assert run_name("s", ["decode.iterative.temperature = 0.9"]) == "s@decode.iterative.temperature=0.9"
    assert run_name("s", ["b=2", "a=1"]) == run_name("s", ["a = 1", "b=2"]) == "s@a=1,b=2"
    odd = [run_name("s", [text]) for text in ("a/b = '../x:y'", "a/b = '../x;y'", "v=" + "9" * 300)]
    assert len(set(odd)) == 3 and all(len(name) < 150 and not set(name) & set("/:'; ") for name in odd)
    assert {sweep_of(name) for name in odd} == {"s"}


def put(store: Path, name: str, key: str, days: float = 0.0, **more: Any) -> Path:
    """Leave a run of one row, so many days ago, and the artifact behind it."""
    write_json(
        artifact_folder(store, "scores", digest(key)) / "manifest.json",
        manifest_of("scores", digest(key), seconds=1800.0),
    )
    row = {"panel": "p", "row": "a", "seed": 0, "stages": {"scores": digest(key)}}
    path = new_run_path(store, name)
    started = time.time() - days * 86400
    write_json(path, {"name": name, "seeds": [0], "rows": [row], "started": started, **more})
    return path


def test_gc_keeps_what_any_recent_or_pinned_run_reaches(tmp_path: Path) -> None:
    put(tmp_path, "s", "replaced", days=30)
    put(tmp_path, "s", "now")
    put(tmp_path, "s@a=1", "explored", days=80)
    assert find_garbage(tmp_path) == []
    old = put(tmp_path, "t", "old", days=91)
    (garbage,) = find_garbage(tmp_path)
    assert garbage.hours == 0.5 and "90 days" in garbage.reason
    assert "pinned" in pin(tmp_path, "t", True) and find_garbage(tmp_path) == []
    with pytest.raises(InputError, match="--unpin"):
        delete_runs(tmp_path, "t")
    pin(tmp_path, "t", False)
    assert [item.folder for item in delete(tmp_path)] == [garbage.folder]
    (trashed,) = tmp_path.glob("trash/*/scores/*")
    assert not garbage.folder.exists() and old.is_file() and (trashed / "manifest.json").is_file()
    count, size = empty(tmp_path)
    assert count == 1 and size == garbage.bytes and not list(tmp_path.glob("trash/*"))


def test_runs_are_listed_and_deleted_by_name(tmp_path: Path) -> None:
    put(tmp_path, "s", "one", argv=["/bin/rgx", "sweep", "s.yaml"], user="ada", host="loom")
    put(tmp_path, "s", "two", days=3)
    put(tmp_path, "s@a=1", "explored")
    plain, explored = list_runs(tmp_path)
    assert plain.startswith("s: 1 rows, seeds 0; 2 runs, last ") and explored.startswith("s@a=1: ")
    first, second = list_runs(tmp_path, "s")
    assert "ada@loom; 1 rows, seeds 0: rgx sweep s.yaml" in first and "(3 days ago)" in second
    with pytest.raises(InputError, match="did you mean 's@a=1'"):
        delete_runs(tmp_path, "s@a=2")
    delete_runs(tmp_path, "s@a=1")
    assert run_names(tmp_path) == ["s"]
    assert [item.folder.name for item in find_garbage(tmp_path)] == [digest("explored")[:16]]


def test_a_record_of_an_earlier_version_is_the_oldest_run(tmp_path: Path) -> None:
    rows = [
        {"panel": "p", "row": "a", "seed": seed, "stages": {"scores": digest(f"old{seed}")}}
        for seed in (0, 1)
    ]
    write_json(tmp_path / "sweeps" / "s.json", {"name": "s", "seeds": [0, 1], "rows": rows})
    put(tmp_path, "s", "now", days=400)
    stages = {row.seed: row.stages["scores"] for row in read_run(tmp_path, "s").rows}
    assert stages == {0: digest("now"), 1: digest("old1")}
