"""How much of a number's variance comes from where, read from which stages its runs share."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Cell = Mapping[str, str]
"""Stage → the key of its artifact, parents first."""


@dataclass(frozen=True)
class VarianceSource:
    """Stages that always differ together, and the variance that comes from them.

    levels: in how many ways they were run; share: of the variance of a run of everything anew.
    """

    stages: tuple[str, ...]
    levels: int
    variance: float
    share: float


def sources(values: Sequence[float], cells: Sequence[Cell]) -> list[VarianceSource]:
    """Return where the variance of one row's numbers comes from, upstream first.

    Two runs differ by what they do not share: half their squared difference is on average the sum of the
    variances of the sources in which they differ. Nothing is returned where runs do not tell sources apart.
    Source: method of moments; for nested runs the estimates of analysis of variance where it is balanced.
    """
    from scipy.optimize import nnls

    parts = _parts(cells)
    shared: dict[tuple[bool, ...], list[float]] = {}
    for (a, first), (b, second) in itertools.combinations(zip(values, cells, strict=True), 2):
        differ = tuple(first.get(stages[0]) != second.get(stages[0]) for stages in parts)
        if any(differ):
            shared.setdefault(differ, []).append((a - b) ** 2 / 2)
    design = np.array(list(shared), dtype=float)
    if len(parts) < 2 or np.linalg.matrix_rank(design) < len(parts):
        return []
    weights = np.sqrt([len(pairs) for pairs in shared.values()])
    means = np.array([float(np.mean(pairs)) for pairs in shared.values()])
    variances, _ = nnls(design * weights[:, None], means * weights)
    total = float(variances.sum())
    if total == 0.0:
        return []
    return [
        VarianceSource(
            stages, len({cell.get(stages[0]) for cell in cells}), float(variance), float(variance) / total
        )
        for stages, variance in zip(parts, variances, strict=True)
    ]


def _parts(cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    """Return the stages that are not the same in all runs, those together that tell the same runs apart.

    A stage that differs only because one before it does is none of its own.
    """
    parts: dict[tuple[int, ...], list[str]] = {}
    for stage in dict.fromkeys(stage for cell in cells for stage in cell):
        keys = [cell.get(stage) for cell in cells]
        ways = tuple(keys.index(key) for key in keys)
        if len(set(ways)) > 1:
            parts.setdefault(ways, []).append(stage)
    return [tuple(stages) for stages in parts.values()]


def behind(manifests: Mapping[tuple[str, str], Mapping[str, Any]], stage: str, key: str) -> dict[str, str]:
    """Return an artifact and all it was made from, by stage, parents first; manifests: by stage and key."""
    ancestry: dict[str, str] = {}
    for name, parent in (manifests.get((stage, key), {}).get("parents") or {}).items():
        ancestry |= behind(manifests, name, parent)
    return ancestry | {stage: key}
