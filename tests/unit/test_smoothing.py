from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rgx.gesture.poses.smoothing import smooth


def slow(values: np.ndarray, frames: int) -> np.ndarray:
    """Fit a parabola by least squares to each window; at the ends, the first and the last one reaches out."""
    half, out = frames // 2, []
    for t in range(len(values)):
        middle = min(max(t, half), len(values) - 1 - half)
        window = np.arange(middle - half, middle + half + 1)
        out.append(np.polyval(np.polyfit(window - middle, values[window], 2), t - middle))
    return np.array(out)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 5, 7]))
def test_each_run_is_smoothed_by_itself(seed: int, frames: int) -> None:
    random = np.random.default_rng(seed)
    points, valid = random.normal(100, 20, (24, 3, 2)).astype(np.float32), random.random((24, 3)) < 0.8
    valid[:, 1] = True
    before = points.copy()
    found = smooth(points, valid, frames)
    np.testing.assert_array_equal(points, before)
    assert found.dtype == np.float32
    for point in range(3):
        ends = np.flatnonzero(np.diff(valid[:, point], prepend=False, append=False))
        wanted = points[:, point].copy()
        for first, last in ends.reshape(-1, 2):
            if last - first >= frames:
                for axis in (0, 1):
                    wanted[first:last, axis] = slow(points[first:last, point, axis], frames)
        np.testing.assert_allclose(found[:, point], wanted, rtol=1e-4, atol=1e-2)


def test_jitter_goes_and_a_gesture_stays() -> None:
    """A wrist at 1.5 strokes a second, 60 px wide, tracked with noise of 2 px."""
    time = np.arange(200) / 25
    true = np.stack([200 + 30 * np.sin(2 * np.pi * 1.5 * time), 100 + 0 * time], -1)[:, None]
    tracked = (true + np.random.default_rng(0).normal(0, 2, true.shape)).astype(np.float32)
    found = smooth(tracked, np.ones((200, 1), bool), 7)

    def restless(track: np.ndarray) -> float:
        return float(np.abs(np.diff(track, 2, axis=0)).mean())

    assert np.abs(found - true).mean() < 0.7 * np.abs(tracked - true).mean()
    assert restless(found) < 0.6 * restless(tracked)
    assert abs(np.ptp(found[..., 0]) - 60) < 4
    beats = [np.flatnonzero(np.diff(np.sign(np.diff(track[:, 0, 0])))) for track in (true, found)]
    assert all(min(abs(beats[1] - beat)) <= 1 for beat in beats[0])


def test_one_frame_smooths_nothing() -> None:
    points = np.random.default_rng(0).normal(size=(9, 133, 2)).astype(np.float32)
    assert smooth(points, np.ones((9, 133), bool), 1) is points
