"""The command that serves the live page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rgx.options import Store
from rgx.terminal import harmless

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def serve(
    sweeps: Annotated[
        list[Path] | None,
        typer.Argument(help="Sweep files whose tables it shows too, and whose stages it may run again."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="On which port; 0: any free one.")] = 8050,
    store: Store = Path("store"),
) -> None:
    """Open a page beside a store, on this machine alone, until Ctrl-C: what runs, curves, logs, tables."""
    from rgx.live.serving import serve as run_server
    from rgx.lookup import find_given

    files = [find_given(file, "sweep file") for file in sweeps or []]
    run_server(store, files, port, lambda line: typer.echo(harmless(line)))
