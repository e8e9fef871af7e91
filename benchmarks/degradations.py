"""Eight planted degradations of recordings, each in three strengths: `python benchmarks/degradations.py`.

Puppets and, with `--recordings FOLDER`, a prepared folder of videos are degraded and measured by every metric
of pictures that needs no download. Prints the scores, and which metric grows worse with which degradation.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor
from torch.nn import functional as F

from rgx.gesture.data.base import Corpus
from rgx.gesture.data.lively_world import LivelyWorld
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.data.videos import Videos
from rgx.gesture.metrics.base import SourcePicture, VideoMetric, VideoPair
from rgx.gesture.metrics.fvd_random import ReconstructionFVDRandom
from rgx.gesture.metrics.identity import ReconstructionIdentityLite0
from rgx.gesture.metrics.lite0 import (
    ReconstructionFIDLite0,
    ReconstructionFVDLite0,
    ReconstructionLPIPSLite0,
)
from rgx.gesture.metrics.lpips import ReconstructionLPIPSRandom
from rgx.gesture.metrics.pixels import ReconstructionHandPSNR, ReconstructionPSNR, ReconstructionSSIM
from rgx.gesture.metrics.relative import ReconstructionFlicker, ReconstructionSharpness
from rgx.gesture.nn.faces import face_box
from rgx.gesture.nn.hands import hand_mask
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import WINDOW_FRAMES

STRENGTHS = (1, 2, 3)
USUAL_PX = 64
"""What is said in px below is said of pictures of this size."""


@dataclass(frozen=True)
class Window:
    """A recorded window and what its degradations need.

    frames, other (T, 3, H, W) in [0, 1], other another person's; hands (T, 1, H, W) bool.
    """

    frames: Tensor
    hands: Tensor
    source: SourcePicture
    other: Tensor

    def px(self, length: float) -> float:
        """Return a length said of pictures of 64 px in px of these."""
        return length * self.frames.shape[-1] / USUAL_PX


def blur(window: Window, strength: int) -> Tensor:
    """A Gaussian of 0.5, 1 and 2 px."""
    sigma = window.px(0.5 * 2 ** (strength - 1))
    reach = int(np.ceil(3 * sigma))
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    line = torch.exp(-0.5 * (offsets / sigma).square())
    line = (line / line.sum()).expand(3, 1, -1)
    padded = F.pad(window.frames, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, line[:, :, None], groups=3), line[..., None], groups=3)


def noise(window: Window, strength: int) -> Tensor:
    """Gaussian noise of 2, 4 and 8 % of the range, anew in each frame."""
    drawn = torch.randn(window.frames.shape, generator=torch.Generator().manual_seed(0))
    return (window.frames + 0.01 * 2**strength * drawn).clamp(0, 1)


def moved(frames: Tensor, right_px: Tensor, down_px: Tensor) -> Tensor:
    """Return frames (T, 3, H, W) each moved by whole px (T,), their outermost px drawn out."""
    height, width = frames.shape[-2:]
    pieces = []
    for frame, right, down in zip(frames, right_px.tolist(), down_px.tolist(), strict=True):
        rows = (torch.arange(height) - down).clamp(0, height - 1)
        columns = (torch.arange(width) - right).clamp(0, width - 1)
        pieces.append(frame[:, rows][:, :, columns])
    return torch.stack(pieces)


def shift(window: Window, strength: int) -> Tensor:
    """All frames moved by 2, 4 and 8 px to the right and down."""
    by = torch.full((len(window.frames),), round(window.px(2**strength)))
    return moved(window.frames, by, by)


def jitter(window: Window, strength: int) -> Tensor:
    """Each frame moved anew by up to 2, 4 and 8 px."""
    draw = torch.Generator().manual_seed(0)
    way = 2 * torch.rand(2, len(window.frames), generator=draw) - 1
    return moved(window.frames, *(window.px(2**strength) * way).round().int())


def frozen(window: Window, strength: int) -> Tensor:
    """Every frame shown for 2, 8 and all frames."""
    held = (2, 8, len(window.frames))[strength - 1]
    return window.frames[torch.arange(len(window.frames)) // held * held]


def wrong_person(window: Window, strength: int) -> Tensor:
    """Another person in the last quarter, half and the whole of the window."""
    first = len(window.frames) * (4, 3, 2, 0)[strength] // 4
    return torch.cat([window.frames[:first], window.other[first:]])


def lost_hands(window: Window, strength: int) -> Tensor:
    """The hands' boxes filled by a third, two thirds and wholly with the picture's median colour."""
    wall = window.frames.flatten(2).median(2).values[..., None, None]
    share = window.hands * strength / 3
    return window.frames * (1 - share) + wall * share


def colour(window: Window, strength: int) -> Tensor:
    """Red raised and blue lowered by 4, 8 and 16 %."""
    gain = 0.02 * 2**strength
    return (window.frames * torch.tensor([1 + gain, 1, 1 - gain])[:, None, None]).clamp(0, 1)


DEGRADATIONS: dict[str, Callable[[Window, int], Tensor]] = {
    **{"blur": blur, "noise": noise, "shift": shift, "jitter": jitter},
    **{"frozen": frozen, "wrong person": wrong_person, "lost hands": lost_hands, "colour": colour},
}
BELONGS = {
    "blur": ("lpips_lite0", "fid_lite0", "sharpness"),
    "noise": ("lpips_lite0", "fid_lite0", "fvd_lite0", "flicker"),
    "shift": ("lpips_lite0", "psnr"),
    "jitter": ("fvd_lite0", "flicker"),
    "frozen": ("fvd_lite0",),
    "wrong person": ("identity_lite0", "lpips_lite0"),
    "lost hands": ("hand_psnr", "lpips_lite0"),
    "colour": ("lpips_lite0", "fid_lite0"),
}
"""The measures that must grow worse with a degradation, each step of it, whatever the others do."""
METRICS: dict[str, Callable[[], VideoMetric]] = {
    "psnr": ReconstructionPSNR,
    "hand_psnr": ReconstructionHandPSNR,
    "ssim": ReconstructionSSIM,
    "lpips_lite0": ReconstructionLPIPSLite0,
    "fid_lite0": ReconstructionFIDLite0,
    "fvd_lite0": ReconstructionFVDLite0,
    "identity_lite0": ReconstructionIdentityLite0,
    "sharpness": ReconstructionSharpness,
    "flicker": ReconstructionFlicker,
}
RANDOM: dict[str, Callable[[], VideoMetric]] = {
    "lpips_random": ReconstructionLPIPSRandom,
    "fvd_random": ReconstructionFVDRandom,
}
"""What the default tables had before: beside the others, to be compared with."""
Scores = dict[str, dict[str, list[float]]]
"""By degradation and metric, the scores at strength 0 (the recording itself), 1, 2 and 3."""


def corpus_windows(corpus: Corpus, size_px: int, per_clip: int, frames: int = WINDOW_FRAMES) -> list[Window]:
    """Return up to `per_clip` windows of each clip that is long enough, each with another speaker's."""
    windows, speakers = [], []
    for clip, footage in zip(corpus.clips(), corpus.footage(size_px), strict=True):
        pictures = torch.from_numpy(np.ascontiguousarray(footage.frames)).permute(0, 3, 1, 2).float() / 255
        pose = torch.from_numpy(clip.keypoints[:, KEPT]).float() / (footage.frame_px / 2) - 1
        valid, size = torch.from_numpy(clip.valid[:, KEPT]), (size_px, size_px)
        hands = hand_mask(pose, valid, size)
        for start in range(1, len(pictures) - frames + 1, frames)[:per_clip]:
            face = face_box(pose[start - 1], valid[start - 1], size)
            source = SourcePicture(pictures[start - 1 : start], face)
            shown = pictures[start : start + frames]
            windows.append(Window(shown, hands[start : start + frames], source, shown))
            speakers.append(clip.speaker)
    paired = []
    for number, (window, speaker) in enumerate(zip(windows, speakers, strict=True)):
        others = [other for other, whose in zip(windows, speakers, strict=True) if whose != speaker]
        paired.append(replace(window, other=others[number % len(others)].frames))
    return paired


def puppet_windows(
    size_px: int, speakers: int = 4, clips: int = 2, per_clip: int = 3, frames: int = WINDOW_FRAMES
) -> list[Window]:
    """Return windows of puppets, `per_clip` of each clip of 12 s."""
    puppets = Puppets(LivelyWorld(), speakers, train_clips=0, test_clips=clips, dev_clips=0)
    return corpus_windows(puppets, size_px, per_clip, frames)


def measured(windows: Sequence[Window], wanted: Mapping[str, Sequence[str]]) -> Scores:
    """Return the scores of windows degraded in each way, in the metrics wanted of it."""
    known = METRICS | RANDOM
    built = {name: known[name]() for name in {name for names in wanted.values() for name in names}}
    for metric in built.values():
        metric.prepare("cpu")
    scores: Scores = {}
    recording = degraded(windows, "", 0, built)
    for degradation, names in wanted.items():
        read = {name: built[name] for name in names}
        rows = [recording, *(degraded(windows, degradation, strength, read) for strength in STRENGTHS)]
        scores[degradation] = {name: [row[name] for row in rows] for name in names}
    return scores


def degraded(
    windows: Sequence[Window], degradation: str, strength: int, metrics: Mapping[str, VideoMetric]
) -> dict[str, float]:
    """Return the scores of windows degraded in one way at one strength, 0 for the recording itself."""
    seen: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for window in windows:
        generated = DEGRADATIONS[degradation](window, strength) if strength else window.frames
        pair = VideoPair(window.frames, generated, window.hands, window.source)
        for name, metric in metrics.items():
            if len(values := metric.measure(pair)):
                seen[name].append(values)
    return {name: metric.score(seen[name]) for name, metric in metrics.items()}


def grows_worse(scores: Scores, degradation: str, metric: str) -> bool:
    """Say whether a metric grows strictly worse with each step of a degradation."""
    values = scores[degradation][metric]
    direction = (METRICS | RANDOM)[metric]().direction
    badness = {
        "down": values,
        "up": [-value for value in values],
        # The recording's own is what strength 0 scores.
        "reference": [abs(value - values[0]) for value in values],
    }[direction]
    return all(less < more for less, more in pairwise(badness))


def spread(windows: Sequence[Window], most: int) -> list[Window]:
    """Return so many windows at most, evenly spread over all."""
    places = np.linspace(0, len(windows) - 1, min(most, len(windows))).round().astype(int)
    return [windows[place] for place in places]


def show(title: str, windows: Sequence[Window]) -> None:
    """Print the scores by degradation, marked where a metric grows worse at each step."""
    names = [*METRICS, *RANDOM]
    scores = measured(windows, dict.fromkeys(DEGRADATIONS, names))
    print(f"\n## {title}: {len(windows)} windows of {len(windows[0].frames)} frames\n", flush=True)
    rows = [
        [f"{degradation} {strength}" if strength else "recording"]
        + [f"{scores[degradation][metric][strength]:.4g}" for metric in names]
        for number, degradation in enumerate(scores)
        for strength in ((0, *STRENGTHS) if not number else STRENGTHS)
    ]
    print(tabulate(rows, ["", *names], tablefmt="github", disable_numparse=True))
    print()
    marks = [
        [degradation] + ["yes" if grows_worse(scores, degradation, metric) else "" for metric in names]
        for degradation in scores
    ]
    print(tabulate(marks, ["grows worse at each step", *names], tablefmt="github"))
    right = [name for name in BELONGS if all(grows_worse(scores, name, metric) for metric in BELONGS[name])]
    print(f"\n{len(right)} of {len(BELONGS)} in order in every measure they belong to: {', '.join(right)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64, help="of a picture, in px")
    parser.add_argument("--windows", type=int, default=24, help="how many at most, evenly spread")
    parser.add_argument("--frames", type=int, default=WINDOW_FRAMES, help="of a window")
    parser.add_argument("--recordings", type=Path, help="a folder that `rgx prepare` wrote")
    given = parser.parse_args()
    torch.set_num_threads(1)
    show("Puppets", spread(puppet_windows(given.size, frames=given.frames), given.windows))
    if given.recordings is not None and given.recordings.is_dir():
        recordings = Videos(folder=str(given.recordings))
        windows = corpus_windows(recordings, given.size, 2, given.frames)
        show("Recordings", spread(windows, given.windows))


if __name__ == "__main__":
    main()
