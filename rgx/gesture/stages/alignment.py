"""Speech-gesture alignment, and how well it retrieves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from rgx.gesture.align.base import Alignment
from rgx.gesture.align.contrastive import recall
from rgx.gesture.data.reading import load_windows
from rgx.gesture.data.windows import Windows
from rgx.gesture.skeleton import STREAMS
from rgx.registry import Recipe, register
from rgx.stage import Stage, count_parameters
from rgx.store.workspace import Inputs, Workspace
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW


@register("stage", "alignment", label="Alignment", source="Sec. 4.1")
class AlignmentStage(Stage):
    """Paired speech and gesture encoders."""

    trains = True

    def __init__(self, alignment: Recipe[Alignment], training: AdamW) -> None:
        self.alignment, self.training = alignment, training

    def parents(self) -> tuple[str, ...]:
        return ("corpus", "speech")

    def build(self, parents: Mapping[str, Any]) -> Alignment:
        return self.alignment(parents["speech"].width)

    def run(self, inputs: Inputs, workspace: Workspace, built: Alignment) -> dict[str, Any]:
        windows = load_windows(inputs, "train", workspace.device)
        fit(built, lambda: built.losses(windows.draw_apart(self.training.batch)), self.training, workspace)
        workspace.save_network(built)
        test = load_windows(inputs, "test", workspace.device)
        return {"parameters": count_parameters(built), **retrieval(built, test)}


@torch.no_grad()
def retrieval(network: Alignment, windows: Windows) -> dict[str, float]:
    """Return R@1 and R@5 over pools of one window a clip, averaged, with the pool size and chance."""
    recalls: dict[str, list[float]] = {}
    pool = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(20):
            batch = windows.draw_apart(len(windows))
            pool = len(batch.clip)
            for stream in STREAMS:
                z_s, z_g = network.embed(batch, stream)
                for rank in (1, 5):
                    recalls.setdefault(f"recall{rank}_{stream}", []).append(recall(z_s, z_g, rank))
    return {"pool": pool, "chance": 1 / pool, **{k: sum(v) / len(v) for k, v in recalls.items()}}
