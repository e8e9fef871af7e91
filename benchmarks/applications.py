"""What a trained model takes to gesture: `python benchmarks/applications.py [--rounds 3]`.

Networks of the paper's sizes without training (what weights say changes no time) gesture to 60 s and to 600 s
of a puppet's speech, from a wav file to an .npz, features of speech included; each length in a process of its
own after a first run that imports and compiles. Told are processor seconds, which other work on the machine
does not change, over the seconds of speech, and over two cores; the part that hears (decoding and features);
and the most memory, counted anew after the first run. Linux only, for that count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io import wavfile
from tabulate import tabulate

from rgx.config import build_stage, configure_cell
from rgx.gesture.data.puppets import SPEECH
from rgx.gesture.model.gesture_model import GestureModel, Normalisation
from rgx.gesture.model.listening import window_features
from rgx.gesture.model.output import write_performance
from rgx.gesture.model.sound_blocks import open_sound
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import FPS, SAMPLE_RATE_HZ
from rgx.model.base import TrainedCell
from rgx.sweep.spec import Overrides, read_sweep

LENGTHS_S = (60, 600)
BUILT = ("corpus", "speech", "tokenizer", "generator", "residual")
WARM_S = 20.0
CORES = 2


def paper_model() -> GestureModel:
    """Return a model of the paper's sizes as it is before training."""
    sweep = read_sweep(Path("sweeps/ablation_table3.yaml"), Overrides(scale="paper", only=["3b/+distill"]))
    cell = configure_cell(sweep.rows[0].texts, ("motion",))
    built: dict[str, Any] = {name: build_stage(cell, name) for name in BUILT}
    for network in ("tokenizer", "generator", "residual"):
        built[network].eval().requires_grad_(False)
    features = built["speech"].width
    rest = torch.zeros(len(built["corpus"].speakers), len(KEPT), 2)
    normal = Normalisation(rest[0], rest[0] + 1, torch.zeros(features), torch.ones(features))
    trained = TrainedCell("paper", Path(), cell.stages, built, "cpu")
    return GestureModel(trained, cell.stages["motion"], normal, rest)  # type: ignore[arg-type]


def speech(model: GestureModel, folder: Path, length_s: float) -> Path:
    """Write so many seconds of a puppet's speech."""
    sweep = read_sweep(Path("sweeps/ablation_table3.yaml"), Overrides(scale="paper", only=["3b/+distill"]))
    corpus = configure_cell(sweep.rows[0].texts, ("corpus",)).stages["corpus"].corpus  # type: ignore[attr-defined]
    waveform = np.concatenate([corpus.speech("train", 0, n, SPEECH).waveform for n in range(6)])
    samples = round(length_s * SAMPLE_RATE_HZ)
    path = folder / f"{length_s:.0f}.wav"
    wavfile.write(path, SAMPLE_RATE_HZ, np.resize(waveform, samples).astype(np.float32))
    return path


def peak_bytes() -> int:
    """Return the most memory this process held since it was last asked to forget."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def measure(length_s: float) -> dict[str, float]:
    """Return processor seconds and the peak of memory of one length, in this process."""
    model = paper_model()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_performance(model.begin(speech(model, folder, WARM_S)), folder / "warm.npz")
        path = speech(model, folder, length_s)
        Path("/proc/self/clear_refs").write_text("5")
        before = time.process_time()
        write_performance(model.begin(path), folder / "motion.npz")
        motion_s, peak = time.process_time() - before, peak_bytes()
        before = time.process_time()
        normal = model.normal
        for _ in window_features(open_sound(path), model.speech, normal.speech_mean, normal.speech_std):
            pass
        return {"motion_s": motion_s, "heard_s": time.process_time() - before, "peak": peak}


def main() -> None:
    """Measure each length in processes of its own, in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--length", type=float, help="Measure one length here and print it as JSON.")
    asked = parser.parse_args()
    if asked.length:
        print(json.dumps(measure(asked.length)))
        return
    rounds: dict[float, list[dict[str, float]]] = {length: [] for length in LENGTHS_S}
    for _ in range(asked.rounds):
        for length, measured in rounds.items():
            command = [sys.executable, __file__, "--length", str(length)]
            measured.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    rows, medians = [], {}
    for length, measured in rounds.items():
        median = {name: statistics.median(one[name] for one in measured) for name in measured[0]}
        medians[length] = median
        factor = median["motion_s"] / length
        heard = median["heard_s"] / length
        rows.append([length, length * FPS, factor, factor / CORES, heard, median["peak"] / 2**20])
    names = ["s", "frames", "CPU s / s", f"on {CORES} cores", "of it hearing", "peak MiB"]
    print(tabulate(rows, names, floatfmt=".5g"))
    short, long = (medians[length] for length in LENGTHS_S)
    longer = LENGTHS_S[1] / LENGTHS_S[0]
    print(
        f"time over {longer:g} times the speech: {long['motion_s'] / short['motion_s'] / longer:.3f} linear"
    )
    print(f"memory: {long['peak'] / short['peak']:.3f} of that of {LENGTHS_S[0]} s")


if __name__ == "__main__":
    main()
