"""Whether a row differs from the full model over the seeds they share."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["supported", "refuted", "undecided"]
LEVEL = 0.05


@dataclass(frozen=True)
class Test:
    """A paired test: its name in print, the fewest pairs it can say anything with, and its p value."""

    label: str
    least: int
    p_value: Callable[[Sequence[float], Sequence[float]], float]


def paired_t(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the two-sided p of Student's t over pairs whose differences vary."""
    from scipy.special import stdtr  # three times as fast to import as scipy.stats with the test itself

    differences = [a - b for a, b in zip(first, second, strict=True)]
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    return 2.0 * float(stdtr(len(differences) - 1, -abs(statistics.fmean(differences) / error)))


def wilcoxon(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the exact two-sided p of Wilcoxon's signed ranks; pairs that tie are left out."""
    from scipy.stats import wilcoxon as signed_ranks

    return float(signed_ranks(first, second, method="exact", zero_method="wilcox").pvalue)


def sign(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the exact two-sided p of the sign test; pairs that tie are left out."""
    from scipy.stats import binomtest

    higher = sum(a > b for a, b in zip(first, second, strict=True))
    lower = sum(a < b for a, b in zip(first, second, strict=True))
    return float(binomtest(higher, higher + lower).pvalue)


TESTS = {
    "paired_t": Test("paired t-test", 3, paired_t),
    "wilcoxon": Test("exact Wilcoxon signed-rank test", 6, wilcoxon),
    "sign": Test("exact sign test", 6, sign),
}
"""Below six pairs neither rank nor sign test can reach p < 0.05."""


def compare(test: Test, row: Mapping[int, float], ours: Mapping[int, float]) -> tuple[float, int] | None:
    """Return p and the number of seeds both have; None with too few, or where differences do not vary.

    row, ours: seed → value. Differences that are all alike come from rounding or from one shared run,
    not from replicates.
    """
    seeds = sorted(row.keys() & ours.keys())
    differences = [row[seed] - ours[seed] for seed in seeds]
    if len(seeds) < test.least or math.isclose(min(differences), max(differences), abs_tol=1e-12):
        return None
    return test.p_value([row[seed] for seed in seeds], [ours[seed] for seed in seeds]), len(seeds)
