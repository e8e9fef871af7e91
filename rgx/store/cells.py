"""The names people give the cells of a run by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rgx.errors import InputError, nearest
from rgx.store.manifests import Manifests
from rgx.store.records import Run, SweepRow
from rgx.store.runs import read_run


def row_key(row: SweepRow) -> str:
    """Return a row's name as it is written everywhere: panel/row."""
    return f"{row.panel}/{row.row}"


def select(sweep: Run, words: str) -> tuple[list[SweepRow], str]:
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
    of_seed = [row for row in rows if row.seed == seed]
    if not of_seed:
        seeds = ", ".join(str(row.seed) for row in rows)
        raise InputError(f"{row_key(rows[0])}: no seed {seed}; its seeds are {seeds}")
    return of_seed


def find_cells(address: str, store: Path, seed: int | None, example: str) -> list[SweepRow]:
    """Return the cell of `SWEEP:TABLE/ROW` at one seed, or at each of its seeds where none is asked for.

    Raises InputError showing an example where the address is no row's, and for an unknown seed.
    """
    name, words = split(address, example)
    rows, more = select(read_run(store, name), words)
    if more:
        raise InputError(f"{address}: expected {example}; '{more}' is left over")
    return pick_seed(rows, seed)


def find_cell(address: str, store: Path, seed: int | None, example: str) -> SweepRow:
    """Return the one cell that an address names; raises InputError as `find_cells`, and for several seeds."""
    rows = find_cells(address, store, seed, example)
    if len(rows) > 1:
        seeds = ", ".join(str(row.seed) for row in rows)
        raise InputError(f"{address}: of which seed? it has {seeds}: add --seed {rows[0].seed}")
    return rows[0]


def pipeline_order(stages: Mapping[str, str], manifests: Manifests, wanted: str | None = None) -> list[str]:
    """Return a cell's stages (stage → key), parents first: all, or one with everything it stands on."""
    ordered: dict[str, None] = {}

    def visit(stage: str, below: tuple[str, ...]) -> None:
        manifest = manifests.get(stage, stages[stage])
        for parent in sorted(manifest["parents"]) if manifest else []:
            if parent in stages and parent not in ordered and parent not in below:
                visit(parent, (*below, parent))
        ordered[stage] = None

    for stage in stages if wanted is None else [wanted]:
        if stage not in ordered:
            visit(stage, (stage,))
    return list(ordered)
