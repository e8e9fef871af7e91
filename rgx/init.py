"""`rgx init`: a small method that is complete, as a starting point for one's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from rgx.errors import InputError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

EXAMPLE = Path("examples", "digits")
LEFT_OUT = ("__pycache__", "store", "build")
"""What running the example leaves in its folder."""


def example_folder() -> Path:
    """Return where the example lies, in an installed rgx or in a checkout; raises InputError."""
    package = Path(__file__).resolve().parent
    places = [package / EXAMPLE, package.parent / EXAMPLE]
    for place in places:
        if (place / "pyproject.toml").is_file():
            return place
    raise InputError(f"this rgx came without its example: neither {places[0]} nor {places[1]} is there")


def write_example(folder: Path) -> list[Path]:
    """Copy the example into a folder that is new or empty, and return its files; raises InputError."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: found a file, expected a new or an empty folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder}: the folder is not empty, and rgx writes over nothing; name a new one")
    try:
        shutil.copytree(
            example_folder(), folder, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True
        )
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return sorted(path for path in folder.rglob("*") if path.is_file())


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")]) -> None:
    """Write a small method with its gin, sweep and report into a folder, as a start for your own."""
    files = write_example(folder)
    typer.echo(f"{len(files)} files under {folder}; {folder / 'README.md'} explains them. Run it:")
    typer.echo(f"  cd {folder} && rgx sweep sweeps/digits.yaml")
    typer.echo("  rgx report sweeps/digits.yaml")
