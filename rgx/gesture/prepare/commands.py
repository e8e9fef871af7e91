"""The command that makes a corpus of recordings; mounted by the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rgx.errors import InputError
from rgx.options import INTERRUPTED, Import

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

SHOWN = 20


@app.command()
def prepare(
    source: Annotated[Path, typer.Argument(help="A folder of recordings, or one of them.")],
    out: Annotated[Path, typer.Option(help="Where the corpus goes.")],
    poses: Annotated[str, typer.Option(help="A variant of the axis poses: what finds people.")] = "mediapipe",
    speaker: Annotated[
        str | None, typer.Option(help="Whose recordings they are, instead of their folder's name.")
    ] = None,
    intervals: Annotated[
        Path | None,
        typer.Option(help="A table that lists what to cut out, as PATS' cmu_intervals_df.csv."),
    ] = None,
    cpus: Annotated[int, typer.Option(min=1, help="Tasks at a time.")] = os.cpu_count() or 1,
    config: Annotated[
        list[Path], typer.Option(help="A gin file that binds the extractor or signal.usual.")
    ] = [],  # noqa: B006
    bind: Annotated[list[str], typer.Option("--bind", help="poses.mmpose.checkpoint = 'weights.pth'")] = [],  # noqa: B006
    imports: Import = [],  # noqa: B006
) -> None:
    """Make a corpus of clips with keypoints and speech that `corpus.videos` reads, and a page to judge it."""
    from rich.console import Console

    from rgx.gesture.prepare.corpus import Request, prepare
    from rgx.gesture.prepare.extractors import read_choice
    from rgx.gesture.prepare.quality import PAGE
    from rgx.plugins import find_plugin

    console = Console()
    if speaker is not None and not (speaker.strip() and speaker.isprintable()):
        raise InputError(f"--speaker {speaker!r}: expected a name")
    if speaker is not None and intervals is not None:
        raise InputError("--speaker and --intervals: the table names the speakers; leave one out")
    plugins = tuple(find_plugin(name, Path.cwd()) for name in imports)
    try:
        choice = read_choice(poses, plugins, bind, config)
        done = prepare(Request(source, out, choice, speaker, cpus, intervals), console)
    except KeyboardInterrupt:
        _say("stopped: the same command goes on from what is finished")
        raise typer.Exit(INTERRUPTED) from None
    for word, reasons in (("left out", done.left_out), ("failed", done.failed)):
        for name, reason in list(reasons.items())[:SHOWN]:
            _say(f"{word}: {name}: {reason}")
        if len(reasons) > SHOWN:
            _say(f"{word}: {len(reasons) - SHOWN} more, named on the page")
    for note in done.notes:
        _say(note)
    used = {row["source"] for row in done.rows}
    seconds = sum(row["end_s"] - row["start_s"] for row in done.rows)
    _say(f"{out}: {len(done.rows)} clips, {seconds:.1f} s, of {len(used)} sources; look at {out / PAGE}")
    if done.failed:
        raise typer.Exit(1)
    if not done.rows:
        raise InputError(f"{source}: no clip could be made; {out / PAGE} says why")
    _say(f"""use it: rgx sweep FILE --set corpus=videos --bind "corpus.videos.folder = '{out}'\"""")


def _say(text: str) -> None:
    """Print a line; the name of a file must not steer the terminal."""
    typer.echo("".join(c if c.isprintable() else "�" for c in text))
