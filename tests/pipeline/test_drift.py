"""Code edited after it ran: told by sweep, plan and why, for one file and for a package's helper."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
METHOD = {
    "__init__.py": "",
    "amounts.py": "from my_lab.scale import one\n\n\ndef amount(level):\n    return level * one\n",
    "base.py": '''
from rgx.stage import Stage


class Scored(Stage):
    """What all scores of this method share."""

    seeded = True

    def parents(self):
        return ("drawn",)
''',
    "drawn.py": '''
import torch
from rgx.registry import register
from rgx.stage import Stage


@register("stage", "drawn", label="Drawn")
class Drawn(Stage):
    """A number drawn by chance."""

    seeded = True

    def parents(self):
        return ()

    def run(self, inputs, workspace, built):
        workspace.save_arrays({"drawn": torch.rand(1)})
        return {}
''',
    "scored.py": '''
from rgx.registry import register

from my_levels.base import Scored
from .amounts import amount


@register("stage", "scored", label="Scored")
class Level(Scored):
    """Scores what it is bound to, and a little by chance."""

    def __init__(self, level: float = 1.0) -> None:
        self.level = level

    def run(self, inputs, workspace, built):
        about = {"label": "Level", "direction": "up", "decimals": 1}
        level = amount(self.level) + float(inputs.arrays("drawn")["drawn"]) / 10
        return {"scores": {"level": level}, "metrics": {"level": about}}
''',
}
SWEEP = """\
name: levels
method: my_levels
config: [levels.gin]
targets: {p: [scored]}
panels:
  p:
    low: {}
    high: {bind: {stage.scored.level: 5.0}}
"""
REPORT = "sweep: levels.yaml\nmethod: my_levels\npanels:\n  p: {caption: P., columns: [level], ours: high}\n"


class Paper:
    """A person's folder: a method of its own, a sweep, a report and a store."""

    def __init__(self, folder: Path, fresh: bool = True) -> None:
        self.folder, self.store = folder, folder / "store"
        self.build = folder / "reports" / "build" / "levels"
        if fresh:
            self.begin()

    def begin(self) -> None:
        """Write all of it but the store."""
        for name, text in METHOD.items():
            self.write(f"my_levels/{name}", text)
        self.write("pyproject.toml", "")
        self.write("my_lab/__init__.py", "")
        self.write("my_lab/scale.py", "one = 1\n")
        self.write("sweeps/levels.gin", "")
        self.write("sweeps/levels.yaml", SWEEP)
        self.write("reports/levels.yaml", REPORT)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the folder, in a process of its own as a person would."""
        return subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=200,
        )  # fmt: skip

    def rgx(self, *words: str, code: int = 0) -> str:
        """Run a command and return what it prints."""
        run = self.python("-m", "rgx", *words)
        assert run.returncode == code, run.stdout + run.stderr
        return run.stdout + run.stderr

    def sweep(self, *options: str, code: int = 0) -> str:
        return self.rgx("sweep", "sweeps/levels.yaml", "--engine", "inline", *options, code=code)

    def report(self) -> dict[str, str]:
        """Render the report, which imports nothing heavy; return its texts, and as `shown` what it prints."""
        code = "import sys; sys.argv[1:] = ['report', 'sweeps/levels.yaml']; from rgx.cli import main; main()"
        run = self.python("-c", f"{code}; assert not {{'torch', 'ray', 'pandas'}} & set(sys.modules)")
        assert run.returncode == 0, run.stdout + run.stderr
        texts = [path for path in self.build.iterdir() if path.suffix not in {".png", ".pdf"}]
        return {path.name: path.read_text() for path in texts} | {"shown": run.stdout}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    paper = Paper(tmp_path_factory.mktemp("paper"))
    assert "3 stages run, 0 reused" in paper.sweep("--no-report")
    assert "§" not in "".join(paper.report().values())
    assert "made by other code" not in paper.rgx("plan", "sweeps/levels.yaml")
    paper.write("my_levels/extra.py", "bonus = 1\n")
    paper.edit("my_levels/amounts.py", "def amount", "from .extra import bonus\n\n\ndef amount")
    paper.edit("my_lab/scale.py", "1", "1.0")
    paper.edit("my_levels/base.py", "seeded = True", "seeded = not False")
    return paper


CHANGED = "my_lab.scale, my_levels.amounts, my_levels.base, my_levels.extra (added)"


def test_an_edited_helper_and_an_edited_base_class_are_told(swept: Paper) -> None:
    line = f"scored: 2 made by other code; changed since: {CHANGED}"
    words = swept.sweep("--no-report")
    assert f"reused: {line}\n--rerun drifted" in words and "3 reused" in words
    assert f"\n{line}\n" in swept.rgx("plan", "sweeps/levels.yaml")
    assert line.partition(" made ")[2] in swept.rgx("why", "sweeps/levels.yaml", "p/low")
    assert "drawn: " not in words
    shown = swept.rgx("show", "levels:p/low/level")
    assert shown.count("made by other code") == 1 and line.partition(" made ")[2] in shown


def test_every_format_marks_the_numbers_and_names_the_modules(swept: Paper) -> None:
    texts = swept.report()
    note = f"§ rests on code that has changed since it was made: scored ({CHANGED})."
    assert note in texts["shown"] and texts["shown"].count("§") == 3
    assert note.replace("_", "\\_") in texts["p.md"] and texts["p.md"].count("§") == 3
    assert texts["p.tex"].count(r"\rgxdrifted{}") == 3, "twice in the grid, once for its width"
    assert r"\S{} rests on code that has changed" in texts["p.tex"]
    assert note in texts["index.html"] and texts["index.html"].count('">§</span>') == 2
    assert texts["provenance.html"].count("1 made by code that has changed since") == 2
    assert texts["provenance.html"].count(f"{CHANGED}</td>") == 2
    lines = list(csv.DictReader(texts["p.csv"].splitlines()))
    assert [line["drift"] for line in lines] == [f"scored ({CHANGED})"] * 2


@pytest.fixture
def paper(swept: Paper, tmp_path: Path) -> Paper:
    """A copy of the folder as it stands after the edit."""
    shutil.copytree(swept.folder, tmp_path / "paper")
    return Paper(tmp_path / "paper", fresh=False)


def test_a_number_is_marked_for_an_ancestors_code_too(paper: Paper) -> None:
    paper.edit("my_levels/drawn.py", "torch.rand(1)", "torch.rand(1) * 2")
    assert f"made: drawn (my_levels.drawn); scored ({CHANGED})." in paper.report()["shown"]
    stages = json.loads(paper.rgx("plan", "sweeps/levels.yaml", "--json"))["stages"]
    assert [s["changed_since"] for s in stages if s["stage"] == "drawn"] == [{"my_levels.drawn": "changed"}]


def numbers(paper: Paper) -> dict[str, float]:
    """Return the number of each row, by the report."""
    return {
        line["row"]: float(line["value"]) for line in csv.DictReader(paper.report()["p.csv"].splitlines())
    }


def test_drifted_artifacts_are_made_anew_and_the_old_are_kept(paper: Paper) -> None:
    before = numbers(paper)
    paper.edit("my_levels/amounts.py", "return level", "return bonus + level")
    words = paper.sweep("--rerun", "drifted")
    assert "made anew: 2 scored\n" in words and "2 stages run, 1 reused" in words
    assert "made by other code" not in words and "§" not in words
    assert numbers(paper) == {row: pytest.approx(value + 1) for row, value in before.items()}
    assert len(list(paper.store.glob("trash/*/scored/*/manifest.json"))) == 2


def test_a_cell_or_its_stage_is_made_anew_with_what_rests_on_it(paper: Paper) -> None:
    assert "made anew: 1 scored\n" in paper.sweep("--rerun", "p/high")
    words = paper.sweep("--rerun", "p/high/drawn", "--only", "p/high")
    assert "made anew: 1 drawn, and what rests on them: 2 scored\n" in words
    assert "made again only when the sweeps that need them run: 1 scored\n" in words
    assert "2 stages run, 0 reused" in words
    assert "has no stage 'draw': did you mean 'drawn'?" in paper.sweep("--rerun", "p/high/draw", code=2)
    assert "no row 'hi' in table p" in paper.sweep("--rerun", "p/hi", code=2)
    assert len(list(paper.store.glob("*/*/manifest.json"))) == 2


def test_forgetting_says_what_rests_on_it_and_who_needs_it(paper: Paper) -> None:
    (drawn,) = paper.store.glob("drawn/*")
    paper.rgx("runs", "levels", "--pin")
    assert "pinned" in paper.rgx("forget", f"drawn/{drawn.name}", code=2)
    paper.rgx("runs", "levels", "--unpin")
    words = paper.rgx("forget", "levels:p/low")
    assert "forgotten: scored/" in words and "rests on it" not in words and "levels:p/low" in words
    words = paper.rgx("forget", f"drawn/{drawn.name[:6]}")
    assert "and what rests on it: scored/" in words
    assert "missing now, and made again by the next sweep: levels:p/low, levels:p/high" in words
    assert not list(paper.store.glob("*/*/manifest.json"))
    assert len(list(paper.store.glob("trash/*/*/*/manifest.json"))) == 3
    assert "nothing of it is in the store" in paper.rgx("forget", "levels:p/low", code=2)
    assert "expected STAGE/KEY" in paper.rgx("forget", "p/low", code=2)
    assert "3 stages run" in paper.sweep("--no-report")


def git(folder: Path, *words: str) -> str:
    """Run git as somebody, whatever this machine's own settings are."""
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    run = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_a_persons_own_repository_stands_in_manifests_in_show_and_on_the_page(paper: Paper) -> None:
    git(paper.folder, "init", "-q")
    (paper.folder / ".gitignore").write_text("store\nreports/build\n__pycache__\n")
    git(paper.folder, "add", ".")
    git(paper.folder, "commit", "-qm", "All of it")
    commit, name = git(paper.folder, "rev-parse", "HEAD"), paper.folder.name
    paper.sweep("--no-report", "--rerun", "p/low")
    paper.write("my_levels/unused.py", "")
    paper.sweep("--no-report", "--rerun", "p/high")
    low, high = (paper.rgx("show", f"levels:p/{row}/level") for row in ("low", "high"))
    assert f"  repository: {name} {commit}\n" in low
    assert f"  repository: {name} {commit} with uncommitted changes\n" in high
    page = paper.report()["provenance.html"]
    assert f"{name} {commit[:10]}<" in page and f"{name} {commit[:10]} with uncommitted changes<" in page
    (manifest,) = paper.store.glob("drawn/*/manifest.json")
    assert "own_commit" not in manifest.read_text(), "it was made before there was a repository"
