"""The tables of a report as far as they are filled, for the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rgx.report.gather import gather
from rgx.report.layout import caption, footnotes
from rgx.report.table_grid import ARROWS, Style, body, heads

PLAIN = Style(str, {"best": "%s *", "second": "%s +", "": "%s"}, "(%s)", " %s", ARROWS, "†", "✓")


def sweep_tables(report_file: Path, store: Path) -> list[dict[str, Any]]:
    """Return each panel's name, caption, heads, lines and notes; raises InputError as a report does."""
    return [
        {
            "name": table.name,
            "caption": caption(table),
            "heads": ["", *heads(table, PLAIN)],
            "lines": body(table, PLAIN),
            "notes": footnotes(table),
        }
        for table in gather(report_file, store).panels
    ]
