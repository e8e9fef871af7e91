"""The metrics in EfficientNet-lite0: their formulas by hand, and the degradations they grow with."""

from __future__ import annotations

import math
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from test_benchmarks import load
from test_video_metrics import pair, scored, video
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.metrics.base import SourcePicture, VideoPair
from rgx.gesture.metrics.fgd import frechet
from rgx.gesture.metrics.identity import VideoIdentityLite0
from rgx.gesture.metrics.lite0 import (
    Lite0Metric,
    ReconstructionFIDLite0,
    ReconstructionLPIPSLite0,
    VideoFIDLite0,
    VideoFVDLite0,
    eye,
)
from rgx.gesture.nn import efficientnet_lite0
from rgx.gesture.nn.efficientnet_lite0 import PACKAGE, EfficientNetLite0, weights_path
from rgx.gesture.nn.faces import face_box
from rgx.gesture.skeleton import KEPT
from rgx.registry import variants

needs_extra = pytest.mark.skipif(find_spec(PACKAGE) is None, reason="needs the extra perceptual")


def prepared(kind: type[Lite0Metric], **given: Any) -> Any:
    metric = kind(**given)
    metric.prepare("cpu")
    return metric


def levels(pictures: Tensor) -> list[np.ndarray]:
    """The network's levels with activations of length 1, (T, D, h, w)."""
    network = EfficientNetLite0(weights_path("a test", "none"))
    with torch.no_grad():
        return [(x / x.norm(dim=1, keepdim=True)).double().numpy() for x in network(pictures)]


@needs_extra
def test_the_lpips_form_is_worked_out_by_hand_over_chunks() -> None:
    real, made = video(20), video(20, seed=1)
    sides = zip(levels(real), levels(made), strict=True)
    by_hand = np.mean([((a - b) ** 2).sum(1).mean((1, 2)) for a, b in sides], axis=0)
    metric = prepared(ReconstructionLPIPSLite0)
    assert np.allclose(metric.measure(pair(real, made)), by_hand, atol=1e-5)
    assert scored(metric, pair(real, real)) == 0 == metric.reference([])


@needs_extra
def test_frames_and_changes_are_averaged_over_places_and_no_change_between_chunks_is_lost() -> None:
    real, made = video(20), video(20, seed=1)
    looked = pair(real, made).once(eye(weights_path("a test", "none"), "cpu"))
    for side, pictures in enumerate((real, made)):
        seen = levels(pictures)
        frames = np.concatenate([x.mean((2, 3)) for x in seen], axis=1)
        changes = np.concatenate([np.abs(np.diff(x, axis=0)).mean((2, 3)) for x in seen], axis=1)
        assert np.allclose(looked.frames[side].numpy(), frames, atol=1e-5)
        assert np.allclose(looked.changes[side].numpy(), changes, atol=1e-5)


@needs_extra
def test_the_distances_are_frechets_of_projected_frames_and_changes() -> None:
    windows = [pair(video(20, seed=n), video(20, seed=9 + n)) for n in range(4)]
    for kind, rows in ((VideoFIDLite0, "frames"), (VideoFVDLite0, "changes")):
        metric = prepared(kind, width=4)
        sides = [getattr(window.once(metric.eye), rows).double().numpy() for window in windows]
        real, made = (np.concatenate([side[n] for side in sides]) @ metric._directions for n in (0, 1))
        measured = [metric.measure(window) for window in windows]
        assert metric.score(measured) == pytest.approx(frechet(real, made))
        assert metric.reference(measured) > 0
        assert math.isnan(metric.reference(measured[:3]))
        again, other = prepared(kind, width=4), prepared(kind, width=4, seed=1)
        assert scored(again, *windows) == metric.score(measured) != scored(other, *windows)
    with pytest.raises(InputError, match=r"metric\.reconstruction_fid_lite0\.width = 0: expected 1 to 512"):
        ReconstructionFIDLite0(width=0)


@needs_extra
def test_identity_looks_at_the_face_and_nothing_else() -> None:
    real = video(6).lerp(video(6, seed=3)[:1], 0.9)
    metric, box = prepared(VideoIdentityLite0), (4, 20, 5, 21)

    def identity(made: Tensor) -> float:
        return scored(
            metric, VideoPair(real, made, torch.zeros(6, 1, 24, 24).bool(), SourcePicture(real[:1], box))
        )

    elsewhere, other = real.clone(), real.clone()
    elsewhere[..., 20:, :] = 0
    other[..., 4:20, 5:21] = video(6, seed=4)[..., 4:20, 5:21]
    assert identity(real[:1].expand_as(real)) == pytest.approx(1, abs=1e-6)
    assert identity(elsewhere) == identity(real) > identity(other)
    shown = pair(real, other)
    assert metric.reference([metric.measure(shown)]) == pytest.approx(identity(real))
    assert not len(metric.measure(VideoPair(real, other, shown.hands, SourcePicture(real[:1], None))))


def test_a_face_lies_in_a_box_around_its_valid_points() -> None:
    pose, valid = torch.zeros(len(KEPT), 2), torch.zeros(len(KEPT), dtype=torch.bool)
    assert face_box(pose, valid, (64, 64)) is None
    pose[:2] = torch.tensor([[-0.25, -0.5], [0.25, 0.0]])
    pose[-1] = torch.tensor([0.9, 0.9])
    valid[[0, 1, -1]] = True
    top, bottom, left, right = face_box(pose, valid, (64, 64)) or pytest.fail("there is a face")
    # 16 px high from row 16 on: 6.4 px for the forehead, 1.6 px on the other sides.
    assert (top, bottom, left, right) == (9, 34, 22, 42)
    pose[0] = torch.tensor([-3.0, -3.0])
    assert (face_box(pose, valid, (64, 64)) or (1,))[::2] == (0, 0)


def test_without_the_extra_every_one_of_them_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite0, "PACKAGE", "weights_nobody_has")
    ours = [v for v in variants() if v.axis == "metric" and issubclass(v.cls, Lite0Metric)]
    assert len(ours) == 7
    for variant in ours:
        with pytest.raises(InputError, match=rf"metric/{variant.name}: .*rgx-experiments\[perceptual\]"):
            variant.cls().fingerprint()


# Planted degradations


@pytest.fixture(scope="module")
def degradations() -> ModuleType:
    return load("degradations")


@needs_extra
def test_each_planted_degradation_grows_in_the_measure_it_belongs_to(degradations: ModuleType) -> None:
    windows = degradations.puppet_windows(32, speakers=2, clips=1, per_clip=1, frames=20)
    assert len(windows) == 2
    scores = degradations.measured(windows, degradations.BELONGS)
    assert set(degradations.BELONGS) == set(degradations.DEGRADATIONS) and len(degradations.BELONGS) == 8
    for name, metrics in degradations.BELONGS.items():
        for metric in metrics:
            assert degradations.grows_worse(scores, name, metric), (name, metric)
