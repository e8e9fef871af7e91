"""Speed of `rgx prepare`: `python benchmarks/prepare.py SOURCE [--poses mediapipe] [--workers 1 2]`.

Frames at 25 Hz per second of wall time, and processors in use, of a plain loop over the same extractor
(decode and track, nothing written) and of `rgx prepare` as a whole command, start of Ray and writing of clips
included.
Needs Linux; nothing else should be running.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

EVERY_S = 0.2
TICKS_HZ = os.sysconf("SC_CLK_TCK")


class Measured(NamedTuple):
    """What a command took: frames, wall seconds, processor seconds of it and all it started."""

    name: str
    frames: int
    seconds: float
    processor_s: float


class Family(threading.Thread):
    """Adds up the processor time of a process and its descendants while they live."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.over = root, threading.Event()
        self.spent: dict[int, float] = {}

    def run(self) -> None:
        while not self.over.wait(EVERY_S):
            self.look()

    def look(self) -> None:
        """Note what each process has spent up to now; one that has ended keeps what it had."""
        parents, spent = {}, {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            pid = int(path.parent.name)
            parents[pid], spent[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS_HZ
        members = {self.root}
        while more := {pid for pid, parent in parents.items() if parent in members} - members:
            members |= more
        self.spent |= {pid: spent[pid] for pid in members if pid in spent}

    def total(self) -> float:
        """Return the processor seconds spent."""
        return sum(self.spent.values())


def measure(
    name: str, command: list[str], count: Callable[[], int], watcher: type[Family] = Family
) -> Measured:
    """Run a command and return what it took; raises CalledProcessError when it fails."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT)
        family = watcher(process.pid)
        family.start()
        code = process.wait()
        seconds = time.perf_counter() - began
        family.over.set()
        family.join()
        if code:
            told.seek(0)
            raise subprocess.CalledProcessError(code, command, told.read()[-2000:])
    return Measured(name, count(), seconds, family.total())


def plain_loop(source: Path, poses: str, plugin: str) -> Iterator[int]:
    """Yield how many people are in each picture of all recordings, one picture after the other."""
    from rgx.gesture.prepare.decoding import DETECTION_PX, Upright, colours_of_opencv, read_pictures
    from rgx.gesture.prepare.extractors import read_choice
    from rgx.gesture.prepare.recordings import find_files
    from rgx.gesture.prepare.streams import RefusedError, examine
    from rgx.plugins import find_plugin

    plugins = (find_plugin(plugin, Path.cwd()),) if plugin else ()
    choice = read_choice(poses, plugins, ())
    for path in find_files(source, Path(os.devnull)):
        try:
            ratio = examine(path).pixel_ratio
        except RefusedError:
            continue
        pictures = read_pictures(path, Upright(path, ratio, DETECTION_PX, colours_of_opencv))
        yield from (len(people) for people in choice.make(path).extractor.track(pictures))


def looked_at(out: Path) -> int:
    """Return how many frames the sources of a corpus have."""
    found = [json.loads(path.read_text()) for path in out.glob("sources/*/analysis.json")]
    return sum(source.get("frames", 0) for source in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--poses", default="mediapipe")
    parser.add_argument("--import", dest="plugin", default="")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--plain", action="store_true", help="the plain loop alone, in this process")
    asked = parser.parse_args()
    if asked.plain:
        print(sum(1 for _ in plain_loop(asked.source, asked.poses, asked.plugin)))
        return
    extra = ["--poses", asked.poses, *(["--import", asked.plugin] if asked.plugin else [])]
    found: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        for workers in asked.workers:
            out = Path(folder) / str(workers)
            command = [sys.executable, "-m", "rgx", "prepare", str(asked.source), "--out", str(out)]
            command += [*extra, "--cpus", str(workers)]
            name = f"rgx prepare --cpus {workers}"
            found.append(measure(name, command, lambda out=out: looked_at(out)))  # type: ignore[misc]
            print(f"{name}: {found[-1].seconds:.1f} s", file=sys.stderr)
    frames = found[0].frames
    command = [sys.executable, __file__, str(asked.source), "--plain", *extra]
    plain = measure("plain loop", command, lambda: frames)
    print(table([plain, *found], os.cpu_count() or 1))


def table(found: list[Measured], cores: int) -> str:
    """Return what was measured as text, each against the first."""
    rows = [
        {
            "": one.name,
            "frames": one.frames,
            "frames/s": round(one.frames / one.seconds, 2),
            "× plain": round(one.frames / one.seconds / (found[0].frames / found[0].seconds), 2),
            "processors in use": round(one.processor_s / one.seconds, 2),
            f"share of {cores}": f"{one.processor_s / one.seconds / cores:.0%}",
            "processor ms a frame": round(1000 * one.processor_s / one.frames, 1),
        }
        for one in found
    ]
    return tabulate(rows, headers="keys")


if __name__ == "__main__":
    main()
