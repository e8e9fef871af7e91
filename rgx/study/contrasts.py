"""Whether one condition is rated above another: signed ranks over scenes, corrected for their number."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from rgx.report.claims_statistics import holm
from rgx.study.opinions import Opinions

LEAST = 6
"""Below six pairs the test cannot reach 5 %."""


class Contrast(NamedTuple):
    """Two conditions over the scenes both were rated on; effect: rank-biserial, above 0 where the first is.

    p: of the two-sided Wilcoxon signed-rank test; corrected: by Holm over all pairs; nan where too few.
    """

    first: str
    second: str
    scenes: int
    difference: float
    effect: float
    p: float
    corrected: float


def contrasts(opinions: Opinions) -> list[Contrast]:
    """Return every pair of conditions compared on the means of the scenes; ties are ranked (Pratt 1959)."""
    table = opinions.by_scene()
    pairs = list(itertools.combinations(range(len(opinions.names)), 2))
    tests = [_test(table[:, a] - table[:, b]) for a, b in pairs]
    known = [n for n, test in enumerate(tests) if np.isfinite(test[2])]
    corrected = dict(zip(known, holm([tests[n][2] for n in known]), strict=True))
    return [
        Contrast(
            opinions.names[a], opinions.names[b], *_scenes(table[:, a] - table[:, b]), *tests[n][1:],
            corrected.get(n, np.nan),
        )
        for n, (a, b) in enumerate(pairs)
    ]  # fmt: skip


def _scenes(differences: np.ndarray) -> tuple[int, float]:
    own = differences[np.isfinite(differences)]
    return len(own), float(own.mean()) if len(own) else np.nan


def _test(differences: np.ndarray) -> tuple[int, float, float]:
    """Return how many scenes both have, the rank-biserial correlation and p."""
    from scipy.stats import wilcoxon

    own = differences[np.isfinite(differences)]
    if np.count_nonzero(own) < LEAST:
        return len(own), rank_biserial(own), np.nan
    return len(own), rank_biserial(own), float(wilcoxon(own, zero_method="pratt").pvalue)


def rank_biserial(differences: np.ndarray) -> float:
    """Return the share of ranks above zero less that below, of differences not zero. Source: Kerby 2014."""
    from scipy.stats import rankdata

    own = differences[differences != 0]
    if not len(own):
        return 0.0
    ranks = np.asarray(rankdata(np.abs(own)))
    return float((ranks[own > 0].sum() - ranks[own < 0].sum()) / ranks.sum())
