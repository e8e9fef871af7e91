"""Files that people expect of a project: there, and saying what the rest of it does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from rgx import __version__

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def load(name: str) -> Any:
    """Return what a YAML file of the project's top says."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CITATION.cff", "CHANGELOG.md", "LICENSE", "README.md"])
def test_it_is_there_and_says_something(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").split()) > 80


def test_a_public_host_runs_what_make_offers_on_every_python() -> None:
    jobs = load(".github/workflows/ci.yml")["jobs"]
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    made = {target for run in runs for target in re.findall(r"make (\w+)", run)}
    assert made <= TARGETS and {"lint", "docs"} <= made
    [script] = [run.split()[0] for run in runs if not run.startswith("make")]
    assert "make test" in (ROOT / script).read_text(encoding="utf-8")
    pythons = jobs["test"]["strategy"]["matrix"]["python"]
    assert pythons == ["3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == f">={pythons[0]}"


def test_a_citation_names_what_the_package_names() -> None:
    citation = load("CITATION.cff")
    required = {"cff-version", "message", "title", "authors"}
    assert required <= set(citation)
    assert citation["version"] == __version__, "raised in rgx/__init__.py and CITATION.cff together"
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Homepage"]
    assert load("mkdocs.yml")["site_url"] == citation["url"]


def test_forms_of_issues_ask_in_fields_the_host_knows() -> None:
    forms = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    assert [form.stem for form in forms] == ["bug", "config", "reading", "wish"]
    for form in forms:
        text = load(f".github/ISSUE_TEMPLATE/{form.name}")
        if form.stem == "config":
            assert all(link["url"].startswith("https://") for link in text["contact_links"])
            continue
        assert text["name"] and text["description"]
        ids = [field["id"] for field in text["body"]]
        assert len(set(ids)) == len(ids)
        for field in text["body"]:
            assert field["type"] in {"input", "textarea", "dropdown", "checkboxes"}
            assert field["attributes"]["label"]


def test_commands_of_contributing_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^make (\w+)", text, re.MULTILINE)) <= TARGETS
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
        assert (ROOT / target).exists(), target
