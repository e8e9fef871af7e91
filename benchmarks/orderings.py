"""Which of the published orderings hold: `python benchmarks/orderings.py REPORT --store STORE --scale bench`.

Every two rows of a panel whose published numbers differ are one ordering, in each column that the panel has
of them, by landmarks; a row that was rebuilt stands for the published one that the report puts beside it.
Clips and seeds are drawn anew, together and the same for both rows: an ordering holds, or is refuted, where
95 % of the draws have the difference of the means on one side of zero, and is undecided otherwise. A score
that is a mean is taken of the clips drawn; a Fréchet distance of their windows, both of real and of
generated motion; diversity of all pairs of different windows among them. No correction is made for how many
orderings there are. Percentiles over three seeds are too narrow rather than too wide.
Source: percentile bootstrap, Efron 1979.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rgx.config import build_cell
from rgx.gesture.evaluation import evaluate
from rgx.gesture.metrics.base import Evaluation, MotionMetric
from rgx.gesture.metrics.diversity import Diversity
from rgx.gesture.metrics.fgd import FGD, FGDSync, root
from rgx.metric import name_of
from rgx.report.definition import load
from rgx.store.artifacts import artifact_folder
from rgx.store.manifests import manifest
from rgx.store.workspace import Inputs, load_network
from rgx.sweep.plan import Plan, make_plan
from rgx.sweep.spec import Overrides, read_sweep

DRAWS, TAIL = 1000, 0.025
Scores = dict[tuple[str, str], dict[int, np.ndarray]]
"""Row and metric → seed → the score as it is, then of each draw, (1 + DRAWS,)."""


@dataclass(frozen=True)
class Ordering:
    """A published ordering, `first` below `second`: by how much, and between what 95 % of the draws lie."""

    panel: str
    metric: str
    first: str
    second: str
    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Say whether first is below second."""
        return "holds" if self.high < 0 else "refuted" if self.low > 0 else "undecided"


def counts_of(clips: Sequence[str], draws: int, seed: int = 0) -> np.ndarray:
    """Return how often each window counts, (1 + draws, W), its clip drawn with the rest; first, each once."""
    names = list(dict.fromkeys(clips))
    times = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    places = np.array([names.index(clip) for clip in clips])
    return np.concatenate([np.ones((1, len(clips))), times[:, places]])


def means(values: np.ndarray, weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the weighted mean of values (W,) for each line of counts (N, W)."""
    return (counts @ (values * weights)) / (counts @ weights)


def moments(features: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (D,) and unbiased covariance (D, D) of features (W, D), by how often each counts (W,)."""
    wide, total = features.astype(np.float64), count.sum()
    mean = count @ wide / total
    centred = wide - mean
    return mean, (centred * count[:, None]).T @ centred / (total - 1)


def distances(real: np.ndarray, generated: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the Fréchet distance of two feature sets (W, D) for each line of counts (N, W)."""
    drawn = np.empty(len(counts))
    for n, count in enumerate(counts):
        (mean, covariance), (other, spread) = moments(real, count), moments(generated, count)
        overlap = np.linalg.svd(root(covariance) @ root(spread), compute_uv=False).sum()
        drawn[n] = ((mean - other) ** 2).sum() + np.trace(covariance) + np.trace(spread) - 2 * overlap
    return drawn


def spreads(features: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean distance of two different windows of features (W, D) for each line of counts (N, W)."""
    wide = torch.from_numpy(features.astype(np.float64))
    apart = torch.cdist(wide, wide, compute_mode="donot_use_mm_for_euclid_dist").numpy()
    pairs = counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
    return np.einsum("nw,wv,nv->n", counts, apart, counts, optimize=True) / pairs


def drawn_scores(metric: MotionMetric, evaluation: Evaluation, counts: np.ndarray) -> np.ndarray | None:
    """Return a metric's score for each line of counts (N, W), or None of one that cannot be drawn."""
    if (parts := metric.parts(evaluation)) is not None:
        return means(*parts, counts)
    if isinstance(metric, FGDSync):
        views = evaluation.real_views.mean(axis=1), evaluation.generated_views.mean(axis=1)
        return distances(*views, counts)
    if isinstance(metric, FGD):
        return distances(evaluation.real_features, evaluation.generated_features, counts)
    if isinstance(metric, Diversity):
        return spreads(evaluation.generated_features, counts)
    return None


def read_scores(plan: Plan, keys: Mapping[str, str], store: Path, names: set[str]) -> dict[str, np.ndarray]:
    """Return the drawn scores of one cell, by metric; empty where the store has no motion of it."""
    key = keys.get("motion_scores", "")
    if manifest(store, "motion_scores", key) is None:
        return {}
    task = plan.tasks[key]
    cell = build_cell(task.texts, task.targets)
    folders = {stage: artifact_folder(store, stage, keys[stage]) for stage in keys if stage in cell.stages}
    built: dict[str, Any] = dict(cell.built)
    for judge in ("judge", "sync_judge"):
        if judge in built:
            built[judge] = load_network(built[judge], folders[judge], "cpu")
    evaluation, clips = evaluate(Inputs(built, folders), "motion")
    counts = counts_of(clips, DRAWS)
    stage: Any = cell.stages["motion_scores"]
    asked = [metric for metric in stage.metrics if name_of(metric) in names]
    drawn = {name_of(metric): drawn_scores(metric, evaluation, counts) for metric in asked}
    return {name: scores for name, scores in drawn.items() if scores is not None}


def order(panel: str, metric: str, published: Mapping[str, float], scores: Scores) -> Iterator[Ordering]:
    """Yield each ordering that was published of a panel's rows in one metric and that both rows have."""
    for one, other in itertools.combinations(published, 2):
        if published[one] == published[other]:
            continue
        first, second = (one, other) if published[one] < published[other] else (other, one)
        below, above = scores.get((first, metric), {}), scores.get((second, metric), {})
        if not (seeds := sorted(below.keys() & above.keys())):
            continue
        apart = np.stack([below[seed] - above[seed] for seed in seeds])
        draws = np.random.default_rng(1).integers(len(seeds), size=(len(seeds), apart.shape[1] - 1))
        drawn = np.take_along_axis(apart[:, 1:], draws, axis=0).mean(axis=0)
        low, high = np.quantile(drawn, (TAIL, 1 - TAIL))
        yield Ordering(panel, metric, first, second, float(apart[:, 0].mean()), float(low), float(high))


def main() -> None:
    """Print every published ordering with its verdict, as a table, and how many there are of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--store", default="store", type=Path)
    parser.add_argument("--scale")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", action="append", default=[], help="a panel, as given to the sweep")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    report = load(asked.report)
    seeds = [int(seed) for seed in asked.seeds.split(",")]
    sweep = asked.report.parent.parent / str(report.sweep)
    plan = make_plan(read_sweep(sweep, Overrides(seeds=seeds, only=asked.only, scale=asked.scale)))
    known: dict[str, dict[str, np.ndarray]] = {}
    scores: dict[str, Scores] = {}
    published = [values for panel in report.panels.values() for values in panel.published.values()]
    columns = {_metric(column) for values in published for column in values}
    for cell in plan.cells:
        panel, row, keys = cell["panel"], cell["row"], cell["stages"]
        key = keys.get("motion_scores", "")
        if panel not in report.panels or not key:
            continue
        if key not in known:
            known[key] = read_scores(plan, keys, asked.store, columns)
        for metric, drawn in known[key].items():
            scores.setdefault(panel, {}).setdefault((row, metric), {})[cell["seed"]] = drawn
    found = [
        ordering
        for panel, drawn in scores.items()
        for metric in dict.fromkeys(metric for _, metric in drawn)
        for ordering in order(panel, metric, _published(report.panels[panel].published, metric), drawn)
    ]
    print(f"{len(seeds)} seeds, {DRAWS} draws of seeds and test clips.\n")
    print("| panel | published | difference (95 %) | verdict |\n|---|---|---|---|")
    for it in found:
        span = f"{it.mean:+.3f} ({it.low:+.3f} to {it.high:+.3f})"
        print(f"| {it.panel} | {it.first} < {it.second} in {it.metric} | {span} | {it.verdict} |")
    verdicts = [it.verdict for it in found]
    counted = ", ".join(f"{verdicts.count(v)} {v}" for v in ("holds", "refuted", "undecided"))
    print(f"\nOf {len(found)} published orderings: {counted}.")


def _published(rows: Mapping[str, Mapping[str, float | None]], metric: str) -> dict[str, float]:
    numbers = (
        (row, v) for row, values in rows.items() for column, v in values.items() if _metric(column) == metric
    )
    return {row: float(number) for row, number in numbers if number is not None}


def _metric(column: str) -> str:
    """Return a column's metric without the stage it is read from: here landmarks are asked."""
    return column.rpartition("/")[2]


if __name__ == "__main__":
    main()
