"""Which measure may be believed: how far each one of the sweep orders conditions as raters do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from rgx.errors import InputError
from rgx.report import style
from rgx.report.results import MetricFacts, Results, load
from rgx.study.findings import Findings
from rgx.study.kit import Kit

DRAWS = 2000
PLAIN_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
"""The figures' letters have no small ones."""
LEAST = 3
"""With fewer conditions there is no order to speak of."""


class Agreeing(NamedTuple):
    """Kendall's tau-b of a metric and a question over conditions, above 0 where they prefer the same.

    low, high: at 95 %, over other raters and scenes; what the metric itself varies by is not in it.
    """

    metric: str
    question: str
    tau: float
    low: float
    high: float
    conditions: int


def agreeing(findings: Findings, store: Path) -> list[Agreeing]:
    """Return tau of each metric that the conditions' rows have and each rated question; rows that run tell.

    Raises InputError where a sweep of the study is not in the store.
    """
    scores = goodness(findings.ratings.kit, store)
    rows = []
    for question, own in findings.rated.items():
        names = list(own.opinions.names)
        drawn = own.opinions.spread().drawn(own.opinions.means, DRAWS, 0)
        for metric, by_condition in scores.items():
            places = [n for n, name in enumerate(names) if name in by_condition]
            if len(places) < LEAST:
                continue
            metric_values = np.array([by_condition[names[n]] for n in places])
            tau = kendall(metric_values, own.opinions.means[None, places])[0]
            if np.isfinite(tau):
                low, high = np.nanpercentile(kendall(metric_values, drawn[:, places]), (2.5, 97.5))
                rows.append(Agreeing(metric, question, float(tau), float(low), float(high), len(places)))
    return rows


def kendall(values: np.ndarray, opinions: np.ndarray) -> np.ndarray:
    """Return tau-b of some values (C,) with each row of opinions (N, C), nan where either does not vary."""
    first, second = np.triu_indices(len(values), 1)
    signs = np.sign(values[first] - values[second])
    others = np.sign(opinions[:, first] - opinions[:, second])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((others @ signs) / np.sqrt((signs != 0).sum() * (others != 0).sum(1)))


def goodness(kit: Kit, store: Path) -> dict[str, dict[str, float]]:
    """Return metric → condition → its mean over seeds, turned so that more is better."""
    results: dict[str, Results] = {}
    scores: dict[str, dict[str, float]] = {}
    for name, about in kit.key["conditions"].items():
        if not about["sweep"] or kit.study.conditions[name].row is None:
            continue
        if about["sweep"] not in results:
            results[about["sweep"]] = load(store, about["sweep"])
        sweep = results[about["sweep"]]
        panel, _, row = about["row"].partition("/")
        own = [number for number in sweep.measured if (number.panel, number.row) == (panel, row)]
        for metric in dict.fromkeys((number.stage, number.metric) for number in own):
            facts = sweep.metrics["/".join(metric)]
            values = [_good(n.value, n.reference, facts) for n in own if (n.stage, n.metric) == metric]
            known = [value for value in values if value is not None]
            if known:
                scores.setdefault(facts.label + ("†" if facts.stand_in else ""), {})[name] = fmean(known)
    return scores


def _good(value: float, reference: float | None, facts: MetricFacts) -> float | None:
    if facts.direction is None or (facts.direction == "reference" and reference is None):
        return None
    if facts.direction == "reference":
        return -abs(value - (reference or 0.0))
    return value if facts.direction == "up" else -value


def draw(rows: Sequence[Agreeing], heads: Mapping[str, str]) -> dict[str, bytes]:
    """Return the figure of all taus as PDF and PNG by suffix, or nothing where there are none."""
    if not rows:
        return {}
    with style.look():
        return style.saved(_drawing(rows, heads))


def _drawing(rows: Sequence[Agreeing], heads: Mapping[str, str]) -> Any:
    metrics = list(dict.fromkeys(row.metric for row in rows))
    questions = list(dict.fromkeys(row.question for row in rows))
    height = 0.6 + 0.17 * len(metrics)
    figure, (line,) = style.axes("page", 1, len(questions), height)
    for axes, question in zip(line, questions, strict=True):
        for row in (row for row in rows if row.question == question):
            place = metrics.index(row.metric)
            axes.plot([row.low, row.high], [place, place], color=style.OTHER, linewidth=1.0)
            axes.plot(row.tau, place, "o", color=style.OURS)
        axes.axvline(0, color=style.GREY, linestyle="--", linewidth=0.8)
        axes.set_xlim(-1.05, 1.05)
        axes.set_ylim(len(metrics) - 0.5, -0.5)
        axes.set_xlabel(f"τ with {style.text(heads[question].translate(PLAIN_DIGITS))}")
        axes.set_yticks(range(len(metrics)), [])
    line[0].set_yticks(range(len(metrics)), [style.text(metric) for metric in metrics])
    return figure


def measured_or_why(findings: Findings, store: Path) -> tuple[list[Agreeing], str]:
    """Return what `agreeing` does and nothing, or nothing and why."""
    try:
        rows = agreeing(findings, store)
    except InputError as error:
        return [], str(error)
    return rows, "" if rows else f"fewer than {LEAST} conditions share a metric"
