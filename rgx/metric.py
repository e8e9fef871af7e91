"""The contract of a metric: one number of a table, with all that a reader needs to read it."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar, Literal

from rgx.registry import find


class Metric(ABC):
    """What a table prints of a score; how the score is taken, a method's own metrics say.

    A stage that scores takes its metrics as variants of the axis `metric`, and returns `scores` and
    `metrics`: by each metric's name its value and `describe(metric)`.
    """

    record: dict[str, Any]
    direction: ClassVar[Literal["down", "up", "reference"]]
    """Better when lower, when higher, or when nearer to its reference."""
    unit: ClassVar[str] = ""
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    protocol: ClassVar[str] = ""
    """On what, and how, the score is taken."""
    decimals: ClassVar[int] = 3
    stand_in: ClassVar[bool] = False
    """Whether it stands in for a measure whose pretrained weights are not at hand."""
    reference_is: ClassVar[str] = ""
    """What the reference is, where it is not the score of the recorded data itself."""
    reference_line: ClassVar[str] = ""
    """What a table calls the line of that reference, where it is not the line of the recorded data."""

    def remarks(self, samples: int, features: int | None = None) -> list[str]:
        """Return in sentences what it lacks where there are so many samples, compared by so many features."""
        return []


def name_of(metric: Metric) -> str:
    """Return the name a metric is registered under, by which a report asks for its column."""
    return str(metric.record["variant"]).partition("/")[2]


def describe(metric: Metric) -> dict[str, Any]:
    """Return what a manifest says of a metric, so that a table can be printed from the store alone."""
    variant = find("metric", name_of(metric))
    description = {
        "label": variant.label,
        "direction": metric.direction,
        "unit": metric.unit,
        "decimals": metric.decimals,
        "protocol": metric.protocol,
        "source": variant.source,
        "reference_is": metric.reference_is,
    }
    if metric.reference_line:
        description["reference_line"] = metric.reference_line
    return description | ({"stand_in": True} if metric.stand_in else {})
