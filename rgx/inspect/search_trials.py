"""The trials of a sweep's searches, by the names their rows have everywhere: search/row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from rgx.errors import InputError
from rgx.store.artifacts import read_object
from rgx.sweep.row import Row
from rgx.sweep.search.results import Record
from rgx.sweep.search.spec import Search
from rgx.sweep.spec import Sweep


def trial_rows(sweep: Sweep, store: Path) -> dict[str, Row]:
    """Return by name every row that a trial of the sweep's searches climbed or can climb.

    Also trials of a search that was changed since, as the present file would make them, where they go over
    the same factors.
    """
    rows = (row for search in sweep.searches for row in _rows(search, store / "searches" / sweep.name))
    return {row.key: row for row in rows}


def _rows(search: Search, place: Path) -> Iterator[Row]:
    folder_name = re.compile(rf"{re.escape(search.name)}-[0-9a-f]{{16}}")
    folders = sorted(place.iterdir()) if place.is_dir() else []
    for folder in (one for one in folders if folder_name.fullmatch(one.name)):
        path = folder / "record.json"
        try:
            record = Record.model_validate(read_object(path))
        except ValidationError as error:
            raise InputError(f"{path}: {error.errors()[0]['msg']}") from None
        for trial in record.trials:
            if trial.values.keys() == search.space.factors.keys():
                # A name has its factors in the file's order; JSON is sorted.
                yield from search.rungs({factor: trial.values[factor] for factor in search.space.factors})
