"""Recordings to pictures of one size, with the pose of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import torch

from rgx.errors import InputError
from rgx.gesture.data.base import Corpus
from rgx.gesture.data.picture_file import NAME, PictureWriter, check_codec
from rgx.gesture.data.picture_pairs import picture_span
from rgx.gesture.types import ClipSpan, PictureFacts
from rgx.registry import register
from rgx.stage import Stage
from rgx.store.workspace import Inputs, Workspace

SMALLEST_PX = 32


@register("stage", "frames", label="Pictures", source="Sec. 5.1, reading 4")
class FramesStage(Stage):
    """Every frame of the corpus, compressed without loss and by itself for random access; apart from the
    corpus, so that the size of pictures never changes what motion is trained on."""

    # Puppets are drawn with clothes, fingers and a room (their motion is the same), and what is said is left.
    version = 3
    seeded = False

    def __init__(self, corpus: Corpus, size_px: int = 256) -> None:
        if size_px < SMALLEST_PX or size_px % SMALLEST_PX:
            raise InputError(f"stage.frames.size_px = {size_px}: expected a multiple of {SMALLEST_PX}")
        self.corpus, self.size_px = corpus, size_px

    def parents(self) -> tuple[str, ...]:
        return ("corpus",)

    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return self.corpus.facts().fingerprint

    def build(self, parents: Mapping[str, Any]) -> PictureFacts:
        """Return the width of a picture in px and the facts of the corpus."""
        self.corpus.check_pictures()
        check_codec()
        return PictureFacts(self.size_px, parents["corpus"])

    def run(self, inputs: Inputs, workspace: Workspace, built: PictureFacts) -> dict[str, Any]:
        size, corpus = built.size_px, inputs.arrays("corpus")
        spans = [ClipSpan(**span) for span in inputs.about("corpus")["spans"]]
        poses, placed = [], []
        words: dict[str, tuple[tuple[str, int], ...]] = {}
        with PictureWriter(workspace.folder / NAME) as file:
            for span, footage in zip(spans, self.corpus.footage(size), strict=True):
                if (footage.name, len(footage.frames)) != (span.name, span.frames):
                    raise InputError(
                        f"clip {span.name} has {span.frames} frames of keypoints, but the pictures are "
                        f"{len(footage.frames)} of {footage.name}"
                    )
                file.add(footage.frames)
                place = picture_span(span, footage.frame_px)
                poses.append(place.place(corpus["motion"][span.start : span.start + span.frames]))
                placed.append(asdict(place))
                words |= {span.name: footage.words} if footage.words else {}
                workspace.progress(len(placed), len(spans))
        ends = torch.tensor(file.ends)
        workspace.save_arrays({"pose": torch.cat(poses), "valid": corpus["valid"], "ends": ends})
        workspace.save_about({"spans": placed, "size_px": size, "words": words})
        return {"clips": len(spans), "frames": len(ends), "size_px": size}
