"""What the demo takes, from an empty store to its page: `python benchmarks/demo.py [--folder DIR]`.

Prints the wall time, the processor seconds of every process there was, Ray's own too, and what has a share
in them: each stage by its manifest, and the rest, which is starts, planning, Ray and the report. The longest
path takes its time on any number of processors. Linux only, for the processes that Ray leaves to die alone.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import rgx
from rgx.store.artifacts import MANIFEST, read_json

SWEEP = "sweeps/demo.yaml"
ADOPT_ORPHANS = 36
"""Linux's PR_SET_CHILD_SUBREAPER: what outlives its parent becomes ours, and its seconds are counted."""


def run(folder: Path, engine: str) -> tuple[float, float]:
    """Run the demo in a folder of its own; returns wall and processor seconds, of all it started."""
    ctypes.CDLL(None).prctl(ADOPT_ORPHANS, 1)
    paths = [str(Path(rgx.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    before, began = _processor_s(), time.perf_counter()
    command = [sys.executable, "-m", "rgx", "sweep", SWEEP, "--store", "store", "--engine", engine]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    wall_s = time.perf_counter() - began
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return wall_s, _processor_s() - before


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def by_stage(manifests: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, float]]:
    """Return stage → how many of its kind ran and their processor seconds, the most costly first."""
    seconds = defaultdict(list)
    for manifest in manifests:
        seconds[manifest["stage"]].append(manifest["cpu_seconds"])
    sums = {stage: (len(spent), sum(spent)) for stage, spent in seconds.items()}
    return dict(sorted(sums.items(), key=lambda item: -item[1][1]))


def longest_path(manifests: Iterable[Mapping[str, Any]]) -> tuple[float, list[str]]:
    """Return the processor seconds of the longest path through the stages, and the stages on it."""
    waiting = {manifest["key"]: manifest for manifest in manifests}
    paths: dict[str, tuple[float, list[str]]] = {}
    while waiting:
        for key, manifest in list(waiting.items()):
            parents = manifest["parents"].values()
            if all(parent in paths for parent in parents):
                seconds, names = max((paths[parent] for parent in parents), default=(0.0, []))
                paths[key] = (seconds + manifest["cpu_seconds"], [*names, manifest["stage"]])
                del waiting[key]
    return max(paths.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["ray", "inline"], default="ray")
    parser.add_argument("--folder", type=Path, help="An empty one, to keep; else one that is removed.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        wall_s, processor_s = run(folder, asked.engine)
        manifests = [read_json(path) for path in Path(folder, "store").glob(f"*/*/{MANIFEST}")]
    stages = by_stage(manifests)
    rest = processor_s - sum(seconds for _, seconds in stages.values())
    print(f"wall: {wall_s:.0f} s")
    print(f"processor seconds: {processor_s:.0f}, of which")
    for name, (count, seconds) in {**stages, "starts, plan, report": (1, rest)}.items():
        print(f"  {name} ({count}): {seconds:.1f} s, {seconds / processor_s:.0%}")
    seconds, names = longest_path(manifests)
    print(f"longest path: {seconds:.0f} s, {' → '.join(names)}")


if __name__ == "__main__":
    main()
