"""Speed and memory of rendering with untrained networks: `python benchmarks/render.py [--size 64]`.

Frames per second of warping and of refining at 64 px (networks of scale tiny), 128 px (small) and 256 px
(paper), and the peak memory of whole processes that stream a 10 s and a 60 s clip with speech into an mp4:
flat memory means a ratio of 1.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor

from rgx.config import build_cell
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppet_body import FRAME_PX
from rgx.gesture.data.puppet_render import render
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.nn.precision import fast
from rgx.gesture.rendering import Renderer, to_bytes, to_pictures
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import FPS, Clip
from rgx.gesture.video.files import write_mp4
from rgx.store.workspace import pick_device
from rgx.sweep.spec import Overrides, read_sweep

SWEEP, ROW = Path("sweeps/ablation_table3.yaml"), "3a/full-model"
SCALES = {64: "tiny", 128: "small", 256: "paper"}
CALLS = {64: (16, 8), 128: (16, 4), 256: (2, 3)}
"""Frames at once and calls whose median counts, after one that does not: a CPU takes seconds a frame."""
CLIPS_S = (10.0, 60.0)
MIB = 2**20


def untrained(size: int) -> Renderer:
    """Return the animator and the refiner of a size, as the configuration builds them."""
    torch.manual_seed(0)
    row = read_sweep(SWEEP, Overrides(scale=SCALES[size], only=[ROW])).rows[0]
    device, built = pick_device(), build_cell(row.texts, ("refiner",)).built
    animator, refiner = (built[x].to(device).eval().requires_grad_(False) for x in ("animator", "refiner"))
    return Renderer(animator, refiner, device)


def puppet(seconds: float) -> Clip:
    """Return a puppet that speaks and moves."""
    return Puppets(PlainWorld(), speakers=1, train_clips=1, test_clips=0, clip_s=seconds).clip("train", 0, 0)


def poses_of(clip: Clip) -> tuple[Tensor, Tensor]:
    """Return a clip's poses (T, K, 2) in [−1, 1] and which are valid (T, K)."""
    pose = torch.from_numpy(clip.keypoints[:, KEPT] / (FRAME_PX / 2) - 1).float()
    return pose, torch.from_numpy(clip.valid[:, KEPT])


def source_of(clip: Clip, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the clip's first frame: picture (1, 3, H, W), pose (1, K, 2), valid (1, K)."""
    pose, valid = poses_of(clip)
    return to_pictures(render(clip.keypoints[:1], 0, size), "cpu"), pose[:1], valid[:1]


@torch.no_grad()
def speed(size: int) -> dict[str, str]:
    """Return frames per second of warping, refining and both."""
    renderer, clip, (count, calls) = untrained(size), puppet(4.0), CALLS[size]
    with fast(renderer.device):
        source = renderer.animator.begin(*(x.to(renderer.device) for x in source_of(clip, size)))
    pose, valid = (x[:count].to(renderer.device) for x in poses_of(clip))

    def warp() -> Any:
        with fast(renderer.device):
            return renderer.animator.animate(source, renderer.animator.control(None, pose, valid))

    made = warp()

    def refine() -> Any:
        assert renderer.refiner is not None
        with fast(renderer.device):
            return renderer.refiner(made.picture, made.trusted, pose, valid)

    times = [median(call, calls) for call in (warp, refine)]
    figures = dict(zip(("warp", "refine", "both"), (*times, sum(times)), strict=True))
    return {"size": f"{size} px", **{f"{name}, frames/s": f"{count / s:.3g}" for name, s in figures.items()}}


def median(call: Callable[[], Any], calls: int) -> float:
    """Return the median seconds of some calls after one that does not count."""
    times = []
    for _ in range(1 + calls):
        began = now()
        call()
        times.append(now() - began)
    return statistics.median(times[1:])


def now() -> float:
    """Return the time in s at which all work given to the device so far is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def stream(size: int, seconds: float, threads: int) -> tuple[int, float]:
    """Render a clip into an mp4 in this process and return its peak resident bytes (Linux) and seconds."""
    torch.set_num_threads(threads)
    renderer, clip = untrained(size), puppet(seconds)

    def frames() -> Iterator[np.ndarray]:
        for chunk in renderer.render(source_of(clip, size), *poses_of(clip)):
            yield from to_bytes(chunk)

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_mp4(Path(folder) / "clip.mp4", frames(), clip.waveform)
    took = time.perf_counter() - began
    # Not ru_maxrss: a process starts with its parent's.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) * 1024 if found else 0, took


def memory(size: int, threads: int) -> str:
    """Return the peak memory of a short and a long clip, each in a fresh process, and their ratio."""
    rows = []
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        for seconds in CLIPS_S:
            peak, took = fresh.submit(stream, size, seconds, threads).result()
            rows.append((f"{seconds:g} s", f"{peak / MIB:.0f}", f"{seconds * FPS / took:.3g}", peak))
    shown = tabulate([row[:3] for row in rows], ["clip", "peak, MiB", "frames/s"], tablefmt="github")
    return f"{shown}\n\nPeak of {rows[1][0]} / {rows[0][0]}: {rows[1][3] / rows[0][3]:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[64, 256], choices=SCALES, help="of the speed"
    )
    parser.add_argument("--size", type=int, default=64, choices=SCALES, help="of the memory")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, as a sweep's worker has")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, threads: {options.threads}"
    print(f"**{device}, torch {torch.__version__}**\n", flush=True)
    rows = [speed(size) for size in options.sizes]
    print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True), flush=True)
    print(f"\nStreaming to mp4 at {options.size} px:\n", flush=True)
    print(memory(options.size, options.threads))


if __name__ == "__main__":
    main()
