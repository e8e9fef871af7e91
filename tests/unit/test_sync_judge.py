"""Mismatch and FGD-sync against planted views, and the judge of synchrony where it can be right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rgx.gesture.metrics.base import Evaluation, MotionMetric, Synchrony
from rgx.gesture.metrics.fgd import FGDSync, frechet
from rgx.gesture.metrics.mismatch import Mismatch, partners_of
from rgx.gesture.metrics.sync_judge import SyncJudge, fit
from rgx.gesture.scoring import by_clip, intervals
from rgx.gesture.skeleton import KEPT
from rgx.gesture.stages.sync_judge import draw_of_one_speaker
from rgx.gesture.types import WINDOW_FRAMES, ClipSpan
from rgx.store.samples import SampleParts, Samples

N, D = 4, 8


def views(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, N, D))
    unit: np.ndarray = (drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)).astype(np.float32)
    return unit


def evaluation(speech: np.ndarray, real: np.ndarray, generated: np.ndarray, **given: Any) -> Evaluation:
    """Windows of two speakers, three clips each, whose motion is what the judge sees of it."""
    count = len(speech)
    clips = np.repeat(np.arange(6), -(-count // 6))[:count]
    places = np.stack([clips, clips // 3, 10 * np.arange(count)], axis=1)
    motion = [np.zeros((count, 80, len(KEPT), 2), np.float32) for _ in range(2)]
    for array, seen in zip(motion, (real, generated), strict=True):
        array[:, :N, :D, 0] = seen
    sync = Synchrony(speech, np.ones(count, bool), lambda x: x[:, :N, :D, 0])
    known = {"places": places, "sync": sync} | given
    beats = np.zeros((count, 80), bool)
    return Evaluation(*motion, np.ones(motion[0].shape[:3], bool), beats, lambda x: x[:, 0, 0], **known)


def textbook(seen: np.ndarray, case: Evaluation) -> float:
    """The second implementation: every pair that may be compared, in a loop."""
    speech, heard = case.synchrony.speech, case.synchrony.heard
    every = []
    for i, (clip, speaker, start) in enumerate(case.places):
        wins = []
        for j, (other, whose, begins) in enumerate(case.places):
            apart = clip != other or abs(start - begins) >= WINDOW_FRAMES
            if heard[i] and heard[j] and speaker == whose and apart:
                own, wrong = (float(np.sum(seen[i].astype(float) * speech[k])) for k in (i, j))
                wins.append(1.0 if own > wrong else 0.5 if own == wrong else 0.0)
        every += [np.mean(wins)] if wins else []
    return 100 * float(np.mean(every))


def test_mismatch_is_a_loop_over_all_pairs() -> None:
    speech = views(60)
    case = evaluation(speech, speech, speech + 4 * views(60, 1))
    metric = Mismatch(partners=1000)
    assert metric.reference(case) == textbook(case.real_views, case) == 100.0
    assert 60 < metric.score(case) < 100
    assert metric.score(case) == pytest.approx(textbook(case.generated_views, case))
    values, weights = metric.parts(case)
    assert np.average(values, weights=weights) == pytest.approx(metric.score(case))
    # Some partners tell what all tell, and which is drawn alike each time.
    assert Mismatch().score(case) == Mismatch().score(case) == pytest.approx(metric.score(case), abs=4)


def test_motion_beside_any_other_speech_is_at_chance_and_what_is_all_alike_ties() -> None:
    speech = views(240)
    case = evaluation(speech, speech, views(240, 1))
    assert abs(Mismatch().score(case) - 50) < 6 and abs(Mismatch().chance(case) - 50) < 6
    still = np.repeat(views(1), 240, axis=0)
    assert Mismatch().score(evaluation(still, speech, speech)) == 50.0


def test_partners_are_of_the_speaker_apart_and_heard() -> None:
    case = evaluation(views(60), views(60), views(60))
    heard = np.arange(60) % 7 > 0
    for window, others in enumerate(partners_of(case.places, heard, 5, seed=0)):
        assert len(others) == (5 if heard[window] else 0) and len(set(others)) == len(others)
        for other in others:
            (clip, speaker, start), (whose_clip, whose, begins) = case.places[[window, other]]
            assert heard[other] and speaker == whose
            assert clip != whose_clip or abs(start - begins) >= WINDOW_FRAMES


def test_without_speech_or_another_window_there_is_no_mismatch() -> None:
    speech = views(12)
    silent = Synchrony(speech, np.zeros(12, bool), lambda x: x[:, :N, :D, 0])
    with pytest.raises(ValueError, match="none of 12 windows has speech and another window of its speaker"):
        Mismatch().score(evaluation(speech, speech, speech, sync=silent))
    strangers = np.stack([np.arange(12), np.arange(12), np.zeros(12, int)], axis=1)
    with pytest.raises(ValueError, match="none of 12 windows has speech and another window"):
        Mismatch().score(evaluation(speech, speech, speech, places=strangers))
    with pytest.raises(ValueError, match="no judge of synchrony is at hand"):
        Mismatch().score(evaluation(speech, speech, speech, sync=None))


def test_fgd_sync_is_the_distance_of_mean_views() -> None:
    real, generated = views(60), views(60, 1)
    case = evaluation(views(60, 2), real, generated)
    assert FGDSync().score(case) == pytest.approx(frechet(real.mean(1), generated.mean(1)))
    assert FGDSync().score(evaluation(real, real, real)) == pytest.approx(0, abs=1e-9)
    assert 0 < FGDSync().reference(case) < frechet(real.mean(1), real.mean(1) + 1)


def test_intervals_over_clips_are_a_bootstrap_and_none_of_one_clip() -> None:
    random = np.random.default_rng(0)
    values, weights = random.normal(size=30), random.integers(1, 5, 30).astype(float)
    parts = SampleParts(values=values.tolist(), weights=weights.tolist())
    names = [str(n) for n in range(30)]
    low, high = intervals(Samples(unit="clips", names=names, scores={"m": parts}))["m"]
    means = []
    for _ in range(2000):
        drawn = random.integers(30, size=30)
        means.append(np.average(values[drawn], weights=weights[drawn]))
    assert (low, high) == pytest.approx(np.percentile(means, (2.5, 97.5)), abs=0.05)
    assert low < parts.mean() < high
    unheard = SampleParts(values=[*values.tolist(), 9.0], weights=[*weights.tolist(), 0.0])
    assert intervals(Samples(unit="c", names=[*names, "x"], scores={"m": unheard})) == {"m": (low, high)}
    alone = Samples(unit="clips", names=["a"], scores={"m": SampleParts(values=[1.0], weights=[1.0])})
    assert intervals(alone) == {}


def test_clips_of_mismatch_add_up() -> None:
    case = evaluation(views(60), views(60), views(60, 1))
    metric: MotionMetric = Mismatch()
    metric.record = {"variant": "metric/mismatch"}
    parts = {"mismatch": metric.parts(case)}
    samples = by_clip(parts, [f"c{clip}" for clip, _, _ in case.places])
    assert samples.scores["mismatch"].mean() == pytest.approx(metric.score(case))
    assert set(intervals(samples)) == {"mismatch"}


def test_training_windows_are_one_speaker_s_and_never_overlap() -> None:
    spans = [ClipSpan(str(n), n % 2, "train", 300 * n, 300, (0.0, 0.0), 1.0) for n in range(8)]
    torch.manual_seed(0)
    seen = set()
    for _ in range(50):
        frames = draw_of_one_speaker([spans[::2], spans[1::2]], 10)
        assert 8 <= len(frames) <= 10 and frames.shape[1] == WINDOW_FRAMES
        clips = frames // 300
        assert (clips[:, :1] == clips).all() and len({int(c) % 2 for c in clips[:, 0]}) == 1
        ordered = frames[:, 0].sort().values
        assert (ordered.diff() >= WINDOW_FRAMES).all()
        seen |= set((frames[:, 0] % 300).tolist())
    assert len(seen) > 100, "windows begin anywhere"
    shortest = [[ClipSpan("s", 0, "train", 7, WINDOW_FRAMES + 1, (0.0, 0.0), 1.0)]]
    assert all(7 <= int(draw_of_one_speaker(shortest, 4)[0, 0]) <= 8 for _ in range(20))


def test_the_judge_learns_what_moves_with_what_is_heard_and_nothing_where_nothing_does() -> None:
    torch.manual_seed(0)

    def world(count: int, coupled: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Speech of two bands, of which one moves a point an instant later; or moves it in another clip."""
        speech = torch.nn.functional.avg_pool1d(torch.randn(count, 2, 90), 7, 1)[..., :84] * 2.5
        motion = speech[:, :1, :80] + 0.1 * torch.randn(count, 4, 80)
        heard = speech[..., 4:].transpose(1, 2)
        return heard, (motion if coupled else motion.roll(1, 0)).transpose(1, 2)

    shares = {}
    for coupled in (True, False):
        judge = SyncJudge(2, 4, width=16, latent=8, dropout=0.1)
        optimiser = torch.optim.Adam(judge.parameters(), lr=5e-3)
        for _ in range(60):
            loss = sum(judge.losses(*world(16, coupled)).values(), torch.zeros(()))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        judge.eval()
        with torch.no_grad():
            speech, motion = world(100, coupled)
            fits = fit(judge.hear(speech), judge.see(motion))
            assert torch.allclose(judge.see(motion)[3:4], judge.see(motion[3:4]), atol=1e-5)
        wins = (fits.diagonal() > fits).float().sum(0) / 99
        shares[coupled] = float(wins.mean())
    assert shares[True] > 0.9 and abs(shares[False] - 0.5) < 0.1
