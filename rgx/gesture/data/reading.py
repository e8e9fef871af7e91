"""What stages read from the artifacts of `corpus`, `speech`, `latents` and `frames`: windows and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.data.picture_file import NAME, PictureFile
from rgx.gesture.data.picture_pairs import Pictures, PictureSpan
from rgx.gesture.data.windows import Windows
from rgx.gesture.types import LANDMARKS, ClipSpan, CorpusFacts, MotionSource, Split


class Artifacts(Protocol):
    """The artifacts of a stage's parents."""

    folders: Mapping[str, Path]

    def arrays(self, stage: str, name: str = "arrays") -> dict[str, Tensor]:
        """Return a parent's named tensors."""
        ...

    def about(self, stage: str) -> dict[str, Any]:
        """Return a parent's JSON facts."""
        ...


def notes_of(inputs: Artifacts, stage: str) -> list[str]:
    """Return what a parent has a table say beside numbers; nothing where it leaves no facts."""
    return inputs.about(stage)["notes"] if (inputs.folders[stage] / "about.json").is_file() else []


def present(facts: CorpusFacts, split: Split) -> Split:
    """Return a split of which a corpus has clips; raises InputError where it has none."""
    if not facts.clips.get(split):
        there = ", ".join(f"{count} of {name}" for name, count in facts.clips.items() if count)
        advice = "; a search reads dev unless it says `on_test: true`" if split == "dev" else ""
        raise InputError(f"the corpus has no clip of the {split} split; it has {there}{advice}")
    return split


def load_windows(inputs: Artifacts, split: str, device: str, source: MotionSource = LANDMARKS) -> Windows:
    """Return a split's windows with motion and speech standardised by the training split.

    source: the space of the motion. Raises InputError for a split without a clip that is long enough.
    """
    about, arrays = inputs.about("corpus"), inputs.arrays(source.stage)
    spans = [ClipSpan(**span) for span in about["spans"]]
    frames = len(arrays[source.array])
    if "speech" in inputs.folders:
        speech = inputs.arrays("speech")
        features = (speech["features"] - speech["mean"]) / speech["std"]
        # Onsets: a tempo grid from a beat tracker does not follow speech. Source: reading 67.
        beats, pauses = speech["onsets"], speech["pauses"]
    else:
        features, beats = torch.zeros(frames, 0), torch.zeros(frames, dtype=torch.bool)
        pauses = beats
    motion = (arrays[source.array] - arrays["mean"]) / arrays["std"]
    windows = Windows(
        spans,
        split,
        *(x.to(device) for x in (motion, arrays["valid"], features, beats, pauses)),
    )
    if not len(windows):
        raise InputError(
            f"the {split} split has no clip of at least 81 frames (one condition frame and a window of 80)"
        )
    return windows


def load_pictures(inputs: Artifacts, device: str) -> Pictures:
    """Return the pictures of a parent `frames`."""
    arrays, about = inputs.arrays("frames"), inputs.about("frames")
    spans = [PictureSpan(**{**span, "origin": tuple(span["origin"])}) for span in about["spans"]]
    frames = PictureFile(inputs.folders["frames"] / NAME, arrays["ends"].numpy(), about["size_px"])
    return Pictures(frames, arrays["pose"], arrays["valid"], spans, device)
