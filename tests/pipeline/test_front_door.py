"""README: short, its links lead somewhere, and what it shows of a method of one's own is typed and runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from test_digits import copy_example, rgx

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


def block(language: str, containing: str) -> str:
    """Return README's block of that language with that text in it."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    [text] = [text for text in blocks if containing in text]
    return text


def test_it_is_a_front_door() -> None:
    assert len(README.split()) < 1200
    screen = "\n".join(README.splitlines()[:40])
    assert "pip install" in screen and "rgx sweep" in screen and "panels:" in screen


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_reached_from_the_front_door() -> None:
    linked = {(ROOT / target).resolve() for target in LINK.findall(README)}
    assert [page.name for page in PAGES[1:] if page.resolve() not in linked and page.stem != "demo"] == []


@pytest.mark.slow
def test_the_row_and_the_variant_it_shows_join_the_table(tmp_path: Path) -> None:
    folder = copy_example(tmp_path / "paper")
    shown = yaml.safe_load(block("yaml", "panels:"))
    assert shown == yaml.safe_load((folder / "sweeps/digits.yaml").read_text())
    [row] = re.findall(r"`(wide: .*?)`", README)
    [label] = re.findall(r"`(smoothed: .*?)`", README)
    shown["panels"]["backbone"].update(yaml.safe_load(row))
    shown["panels"]["loss"].update(yaml.safe_load(label))
    shown["imports"] = ["smoothed"]
    (folder / "smoothed.py").write_text(block("python", "@rgx.register"))
    (folder / "more.yaml").write_text(yaml.safe_dump(shown, sort_keys=False))
    done = rgx(folder, "plan", "more.yaml", "--json", "--seeds", "0")
    assert done.returncode == 0, done.stderr
    students = [s for s in json.loads(done.stdout)["stages"] if s["stage"] == "student"]
    assert len(students) == 9  # of eleven rows the full method stands in three
