"""The commands that use a trained model; mounted by the command line."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rgx.errors import InputError
from rgx.options import Import
from rgx.terminal import harmless

if TYPE_CHECKING:
    from rgx.gesture.model.gesture_model import GestureModel

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

ModelPath = Annotated[Path, typer.Option("--model", help="A folder that `rgx bundle` wrote.")]
Speaker = Annotated[str | None, typer.Option(help="Whose style: one of the model's speakers.")]
RandomSeed = Annotated[int, typer.Option("--seed", help="Another seed is another motion.", min=0)]
Steps = Annotated[int | None, typer.Option(help="Steps of decoding or sampling, instead of the model's.")]
Poses = Annotated[str, typer.Option(help="What finds keypoints without a file: a variant of poses.")]
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
    poses: Poses = "mediapipe",
    speaker: Speaker = None,
    seed: RandomSeed = 0,
    steps: Steps = None,
    imports: Import = [],  # noqa: B006
) -> None:
    """Gesture to speech of any length: as a video of a portrait or a skeleton, or as keypoints."""
    from rgx.gesture.model.output import check_out, write_performance
    from rgx.gesture.model.portrait import read_portrait

    started = time.monotonic()
    check_out(out)
    if portrait_keypoints is not None and portrait is None:
        raise InputError(f"--portrait-keypoints {portrait_keypoints}: expected --portrait with it")
    loaded = _loaded(model, imports)
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


@app.command()
def transfer(
    model: ModelPath,
    speech: Speech,
    pattern: Annotated[str, typer.Option(help="Whose style: one of the model's speakers.")],
    portrait: Annotated[Path, typer.Option(help="A square picture of one person, who takes it on.")],
    out: Annotated[Path, typer.Option(help="OUT.mp4, or OUT.npz for keypoints alone.")],
    portrait_keypoints: Annotated[
        Path | None, typer.Option(help="The portrait's keypoint file; --poses finds them unless given.")
    ] = None,
    poses: Poses = "mediapipe",
    seed: RandomSeed = 0,
    steps: Steps = None,
    imports: Import = [],  # noqa: B006
) -> None:
    """Gesture in a speaker's style on another person, whose bones keep their length."""
    from rgx.gesture.model.output import check_out, write_performance
    from rgx.gesture.model.portrait import read_portrait

    check_out(out)
    loaded = _loaded(model, imports)
    person = read_portrait(portrait, portrait_keypoints, poses=poses, imports=imports)
    performance = loaded.transfer(speech, pattern, person, seed, steps)
    write_performance(performance, out)
    typer.echo(harmless(f"{out}: {performance.frames} frames in the style of {pattern}"))


@app.command("edit")
def edit_video(
    model: ModelPath,
    video: Annotated[Path, typer.Option(help="Square pictures of one person, 25 a second, with sound.")],
    span: Annotated[list[str], typer.Option(help="BEGIN:END in seconds; may be repeated.")],
    out: Annotated[Path, typer.Option(help="OUT.mp4, or OUT.npz for keypoints alone.")],
    keypoints: Annotated[
        Path | None, typer.Option(help="The video's keypoint file; --poses finds them unless given.")
    ] = None,
    poses: Poses = "mediapipe",
    speech: Annotated[Path | None, typer.Option(help="Other speech for the span.")] = None,
    speaker: Speaker = None,
    parts: Annotated[str | None, typer.Option(help="face or body alone.")] = None,
    seed: RandomSeed = 0,
    steps: Steps = None,
    imports: Import = [],  # noqa: B006
) -> None:
    """Make spans of a video anew, with what was or what shall be said; all else stays as it is."""
    from rgx.gesture.model.edited import edited
    from rgx.gesture.model.output import check_out
    from rgx.gesture.model.tracked_video import read_video

    check_out(out)
    loaded = _loaded(model, imports)
    recording = read_video(video, keypoints, poses=poses, imports=imports)
    edit = edited(
        loaded, recording, span, speech=speech, speaker=speaker, part=parts, seed=seed, steps=steps
    )  # fmt: skip
    edit.write(out)
    frames = sum(own.last - own.first for own in edit.spans)
    typer.echo(harmless(f"{out}: {frames} of {len(edit.motion)} frames made anew"))


@app.command()
def demo(
    model: ModelPath,
    port: Annotated[int, typer.Option(min=0, max=65535, help="On which port; 0: any that is free.")] = 8000,
    poses: Poses = "mediapipe",
    imports: Import = [],  # noqa: B006
) -> None:
    """Open a page to play with, on this machine alone, until Ctrl-C: speech in, a film out, spans anew."""
    from rgx.gesture.demo.playing import play
    from rgx.gesture.demo.workshop import Workshop

    loaded = _loaded(model, imports)
    with tempfile.TemporaryDirectory(prefix="rgx-demo-") as folder:
        play(Workshop(loaded, Path(folder), poses, imports), port, lambda line: typer.echo(harmless(line)))


def _loaded(folder: Path, imports: list[str]) -> GestureModel:
    """Return a model, and say what there is to know of how it was loaded."""
    from rgx.gesture.model.gesture_model import GestureModel
    from rgx.model.loading import load

    model = load(folder, GestureModel, imports=tuple(imports))
    for note in model.notes:
        typer.echo(harmless(f"note: {note}"), err=True)
    return model
