"""The commands of a user study: make, serve, collect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rgx.options import Store
from rgx.terminal import harmless

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, help="A user study, from videos to a table."
)

Kit = Annotated[Path, typer.Argument(help="The folder of a study that was made.")]


def _say(text: str) -> None:
    typer.echo(harmless(text))


@app.command()
def make(
    file: Annotated[Path, typer.Argument(help="The study, such as studies/table2.yaml.")],
    out: Annotated[Path, typer.Option(help="A new folder for the study.")],
    store: Store = Path("store"),
) -> None:
    """Make a study: videos under names that say nothing, a page for each rater, and the key aside."""
    from rgx.lookup import find_given
    from rgx.study.kit import KEY, LINKS, make_kit

    kit = make_kit(find_given(file, "study"), store, out, _say)
    raters = len(kit.key["sessions"])
    _say(f"{out}: {raters} sessions; {out / LINKS} has their pages; keep {out / KEY} to yourself")
    _say(f"next: rgx study serve {out}, or send out the pages and put what comes back into {out / 'answers'}")
