"""Code edited after it ran: told by sweep, plan and why, for one file and for a package's helper."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
METHOD = {
    "__init__.py": "",
    "amounts.py": "def amount(level):\n    return level\n",
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

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "store"
        self.build = folder / "reports" / "build" / "levels"
        for name, text in METHOD.items():
            self.write(f"my_levels/{name}", text)
        self.write("pyproject.toml", "")
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

    def rgx(self, *words: str, code: int = 0) -> str:
        """Run a command as a person would, in a process of its own, and return what it prints."""
        run = subprocess.run(
            [sys.executable, "-m", "rgx", *words], env=os.environ | {"PYTHONPATH": str(ROOT)},
            cwd=self.folder, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert run.returncode == code, run.stdout + run.stderr
        return run.stdout + run.stderr

    def sweep(self, *options: str, code: int = 0) -> str:
        return self.rgx("sweep", "sweeps/levels.yaml", "--engine", "inline", *options, code=code)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    paper = Paper(tmp_path_factory.mktemp("paper"))
    assert "3 stages run, 0 reused" in paper.sweep("--no-report")
    return paper


def test_an_edited_helper_and_an_edited_base_class_are_told(swept: Paper) -> None:
    assert "made by other code" not in swept.rgx("plan", "sweeps/levels.yaml")
    swept.write("my_levels/extra.py", "bonus = 1\n")
    swept.edit("my_levels/amounts.py", "def amount", "from .extra import bonus\n\n\ndef amount")
    swept.edit("my_levels/base.py", "seeded = True", "seeded = not False")
    changed = "my_levels.amounts, my_levels.base, my_levels.extra (added)"
    line = f"scored: 2 made by other code; changed since: {changed}"
    told = swept.sweep("--no-report")
    assert f"reused: {line}\n--rerun drifted" in told and "3 reused" in told
    assert f"\n{line}\n" in swept.rgx("plan", "sweeps/levels.yaml")
    assert line.partition(" made ")[2] in swept.rgx("why", "sweeps/levels.yaml", "p/low")
    assert "drawn: " not in told
