"""What a trial scored on a rung, read from the manifests of its stages."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from rgx.errors import InputError, NotFiniteError
from rgx.store.manifests import manifest, part
from rgx.store.records import Score
from rgx.sweep.search.plan import Rung
from rgx.sweep.search.spec import Search

COSTS: dict[str, Callable[[float, float], float]] = {
    "down": lambda value, reference: value,
    "up": lambda value, reference: -value,
    "reference": lambda value, reference: abs(value - reference),
}
"""What a value costs, by its metric's direction; with what the reference scores."""


def score_of(search: Search, rung: Rung, store: Path) -> Score:
    """Return a finished rung's score, the mean over its seeds.

    Seeds that share an artifact are one number, as in a table. Raises NotFiniteError for no number, and
    InputError for one of the test split, where the search does not choose by that.
    """
    values, references = [], []
    for key in dict.fromkeys(rung.ends(search.stage)):
        outputs = part(manifest(store, search.stage, key), "outputs")
        if part(outputs, "metrics", search.metric).get("split") == "test" and not search.on_test:
            raise InputError(f"{search.stage}/{search.metric} came out as a score of the test split")
        values.append(_number(part(outputs, "scores").get(search.metric)))
        references.append(_number(part(outputs, "references").get(search.metric)))
    value, reference = fmean(values), fmean(references)
    cost = COSTS[search.direction](value, reference)
    if not (math.isfinite(value) and math.isfinite(cost)):
        raise NotFiniteError(f"{search.stage}/{search.metric} is {value}, its reference {reference}")
    return Score(value=value, cost=cost)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
