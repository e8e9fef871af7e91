"""The batch file with which Slurm runs a sweep on several nodes."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rgx.errors import DISTRIBUTION, InputError

TEMPLATE = Path(__file__).with_name("sweep.sbatch")
TIME = re.compile(r"\d+|\d+:\d\d|(\d+-)?\d+:\d\d:\d\d|\d+-\d+(:\d\d)?")
"""The times of sbatch: minutes, minutes:seconds, [days-]hours:minutes:seconds, days-hours[:minutes]."""


@dataclass(frozen=True)
class Job:
    """What is asked of Slurm: nodes, what each of them has, the time as sbatch takes it, the partition."""

    nodes: int
    gpus_per_node: int
    cpus_per_node: int
    time: str
    partition: str | None = None

    def check(self) -> None:
        """Raise InputError for what sbatch would refuse."""
        for option, number, least in [
            ("--nodes", self.nodes, 1),
            ("--gpus-per-node", self.gpus_per_node, 0),
            ("--cpus-per-node", self.cpus_per_node, 1),
        ]:
            if number < least:
                raise InputError(f"{option} {number}: expected a whole number of at least {least}")
        if not TIME.fullmatch(self.time):
            raise InputError(f"--time {self.time}: expected minutes or [days-]hours:minutes:seconds")
        if self.partition is not None and not re.fullmatch(r"[\w.,-]+", self.partition):
            raise InputError(f"--partition {self.partition}: expected the name of one, as sinfo lists it")

    def header(self, name: str) -> str:
        """Return the lines that sbatch reads."""
        directives: dict[str, object] = {
            "job-name": f"rgx-{re.sub(r'[^A-Za-z0-9_.-]', '-', name)}",
            "nodes": self.nodes,
            "cpus-per-task": self.cpus_per_node,
            "time": self.time,
        }
        if self.gpus_per_node:
            directives["gpus-per-node"] = self.gpus_per_node
        if self.partition:
            directives["partition"] = self.partition
        return "\n".join(f"#SBATCH --{option}={value}" for option, value in directives.items())


def batch_file(job: Job, sweep: Path, store: Path, folder: Path, options: list[str]) -> str:
    """Return a batch file; raises InputError for a job that sbatch would refuse.

    folder: where the sweep runs, on a file system that all nodes share; options: more of `rgx sweep`.
    """
    job.check()
    ray = ["--num-cpus", str(job.cpus_per_node), "--num-gpus", str(job.gpus_per_node)]
    values = {
        "HEADER": job.header(sweep.stem),
        "NODES": str(job.nodes),
        "PYTHON": shlex.quote(sys.executable),
        "STORE": shlex.quote(str(folder / store)),
        "SWEEP": shlex.quote(str(sweep)),
        "FOLDER": shlex.quote(str(folder)),
        "PINS": shlex.join([f"{name}=={version(name)}" for name in (DISTRIBUTION, "ray", "torch")]),
        "RAY": shlex.join(ray),
        "OPTIONS": shlex.join(options),
    }
    return re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], TEMPLATE.read_text(encoding="utf-8"))
