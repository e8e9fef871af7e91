"""One table as a report file asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, field_validator

from rgx.errors import nearest
from rgx.report.phrase import Wording
from rgx.report.quoted import PublishedNumber
from rgx.report.significance import TESTS, Verdict
from rgx.store.records import MOST_DECIMALS

PanelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


Published = dict[str, dict[str, PublishedNumber | None]]


def ours_last(rows: list[str], ours: str | None) -> list[str]:
    """Return the rows with the full model's at the end."""
    return [row for row in rows if row != ours] + [row for row in rows if row == ours]


def as_swept(rows: list[str], ours: str | None) -> list[str]:
    """Return the rows in the sweep's order, as a table over a number wants them."""
    return rows


ORDERS = {"ours_last": ours_last, "as_swept": as_swept}


class Show(BaseModel):
    """Which parts of a table are printed; the appendix says what is not, and the CSV has all numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    published: bool = True
    """The lines of published numbers."""
    differences: bool = True
    """How far ours is above them."""
    statistics: bool = True
    """Deviations, n, what differs significantly, and what is said of it."""
    notes: bool = True
    """All else that stands under a table."""

    def over(self, other: Show) -> Show:
        """Return these switches where they are written, and another's elsewhere."""
        return other.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


MEAN = "mean"
"""What the column of a pivot's means is called, and its level."""


class Pivot(BaseModel):
    """A grid of two factors turned: a row for each level of one, each metric's columns for the other's."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    rows: str
    columns: str
    mean: bool = True
    """Whether each metric has a last column, its mean over the others."""


class Panel(BaseModel):
    """One table: its columns are metric names, or `stage/metric` where two stages share a name."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    sweep: str | None = None
    """The sweep the rows are from, where the report has several; without it, the first."""
    caption: Wording
    """What stands over it."""
    columns: list[str] = Field(min_length=1)
    """Metrics, or `stage/metric` where two stages share a name."""
    published: Published = {}
    """Row → column → published number, or a file and a panel of it."""
    published_source: str = ""
    """Where the published numbers are from."""
    published_note: str = ""
    """What is doubtful in the published numbers, for the appendix."""
    measured_alike: list[str] = []
    """Columns whose published numbers were measured on the same data, by the same protocol and instruments as
    ours: of these alone the difference is printed."""
    show: Show = Show()
    """Which parts of it are printed."""
    labels: dict[str, Wording] = {}
    """Row → what it is called in print."""
    heads: dict[str, Wording] = {}
    """Column, group or component → what it is called in print; a column else as its metric is registered."""
    groups: dict[str, list[str]] = {}
    """Head over several columns → those columns, which stand side by side."""
    sections: dict[str, list[str]] = {}
    """Head over several rows → those rows; what is in none stands before them."""
    pivot: Pivot | None = None
    """Which factors of the rows, named `method=…, dataset=…` as a grid names them, are turned."""
    decimals: dict[str, Annotated[int, Field(ge=0, le=MOST_DECIMALS)]] = {}
    """Column → decimals it is printed and compared with, in place of those its metric is registered with."""
    factors: dict[str, Annotated[FiniteFloat, Field(gt=0)]] = {}
    """Column → what its numbers are printed times, such as 100 for a percentage."""
    components: dict[str, list[str]] = {}
    """Row → the components it has, shown as ticks."""
    ours: str | None = None
    """The row of the full model."""
    order: str = "ours_last"
    """How rows are ordered."""
    test: str = "paired_t"
    """The test between rows."""
    claims: dict[str, Verdict | None] = {}
    """`ROW < ROW in COLUMN` → the verdict on record, which `rgx report --check` holds it to."""
    note: Wording | None = None
    """What stands under it."""
    pictures: str | None = None
    """The stage whose pictures and videos are shown, a row each."""
    pictures_note: Wording = "One row each."
    """What stands under the pictures."""
    pictures_settings: dict[str, Any] = {}
    """What the figure of the pictures is set to, where a kind of figure shows those of the stage."""
    film: bool = True
    """Whether all rows also become one video, where that kind knows how to film them."""

    @field_validator("order")
    @classmethod
    def _known_order(cls, name: str) -> str:
        return _known(name, ORDERS)

    @field_validator("test")
    @classmethod
    def _known_test(cls, name: str) -> str:
        return _known(name, TESTS)

    def wrong(self) -> Iterator[tuple[list[str], str]]:
        """Give each place whose name is none of the panel's, or that repeats one, and what is wrong there."""
        named = {
            # The levels of a pivot are known when the sweep has run.
            "heads": [
                *self.columns,
                *self.groups,
                *self.sections,
                *self.ticks(),
                *(self.heads if self.pivot else ()),
            ],
            "decimals": self.columns,
            "factors": self.columns,
        }
        for field, known in named.items():
            for name in getattr(self, field):
                if name not in known:
                    yield [field, name], f"is not a column; {nearest(name, known)}"
        for row, values in self.published.items():
            for column in values:
                metric = column.partition("@")[0] if self.pivot else column
                if metric not in self.columns:
                    yield ["published", row, column], f"is not a column; {nearest(metric, self.columns)}"
        if len(set(self.columns)) < len(self.columns):
            yield ["columns"], "repeats a metric"
        yield from self._wrong_groups()
        first: dict[str, str] = {}
        for name, rows in self.sections.items():
            for row in rows:
                if (other := first.setdefault(row, name)) != name:
                    yield ["sections", name], f"has '{row}', which is of '{other}' too"

    def section_of(self, row: str) -> str:
        """Return the section a row stands in, or nothing."""
        return next((name for name, rows in self.sections.items() if row in rows), "")

    def arranged(self, rows: list[str]) -> list[str]:
        """Return rows in the panel's order, section by section."""
        places = {name: place for place, name in enumerate(["", *self.sections])}
        return sorted(ORDERS[self.order](rows, self.ours), key=lambda row: places[self.section_of(row)])

    def _wrong_groups(self) -> Iterator[tuple[list[str], str]]:
        if self.pivot and self.groups:
            yield ["groups"], "and a pivot cannot both stand over the columns"
        grouped: dict[str, str] = {}
        for name, columns in self.groups.items():
            places = []
            for column in columns:
                if column not in self.columns:
                    yield ["groups", name], f"has '{column}', no column; {nearest(column, self.columns)}"
                    return
                if (other := grouped.setdefault(column, name)) != name:
                    yield ["groups", name], f"has '{column}', which is of '{other}' too"
                places.append(self.columns.index(column))
            if sorted(places) != list(range(min(places, default=0), min(places, default=0) + len(places))):
                yield ["groups", name], "has columns that do not stand side by side in 'columns'"

    def ticks(self) -> list[str]:
        """Return the components any row has, in the order they are first written."""
        return list(dict.fromkeys(name for names in self.components.values() for name in names))


def _known(name: str, options: Iterable[str]) -> str:
    """Return a name that is among the options; raises ValueError with the nearest spelling."""
    names = list(options)
    if name not in names:
        raise ValueError(nearest(name, names))
    return name
