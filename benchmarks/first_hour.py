"""A new user's first hour by a stop-watch: `python benchmarks/first_hour.py [--page docs/first.md]`.

Types what a tutorial says into a fresh clone of the last commit, and nothing else: its commands one after the
other in one shell, its files where their first lines say. Prints the wall time of each; ends at what fails.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^## (.+?)$|^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\S+)\n")
MARK = "first hour:"
OWN = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME", "RGX_STORE"}
"""What the caller's environment has and a new user's has not."""


def typed(page: str) -> Iterator[tuple[str, str]]:
    """Give section and shell line of everything a page has one type; a file is typed as one command."""
    section = ""
    for head, language, text in BLOCK.findall(page):
        section = head or section
        if language == "sh":
            yield from ((section, line) for line in text.splitlines() if line.strip())
        elif language and (named := NAMED.match(text)):
            yield section, f"cat > {shlex.quote(named[1])} <<'END'\n{text[named.end() :]}END"


def script(lines: list[tuple[str, str]]) -> str:
    """Return a bash script that types the lines and says on descriptor 3 when each of them ended."""
    parts = ["set -e", f'echo "{MARK} $EPOCHREALTIME" >&3']
    for _, line in lines:
        parts += [line, f'echo "{MARK} $EPOCHREALTIME" >&3']
    return "\n".join(parts) + "\n"


def run(lines: list[tuple[str, str]], folder: Path) -> list[float]:
    """Run the lines in a folder; returns the seconds of each that ended well."""
    environment = {name: value for name, value in os.environ.items() if name not in OWN}
    steps, times = folder.parent / "steps", folder.parent / "times"
    steps.write_text(script(lines), encoding="utf-8")
    command = ["bash", "-c", 'exec 3>"$1"; source "$0"', str(steps), str(times)]
    subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL)
    moments = [float(line.removeprefix(MARK)) for line in times.read_text().splitlines()]
    return [after - before for before, after in pairwise(moments)]


def time_table(lines: list[tuple[str, str]], seconds: list[float]) -> str:
    """Return a line a command with its time, the sum of each section, and the whole."""
    rows, sections = [], dict.fromkeys(section for section, _ in lines)
    for section in sections:
        own = [(line, s) for (head, line), s in zip(lines, seconds, strict=False) if head == section]
        rows.append(f"{sum(s for _, s in own):8.1f} s  {section}")
        rows += [f"{s:12.1f} s  {line.splitlines()[0]}" for line, s in own]
    return "\n".join([*rows, f"{sum(seconds):8.1f} s  in all, {len(seconds)} of {len(lines)} steps"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=ROOT / "docs/first.md")
    lines = list(typed(parser.parse_args().page.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "rgx"
        subprocess.run(["git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), str(folder)], check=True)
        seconds = run(lines, folder)
    print(time_table(lines, seconds))
    if len(seconds) < len(lines):
        sys.exit(f"failed: {lines[len(seconds)][1]}")


if __name__ == "__main__":
    main()
