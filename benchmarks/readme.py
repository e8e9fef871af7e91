"""README's tables from the results beside it: `python benchmarks/readme.py [--from REPORT_FOLDER] [--check]`.

With --from, what `rgx report` wrote (`reports/build/ablation_table3`) is copied to `docs/results`, to be
committed. Each block of README that begins with `<!-- docs/results/NAME.md -->` then holds the table of that
file; --check says whether it does, and changes nothing.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("docs/results")
BLOCK = re.compile(r"<!-- (?P<file>docs/results/\S+\.md) -->\n.*?<!-- end -->", re.DOTALL)
HOLE, ASIDE = "| -- ", re.compile(r"\| \*published")
"""A number that is not there, and the line of what was published for the row above."""


def table(text: str) -> str:
    """Return the table in a report's Markdown, without rows that have not run; raises ValueError for none."""
    lines: list[str] = []
    hole = False
    for line in (line for line in text.splitlines() if line.startswith("|")):
        hole = HOLE in line or (hole and ASIDE.match(line) is not None)
        if not hole:
            lines.append(line)
    if not lines:
        raise ValueError("no table")
    return "\n".join(lines)


def filled(readme: str, root: Path = ROOT) -> str:
    """Return README's text with each block as its file has it."""

    def block(match: re.Match[str]) -> str:
        lines = table((root / match["file"]).read_text(encoding="utf-8"))
        return f"<!-- {match['file']} -->\n{lines}\n<!-- end -->"

    return BLOCK.sub(block, readme)


def take(report: Path, root: Path = ROOT) -> list[str]:
    """Copy what README shows from a report's folder, as Markdown and, unrounded, as CSV; returns names."""
    names = [Path(file).stem for file in BLOCK.findall((root / "README.md").read_text(encoding="utf-8"))]
    (root / RESULTS).mkdir(parents=True, exist_ok=True)
    return [
        shutil.copyfile(report / f"{name}.{kind}", root / RESULTS / f"{name}.{kind}").name
        for name in names
        for kind in ("md", "csv")
    ]


def main() -> None:
    """Fill README in, or say whether it is."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--from", dest="report", type=Path, help="a report's folder")
    asked.add_argument("--check", action="store_true", help="exit 1 where README differs")
    options = asked.parse_args()
    if options.report:
        print(f"{', '.join(take(options.report))} in {RESULTS}")
    readme = ROOT / "README.md"
    before = readme.read_text(encoding="utf-8")
    after = filled(before)
    if options.check:
        raise SystemExit(before != after)
    readme.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
