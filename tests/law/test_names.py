"""A variable says what it holds: none is called found, made, told, held, kept or one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
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
