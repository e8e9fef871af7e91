"""Base tokens to residual tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from torch import Tensor

from rgx.gesture.align.base import Alignment
from rgx.gesture.data.motion_space import USUAL, LandmarkSpace, MotionSpace
from rgx.gesture.data.reading import load_windows
from rgx.gesture.generate.base import AudioInit, Residual
from rgx.gesture.nn.precision import fast
from rgx.gesture.types import Batch
from rgx.gesture.validation import dev_batches, held_out
from rgx.registry import Recipe, Since, register
from rgx.stage import Stage, count_parameters
from rgx.store.workspace import Inputs, Workspace
from rgx.train.loop import fit
from rgx.train.multiply_adds import training_effort
from rgx.train.optimiser import AdamW


@register("stage", "residual", label="Residual generator", source="Sec. 4.2")
class ResidualStage(Stage):
    """Trains the residual generator; its speech encoders start and learn as audio_init says."""

    version = 2
    trains = True

    def __init__(
        self,
        residual: Recipe[Residual],
        alignment: Recipe[Alignment],
        audio_init: AudioInit,
        training: AdamW,
        still_share: float = 0.5,
        space: Annotated[MotionSpace, Since(LandmarkSpace)] = USUAL,
    ) -> None:
        self.residual, self.alignment, self.audio_init = residual, alignment, audio_init
        self.training, self.still_share, self.space = training, still_share, space

    def parents(self) -> tuple[str, ...]:
        own = ("corpus", "speech", "tokenizer", *self.audio_init.needs)
        return tuple(dict.fromkeys((*own, *self.space.parents)))

    def build(self, parents: Mapping[str, Any]) -> Residual:
        speech = self.alignment(parents["speech"].width).speech
        return self.residual(parents["tokenizer"], speech, len(parents["corpus"].speakers))

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        return self.training.remarks(parents["corpus"].windows("train"))

    def run(self, inputs: Inputs, workspace: Workspace, built: Residual) -> dict[str, Any]:
        windows = load_windows(inputs, "train", workspace.device, self.space.source)
        windows.tokenise(inputs.built["tokenizer"])
        aligned = inputs.built.get("alignment")
        self.audio_init.start(built.speech, aligned.speech if aligned is not None else None)

        def losses(batch: Batch) -> dict[str, Tensor]:
            with fast(workspace.device):
                return built.losses(batch, inputs.built["tokenizer"])

        size, slower = self.training.batch, [(built.speech, self.audio_init.rate)]

        def step() -> dict[str, Tensor]:
            return losses(windows.draw(size, self.still_share))

        workspace.capture(built.steady())
        dev = dev_batches(inputs, workspace.device, size, inputs.built["tokenizer"], self.space.source)
        validation = held_out(losses, dev)
        values = fit(built, step, self.training, workspace, slower, validation=validation)
        effort = training_effort(built, step, self.training)
        workspace.save_network(built)
        return {"parameters": count_parameters(built), **effort, **values}
