"""What a worker builds before a stage's work begins: `python benchmarks/worker.py [--clips N]`.

Each stage of row 3d/+ heatmap at paper sizes in a process of its own, with the whole cell beside it as it was
built before: seconds, and memory beyond that of a process that has everything imported. With `--clips`, a
corpus of so many videos is made, and read by a driver and by a worker after it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rgx.config import build_cell, build_stage, configure_cell
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path("sweeps/ablation_table3.yaml")
ROW = "3d/+ heatmap"
FRAMES = 300


def row() -> Any:
    """Return the row at the paper's sizes."""
    return read_sweep(SWEEP, Overrides(scale="paper", only=[ROW])).rows[0]


def apart(function: Callable[..., Any], *given: Any) -> Any:
    """Return what a function returns in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, given)


def build(name: str) -> tuple[list[str], float, float]:
    """Return the stages, the seconds and the MB that one stage takes, or the whole cell without a name."""
    asked = row()
    before, began = resident_mb(), time.perf_counter()
    if name:
        cell = configure_cell(asked.texts, [name])
        for parent in (*cell.stages[name].parents(), name):
            build_stage(cell, parent)
    else:
        cell = build_cell(asked.texts, asked.targets)
    return list(cell.stages), time.perf_counter() - began, resident_mb() - before


def resident_mb() -> float:
    """Return the most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read(folder: str, store: str) -> tuple[float, str]:
    """Return the seconds that a process takes to know a corpus, and its fingerprint."""
    from rgx.gesture.data.videos import Videos
    from rgx.store.known_files import keep, recall

    recall(Path(store))
    began = time.perf_counter()
    fingerprint = Videos(folder).facts().fingerprint
    took = time.perf_counter() - began
    keep(Path(store))
    return took, fingerprint


def make_corpus(folder: Path, clips: int) -> None:
    """Write videos with landmarks: one clip of noise, again and again."""
    from rgx.gesture.video.files import write_mp4

    for name in ("clips", "landmarks"):
        (folder / name).mkdir()
    random = np.random.default_rng(0)
    lines = ["clip,speaker,split"]
    shapes = {"pose": (33, 3), "face": (468, 2), "left_hand": (21, 2), "right_hand": (21, 2)}
    pictures = random.integers(0, 255, (FRAMES, 256, 256, 3), dtype=np.uint8)
    write_mp4(folder / "one.mp4", pictures, np.zeros(FRAMES * 640, np.float32))
    arrays = {n: random.uniform(0.1, 0.9, (FRAMES, *s)).astype(np.float32) for n, s in shapes.items()}
    arrays["pose"][..., 2] = 1
    for number in range(clips):
        (folder / "clips" / f"{number}.mp4").write_bytes((folder / "one.mp4").read_bytes())
        np.savez(folder / "landmarks" / f"{number}.npz", allow_pickle=False, **arrays)
        lines.append(f"{number},someone,{'test' if number % 10 == 0 else 'train'}")
    (folder / "index.csv").write_text("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=0)
    clips = parser.parse_args().clips
    stages, seconds, mb = apart(build, "")
    print(f"the whole cell: {seconds:.2f} s, {mb:.0f} MB")
    for stage in stages:
        _, seconds, mb = apart(build, stage)
        print(f"{stage}: {seconds:.2f} s, {mb:.0f} MB")
    if clips:
        with tempfile.TemporaryDirectory() as place:
            make_corpus(Path(place), clips)
            time.sleep(3)
            driver, worker = (apart(read, place, place) for _ in range(2))
            assert driver[1] == worker[1]
            print(f"{clips} clips: driver {driver[0]:.2f} s, worker {worker[0]:.2f} s")


if __name__ == "__main__":
    main()
