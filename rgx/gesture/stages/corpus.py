"""Recordings to motion arrays in shoulder widths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
import torch

from rgx.errors import InputError
from rgx.gesture.data.base import Corpus
from rgx.gesture.skeleton import KEPT, measure, normalise
from rgx.gesture.types import ClipSpan, CorpusFacts
from rgx.registry import register
from rgx.stage import Stage
from rgx.store.workspace import Inputs, Workspace

STD_FLOOR = 0.01


@register("stage", "corpus", label="Corpus", source="Sec. 5.1")
class CorpusStage(Stage):
    """Clips, normalised by shoulder width and laid end to end."""

    seeded = False

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus

    def parents(self) -> tuple[str, ...]:
        return ()

    def fingerprint(self) -> str:
        return self.facts.fingerprint

    @cached_property
    def facts(self) -> CorpusFacts:
        """What the corpus says of itself, asked once: a folder of videos is hashed for it."""
        return self.corpus.facts()

    def build(self, parents: Mapping[str, Any]) -> CorpusFacts:
        facts = self.facts
        for split in ("train", "test"):
            if not facts.clips.get(split):
                raise InputError(f"the {split} split of the corpus is empty; found {facts.clips}")
        return facts

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        dev = self.facts.windows("dev")
        if dev or (dev is None and self.facts.clips.get("dev")):
            return []
        return ["no dev clip of a window's length: what is trained is left as its last step made it"]

    def run(self, inputs: Inputs, workspace: Workspace, built: CorpusFacts) -> dict[str, Any]:
        motions, valids, sounds, spans = [], [], [], []
        start, total = 0, sum(built.clips.values())
        for clip in self.corpus.clips():
            origin, scale = measure(clip.keypoints, clip.valid)
            motions.append(normalise(clip.keypoints, origin, scale))
            valids.append(clip.valid[:, KEPT])
            sounds.append(getattr(clip, built.heard).astype(np.float32))
            frames = len(clip.keypoints)
            speaker = built.speakers.index(clip.speaker)
            place = (float(origin[0]), float(origin[1]))
            spans.append(ClipSpan(clip.name, speaker, clip.split, start, frames, place, scale))
            start += frames
            workspace.progress(len(spans), total)
        motion, valid = np.concatenate(motions), np.concatenate(valids)
        train = np.concatenate([np.full(s.frames, s.split == "train") for s in spans])
        weight = (train[:, None] & valid)[..., None].astype(np.float64)
        count = weight.sum(0).clip(min=1)
        mean = (motion * weight).sum(0) / count
        std = np.sqrt(((motion - mean) ** 2 * weight).sum(0) / count).clip(min=STD_FLOOR)
        arrays = {
            "motion": motion,
            "valid": valid,
            built.heard: np.concatenate(sounds),
            "mean": mean.astype(np.float32),
            "std": std.astype(np.float32),
        }
        workspace.save_arrays({k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()})
        workspace.save_about({"speakers": built.speakers, "spans": [asdict(s) for s in spans]})
        shares = {"valid_share": float(valid.mean())}
        return {"clips": len(spans), "frames": start, **shares, **self.corpus.report()}
