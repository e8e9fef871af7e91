"""Where on the page a row stands, and where its numbers came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rgx.report.results import Results
from rgx.report.statistics import Table

INDEX, PROVENANCE = "index.html", "provenance.html"


@dataclass(frozen=True)
class Anchors:
    """The number of each row of the shown panels in its sweep; ids are made of it and the panel's name.

    A panel's name has only letters that an address takes as they are; a row's name may have any.
    """

    numbers: dict[tuple[str, str], int]

    def of(self, table: Table) -> Anchors:
        """Return the anchors of a table's own rows; one of several of the sweep's has those of the first."""
        numbers = dict(self.numbers)
        for row, own in reversed(list(table.rows_of.items())):
            if (table.name, row) in numbers:
                numbers[table.name, own] = numbers[table.name, row]
        return Anchors(numbers)

    def row(self, panel: str, row: str) -> str:
        """Return the id of a row in the table, or nothing for a row that the sweep lacks."""
        return self._id("row", panel, row)

    def origin(self, panel: str, row: str) -> str:
        """Return the id of what is known of a row's numbers, or nothing for a row that the sweep lacks."""
        return self._id("from", panel, row)

    def _id(self, kind: str, panel: str, row: str) -> str:
        number = self.numbers.get((panel, row))
        return "" if number is None else f"{kind}-{panel}-{number}"


def anchors(results: Results, panels: Iterable[str]) -> Anchors:
    """Number the rows of panels in the sweep's order."""
    shown = set(panels)
    numbers: dict[tuple[str, str], int] = {}
    counts = dict.fromkeys(shown, 0)
    for item in results.sweep.rows:
        if item.panel in shown and (item.panel, item.row) not in numbers:
            numbers[item.panel, item.row] = counts[item.panel]
            counts[item.panel] += 1
    return Anchors(numbers)
