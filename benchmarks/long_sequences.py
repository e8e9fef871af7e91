"""What becomes of motion the longer it goes on: `python benchmarks/long_sequences.py SWEEP:PANEL/ROW`.

A trained cell, or the folder of one, gestures to many long speeches: a speaker's test clips one after
another, in an order drawn anew, or those given. Each segment is a window of 3.2 s that begins in the last
frames of the one before. Told are, by segment, means over the runs:

- the largest change of velocity over the ten frames around its seam, beside that in its middle and the 99th
  percentile of recorded motion (over ten frames, too), in shoulder widths a second;
- the width of the shoulders beside the first segment's: motion that drifts grows or shrinks;
- how near the nearest of the segments before it is (root mean square over points and frames, in shoulder
  widths) beside the nearest of as many of another run: nearer than these, motion repeats itself;
- FGD and mismatch of the segments of that place, where the judges of the cell are in the store.

It writes a row for each segment as CSV, `recorded` before them, and draws them.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from segments import COLUMNS, LongRun, Yardsticks, measured
from tabulate import tabulate

import rgx
from rgx.errors import InputError
from rgx.gesture.data.reading import load_windows
from rgx.gesture.model.gesture_model import GestureModel
from rgx.gesture.model.listening import STEP_FRAMES, hear, padded_frames
from rgx.gesture.model.sound_blocks import open_sound
from rgx.gesture.skeleton import stream_slice
from rgx.gesture.types import FPS, SAMPLES_PER_FRAME, WINDOW_FRAMES
from rgx.model.folder import read_folder
from rgx.model.packing import find_cell
from rgx.model.rebuilding import rebuild
from rgx.report import style
from rgx.store.artifacts import artifact_folder
from rgx.store.manifests import Manifests
from rgx.store.workspace import Inputs, load_network


def yardsticks(stages: Mapping[str, str], manifests: Manifests, store: Path) -> tuple[Yardsticks, Any, Any]:
    """Return what motion is held against, by what the judge of synchrony hears, and the corpus.

    Raises InputError where the store has no corpus.
    """
    folders = {name: artifact_folder(store, name, key) for name, key in stages.items()}
    there = {name: folder for name, folder in folders.items() if (folder / "manifest.json").is_file()}
    if "corpus" not in there:
        raise InputError(f"{store}: the corpus of this cell is not in it: run its sweep there")
    inputs = Inputs({}, {"corpus": there["corpus"]})
    windows = load_windows(inputs, "test", "cpu")
    batch, corpus = windows.batch(torch.arange(len(windows))), inputs.arrays("corpus")
    judges: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
    hearing = None
    for name in ("judge", "sync_judge"):
        manifest = manifests.get(name, stages[name]) if name in there else None
        if manifest is None:
            print(f"{name} is not in the store: nothing is said that needs it")
            continue
        stage = rebuild(manifest["record"])
        network: Any = load_network(
            stage.build({"corpus": SimpleNamespace(heard="waveform")}), there[name], "cpu"
        )
        scale = Inputs({}, there).arrays(name)
        judges[name] = _looks(network, scale) if name == "judge" else _sees(network, scale)
        if name == "sync_judge":
            hearing = network, stage.speech, scale
    real = (batch.motion * corpus["std"] + corpus["mean"]).numpy()
    sticks = Yardsticks(real, batch.valid.numpy(), judges.get("judge"), judges.get("sync_judge"))
    return sticks, hearing, corpus


def _looks(judge: Any, scale: Mapping[str, torch.Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    def embed(motion: np.ndarray) -> np.ndarray:
        features: np.ndarray = judge.encode(
            ((torch.from_numpy(motion) - scale["mean"]) / scale["std"]).flatten(2)
        ).numpy()
        return features

    return embed


def _sees(judge: Any, scale: Mapping[str, torch.Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    body = stream_slice("body")

    def see(motion: np.ndarray) -> np.ndarray:
        standard = ((torch.from_numpy(motion) - scale["mean"]) / scale["std"])[:, :, body]
        views: np.ndarray = judge.see(standard.flatten(2)).numpy()
        return views

    return see


Origin = tuple[np.ndarray, np.ndarray]
"""A waveform (S,), and which piece of speech each of its frames is of."""


def chained(corpus: Mapping[str, torch.Tensor], spans: Sequence[Mapping[str, Any]], speaker: int, run: int,
            frames: int) -> Origin:  # fmt: skip
    """Return a speaker's test clips one after another, over and over, in an order drawn for a run."""
    own = [n for n, span in enumerate(spans) if span["split"] == "test" and span["speaker"] == speaker]
    order = np.random.default_rng(run).permutation(own)
    waveform = corpus["waveform"].numpy()
    places = [np.arange(spans[n]["start"], spans[n]["start"] + spans[n]["frames"]) for n in order]
    at = np.resize(np.concatenate(places), frames)
    clips = np.resize(np.repeat(order, [len(place) for place in places]), frames)
    return waveform.reshape(-1, SAMPLES_PER_FRAME)[at].reshape(-1), clips


def read_speech(path: Path, frames: int) -> Origin:
    """Return a file's speech, no longer than so many frames, in pieces of 16 s."""
    waveform = np.concatenate(list(open_sound(path).blocks()))[: frames * SAMPLES_PER_FRAME]
    return waveform, np.arange(len(waveform) // SAMPLES_PER_FRAME) // (5 * WINDOW_FRAMES)


def gesture(model: GestureModel, origin: Origin, speaker: int, seed: int, hearing: Any) -> LongRun:
    """Return what a model gestures to speech, with what the judge of synchrony hears in it."""
    waveform, pieces = origin
    performance = model.begin(waveform, model.speakers[speaker], seed=seed)
    points = torch.cat(list(performance.motion())).numpy()[: len(pieces)]
    firsts = range(0, len(points) - WINDOW_FRAMES + 1, STEP_FRAMES)
    origins = [frozenset(pieces[first:][:WINDOW_FRAMES].tolist()) for first in firsts]
    views = None
    if hearing is not None:
        network, speech, scale = hearing
        frames = padded_frames(len(points))
        heard = torch.cat(
            list(hear(performance.sound, speech, frames, scale["speech_mean"], scale["speech_std"]))
        )
        views = network.hear(torch.stack([heard[first:][:WINDOW_FRAMES] for first in firsts])).numpy()
    return LongRun(speaker, points, origins, views)


def write_csv(rows: Sequence[Mapping[str, float]], out: Path) -> None:
    """Write recorded motion and each segment with when it begins; what was not measured stays empty."""
    with out.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["segment", "begins_s", *COLUMNS])
        for n, row in enumerate(rows):
            place = ["recorded", ""] if n == 0 else [n, f"{(n - 1) * STEP_FRAMES / FPS:.2f}"]
            values = [row.get(name, math.nan) for name in COLUMNS]
            table.writerow([*place, *("" if math.isnan(value) else f"{value:.6g}" for value in values)])


SHAKES = {"seam_jump": "around the seam", "middle_jump": "in the middle"}
REPEATS = {"nearest_before": "before it", "nearest_elsewhere": "as many of another run"}
PANELS = (
    ("change of velocity,\nshoulder widths / s", SHAKES, "seam_jump"),
    ("width of the shoulders,\nshoulder widths", {"shoulders": "generated"}, "shoulders"),
    ("to the nearest segment,\nshoulder widths", REPEATS, ""),
    ("FGD", {"fgd": "generated"}, "fgd"),
    ("own speech fits better\nthan another, %", {"mismatch": "generated"}, ""),
)
"""What each set of axes is called and shows, and the column of recorded motion that is drawn dashed."""


def draw(rows: Sequence[Mapping[str, float]], out: Path) -> None:
    """Draw what was measured against when a segment begins, as PDF and PNG."""
    real, segments = rows[0], rows[1:]
    panels = [panel for panel in PANELS if any(name in segments[-1] for name in panel[1])]
    with style.look():
        figure, grid = style.axes("page", -(-len(panels) // 3), 3, 1.8)
        every = [axes for line in grid for axes in line]
        for axes, (title, columns, dashed) in zip(every, panels, strict=False):
            for n, (name, label) in enumerate(columns.items()):
                times = [place * STEP_FRAMES / FPS for place in range(len(segments))]
                axes.plot(times, [row[name] for row in segments], label=label, **style.line(n))
            if dashed and not math.isnan(real[dashed]):
                axes.axhline(real[dashed], color=style.GREY, linestyle="--", label="recorded")
            axes.set_xlabel("segment begins, s")
            axes.set_ylabel(title)
            axes.legend()
        for axes in every[len(panels) :]:
            axes.remove()
        for suffix, content in style.saved(figure).items():
            out.with_suffix(suffix).write_bytes(content)


def main() -> None:
    """Gesture at length, measure by segment, write and draw it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="SWEEP:PANEL/ROW, or the folder that `rgx bundle` wrote of it")
    parser.add_argument("--store", type=Path, default=Path("store"), help="with the corpus and the judges")
    parser.add_argument("--seed", type=int, help="of the cell, where there are several")
    parser.add_argument("--speech", type=Path, nargs="+", help="long speeches, instead of test clips chained")
    parser.add_argument("--length", type=float, default=120.0, help="seconds of each run")
    parser.add_argument("--runs", type=int, default=48)
    parser.add_argument("--out", type=Path, default=Path("long_sequences.csv"), help="CSV; figures beside it")
    asked = parser.parse_args()
    try:
        runs, rows = measure(asked)
    except InputError as error:
        raise SystemExit(f"error: {error}") from None
    write_csv(rows, asked.out)
    draw(rows, asked.out)
    named = ["recorded", *map(str, range(1, len(rows)))]
    table = [[name, *(row.get(c, math.nan) for c in COLUMNS)] for name, row in zip(named, rows, strict=True)]
    print(tabulate(table, ["segment", *COLUMNS.values()], floatfmt=".4g"))
    length = f"{len(runs)} runs of {len(runs[0].points) / FPS:g} s"
    print(f"{length}; 50 % is chance in mismatch; {asked.out} and figures beside it")


def measure(asked: argparse.Namespace) -> tuple[list[LongRun], list[dict[str, float]]]:
    """Gesture to each speech and measure; raises InputError for speech shorter than two segments."""
    model = rgx.load(asked.model, GestureModel, store=asked.store, seed=asked.seed, device="cpu")
    address, seed = asked.model, asked.seed
    if Path(address).is_dir():
        facts = read_folder(Path(address))
        address, seed = f"{facts.sweep}:{facts.panel}/{facts.row}", facts.seed
    stages = find_cell(address, asked.store, seed).stages
    sticks, hearing, corpus = yardsticks(stages, Manifests(asked.store), asked.store)
    place = {"corpus": artifact_folder(asked.store, "corpus", stages["corpus"])}
    spans = Inputs({}, place).about("corpus")["spans"]
    speakers = sorted({span["speaker"] for span in spans if span["split"] == "test"})
    frames, runs = round(asked.length * FPS), []
    for run in range(asked.runs):
        speaker = speakers[run % len(speakers)]
        if asked.speech:
            origin = read_speech(asked.speech[run % len(asked.speech)], frames)
        else:
            origin = chained(corpus, spans, speaker, run, frames)
        runs.append(gesture(model, origin, speaker, run, hearing))
    shortest = min(len(run.points) for run in runs)
    if shortest < WINDOW_FRAMES + STEP_FRAMES:
        least = (WINDOW_FRAMES + STEP_FRAMES) / FPS
        raise InputError(f"{shortest / FPS:g} s of speech, expected at least two segments: {least:g} s")
    runs = [run.cut(shortest) for run in runs]
    return runs, measured(runs, sticks)


if __name__ == "__main__":
    main()
