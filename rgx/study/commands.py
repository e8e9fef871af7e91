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


@app.command()
def serve(
    folder: Kit,
    host: Annotated[str, typer.Option(help="Where it listens; other machines reach 0.0.0.0.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="On which port.")] = 8000,
) -> None:
    """Serve a study's pages until stopped with Ctrl-C; answers go into its folder as they come."""
    from rgx.study.kit import open_kit
    from rgx.study.server import serve as run_server

    run_server(open_kit(folder), host, port, _say)


@app.command()
def collect(
    folder: Kit,
    store: Store = Path("store"),
    out: Annotated[Path, typer.Option(help="Where tables go.")] = Path("reports/build"),
) -> None:
    """Collect what raters answered, put it into the store, and write the table, its page and the figure."""
    from rgx.study.collection import put_in_store
    from rgx.study.findings import find
    from rgx.study.kit import open_kit
    from rgx.study.ratings import gather_ratings
    from rgx.study.write_up import write_study

    kit = open_kit(folder)
    ratings = gather_ratings(kit)
    for problem in ratings.problems:
        _say(f"not used: {problem}")
    findings = find(ratings)
    keys = put_in_store(findings, store)
    paths = write_study(findings, store, out / kit.study.name)
    _say(findings.counted)
    _say(f"the ratings are {store / 'ratings' / keys['ratings'][:16]}")
    _say(f"{len(paths)} files under {out / kit.study.name}")
