"""The commands that write what a batch system is given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rgx.options import Bind, File, Import, Scale, Seeds, Set, Store, overrides
from rgx.terminal import harmless

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, help="A sweep on the nodes of a batch system."
)


@app.callback()
def _group() -> None:
    pass


@app.command()
def slurm(
    file: File,
    out: Annotated[Path, typer.Option(help="The batch file to write.")],
    time: Annotated[str, typer.Option(help="As sbatch takes it: 1-12:00:00.")],
    nodes: Annotated[int, typer.Option(help="How many.")] = 1,
    gpus_per_node: Annotated[int, typer.Option(help="Cards of each node.")] = 0,
    cpus_per_node: Annotated[int, typer.Option(help="Processors of each node.")] = 8,
    partition: Annotated[str | None, typer.Option(help="Of Slurm; else its default.")] = None,
    choices: Set = [],  # noqa: B006
    bind: Bind = [],  # noqa: B006
    scale: Scale = None,
    seeds: Seeds = None,
    imports: Import = [],  # noqa: B006
    store: Store = Path("store"),
) -> None:
    """Write an sbatch file that runs a sweep by Ray on all nodes of a job, and queues it again in time."""
    from rgx.cluster.slurm import Job, batch_file
    from rgx.sweep.plan import make_plan
    from rgx.sweep.spec import read_sweep

    # What is wrong with it is said now, and not when the queue comes to it.
    make_plan(read_sweep(file, overrides(choices, bind, scale, seeds, [], imports)))
    given = {"--set": choices, "--bind": bind, "--import": imports}
    given |= {"--scale": [scale] if scale else [], "--seeds": [seeds] if seeds else []}
    options = [word for option, values in given.items() for value in values for word in (option, value)]
    job = Job(nodes, gpus_per_node, cpus_per_node, time, partition)
    text = batch_file(job, file, store, Path.cwd(), options)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    typer.echo(harmless(f"{out}: start it with sbatch {out}"))
