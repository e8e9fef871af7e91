"""The trials of a sweep's searches, by the names their rows have everywhere: search/row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rgx.store.runs import read_trials
from rgx.sweep.row import Row
from rgx.sweep.run_name import sweep_of
from rgx.sweep.search.spec import Search
from rgx.sweep.spec import Sweep


def trial_rows(sweep: Sweep, store: Path) -> dict[str, Row]:
    """Return by name every row that a trial of the sweep's searches climbed or can climb.

    Also trials of a search that was changed since, as the present file would make them, where they go over
    the same factors; what the command line overrides is asked of the trials of the sweep as written too.
    """
    names = dict.fromkeys((sweep_of(sweep.name), sweep.name))
    places = [store / "searches" / name for name in names]
    rows = (row for search in sweep.searches for place in places for row in _rows(search, place))
    return {row.key: row for row in rows}


def _rows(search: Search, place: Path) -> Iterator[Row]:
    folder_name = re.compile(rf"{re.escape(search.name)}-[0-9a-f]{{16}}")
    folders = sorted(place.iterdir()) if place.is_dir() else []
    for folder in (path for path in folders if folder_name.fullmatch(path.name)):
        for trial in read_trials(folder / "record.json").trials:
            if trial.values.keys() == search.space.factors.keys():
                # A name has its factors in the file's order; JSON is sorted.
                yield from search.rungs({factor: trial.values[factor] for factor in search.space.factors})
