"""Generated motion against real motion: every motion metric."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from rgx.errors import InputError
from rgx.metrics.base import Evaluation, Metric
from rgx.registry import find, register
from rgx.stages.base import Stage, load_windows
from rgx.store.workspace import Inputs, Workspace
from rgx.types import WINDOW_FRAMES


@register("stage", "motion_scores", label="Motion scores", source="Sec. 5.2")
class MotionScoresStage(Stage):
    """Scores and references, with what a table needs to print them."""

    version = 2
    seeded = False
    judged: ClassVar[str] = "motion"
    """The stage whose motion is scored: all test windows, or those it names."""

    def __init__(self, metrics: tuple[Metric, ...] = ()) -> None:
        if not metrics:
            raise InputError("stage.motion_scores.metrics is empty")
        self.metrics = metrics

    def parents(self) -> tuple[str, ...]:
        return ("corpus", "speech", "judge", self.judged)

    def run(self, inputs: Inputs, workspace: Workspace, built: None) -> dict[str, Any]:
        windows = load_windows(inputs, "test", "cpu")
        made = inputs.arrays(self.judged)
        index = made.get("windows", torch.arange(len(windows)))
        batch = windows.batch(index)
        corpus, judge = inputs.arrays("corpus"), inputs.built["judge"].cpu()
        mean, std = corpus["mean"], corpus["std"]
        # A judge sees motion in the scale of the corpus it was trained on.
        scale = inputs.arrays("judge")

        @torch.no_grad()
        def embed(motion: np.ndarray) -> np.ndarray:
            seen = (torch.from_numpy(motion) - scale["mean"]) / scale["std"]
            return judge.encode(seen.flatten(2)).numpy()

        # Audio beats are onsets: a tempo grid from a beat tracker does not follow speech (LOG.md).
        frames = windows.starts[index, None] + torch.arange(WINDOW_FRAMES)
        evaluation = Evaluation(
            real=(batch.motion * std + mean).numpy(),
            generated=made["motion"].numpy(),
            valid=batch.valid.numpy(),
            audio_beats=inputs.arrays("speech")["onsets"][frames].numpy(),
            embed=embed,
        )
        scores, references, about = {}, {}, {}
        for metric in self.metrics:
            key = metric.record["variant"]
            variant = find(*key.split("/"))
            scores[variant.name] = float(metric.score(evaluation))
            references[variant.name] = float(metric.reference(evaluation))
            about[variant.name] = {
                "label": variant.label,
                "direction": metric.direction,
                "unit": metric.unit,
                "decimals": metric.decimals,
                "protocol": metric.protocol,
                "source": variant.source,
                "reference_is": metric.reference_is,
            }
        found = {"scores": scores, "references": references, "metrics": about, "windows": len(index)}
        notes = [*inputs.about("judge")["notes"], *self.remarks(inputs)]
        return found | ({"notes": notes} if notes else {})

    def remarks(self, inputs: Inputs) -> list[str]:
        """Return what a table must say beside the numbers."""
        return []
