"""Speech of the test windows, or of those of dev, to generated motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.data.motion_space import USUAL, LandmarkSpace, MotionSpace
from rgx.gesture.data.reading import load_windows, present
from rgx.gesture.external.mailbox import Mailbox
from rgx.gesture.generate.base import Decode, Generator, Inference, Residual, Sampler
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.samplers import DEFAULT
from rgx.gesture.recorded_windows import RecordedWindows
from rgx.gesture.tokens.base import Quantizer
from rgx.gesture.types import WindowFacts
from rgx.registry import Recipe, Since, Unkeyed, register, variants
from rgx.stage import Split, Stage
from rgx.store.workspace import Inputs, Workspace
from rgx.train.multiply_adds import count_multiply_adds


@register("stage", "motion", label="Motion", source="Sec. 4.2 Inference")
class MotionStage(Stage):
    """Generates every window of a split from its speech, its condition frame and its speaker.

    Of decode, residual and sampler only what the generator reads counts; one outside rgx is given windows as
    they were recorded, up to `batch` at a time. Each window draws random numbers of
    its own, so that `batch` changes nothing. split: 'test' for tables, 'dev' for choices. Raises InputError
    for one of which the corpus has no clip, and for a part that does not fit the generator.
    """

    version = 2  # since each window draws random numbers of its own

    def __init__(
        self,
        generator: Recipe[Generator],
        quantizer: Recipe[Quantizer],
        residual: Recipe[Residual],
        decode: Decode,
        sampler: Sampler = DEFAULT,
        batch: Unkeyed[int] = 64,
        split: Annotated[Split, Since("test")] = "test",
        space: Annotated[MotionSpace, Since(LandmarkSpace)] = USUAL,
    ) -> None:
        self.generator, self.quantizer = generator, quantizer
        self.residual, self.decode, self.sampler, self.batch = residual, decode, sampler, batch
        self.split: Split = split
        self.space = space
        bound = {"decode": type(decode), "residual": residual.variant.cls, "sampler": type(sampler)}
        for axis, kind in generator.reads.items():
            names = {variant.cls: variant.name for variant in variants(axis)}
            if not issubclass(bound[axis], kind):
                fitting = " or ".join(name for cls, name in names.items() if issubclass(cls, kind))
                raise InputError(
                    f"generator: {generator.variant.name} cannot use {axis}: {names[bound[axis]]}; choose "
                    f"{axis}: {fitting}"
                )

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        residual = "residual" in self.generator.reads and self.residual.present
        speech = () if self.generator.outside else ("speech",)
        tokens = ("tokenizer",) if self.quantizer.has_tokens else ()
        own = ("corpus", *speech, *tokens, "generator", *(("residual",) if residual else ()))
        return tuple(dict.fromkeys((*own, *self.space.parents)))

    def identity(self) -> dict[str, Any]:
        """What the generator does not read at inference is no part of its motion; itself is a parent's."""
        unread = {"generator", "decode", "residual", "sampler"} - self.generator.reads.keys()
        return {k: v for k, v in self.record.items() if k not in unread}

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        split, count = present(parents["corpus"], self.split), parents["corpus"].windows(self.split)
        return WindowFacts(split, count, self.space.source)

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        source = built.source
        windows = load_windows(inputs, built.split, workspace.device, source)
        scale = inputs.arrays(source.stage)
        generator, tokenizer = inputs.built["generator"], inputs.built.get("tokenizer")
        residual = inputs.built.get("residual")
        seed, pieces = int(torch.randint(2**31, ())), []
        recorded = RecordedWindows(inputs, built.split) if generator.outside else None

        def generate(index: Tensor) -> Tensor:
            noise = Noise([(seed, window) for window in index.tolist()])
            inference = Inference(tokenizer, self.decode, residual, self.sampler, noise)
            if recorded is not None:
                before = int(index[0])
                mailbox = Mailbox(workspace.folder, partial(self._say, workspace, before, len(windows)))
                inference = replace(inference, asked=recorded.asked(index.tolist(), seed, mailbox))
            motion: Tensor = generator.sample(windows.batch(index), inference)
            return motion

        for index in windows.chunks(self.batch):
            motion = generate(index).cpu()
            pieces.append(motion * scale["std"] + scale["mean"])
            workspace.progress(sum(map(len, pieces)), len(windows))
        workspace.save_arrays({source.array: torch.cat(pieces)})
        if generator.outside:
            workspace.save_about({"notes": generator.notes()})
            return {"windows": len(windows)}
        effort = count_multiply_adds(lambda: generate(torch.tensor([0])))
        return {"windows": len(windows), "sample_multiply_adds": effort}

    @staticmethod
    def _say(workspace: Workspace, before: int, windows: int, done: int) -> None:
        workspace.progress(before + done, windows)
