"""How much of the paper is shown, and what is missing: `python benchmarks/fidelity.py [--write] [--check]`.

Reads the rubric `docs/fidelity.yaml`, says what is wrong with it (a test that is not there, a figure that its
file does not have), and prints the shares of each group and every leaf that is missing. --write fills
`docs/fidelity.md` and README's sentence; --check says whether they stand as they would be written.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rgx.yaml_source import Source

ROOT = Path(__file__).resolve().parents[1]
RUBRIC, PAGE, README = Path("docs/fidelity.yaml"), Path("docs/fidelity.md"), Path("README.md")
KINDS = ("test", "benchmark", "deviation", "missing")
BLOCK = re.compile(r"<!-- fidelity -->\n.*?<!-- end -->", re.DOTALL)
READING = re.compile(r"^\| (\d+) \|", re.MULTILINE)
SHOWN = "shown by a test or a committed figure"


@dataclass(frozen=True)
class Leaf:
    """One statement of the paper: where it says so, and what is there of it; kind: one of KINDS."""

    group: str
    part: str
    says: str
    source: str
    kind: str
    evidence: str


def leaves(root: Path = ROOT) -> list[Leaf]:
    """Return the rubric's leaves; raises ValueError for one that has not one kind of evidence."""
    groups = Source(root / RUBRIC, []).data
    return [
        _leaf(group, part, content)
        for group, parts in groups.items()
        for part, some in parts.items()
        for content in some
    ]


def _leaf(group: str, part: str, content: dict[str, str]) -> Leaf:
    kinds = [kind for kind in KINDS if kind in content]
    if len(kinds) != 1 or set(content) != {"says", "source", *kinds}:
        raise ValueError(f"{group}, {part}: {content}: expected says, source and one of {', '.join(KINDS)}")
    return Leaf(group, part, content["says"], content["source"], kinds[0], content[kinds[0]])


def faults(some: Sequence[Leaf], root: Path = ROOT) -> Iterator[str]:
    """Yield what is wrong with leaves: said twice, or with evidence that is not there."""
    counts = Counter(leaf.says for leaf in some)
    yield from (f"'{says}' is said {count} times" for says, count in counts.items() if count > 1)
    readings = set(READING.findall((root / "docs/readings.md").read_text(encoding="utf-8")))
    for leaf in some:
        file, _, name = leaf.evidence.partition("::")
        path = root / file.strip()
        if leaf.kind == "test" and name not in _tests(path):
            yield f"'{leaf.says}': no test {leaf.evidence}"
        if leaf.kind == "benchmark" and not (path.is_file() and name.strip() in _text(path)):
            yield f"'{leaf.says}': {file} has no '{name.strip()}'"
        if leaf.kind == "deviation" and not set(re.findall(r"\(reading (\d+)\)", leaf.evidence)) & readings:
            yield f"'{leaf.says}': a deviation names its reading: (reading 16)"


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _tests(path: Path) -> frozenset[str]:
    """Return the names of the test functions of a file."""
    if not path.is_file():
        return frozenset()
    nodes = ast.parse(_text(path)).body
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef))


def share(some: Sequence[Leaf]) -> str:
    """Return what share of leaves is shown."""
    return f"{100 * sum(leaf.kind in KINDS[:2] for leaf in some) / len(some):.1f} %"


def table(some: Sequence[Leaf]) -> list[str]:
    """Return the counts of each kind by group, with their sums, as lines of Markdown."""
    lines = ["| | leaves | test | figure | deviation | missing | shown |", "|---|--:|--:|--:|--:|--:|--:|"]
    groups = {leaf.group: [other for other in some if other.group == leaf.group] for leaf in some}
    for name, members in [*groups.items(), ("all", some)]:
        counts = Counter(leaf.kind for leaf in members)
        cells = " | ".join(str(counts[kind]) for kind in KINDS)
        lines.append(f"| {name} | {len(members)} | {cells} | {share(members)} |")
    return lines


def listed(some: Sequence[Leaf], kind: str) -> list[str]:
    """Return a line for each leaf of a kind."""
    return [
        f"- {leaf.group.partition(' (')[0]}, {leaf.part}: {leaf.says} ({leaf.source}): {leaf.evidence}"
        for leaf in some
        if leaf.kind == kind
    ]


def page(some: Sequence[Leaf]) -> str:
    """Return `docs/fidelity.md`."""
    lines = [
        "# What of the paper is shown here",
        "",
        f"`{RUBRIC}` says the paper in {len(some)} statements of equal weight. Each names a test that",
        "asserts it, a committed figure, why it differs on purpose, or what is missing. `make fidelity` says",
        "the shares, and a test holds statements and tests together; shown is what has a test or a figure.",
        "",
        *table(some),
        "",
        "## Missing",
        "",
        *listed(some, "missing"),
        "",
        "## Different on purpose",
        "",
        *listed(some, "deviation"),
    ]
    return "\n".join(lines) + "\n"


def sentence(some: Sequence[Leaf]) -> str:
    """Return README's sentence."""
    counts = Counter(leaf.kind for leaf in some)
    return (
        f"Of {len(some)} statements of the paper {share(some)} are {SHOWN} "
        f"({counts['test']} and {counts['benchmark']});\n{counts['deviation']} differ on purpose, "
        f"{counts['missing']} are missing ([docs/fidelity.md](docs/fidelity.md), `make fidelity`)."
    )


def filled(readme: str, some: Sequence[Leaf]) -> str:
    """Return README's text with its sentence as the rubric has it."""
    return BLOCK.sub(lambda _: f"<!-- fidelity -->\n{sentence(some)}\n<!-- end -->", readme)


def main() -> None:
    """Print shares and what is missing; write them, or say whether they stand."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--write", action="store_true", help=f"fill {PAGE} and {README}")
    asked.add_argument("--check", action="store_true", help="exit 1 where one of them differs")
    options = asked.parse_args()
    some = leaves()
    if wrong := list(faults(some)):
        raise SystemExit("\n".join(wrong))
    readme = (ROOT / README).read_text(encoding="utf-8")
    written = {ROOT / PAGE: page(some), ROOT / README: filled(readme, some)}
    if options.write:
        for path, text in written.items():
            path.write_text(text, encoding="utf-8")
    print("\n".join([*table(some), "", "missing:", *listed(some, "missing")]))
    if options.check and any(path.read_text(encoding="utf-8") != text for path, text in written.items()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
