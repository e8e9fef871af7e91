"""A name says what it holds, and one thing only: no empty words, no class and hardly a module twice."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALIKE = {
    *("base", "commands"),  # what a room's other modules stand on; its commands
    *("corpus", "judge", "residual", "sync_judge", "tokenizer"),  # a stage, and the network it is about
    *("beats", "clips", "external", "files", "graph", "splits"),  # a variant's name is its file's
    *("plan", "progress", "runs", "spec", "tracked"),  # the same thing, looked at from another floor
}
"""Names of modules that may be there twice, since they mean one thing in each."""
SAY_NOTHING = {"found", "made", "told", "held", "kept", "one"}


def variables(function: ast.FunctionDef) -> Iterator[str]:
    """Give the names a function binds: its arguments, and what it assigns."""
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_a_variable_that_says_nothing_is_seen() -> None:
    function = ast.parse("def f(made):\n    for one in made:\n        found = [told for told in one]").body[0]
    assert isinstance(function, ast.FunctionDef)
    assert set(variables(function)) == SAY_NOTHING - {"held", "kept"}


def test_variables_say_what_they_hold() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}: {', '.join(sorted(names))}"
        for path in sorted((ROOT / "rgx").rglob("*.py"))
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef) and (names := SAY_NOTHING & set(variables(function)))
    ]
    assert not wrong, "\n".join(wrong)


def twice(names: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {', '.join(places)}" for name, places in sorted(names.items()) if len(places) > 1]


def test_no_two_classes_have_one_name() -> None:
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "rgx").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert not twice(places)


def test_modules_of_one_name_mean_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "rgx").rglob("*.py")):
        if path.stem not in {"__init__", "__main__"}:
            places.setdefault(path.stem, []).append(str(path.relative_to(ROOT)))
    assert not twice({name: paths for name, paths in places.items() if name not in ALIKE})
    assert {name for name in ALIKE if len(places.get(name, ())) < 2} == set(), (
        "names that are no more there twice"
    )
