"""Sound and pictures to a generator that goes from one to the other without a pose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.data.pixel_windows import PixelWindows
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.nn.precision import fast
from rgx.gesture.pixels.base import PixelGenerator
from rgx.gesture.types import PixelBatch
from rgx.gesture.validation import held_out
from rgx.registry import Recipe, register
from rgx.stage import Stage, count_parameters
from rgx.store.workspace import Inputs, Workspace
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

MOST = 16
"""Windows of dev that are looked at: their pictures cost more than motion does."""
WAVEFORM = "waveform"


@register("stage", "pixels", label="Pixel generator", source="Table 1, MM-Diffusion; reading 119")
class PixelsStage(Stage):
    """Trains on windows of small pictures with their sound; raises InputError for a corpus without sound."""

    trains = True

    def __init__(self, pixels: Recipe[PixelGenerator], training: AdamW) -> None:
        self.pixels, self.training = pixels, training

    def parents(self) -> tuple[str, ...]:
        return ("corpus", "frames")

    def build(self, parents: Mapping[str, Any]) -> PixelGenerator:
        if (heard := parents["corpus"].heard) != WAVEFORM:
            raise InputError(
                f"pixels: {self.pixels.variant.name} hears the {WAVEFORM}; the corpus holds speech as {heard}"
            )
        return self.pixels(parents["frames"].size_px)

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        return self.training.remarks(parents["corpus"].windows("train"))

    def run(self, inputs: Inputs, workspace: Workspace, built: PixelGenerator) -> dict[str, Any]:
        pictures = load_pictures(inputs, workspace.device)
        waveform = inputs.arrays("corpus")[WAVEFORM]

        def windows_of(split: str) -> PixelWindows:
            return PixelWindows(pictures, waveform, split, built.size_px, built.every)

        def losses(batch: PixelBatch) -> dict[str, Tensor]:
            with fast(workspace.device):
                return built.losses(batch)

        size, train, dev = self.training.batch, windows_of("train"), windows_of("dev")

        def step() -> dict[str, Tensor]:
            return losses(train.draw(size))

        index = dev.spread(MOST)
        batches = [dev.batch(part) for part in index[: max(size, len(index) // size * size)].split(size)]
        validation = held_out(losses, batches if len(index) else [])
        values = fit(built, step, self.training, workspace, validation=validation)
        workspace.save_network(built)
        return {"parameters": count_parameters(built), **values}
