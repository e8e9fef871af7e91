"""Motion to tokens: the RVQ-VAE, with speech-aware content distilled into its codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import nn

from rgx.errors import InputError
from rgx.gesture.data.motion_space import USUAL, LandmarkSpace, MotionSpace
from rgx.gesture.data.reading import load_windows
from rgx.gesture.nn.motion_losses import motion_losses
from rgx.gesture.tokens.base import Distillation, Parts, Quantizer
from rgx.gesture.tokens.parts import OnePart
from rgx.gesture.tokens.tokenizer import Tokenizer, with_prefix
from rgx.gesture.types import PREFIX_FRAMES, PREFIX_TOKENS, Batch
from rgx.gesture.validation import dev_batches, held_out
from rgx.registry import Recipe, Since, register
from rgx.stage import Stage, count_parameters
from rgx.store.workspace import Inputs, Workspace
from rgx.train.loop import fit
from rgx.train.multiply_adds import training_effort
from rgx.train.optimiser import AdamW


@register("stage", "tokenizer", label="Tokenizer", source="Sec. 4.1, eq. (3)")
class TokenizerStage(Stage):
    """One codec per stream; motion that is not landmarks is one stream, and has no teacher to distil.

    Raises InputError where it is to be distilled all the same.
    """

    version = 2
    trains = True

    def __init__(
        self,
        parts: Parts,
        quantizer: Recipe[Quantizer],
        distillation: Recipe[Distillation],
        training: AdamW,
        width: int = 512,
        depth: int = 3,
        commitment: float = 0.02,
        still_share: float = 0.5,
        space: Annotated[MotionSpace, Since(LandmarkSpace)] = USUAL,
    ) -> None:
        self.parts, self.quantizer, self.distillation = parts, quantizer, distillation
        self.training, self.width, self.depth, self.commitment = training, width, depth, commitment
        self.still_share, self.space = still_share, space
        # Control points have no face and no body: how a person is divided is no part of it.
        self.divided = isinstance(space, LandmarkSpace) or not parts.anatomical
        if distillation.needs and not isinstance(space, LandmarkSpace):
            raise InputError(
                f"distillation: {distillation.variant.name} compares codes with encoders of landmarks, and "
                f"motion is control points: choose distillation: none, or space: landmarks"
            )

    def parents(self) -> tuple[str, ...]:
        needs = self.distillation.needs
        own = ("corpus", *(("speech",) if needs else ()), *needs)
        return tuple(dict.fromkeys((*own, *self.space.parents)))

    def identity(self) -> dict[str, Any]:
        """Without parts to divide, which they are is no part of it."""
        return {k: v for k, v in self.record.items() if k != "parts" or self.divided}

    def build(self, parents: Mapping[str, Any]) -> Tokenizer:
        source = self.space.source
        parts = self.parts if self.divided else OnePart(source.array)
        places = self.space.streams(parents[source.stage])
        return Tokenizer(parts, self.quantizer, self.width, self.depth, places)

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        return self.training.remarks(parents["corpus"].windows("train"))

    def run(self, inputs: Inputs, workspace: Workspace, built: Tokenizer) -> dict[str, Any]:
        windows = load_windows(inputs, "train", workspace.device, self.space.source)
        alignment = inputs.built.get("alignment")
        teacher = alignment.gesture if alignment is not None else None
        teacher_width = alignment.width if alignment is not None else 1
        distillations = nn.ModuleDict(
            {s: self.distillation(self.width, m, teacher_width) for s, m in built.members.items()}
        ).to(workspace.device)
        both = nn.ModuleDict({"tokenizer": built, "distillation": distillations})

        def losses(batch: Batch) -> dict[str, torch.Tensor]:
            # With what comes before it, as a window is decoded.
            true, valid = with_prefix(batch)
            motion, quantized = built(true)
            terms = motion_losses(motion, true, valid)
            for stream, q in quantized.items():
                terms[f"commitment_{stream}"] = self.commitment * q.commitment
                own = q.output[:, PREFIX_TOKENS:]
                terms[f"distillation_{stream}"] = distillations[stream](own, batch, teacher)
            return terms

        size = self.training.batch

        def step() -> dict[str, torch.Tensor]:
            return losses(windows.draw(size, self.still_share))

        workspace.capture(built.steady())
        dev = dev_batches(inputs, workspace.device, size, source=self.space.source)
        validation = held_out(losses, dev, score="position")
        values = fit(both, step, self.training, workspace, validation=validation)
        effort = training_effort(both, step, self.training)
        workspace.save_network(built)
        test = load_windows(inputs, "test", workspace.device, self.space.source)
        facts = describe(built, test.batch(torch.arange(len(test))))
        return {"parameters": count_parameters(built), **effort, **values, **facts}


@torch.no_grad()
def describe(tokenizer: Tokenizer, batch: Batch) -> dict[str, float]:
    """Return held-out reconstruction error (standardised) by layers used, and each layer's perplexity.

    Windows follow on their source frame, as generated ones do.
    """
    tokens = tokenizer.window_tokens(batch)
    facts = {}
    for layers in range(1, tokenizer.layers + 1):
        decoded = tokenizer.decode({s: t[..., :layers] for s, t in tokens.items()})
        motion = tokenizer.anchor(decoded, batch.prefix)[:, PREFIX_FRAMES:]
        error = (motion - batch.motion).abs()[batch.valid].mean()
        facts[f"error_{layers}_layers"] = float(error)
    for stream, codes in tokens.items():
        for layer in range(tokenizer.layers):
            share = torch.bincount(codes[..., layer].flatten(), minlength=tokenizer.codes).double()
            share = share / share.sum()
            facts[f"perplexity_{stream}_{layer}"] = float(torch.exp(-torch.xlogy(share, share).sum()))
    return facts
