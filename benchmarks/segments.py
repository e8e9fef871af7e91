"""How segments of long motion differ from recorded motion and from one another, by their place in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rgx.gesture.metrics.fgd import frechet, too_few
from rgx.gesture.metrics.mismatch import shares
from rgx.gesture.model.listening import STEP_FRAMES
from rgx.gesture.skeleton import kept_index
from rgx.gesture.types import FPS, WINDOW_FRAMES

SEAM = 10
"""Frames over which the largest change of velocity is taken: those of the fade, and one on either side."""
MIDDLE = WINDOW_FRAMES // 2
LEFT, RIGHT = (kept_index(point) for point in (5, 6))
PARTNERS = 16
COLUMNS = {
    "seam_jump": "seam, sw/s",
    "middle_jump": "middle, sw/s",
    "seams_above": "seams above the recorded 99th percentile, %",
    "shoulders": "shoulders, sw",
    "drift": "drift, %",
    "nearest_before": "nearest before, sw",
    "nearest_elsewhere": "nearest elsewhere, sw",
    "fgd": "FGD",
    "mismatch": "mismatch, %",
}
"""Column of the CSV → what it is called where people read it; sw is a shoulder width."""


@dataclass(frozen=True)
class LongRun:
    """What was gestured to one speech: segments (N, 80, K, 2) and points (T, K, 2) in shoulder widths.

    origins: by segment, which pieces of speech are heard in it; views (N, V, D): the judge's of its speech.
    """

    speaker: int
    points: np.ndarray
    origins: Sequence[frozenset[int]]
    views: np.ndarray | None

    @property
    def segments(self) -> np.ndarray:
        """The windows that it consists of, each as the next one begins in it."""
        count = segments_in(len(self.points))
        return np.stack([self.points[n * STEP_FRAMES :][:WINDOW_FRAMES] for n in range(count)])

    def cut(self, frames: int) -> LongRun:
        """Return its first frames as a run."""
        count = segments_in(frames)
        views = None if self.views is None else self.views[:count]
        return LongRun(self.speaker, self.points[:frames], self.origins[:count], views)


def segments_in(frames: int) -> int:
    """Return how many whole segments so many frames hold."""
    return 1 + (frames - WINDOW_FRAMES) // STEP_FRAMES


@dataclass(frozen=True)
class Yardsticks:
    """Recorded motion of test clips (W, 80, K, 2) with what of it is valid, and the judges that there are."""

    real: np.ndarray
    valid: np.ndarray
    embed: Callable[[np.ndarray], np.ndarray] | None
    see: Callable[[np.ndarray], np.ndarray] | None


def changes(points: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """Return how much velocity changes (sw/s) at frames 1 to T − 2 of motion (…, T, K, 2), mean of points."""
    steps = np.diff(points, axis=-3)
    jumps = np.linalg.norm(np.diff(steps, axis=-3), axis=-1) * FPS
    seen = np.ones(jumps.shape, bool)
    if valid is not None:
        seen = valid[..., :-2, :] & valid[..., 1:-1, :] & valid[..., 2:, :]
    mean: np.ndarray = (jumps * seen).sum(-1) / seen.sum(-1).clip(min=1)
    return mean


def largest(jumps: np.ndarray, first: int) -> float:
    """Return the largest change of velocity of the frames from `first` on; jumps as `changes` gives them."""
    return float(jumps[first - 1 :][:SEAM].max())


def recorded_jump(real: np.ndarray, valid: np.ndarray) -> float:
    """Return the 99th percentile of the largest change of velocity over ten frames of recorded motion."""
    jumps = changes(real, valid)
    return float(np.percentile(np.lib.stride_tricks.sliding_window_view(jumps, SEAM, axis=1).max(-1), 99))


def shoulder_widths(segments: np.ndarray) -> np.ndarray:
    """Return the mean width of the shoulders in segments (N, T, K, 2), in shoulder widths."""
    mean: np.ndarray = np.linalg.norm(segments[:, :, LEFT] - segments[:, :, RIGHT], axis=-1).mean(-1)
    return mean


def nearest(segment: np.ndarray, others: np.ndarray) -> float:
    """Return the root mean square distance of a segment (T, K, 2) to the nearest of others (N, T, K, 2)."""
    if not len(others):
        return math.nan
    return float(np.sqrt(((others - segment) ** 2).sum(-1).mean((1, 2)).min()))


def by_segment(runs: Sequence[LongRun], limit: float) -> list[dict[str, float]]:
    """Return what needs no judge, by segment: means over the runs; limit: the recorded change of velocity."""
    every = [run.segments for run in runs]
    jumps = [changes(run.points) for run in runs]
    widths = np.stack([shoulder_widths(segments) for segments in every])
    rows = []
    for n in range(len(every[0])):
        first = n * STEP_FRAMES
        seams = [largest(own, first - 1) if n else math.nan for own in jumps]
        before = [nearest(segments[n], segments[:n]) for segments in every]
        elsewhere = [
            nearest(segments[n], every[other][:n])
            for number, segments in enumerate(every)
            for other in [_other(runs, number)]
            if other is not None
        ]
        rows.append({
            "seam_jump": float(np.mean(seams)),
            "middle_jump": float(np.mean([largest(own, first + MIDDLE) for own in jumps])),
            "seams_above": 100 * float(np.mean([seam > limit for seam in seams])) if n else math.nan,
            "shoulders": float(widths[:, n].mean()),
            "drift": 100 * float((widths[:, n] / widths[:, 0] - 1).mean()),
            "nearest_before": float(np.mean(before)),
            "nearest_elsewhere": float(np.mean(elsewhere)) if elsewhere else math.nan,
        })  # fmt: skip
    return rows


def _other(runs: Sequence[LongRun], number: int) -> int | None:
    """Return the next run of the same speaker, around the end; None where there is no other."""
    order = [(number + step) % len(runs) for step in range(1, len(runs))]
    return next((other for other in order if runs[other].speaker == runs[number].speaker), None)


def mismatches(runs: Sequence[LongRun], see: Callable[[np.ndarray], np.ndarray]) -> list[float]:
    """Return by segment how often, in %, its own speech fits it better than that of others of its speaker."""
    random, count = np.random.default_rng(0), len(runs[0].segments)
    speech = np.concatenate([run.views for run in runs if run.views is not None])
    seen = np.concatenate([see(run.segments) for run in runs])
    origins = [own for run in runs for own in run.origins]
    speakers = np.repeat([run.speaker for run in runs], count)
    partners = []
    for number, own in enumerate(origins):
        others = [n for n in np.flatnonzero(speakers == speakers[number]).tolist() if not origins[n] & own]
        partners.append(random.permutation(np.array(others, int))[:PARTNERS])
    values, weights = (x.reshape(len(runs), count) for x in shares(seen, speech, partners))
    return [
        100 * float(v.sum() / w.sum()) if w.any() else math.nan
        for v, w in zip(values.T, weights.T, strict=True)
    ]


def recorded(sticks: Yardsticks, runs: int, limit: float) -> dict[str, float]:
    """Return of recorded motion what it is held against; FGD of as many windows as there are runs."""
    row = dict.fromkeys(COLUMNS, math.nan) | {"seam_jump": limit, "middle_jump": limit, "seams_above": 1.0}
    row["shoulders"] = float(shoulder_widths(sticks.real).mean())
    if sticks.embed is not None and 2 <= runs <= len(sticks.real) - 2:
        features, random = sticks.embed(sticks.real), np.random.default_rng(0)
        halves = [np.split(random.permutation(len(features)), [runs]) for _ in range(10)]
        row["fgd"] = float(np.mean([frechet(features[rest], features[few]) for few, rest in halves]))
    return row


def measured(runs: Sequence[LongRun], sticks: Yardsticks) -> list[dict[str, float]]:
    """Return what recorded motion says, and then each segment."""
    limit = recorded_jump(sticks.real, sticks.valid)
    rows = by_segment(runs, limit)
    if sticks.embed is not None and len(runs) > 1:
        real = sticks.embed(sticks.real)
        for n, row in enumerate(rows):
            features = sticks.embed(np.stack([run.segments[n] for run in runs]))
            row["fgd"] = frechet(real, features)
        for line in too_few("FGD by segment", len(runs), real.shape[1]):
            print(line)
    if sticks.see is not None:
        for row, share in zip(rows, mismatches(runs, sticks.see), strict=True):
            row["mismatch"] = share
    return [recorded(sticks, len(runs), limit), *rows]
