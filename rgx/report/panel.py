"""One table as a report file asks for it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StringConstraints, field_validator

from rgx.errors import nearest
from rgx.report.significance import TESTS, Verdict
from rgx.yaml_values import Written

PanelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


def _finite(given: Any) -> float:
    """Return a finite number as it is, with the digits it was written with; raises ValueError."""
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
        raise ValueError("expected a number")
    return Written(str(given)) if isinstance(given, int) else given


Published = dict[str, dict[str, Annotated[float, PlainValidator(_finite)] | None]]


def ours_last(rows: list[str], ours: str | None) -> list[str]:
    """Return the rows with the full model's at the end."""
    return [row for row in rows if row != ours] + [row for row in rows if row == ours]


def as_swept(rows: list[str], ours: str | None) -> list[str]:
    """Return the rows in the sweep's order, as a table over a number wants them."""
    return rows


ORDERS = {"ours_last": ours_last, "as_swept": as_swept}


class Panel(BaseModel):
    """One table: its columns are metric names, or `stage/metric` where two stages share a name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sweep: str | None = None
    """The sweep the rows are from, where the report has several; without it, the first."""
    caption: str
    columns: list[str] = Field(min_length=1)
    published: Published = {}
    measured_alike: list[str] = []
    """Columns whose published numbers were measured on the same data, by the same protocol and instruments as
    ours: of these alone the difference is printed."""
    labels: dict[str, str] = {}
    """Row → what it is called in print."""
    heads: dict[str, str] = {}
    """Column → what it is called in print, in place of what its metric is registered as."""
    components: dict[str, list[str]] = {}
    """Row → the components it has, shown as ticks."""
    ours: str | None = None
    order: str = "ours_last"
    test: str = "paired_t"
    claims: dict[str, Verdict | None] = {}
    """`ROW < ROW in COLUMN` → the verdict on record, which `rgx report --check` holds it to."""
    note: str | None = None
    pictures: str | None = None
    """The stage whose pictures and videos are shown, a row each."""
    pictures_note: str = "One row each."
    """What stands under the pictures."""

    @field_validator("order")
    @classmethod
    def _known_order(cls, name: str) -> str:
        return _known(name, ORDERS)

    @field_validator("test")
    @classmethod
    def _known_test(cls, name: str) -> str:
        return _known(name, TESTS)

    def ticks(self) -> list[str]:
        """Return the components any row has, in the order they are first written."""
        return list(dict.fromkeys(name for names in self.components.values() for name in names))


def _known(name: str, options: Iterable[str]) -> str:
    """Return a name that is among the options; raises ValueError with the nearest spelling."""
    names = list(options)
    if name not in names:
        raise ValueError(nearest(name, names))
    return name
