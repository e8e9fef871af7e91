"""Speech to base tokens, or to motion itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.align.base import Alignment
from rgx.gesture.data.motion_space import USUAL, LandmarkSpace, MotionSpace
from rgx.gesture.data.reading import load_windows
from rgx.gesture.generate.base import AudioInit, Generator
from rgx.gesture.nn.precision import fast
from rgx.gesture.tokens.base import Quantizer
from rgx.gesture.types import Batch
from rgx.gesture.validation import dev_batches, held_out
from rgx.registry import Recipe, Since, register
from rgx.stage import Stage, count_parameters
from rgx.store.workspace import Inputs, Workspace
from rgx.train.loop import fit
from rgx.train.multiply_adds import training_effort
from rgx.train.optimiser import AdamW


@register("stage", "generator", label="Generator", source="Sec. 4.2")
class GeneratorStage(Stage):
    """Trains the generator; its speech encoders start and learn as audio_init says.

    One outside rgx is only noted, with its command, revision and licence. Raises InputError for a generator
    that does not fit the quantizer or the space of motion.
    """

    version = 2
    trains = True

    def __init__(
        self,
        generator: Recipe[Generator],
        quantizer: Recipe[Quantizer],
        alignment: Recipe[Alignment],
        audio_init: AudioInit,
        training: AdamW,
        still_share: float = 0.5,
        space: Annotated[MotionSpace, Since(LandmarkSpace)] = USUAL,
    ) -> None:
        self.generator, self.quantizer, self.alignment = generator, quantizer, alignment
        self.audio_init, self.training, self.still_share = audio_init, training, still_share
        self.space = space
        # Its encoders are those of the alignment, unless it takes speech as it is.
        self.aligned = "speech" in generator.variant.shapes
        if generator.needs_tokenizer != quantizer.has_tokens:
            wants = "needs tokens" if generator.needs_tokenizer else "works on raw motion"
            raise InputError(
                f"generator: {generator.variant.name} {wants}, which quantizer: {quantizer.variant.name} "
                f"does not give: choose another generator or another quantizer"
            )

        if not (
            generator.needs_tokenizer
            or isinstance(space, LandmarkSpace)
            or "levels" in generator.variant.shapes
        ):
            raise InputError(
                f"generator: {generator.variant.name} makes landmarks only: choose space: landmarks, or "
                f"another generator"
            )

    def uses_gpu(self) -> bool:
        return not self.generator.outside

    def parents(self) -> tuple[str, ...]:
        if self.generator.outside:
            return ("corpus",)
        tokens = ("tokenizer",) if self.quantizer.has_tokens else ()
        encoders = self.audio_init.needs if self.aligned else ()
        return tuple(dict.fromkeys(("corpus", "speech", *tokens, *encoders, *self.space.parents)))

    def fingerprint(self) -> str:
        return self.generator.fingerprint(**self.generator.bound)

    def identity(self) -> dict[str, Any]:
        """Without encoders of the alignment, how they are made and started is no part of it; of one outside,
        nothing but itself is."""
        if self.generator.outside:
            return {k: v for k, v in self.record.items() if k in ("variant", "generator")}
        unread = () if self.aligned else ("alignment", "audio_init")
        return {k: v for k, v in self.record.items() if k not in unread}

    def build(self, parents: Mapping[str, Any]) -> Generator:
        corpus, speech = parents["corpus"], parents.get("speech")
        return self.generator.given(
            tokenizer=parents.get("tokenizer"),
            speech=self.alignment(speech.width).speech if speech is not None and self.aligned else None,
            features=speech.width if speech is not None else 0,
            speakers=len(corpus.speakers),
            levels=self.space.levels(parents[self.space.source.stage]),
            heard=corpus.heard,
        )

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        if self.generator.outside:
            return []
        return self.training.remarks(parents["corpus"].windows("train"))

    def run(self, inputs: Inputs, workspace: Workspace, built: Generator) -> dict[str, Any]:
        if built.outside:
            workspace.save_network(built)
            return {"parameters": 0, "notes": built.notes()}
        windows = load_windows(inputs, "train", workspace.device, self.space.source)
        slower = []
        if self.aligned:
            alignment = inputs.built.get("alignment")
            self.audio_init.start(built.speech, alignment.speech if alignment is not None else None)
            slower = [(built.speech, self.audio_init.rate)]
        tokenizer = inputs.built.get("tokenizer")
        if tokenizer is not None:
            windows.tokenise(tokenizer)

        def losses(batch: Batch) -> dict[str, Tensor]:
            with fast(workspace.device):
                return built.losses(batch, tokenizer)

        size = self.training.batch

        def step() -> dict[str, Tensor]:
            return losses(windows.draw(size, self.still_share))

        if tokenizer is not None:
            workspace.capture(tokenizer.steady())
        workspace.capture(built.steady())
        dev = dev_batches(inputs, workspace.device, size, tokenizer, self.space.source)
        validation = held_out(losses, dev)
        values = fit(built, step, self.training, workspace, slower, validation=validation)
        effort = training_effort(built, step, self.training)
        workspace.save_network(built)
        return {"parameters": count_parameters(built), **effort, **values}
