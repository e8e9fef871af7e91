"""Segments of long motion in which jumps, drift and repetition were planted."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from rgx.gesture.model.listening import STEP_FRAMES
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import FPS, WINDOW_FRAMES

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from long_sequences import draw, write_csv
from segments import LEFT, RIGHT, LongRun, Yardsticks, by_segment, measured, mismatches, recorded_jump

SEGMENTS, JUMP = 5, 0.2
FRAMES = WINDOW_FRAMES + (SEGMENTS - 1) * STEP_FRAMES


def still() -> np.ndarray:
    points = np.zeros((FRAMES, len(KEPT), 2))
    points[:, LEFT, 0], points[:, RIGHT, 0] = 0.5, -0.5
    return points


def wander(seed: int) -> np.ndarray:
    """Motion that is nowhere twice."""
    return still() + np.random.default_rng(seed).standard_normal((FRAMES, len(KEPT), 2)) * 0.1


def run_of(points: np.ndarray, speaker: int = 0, views: np.ndarray | None = None, first: int = 0) -> LongRun:
    return LongRun(speaker, points, [frozenset([first + n]) for n in range(SEGMENTS)], views)


def test_a_step_at_a_seam_is_its_change_of_velocity() -> None:
    points = still()
    points[2 * STEP_FRAMES + 3 :, :, 0] += JUMP
    rows = by_segment([run_of(points)], limit=JUMP * FPS / 2)
    jumps = [row["seam_jump"] for row in rows]
    assert math.isnan(jumps[0]) and jumps[1:] == pytest.approx([0, JUMP * FPS, 0, 0])
    assert [row["seams_above"] for row in rows][1:] == [0, 100, 0, 0]
    assert [row["middle_jump"] for row in rows] == pytest.approx([0] * SEGMENTS)


def test_recorded_motion_counts_where_it_is_seen() -> None:
    real = np.stack([still()[:WINDOW_FRAMES]] * 3)
    real[:, 40, 7] += 100  # a point lost for a frame
    valid = np.ones(real.shape[:-1], bool)
    assert recorded_jump(real, valid) > 1
    valid[:, 40, 7] = False
    assert recorded_jump(real, valid) == 0


def test_shoulders_that_grow_drift() -> None:
    points = still()
    for n in range(SEGMENTS):
        points[n * STEP_FRAMES :] = still()[n * STEP_FRAMES :] * (1 + 0.01 * n)
    drift = [row["drift"] for row in by_segment([run_of(points)], 1.0)]
    assert drift[0] == 0 and np.diff(drift) == pytest.approx([1] * (SEGMENTS - 1), abs=0.12)


def test_motion_that_repeats_itself_is_nearer_to_itself_than_to_others() -> None:
    period = wander(0)[:STEP_FRAMES]
    again = np.resize(period, (FRAMES, len(KEPT), 2))
    rows = by_segment([run_of(again), run_of(wander(1)), run_of(wander(2), speaker=1)], 1.0)[1:]
    new = by_segment([run_of(wander(3)), run_of(wander(4))], 1.0)[1:]
    alone = by_segment([run_of(again)], 1.0)[1:]
    assert [row["nearest_before"] for row in alone] == pytest.approx([0] * (SEGMENTS - 1))
    assert all(math.isnan(row["nearest_elsewhere"]) for row in alone)
    assert all(row["nearest_before"] < 0.7 * row["nearest_elsewhere"] for row in rows[1:])
    assert all(row["nearest_before"] == pytest.approx(row["nearest_elsewhere"], rel=0.05) for row in new)


def test_mismatch_holds_a_segment_against_other_speech_of_its_speaker_only() -> None:
    speech = np.eye(2 * SEGMENTS)[:, None]
    own = [run_of(still(), views=speech[:SEGMENTS]), run_of(still(), views=speech[SEGMENTS:], first=SEGMENTS)]
    looks = iter([speech[:SEGMENTS], speech[SEGMENTS:]])
    assert mismatches(own, lambda _: next(looks)) == [100.0] * SEGMENTS
    assert mismatches(own, lambda _: np.zeros((SEGMENTS, 1, 2 * SEGMENTS))) == [50.0] * SEGMENTS
    same = [LongRun(0, still(), [frozenset([0])] * SEGMENTS, speech[:SEGMENTS])]
    assert all(math.isnan(share) for share in mismatches(same, lambda _: speech[:SEGMENTS]))


def test_what_was_measured_is_written_and_drawn(tmp_path: Path) -> None:
    runs = [run_of(wander(seed)) for seed in range(4)]
    real = np.concatenate([run.segments for run in runs])
    sticks = Yardsticks(real, np.ones(real.shape[:-1], bool), lambda x: x[:, 0, :3, 0], None)
    rows = measured(runs, sticks)
    write_csv(rows, tmp_path / "out.csv")
    draw(rows, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["segment"] for line in lines] == ["recorded", "1", "2", "3", "4", "5"]
    assert lines[3]["begins_s"] == "5.76" and lines[1]["seam_jump"] == "" and float(lines[2]["fgd"]) >= 0
    assert all(line["mismatch"] == "" for line in lines)
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".pdf", ".png"}
