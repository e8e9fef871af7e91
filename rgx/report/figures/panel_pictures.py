"""What a kind of figure is that shows the pictures and videos which a stage left for the rows of a panel."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rgx.registry import variants
from rgx.report.figures.base import Material, RowsFigure
from rgx.report.panel import Panel


@dataclass(frozen=True)
class Film:
    """All rows of a panel in one video: what it is made of, what it shows in words, and how to write it.

    content: changes whenever the video would be another.
    """

    content: str
    shows: str
    write: Callable[[Path], None]


class PicturesFigure(RowsFigure):
    """A figure of the pictures of a stage, by which a panel with `pictures:` of that stage is drawn, too."""

    stages: ClassVar[tuple[str, ...]] = ()
    """The stages whose pictures it knows to show."""
    stage: str

    @abstractmethod
    def film(self, material: Material) -> Film | None:
        """Return how to film what it shows, or None where nothing of it has been made; raises InputError."""


def kind_for(stage: str | None) -> type[PicturesFigure] | None:
    """Return the kind of figure that shows a stage's pictures, or None where no method brings one."""
    for variant in variants("figure"):
        if issubclass(variant.cls, PicturesFigure) and stage in variant.cls.stages:
            return variant.cls
    return None


GIVEN = {"panel", "stage"}
"""What the figure of a panel's pictures is set to by the panel itself."""


def settings_of(name: str, panel: Panel) -> dict[str, Any]:
    """Return the settings of the figure that shows a panel's pictures."""
    return {"width": "page", **panel.pictures_settings, "panel": name, "stage": panel.pictures}


def of_panel(name: str, panel: Panel) -> PicturesFigure | None:
    """Return the figure of a panel's pictures, or None where no kind shows them."""
    kind = kind_for(panel.pictures)
    return kind.model_validate(settings_of(name, panel)) if kind is not None else None
