"""What a method says of its trained cells outside a store: what they are made of, and what they are there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rgx.stage import Stage
from rgx.store.workspace import Inputs


@dataclass(frozen=True)
class Card:
    """What a reader must know of a model, in sentences: what it does, and what it was trained on."""

    use: str
    data: str


@dataclass(frozen=True)
class TrainedCell:
    """The stages of a model folder as they were trained, and the networks of those that have weights.

    name: the cell's address; notes: what there is to know of how it was loaded.
    """

    name: str
    folder: Path
    stages: Mapping[str, Stage]
    built: Mapping[str, Any]
    device: str
    notes: tuple[str, ...] = ()


class LoadedModel:
    """What a method's trained cell is once loaded; each method has its own kind.

    notes: what there is to know of how it was loaded, such as code that has changed since it was trained.
    """

    def __init__(self, cell: TrainedCell) -> None:
        self.name, self.notes, self.device = cell.name, cell.notes, cell.device


class Product(ABC):
    """How a method's trained cells leave the store; `METHOD.model` names the module with one as `product`.

    needs: the stages without which a cell is no model; takes: those that go along where a cell has them. Of
    each the record goes along, and the weights where it has any; nothing else does of itself. data: those of
    them that read data, which are not built anew.
    """

    needs: ClassVar[tuple[str, ...]]
    takes: ClassVar[tuple[str, ...]] = ()
    data: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def pack(self, stages: Mapping[str, Stage], artifacts: Inputs, folder: Path) -> Card:
        """Write into a folder what else a model needs of a cell's artifacts; returns what its card says.

        stages: all but those of data. Raises InputError for a cell that cannot work without its store.
        """

    @abstractmethod
    def given(self, stages: Mapping[str, Stage], folder: Path) -> dict[str, Any]:
        """Return by stage what those without weights leave, as those with weights are built from."""

    @abstractmethod
    def load(self, cell: TrainedCell) -> LoadedModel:
        """Return the model that a trained cell is."""
