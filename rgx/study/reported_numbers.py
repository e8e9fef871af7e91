"""The published numbers that a study's table stands beside, read when it is made and kept in its key."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rgx.errors import InputError, nearest
from rgx.lookup import find_given
from rgx.report.published import load
from rgx.study.power import DEVIATION
from rgx.study.study_file import StudyFile
from rgx.yaml_source import Source

MOST_COUNT = 200


def read_reported(study: StudyFile, source: Source) -> dict[str, Any]:
    """Return source, note and rows of the published panel, nothing where none is named.

    Raises InputError with the line for a file, a panel or a row that is not there.
    """
    reported = study.published
    if reported is None:
        return {}
    beside = source.path.parent / reported.file
    try:
        path = beside if beside.is_file() else find_given(Path(reported.file), "file of published numbers")
    except InputError as error:
        raise InputError(f"{source.where(['published', 'file'])}: {error}") from None
    file = load(path)
    if reported.panel not in file.panels:
        where, near = source.where(["published", "panel"]), nearest(reported.panel, file.panels)
        raise InputError(f"{where}: {path} has no panel '{reported.panel}'; {near}")
    panel = file.panels[reported.panel]
    for condition, row in reported.rows.items():
        if row not in panel.rows:
            where = source.where(["published", "rows", condition])
            raise InputError(f"{where}: {path} has no row '{row}'; {nearest(row, panel.rows)}")
    rows = {
        row: {metric: float(value) for metric, value in numbers.items() if value is not None}
        for row, numbers in panel.rows.items()
    }
    return {"source": file.source, "note": panel.note, "rows": rows}


def doubts_of(reported: Mapping[str, Any]) -> list[str]:
    """Return what is doubtful in published numbers, and of how many ratings they are. Source: reading 143."""
    every = [number for row in reported["rows"].values() for number in row.values()]
    doubts = [reported["note"]] if reported["note"] else []
    if (count := consistent_count(every)) is not None:
        half = 1.96 * DEVIATION / math.sqrt(count)
        doubts.append(
            f"All {len(every)} published cells are consistent with means of {count} ratings each, and of no "
            f"fewer; at a deviation of {DEVIATION} such a mean is known to ±{half:.2f}."
        )
    return doubts


def consistent_count(numbers: Sequence[float], decimals: int = 2) -> int | None:
    """Return the fewest ratings each of some printed means can be of, None where it is more than 200.

    Source: the GRIM test (Brown and Heathers 2017): a mean of n whole numbers is a multiple of 1/n.
    """
    half = 0.5 * 10**-decimals + 1e-9
    for count in range(1, MOST_COUNT + 1):
        if all(abs(round(number * count) / count - number) <= half for number in numbers):
            return count
    return None
