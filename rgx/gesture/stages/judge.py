"""The motion auto-encoder that FGD and Diversity are measured in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rgx.gesture.data.reading import load_windows
from rgx.gesture.metrics.judge import Judge
from rgx.gesture.nn.weights import Shapes, fingerprint_of_state, read_state
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import Batch
from rgx.gesture.validation import dev_batches, held_out
from rgx.registry import Place, Recipe, register
from rgx.stage import Stage
from rgx.store.workspace import Inputs, Workspace
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

NETWORK, SCALE = "network.safetensors", "arrays.safetensors"


@register("stage", "judge", label="Judge", source="Sec. 5.2, reading 43")
class JudgeStage(Stage):
    """Trained on real training motion only; shared by every cell and every seed.

    stored: the folder of a judge trained elsewhere (`store/judge/<key>`), which is taken as it is, with the
    scale of the motion it was trained on. Raises InputError for a folder without one of this shape.
    """

    version = 3
    seeded = False
    trains = True

    def __init__(
        self,
        judge: Recipe[Judge],
        training: AdamW,
        seed: int = 0,
        stored: Place = "",
    ) -> None:
        self.judge, self.training, self.seed, self.stored = judge, training, seed, stored

    def parents(self) -> tuple[str, ...]:
        return ("corpus",)

    def fingerprint(self) -> str:
        if not self.stored:
            return ""
        return " ".join(fingerprint_of_state(path, shapes) for path, shapes in self._files())

    def build(self, parents: Mapping[str, Any]) -> Judge:
        return self.judge(2 * len(KEPT))

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        return [] if self.stored else self.training.remarks(parents["corpus"].windows("train"))

    def run(self, inputs: Inputs, workspace: Workspace, built: Judge) -> dict[str, Any]:
        return self._take(workspace, built) if self.stored else self._train(inputs, workspace, built)

    def _files(self) -> list[tuple[str, Shapes]]:
        """Return the files of a stored judge, its weights and its scale, and what each must hold."""
        with torch.device("meta"):
            weights = {k: tuple(v.shape) for k, v in self.judge(2 * len(KEPT)).state_dict().items()}
        scale = {name: (len(KEPT), 2) for name in ("mean", "std")}
        folder = Path(self.stored).expanduser()
        return [(str(folder / NETWORK), weights), (str(folder / SCALE), scale)]

    def _take(self, workspace: Workspace, built: Judge) -> dict[str, Any]:
        weights, scale = (read_state(path, shapes) for path, shapes in self._files())
        built.load_state_dict(weights)
        workspace.save_network(built)
        workspace.save_arrays(scale)
        workspace.save_about({"notes": ["FGD and Diversity: in a judge that was trained elsewhere."]})
        return {}

    def _train(self, inputs: Inputs, workspace: Workspace, built: Judge) -> dict[str, Any]:
        windows = load_windows(inputs, "train", workspace.device)

        def losses(batch: Batch) -> dict[str, torch.Tensor]:
            mask = batch.valid[..., None].expand_as(batch.motion).flatten(2)
            return {"reconstruction": built.loss(batch.motion.flatten(2), mask)}

        size = self.training.batch
        validation = held_out(losses, dev_batches(inputs, workspace.device, size))
        values = fit(
            built, lambda: losses(windows.draw(size)), self.training, workspace, validation=validation
        )
        workspace.save_network(built)
        corpus = inputs.arrays("corpus")
        workspace.save_arrays({name: corpus[name] for name in ("mean", "std")})
        workspace.save_about({"notes": []})
        return values
