"""The command line; each command imports what it needs inside, so `rgx --help` stays instant."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rgx.errors import InputError
from rgx.inspect import commands
from rgx.options import Bind, File, Import, Scale, Seeds, Set, Store, overrides

if TYPE_CHECKING:
    from rich.console import Console

    from rgx.report.render import Gathered
    from rgx.sweep.graph import Graph
    from rgx.sweep.plan import Plan
    from rgx.sweep.spec import Overrides

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

Only = Annotated[list[str], typer.Option(help="A panel (3b) or a row (3b/+distill).")]

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C stopped."""


class Engine(StrEnum):
    """Where stages run."""

    ray = "ray"
    inline = "inline"


def main() -> None:
    """Run the command line: 0 done, 1 some stage failed, 2 bad input."""
    try:
        app()
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        raise SystemExit(2) from None


def _plan(file: Path, asked: Overrides) -> Plan:
    from rgx.sweep.plan import make_plan
    from rgx.sweep.spec import read_sweep

    return make_plan(read_sweep(file, asked))


def _record(file: Path, asked: Overrides, made: Plan, console: Console) -> dict[str, Any]:
    """Return what the store should remember: every row of the sweep, also those `--only` leaves for later."""
    if not asked.only:
        return made.sweep_record()
    try:
        return _plan(file, replace(asked, only=[])).sweep_record()
    except InputError as error:
        console.print(f"rows outside --only are not in the record: {error}", markup=False, highlight=False)
        return made.sweep_record()


@app.command()
def variants(
    axis: Annotated[str | None, typer.Argument(help="One axis only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    imports: Import = [],  # noqa: B006
) -> None:
    """List the variants of every axis with label, source and parameters."""
    from rgx.plugins import find_plugin, load_plugin
    from rgx.registry import load_rooms
    from rgx.registry import variants as roster

    load_rooms()
    for name in imports:
        load_plugin(*find_plugin(name, Path.cwd()))
    rows: list[dict[str, Any]] = [
        {
            "axis": v.axis,
            "variant": v.name,
            "label": v.label,
            "summary": v.summary,
            "source": v.source,
            "parameters": {
                n: d if isinstance(d, (int, float, str, bool, type(None), list, tuple)) else str(d)
                for n, d in v.parameters.items()
            },
        }
        for v in roster(axis)
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        parameters = ", ".join(f"{n}={d}" for n, d in row["parameters"].items())
        typer.echo(f"{row['axis']}/{row['variant']}({parameters})")
        typer.echo(f"    {row['label']}: {row['summary']}  [{row['source']}]")


@app.command()
def plan(
    file: File,
    choices: Set = [],  # noqa: B006
    bind: Bind = [],  # noqa: B006
    scale: Scale = None,
    seeds: Seeds = None,
    only: Only = [],  # noqa: B006
    imports: Import = [],  # noqa: B006
    store: Store = Path("store"),
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show cells, unique stages, what is in the store, why the rest is not, and what sharing saves."""
    from rgx.inspect.code import drift
    from rgx.inspect.shelf import Shelf
    from rgx.sweep.plan import explain_missing

    made = _plan(file, overrides(choices, bind, scale, seeds, only, imports))
    missing, reasons = made.missing(store), explain_missing(made, store)
    if as_json:
        stages = [
            {
                "stage": t.stage, "key": k, "row": t.row, "seed": t.seed, "trains": t.trains,
                "parents": t.parents, "in_store": k not in missing,
                "why": reasons.get(k, ""),
            }
            for k, t in made.tasks.items()
        ]  # fmt: skip
        summary = {"trainings": made.trainings, "per_row_trainings": made.per_row_trainings}
        typer.echo(json.dumps({**made.sweep_record(), "stages": stages, **summary}, indent=1))
        return
    for key, task in made.tasks.items():
        state = "miss" if key in missing else "hit "
        typer.echo(f"{state} {task.stage:14} {key[:16]}  {task.row}")
        if key in missing:
            typer.echo(f"       {reasons[key]}")
    there = [(task.stage, key) for key, task in made.tasks.items() if key not in missing]
    for line in drift(Shelf(store), there):
        typer.echo(line)
    for first, second in made.same:
        typer.echo(f"same cell: {second} is {first}")
    typer.echo(
        f"{len(made.cells)} cells, {len(made.tasks)} unique stages, "
        f"{len(made.tasks) - len(missing)} in the store, {len(missing)} to run; "
        f"{made.trainings} trainings where a sweep row by row does {made.per_row_trainings}"
    )


@app.command()
def sweep(
    file: File,
    choices: Set = [],  # noqa: B006
    bind: Bind = [],  # noqa: B006
    scale: Scale = None,
    seeds: Seeds = None,
    only: Only = [],  # noqa: B006
    imports: Import = [],  # noqa: B006
    store: Store = Path("store"),
    engine: Annotated[Engine, typer.Option(help="Where stages run.")] = Engine.ray,
    address: Annotated[str | None, typer.Option(help="An existing Ray cluster.")] = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Render the report at the end.")
    ] = True,
) -> None:
    """Run every stage a sweep needs and does not have, then render its report."""
    from rich.console import Console

    from rgx.store.artifacts import open_store, write_json
    from rgx.sweep.graph import Graph

    console = Console()
    asked = overrides(choices, bind, scale, seeds, only, imports)
    made = _plan(file, asked)
    where = open_store(store)
    for first, second in made.same:
        console.print(f"same cell: {second} is {first}", markup=False, highlight=False)
    write_json(where / "sweeps" / f"{made.name}.json", _record(file, asked, made, console))
    for task in made.damaged(where):
        console.print(f"damaged: {task.title} is made again", markup=False, highlight=False)
    graph = Graph(made, where)
    if graph.waiting:
        try:
            _execute(graph, console, engine, address)
        except KeyboardInterrupt:
            console.print(
                f"stopped: {len(graph.done)} of {len(made.tasks)} stages are in the store; the same command "
                "goes on from there and from the last checkpoints",
                markup=False, highlight=False, soft_wrap=True,
            )  # fmt: skip
            raise typer.Exit(INTERRUPTED) from None
    for key, reason in graph.failed.items():
        console.print(f"failed: {made.tasks[key].title}: {reason}", markup=False, highlight=False)
    console.print(
        f"{made.name}: {len(graph.done) - graph.found} stages run, {graph.found} reused, "
        f"{len(graph.failed)} failed, {len(graph.blocked)} blocked; {made.trainings} trainings stand "
        f"where a sweep row by row does {made.per_row_trainings}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    definition = Path("reports") / file.name
    if report and definition.is_file():
        _render_if_new(definition, where, Path("reports/build"))
    if graph.failed:
        raise typer.Exit(1)


def _execute(graph: Graph, console: Console, engine: Engine, address: str | None) -> None:
    from rgx.sweep.progress import Progress

    if engine is Engine.inline:
        from rgx.sweep import inline

        with Progress(graph, console, 1) as progress:
            inline.execute(graph, progress)
        return
    from rgx.sweep import cluster

    with Progress(graph, console, cluster.start_ray(address)) as progress:
        cluster.execute(graph, progress)


def _render_if_new(definition: Path, store: Path, out: Path) -> None:
    from rgx.report.render import gather, stands, summary

    gathered = gather(definition, store)
    if stands(gathered, out):
        typer.echo(summary(gathered))
        typer.echo(f"the report under {out / gathered.results.sweep.name} stands")
        return
    _render(definition, store, out)


def _render(definition: Path, store: Path, out: Path) -> tuple[Gathered, list[Path]]:
    from rgx.report.render import gather, summary, write

    gathered = gather(definition, store)
    paths = write(gathered, out)
    typer.echo(summary(gathered))
    typer.echo(f"{len(paths)} files under {paths[0].parent if paths else out}")
    return gathered, paths


@app.command()
def report(
    file: Annotated[Path, typer.Argument(help="A sweep file, or its report of the same name.")],
    store: Store = Path("store"),
    out: Annotated[Path, typer.Option(help="Where tables go.")] = Path("reports/build"),
    pdf: Annotated[bool, typer.Option("--pdf", help="Also all of it as one PDF, by pdflatex.")] = False,
) -> None:
    """Write every table and figure of a sweep: LaTeX, Markdown, CSV, PDF and PNG."""
    definition = file if file.parent.name == "reports" else Path("reports") / file.name
    if not definition.is_file():
        raise InputError(f"no report definition {definition} for {file}")
    gathered, paths = _render(definition, store, out)
    if pdf:
        from rgx.report.pdf import write_pdf

        typer.echo(f"{write_pdf(gathered, paths, out)}")


app.registered_commands += commands.app.registered_commands
