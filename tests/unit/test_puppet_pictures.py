"""Pictures of puppets: what is drawn lies where the points are, and nothing else follows them."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppet_body import Gestures, move, puppet
from rgx.gesture.data.puppet_clothes import torso_axes
from rgx.gesture.data.puppet_look import look
from rgx.gesture.data.puppet_render import render
from rgx.gesture.data.puppet_scene import scene
from rgx.gesture.data.puppet_speech import speak, voice
from rgx.gesture.skeleton import LEFT_HAND, RIGHT_HAND

OPEN, HANGING, RAISED = (
    (1.1, 0.1, -1.1, 0.1, 0, 0),
    (0.6, 1.25, -0.6, 1.25, 0, 0),
    (1.1, -0.6, -1.1, -0.6, 0, 0),
)
SPEAKERS = range(4)


@cache
def posed(speaker: int, *poses: tuple[float, ...]) -> np.ndarray:
    """Return points (N, 133, 2) of a speaker's body, each pose held for a second and seen at its end."""
    rng, who = np.random.default_rng(0), puppet(speaker)
    frames = 15 * len(poses)
    speech = speak(voice(speaker), PlainWorld().write(voice(speaker), frames, rng), frames, rng)
    return move(who, speech, Gestures(np.repeat(np.array(poses), 15, axis=0), {}), rng)[0][14::15]


def at(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the colours (N, 3) of a square frame at points (N, 2) in px of a 256 px frame."""
    x, y = np.clip(np.floor(points * len(frame) / 256).astype(int), 0, len(frame) - 1).T
    return frame[y, x].astype(float)


def apart(colours: np.ndarray, other: tuple[int, ...]) -> np.ndarray:
    """Return how far colours (N, 3) lie from another one."""
    return np.linalg.norm(colours - np.array(other), axis=-1)


@pytest.mark.parametrize("speaker", SPEAKERS)
@pytest.mark.parametrize("size", [64, 128])
def test_the_palms_of_both_hands_are_skin(speaker: int, size: int) -> None:
    points, style = posed(speaker, OPEN)[0], look(speaker)
    frame = render(points[None], speaker, size)[0]
    palms = np.array([points[[hand[0], hand[5], hand[17]]].mean(0) for hand in (LEFT_HAND, RIGHT_HAND)])
    colours = at(frame, palms)
    assert apart(colours, style.palm).max() < 65
    for other in (style.cloth, style.accent, style.wall, style.hair, style.trousers):
        assert (apart(colours, style.palm) < apart(colours, other)).all()


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_spread_fingers_stand_apart_at_128_px(speaker: int) -> None:
    """Along a finger there is skin, and between the ends of two there is something else."""
    points, style = posed(speaker, OPEN)[0], look(speaker)
    frame = render(points[None], speaker, 128)[0]
    for hand in (LEFT_HAND, RIGHT_HAND):
        bones = np.array([points[[hand[4 * f + 2], hand[4 * f + 4]]] for f in range(5)])
        shares = np.linspace(0, 1, 9)[:, None]
        skin = [apart(at(frame, a + shares * (b - a)), style.palm).min() for a, b in bones]
        ends = bones.mean(1) + 0.25 * (bones[:, 1] - bones[:, 0])
        gaps = [apart(at(frame, a + shares * (b - a)), style.palm).max() for a, b in pairwise(ends)]
        assert max(skin) < 60
        for gap, fingers in zip(gaps, pairwise(skin), strict=True):
            assert gap > max(fingers) + 25


def torso_points(points: np.ndarray, speaker: int) -> np.ndarray:
    """Return places (N, 2) that stay on the torso of a body (133, 2), in px."""
    axes = torso_axes(points[None], puppet(speaker).torso)[0]
    u, v = np.meshgrid(np.linspace(-0.25, 0.25, 21), np.linspace(0.3, 1.2, 37))
    return (points[5] + points[6]) / 2 + np.stack([u.ravel(), v.ravel()], -1) @ axes


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_a_pattern_goes_with_the_torso(speaker: int) -> None:
    points = posed(speaker, OPEN)[0]
    turn = np.array([(np.cos(0.2), np.sin(0.2)), (-np.sin(0.2), np.cos(0.2))])
    moved = (points - points[5]) @ turn + points[5] + [5.3, -3.7]
    before, after = render(np.stack([points, moved]), speaker, 256)
    place = torso_points(points, speaker)
    followed = np.abs(at(before, place) - at(after, torso_points(moved, speaker))).mean()
    stayed = np.abs(at(before, place) - at(after, place)).mean()
    assert followed < 0.4 * stayed


def test_a_body_moved_by_whole_pixels_is_the_same_picture_moved() -> None:
    points = posed(2, OPEN)[0]
    first, second = render(np.stack([points, points + np.array((6, 4))]), 2, 128).astype(int)
    inside = np.zeros((128, 128), bool)
    x, y = (torso_points(points, 2) / 2).astype(int).T
    inside[y, x] = True
    assert np.array_equal(first[inside], second[np.roll(inside, (2, 3), (0, 1))])
    assert first[inside].std(0).min() > 10


def test_a_raised_arm_pulls_folds_over_the_chest() -> None:
    raised, hanging = posed(1, HANGING, RAISED)[[1, 0]]
    frames = render(np.stack([hanging, raised]), 1, 256)
    light = []
    for frame, points in zip(frames, (hanging, raised), strict=True):
        axes = torso_axes(points[None], puppet(1).torso)[0]
        fold = (points[5] + points[6]) / 2 + np.array([(0.36, 0.21), (0.34, 0.16), (0.33, 0.11)]) @ axes
        light.append(at(frame, fold).mean())
    assert light[1] < light[0] - 10


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_a_room_stands_still_beside_the_body(speaker: int) -> None:
    points = posed(speaker, OPEN, HANGING, RAISED)
    frames = render(points, speaker, 64)
    left, right = points[..., 0].min() / 4 - 3, points[..., 0].max() / 4 + 3
    beside = [x for x in range(64) if not left <= x <= right]
    room = np.asarray(scene(look(speaker), 256).reduce(4))
    assert len(beside) > 8 and room[:, beside].std((0, 1)).max() > 5
    for frame in frames:
        assert np.array_equal(frame[:, beside], room[:, beside])
    assert not np.array_equal(frames[0], frames[1])


def test_a_frame_follows_from_its_points_alone() -> None:
    points = posed(0, OPEN, HANGING, RAISED)
    frames = render(points, 0, 64)
    for speaker in range(1, 7):
        render(points[:1], speaker, 64)
    assert np.array_equal(render(points[1:2], 0, 64)[0], frames[1])
    assert render(points[:0], 0, 64).shape == (0, 64, 64, 3)


def test_no_two_speakers_look_alike() -> None:
    assert len({look(speaker) for speaker in range(26)}) == 26
    points = posed(0, OPEN)
    frames = [render(points, speaker, 32)[0].astype(int) for speaker in range(8)]
    gaps = [np.abs(a - b).mean() for n, a in enumerate(frames) for b in frames[:n]]
    assert min(gaps) > 8
