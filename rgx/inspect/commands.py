"""The commands that explain what is in a store and carry it; mounted by the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rgx.errors import InputError
from rgx.options import Bind, File, Import, Scale, Seed, Seeds, Set, Store, overrides
from rgx.terminal import harmless

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

CellName = Annotated[str, typer.Argument(help="A row, such as 3b/+distill.")]
CellAddress = Annotated[str, typer.Argument(help="A cell in the store: ablation_table3:3b/+distill.")]


def _say(lines: Iterable[str]) -> None:
    """Print lines; what a manifest from elsewhere holds must not steer the terminal."""
    for line in lines:
        typer.echo(harmless(line).replace("\n", "�"))


@app.command()
def why(
    file: File,
    cell: CellName,
    stage: Annotated[str | None, typer.Argument(help="One stage only.")] = None,
    choices: Set = [],  # noqa: B006
    bind: Bind = [],  # noqa: B006
    scale: Scale = None,
    seeds: Seeds = None,
    imports: Import = [],  # noqa: B006
    store: Store = Path("store"),
) -> None:
    """Tell for each stage of a cell whether it is in the store, and if not, what differs and why."""
    from rgx.inspect.why import why as explain
    from rgx.sweep.spec import read_sweep

    sweep = read_sweep(file, overrides(choices, bind, scale, seeds, [], imports))
    _say(explain(sweep, cell, stage, store))


@app.command()
def status(
    store: Store = Path("store"),
    watch: Annotated[bool, typer.Option("--watch", help="Again every 2 seconds, until Ctrl-C.")] = False,
) -> None:
    """Show what runs in a store, from any shell, and how far each sweep is."""
    from rgx.inspect.status import show_status, watch_status

    (watch_status if watch else show_status)(store)


@app.command()
def show(
    address: Annotated[str, typer.Argument(help="SWEEP:TABLE/ROW/METRIC: my_sweep:a/full/accuracy.")],
    seed: Seed = None,
    store: Store = Path("store"),
) -> None:
    """Show where a number came from: artifact, ancestors, configuration, code, data, log."""
    from rgx.inspect.show import show as provenance

    _say(provenance(address, seed, store))


@app.command()
def diff(
    first: CellAddress,
    second: CellAddress,
    seed: Seed = None,
    store: Store = Path("store"),
) -> None:
    """Compare two cells: stages shared, stages that differ and by what, scores."""
    from rgx.inspect.compare import compare

    _say(compare(first, second, seed, store))


@app.command()
def gc(
    store: Store = Path("store"),
    remove: Annotated[
        bool, typer.Option("--delete", help="Move them to the store's trash; without it, only list.")
    ] = False,
    clear: Annotated[bool, typer.Option("--empty", help="Remove for good what is in the trash.")] = False,
) -> None:
    """List what no run of the last 90 days (or a pinned one) reaches and the folders of stages that stopped.

    With each folder its bytes and the hours it took to make.
    """
    from rgx.inspect.garbage import delete, find_garbage, kept_checkpoints

    if clear and not remove:
        _say([_emptied(store)])
        return
    garbage = list(delete(store) if remove else find_garbage(store))
    _say(
        f"{item.bytes:>14,} bytes  {_cost(item.hours):>8}  {item.folder}  ({item.reason})" for item in garbage
    )
    _say(f"kept: {stage.folder}: a sweep goes on from its checkpoint" for stage in kept_checkpoints(store))
    word = "moved to the trash (gc --empty clears it)" if remove else "can go (add --delete)"
    hours = sum(item.hours or 0.0 for item in garbage)
    _say([f"{len(garbage)} folders, {sum(item.bytes for item in garbage):,} bytes, {_cost(hours)} {word}"])
    if clear:
        _say([_emptied(store)])


def _emptied(store: Path) -> str:
    from rgx.store.trash import empty

    count, size = empty(store)
    return f"trash: {count} removals, {size:,} bytes removed for good"


def _cost(hours: float | None) -> str:
    return "" if hours is None else f"{hours:.2f} h"


@app.command()
def forget(
    address: Annotated[str, typer.Argument(help="STAGE/KEY, SWEEP:TABLE/ROW or SWEEP:TABLE/ROW/STAGE.")],
    store: Store = Path("store"),
) -> None:
    """Move finished artifacts, and all that rests on them, to the trash, so that they are made anew.

    Of a row those that no other row shares; `rgx gc --empty` removes them for good.
    """
    from rgx.inspect.forget import forget as move

    _say(move(address, store))


@app.command()
def runs(
    name: Annotated[str | None, typer.Argument(help="One name: its runs, the oldest first.")] = None,
    pin: Annotated[
        bool | None,
        typer.Option("--pin/--unpin", help="Have gc keep what the name reaches for good, or not."),
    ] = None,
    remove: Annotated[bool, typer.Option("--delete", help="Move the name's records to the trash.")] = False,
    store: Store = Path("store"),
) -> None:
    """List the runs in a store, those with overrides under their own name (my_sweep@axis=variant)."""
    from rgx.inspect import runs as records

    if name is None and (remove or pin is not None):
        raise InputError("which runs? expected a name, one of those that `rgx runs` lists")
    if name is not None and pin is not None:
        _say([records.pin(store, name, pin)])
    if name is not None and remove:
        _say([records.delete_runs(store, name)])
    elif pin is None:
        _say(records.list_runs(store, name))


@app.command()
def export(
    address: Annotated[str, typer.Argument(help="SWEEP, or one row of it: SWEEP:TABLE/ROW.")],
    file: Annotated[Path | None, typer.Argument(help="The tar file to write.")] = None,
    site: Annotated[
        Path | None, typer.Option(help="A folder for any static host: the report of a sweep or report file.")
    ] = None,
    store: Store = Path("store"),
) -> None:
    """Write cells with all their artifacts and their sweep's record into one file.

    With --site, the report of a sweep file as a website instead, with a page for each cell.
    """
    if (file is None) == (site is None):
        raise InputError("export: expected either a FILE to write or --site FOLDER")
    if file is not None:
        from rgx.inspect.bundle import export as write

        _say(write(address, file, store))
    if site is not None:
        from rgx.inspect.site import write_site
        from rgx.lookup import report_of
        from rgx.report.gather import gather

        facts = write_site(gather(report_of(Path(address)), store), site)
        size = f"{facts.bytes:,} bytes, of which the first page {facts.first_page_bytes:,}"
        _say([f"{site}: {facts.files} files, {size}"])


@app.command()
def verify(
    what: Annotated[str, typer.Argument(help="A file of `rgx export`, or SWEEP:TABLE/ROW of a store.")],
    cell: Annotated[str, typer.Argument(help="Of a file with several rows: TABLE/ROW.")] = "",
    column: Annotated[str | None, typer.Option(help="One metric; without it, all of the cell.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Make again from this stage on; else what scores.")
    ] = None,
    seed: Seed = None,
    imports: Import = [],  # noqa: B006
    store: Store = Path("store"),
) -> None:
    """Make one cell of a table again from its recorded inputs and compare bits; exit 1 where they differ.

    It runs in a store of its own; the one that is given is only read.
    """
    from rgx.inspect import verify as verification
    from rgx.plugins import find_plugin

    plugins = [find_plugin(name, Path.cwd()) for name in imports]
    with verification.received(what, store) as (address, source):
        row = verification.choose_cell(address, cell, seed, source)
        comparisons = verification.verify(row, source, column, start, plugins)
    _say(verification.describe(comparisons))
    if not all(comparison.same for comparison in comparisons):
        raise typer.Exit(1)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that `rgx export` wrote.")],
    name: Annotated[str | None, typer.Option("--as", help="Another name for the sweep's record.")] = None,
    store: Store = Path("store"),
) -> None:
    """Verify such a file and take what the store lacks; an artifact already there is kept."""
    from rgx.inspect.unbundle import take_in

    _say(take_in(file, store, name))


@app.command()
def bundle(
    address: CellAddress,
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    seed: Seed = None,
    store: Store = Path("store"),
) -> None:
    """Write a trained cell as one folder that works without the store and the data: `rgx.load(DIR)`."""
    from rgx.model.packing import pack

    facts = pack(address, out, store, seed)
    size = sum(file.bytes for file in facts.files.values())
    _say([f"{out}: {facts.name}: {', '.join(facts.stages)}; {len(facts.files) + 1} files, {size:,} bytes"])


class FileKind(StrEnum):
    """The files a person writes that have a schema."""

    sweep = "sweep"
    report = "report"


@app.command()
def schema(kind: Annotated[FileKind, typer.Argument(help="Of which files.")]) -> None:
    """Print the JSON Schema of sweep or report files, by which editors complete and check them."""
    from rgx.inspect.file_schemas import schema_of

    typer.echo(json.dumps(schema_of(kind, Path.cwd()), indent=1, ensure_ascii=False))
