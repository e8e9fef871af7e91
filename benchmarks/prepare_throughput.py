"""How `rgx prepare` uses its workers, and its memory: `python benchmarks/prepare_throughput.py`.

Makes small recordings of one drawn speaker, and prepares one of them, then as many as there are workers,
with 1, 2 and 4 workers; then recordings of the lengths asked for with one, for the memory of its largest
process. All figures of a table are of one run. Needs Linux; nothing else should be running.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from prepare import Family, Measured, looked_at, measure, table
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "tests" / "planted_people.py"
SIZE = 160, 120
LOOP_S = 20


class Memory(Family):
    """Notes as well how large the largest of its processes has been, in MiB."""

    largest_mib = 0.0

    def look(self) -> None:
        """Note what each process has spent, and its peak; one that has ended keeps what it had."""
        super().look()
        for pid in self.spent:
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            peak = status.partition("VmHWM:")[2].split()
            Memory.largest_mib = max(Memory.largest_mib, int(peak[0]) / 1024 if peak else 0)


def make_recording(path: Path, seconds: float) -> None:
    """Write a recording of a speaker whose hands go round, over and over, with a tone."""
    sys.path.insert(0, str(PLUGIN.parent))
    import planted_people as planted

    def scene(now: float) -> tuple[np.ndarray, list[planted.Person]]:
        return planted.plain(*SIZE), [planted.waving(now % LOOP_S, 80, 30, 6)]

    planted.record(path, scene, planted.every(25, seconds), sound_s=(0.0, seconds))


def prepared(name: str, source: Path, workers: int) -> Measured:
    """Return what preparing a folder took."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "rgx", "prepare", str(source), "--out", str(out)]
        command += ["--poses", "planted", "--import", str(PLUGIN), "--cpus", str(workers)]
        return measure(name, command, lambda: looked_at(out), Memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, nargs=2, default=[10, 60])
    parser.add_argument("--seconds", type=float, default=120, help="of each recording shared by workers")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    asked = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, max(asked.workers)):
            source = Path(folder) / str(count)
            source.mkdir()
            for n in range(count):
                make_recording(source / f"{n}.mp4", asked.seconds + n)  # as copies they would be left out
            names = {workers: f"{count} recordings, {workers} workers" for workers in asked.workers}
            print(table([prepared(name, source, workers) for workers, name in names.items()], cores))
        rows, peaks_mib = [], []
        for minutes in asked.minutes:
            source = Path(folder) / f"{minutes:g} minutes"
            source.mkdir()
            make_recording(source / "talk.mp4", 60 * minutes)
            Memory.largest_mib = 0.0
            took = prepared(source.name, source, 1)
            rows.append({"": took.name, "frames": took.frames, "largest process, MiB": Memory.largest_mib})
            peaks_mib.append(Memory.largest_mib)
        print(tabulate(rows, headers="keys", floatfmt=".1f"), f"\nratio {peaks_mib[1] / peaks_mib[0]:.3f}")


if __name__ == "__main__":
    main()
