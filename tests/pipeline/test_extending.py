"""The page on what to touch for what: its blocks are written where they say, and run."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import torch
from little import manifests
from test_digits import copy_example, rgx

from rgx import registry
from rgx.plugins import load_plugin
from rgx.registry import find

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (add to )?(\S+)\n")


def blocks(section: str) -> list[tuple[str, str]]:
    """Return the language and the text of each block of a section."""
    return BLOCK.findall(PAGE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0])


def follow(section: str, folder: Path) -> None:
    """Do in a folder what a section says: write its files, add to others, run its edits."""
    for language, text in blocks(section):
        if language == "sh":
            before = {path: path.read_bytes() for path in folder.rglob("*.*")}
            subprocess.run(["bash", "-ec", text], cwd=folder, check=True)
            assert before != {path: path.read_bytes() for path in folder.rglob("*.*")}, text
            continue
        named = NAMED.match(text)
        assert named is not None, text
        path = folder / named[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        assert path.exists() == bool(named[1]), path
        with path.open("a") as file:
            file.write(text[named.end() :])


def planned(folder: Path, sweep: str) -> set[tuple[str, str]]:
    """Return the stage and the key of everything that a sweep needs."""
    done = rgx(folder, "plan", sweep, "--json")
    assert done.returncode == 0, done.stderr
    return {(stage["stage"], stage["key"]) for stage in json.loads(done.stdout)["stages"]}


def test_a_quantizer_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The other tests of this process must not meet the page's variants.
    monkeypatch.setattr(registry, "_roster", dict(registry._roster))
    follow("A quantizer", tmp_path)
    load_plugin("signs", (tmp_path / "signs.py").read_text())
    quantizer = find("quantizer", "signs").cls(16, bits=5)
    quantized = quantizer(torch.randn(2, 3, 16))
    assert quantized.codes.shape == (2, 3, 1) and int(quantized.codes.max()) < 32
    assert torch.allclose(quantizer.lookup(quantized.codes), quantized.output, atol=1e-6)
    assert torch.equal(quantizer.codebook(0)[quantized.codes[..., 0]], quantizer.lookup(quantized.codes))


@pytest.mark.slow
def test_a_quantizer_is_planned_by_its_sweep(tmp_path: Path) -> None:
    follow("A quantizer", tmp_path)
    done = rgx(tmp_path, "plan", "signs.yaml", "--json")
    assert done.returncode == 0, done.stderr
    tokenizers = [s for s in json.loads(done.stdout)["stages"] if s["stage"] == "tokenizer"]
    assert len(tokenizers) == 2


@pytest.mark.slow
def test_an_argument_that_came_later_retrains_nothing(tmp_path: Path) -> None:
    folder = copy_example(tmp_path / "paper")
    before = planned(folder, "sweeps/digits.yaml")
    follow("An argument that came later", folder)
    assert planned(folder, "sweeps/digits.yaml") == before
    noise = planned(folder, "sweeps/noise.yaml")
    assert sorted(stage for stage, _ in noise - before) == ["scores", "student", "teacher"]


@pytest.mark.slow
def test_axis_stage_metric_figure_and_format_together(tmp_path: Path) -> None:
    folder = copy_example(tmp_path / "paper", steps=5)
    sweep = folder / "sweeps" / "digits.yaml"
    sweep.write_text(sweep.read_text().replace("seeds: [0, 1, 2]", "seeds: [0]"))
    parts = ("An axis with two variants", "A stage between two others", "A metric", "A figure kind")
    for section in (*parts, "A table format"):
        follow(section, folder)
    done = rgx(folder, "plan", "sweeps/scaling.yaml", "--json")
    assert done.returncode == 0, done.stderr
    parents = {s["key"]: sorted(s["parents"]) for s in json.loads(done.stdout)["stages"]}
    assert list(parents.values()).count(["images"]) == 2, "scaled in two ways"
    assert ["scaled", "teacher"] in parents.values()
    done = rgx(folder, "sweep", "sweeps/digits.yaml", "--engine", "inline", "--no-report")
    assert done.returncode == 0, done.stdout + done.stderr
    done = rgx(folder, "report", "sweeps/digits.yaml")
    assert done.returncode == 0, done.stderr
    assert "Brier" in (folder / "reports/build/digits/loss.md").read_text()
    assert (folder / "reports/build/digits/confusion.pdf").is_file()
    assert "[ECE (%) ↓]" in (folder / "reports/build/digits/loss.typ").read_text()


@pytest.mark.slow
def test_a_stage_says_its_split_and_what_is_too_little(tmp_path: Path) -> None:
    folder = copy_example(tmp_path / "paper", steps=5)
    follow("A stage that scores: its split, and too little data", folder)
    remark = "about 10 pictures of a digit: which is worst, chance decides"
    planned = rgx(folder, "plan", "sweeps/worst.yaml")
    assert planned.stdout.count(f"too little data: worst: {remark}") == 1, planned.stderr
    done = rgx(folder, "sweep", "sweeps/worst.yaml", "--engine", "inline")
    assert done.returncode == 0, done.stdout + done.stderr
    worst = [manifest for name, manifest in manifests(folder / "store").items() if name.startswith("worst/")]
    said = {m["outputs"]["metrics"]["worst"]["split"]: m.get("remarks") for m in worst}
    assert said == {"test": [remark], "dev": None}
    table = (folder / "reports/build/worst/worst.md").read_text()
    assert "Scores of the dev split (for choices)." in table
    assert f"Too little data for worst: {remark} (for tables)." in table
    assert "  split: dev" in rgx(folder, "show", "worst:worst/for choices/worst").stdout.splitlines()


@pytest.mark.slow
def test_a_method_is_a_folder(tmp_path: Path) -> None:
    follow("A method", tmp_path)
    done = rgx(tmp_path, "sweep", "sweeps/coin.yaml", "--engine", "inline")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 stages run" in done.stdout
    rows = re.findall(r"^(fair|loaded)\D+(0\.\d+)", done.stdout, re.MULTILINE)
    shares = {row: float(share) for row, share in rows}
    assert abs(shares["fair"] - 0.5) < 0.05 and abs(shares["loaded"] - 0.7) < 0.05


def test_every_section_says_how_many_files() -> None:
    sections = re.findall(r"^## (.+)\n\n(.+)", PAGE.read_text(), re.MULTILINE)
    assert len(sections) == 13
    assert all(first.startswith(("One file", "A package")) for _, first in sections)
