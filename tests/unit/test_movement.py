"""Jerk, log jerk and the variance of hands against motion of which they are known, and slow loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rgx.gesture.metrics.base import Evaluation
from rgx.gesture.metrics.jerk import HandVariance, Jerk, LogJerk
from rgx.gesture.skeleton import KEPT, STREAMS
from rgx.gesture.types import FPS

POINTS, FACE, FRAMES = len(KEPT), len(STREAMS["face"]), 80
HANDS = 42


def case(motion: np.ndarray, **given: Any) -> Evaluation:
    seen = {"valid": np.ones(motion.shape[:3], bool), **given}
    beats = np.zeros(motion.shape[:2], bool)
    return Evaluation(motion, motion, audio_beats=beats, embed=lambda x: x[:, 0, 0], **seen)


def of_body(path: np.ndarray) -> np.ndarray:
    """A window in which every body and hand point goes along x as path (T,) says; the face jumps."""
    motion = np.zeros((1, len(path), POINTS, 2))
    motion[0, :, FACE:, 0] = path[:, None]
    motion[0, :, :FACE] = np.random.default_rng(0).normal(size=(len(path), FACE, 2))
    return motion


def test_jerk_of_a_cubic_is_its_third_derivative() -> None:
    time_s = np.arange(FRAMES) / FPS
    assert Jerk().score(case(of_body(0.5 * time_s**3 - time_s))) == pytest.approx(3.0)
    assert Jerk().score(case(of_body(2 * time_s**2))) == pytest.approx(0.0, abs=1e-6)


def test_jerk_is_a_slow_loop_over_what_was_seen() -> None:
    random = np.random.default_rng(1)
    motion, valid = random.normal(size=(2, 12, POINTS, 2)), random.random((2, 12, POINTS)) < 0.8
    sizes = [
        np.linalg.norm(m[t + 3, k] - 3 * m[t + 2, k] + 3 * m[t + 1, k] - m[t, k]) * FPS**3
        for m, v in zip(motion, valid, strict=True)
        for t in range(9)
        for k in range(FACE, POINTS)
        if v[t : t + 4, k].all()
    ]
    assert Jerk().score(case(motion, valid=valid)) == pytest.approx(np.mean(sizes))
    values, weights = Jerk().parts(case(motion, valid=valid))
    assert np.average(values, weights=weights) == pytest.approx(np.mean(sizes))
    assert weights.sum() == len(sizes)


def test_log_jerk_knows_neither_size_nor_speed_but_tremor() -> None:
    phase = np.linspace(0, 2 * np.pi, 400)
    once, larger = np.sin(phase), 7 * np.sin(phase)
    scores = [LogJerk().score(case(of_body(10 * path))) for path in (once, larger)]
    assert scores[0] == pytest.approx(scores[1])
    # ∫ (A ω³ cos)² dt / (A ω)² · T³ with ω T = 2 π: ½ ω⁴ T⁴
    assert scores[0] == pytest.approx(np.log(0.5 * (2 * np.pi) ** 4), abs=0.02)
    slower = np.sin(np.linspace(0, 2 * np.pi, 800))
    assert LogJerk().score(case(of_body(20 * slower))) == pytest.approx(scores[0], abs=0.02)
    shaken = once + 0.001 * np.random.default_rng(2).normal(size=400)
    assert LogJerk().score(case(of_body(10 * shaken))) > scores[0] + 3


def test_what_rests_has_no_log_jerk() -> None:
    with pytest.raises(ValueError, match="in none of 1 windows is there a point"):
        LogJerk().score(case(np.zeros((1, FRAMES, POINTS, 2))))
    assert Jerk().score(case(np.zeros((1, FRAMES, POINTS, 2)))) == 0


def test_hand_variance_is_numpy_s_of_the_hands_alone() -> None:
    random = np.random.default_rng(3)
    motion, valid = random.normal(size=(2, 20, POINTS, 2)), random.random((2, 20, POINTS)) < 0.7
    whole = [m[:, k].var(axis=0).sum() for m in motion for k in range(POINTS - HANDS, POINTS)]
    assert HandVariance().score(case(motion)) == pytest.approx(np.mean(whole))
    seen = [
        (m[v[:, k], k].var(axis=0).sum(), v[:, k].sum())
        for m, v in zip(motion, valid, strict=True)
        for k in range(POINTS - HANDS, POINTS)
    ]
    expected = np.average([x for x, _ in seen], weights=[n for _, n in seen])
    assert HandVariance().score(case(motion, valid=valid)) == pytest.approx(expected)
    moved = motion.copy()
    moved[:, :, : POINTS - HANDS] *= 9
    assert HandVariance().score(case(moved)) == HandVariance().score(case(motion))


@pytest.mark.parametrize("metric", [Jerk(), LogJerk(), HandVariance()])
def test_what_is_not_finite_is_refused(metric: Jerk | LogJerk | HandVariance) -> None:
    motion = np.zeros((1, FRAMES, POINTS, 2))
    motion[0, 5, -1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        metric.score(case(motion))
