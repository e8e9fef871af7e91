"""The motion auto-encoder that FGD and Diversity are measured in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from rgx.errors import InputError
from rgx.metrics.judge import Judge
from rgx.registry import Recipe, register
from rgx.skeleton import KEPT
from rgx.stages.base import Stage, load_windows
from rgx.store.workspace import Inputs, Workspace
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW


@register("stage", "judge", label="Judge", source="Sec. 5.2; facts §8")
class JudgeStage(Stage):
    """Trained on real training motion only; shared by every cell and every seed."""

    seeded = False
    trains = True

    def __init__(
        self, judge: Recipe[Judge] | None = None, training: AdamW | None = None, seed: int = 0
    ) -> None:
        if judge is None or training is None:
            raise InputError("stage.judge.judge and stage.judge.training must be bound")
        self.judge, self.training, self.seed = judge, training, seed

    def parents(self) -> tuple[str, ...]:
        return ("corpus",)

    def build(self, parents: Mapping[str, Any]) -> Judge:
        return self.judge(2 * len(KEPT))

    def run(self, inputs: Inputs, workspace: Workspace, built: Judge) -> dict[str, Any]:
        windows = load_windows(inputs, "train", workspace.device)

        def losses() -> dict[str, torch.Tensor]:
            batch = windows.draw(self.training.batch)
            mask = batch.valid[..., None].expand_as(batch.motion).flatten(2)
            return {"reconstruction": built.loss(batch.motion.flatten(2), mask)}

        values = fit(built, losses, self.training, workspace)
        workspace.save_network(built)
        return values
