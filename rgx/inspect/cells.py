"""The records sweeps leave in a store, and the names people give their cells by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rgx.errors import InputError, nearest
from rgx.report.frames import Sweep, SweepRow
from rgx.store.artifacts import read_object
from rgx.store.manifests import Shelf
from rgx.sweep.search.results import Record

Model = TypeVar("Model", bound=BaseModel)


def sweep_names(store: Path) -> list[str]:
    """Return the names of the sweeps that left a record in a store."""
    return sorted(p.stem for p in (store / "sweeps").glob("*.json") if not p.name.startswith("."))


def read_sweep_record(store: Path, name: str) -> Sweep:
    """Return a sweep's record; raises InputError with the nearest name, or where it cannot be read."""
    path = store / "sweeps" / f"{name}.json"
    if name not in sweep_names(store):
        raise InputError(
            f"{path}: no sweep '{name}' has run in this store: {nearest(name, sweep_names(store))}"
        )
    return parse_sweep_record(read_object(path), str(path))


def parse_sweep_record(content: object, place: str) -> Sweep:
    """Return the record in a JSON object; raises InputError naming the place and the field."""
    return _parsed(Sweep, content, place)


def parse_search_record(content: object, place: str) -> Record:
    """Return the trials of a search in a JSON object; raises InputError naming the place and the field."""
    return _parsed(Record, content, place)


def _parsed(model: type[Model], content: object, place: str) -> Model:
    if content is None:
        raise InputError(f"{place}: not a JSON object")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{place}: {'/'.join(map(str, first['loc']))}: {first['msg']}") from None


def row_key(row: SweepRow) -> str:
    """Return a row's name as it is written everywhere: panel/row."""
    return f"{row.panel}/{row.row}"


def select(sweep: Sweep, words: str) -> tuple[list[SweepRow], str]:
    """Return the cells `panel/row` names, one per seed, and what follows it (`panel/row/rest` → `rest`).

    A row's name may hold a slash, so the longest that fits counts; raises InputError with the nearest name.
    """
    keys = sorted({row_key(row) for row in sweep.rows}, key=len, reverse=True)
    for key in keys:
        if words == key or words.startswith(f"{key}/"):
            return [row for row in sweep.rows if row_key(row) == key], words[len(key) + 1 :]
    panels = {row.panel for row in sweep.rows}
    panel, _, rest = words.partition("/")
    if panel not in panels:
        raise InputError(f"{sweep.name}: no table '{panel}': {nearest(panel, panels)}")
    rows = [row.row for row in sweep.rows if row.panel == panel]
    near = nearest(rest, rows)
    if near.startswith("choose"):
        near = nearest(rest.rpartition("/")[0], rows)
    raise InputError(f"{sweep.name}: no row '{rest}' in table {panel}: {near}")


def split(address: str, example: str) -> tuple[str, str]:
    """Return the sweep and the rest of `SWEEP:rest`; raises InputError showing an example."""
    name, colon, rest = address.partition(":")
    if not (name and colon and rest):
        raise InputError(f"{address}: expected {example}")
    return name, rest


def pick_seed(rows: list[SweepRow], seed: int | None) -> list[SweepRow]:
    """Return the cell of one seed, or all where none is asked for; raises InputError for an unknown seed."""
    if seed is None:
        return rows
    found = [row for row in rows if row.seed == seed]
    if not found:
        seeds = ", ".join(str(row.seed) for row in rows)
        raise InputError(f"{row_key(rows[0])}: no seed {seed}; its seeds are {seeds}")
    return found


def pipeline_order(stages: Mapping[str, str], shelf: Shelf, wanted: str | None = None) -> list[str]:
    """Return a cell's stages (stage → key), parents first: all, or one with everything it stands on."""
    found: dict[str, None] = {}

    def visit(stage: str, below: tuple[str, ...]) -> None:
        made = shelf.get(stage, stages[stage])
        for parent in sorted(made["parents"]) if made else []:
            if parent in stages and parent not in found and parent not in below:
                visit(parent, (*below, parent))
        found[stage] = None

    for stage in stages if wanted is None else [wanted]:
        if stage not in found:
            visit(stage, (stage,))
    return list(found)
