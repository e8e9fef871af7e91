"""Real and generated windows to the scores of every video metric: what both protocols share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rgx.metrics.base import VideoMetric, VideoPair
from rgx.registry import find
from rgx.store.workspace import Workspace
from rgx.types import WINDOW_FRAMES


def fingerprint_of(metrics: Sequence[VideoMetric]) -> str:
    """Return the identity of all pretrained weights the metrics read."""
    return " ".join(found for metric in metrics if (found := metric.fingerprint()))


def score_windows(
    metrics: Sequence[VideoMetric], pairs: Iterable[VideoPair], total: int, workspace: Workspace
) -> dict[str, Any]:
    """Return scores, references and descriptions, the windows taken one at a time."""
    for metric in metrics:
        metric.prepare(workspace.device)
    measured: list[list[np.ndarray]] = [[] for _ in metrics]
    size = 0
    for done, pair in enumerate(pairs, start=1):
        size = pair.real.shape[-1]
        for kept, metric in zip(measured, metrics, strict=True):
            if len(found := metric.measure(pair)):
                kept.append(found)
        workspace.progress(done, total)
    scores, references, about = {}, {}, {}
    for kept, metric in zip(measured, metrics, strict=True):
        variant = find(*metric.record["variant"].split("/"))
        scores[variant.name] = float(metric.score(kept)) if kept else float("nan")
        references[variant.name] = float(metric.reference(kept)) if kept else float("nan")
        about[variant.name] = {
            "label": variant.label,
            "direction": metric.direction,
            "unit": metric.unit,
            "decimals": metric.decimals,
            "protocol": f"{metric.protocol}; {len(kept)} windows of {WINDOW_FRAMES} frames, {size} px",
            "source": variant.source,
            "stand_in": metric.stand_in,
            "reference_is": metric.reference_is,
        }
    return {"scores": scores, "references": references, "metrics": about, "windows": total}
