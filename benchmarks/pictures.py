"""Pictures as they are stored and read for training: `python benchmarks/pictures.py [--clips FOLDER]`.

Bytes and decoding of a frame by codec (puppets, and recordings of a folder of square videos); pictures read
against pictures trained on, in CPU time of one process; and the peak memory of fresh processes that read a
corpus and one ten times as long. Both sides of every ratio are measured in this run.
"""

from __future__ import annotations

import argparse
import io
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import torch
from PIL import Image
from tabulate import tabulate

from rgx.config import build_cell
from rgx.gesture.animate.base import Animator
from rgx.gesture.data.pair_reader import PairReader
from rgx.gesture.data.picture_file import NAME, PictureFile, PictureWriter, compress, decompress
from rgx.gesture.data.picture_pairs import Pictures, PictureSpan
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.skeleton import KEPT
from rgx.gesture.stages.animator import AnimatorStage
from rgx.gesture.types import FPS
from rgx.gesture.video.files import read_frames
from rgx.sweep.spec import Overrides, read_sweep

SWEEP, ROW = Path("sweeps/ablation_table3.yaml"), "3a/2D-pose"
SCALES = {64: "tiny", 128: "small", 256: "paper"}
BATCH = {64: 8, 128: 4, 256: 1}
"""Pairs of a step: the scales' own, but at the paper's size, where a pair alone takes a CPU seconds."""
FRAMES, LONG = 1_000, 10
"""Frames of the short corpus, and how many times as long the other is."""
MIB = 2**20


class Codec(NamedTuple):
    """A way to keep pictures: all of a clip to bytes each, and bytes to a picture."""

    encode: Callable[[Sequence[np.ndarray]], list[bytes]]
    decode: Callable[[bytes], np.ndarray]


def one_by_one(encode: Callable[[np.ndarray], bytes], decode: Callable[[bytes], np.ndarray]) -> Codec:
    """Return the codec of a way to keep one picture."""
    return Codec(lambda frames: [encode(frame) for frame in frames], decode)


def saved(frame: np.ndarray, kind: str, **options: int) -> bytes:
    """Return a picture as Pillow saves it."""
    text = io.BytesIO()
    Image.fromarray(frame).save(text, kind, **options)
    return text.getvalue()


def opened(text: bytes) -> np.ndarray:
    """Return the picture that Pillow opens."""
    return np.asarray(Image.open(io.BytesIO(text)).convert("RGB"))


def intra(frames: Sequence[np.ndarray]) -> list[bytes]:
    """Return the packets of H.264 in which each picture stands by itself."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv444p"
    encoder.time_base, encoder.thread_count = Fraction(1, FPS), 1
    encoder.options = {"crf": "8", "g": "1", "preset": "veryfast", "tune": "zerolatency"}
    shown = [av.VideoFrame.from_ndarray(frame, format="rgb24") for frame in frames]
    packets = [packet for frame in shown for packet in encoder.encode(frame)]
    return [bytes(packet) for packet in [*packets, *encoder.encode(None)]]


def unintra(decoder: av.VideoCodecContext, text: bytes) -> np.ndarray:
    """Return the picture of a packet."""
    return decoder.decode(av.Packet(text))[0].to_ndarray(format="rgb24")


def codecs() -> dict[str, Codec]:
    """Return the codecs by what they are called, the one in use first."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count, decoder.options = 1, {"flags": "low_delay"}
    return {
        "WebP (in use)": one_by_one(compress, decompress),
        "PNG": one_by_one(partial(saved, kind="PNG", compress_level=1), opened),
        "JPEG 95": one_by_one(partial(saved, kind="JPEG", quality=95, subsampling=0), opened),
        "H.264, all intra": Codec(intra, partial(unintra, decoder)),
    }


def processor_s(call: Callable[[], object], least_s: float = 0.2) -> float:
    """Return the median CPU seconds of a call, repeated for a while after one that does not count."""
    times: list[float] = []
    call()
    while sum(times) < least_s or len(times) < 3:
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return statistics.median(times)


def codec_rows(what: str, frames: Sequence[np.ndarray]) -> list[dict[str, str]]:
    """Return a line of the table of codecs each."""
    rows = []
    size = frames[0].shape[0]
    for name, codec in codecs().items():
        texts = codec.encode(frames)
        changes = [codec.decode(t).astype(float) - f for t, f in zip(texts, frames, strict=True)]
        error = float(np.square(changes).mean())
        took = processor_s(lambda codec=codec, texts=texts: [codec.decode(text) for text in texts])
        count = sum(map(len, texts)) / len(texts)
        rows.append(
            {
                "pictures": f"{what}, {size} px",
                "codec": name,
                "bytes a frame": f"{count:,.0f}",
                "of raw": f"{100 * count / frames[0].size:.1f} %",
                "PSNR": f"{10 * np.log10(255**2 / error):.1f} dB" if error else "no loss",
                "decoding, CPU ms": f"{1e3 * took / len(texts):.2f}",
            }
        )
    return rows


def corpus(folder: Path, size: int) -> Pictures:
    """Return the pictures of a puppet as the stage `frames` leaves them."""
    puppets = Puppets(PlainWorld(), speakers=1, train_clips=1, dev_clips=0, test_clips=0, clip_s=4.0)
    clip, footage = next(iter(puppets.clips())), next(iter(puppets.footage(size)))
    with PictureWriter(folder / NAME) as file:
        file.add(footage.frames)
    pose = torch.from_numpy(clip.keypoints[:, KEPT] / (footage.frame_px / 2) - 1).float()
    span = PictureSpan(clip.name, 0, "train", 0, len(pose), (0.0, 0.0), 1.0)
    frames = PictureFile(folder / NAME, file.ends, size)
    return Pictures(frames, pose, torch.from_numpy(clip.valid[:, KEPT]), [span], "cpu")


def reading_row(size: int) -> dict[str, str]:
    """Return the line of a size: how many pairs are read while one is trained on, on one core."""
    torch.manual_seed(0)
    row = read_sweep(SWEEP, Overrides(scale=SCALES[size], only=[ROW])).rows[0]
    cell, batch = build_cell(row.texts, ("animator",)), BATCH[size]
    stage, animator = cell.stages["animator"], cell.built["animator"]
    assert isinstance(stage, AnimatorStage) and isinstance(animator, Animator)
    stage.perceptual.prepare("cpu")
    with tempfile.TemporaryDirectory() as folder:
        pictures = corpus(Path(folder), size)
        with PairReader(pictures, batch) as reader:
            pairs = reader.draw()

            def step() -> None:
                terms = animator.losses(pairs, stage.perceptual, stage.training.steps)
                torch.stack(list(terms.values())).sum().backward()

            reading, training = processor_s(reader.draw), processor_s(step)
    return {
        "size": f"{size} px, scale {SCALES[size]}",
        "pairs": str(batch),
        "read, CPU ms": f"{1e3 * reading:.1f}",
        "trained on, CPU ms": f"{1e3 * training:.0f}",
        "read while one is trained on": f"{training / reading:.0f}",
    }


def peak(path: Path, ends: list[int], size: int, batches: int) -> int:
    """Read random pairs in this process and return the most memory it ever had, in bytes (Linux)."""
    pose = torch.zeros(len(ends), 1, 2)
    span = PictureSpan("clip", 0, "train", 0, len(ends), (0.0, 0.0), 1.0)
    pictures = Pictures(PictureFile(path, ends, size), pose, pose[..., 0] == 0, [span], "cpu")
    with PairReader(pictures, 16) as reader:
        for _ in range(batches):
            reader.draw()
            reader.look_ahead()
    # Not ru_maxrss: a process starts with its parent's.
    line = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line.group(1)) * 1024 if line else 0


def memory_rows(size: int) -> list[dict[str, str]]:
    """Return the lines of a corpus of noise, which no codec makes smaller, and of one ten times as long."""
    rows, peaks = [], []
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, size, size, 3), np.uint8)
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh,
    ):
        for times in (1, LONG):
            path = Path(folder) / f"{times}.bin"
            with PictureWriter(path) as file:
                for _ in range(times):
                    file.add(noise)
            # As many batches as see each picture of the longer one twice, in the mean.
            batches = FRAMES * LONG // 16
            peaks.append(fresh.submit(peak, path, file.ends, size, batches).result())
            rows.append(
                {
                    "frames": f"{times * FRAMES:,}",
                    "file, MiB": f"{path.stat().st_size / MIB:.0f}",
                    "peak, MiB": f"{peaks[-1] / MIB:.0f}",
                    "of the first": f"{peaks[-1] / peaks[0]:.3f}",
                }
            )
    return rows


def show(title: str, rows: list[dict[str, str]]) -> None:
    """Print a table."""
    table = tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)
    print(f"{title}\n\n{table}\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128], choices=SCALES)
    parser.add_argument("--clips", type=Path, help="a folder of square videos, for the codecs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for size in options.sizes:
        puppets = Puppets(PlainWorld(), speakers=1, train_clips=1, dev_clips=0, test_clips=0, clip_s=4.0)
        rows += codec_rows("puppets", list(next(iter(puppets.footage(size))).frames[:16]))
        if options.clips is not None:
            videos = sorted(options.clips.glob("*.mp4"))[:8]
            frames = [frame for path in videos for frame in islice(read_frames(path, size), 0, 64, 32)]
            rows += codec_rows("recordings", frames)
    show("A frame by itself:", rows)
    show("Reading against training, one core:", [reading_row(size) for size in options.sizes])
    show("Memory of a process that reads 10,000 pairs:", memory_rows(64))


if __name__ == "__main__":
    main()
