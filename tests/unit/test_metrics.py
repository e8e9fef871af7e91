"""Every motion metric against cases worked out by hand, and against a second implementation."""

from __future__ import annotations

import importlib
import math
import pkgutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

import rgx.gesture.metrics
from rgx.gesture.metrics.bas import BasAudioToMotion, BasGtRelative, BasMotionToAudio, alignment, nearest_beat
from rgx.gesture.metrics.base import Evaluation, MotionMetric
from rgx.gesture.metrics.beats import body_speed, motion_beats
from rgx.gesture.metrics.diversity import Diversity, distinct_pairs
from rgx.gesture.metrics.fgd import FGD, frechet, root
from rgx.gesture.metrics.judge import Judge
from rgx.gesture.metrics.pcm import PCM, pcm_curve
from rgx.gesture.skeleton import KEPT, STREAMS
from rgx.registry import find, variants

POINTS, FRAMES = len(KEPT), 80
FACE = len(STREAMS["face"])
NAMES = (
    *("fgd", "diversity", "pcm", "bas_gt_relative", "bas_audio_to_motion", "bas_motion_to_audio"),
    *("mismatch", "fgd_sync", "jerk", "log_jerk", "hand_variance"),
)


def evaluation(windows: int = 2, **given: Any) -> Evaluation:
    still = np.zeros((windows, FRAMES, POINTS, 2), np.float32)
    empty = Evaluation(still, still, np.ones(still.shape[:3], bool), np.zeros(still.shape[:2], bool), first)
    return replace(empty, **given)


def first(motion: np.ndarray) -> np.ndarray:
    """A judge that reads the first point of the first frame: (W, T, K, 2) → (W, 2)."""
    return motion[:, 0, 0]


def at(features: list[list[float]]) -> np.ndarray:
    motion = np.zeros((len(features), FRAMES, POINTS, 2), np.float32)
    motion[:, 0, 0] = features
    return motion


def moving(*beats: list[int], windows_speed: float = 1.0) -> np.ndarray:
    """Windows whose body speed dips to a tenth exactly in the given frames."""
    speed = np.full((len(beats), FRAMES), windows_speed)
    for window, frames in enumerate(beats):
        for frame in frames:
            speed[window, frame - 1 : frame + 2] *= (0.5, 0.1, 0.5)
    motion = np.zeros((len(beats), FRAMES, POINTS, 2))
    motion[:, :, FACE:, 0] = np.cumsum(speed, axis=1)[..., None]
    return motion


def frames_of(*beats: list[int]) -> np.ndarray:
    marked = np.zeros((len(beats), FRAMES), bool)
    for window, frames in enumerate(beats):
        marked[window, frames] = True
    return marked


def textbook(a: np.ndarray, b: np.ndarray) -> float:
    """The second implementation: pytorch-fid's formula with scipy's matrix root."""
    product = np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)
    covariances = np.cov(a, rowvar=False) + np.cov(b, rowvar=False) - 2 * sqrtm(product).real
    return float(np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(covariances))


def whitened(samples: int, width: int) -> np.ndarray:
    """Samples whose mean is 0 and unbiased covariance the identity, to rounding."""
    drawn = np.random.default_rng(3).normal(size=(samples, width))
    q, _ = np.linalg.qr(drawn - drawn.mean(0))
    return q * np.sqrt(samples - 1)


def test_fgd_of_one_dimension_by_hand() -> None:
    # means 0 and 5, variances 2 and 18: 25 + 2 + 18 − 2 √36 = 33
    assert frechet(np.array([[-1.0], [1.0]]), np.array([[2.0], [8.0]])) == pytest.approx(33.0)


def test_fgd_of_diagonal_gaussians_is_analytic() -> None:
    unit, a, b = whitened(40, 3), np.array([1.0, 2.0, 0.5]), np.array([3.0, 2.0, 1.5])
    shift = np.array([1.0, -2.0, 0.0])
    assert frechet(unit * a, unit * b + shift) == pytest.approx(np.sum((a - b) ** 2) + 5.0)


def test_fgd_agrees_with_the_matrix_root_of_scipy() -> None:
    random = np.random.default_rng(0)
    for width in (2, 8, 32):
        a = random.normal(size=(200, width)) @ random.normal(size=(width, width))
        b = random.normal(size=(150, width)) @ random.normal(size=(width, width)) + 1
        assert frechet(a, b) == pytest.approx(textbook(a, b), rel=1e-6)
        assert frechet(a, b) == pytest.approx(frechet(b, a))


def test_fgd_of_itself_is_zero_and_of_a_shift_its_square() -> None:
    # Fewer windows than dimensions: the covariances are singular.
    for samples in (5, 100):
        x = np.random.default_rng(1).normal(size=(samples, 32))
        v = np.linspace(-1, 2, 32)
        assert frechet(x, x) == pytest.approx(0, abs=1e-9)
        assert frechet(x, x + v) == pytest.approx(v @ v)


def test_fgd_refuses_what_it_cannot_measure() -> None:
    x = np.zeros((4, 2))
    with pytest.raises(ValueError, match="at least 2 windows"):
        frechet(x, x[:1])
    with pytest.raises(ValueError, match="finite"):
        frechet(x, np.full((4, 2), np.nan))
    with pytest.raises(ValueError, match="widths differ"):
        frechet(x, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="not a covariance"):
        root(np.diag([1.0, -0.1]))
    assert frechet(x, x) == 0


def test_fgd_scores_through_the_judge_and_its_floor_ignores_the_generated() -> None:
    case = evaluation(real=at([[-1, 0], [1, 0]]), generated=at([[2, 0], [8, 0]]))
    assert FGD().score(case) == pytest.approx(33.0)
    real = at(np.random.default_rng(2).normal(size=(200, 2)).tolist())
    floors = [FGD().reference(evaluation(real=real, generated=g)) for g in (real, real + 9)]
    assert floors[0] == floors[1] and 0 < floors[0] < 0.2
    assert FGD(seed=1).reference(evaluation(real=real)) != floors[0]
    with pytest.raises(ValueError, match="at least 2 windows"):
        FGD().reference(evaluation(real=real[:3]))


def test_diversity_by_hand_never_pairs_an_item_with_itself() -> None:
    two = evaluation(real=at([[0, 0], [0, 7]]), generated=at([[0, 0], [3, 4]]))
    assert Diversity().score(two) == pytest.approx(5.0)
    assert Diversity().reference(two) == pytest.approx(7.0)
    # sides 3, 4 and 5, each as likely: 4 on average
    three = evaluation(generated=at([[0, 0], [3, 0], [0, 4]]))
    assert Diversity(pairs=20_000).score(three) == pytest.approx(4.0, abs=0.03)
    one, other = distinct_pairs(5, 10_000, seed=0)
    assert (one != other).all()
    counts = np.bincount(5 * one + other, minlength=25).reshape(5, 5)
    assert counts[~np.eye(5, dtype=bool)].min() > 400


def test_diversity_is_repeatable_and_needs_two() -> None:
    case = evaluation(generated=at(np.random.default_rng(0).normal(size=(30, 2)).tolist()))
    assert Diversity().score(case) == Diversity().score(case) != Diversity(seed=1).score(case)
    with pytest.raises(ValueError, match="at least 2 windows"):
        Diversity().score(evaluation(1))


def test_pcm_counts_planted_offsets_where_valid() -> None:
    generated = evaluation(1).generated.copy()
    valid = np.zeros((1, FRAMES, POINTS), bool)
    valid[0, 3, :4] = True
    generated[0, 3, :4] = [[0.09, 0], [0.06, 0.08], [0.3, 0.4], [0, 0]]
    generated[0, 5] = np.nan
    case = evaluation(1, generated=generated, valid=valid)
    assert PCM(delta=0.11).score(case) == 0.75
    assert PCM(delta=0.095).score(case) == 0.5
    assert pcm_curve(case, (0.0, 0.01, 0.095, 0.2, 1.0)).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert PCM().reference(case) == 1


def test_pcm_is_strict_and_refuses_nothing_to_count() -> None:
    generated = np.full((1, FRAMES, POINTS, 2), (0.25, 0), np.float32)
    assert PCM(delta=0.25).score(evaluation(1, generated=generated)) == 0
    assert PCM(delta=0.2501).score(evaluation(1, generated=generated)) == 1
    with pytest.raises(ValueError, match="no keypoint is valid"):
        PCM().score(evaluation(1, valid=np.zeros((1, FRAMES, POINTS), bool)))
    with pytest.raises(ValueError, match="not finite"):
        PCM().score(evaluation(1, generated=generated * np.nan))


def test_beats_are_found_where_planted() -> None:
    motion = moving([10, 30, 55], [], [2, 78])
    assert np.array_equal(motion_beats(motion)[:2], frames_of([10, 30, 55], []))
    assert np.flatnonzero(motion_beats(motion)[2]).tolist() == [2, 78]
    assert body_speed(motion)[0, 8:11] == pytest.approx(np.array([0.5, 0.1, 0.5]) * (POINTS - FACE))


def test_of_two_near_minima_the_slower_counts() -> None:
    motion = moving([20, 23, 50])
    motion[:, 23:, FACE:] -= 0.05
    assert np.array_equal(motion_beats(motion, order=4), frames_of([23, 50]))
    assert np.array_equal(motion_beats(motion, order=2), frames_of([20, 23, 50]))


def test_a_standstill_is_one_beat_and_the_face_none() -> None:
    assert not motion_beats(moving([], windows_speed=0.1).astype(np.float32)).any()
    motion = np.zeros((1, FRAMES, POINTS, 2))
    assert not motion_beats(motion).any()
    speed = np.ones(FRAMES)
    speed[40:60] = 0
    motion[0, :, FACE:, 0] = np.cumsum(speed)[:, None]
    assert np.array_equal(motion_beats(motion), frames_of([40]))
    motion[0, :, :FACE] = np.random.default_rng(0).normal(size=(FRAMES, FACE, 2))
    assert np.array_equal(motion_beats(motion), frames_of([40]))
    assert not motion_beats(motion[:, :3]).any() and not motion_beats(motion[:, :1]).any()
    with pytest.raises(ValueError, match="not finite"):
        motion_beats(motion * np.nan)


def test_beats_agree_with_a_plain_loop() -> None:
    motion = np.random.default_rng(4).normal(size=(3, FRAMES, POINTS, 2)).cumsum(axis=1)
    for window, speed in enumerate(body_speed(motion)):
        expected = []
        for i in range(1, len(speed) - 1):
            around = [speed[j] for j in range(i - 4, i + 5) if 0 <= j < len(speed) and j != i]
            expected += [i + 1] * all(speed[i] < other for other in around)
        assert np.flatnonzero(motion_beats(motion)[window]).tolist() == expected != []


def test_nearest_beat_is_measured_both_ways() -> None:
    distance = nearest_beat(frames_of([10, 20], []))
    assert distance[0, [0, 10, 14, 16, 20, 79]].tolist() == [10, 0, 4, 4, 0, 59]
    assert np.isinf(distance[1]).all()


@pytest.mark.parametrize("d", [0, 1, 2, 3])
def test_bas_of_beats_d_frames_apart(d: int) -> None:
    expected = np.exp(-(d**2) / (2 * 1.25**2))
    beats, moved = [15, 40, 65], [15 + d, 40 + d, 65 + d]
    case = evaluation(1, real=moving(beats), generated=moving(moved), audio_beats=frames_of(beats))
    for metric in (BasGtRelative(), BasAudioToMotion(), BasMotionToAudio()):
        assert metric.score(case) == pytest.approx(expected)
        assert metric.reference(case) == pytest.approx(1)
    assert BasGtRelative(sigma_frames=3).score(case) == pytest.approx(np.exp(-(d**2) / 18))


def test_bas_anchors_tell_the_three_apart() -> None:
    # 3 real beats, 1 generated beat on the first of them, 2 audio beats of which one meets it
    case = evaluation(1, real=moving([15, 40, 65]), generated=moving([15]), audio_beats=frames_of([15, 50]))
    assert BasGtRelative().score(case) == pytest.approx(1 / 3)
    assert BasAudioToMotion().score(case) == pytest.approx(1 / 2)
    assert BasMotionToAudio().score(case) == pytest.approx(1)
    assert BasAudioToMotion().reference(case) == pytest.approx(1 / 2)
    assert BasMotionToAudio().reference(case) == pytest.approx(1 / 3)


def test_bas_ranks_the_real_motion_above_a_late_above_a_later_one() -> None:
    real = moving([15, 40, 65], [20, 50])
    late, later = (moving([15 + d, 40 + d, 65 + d], [20 + d, 50 + d]) for d in (1, 2))
    scores = [BasGtRelative().score(evaluation(real=real, generated=g)) for g in (real, late, later)]
    assert scores[0] == 1 and scores[0] > scores[1] > scores[2]


def test_bas_skips_windows_without_anchors_and_says_when_there_are_none() -> None:
    anchors, beats = frames_of([10], [], [20, 40], [30]), frames_of([10], [5], [20], [])
    # windows 0, 2 and 3 count: 1, 1/2 and, with no beat to meet, 0
    assert alignment(anchors, beats, 1.25, "test") == pytest.approx(0.5)
    with pytest.raises(ValueError, match="none of 2 windows holds a beat of the audio"):
        BasAudioToMotion().score(evaluation(generated=moving([9], [9])))
    with pytest.raises(ValueError, match="real motion"):
        BasGtRelative().score(evaluation())
    with pytest.raises(ValueError, match="none of 2 windows holds a beat of the audio"):
        BasMotionToAudio().score(evaluation(generated=moving([9], [9])))


def mint(motion_beats_of: np.ndarray, audio_beats: np.ndarray, sigma: float) -> float:
    """mint's rule as a slow loop: anchors are the motion's beats, a video without scores 0, then the mean."""
    scores = []
    for motion, audio in zip(motion_beats_of, audio_beats, strict=True):
        anchors, beats = np.flatnonzero(motion), np.flatnonzero(audio)
        total = 0.0
        for anchor in anchors:
            if len(beats):
                total += math.exp(-min((int(anchor) - int(beat)) ** 2 for beat in beats) / (2 * sigma**2))
        scores.append(total / len(anchors) if len(anchors) else 0.0)
    return sum(scores) / len(scores)


def test_bas_from_motion_to_audio_is_mint_s_loop() -> None:
    random = np.random.default_rng(5)
    motion = random.normal(size=(6, FRAMES, POINTS, 2)).cumsum(axis=1)
    motion[2] = motion[2, :1]  # it stands still
    audio = random.random((6, FRAMES)) < 0.06
    audio[4] = False
    case, beats = evaluation(6, generated=motion, audio_beats=audio), motion_beats(motion)
    assert not beats[2].any() and beats[4].any()
    expected = mint(beats, audio, 1.25)
    assert 0 < expected == pytest.approx(BasMotionToAudio().score(case), rel=1e-12)
    values, weights = BasMotionToAudio().parts(case)
    assert np.average(values, weights=weights) == pytest.approx(expected) and values[2] == 0


def test_who_mostly_stands_still_wins_nothing_by_it() -> None:
    beats, still = [15, 40, 65], [[]] * 19
    case = evaluation(20, generated=moving(beats, *still), audio_beats=frames_of(*([beats] * 20)))
    assert BasMotionToAudio().score(case) == pytest.approx(1 / 20)
    assert BasMotionToAudio().reference(case) == 0 and BasAudioToMotion().score(case) == pytest.approx(1 / 20)


@pytest.mark.parametrize("frames", [8, 40, 80, 96])
def test_judge_keeps_shapes_and_no_window_sees_another(frames: int) -> None:
    torch.manual_seed(0)
    judge, x = Judge(10, latent=6, width=8).eval(), torch.randn(3, frames, 10)
    assert judge.encode(x).shape == (3, 6) and judge(x).shape == x.shape
    assert torch.allclose(judge.encode(x)[1:2], judge.encode(x[1:2]), atol=1e-5)
    with pytest.raises(ValueError, match="multiple of 8"):
        judge.encode(x[:, 1:])


def test_judge_learns_and_forgets_what_is_masked() -> None:
    torch.manual_seed(0)
    judge = Judge(2 * POINTS, width=32)
    phase = torch.linspace(0, 6, FRAMES)[None, :, None] + torch.rand(16, 1, 1) * 6
    x = torch.sin(phase + torch.arange(2 * POINTS) / 40)
    optimizer = torch.optim.Adam(judge.parameters(), lr=2e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = judge.loss(x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_judge_loss_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, x = Judge(1, width=4), torch.zeros(1, 8, 1)
    error = torch.tensor([0.0, 0, 0, 4, 0, 0, 0, 0]).view(1, 8, 1)
    monkeypatch.setattr(Judge, "forward", lambda self, x: x + error)
    assert judge.loss(x).item() == pytest.approx(4 / 8 + 8 / 7)
    mask = torch.ones(1, 8, 1, dtype=torch.bool)
    assert judge.loss(x, mask).item() == pytest.approx(4 / 8 + 8 / 7)
    mask[0, 3] = False
    assert judge.loss(x, mask).item() == 0
    mask[0, 2:4] = torch.tensor([[False], [True]])
    assert judge.loss(x, mask).item() == pytest.approx(4 / 7 + 4 / 5)
    assert judge.loss(x, mask & False).item() == 0


def test_every_registered_metric_says_how_to_read_it() -> None:
    for module in pkgutil.walk_packages(rgx.gesture.metrics.__path__, "rgx.gesture.metrics."):
        importlib.import_module(module.name)
    known = {v.name: v for v in variants("metric")}
    assert set(NAMES) <= set(known)
    for variant in known.values():
        assert variant.cls.direction in ("down", "up", "reference"), variant.key
        low, high = variant.cls.range
        assert low < high and variant.cls.protocol and variant.cls.decimals >= 1, variant.key
        assert isinstance(variant.cls.unit, str) and "Source:" in (variant.cls.__doc__ or ""), variant.key
    for name in NAMES:
        metric = known[name].cls()
        assert isinstance(metric, MotionMetric) and not known[name].shapes, name


def test_the_judge_waits_for_its_width() -> None:
    variant = find("judge", "autoencoder")
    assert variant.shapes == ["points_width"]
    assert variant.parameters == {"latent": 32, "width": 64}


def test_a_metric_is_described_by_what_a_table_reads_of_it() -> None:
    from rgx.metric import Metric, describe, name_of
    from rgx.registry import variants
    from rgx.report.results import MetricFacts as Shown

    for variant in variants("metric"):
        assert issubclass(variant.cls, Metric)
        metric = object.__new__(variant.cls)
        metric.record = {"variant": variant.key}
        description = describe(metric)
        assert name_of(metric) == variant.name and description["label"] == variant.label
        assert Shown.model_validate(description).stand_in == metric.stand_in
        assert set(description) <= {*Shown.model_fields, "source"}
