"""Ratings as a model of condition, rater and scene: Gaussian for the table, ordinal as a check on it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rgx.errors import InputError, NotMeasurableError, install_hint
from rgx.study.opinions import Opinions

if TYPE_CHECKING:
    import pandas


OPTIMISERS = ("lbfgs", "nm")
"""The default, BFGS, stopped early in 1 of 4 simulated studies and said so only in a warning."""


class ModelEffect(NamedTuple):
    """By how much the model puts a condition above another, its interval at 95 % and p, or nan."""

    condition: str
    effect: float
    low: float
    high: float
    p: float


class Modelled(NamedTuple):
    """Effects against `ours`, and the deviations of raters, scenes and what is left."""

    effects: list[ModelEffect]
    rater: float
    scene: float
    rest: float


def mixed_model(opinions: Opinions, ours: int) -> Modelled:
    """Return rating ~ condition + (1 | rater) + (1 | scene), fitted by restricted likelihood.

    Raises InputError without the extra `study`, NotMeasurableError where the fit does not converge.
    """
    frame, formula = _frame(opinions, ours)
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM
    except ImportError:
        raise InputError(f"mixed models need statsmodels: {install_hint('study')}") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a variance at its bound, which the deviations tell
        parts = {"rater": "0 + C(rater)", "scene": "0 + C(scene)"}
        model = MixedLM.from_formula(formula, frame, groups=np.ones(len(frame)), vc_formula=parts)
        fits = [model.fit(reml=True, method=method) for method in OPTIMISERS]
    fit = max(fits, key=lambda fitted: (fitted.converged, fitted.llf))
    if not fit.converged:
        raise NotMeasurableError("the mixed model did not converge")
    deviations = dict(zip(model.exog_vc.names, np.sqrt(np.maximum(fit.vcomp, 0)), strict=True))
    effects = _effects(opinions, ours, fit)
    return Modelled(
        effects, float(deviations["rater"]), float(deviations["scene"]), float(np.sqrt(fit.scale))
    )


def ordinal_model(opinions: Opinions, ours: int) -> list[ModelEffect]:
    """Return a cumulative-logit model's effects of condition in log-odds, beside each rater's own mean.

    It is a check that steps of unequal size would not turn the order. Raises InputError without the extra.
    """
    import pandas

    frame, _ = _frame(opinions, ours)
    try:
        from statsmodels.miscmodels.ordinal_model import OrderedModel
    except ImportError:
        raise InputError(f"ordinal models need statsmodels: {install_hint('study')}") from None
    columns = pandas.get_dummies(frame["condition"].astype("category"), drop_first=True, dtype=float)
    own = frame.groupby("rater")["rating"].transform("mean")
    columns["own_mean"] = own - own.mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ratings = pandas.Series(pandas.Categorical(frame["rating"], ordered=True))
        fit = OrderedModel(ratings, columns, distr="logit").fit(method="bfgs", disp=False, maxiter=500)
    return _effects(opinions, ours, fit)


def _frame(opinions: Opinions, ours: int) -> tuple[pandas.DataFrame, str]:
    import pandas as pd

    # The first in order is what all others are compared with.
    names = [f"c{place:03d}" for place in _places(opinions, ours)]
    frame = pd.DataFrame(
        {
            "rating": opinions.values.astype(float),
            "condition": [names[place] for place in opinions.conditions],
            "rater": [f"r{place:04d}" for place in opinions.raters],
            "scene": [f"s{place:04d}" for place in opinions.scenes],
        }
    )
    return frame, "rating ~ C(condition)"


def _places(opinions: Opinions, ours: int) -> list[int]:
    """Return each condition's place when ours comes first."""
    return [0 if place == ours else place + (place < ours) for place in range(len(opinions.names))]


def _effects(opinions: Opinions, ours: int, fit: Any) -> list[ModelEffect]:
    places: Sequence[int] = _places(opinions, ours)
    intervals = fit.conf_int()
    effects = []
    for place, name in enumerate(opinions.names):
        if place == ours:
            continue
        term = next((t for t in fit.params.index if f"c{places[place]:03d}" in t), None)
        if term is None:
            effects.append(ModelEffect(name, *[float("nan")] * 4))
            continue
        low, high = intervals.loc[term]
        # Signed so that ours above another is above zero, as everywhere else.
        value, p = fit.params[term], fit.pvalues[term]
        effects.append(ModelEffect(name, -float(value), -float(high), -float(low), float(p)))
    return effects
