"""rgx in Python: the columns beside the numbers, and what is refused in a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rgx
from rgx.errors import InputError
from rgx.report.configuration import differing
from rgx.store.records import SweepRow

ROOT = Path(__file__).resolve().parents[2]


def net(**parts: Any) -> dict[str, Any]:
    return {"stage": "net", "record": {"variant": "stage/net", "steps": 3, **parts}}


def row(panel: str, name: str, **stages: str) -> dict[tuple[str, str], list[SweepRow]]:
    return {(panel, name): [SweepRow(panel=panel, row=name, seed=seed, stages=stages) for seed in (0, 1)]}


def test_columns_are_what_has_several_values() -> None:
    manifests = {
        ("net", "a"): net(body={"variant": "body/cnn", "width": 8}, loss={"variant": "loss/plain"}),
        ("net", "b"): net(body={"variant": "body/mlp", "width": 9}, loss={"variant": "loss/kd", "heat": 2.0}),
        ("teacher", "t"): {"stage": "teacher", "record": {"variant": "stage/teacher", "size": 4}},
    }
    cells = row("p", "first", net="a") | row("p", "second", net="b", teacher="t") | row("p", "new", net="?")
    assert differing(cells, manifests) == {
        ("p", "first"): {"body": "cnn", "width": 8, "loss": "plain"},
        ("p", "second"): {"body": "mlp", "width": 9, "loss": "kd"},
        ("p", "new"): {"body": None, "width": None, "loss": None},
    }


def test_a_column_has_its_whole_place_where_its_last_word_is_taken() -> None:
    manifests = {
        ("net", "a"): net(body={"variant": "body/cnn", "width": 8}, head={"variant": "head/cnn", "width": 1}),
        ("net", "b"): net(body={"variant": "body/cnn", "width": 9}, head={"variant": "head/cnn", "width": 2}),
    }
    (first, _) = differing(row("p", "a", net="a") | row("p", "b", net="b"), manifests).values()
    assert first == {"net.body.width": 8, "net.head.width": 1}
    narrow = {place: net(seed=number) for number, place in enumerate(manifests)}
    (first, _) = differing(row("p", "a", net="a") | row("p", "b", net="b"), narrow, {"seed"}).values()
    assert first == {"net.seed": 0}


def test_the_room_is_the_function_too() -> None:
    code = (
        "import sys, rgx; before = set(sys.modules); import rgx.sweep.run_name; from rgx import sweep; "
        "print(sorted({'gin', 'torch', 'ray', 'pandas', 'pydantic'} & set(sys.modules)), callable(sweep), "
        "sweep.run_name.sweep_of('a@b'), rgx.sweep is sweep)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[] True a True"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"engine": "rai"}, "engine 'rai': did you mean 'ray'?"),
        ({"track": "wand"}, "track 'wand': did you mean 'wandb'?"),
        ({"seeds": "0,1"}, "seeds '0,1': expected whole numbers such as [0, 1, 2]"),
        ({"seeds": [0.5]}, "seeds [0.5]: expected whole numbers"),
        ({"engine": "inline", "address": "auto"}, "--address auto needs --engine ray"),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refusal:
        rgx.sweep("sweeps/demo.yaml", **wrong)
    assert str(refusal.value).startswith(said)


def test_what_has_not_run_has_no_results(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sweep 'table1' has run in this store"):
        rgx.results(ROOT / "sweeps/table1.yaml", store=tmp_path)
    with pytest.raises(InputError, match="no sweep 'alone' has run in this store"):
        (tmp_path / "alone.yaml").write_text("name: alone\nconfig: [a.gin]\npanels: {p: {r: {}}}\n")
        rgx.results(tmp_path / "alone.yaml", store=tmp_path)
