"""Recorded windows to animated pictures of themselves: what self-reconstruction begins from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from rgx.errors import InputError
from rgx.gesture.animations import AnimatedWindows
from rgx.gesture.data.reading import load_pictures, present
from rgx.gesture.external.mailbox import Mailbox
from rgx.gesture.rendering import DrivenWindow, animate_windows, controls_of_frames, source_of
from rgx.gesture.types import WINDOW_FRAMES, WindowFacts
from rgx.registry import Since, register
from rgx.stage import Split, Stage
from rgx.store.workspace import Inputs, Workspace


@register("stage", "reconstruction", label="Reconstruction", source="Sec. 5.4, Table 3a")
class ReconstructionStage(Stage):
    """Each window from its condition frame, driven by its own frames; no generated motion takes part.

    split: 'test' for tables, 'dev' for choices. Raises InputError for one of which the corpus has no clip.
    """

    seeded = False

    def __init__(self, windows_per_clip: int = 1, split: Annotated[Split, Since("test")] = "test") -> None:
        if windows_per_clip < 1:
            raise InputError(
                f"stage.reconstruction.windows_per_clip = {windows_per_clip}: expected 1 or more"
            )
        self.windows_per_clip = windows_per_clip
        self.split: Split = split

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        return ("frames", "animator")

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        corpus = parents["frames"].corpus
        split = present(corpus, self.split)
        return WindowFacts(split, corpus.windows(split, WINDOW_FRAMES, self.windows_per_clip))

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        device, animator = workspace.device, inputs.built["animator"]
        pictures = load_pictures(inputs, device)
        starts = [start for _, _, start in pictures.windows(built.split, self.windows_per_clip)]
        animated = AnimatedWindows.create(workspace.folder, len(starts), pictures.size_px, device)
        driven = [
            DrivenWindow(
                source_of(pictures, start),
                partial(controls_of_frames, animator, pictures, start),
                (pictures.pose[start : start + WINDOW_FRAMES], pictures.valid[start : start + WINDOW_FRAMES]),
            )
            for start in starts
        ]
        mailbox = Mailbox(workspace.folder, lambda done: workspace.progress(done, len(starts)))
        for row, chunks in enumerate(animate_windows(animator, driven, device, mailbox)):
            animated.write(row, chunks)
        workspace.save_about({"starts": starts, "notes": inputs.about("animator")["notes"]})
        return {"windows": len(starts), "size_px": pictures.size_px}
