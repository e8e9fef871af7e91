"""The commands that use a trained model; mounted by the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from rgx.options import Import
from rgx.terminal import harmless

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

ModelPath = Annotated[Path, typer.Option("--model", help="A folder that `rgx bundle` wrote.")]
Speech = Annotated[Path, typer.Option(help="A file with speech, of any rate, channels and format.")]


@app.command()
def generate(
    model: ModelPath,
    speech: Speech,
    out: Annotated[Path, typer.Option(help="OUT.mp4, or OUT.npz for keypoints alone.")],
    portrait: Annotated[
        Path | None, typer.Option(help="A square picture of one person; a drawn skeleton unless given.")
    ] = None,
    portrait_keypoints: Annotated[
        Path | None, typer.Option(help="The portrait's keypoint file; --poses finds them unless given.")
    ] = None,
    poses: Annotated[str, typer.Option(help="What finds a portrait's keypoints.")] = "mediapipe",
    speaker: Annotated[str | None, typer.Option(help="Whose style: one of the model's speakers.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another motion.", min=0)] = 0,
    steps: Annotated[
        int | None, typer.Option(help="Steps of decoding or sampling, instead of the model's.")
    ] = None,
    imports: Import = [],  # noqa: B006
) -> None:
    """Gesture to speech of any length: as a video of a portrait or a skeleton, or as keypoints."""
    from rgx.gesture.model.gesture_model import GestureModel
    from rgx.gesture.model.output import check_out, write_performance
    from rgx.gesture.model.portrait import read_portrait
    from rgx.model.loading import load

    started = time.monotonic()
    check_out(out, portrait_keypoints, portrait)
    loaded = load(model, GestureModel, imports=tuple(imports))
    for note in loaded.notes:
        typer.echo(harmless(f"note: {note}"), err=True)
    shown = read_portrait(portrait, portrait_keypoints, poses=poses, imports=imports) if portrait else None
    performance = loaded.begin(speech, speaker, shown, seed, steps)
    write_performance(performance, out)
    style = loaded.speakers[performance.speaker]
    others = "" if speaker or len(loaded.speakers) == 1 else f" (the first of {', '.join(loaded.speakers)})"
    typer.echo(
        harmless(
            f"{out}: {performance.frames} frames, {performance.frames / 25:.2f} s, as {style}{others}, "
            f"in {time.monotonic() - started:.1f} s"
        )
    )
