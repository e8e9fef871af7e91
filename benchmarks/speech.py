"""How fast WavLM reads a corpus: `python benchmarks/speech.py [--clips N] [--config tiny]`.

Clips of 4 to 15 s of noise through `speech/wavlm` with random weights of WavLM-Large's size: clip by clip in
float32, clip by clip in the device's own precision, and in batches of more and more seconds. Figures are
seconds of sound a second, the ratio is to the first line. Mel and beats, which a processor makes before or
after the network has read, have a line of their own.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate
from transformers import WavLMConfig, WavLMModel

from rgx.gesture.speech import wavlm
from rgx.gesture.speech.mel_beat import mel_beat_features
from rgx.gesture.types import FPS, SAMPLES_PER_FRAME
from rgx.store.workspace import pick_device

# The sizes of WavLM-Large. Source: Chen 2022.
LARGE = {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
    "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": False,
}  # fmt: skip
TINY = {
    **LARGE,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
SIZES = {"large": LARGE, "tiny": TINY}
SECONDS = (24.0, 48.0, 96.0, 192.0, 384.0)
MIB = 2**20


def clips_of(count: int) -> list[tuple[np.ndarray, int]]:
    """Return clips of 4 to 15 s."""
    draw = np.random.default_rng(0)
    frames = draw.integers(4 * FPS, 15 * FPS, count)
    return [(0.1 * draw.standard_normal(n * SAMPLES_PER_FRAME).astype(np.float32), int(n)) for n in frames]


def time_of(call: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of a call, after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def measure(speech: wavlm.WavLM, clips: list[tuple[np.ndarray, int]], repeats: int) -> list[list[str]]:
    """Return a line of the table for every way of reading."""
    kind = speech._network.device.type
    own = wavlm.READINGS[kind].bits
    sound_s = sum(frames for _, frames in clips) / FPS
    ways = {
        "clip by clip, 32 bits": wavlm.Reading(0.0, 32),
        f"clip by clip, {own} bits": wavlm.Reading(0.0, own),
        **{f"{seconds:.0f} s together, {own} bits": wavlm.Reading(seconds, own) for seconds in SECONDS},
    }
    found = {}
    for name, reading in ways.items():
        wavlm.READINGS[kind] = reading
        if kind == "cuda":
            torch.cuda.reset_peak_memory_stats()
        took = time_of(lambda: speech._hidden(clips), repeats)
        peak = torch.cuda.max_memory_allocated() / MIB if kind == "cuda" else 0.0
        found[name] = (took, f"{peak:,.0f}" if peak else "")
    mel = time_of(lambda: [mel_beat_features(*clip, speech.mels) for clip in clips], 1)
    found["mel and beats (processor)"] = (mel, "")
    first = next(iter(found.values()))[0]
    return [
        [name, f"{sound_s / took:,.0f}", f"{first / took:.2f}", peak] for name, (took, peak) in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--config", choices=SIZES, default="large")
    options = parser.parse_args()
    torch.manual_seed(0)
    config = WavLMConfig(**SIZES[options.config])
    device = pick_device()
    with tempfile.TemporaryDirectory() as folder:
        with torch.device(device):
            network = WavLMModel(config)
        network.save_pretrained(folder, safe_serialization=True)
        speech = wavlm.WavLM(model=str(Path(folder)), features_width=config.hidden_size)
        speech.prepare(device)
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    print(
        f"{name}, torch {torch.__version__}, {options.config}, {options.clips} clips, {options.repeats} runs"
    )
    lines = measure(speech, clips_of(options.clips), options.repeats)
    print(tabulate(lines, headers=["read", "s of sound a s", "ratio", "peak, MiB"], tablefmt="github"))


if __name__ == "__main__":
    main()
