"""The bootstrap of published orderings against windows written out twice and planted differences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from test_benchmarks import ROOT, load

from rgx.gesture.metrics.fgd import frechet
from rgx.report.definition import load as load_report

orderings = load("orderings")
RANDOM = np.random.default_rng(7)
CLIPS = ["a"] * 4 + ["b"] * 3 + ["c"] * 5
COUNT = np.array([2.0] * 4 + [0.0] * 3 + [1.0] * 5)


def written_out(x: np.ndarray) -> np.ndarray:
    return np.repeat(x, COUNT.astype(int), axis=0)


def test_windows_of_a_clip_are_drawn_together_and_the_first_line_is_all_of_them() -> None:
    counts = orderings.counts_of(CLIPS, 50)
    assert counts.shape == (51, 12) and (counts[0] == 1).all()
    for line in counts[1:]:
        each = [set(line[:4]), set(line[4:7]), set(line[7:])]
        assert all(len(of_clip) == 1 for of_clip in each) and sum(x for (x,) in each) == 3


def test_a_drawn_score_is_that_of_windows_written_out_as_often() -> None:
    values, weights = RANDOM.random(12), RANDOM.random(12)
    mean = np.average(written_out(values), weights=written_out(weights))
    assert orderings.means(values, weights, COUNT[None])[0] == pytest.approx(mean)
    real, generated = RANDOM.normal(size=(12, 3)), RANDOM.normal(1, 2, size=(12, 3))
    distance = frechet(written_out(real), written_out(generated))
    assert orderings.distances(real, generated, COUNT[None])[0] == pytest.approx(distance)
    pairs = [
        COUNT[i] * COUNT[j] * np.array([1, np.linalg.norm(real[i] - real[j])])
        for i, j in itertools.permutations(range(12), 2)
    ]
    pair_count, total = np.sum(pairs, axis=0)
    assert orderings.spreads(real, COUNT[None])[0] == pytest.approx(total / pair_count)


def test_an_ordering_holds_is_refuted_or_undecided_as_planted() -> None:
    shared = RANDOM.normal(0, 3, size=(3, 1001))

    def row(mean: float, noise: float) -> dict[int, np.ndarray]:
        apart = np.array([[-noise], [0.0], [noise]])
        return dict(enumerate(shared + mean + apart))

    scores = {("low", "x"): row(0, 0), ("high", "x"): row(1, 0.1), ("near", "x"): row(0.2, 1)}
    published = {"low": 1.0, "high": 2.0, "near": 2.0}
    verdicts = {(o.first, o.second): o for o in orderings.order("p", "x", published, scores)}
    assert {pair: o.verdict for pair, o in verdicts.items()} == {
        ("low", "high"): "holds",
        ("low", "near"): "undecided",
    }, "what is published alike is no ordering"
    assert verdicts["low", "high"].mean == pytest.approx(-1)
    (turned,) = orderings.order("p", "x", {"high": 1.0, "low": 2.0}, scores)
    assert turned.verdict == "refuted" and turned.low < turned.mean < turned.high
    assert not list(orderings.order("p", "x", {"low": 1.0, "absent": 2.0}, scores))


def test_table_1_is_ordered_by_the_rows_that_stand_for_published_systems() -> None:
    published = load_report(ROOT / "reports" / "table1.yaml").panels["table1"].published
    theirs, fgd = "MM-Diffusion-style, as published", orderings._published(published, "fgd")
    assert fgd["S2G-Diffusion"] == 23.646
    scores = {("Ours", "fgd"): {0: np.zeros(1001)}, (theirs, "fgd"): {0: np.ones(1001)}}
    (ordering,) = orderings.order("table1", "fgd", fgd, scores)
    assert (ordering.first, ordering.second, ordering.verdict) == ("Ours", theirs, "holds")
