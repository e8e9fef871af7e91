"""One command after another over one sweep file: seeds add up, and what was explored stands aside."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from little import command

from rgx.inspect.show import show
from rgx.store.runs import read_run, read_runs, run_names

STAGE = '''
import torch
from rgx.registry import register
from rgx.stage import Stage


@register("stage", "levels_for_a_test", label="Levels")
class Levels(Stage):
    """Scores what it is bound to, and a little by chance."""

    seeded = True

    def __init__(self, level: float = 1.0, more: float = 0.0) -> None:
        self.level, self.more = level, more

    def parents(self):
        return ()

    def run(self, inputs, workspace, built):
        about = {"label": "Level", "direction": "up", "decimals": 1}
        level = self.level + self.more + float(torch.rand(())) / 10
        return {"scores": {"level": level}, "metrics": {"level": about}}
'''
SWEEP = """\
name: levels
imports: [levels_plugin_for_a_test]
config: [levels.gin]
targets: {p: [levels_for_a_test]}
panels:
  p:
    low: {}
    high: {bind: {stage.levels_for_a_test.level: 5.0}}
"""
MORE = "stage.levels_for_a_test.more"


class Home:
    """A folder with the sweep, its report and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "store"
        for name in ("sweeps", "reports"):
            (folder / name).mkdir()
        (folder / "sweeps" / "levels_plugin_for_a_test.py").write_text(STAGE)
        (folder / "sweeps" / "levels.gin").write_text("")
        self.file = folder / "sweeps" / "levels.yaml"
        self.file.write_text(SWEEP)
        report = "sweep: levels.yaml\npanels:\n  p: {caption: P., columns: [level]}\n"
        (folder / "reports" / "levels.yaml").write_text(report)

    def sweep(self, *options: str) -> None:
        words = ["sweep", str(self.file), "--store", str(self.store), "--engine", "inline", "--no-report"]
        assert command(*words, *options) == 0

    def report(self, *options: str, name: str = "levels") -> dict[tuple[str, str], str]:
        """Return the panel's numbers as the report writes them, by row and seed."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        words = ["report", str(self.file), "--store", str(self.store), "--out", str(out)]
        assert command(*words, *options) == 0
        with (out / name / "p.csv").open() as file:
            return {(line["row"], line["seed"]): line["value"] for line in csv.DictReader(file)}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def seeds_of(store: Path, name: str) -> dict[str, list[int]]:
    """Return the seeds at which each row of a name is finished."""
    seeds: dict[str, list[int]] = {}
    for row in read_run(store, name).rows:
        seeds.setdefault(row.row, []).append(row.seed)
    return seeds


def test_seeds_add_up_over_runs(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.sweep("--seeds", "0")
    home.sweep("--seeds", "1")
    assert seeds_of(home.store, "levels") == {"low": [0, 1], "high": [0, 1]}
    assert sorted(home.report()) == [("high", "0"), ("high", "1"), ("low", "0"), ("low", "1")]
    assert "n = 2" in capsys.readouterr().out
    assert [run.seeds for run in read_runs(home.store, "levels")] == [[0], [1]]


def test_an_exploring_run_leaves_the_report_as_it_was(home: Home) -> None:
    home.sweep()
    before = home.report()
    home.sweep("--bind", f"{MORE} = 2.0")
    name = f"levels@{MORE}=2.0"
    assert run_names(home.store) == ["levels", name]
    assert home.report() == before
    explored = home.report("--run", name, name=name)
    for low, high, numbers in ((1, 5, before), (3, 7, explored)):
        assert {row: int(float(value)) for (row, _), value in numbers.items()} == {"low": low, "high": high}
    assert any("Level: 3." in line for line in show(f"{name}:p/low/level", None, home.store))
    assert command("diff", "levels:p/low", f"{name}:p/low", "--store", str(home.store)) == 0
    assert command("report", str(home.file), "--store", str(home.store), "--run", "other@a=1") == 2


def test_a_report_of_24_rows_stays_whole_beside_an_exploring_run_and_gc_keeps_it(home: Home) -> None:
    rows = "".join(f"    row {n}: {{bind: {{stage.levels_for_a_test.level: {n}.0}}}}\n" for n in range(24))
    home.file.write_text(SWEEP.split("    low")[0] + rows)
    home.sweep()
    before = home.report()
    home.sweep("--bind", f"{MORE} = 2.0", "--only", "p/row 3")
    assert command("gc", "--delete", "--store", str(home.store)) == 0
    assert home.report() == before and len(before) == 24
    assert len(list(home.store.glob("*/*/manifest.json"))) == 25


def test_seeds_of_one_row_plan_no_other_row_at_them(home: Home) -> None:
    home.sweep("--seeds", "0,1")
    home.sweep("--only", "p/high", "--seeds", "2")
    assert seeds_of(home.store, "levels") == {"low": [0, 1], "high": [0, 1, 2]}
    assert sorted(seed for row, seed in home.report() if row == "low") == ["0", "1"]


def test_a_run_tells_what_code_it_ran_and_an_edited_file_is_told_in_tables(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.sweep()
    plugin = home.folder / "sweeps" / "levels_plugin_for_a_test.py"
    (run,) = read_runs(home.store, "levels")
    assert run.places[plugin.stem] == str(plugin.parent)
    assert {"levels.gin", "levels_plugin_for_a_test", "rgx.stage"} <= run.digests.keys()
    assert home.report() and "§" not in capsys.readouterr().out
    plugin.write_text(STAGE.replace("self.level + self.more", "self.level - self.more"))
    home.sweep()
    said = f"levels_for_a_test: 2 made by other code; changed since: {plugin.stem}"
    assert f"reused: {said}\n" in capsys.readouterr().out
    assert home.report() and f"({plugin.stem})." in capsys.readouterr().out
    written = {path.suffix: path.read_text() for path in (home.folder / "out" / "levels").glob("p.*")}
    assert r"\S{} rests on code that has changed" in written[".tex"] and "§" in written[".md"]
    assert f"levels_for_a_test ({plugin.stem})" in written[".csv"]
    assert f"{plugin.stem}</td>" in (home.folder / "out" / "levels" / "provenance.html").read_text()


def test_deleted_runs_take_their_searches_with_them(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.sweep()
    for name in ("levels", "other"):
        record = home.store / "searches" / name / "rate-0123456789abcdef" / "record.json"
        record.parent.mkdir(parents=True)
        record.write_text("{}")
    assert command("runs", "levels", "--delete", "--store", str(home.store)) == 0
    assert "1 runs and its searches moved to" in capsys.readouterr().out
    assert [path.name for path in (home.store / "searches").iterdir()] == ["other"]
    assert len(list(home.store.glob("trash/*/searches/levels/*/record.json"))) == 1


def test_gc_removes_nothing_that_a_recent_run_reaches(home: Home) -> None:
    home.sweep("--seeds", "0,1")
    home.sweep("--seeds", "2", "--only", "p/low")
    before = {path: path.stat().st_ino for path in home.store.glob("*/*/manifest.json")}
    assert command("gc", "--delete", "--store", str(home.store)) == 0
    assert {path: path.stat().st_ino for path in home.store.glob("*/*/manifest.json")} == before
    assert len(before) == 5


def test_a_row_that_is_written_anew_begins_anew(home: Home) -> None:
    home.sweep("--seeds", "0")
    home.file.write_text(SWEEP.replace("5.0", "7.0"))
    home.sweep("--seeds", "1")
    assert seeds_of(home.store, "levels") == {"low": [0, 1], "high": [1]}
    home.file.write_text(SWEEP.split("    high")[0])
    home.sweep("--seeds", "1")
    assert seeds_of(home.store, "levels") == {"low": [0, 1]}


def test_a_bundle_carries_what_all_runs_come_to(home: Home, tmp_path: Path) -> None:
    home.sweep("--seeds", "0")
    home.sweep("--seeds", "1")
    home.sweep("--bind", f"{MORE} = 2.0", "--only", "p/low")
    other, words = tmp_path / "other", ["--store", str(home.store)]
    assert command("export", run_names(home.store)[1], str(tmp_path / "x.tar"), *words) == 2, "has holes"
    home.sweep("--bind", f"{MORE} = 2.0")
    for number, name in enumerate(run_names(home.store)):
        file = str(tmp_path / f"{number}.tar")
        assert command("export", name, file, *words) == 0
        assert command("import", file, "--store", str(other)) == 0
        rows = [row.model_copy(update={"imported": ""}) for row in read_run(other, name).rows]
        assert rows == read_run(home.store, name).rows


def meddled(file: Path, end: str, change: Callable[[dict[str, Any]], object]) -> Path:
    """Write a bundle anew, one of its JSON files changed; returns it."""
    other = file.with_name(f"meddled_{file.name}")
    with tarfile.open(file) as tar, tarfile.open(other, "w:", format=tarfile.PAX_FORMAT) as new:
        for member in tar.getmembers():
            content = tar.extractfile(member).read()  # type: ignore[union-attr]
            if member.name.endswith(end):
                edited = json.loads(content)
                change(edited)
                content = json.dumps(edited).encode()
                member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return other


def test_an_edited_record_is_refused_and_an_edited_score_is_marked_wherever_it_is_shown(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.sweep("--seeds", "0,1")
    file, mine = tmp_path / "levels.tar", home.store
    assert command("export", "levels", str(file), "--store", str(mine)) == 0
    home.store = tmp_path / "other"
    words = ["--store", str(home.store)]

    def confuse(record: dict[str, Any]) -> None:
        low, high = (row["stages"] for row in record["rows"] if row["seed"] == 1)
        low["levels_for_a_test"], high["levels_for_a_test"] = (
            high["levels_for_a_test"],
            low["levels_for_a_test"],
        )

    assert command("import", str(meddled(file, "levels.json", confuse)), *words) == 2
    assert "its definition is not that of its stages: the record was edited" in capsys.readouterr().err
    edited = meddled(file, "manifest.json", lambda m: m["outputs"]["scores"].update(level=99.0))
    assert command("import", str(edited), *words) == 0
    assert set(home.report().values()) == {"99.0"}
    note = "¶ was imported from outside, where it may have been edited: meddled_levels.tar."
    assert note in capsys.readouterr().out
    folder = home.folder / "out" / "levels"
    written = {path.suffix: path.read_text() for path in folder.glob("p.*")}
    assert r"$^{\P}$" in written[".tex"] and written[".md"].count("¶") == 3
    assert written[".csv"].count(",meddled_levels.tar,") == 4
    assert note in (folder / "index.html").read_text()
    assert (folder / "provenance.html").read_text().count("imported: meddled_levels.tar") == 4
    home.sweep("--seeds", "0,1")
    assert "4 reused" in capsys.readouterr().out
    assert home.report() and "¶" in capsys.readouterr().out, "an artifact from outside stays one"
    home.store = mine
    assert command("import", str(edited), "--store", str(mine)) == 0
    assert home.report() and "¶" not in capsys.readouterr().out, "one's own numbers are there already"
