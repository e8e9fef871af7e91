"""README's numbers are those of the results beside it, and these are means over three seeds."""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from pathlib import Path

import pytest
from test_benchmarks import load

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
readme = load("readme")
SHOWN = [Path(file) for file in readme.BLOCK.findall(README)]


def test_readme_is_what_its_command_writes() -> None:
    assert SHOWN
    assert readme.filled(README) == README


@pytest.mark.parametrize("file", [file for file in SHOWN if file.stem != "claims"])
def test_a_table_is_the_mean_of_its_seeds(file: Path) -> None:
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    with (ROOT / file).with_suffix(".csv").open(encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            if line["value"]:
                values[line["label"], line["metric"]].append(float(line["value"]))
    shown = [
        [cell.strip().replace("*", "") for cell in line.split("|")[1:-1]]
        for line in readme.table((ROOT / file).read_text(encoding="utf-8")).splitlines()[2:]
    ]
    metrics = list(dict.fromkeys(metric for _, metric in values))
    rows = {cells[0].replace("\\", ""): cells[-len(metrics) :] for cells in shown}
    for (row, metric), seeds in values.items():
        assert len(seeds) == 3, f"{row}: n = {len(seeds)}"
        said = rows[row][metrics.index(metric)].replace("<u>", "").replace("</u>", "").rstrip("‡")
        mean, deviation = said.split(" ± ")
        decimals = len(mean.partition(".")[2])
        assert mean == f"{statistics.fmean(seeds):.{decimals}f}"
        assert deviation == f"{statistics.stdev(seeds):.{decimals}f}"


def test_a_block_is_filled_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("a\n<!-- docs/results/3b.md -->\nold\n<!-- end -->\nb\n")
    report = tmp_path / "build"
    report.mkdir()
    (report / "3b.md").write_text("**3b.** C.\n\n| | x |\n|--|--|\n| a | 1 |\n\nA note.\n")
    (report / "3b.csv").write_text("row\n")
    assert readme.take(report, tmp_path) == ["3b.md", "3b.csv"]
    text = readme.filled((tmp_path / "README.md").read_text(), tmp_path)
    assert text == "a\n<!-- docs/results/3b.md -->\n| | x |\n|--|--|\n| a | 1 |\n<!-- end -->\nb\n"
    holes = (
        "| | x |\n|--|--|\n| a | 1 |\n| b | -- |\n| *published* | *2* |\n| c | 3 |\n| *published* | *4* |\n"
    )
    lines = ["| | x |", "|--|--|", "| a | 1 |", "| c | 3 |", "| *published* | *4* |"]
    assert readme.table(holes).splitlines() == lines
    (tmp_path / "docs/results/3b.md").write_text("nothing")
    with pytest.raises(ValueError, match="no table"):
        readme.filled(text, tmp_path)
