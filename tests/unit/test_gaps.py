from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgx.gesture.poses.gaps import bridge_gaps

LONGEST = st.integers(0, 8)


@st.composite
def tracks(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    frames = draw(st.integers(1, 30))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    valid = random.random((frames, 133)) < draw(st.floats(0, 1))
    valid[:, random.random(133) < draw(st.floats(0, 1))] = False
    keypoints = random.normal(100, 50, (frames, 133, 2)).astype(np.float32)
    keypoints[~valid & (random.random((frames, 133)) < 0.5)] = np.nan
    return keypoints, valid


def gaps(row: np.ndarray) -> list[tuple[int, int, bool]]:
    """Start, end and whether inside, by a plain loop, of every run of invalid frames."""
    found, start = [], None
    for t, ok in enumerate([*row, True]):
        if not ok and start is None:
            start = t
        if ok and start is not None:
            found.append((start, t, start > 0 and t < len(row)))
            start = None
    return found


@settings(max_examples=25, deadline=None)
@given(tracks(), LONGEST)
def test_properties(track: tuple[np.ndarray, np.ndarray], longest: int) -> None:
    keypoints, valid = track
    before = keypoints.copy(), valid.copy()
    filled, bridged = bridge_gaps(keypoints, valid, longest)
    np.testing.assert_array_equal(keypoints, before[0])
    np.testing.assert_array_equal(valid, before[1])
    assert filled.shape == keypoints.shape and filled.dtype == np.float32 and bridged.dtype == bool
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[valid], keypoints[valid])
    assert bridged[valid].all()
    for point in range(133):
        for start, end, inside in gaps(valid[:, point]):
            short = inside and end - start <= longest
            assert (bridged[start:end, point] == short).all()
            for t in range(start, end) if valid[:, point].any() else ():
                if short:
                    ends = [start - 1, end]
                    want = [np.interp(t, ends, keypoints[ends, point, axis]) for axis in (0, 1)]
                    np.testing.assert_allclose(filled[t, point], want, rtol=1e-5, atol=1e-3)
                else:
                    near = [s for s in (start - 1, end) if 0 <= s < len(valid)]
                    nearest = min(near, key=lambda s: abs(s - t))
                    np.testing.assert_array_equal(filled[t, point], keypoints[nearest, point])


@settings(max_examples=20, deadline=None)
@given(tracks(), LONGEST)
def test_reversed_time_bridges_the_same_frames(track: tuple[np.ndarray, np.ndarray], longest: int) -> None:
    keypoints, valid = track
    forward = bridge_gaps(keypoints, valid, longest)[1]
    np.testing.assert_array_equal(forward, bridge_gaps(keypoints[::-1], valid[::-1], longest)[1][::-1])


def test_short_gap_is_a_line_and_long_gap_is_held() -> None:
    keypoints, valid = np.zeros((9, 133, 2), np.float32), np.ones((9, 133), bool)
    keypoints[:, 0, 0] = [0, 99, 99, 99, 4, 99, 99, 99, 99]
    valid[1:4, 0] = False
    valid[5:, 0] = False
    filled, bridged = bridge_gaps(keypoints, valid, 3)
    assert filled[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 4, 4, 4, 4]
    assert bridged[:, 0].tolist() == [True] * 5 + [False] * 4
    filled, bridged = bridge_gaps(keypoints, valid, 2)
    assert filled[:5, 0, 0].tolist() == [0, 0, 0, 4, 4]
    assert not bridged[1:4, 0].any()


def test_absent_points_follow_wrist_or_mid_shoulder() -> None:
    random = np.random.default_rng(0)
    keypoints = random.normal(size=(4, 133, 2)).astype(np.float32)
    valid = np.ones((4, 133), bool)
    absent = [0, 11, *range(91, 133)]
    valid[:, absent] = False
    keypoints[:, absent] = np.nan
    filled, bridged = bridge_gaps(keypoints, valid)
    middle = keypoints[:, [5, 6]].mean(axis=1)
    np.testing.assert_allclose(filled[:, 0], middle)
    np.testing.assert_allclose(filled[:, 11], middle)
    np.testing.assert_array_equal(filled[:, 91:112], np.repeat(keypoints[:, [9]], 21, axis=1))
    np.testing.assert_array_equal(filled[:, 112:], np.repeat(keypoints[:, [10]], 21, axis=1))
    assert not bridged[:, absent].any()
    valid[:, 9] = False
    np.testing.assert_allclose(bridge_gaps(keypoints, valid)[0][:, 100], middle)


def test_nothing_valid_is_still_finite() -> None:
    filled, bridged = bridge_gaps(np.full((3, 133, 2), np.nan), np.zeros((3, 133), bool))
    assert (filled == 0).all() and not bridged.any()


def test_wrong_arguments() -> None:
    keypoints, valid = np.zeros((3, 133, 2)), np.ones((3, 133), bool)
    with pytest.raises(ValueError, match="133"):
        bridge_gaps(keypoints[:, :5], valid)
    with pytest.raises(ValueError, match="longest gap"):
        bridge_gaps(keypoints, valid, -1)
    keypoints[0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        bridge_gaps(keypoints, valid)
