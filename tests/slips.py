"""The slips that docs/mistakes.md lists, made one after the other in a project, in one process.

As a script: reads the slips as JSON, makes each in the folder it runs in, and prints what came of it as JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parents[1] / "docs" / "mistakes.md"
ROW = re.compile(r"^\| (?:`(.+?)` → `(.*?)`|[\w' ]+) \| `rgx (.+?)` \| `(.+)` \|$", re.MULTILINE)
FILE = re.compile(r"^```\w+\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A block of a page whose first line says which file it is."""
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ABSENT = "wandb"
"""A package that the page's reader does not have."""


class Slip(NamedTuple):
    """What stands in the file that the command names and what is written instead, the command, its answer."""

    right: str
    wrong: str
    command: str
    answer: str


def listed() -> list[Slip]:
    """Return the page's slips; a tab and a line's end are written as in Python."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    written = [[text.replace("\\t", "\t").replace("\\n", "\n") for text in row] for row in rows]
    return [Slip(*row) for row in written]


def typed(page: Path) -> list[str]:
    """Return what a page has one type behind `rgx`, in a folder that is a project."""
    lines = [line for block in SHELL.findall(page.read_text(encoding="utf-8")) for line in block.splitlines()]
    return [line.removeprefix("rgx ") for line in lines if line.startswith("rgx ") and "demo" not in line]


def make(slip: Slip) -> tuple[int, str]:
    """Make a slip and put the file right again; returns the exit code and all that was printed."""
    from rgx.cli import main

    arguments, printed = shlex.split(slip.command), io.StringIO()
    file = next((Path(word) for word in arguments if slip.right and word.endswith(".yaml")), None)
    before = file.read_text(encoding="utf-8") if file else ""
    sys.argv = ["rgx", *arguments]
    try:
        if file:
            assert before.count(slip.right) >= 1, f"{file} has no {slip.right!r}"
            file.write_text(before.replace(slip.right, slip.wrong, 1), encoding="utf-8")
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            main()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        if file:
            file.write_text(before, encoding="utf-8")
    return code, printed.getvalue()


if __name__ == "__main__":
    sys.modules[ABSENT] = None  # type: ignore[assignment]
    print(json.dumps([make(Slip(*slip)) for slip in json.load(sys.stdin)]))
