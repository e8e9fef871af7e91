"""Significance against scipy, tables of critical values and counting by hand; and where none is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rgx.report.layout import caption, footnotes
from rgx.report.panel import Panel
from rgx.report.results import Measured, MetricFacts, Results, Run, SweepRow
from rgx.report.significance import TESTS, compare
from rgx.report.statistics import Table, assemble

FGD = {"fgd": MetricFacts(label="FGD", direction="down", decimals=2)}


def table_of(values: Mapping[str, list[float]], **panel: Any) -> Table:
    """Return a table of one metric from row → a value a seed."""
    rows = [
        SweepRow(panel="p", row=row, seed=seed, stages={"scores": f"{row}{seed}"})
        for row, held in values.items()
        for seed in range(len(held))
    ]
    lines = [
        Measured(
            "p", row.row, row.seed, "scores", "fgd", values[row.row][row.seed], None,
            f"{row.row}{row.seed}",
        )
        for row in rows
    ]  # fmt: skip
    results = Results(Run(name="s", seeds=[0], rows=rows), lines, {"scores/fgd": FGD["fgd"]})
    return assemble("p", Panel(caption="C.", columns=["fgd"], ours="ours", **panel), results)


def test_paired_t_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, deviation 1, t = 2·√3 at two degrees of freedom; p = 1 − t/√(t² + 2).
    found = compare(TESTS["paired_t"], {0: 2.0, 1: 4.0, 2: 6.0}, {0: 1.0, 1: 2.0, 2: 3.0})
    t = 2 * math.sqrt(3)
    assert found == (pytest.approx(1 - t / math.sqrt(t * t + 2)), 3)


def test_sign_and_wilcoxon_by_counting() -> None:
    row, ours = {seed: 1.0 + seed for seed in range(6)}, dict.fromkeys(range(6), 0.0)
    # All six differences have one sign: 2 of 64 outcomes are as far out.
    assert compare(TESTS["sign"], row, ours) == (pytest.approx(2 / 64), 6)
    assert compare(TESTS["wilcoxon"], row, ours) == (pytest.approx(2 / 64), 6)
    row[0] = -1.0  # one of six lower: twice (1 + 6) of 64 outcomes
    assert compare(TESTS["sign"], row, ours) == (pytest.approx(14 / 64), 6)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-999, 999), st.integers(-999, 999)), min_size=3, max_size=12))
def test_tests_agree_with_scipy(pairs: list[tuple[int, int]]) -> None:
    first = {seed: float(a) for seed, (a, _) in enumerate(pairs)}
    second = {seed: float(b) for seed, (_, b) in enumerate(pairs)}
    differences = [a - b for a, b in pairs]
    found = compare(TESTS["paired_t"], first, second)
    if len(set(differences)) == 1:
        assert found is None
        return
    p = stats.ttest_1samp(differences, 0).pvalue
    assert found is not None and found == (pytest.approx(p), len(pairs))
    assert compare(TESTS["paired_t"], second, first) == (pytest.approx(p), len(pairs))
    signs = [d for d in differences if d]
    if len(pairs) >= 6:
        least = min(sum(d > 0 for d in signs), sum(d < 0 for d in signs))
        exact = min(1.0, 2 * sum(math.comb(len(signs), k) for k in range(least + 1)) / 2 ** len(signs))
        held = compare(TESTS["sign"], first, second)
        assert held is not None and held[0] == pytest.approx(exact)


def test_no_test_without_replicates_that_vary() -> None:
    t = TESTS["paired_t"]
    assert compare(t, {0: 1.0, 1: 2.0}, {0: 3.0, 1: 5.0}) is None
    assert compare(t, {0: 1.0, 1: 2.0, 2: 3.0}, {0: 1.0, 1: 2.0, 5: 3.0}) is None
    assert compare(t, {0: 1.1, 1: 2.1, 2: 3.1}, {0: 1.0, 1: 2.0, 2: 3.0}) is None
    assert compare(TESTS["wilcoxon"], dict.fromkeys(range(5), 1.0), {s: float(s) for s in range(5)}) is None


def test_a_table_marks_what_differs_and_says_how() -> None:
    values = {"ours": [1.0, 1.2, 0.8], "far": [9.0, 9.3, 9.4], "near": [1.1, 1.0, 0.9], "short": [9.0, 9.1]}
    table = table_of(values)
    differs = {row: cells["fgd"].differs for row, cells in table.rows.items()}
    assert differs == {"far": True, "near": False, "short": False, "ours": False}
    assert list(table.rows)[-1] == "ours"
    assert table.rows["far"]["fgd"].p == pytest.approx(stats.ttest_rel(values["far"], values["ours"]).pvalue)
    assert "‡ marks p < 0.05 against ours by a two-sided paired t-test over n = 3 seeds" in caption(table)
    assert "not corrected for the 2 comparisons" in caption(table)
    assert not any("No significance" in note for note in footnotes(table))


def test_too_few_seeds_are_said_plainly() -> None:
    table = table_of({"ours": [1.0, 2.0], "far": [9.0, 9.5]})
    assert "‡" not in caption(table)
    assert "No significance is shown: a paired t-test takes at least 3 seeds a row." in footnotes(table)
    table = table_of({"ours": [1.0, 2.0, 3.0], "far": [9.0, 9.5, 7.0]}, test="wilcoxon")
    assert any("at least 6 seeds" in note for note in footnotes(table))
    table = table_of({"ours": [1.0, 2.0, 3.0], "far": [2.0, 3.0, 4.0]})
    assert "No significance is shown: no row differs from ours by seed over 3 seeds." in footnotes(table)
    assert not any("No significance" in note for note in footnotes(table_of({"ours": [], "far": []})))


def test_rows_keep_the_sweeps_order_where_asked() -> None:
    values = {"ours": [1.0], "b": [2.0], "a": [3.0]}
    assert list(table_of(values).rows) == ["b", "a", "ours"]
    assert list(table_of(values, order="as_swept").rows) == ["ours", "b", "a"]
