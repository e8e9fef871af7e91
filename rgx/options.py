"""Options that several commands share; each command imports what it needs inside."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rgx.errors import InputError

if TYPE_CHECKING:
    from rgx.sweep.spec import Overrides

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C stopped."""


def complete_sweep(incomplete: str) -> list[str]:
    """Return what a shell offers for a sweep file."""
    from rgx.lookup import complete_sweep as complete

    return complete(incomplete)


def complete_choice(incomplete: str) -> list[str]:
    """Return what a shell offers for --set: axis=variant, of the methods of the project here."""
    from rgx.methods import import_methods
    from rgx.project import default_methods
    from rgx.registry import import_own, variants

    here = Path.cwd()
    try:
        import_own()
        import_methods(default_methods(here), here)
    except InputError:
        return []
    return [choice for v in variants() if (choice := f"{v.axis}={v.name}").startswith(incomplete)]


File = Annotated[
    Path,
    typer.Argument(help="A sweep file, such as sweeps/ablation_table3.yaml.", autocompletion=complete_sweep),
]
SweepOrReport = Annotated[
    Path,
    typer.Argument(help="A sweep file, or its report of the same name.", autocompletion=complete_sweep),
]
Store = Annotated[Path, typer.Option("--store", envvar="RGX_STORE", help="Where artifacts lie.")]
Set = Annotated[
    list[str],
    typer.Option("--set", help="axis=variant, over every row.", autocompletion=complete_choice),
]
Bind = Annotated[list[str], typer.Option("--bind", help="A gin binding, over every row.")]
Scale = Annotated[str | None, typer.Option(help="A file of gin/scale, instead of the sweep's.")]
Seeds = Annotated[str | None, typer.Option(help="Seeds such as 0,1,2, instead of the sweep's.")]
Import = Annotated[list[str], typer.Option("--import", help="Your own variants: my_variants.py.")]
Rerun = Annotated[
    list[str], typer.Option(help="Make anew though finished: 3b/full, 3b/full/STAGE or drifted.")
]
Seed = Annotated[int | None, typer.Option(help="One of the sweep's seeds.")]


class Engine(StrEnum):
    """Where stages run."""

    ray = "ray"
    inline = "inline"


def overrides(
    choices: list[str], bind: list[str], scale: str | None, seeds: str | None, only: list[str],
    imports: list[str],
) -> Overrides:  # fmt: skip
    """Return what the command line changes; raises InputError for a choice or seeds that cannot be read."""
    from rgx.sweep.spec import Overrides

    chosen: dict[str, str] = {}
    for choice in choices:
        axis, equals, name = choice.partition("=")
        if not equals:
            raise InputError(f"--set {choice}: expected axis=variant")
        if axis in chosen:
            raise InputError(f"--set {choice}: {axis} is set twice; the first is {chosen[axis]}")
        chosen[axis] = name
    numbers = None
    if seeds is not None:
        try:
            numbers = [int(s) for s in seeds.split(",")]
        except ValueError:
            raise InputError(f"--seeds {seeds}: expected whole numbers such as 0,1,2") from None
    return Overrides(chosen, bind, scale, numbers, only, imports)
