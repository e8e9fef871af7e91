"""The commands that use the method outside a sweep file; mounted by the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rgx.errors import InputError
from rgx.options import INTERRUPTED, Bind, Engine, Import, Scale, Store, overrides
from rgx.terminal import harmless

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def score(
    real: Annotated[Path, typer.Option(help="A corpus of recordings: index.csv, clips/, keypoints.")],
    generated: Annotated[list[str], typer.Option(help="NAME=DIR: what a system made; may be repeated.")],
    poses: Annotated[
        str, typer.Option(help="What finds the keypoints of videos that come without.")
    ] = "mediapipe",
    out: Annotated[Path, typer.Option(help="Where tables and definitions go.")] = Path("scores"),
    judge: Annotated[
        Path | None, typer.Option(help="A stored judge, store/judge/KEY; else one is trained on --real.")
    ] = None,
    sync_judge: Annotated[
        Path | None, typer.Option(help="A stored judge of synchrony, store/sync_judge/KEY; else a new one.")
    ] = None,
    rate: Annotated[
        list[str], typer.Option(help="NAME=HZ: a system's frames per second, where not 25; may be repeated.")
    ] = [],  # noqa: B006
    scale: Scale = None,
    bind: Bind = [],  # noqa: B006
    imports: Import = [],  # noqa: B006
    store: Store = Path("store"),
    engine: Annotated[Engine, typer.Option(help="Where stages run.")] = Engine.ray,
) -> None:
    """Score any systems' keypoint files or videos against recordings, clip by clip name, as one table."""
    from rich.console import Console

    from rgx.gesture.apps.score import Systems, parse, parse_rates, write_definitions
    from rgx.gesture.apps.tracked import track_videos
    from rgx.report.gather import gather
    from rgx.report.render import write
    from rgx.report.summary import summary
    from rgx.run.invocation import Execution, run_sweep
    from rgx.sweep.spec import run_of

    console = Console()
    generated_systems = parse(generated)
    rates = parse_rates(rate, generated_systems)
    if not real.is_dir():
        raise InputError(f"--real {real}: no such folder; expected a corpus with index.csv")
    real, out = real.expanduser().resolve(), out.expanduser().resolve()
    try:
        cpus = (os.cpu_count() or 1) if engine is Engine.ray else 1
        systems = track_videos(Systems(real, generated_systems, rates), poses, imports, out, cpus, console)
        for line in systems.check():
            typer.echo(line)
        chosen = {"judge": judge, "sync_judge": sync_judge}
        stored = {stage: folder.expanduser().resolve() for stage, folder in chosen.items() if folder}
        file, definition = write_definitions(systems, scale, out, stored)
        asked = overrides([], bind, None, None, [], imports)
        outcome = run_sweep(file, asked, Execution(store, engine), console)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    gathered = gather(definition, store, run_of(file, asked))
    paths = write(gathered, out / "build")
    typer.echo(harmless(summary(gathered)))
    typer.echo(f"{len(paths)} files under {paths[0].parent}")
    if not outcome.well:
        raise typer.Exit(1)
