"""Self-reconstruction: windows rendered from their own poses, against themselves (Table 3a)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import torch

from rgx.errors import InputError
from rgx.gesture.data.picture_pairs import Pictures
from rgx.gesture.data.reading import load_pictures, present
from rgx.gesture.metrics.base import VideoMetric, VideoPair
from rgx.gesture.nn.hands import hand_mask
from rgx.gesture.refine.base import Refiner
from rgx.gesture.rendering import CHUNK, Renderer, save_strip, source_of, to_bytes
from rgx.gesture.scoring import fingerprint_of, remarks_of, score_windows
from rgx.gesture.types import WINDOW_FRAMES
from rgx.registry import Recipe, Since, register
from rgx.stage import Split, Stage
from rgx.store.workspace import Inputs, Workspace


@register("stage", "reconstruction_scores", label="Reconstruction scores", source="Sec. 5.4, Table 3a")
class ReconstructionScoresStage(Stage):
    """Each window from its condition frame, driven by its own frames; no generated motion takes part.

    split: 'test' for tables, 'dev' for choices.
    """

    seeded = False

    def __init__(
        self,
        refiner: Recipe[Refiner],
        metrics: tuple[VideoMetric, ...],
        windows_per_clip: int = 1,
        split: Annotated[Split, Since("test")] = "test",
    ) -> None:
        if windows_per_clip < 1:
            raise InputError(
                f"stage.reconstruction_scores.windows_per_clip = {windows_per_clip}: expected 1 or more"
            )
        self.refiner, self.metrics, self.windows_per_clip = refiner, metrics, windows_per_clip
        self.split: Split = split

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        return ("frames", "animator", *(("refiner",) if self.refiner.present else ()))

    def fingerprint(self) -> str:
        return fingerprint_of(self.metrics)

    def build(self, parents: Mapping[str, Any]) -> None:
        present(parents["frames"].corpus, self.split)

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        corpus = parents["frames"].corpus
        return remarks_of(self.metrics, corpus.windows(self.split, WINDOW_FRAMES, self.windows_per_clip))

    def run(self, inputs: Inputs, workspace: Workspace, built: None) -> dict[str, Any]:
        pictures = load_pictures(inputs, workspace.device)
        renderer = Renderer(inputs.built["animator"], inputs.built.get("refiner"), workspace.device)
        windows = pictures.windows(self.split, self.windows_per_clip)

        def pairs() -> Iterator[VideoPair]:
            for row, (_, _, start) in enumerate(windows):
                chunks = renderer.render(*source_of(pictures, start), frames_in_chunks(pictures, start))
                index = torch.arange(start, start + WINDOW_FRAMES)
                size = (pictures.size_px, pictures.size_px)
                hands = hand_mask(pictures.pose[index], pictures.valid[index], size)
                rendered = torch.cat(list(chunks))
                if row == 0:
                    save_strip(workspace, pictures, start, to_bytes(rendered))
                yield VideoPair(pictures.pictures(index), rendered, hands.to(workspace.device))

        scores = score_windows(self.metrics, pairs(), len(windows), workspace)
        return {**scores, "notes": inputs.about("refiner" if self.refiner.present else "animator")["notes"]}


def frames_in_chunks(
    pictures: Pictures, start: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yield the poses, validity and pictures of a window a chunk at a time."""
    for index in torch.arange(start, start + WINDOW_FRAMES).split(CHUNK):
        yield pictures.pose[index], pictures.valid[index], pictures.pictures(index)
