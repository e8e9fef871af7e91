"""How far raters agree: Krippendorff's alpha, with missing ratings, and intraclass correlations."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

Scale = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(ratings: np.ndarray, scale: Scale = "ordinal") -> float:
    """Return alpha of ratings (raters, units), nan where one is missing; nan without a unit rated twice.

    1 is agreement, 0 what chance gives. Source: Krippendorff 2011, "Computing Krippendorff's
    Alpha-Reliability", the coincidence matrix.
    """
    known = np.isfinite(ratings)
    units = known.sum(0) > 1
    if not units.any():
        return float("nan")
    values = np.unique(ratings[:, units][known[:, units]])
    counts = (ratings[None, :, units] == values[:, None, None]).sum(1).astype(float)
    sizes = counts.sum(0)
    coincidences = (counts / (sizes - 1)) @ counts.T - np.diag((counts / (sizes - 1)).sum(1))
    totals = coincidences.sum(1)
    distance = _distances(values, totals, scale)
    expected = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1)
    disagreement = float((expected * distance).sum())
    return 1 - float((coincidences * distance).sum()) / disagreement if disagreement else float("nan")


def _distances(values: np.ndarray, totals: np.ndarray, scale: Scale) -> np.ndarray:
    if scale == "ordinal":
        # Between two ranks lie all between them and half of each.
        middle = np.cumsum(totals) - totals / 2
        return np.square(middle[:, None] - middle[None, :])
    if scale == "interval":
        return np.square(values[:, None] - values[None, :])
    return (values[:, None] != values[None, :]).astype(float)


class Intraclass(NamedTuple):
    """Agreement of one rater, ICC(2,1), and of the mean of all, ICC(2,k)."""

    single: float
    mean: float


def intraclass(ratings: np.ndarray) -> Intraclass:
    """Return both correlations of complete ratings (raters, targets): two-way random, absolute agreement.

    Raters who lack a target are left out; nan with fewer than two of either. Source: Shrout and Fleiss 1979.
    """
    complete = ratings[np.isfinite(ratings).all(1)].T
    n, k = complete.shape
    if n < 2 or k < 2:
        return Intraclass(float("nan"), float("nan"))
    grand, of_targets, of_raters = complete.mean(), complete.mean(1), complete.mean(0)
    targets = k * np.square(of_targets - grand).sum() / (n - 1)
    raters = n * np.square(of_raters - grand).sum() / (k - 1)
    rest = np.square(complete - of_targets[:, None] - of_raters[None] + grand).sum() / ((n - 1) * (k - 1))
    single = (targets - rest) / (targets + (k - 1) * rest + k * (raters - rest) / n)
    return Intraclass(float(single), float((targets - rest) / (targets + (raters - rest) / n)))
