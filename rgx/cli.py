"""The command line; each command imports what it needs inside, so `rgx --help` stays instant."""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rgx import __version__, init
from rgx.cluster import commands as cluster
from rgx.command_group import CommandGroup
from rgx.errors import InputError
from rgx.inspect import commands
from rgx.live import commands as live
from rgx.options import (
    INTERRUPTED,
    Bind,
    Engine,
    File,
    Import,
    Rerun,
    Scale,
    Seeds,
    Set,
    Store,
    SweepOrReport,
    overrides,
)
from rgx.study import commands as study
from rgx.terminal import complain, harmless

if TYPE_CHECKING:
    from rgx.report.gather import Gathered
    from rgx.sweep.plan import Plan
    from rgx.sweep.spec import Overrides

ABOUT = "Run a paper's ablations from one sweep file, train nothing twice, and get its tables and figures."


app = typer.Typer(cls=CommandGroup, no_args_is_help=True, pretty_exceptions_enable=False, help=ABOUT)

Only = Annotated[list[str], typer.Option(help="A panel (3b) or a row (3b/+distill).")]


class Tracked(StrEnum):
    """What can show a sweep while it runs."""

    tensorboard = "tensorboard"
    mlflow = "mlflow"
    wandb = "wandb"


def main() -> None:
    """Run the command line: 0 done, 1 some stage failed, 2 bad input."""
    try:
        app(prog_name="rgx")
    except InputError as error:
        complain(error)
        raise SystemExit(2) from None
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        place = f" for {error.filename}" if error.filename else ""
        print(f"error: no space left on device{place}; free some and run the same command", file=sys.stderr)
        raise SystemExit(2) from None


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"rgx {__version__}")
        raise typer.Exit


@app.callback(help=ABOUT)
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def _plan(file: Path, asked: Overrides) -> Plan:
    from rgx.sweep.plan import make_plan
    from rgx.sweep.spec import read_sweep

    return make_plan(read_sweep(file, asked))


@app.command()
def variants(
    axis: Annotated[str | None, typer.Argument(help="One axis only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    imports: Import = [],  # noqa: B006
) -> None:
    """List the variants of every axis with label, source and parameters; one without a value is required."""
    from rgx.inspect.roster import described
    from rgx.methods import import_methods, is_package
    from rgx.plugins import find_plugin, load_plugin
    from rgx.project import default_methods
    from rgx.registry import import_own

    import_own()
    here = Path.cwd()
    packages = [name for name in imports if is_package(name, here)]
    import_methods([*default_methods(here), *packages], here)
    for name in imports:
        if name not in packages:
            load_plugin(*find_plugin(name, here))
    rows = described(axis)
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        parameters = ", ".join([*row["parts"], *(f"{n}={d}" for n, d in row["parameters"].items())])
        typer.echo(f"{row['axis']}/{row['variant']}({parameters})")
        typer.echo(f"    {row['label']}: {row['summary']}  [{row['source']}]")
        for name, whence in row["outside"].items():
            typer.echo(f"    {name}: {whence}")


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
    from rgx.inspect.planned import lines, summary

    planned = _plan(file, overrides(choices, bind, scale, seeds, only, imports))
    if as_json:
        typer.echo(json.dumps(summary(planned, store), indent=1))
        return
    for line in lines(planned, store):
        typer.echo(harmless(line))


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
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster: host:port or auto; local for a Ray of its own.")
    ] = None,
    track: Annotated[list[Tracked], typer.Option(help="Show runs there; may be repeated.")] = [],  # noqa: B006
    go_on: Annotated[bool, typer.Option("--go-on", help="Also from checkpoints of other code.")] = False,
    rerun: Rerun = [],  # noqa: B006
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Render the report at the end.")
    ] = True,
) -> None:
    """Run every stage a sweep needs and does not have, then render its report."""
    from rich.console import Console

    from rgx.lookup import NoFileError, find_report
    from rgx.run.invocation import Execution, run_sweep
    from rgx.sweep.spec import run_of

    asked = overrides(choices, bind, scale, seeds, only, imports)
    definition = None
    with contextlib.suppress(NoFileError):
        definition = find_report(file) if report else None
    run = run_of(file, asked) if asked.written else None
    if definition is not None:
        from rgx.report.sweeps import check

        check(definition, run)
    try:
        outcome = run_sweep(file, asked, Execution(store, engine, address, track, go_on, rerun), Console())
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if definition is not None:
        _render_if_new(definition, store, Path("reports/build"), run)
    if not outcome.well:
        raise typer.Exit(1)


def _render_if_new(definition: Path, store: Path, out: Path, run: str | None) -> None:
    from rgx.report.gather import gather
    from rgx.report.render import stands
    from rgx.report.summary import summary

    gathered = gather(definition, store, run)
    if stands(gathered, out):
        typer.echo(harmless(summary(gathered)))
        typer.echo(f"the report under {out / gathered.folder} stands")
        return
    _render(definition, store, out, run)


def _render(definition: Path, store: Path, out: Path, run: str | None) -> tuple[Gathered, list[Path]]:
    from rgx.report.gather import gather
    from rgx.report.render import write
    from rgx.report.summary import summary

    # A report is many small things that live as long as it takes: looking for garbage is a tenth of its time.
    gc.set_threshold(100_000)
    gathered = gather(definition, store, run)
    paths = write(gathered, out)
    typer.echo(harmless(summary(gathered)))
    typer.echo(f"{len(paths)} files under {paths[0].parent if paths else out}")
    return gathered, paths


@app.command()
def report(
    file: SweepOrReport,
    store: Store = Path("store"),
    out: Annotated[Path, typer.Option(help="Where tables go.")] = Path("reports/build"),
    run: Annotated[
        str | None, typer.Option("--run", help="An overridden run, NAME@…, in the place of its sweep.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 where a claim is not as on record.")] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also all of it as one PDF, by pdflatex.")] = False,
    imports: Import = [],  # noqa: B006
) -> None:
    """Write every table and figure of a sweep: a page, LaTeX, Markdown, CSV, PDF and PNG."""
    from rgx.lookup import report_of
    from rgx.plugins import find_plugin, load_plugin
    from rgx.report.claims_record import off_record

    for name in imports:
        load_plugin(*find_plugin(name, Path.cwd()))
    gathered, paths = _render(report_of(file), store, out, run)
    if pdf:
        from rgx.report.pdf import write_pdf

        typer.echo(f"{write_pdf(gathered, paths, out)}")
    if check and (differing := off_record(gathered)):
        typer.echo(harmless("\n".join(differing)), err=True)
        raise typer.Exit(1)


app.registered_commands += init.app.registered_commands + commands.app.registered_commands
app.registered_commands += live.app.registered_commands
app.add_typer(study.app, name="study")
app.add_typer(cluster.app, name="cluster")
