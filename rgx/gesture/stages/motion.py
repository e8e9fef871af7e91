"""Speech of the test windows, or of those of dev, to generated motion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch

from rgx.gesture.data.reading import load_windows, present
from rgx.gesture.generate.base import Decode, Residual
from rgx.gesture.tokens.base import Quantizer
from rgx.gesture.types import WindowFacts
from rgx.registry import Recipe, Since, register
from rgx.stage import Split, Stage
from rgx.store.workspace import Inputs, Workspace


@register("stage", "motion", label="Motion", source="Sec. 4.2 Inference")
class MotionStage(Stage):
    """Generates every window of a split from its speech, its condition frame and its speaker.

    split: 'test' for tables, 'dev' for choices. Raises InputError for one of which the corpus has no clip.
    """

    def __init__(
        self,
        quantizer: Recipe[Quantizer],
        residual: Recipe[Residual],
        decode: Decode,
        batch: int = 64,
        split: Annotated[Split, Since("test")] = "test",
    ) -> None:
        self.quantizer, self.residual, self.decode, self.batch = quantizer, residual, decode, batch
        self.split: Split = split

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        tokens = self.quantizer.has_tokens
        residual = tokens and self.residual.present
        return (
            "corpus",
            "speech",
            *(("tokenizer",) if tokens else ()),
            "generator",
            *(("residual",) if residual else ()),
        )

    def identity(self) -> dict[str, Any]:
        """Without tokens there is nothing to decode and no residual layer."""
        unread = () if self.quantizer.has_tokens else ("decode", "residual")
        return {k: v for k, v in self.record.items() if k not in unread}

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        return WindowFacts(present(parents["corpus"], self.split), parents["corpus"].windows(self.split))

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        windows = load_windows(inputs, built.split, workspace.device)
        corpus = inputs.arrays("corpus")
        generator, tokenizer = inputs.built["generator"], inputs.built.get("tokenizer")
        residual = inputs.built.get("residual")
        pieces = []
        for index in windows.chunks(self.batch):
            motion = generator.sample(windows.batch(index), tokenizer, self.decode, residual).cpu()
            pieces.append(motion * corpus["std"] + corpus["mean"])
            workspace.progress(sum(map(len, pieces)), len(windows))
        workspace.save_arrays({"motion": torch.cat(pieces)})
        return {"windows": len(windows)}
