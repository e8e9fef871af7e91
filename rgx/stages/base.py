"""The contract of a stage, and what the stages that train share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from rgx.data.windows import Windows
from rgx.errors import InputError
from rgx.store.workspace import Inputs, Workspace
from rgx.types import ClipSpan


class Stage(ABC):
    """One node of the pipeline; never looks up a variant by name, never reads gin."""

    version: ClassVar[int] = 1
    """Raised by hand when the same parameters mean another result."""
    seeded: ClassVar[bool] = True
    trains: ClassVar[bool] = False
    record: dict[str, Any]

    def uses_gpu(self) -> bool:
        """Return whether a GPU would make it faster."""
        return self.trains

    @abstractmethod
    def parents(self) -> tuple[str, ...]:
        """Return the stages whose artifacts this one reads, as its parts declare."""

    def fingerprint(self) -> str:
        """Return the identity of data or pretrained weights read from outside the store."""
        return ""

    def identity(self) -> dict[str, Any]:
        """Return the part of the record that the result depends on."""
        return self.record

    def build(self, parents: Mapping[str, Any]) -> Any:
        """Return what the stage leaves for its children: a network, or facts.

        Called on the meta device while planning, on the real one before `run`.
        Raises InputError for a combination that cannot work.
        """
        return None

    @abstractmethod
    def run(self, inputs: Inputs, workspace: Workspace, built: Any) -> dict[str, Any]:
        """Do the work, leave files in the workspace and return what the manifest should say."""


def load_windows(inputs: Inputs, split: str, device: str) -> Windows:
    """Return a split's windows with motion and speech standardised by the training split."""
    about, corpus = inputs.about("corpus"), inputs.arrays("corpus")
    spans = [ClipSpan(**span) for span in about["spans"]]
    frames = len(corpus["motion"])
    if "speech" in inputs.folders:
        speech = inputs.arrays("speech")
        features = (speech["features"] - speech["mean"]) / speech["std"]
        beats = speech["beats"]
    else:
        features, beats = torch.zeros(frames, 0), torch.zeros(frames, dtype=torch.bool)
    motion = (corpus["motion"] - corpus["mean"]) / corpus["std"]
    windows = Windows(
        spans,
        split,
        *(x.to(device) for x in (motion, corpus["valid"], features, beats)),
    )
    if not len(windows):
        raise InputError(
            f"the {split} split has no clip of at least 81 frames (one condition frame and a window of 80)"
        )
    return windows


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
