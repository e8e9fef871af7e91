"""The report: marks, holes, escapes, formats, provenance and errors, over a made-up store."""

from __future__ import annotations

import csv
import itertools
import json
import re
import statistics
import subprocess
import sys
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from keyed import digest, manifest_of
from little import command

from rgx.errors import InputError
from rgx.report import results
from rgx.report.agreement import Agreement, agreement, agreement_by_seed, printed
from rgx.report.definition import load
from rgx.report.escape import escape_markdown, escape_tex
from rgx.report.gather import gather
from rgx.report.render import render, stands
from rgx.report.statistics import marks, summarise
from rgx.report.summary import terminal_summary

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[2]
FGD = {"label": "FGD", "direction": "down", "unit": "", "decimals": 2, "protocol": "speech-driven"}
DIVERSITY = FGD | {"label": "Div.", "direction": "reference"}
PCM = FGD | {"label": "PCM", "direction": "up", "decimals": 3}
METRICS = {"fgd": FGD, "diversity": DIVERSITY, "pcm": PCM}
Scores = dict[tuple[str, int], dict[str, float] | None]


def build(
    root: Path,
    scores: Scores,
    panel: dict[str, Any],
    name: str = "small",
    metrics: dict[str, Any] = METRICS,
    references: dict[str, float] | None = None,
) -> tuple[Path, Path]:
    """Write a store with one panel `3b`; None leaves a row without manifest. Returns report and store."""
    store, rows = root / "store", []
    for (row, seed), values in scores.items():
        key = digest(f"{row}{seed}")
        rows.append(
            {
                "panel": "3b",
                "row": row,
                "seed": seed,
                "stages": {"judge": digest("judge"), "motion_scores": key},
            }
        )
        if values is not None:
            path = store / "motion_scores" / key[:16] / "manifest.json"
            path.parent.mkdir(parents=True)
            path.write_text(
                json.dumps(
                    manifest_of(
                        "motion_scores",
                        key,
                        seconds=1.0,
                        outputs={
                            "scores": values,
                            "references": references or {},
                            "metrics": {m: metrics[m] for m in values},
                        },
                    )
                )
            )
    (store / "sweeps").mkdir(parents=True)
    seeds = sorted({seed for _, seed in scores})
    (store / "sweeps" / f"{name}.json").write_text(json.dumps({"name": name, "seeds": seeds, "rows": rows}))
    report = root / "reports" / f"{name}.yaml"
    report.parent.mkdir()
    report.write_text(
        yaml.safe_dump(
            {"sweep": f"sweeps/{name}.yaml", "panels": {"3b": {"caption": "Motion."} | panel}},
            sort_keys=False,
        )
    )
    return report, store


def written(root: Path, *args: Any, **kwargs: Any) -> dict[str, str]:
    """Build, render and read every file."""
    report, store = build(root, *args, **kwargs)
    return {path.name: path.read_text(encoding="utf-8") for path in render(report, store, root / "out")}


SMALL: Scores = {
    ("base_line", 0): {"fgd": 4.0, "diversity": 15.0, "pcm": 0.25},
    ("base_line", 1): {"fgd": 5.0, "diversity": 17.0, "pcm": 0.75},
    ("+RVQ", 0): {"fgd": 2.004, "diversity": 13.5, "pcm": 0.5},
    ("+RVQ", 1): {"fgd": 2.0, "diversity": 13.5, "pcm": 0.75},
    ("+distill", 0): {"fgd": 2.001, "diversity": 10.0, "pcm": 0.75},
    ("w/o res", 0): None,
}
PANEL = {
    "columns": ["fgd", "diversity", "pcm"],
    "ours": "+distill",
    "note": "50% of R&D.",
    "published": {"base_line": {"fgd": 262.675, "pcm": 0.279}, "+distill": {"fgd": 1.303, "pcm": 0.582}},
    "measured_alike": ["fgd", "pcm"],
}
REAL = {"fgd": 0.25, "diversity": 14.0, "pcm": 1.0}


@pytest.mark.parametrize("kind", ["tex", "md", "csv"])
def test_golden(tmp_path: Path, kind: str) -> None:
    render(GOLDEN / "golden.yaml", GOLDEN / "store", tmp_path)
    made = (tmp_path / "golden" / f"3b.{kind}").read_bytes()
    assert made == (GOLDEN / "expected" / f"3b.{kind}").read_bytes()


@pytest.mark.parametrize(
    "part",
    [
        "**2.00** ± 0.00 | **13.5**",  # a tie of the best: here and in the next row
        "**2.00** ± 0.00 | 10.0 ± 0.5",
        "| --",  # a hole
        "FVD-random† ↓",  # a stand-in
        "*262.675* (-257.51)",  # 31/6 less what was published
        "<u>5.17</u> ± 1.26‡",  # 4, 5 and 6.5 have the sample deviation 1.258
        "**0.00**",  # a mean of -0.001, 0 and 0.001 has no sign
        "w/o 50% \\& #1\\_a",
    ],
)
def test_the_golden_table_has_what_is_hard(part: str) -> None:
    text = (GOLDEN / "expected" / "3b.md").read_text(encoding="utf-8")
    assert part in " ".join(text.split())


def several(root: Path) -> tuple[Path, Path]:
    """Write a store with two sweeps that both have a panel 3b, the second also 3z, and a report of both."""
    report, store = build(root, {("a", 0): {"fgd": 1.0}, ("b", 0): {"fgd": 2.0}}, {"columns": ["fgd"]})
    first = json.loads((store / "sweeps" / "small.json").read_text())
    rows = [first["rows"][1] | {"panel": panel, "row": "c"} for panel in ("3b", "3z")]
    other = {"name": "other", "seeds": [0, 7], "rows": rows, "seed_scope": "a seed repeats the last stage"}
    (store / "sweeps" / "other.json").write_text(json.dumps(other))
    report = report.with_name("both.yaml")
    report.write_text(
        "sweep: [sweeps/small.yaml, sweeps/other.yaml]\n"
        "panels:\n"
        "  3b: {caption: Of the first., columns: [fgd]}\n"
        "  3z:\n"
        "    sweep: sweeps/other.yaml\n"
        "    caption: Of the second.\n"
        "    columns: [fgd]\n"
    )
    return report, store


def test_a_report_of_several_sweeps(tmp_path: Path) -> None:
    report, store = several(tmp_path)
    files = {path.name: path.read_text(encoding="utf-8") for path in render(report, store, tmp_path / "out")}
    assert (tmp_path / "out" / "both" / "3z.md").is_file() and "combined.tex" in files
    assert [line["row"] for line in csv.DictReader(files["3b.csv"].splitlines())] == ["a", "b"]
    assert [line["row"] for line in csv.DictReader(files["3z.csv"].splitlines())] == ["c"]
    assert "each seed repeats the whole pipeline" in files["3b.md"]
    assert "a seed repeats the last stage" in files["3z.md"]
    origin = json.loads(files["provenance.json"])
    assert (origin["name"], origin["sweep"]) == ("both", ["sweeps/small.yaml", "sweeps/other.yaml"])
    assert {(row["row"], row["sweep"]) for row in origin["rows"]} == {
        ("3b/a", "small"), ("3b/b", "small"), ("3z/c", "other")
    }  # fmt: skip
    report.write_text(
        report.read_text().replace("{caption: Of the first", "{sweep: sweeps/other.yaml, caption: Of")
    )
    render(report, store, tmp_path / "out")
    assert "3b,c," in (tmp_path / "out" / "both" / "3b.csv").read_text()


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("sweep: sweeps/other.yaml", "sweep: sweeps/othr.yaml", 5, "did you mean 'sweeps/other.yaml'?"),
        ("[sweeps/small.yaml, sweeps/other.yaml]", "[]", 1, "expected a sweep file or a list of them"),
        ("[sweeps/small.yaml, sweeps/other.yaml]", "{a: b}", 1, "expected a sweep file or a list of them"),
        ("sweeps/small.yaml", "sweeps/other.yaml", 1, "a sweep is given twice"),
        ("sweeps/small.yaml", "again/other.yaml", 1, "are both named 'other'"),
    ],
)
def test_wrong_sweeps_are_said(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    report, store = several(tmp_path)
    report.write_text(report.read_text().replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        render(report, store, tmp_path / "out")
    assert str(caught.value).startswith(f"{report}:{line}: ") and said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_sweep_that_has_not_run_is_said(tmp_path: Path) -> None:
    report, store = several(tmp_path)
    (store / "sweeps" / "other.json").unlink()
    with pytest.raises(InputError, match="no sweep 'other' has run in this store"):
        render(report, store, tmp_path / "out")


@pytest.mark.parametrize(
    ("values", "direction", "expected"),
    [
        ([1.0, 2.0, 3.0], "down", ["best", "second", ""]),
        ([1.0, 2.0, 3.0], "up", ["", "second", "best"]),
        ([1.001, 1.004, 1.01], "down", ["best", "best", "second"]),
        ([1.0, 1.011, 1.009, 2.0], "down", ["best", "second", "second", ""]),
        ([1.0, None, 2.0], "up", ["second", "", "best"]),
        ([1.0, None], "up", ["", ""]),
        ([1.0, 1.0], "up", ["best", "best"]),
        ([-0.001, 0.001, 1.0], "down", ["best", "best", "second"]),
        ([1.0, 2.0], None, ["", ""]),
    ],
)
def test_marks_by_hand(values: list[float | None], direction: Any, expected: list[str]) -> None:
    assert marks(values, direction, 2) == expected


def test_marks_nearest_to_the_reference() -> None:
    assert marks([13.0, 15.0, 14.6, 18.0], "reference", 2, [14.0] * 4) == ["second", "second", "best", ""]
    assert marks([13.0, 15.0], "reference", 2, [None, None]) == ["", ""]
    assert marks([13.9961, 14.0], "reference", 2, [14.0] * 2) == ["best", "best"]


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=9),
    st.sampled_from(["down", "up", "reference"]),
    st.integers(0, 4),
    st.floats(-100, 100),
)
def test_marks_hold_at_the_printed_precision(
    values: list[float], direction: Any, decimals: int, reference: float
) -> None:
    found = marks(values, direction, decimals, [reference] * len(values))
    shown = [printed(value, decimals) for value in values]
    centre = printed(reference, decimals)
    costs = [{"down": one, "up": -one, "reference": abs(one - centre)}[direction] for one in shown]
    order = sorted(set(costs))
    for cost, mark in zip(costs, found, strict=True):
        expected = "best" if cost == order[0] else "second" if cost == order[1] else ""
        assert mark == expected
    again = marks([float(one) for one in shown], direction, decimals, [float(centre)] * len(values))
    assert again == found


def test_agreement_counts_pairs() -> None:
    paper = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 1.0}
    # Of the orders of four rows, each published pair but that of c and d holds in half.
    assert agreement(paper, {"a": 30.0, "b": 1.0, "c": 2.0, "d": 0.5}, 3) == Agreement(4, 5, 5, (0, 5))
    # Both print as 1.000: no order of them has the pair.
    assert agreement(paper, {"a": 1.0, "b": 1.0001}, 3) == Agreement(0, 1, 5)


def test_chance_is_that_of_all_orders() -> None:
    paper = {name: float(place) for place, name in enumerate("abcde")}
    whole = agreement(paper, paper, 3)
    # Kendall: of 120 orders of five rows 1, 4, 9, 15, … have 0, 1, 2, 3, … pairs, and as many the other way.
    assert (whole.reproduced, whole.comparable, whole.chance) == (10, 10, (1, 9))
    four = {name: paper[name] for name in "abcd"}
    assert agreement(four, four, 3).chance == (0, 6)  # 1 order of 24 has them all: more than one in forty
    many = {str(number): float(number) for number in range(12)}
    # Of twelve rows a normal approximation serves: 33 ± 1.96 · √(12·11·29/72).
    assert agreement(many, many, 3).chance == pytest.approx((33 - 14.3, 33 + 14.3), abs=2)


def test_agreement_of_single_seeds_has_a_range() -> None:
    paper = {"a": 1.0, "b": 2.0, "c": 3.0}
    ours = {"a": {0: 1.0, 1: 4.5}, "b": {0: 2.0, 1: 4.0}, "c": {0: 6.0, 1: 6.0, 2: 0.0}}
    whole = agreement_by_seed(paper, ours, 1)
    assert (whole.reproduced, whole.seeds) == (3, (2, 3))
    assert str(whole) == "3 of 3 (chance 0 to 3, single seeds 2 to 3)"
    assert agreement_by_seed(paper, {"a": {0: 1.0}, "b": {0: 2.0}}, 1).seeds is None
    assert agreement_by_seed(paper, {}, 1) == Agreement(0, 0, 3)


def test_summary_uses_the_sample_deviation() -> None:
    assert summarise([1.0, 3.0]) == (2.0, pytest.approx(2**0.5), 2)
    assert summarise([1.0]) == (1.0, None, 1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_summaries_are_those_of_numpy(values: list[float]) -> None:
    mean, std, n = summarise(values)
    assert n == len(values) and mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    if n == 1:
        assert std is None
    else:
        assert std == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-6)


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_rounding_is_to_the_nearest_with_even_halves_and_no_negative_zero(
    value: float, decimals: int
) -> None:
    exact = Decimal(value)
    expected = exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    found = printed(value, decimals)
    assert found == expected and str(found).count("-0") <= (found != 0)
    assert len(f"{found:f}".partition(".")[2]) == decimals
    assert printed(float(found), decimals) == found


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 5), min_size=2), st.integers(0, 3))
def test_agreement_is_that_of_kendall(published: dict[str, int], decimals: int) -> None:
    rows = list(published)
    ours = {row: float((published[row] * 7 + place * 3) % 5) for place, row in enumerate(rows)}
    found = agreement({row: float(value) for row, value in published.items()}, ours, decimals)
    both = list(itertools.combinations(rows, 2))
    signs = [np.sign(published[a] - published[b]) * np.sign(ours[a] - ours[b]) for a, b in both]
    ordered = sum(published[a] != published[b] for a, b in both)
    counts = (found.reproduced, found.comparable, found.published)
    assert counts == (sum(sign > 0 for sign in signs), ordered, ordered)


def test_markdown(tmp_path: Path) -> None:
    text = written(tmp_path, SMALL, PANEL, references=REAL)["3b.md"]
    for part in (
        "FGD ↓",
        "Div. →",
        "PCM ↑",
        "**2.00** ± 0.00",
        "**2.00** (n=1)",
        "<u>4.50</u> ± 0.71",
        "base\\_line",
        "+distill (ours)",
        "*262.675*",
        "| *1.303* ",
        "| --",
        "n = 1 to 2 seeds",
        "Real",
        "→ marks",
    ):
        assert part in text, part


def test_published_row_absent_from_sweep_is_a_hole(tmp_path: Path) -> None:
    panel = PANEL | {"published": {"+distil": {"fgd": 1.303}}}
    files = written(tmp_path, SMALL, panel)
    assert any(line.startswith("| +distil ") and "--" in line for line in files["3b.md"].splitlines())
    assert "did you mean '+distill'?" in files["index.md"]


def test_a_column_that_only_the_paper_has_says_so_and_one_that_nobody_has_goes(tmp_path: Path) -> None:
    published = {"a": {"fgd": 3.0, "vqa": 91.5}, "b": {"fgd": 1.0, "vqa": 90}}
    panel = {
        "columns": ["fgd", "vqa", "opinion"], "published": published,
        "heads": {"vqa": "VQA ↑", "fgd": "Distance"}, "measured_alike": ["fgd"],
    }  # fmt: skip
    files = written(tmp_path, {("a", 0): {"fgd": 2.0}, ("b", 0): {"fgd": 1.0}}, panel)
    table = files["3b.md"]
    assert "| Distance ↓ " in table and "| VQA ↑ " in table and "opinion" not in table
    assert "*91.5*" in table and "*90*" in table and "*1.0* (+0.00)" in table
    assert "so in order only" not in table
    assert "VQA: published numbers only, no finished stage measures it." in table
    assert "VQA" not in table[table.index("published order") :].splitlines()[0]
    assert "column 'opinion' is in no finished manifest" in files["index.md"]
    assert "opinion" not in files["3b.csv"] and "opinion" not in files["3b.tex"]


@pytest.mark.parametrize(
    ("written_as", "shown"), [("27.20", "27.20"), ("387.0500", "387.0500"), ("4", "4"), (".50", "0.50")]
)
def test_a_published_number_is_printed_as_the_file_has_it(
    tmp_path: Path, written_as: str, shown: str
) -> None:
    panel = {"columns": ["fgd"], "published": {"a": {"fgd": 0.125}}, "measured_alike": ["fgd"]}
    report, store = build(tmp_path, {("a", 0): {"fgd": 2.0}}, panel)
    report.write_text(report.read_text().replace("fgd: 0.125", f"fgd: {written_as}"))
    render(report, store, tmp_path / "out")
    folder = tmp_path / "out" / "small"
    assert f"*{shown}* (" in (folder / "3b.md").read_text()
    assert rf"\rgxpublished{{{shown}}}\rgxdelta" in (folder / "3b.tex").read_text()
    assert shown in re.sub("<[^>]+>", "", (folder / "index.html").read_text())


def test_a_difference_is_printed_only_where_both_were_measured_alike(tmp_path: Path) -> None:
    published = {"a": {"fgd": 1.0, "pcm": 0.25, "stand": 1.0}}
    metrics = METRICS | {"stand": FGD | {"label": "Stand-in", "stand_in": True}}
    panel = {"columns": ["fgd", "pcm", "stand"], "published": published, "measured_alike": ["pcm", "stand"]}
    scores: Scores = {("a", 0): {"fgd": 2.0, "pcm": 0.5, "stand": 2.0}}
    report, store = build(tmp_path, scores, panel, metrics=metrics)
    render(report, store, tmp_path / "out")
    text = (tmp_path / "out" / "small" / "3b.md").read_text()
    assert "*0.25* (+0.250)" in text
    # A stand-in is never measured alike, whatever the report says.
    assert text.count("(+") == 1
    assert "Published, but measured otherwise: FGD, Stand-in; these compare in order only." in text
    report.write_text(report.read_text().replace("measured_alike:\n    - pcm", "measured_alike:\n    - pmc"))
    with pytest.raises(InputError, match=r"measured_alike.*did you mean 'pcm'"):
        load(report)


def test_each_measure_has_the_reference_that_is_its_own(tmp_path: Path) -> None:
    floor = FGD | {"reference_line": "Floor", "reference_is": "one half of it against the other"}
    files = written(tmp_path, SMALL, PANEL, references=REAL, metrics=METRICS | {"fgd": floor})
    lines = {line.split("|")[1].strip(): line for line in files["3b.md"].splitlines() if line.startswith("|")}
    assert [cell.strip() for cell in lines["Real"].split("|")[2:-1]] == ["", "14.00", "1.000"]
    assert [cell.strip() for cell in lines["Floor"].split("|")[2:-1]] == ["0.25", "", ""]
    assert "Floor of FGD: one half of it against the other." in files["3b.md"]
    assert re.search(r"^Floor & .*0\.25", files["3b.tex"], re.MULTILINE)
    assert re.search(r'class="label">Real<.*class="label">Floor<', files["index.html"], re.DOTALL)


def test_what_was_published_of_the_reference_stands_under_its_line(tmp_path: Path) -> None:
    panel = {"columns": ["fgd", "pcm"], "published": {"Real": {"pcm": 0.25}, "a": {"pcm": 0.5}}}
    files = written(tmp_path, {("a", 0): {"fgd": 2.0, "pcm": 0.5}}, panel, references=REAL)
    lines = [line.split("|")[1:-1] for line in files["3b.md"].splitlines() if line.startswith("|")]
    lines = [[cell.strip() for cell in line] for line in lines]
    real = next(number for number, line in enumerate(lines) if line[0] == "Real")
    assert lines[real + 1] == ["*published*", "", "*0.25*"]
    assert len([line for line in lines if line[0] == "Real"]) == 1, "it is no row of its own"
    assert re.search(r"^Real & .*\n.*published.*0\.25", files["3b.tex"], re.MULTILINE)
    assert re.search(r'class="label">Real<span class="published">published<', files["index.html"])


def test_a_sentence_tells_columns_of_one_label_apart_by_their_group(tmp_path: Path) -> None:
    twin = {"columns": ["fgd", "twin"], "groups": {"One": ["fgd"], "Other": ["twin"]}, "ours": "a"}
    twin |= {"claims": {"a < b in fgd": None, "a < b in twin": None}}
    scores: Scores = {("a", 0): {"fgd": 2.0, "twin": 1.0}, ("b", 0): {"fgd": 3.0, "twin": 2.0}}
    files = written(tmp_path, scores, twin, metrics=METRICS | {"twin": FGD})
    assert "in FGD (One)" in files["claims.md"] and "in FGD (Other)" in files["claims.md"]


def test_a_row_that_is_held_against_its_own_reference_is_named(tmp_path: Path) -> None:
    scores: Scores = {(row, 0): {"fgd": 2.0, "pcm": 0.5} for row in ("a", "b", "c")}
    report, store = build(tmp_path, scores, {"columns": ["fgd", "pcm"]}, references=REAL)
    path = store / "motion_scores" / digest("b0")[:16] / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["outputs"]["references"]["pcm"] = 0.75
    path.write_text(json.dumps(manifest))
    render(report, store, tmp_path / "out")
    text = (tmp_path / "out" / "small" / "3b.md").read_text()
    assert re.search(r"^\| Real .*1\.000", text, re.MULTILINE), "the line stands for most rows"
    assert "b is held against its own: Real of PCM 0.750." in text


def test_what_is_best_by_one_run_says_so(tmp_path: Path) -> None:
    remark = "Marked by one run a row (n = 1): another seed may mark others."
    single: Scores = {("a", 0): {"fgd": 1.0}, ("b", 0): {"fgd": 2.0}}
    assert remark in written(tmp_path / "one", single, {"columns": ["fgd"]})["3b.md"]
    more = single | {("a", 1): {"fgd": 1.5}, ("b", 1): {"fgd": 2.5}}
    assert remark not in written(tmp_path / "two", more, {"columns": ["fgd"]})["3b.md"]
    alone: Scores = {("a", 0): {"fgd": 1.0}}
    assert remark not in written(tmp_path / "alone", alone, {"columns": ["fgd"]})["3b.md"]


def test_everything_missing_is_a_table_of_holes(tmp_path: Path) -> None:
    files = written(tmp_path, {("a", 0): None}, {"columns": ["fgd"]})
    assert "a & -- \\\\" in files["3b.tex"] and "No row has run yet." in files["3b.md"]
    assert "n = 0" not in files["3b.md"]


def test_a_hole_says_which_run_failed_and_why_until_it_has_run(tmp_path: Path) -> None:
    numbers = {("a", 0): None, ("b", 0): None, ("b_2", 0): None, ("c", 0): {"fgd": 1.0}}
    report, store = build(tmp_path, numbers, {"columns": ["fgd"], "labels": {"b": "B & b"}})
    record = json.loads((store / "sweeps/small.json").read_text())
    failed = {row["row"]: row["stages"]["motion_scores"] for row in record["rows"] if row["row"] != "a"}
    for row, key in failed.items():
        folder = store / "running" / f"motion_scores-{key[:16]}"
        folder.mkdir(parents=True)
        reason = "out of GPU memory:\nwanted 3_GB" if row != "c" else "it failed once"
        (folder / "failure.json").write_text(json.dumps({"reason": reason}))
    render(report, store, tmp_path / "out")
    folder, said = tmp_path / "out/small", "failed at motion\\_scores: out of GPU memory: wanted 3\\_GB."
    table = (folder / "3b.md").read_text()
    assert f"-- marks a number that has not been measured. B \\& b, b\\_2 {said}" in table
    assert "it failed once" not in table and table.count("failed at") == 1
    assert rf"B \& b, b\_2 {said}" in " ".join((folder / "3b.tex").read_text().split())
    assert "B &amp; b, b_2 failed at motion_scores" in (folder / "index.html").read_text()
    (store / "running" / f"motion_scores-{failed['b'][:16]}" / "failure.json").write_text("{half")
    assert not stands(gather(report, store), tmp_path / "out"), "what failed is part of what a report says"
    render(report, store, tmp_path / "out")
    assert "b\\_2 failed at" in (folder / "3b.md").read_text() and "& b" not in said_after(folder)
    assert stands(gather(report, store), tmp_path / "out")


def test_what_a_store_says_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, store = build(tmp_path, {("a\x1b[2J", 0): {"fgd": 1.0}, ("b", 0): None}, {"columns": ["fgd"]})
    (made,) = store.glob("motion_scores/*/manifest.json")
    manifest = json.loads(made.read_text())
    manifest["outputs"]["notes"] = ["a note\x1b]0;title\x07 of elsewhere"]
    made.write_text(json.dumps(manifest))
    assert command("report", str(report), "--store", str(store), "--out", str(tmp_path / "out")) == 0
    told = capsys.readouterr().out
    assert "a note" in told and "of elsewhere" in told
    assert not set(told) & {"\x1b", "\x07"}


def said_after(folder: Path) -> str:
    return (folder / "3b.md").read_text().partition("has not been measured.")[2]


def test_scores_that_are_not_finite_are_holes(tmp_path: Path) -> None:
    files = written(tmp_path, {("a", 0): {"fgd": float("nan")}, ("b", 0): {"fgd": 1.0}}, {"columns": ["fgd"]})
    assert "a & -- \\\\" in files["3b.tex"] and "b & 1.00 \\\\" in files["3b.tex"]


@pytest.mark.parametrize(
    ("text", "latex", "markdown"),
    [
        ("a_b & 50% #1", r"a\_b \& 50\% \#1", r"a\_b \& 50% #1"),
        (
            "$x^2$ {y}~\\",
            r"\$x\textasciicircum{}2\$ \{y\}\textasciitilde{}\textbackslash{}",
            r"\$x^2\$ {y}\~\\",
        ),
        ("[a]|b*\nc", r"{[}a{]}\textbar{}b{*} c", r"\[a\]\|b\* c"),
    ],
)
def test_escape(text: str, latex: str, markdown: str) -> None:
    assert escape_tex(text) == latex
    assert escape_markdown(text) == markdown


def test_csv_and_comments_give_the_manifests_numbers(tmp_path: Path) -> None:
    files = written(tmp_path, SMALL, PANEL, references=REAL)
    lines = list(csv.DictReader(files["3b.csv"].splitlines()))
    found = {(line["row"], int(line["seed"]), line["metric"]): line for line in lines if line["seed"]}
    assert len(found) == 15 and sum(not line["seed"] for line in lines) == 3
    for (row, seed), values in SMALL.items():
        for metric, value in (values or {}).items():
            line = found[row, seed, metric]
            assert float(line["value"]) == value and float(line["reference"]) == REAL[metric]
            assert line["key"] == digest(f"{row}{seed}") and line["judge"] == digest("judge")
            comment = f"% 3b/{row} seed {seed}: {metric} = {value!r} from motion_scores/{line['key']}"
            assert comment in files["3b.tex"].splitlines()
    assert float(found["base_line", 0, "fgd"]["std"]) == statistics.stdev([4.0, 5.0])


def test_a_notebook_gets_the_same_numbers_as_a_data_frame(tmp_path: Path) -> None:
    _, store = build(tmp_path, SMALL, PANEL, references=REAL)
    (name,) = [path.stem for path in (store / "sweeps").glob("*.json")]
    means = results.load(store, name).frame().groupby(["row", "metric"])["value"].mean()
    assert means["base_line", "fgd"] == statistics.mean([4.0, 5.0])


def test_provenance_names_what_is_missing(tmp_path: Path) -> None:
    rows = json.loads(written(tmp_path, SMALL, PANEL)["provenance.json"])["rows"]
    assert [row["row"] for row in rows][-1] == "3b/w/o res"
    assert rows[-1]["missing"] == ["judge", "motion_scores"] and rows[-1]["numbers"] == {}
    assert rows[0]["numbers"]["motion_scores/fgd"] == {"value": 4.0, "key": digest("base_line0")}


def test_seeds_that_share_an_artifact_are_not_replicates(tmp_path: Path) -> None:
    report, store = build(tmp_path, {("a", 0): {"fgd": 1.0}}, {"columns": ["fgd"]})
    record = store / "sweeps" / "small.json"
    data = json.loads(record.read_text())
    record.write_text(json.dumps(data | {"rows": [data["rows"][0] | {"seed": seed} for seed in (0, 1)]}))
    render(report, store, tmp_path / "out")
    assert "n = 1 run per row" in (tmp_path / "out" / "small" / "3b.md").read_text()


def test_stand_in_has_a_dagger(tmp_path: Path) -> None:
    metrics = {"fvd_random": FGD | {"label": "FVD", "unit": "px", "stand_in": True, "protocol": "random"}}
    files = written(tmp_path, {("a", 0): {"fvd_random": 1.0}}, {"columns": ["fvd_random"]}, metrics=metrics)
    assert r"FVD (px)\rgxstandin{} $\downarrow$" in files["3b.tex"]
    assert r"\dag{} FVD is a stand-in: random." in files["3b.tex"] and "FVD (px)† ↓" in files["3b.md"]


def test_two_stages_with_one_metric_must_be_told_apart(tmp_path: Path) -> None:
    report, store = build(tmp_path, {("a", 0): {"fgd": 1.0}}, {"columns": ["fgd"]})
    key, record = digest("other"), store / "sweeps" / "small.json"
    data = json.loads(record.read_text())
    data["rows"][0]["stages"]["video_scores"] = key
    record.write_text(json.dumps(data))
    path = store / "video_scores" / key[:16] / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(manifest_of("video_scores", key, outputs={"scores": {"fgd": 7.0}})))
    with pytest.raises(InputError, match="'motion_scores/fgd' or 'video_scores/fgd'"):
        render(report, store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    report.write_text(report.read_text().replace("- fgd", "- video_scores/fgd"))
    render(report, store, tmp_path / "out")
    assert "a & 7.000 \\\\" in (tmp_path / "out" / "small" / "3b.tex").read_text()


def test_a_panel_the_sweep_lacks_is_skipped(tmp_path: Path) -> None:
    report, store = build(tmp_path, SMALL, PANEL)
    data = yaml.safe_load(report.read_text())
    data["panels"]["3z"] = data["panels"]["3b"]
    report.write_text(yaml.safe_dump(data))
    paths = render(report, store, tmp_path / "out")
    assert [path.name for path in paths if path.suffix != ".html"] == [
        "3b.tex",
        "3b.md",
        "3b.csv",
        "index.md",
        "provenance.json",
    ]
    index = paths[0].with_name("index.md")
    assert "Panel 3z is in the report but not in the sweep; skipped." in index.read_text()
    assert sorted(path.name for path in paths[0].parent.iterdir()) == sorted(path.name for path in paths)


def test_render_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    report, store = build(tmp_path, SMALL, PANEL)
    first = [path.read_bytes() for path in render(report, store, tmp_path / "out")]
    assert first == [path.read_bytes() for path in render(report, store, tmp_path / "out")]


def test_terminal_summary(tmp_path: Path) -> None:
    text = terminal_summary(*build(tmp_path, SMALL, PANEL, references=REAL))
    assert "2.00* ± 0.00" in text and "FGD ↓" in text and "* best, + second best" in text


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("sweep: s.yaml\npanels:\n  3b:\n    caption: C\n    colums: [fgd]\n", 5, "did you mean 'columns'?"),
        ("sweep: s.yaml\npanel: {}\n", 2, "did you mean 'panels'?"),
        ("sweep: s.yaml\npanels:\n  3b:\n    columns: [fgd]\n", 3, "'panels/3b/caption' is missing"),
        (
            (
                "sweep: s.yaml\npanels:\n  3b:\n    caption: C\n    columns: [fgd]\n    published:\n"
                "      a: {fdg: 1}\n"
            ),
            7,
            "did you mean 'fgd'?",
        ),
        (
            "sweep: s.yaml\npanels:\n  3b:\n    caption: C\n    columns: [fgd]\n    heads: {fdg: FGD}\n",
            6,
            "did you mean 'fgd'?",
        ),
        (
            (
                "sweep: s.yaml\npanels:\n  3b:\n    caption: C\n    columns: [fgd]\n"
                "    published:\n      a:\n"
                "        fgd: low\n"
            ),
            8,
            "'low'",
        ),
        (
            "sweep: s.yaml\npanels:\n  3b:\n    caption: C\n    caption: D\n    columns: [fgd]\n",
            5,
            "written twice",
        ),
        ("sweep: s.yaml\npanels:\n  a/b:\n    caption: C\n    columns: [fgd]\n", 3, "letters, digits"),
        ("sweep: s.yaml\npanels:\n  index:\n    caption: C\n    columns: [fgd]\n", 3, "files of that name"),
        (
            "sweep: s.yaml\npanels:\n  a:\n    caption: C\n    columns: [fgd]\n    order: as_swep\n",
            6,
            "did you mean 'as_swept'?",
        ),
        (
            "sweep: s.yaml\npanels:\n  a:\n    caption: C\n    columns: [fgd]\n    test: paired\n",
            6,
            "did you mean 'paired_t'?",
        ),
        ("sweep: [\n", 2, "not YAML"),
        ("", 1, "expected the keys sweep, method, panels"),
    ],
)
def test_report_errors_name_file_line_and_spelling(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = tmp_path / "report.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load(path)
    lines = str(caught.value).splitlines()
    assert any(part.startswith(f"{path}:{line}: ") and said in part for part in lines)


ODD = {
    "seconds without end": {"seconds": 10**400},
    "infinite seconds": {"seconds": float("inf")},
    "a score without end": {"outputs": {"scores": {"fgd": 10**400}}},
    "references in a list": {"outputs": {"scores": {"fgd": 1.0}, "references": [1]}},
    "scores in a list": {"outputs": {"scores": [1]}},
    "metrics in a list": {"outputs": {"scores": {"fgd": 1.0}, "metrics": [1]}},
}


@pytest.mark.parametrize("change", ODD.values(), ids=list(ODD))
def test_a_manifest_that_holds_something_odd_breaks_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    report, store = build(
        tmp_path, {("odd", 0): {"fgd": 1.0}, ("sound", 0): {"fgd": 2.0}}, {"columns": ["fgd"]}
    )
    path = store / "motion_scores" / digest("odd0")[:16] / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (table,) = [path for path in render(report, store, tmp_path / "out") if path.name == "3b.md"]
    assert "2.00" in table.read_text()


def test_a_report_file_whose_aliases_grow_is_refused(tmp_path: Path) -> None:
    grow = ["  caption: &a0 [l, l, l, l, l, l, l, l, l]"]
    grow += [f"  k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    (tmp_path / "report.yaml").write_text("sweep: sweeps/a.yaml\npanels:\n" + "\n".join(grow))
    with pytest.raises(InputError, match="written out it would hold more than"):
        load(tmp_path / "report.yaml")


def test_an_unknown_sweep_is_an_error_and_a_foreign_manifest_a_hole(tmp_path: Path) -> None:
    report, store = build(tmp_path, {("a", 0): {"fgd": 1.0}}, {"columns": ["fgd"]})
    manifest = next((store / "motion_scores").glob("*/manifest.json"))
    manifest.write_text(manifest.read_text().replace(digest("a0"), digest("b0")))
    render(report, store, tmp_path / "out")
    table = (tmp_path / "out" / "small" / "3b.md").read_text()
    assert "a failed at motion\\_scores: damaged: its manifest is of" in table and "1.00" not in table
    report.write_text(report.read_text().replace("small", "smal"))
    with pytest.raises(InputError, match="did you mean 'small'"):
        render(report, store, tmp_path / "out")


def test_the_papers_report_loads() -> None:
    report = load(ROOT / "reports" / "ablation_table3.yaml")
    assert list(report.panels) == ["3a", "3b", "3c", "3d", "3e", "3f"]
    assert report.panels["3b"].published["baseline"] == {"fgd": 262.675, "diversity": 18.142, "pcm": 0.279}
    for name in ("3b", "3c", "3e", "3f"):
        assert report.panels[name].ours in report.panels[name].published
        assert len(report.panels[name].published) == 4


def test_a_rebuilt_system_stands_beside_the_published_one_it_is_like(tmp_path: Path) -> None:
    report = load(ROOT / "reports" / "table1.yaml")
    published = report.panels["table1"].published
    assert published["S2G-Diffusion"]["tracked_scores/fgd"] == 23.646
    assert published["ANGIE-style (rebuilt)"]["tracked_scores/pcm"] == 0.372
    assert {"MM-Diffusion-style, as published", "Ours"} < published.keys() and "ANGIE" not in published
    assert "3.2 s of speech" in report.panels["table1"].published_note
    source = (ROOT / "reports" / "table1.yaml").read_text()
    (tmp_path / "reports").mkdir()
    path = tmp_path / "reports" / "table1.yaml"
    path.write_text(source.replace("(rebuilt): ANGIE,", "(rebuilt): ANGI,"))
    with pytest.raises(InputError, match=r"'ANGI' is not published there; did you mean 'ANGIE'"):
        load(path)


@pytest.mark.slow
def test_render_imports_nothing_heavy() -> None:
    code = (
        "import sys, rgx.report.render\n"
        "assert not {'torch', 'ray', 'gin.torch', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
