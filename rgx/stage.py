"""The contract of a stage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from rgx.store.records import SPLITS, Split
from rgx.store.workspace import Inputs, Workspace
from rgx.variant import Record

__all__ = ["SPLITS", "Split", "Stage", "count_parameters", "splits_of"]


class Stage(ABC):
    """One node of the pipeline; never looks up a variant by name, never reads gin.

    Its constructor takes its parts and hyper-parameters; an argument without a default must be bound.
    """

    version: ClassVar[int] = 1
    """Raised by hand when the same parameters mean another result."""
    seeded: ClassVar[bool] = True
    trains: ClassVar[bool] = False
    split: Split | None = None
    """What it scores, or makes for others to score: 'test' as a rule, best as an argument, which a search
    binds to 'dev'. None where that is no question, or where the stages it reads say it."""
    record: Record

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

        Called on the meta device while planning, on the one that computes before `run`.
        Raises InputError for a combination that cannot work.
        """
        return None

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        """Return in sentences what is too little for it, as far as what its parents leave tells beforehand.

        The planner prints them, the manifest keeps them, and every table of numbers that follow has them.
        """
        return []

    @abstractmethod
    def run(self, inputs: Inputs, workspace: Workspace, built: Any) -> dict[str, Any]:
        """Do the work, leave files in the workspace and return what the manifest should say."""


def splits_of(stages: Mapping[str, Stage], name: str) -> set[Split]:
    """Return the splits that a stage's scores are of: its own, or else those of the stages it reads."""
    own = stages[name].split
    if own in SPLITS:
        return {own}
    return {split for parent in stages[name].parents() for split in splits_of(stages, parent)}


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
