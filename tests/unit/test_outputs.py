from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keyed import digest, manifest_of
from little import command

from rgx.errors import InputError, NotMeasurableError
from rgx.outputs import check_files, check_outputs, value_or_reason
from rgx.report.gather import gather
from rgx.report.render import render

FGD = {"label": "FGD", "direction": "down"}


def test_what_is_plain_stays_as_it_is() -> None:
    outputs = {"scores": {"fgd": 1.5}, "references": {"fgd": 0.25}, "metrics": {"fgd": FGD}, "windows": 8}
    assert check_outputs("scores", outputs) == outputs


def test_a_score_is_of_its_stages_split_unless_it_says_another() -> None:
    about = {"fgd": FGD, "fitted": {**FGD, "split": "train"}, "unsaid": {**FGD, "split": None}}
    plain = check_outputs("scores", {"scores": dict.fromkeys(about, 1.0), "metrics": about}, "dev")
    assert {name: kept["split"] for name, kept in plain["metrics"].items()} == {
        "fgd": "dev", "fitted": "train", "unsaid": "dev",
    }  # fmt: skip


def test_scalars_of_other_libraries_become_numbers() -> None:
    given = {
        "a": np.float32(0.5), "b": np.int64(3), "c": torch.tensor(2.0), "d": np.array(1), "e": np.bool_(True),
        "f": np.float64(0.1), "g": (1, 2), "h": {7: "seven"},
    }  # fmt: skip
    plain = check_outputs("s", given)
    assert plain == {
        "a": 0.5,
        "b": 3,
        "c": 2.0,
        "d": 1,
        "e": True,
        "f": 0.1,
        "g": [1, 2],
        "h": {"7": "seven"},
    }
    assert {type(value) for value in plain.values()} == {float, int, bool, list, dict}


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (None, "stage s returned None: expected a mapping"),
        ([1], "returned list: expected a mapping"),
        ({"a": {1, 2}}, "returned a: set; expected numbers"),
        ({"a": torch.zeros(3)}, r"returned a: Tensor of shape \(3,\)"),
        ({"a": 2**2000}, "a whole number of 2001 bits"),
        ({"a": "\ud800"}, "no text that can be written"),
        ({"a": {None: 1}}, "None for a name"),
        ({"a": {1: 1, "1": 2}}, "two names that are one"),
        ({"scores": [1]}, r"scores = \[1\]: expected a mapping"),
        ({"scores": {"fgd": 1.0}}, "a score of 'fgd' that 'metrics' does not describe"),
        ({"scores": {"fgd": True}, "metrics": {"fgd": FGD}}, "fgd = True: expected a number"),
        ({"scores": {"a/b": 1.0}, "metrics": {"a/b": FGD}}, "a metric named 'a/b'"),
        ({"metrics": {"fgd": {**FGD, "direction": "sideways"}}}, "'direction' is 'sideways': expected"),
        ({"metrics": {"fgd": {**FGD, "decimals": 99}}}, "metrics/fgd: 'decimals' is 99: expected 12"),
        ({"metrics": {"fgd": {**FGD, "split": "tset"}}}, "'split' is 'tset': expected 'train', 'dev' or"),
        ({"notes": "words"}, "expected a list of sentences"),
    ],
)  # fmt: skip
def test_what_is_no_output_is_refused_with_the_stage_named(outputs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        check_outputs("s", outputs)
    assert "stage s returned" in str(error.value)


def test_a_circle_is_refused() -> None:
    outputs: dict[str, Any] = {}
    outputs["again"] = outputs
    with pytest.raises(InputError, match="levels deep"):
        check_outputs("s", outputs)


def test_a_score_is_a_value_or_a_reason() -> None:
    def nothing() -> float:
        raise NotMeasurableError("no beat")

    scores = {"a": value_or_reason(nothing), "b": 2.0, "c": float("nan"), "d": np.float32("inf"), "e": None}
    plain = check_outputs("s", {"scores": scores, "metrics": dict.fromkeys(scores, FGD)})
    assert plain["scores"] == {"a": None, "b": 2.0, "c": None, "d": None, "e": None}
    reasons = {"a": "no beat", "c": "it came out as nan", "d": "it came out as inf"}
    assert plain["unscored"] == reasons


def test_an_error_of_the_code_is_no_reason() -> None:
    with pytest.raises(ZeroDivisionError):
        value_or_reason(lambda: 1 / 0)


# --- files -------------------------------------------------------------------------------------------


def leave(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_files_in_subfolders_are_left_and_scratch_is_not(tmp_path: Path) -> None:
    leave(tmp_path, "log.txt", "clips/a/0.mp4", "lease.json", "progress.json", ".rows.npy", "clips/.cache/x")
    assert check_files("s", tmp_path, checkpoints=False) == ["clips/a/0.mp4", "log.txt"]


def test_the_workspaces_own_checkpoint_is_no_file_of_the_stage(tmp_path: Path) -> None:
    leave(tmp_path, "network.safetensors", "checkpoint.safetensors")
    assert check_files("s", tmp_path, checkpoints=True) == ["network.safetensors"]
    with pytest.raises(InputError, match=r"stage s left .* 'checkpoint.safetensors', but rgx itself uses"):
        check_files("s", tmp_path, checkpoints=False)


@pytest.mark.parametrize(
    "name", ["manifest.json", "artifact/x", "failure.json", "a b.txt", "ü.txt", "-x", "a/b\\c"]
)
def test_a_name_that_cannot_be_kept_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="stage s left in"):
        check_files("s", leave(tmp_path, name), checkpoints=False)


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="no plain file"):
        check_files("s", tmp_path, checkpoints=False)


# --- nothing that is accepted breaks what reads it -----------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.one_of(
    st.integers(-(10**300), 10**300), st.floats(), st.floats(width=32).map(np.float32), st.none(), TEXT
)
LEAVES = st.one_of(NUMBERS, st.booleans())
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)
ABOUT = st.fixed_dictionaries(
    {},
    optional={
        "label": TEXT, "unit": TEXT, "protocol": TEXT, "reference_is": TEXT, "stand_in": st.booleans(),
        "decimals": st.integers(0, 12), "direction": st.sampled_from(["up", "down", "real", None]),
    },
)  # fmt: skip
PLAIN_NAMES = TEXT.filter(lambda name: name.isprintable() and not set(name) & set("/:"))
NAMES = st.one_of(st.sampled_from(["fgd", "a b", "50%", "_", "$x$", "<b>", "ü", "名"]), PLAIN_NAMES)
OUTPUTS = st.dictionaries(NAMES, st.tuples(NUMBERS, NUMBERS, ABOUT), max_size=4).flatmap(
    lambda by_name: st.fixed_dictionaries(
        {
            "scores": st.just({name: one[0] for name, one in by_name.items()}),
            "references": st.just({name: one[1] for name, one in by_name.items()}),
            "metrics": st.just({name: one[2] for name, one in by_name.items()}),
        },
        optional={"notes": st.lists(TEXT, max_size=3), "other": ANYTHING, "windows": ANYTHING},
    )
)


def keep(root: Path, outputs: list[dict[str, Any]]) -> tuple[Path, Path]:
    """Write a store of two rows with these outputs and a report of it; returns both."""
    store, rows = root / "store", []
    for name, one in zip(("a", "b"), outputs, strict=True):
        key = digest(f"any {name}")
        folder = store / "scores" / key[:16]
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps(manifest_of("scores", key, outputs=one)))
        rows.append({"panel": "p", "row": name, "seed": 0, "stages": {"scores": key}})
    (store / "sweeps").mkdir()
    (store / "sweeps" / "any.json").write_text(json.dumps({"name": "any", "seeds": [0], "rows": rows}))
    columns = list(dict.fromkeys(name for one in outputs for name in one["scores"])) or ["fgd"]
    report = root / "reports" / "any.yaml"
    report.parent.mkdir()
    panel = {"caption": "Any.", "columns": columns, "ours": "a"}
    content = {"sweep": "sweeps/any.yaml", "panels": {"p": panel}}
    report.write_text(yaml.safe_dump(content, allow_unicode=True))
    return report, store


def test_a_table_shows_a_hole_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"fgd": FGD, "bas": {"label": "BAS", "direction": "up"}}
    given = [
        {"scores": {"fgd": 1.0, "bas": bas}, "metrics": metrics} for bas in (0.5, "no window has a beat")
    ]
    report, store = keep(tmp_path, [check_outputs("scores", one) for one in given])
    render(report, store, tmp_path / "out")
    table = (tmp_path / "out" / "any" / "p.md").read_text()
    assert "| b | 1.000 | -- |" in " ".join(table.split()).replace("**", "").replace("<u>", "")
    assert "b: no BAS: no window has a beat." in table
    capsys.readouterr()
    command("show", "any:p/b/bas", "--store", str(store))
    assert "not measured: no window has a beat" in capsys.readouterr().out


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(outputs=st.lists(OUTPUTS, min_size=2, max_size=2))
def test_nothing_a_stage_may_return_breaks_a_report(
    outputs: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        plain = [check_outputs("scores", one) for one in outputs]
    except InputError:
        return
    root = tmp_path_factory.mktemp("any")
    report, store = keep(root, plain)
    render(report, store, root / "out")
    assert gather(report, store).panels[0].rows.keys() == {"a", "b"}
    command("status", "--store", str(store))
    command("gc", "--store", str(store))
    command("diff", "any:p/a", "any:p/b", "--store", str(store))
    for name in plain[0]["scores"]:
        command("show", f"any:p/a/{name}", "--store", str(store))


STAGE = '''
import numpy as np
from rgx.registry import register
from rgx.stage import Stage


@register("stage", "left_for_a_test", label="Left")
class Left(Stage):
    """Leaves a file in a folder, and returns what it is told to."""

    seeded = False

    def __init__(self, file: str = "clips/a.txt", returns: str = "scalars") -> None:
        self.file, self.returns = file, returns

    def parents(self):
        return ()

    def run(self, inputs, workspace, built):
        path = workspace.folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("kept")
        return {"scalars": {"windows": np.int64(8)}, "nothing": None}[self.returns]
'''


@pytest.mark.parametrize(
    ("bind", "message"),
    [
        ("stage.left_for_a_test.returns = 'nothing'", "stage left_for_a_test returned None"),
        ("stage.left_for_a_test.file = 'manifest.json'", "'manifest.json', but rgx itself uses"),
        ("stage.left_for_a_test.file = 'checkpoint.safetensors'", "'checkpoint.safetensors', but rgx itself"),
        ("", ""),
    ],
)
def test_a_stage_is_checked_before_anything_is_kept(
    bind: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "left_plugin_for_a_test.py").write_text(STAGE)
    (tmp_path / "left.gin").write_text("")
    sweep = {
        "name": "left",
        "imports": ["left_plugin_for_a_test"],
        "config": ["left.gin"],
        "panels": {"p": {"a": {}}},
    }
    (tmp_path / "left.yaml").write_text(yaml.safe_dump(sweep | {"targets": {"p": ["left_for_a_test"]}}))
    store, options = tmp_path / "store", ["--bind", bind] if bind else []
    arguments = ["--store", str(store), "--engine", "inline", "--no-report", *options]
    code = command("sweep", str(tmp_path / "left.yaml"), *arguments)
    said = " ".join("".join(capsys.readouterr()).split())
    made = list(store.glob("left_for_a_test/*/manifest.json"))
    if message:
        assert message in said and code != 0 and not made
        return
    manifest = json.loads(made[0].read_text())
    assert code == 0 and manifest["outputs"] == {"windows": 8}
    assert (made[0].parent / "clips" / "a.txt").read_text() == "kept" and "clips/a.txt" in manifest["files"]
