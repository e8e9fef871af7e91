"""What the hands of the lively world are moved by, as additions to their poses, in shoulder widths."""

from __future__ import annotations

import numpy as np
import scipy

from rgx.gesture.data.puppet_body import Puppet
from rgx.gesture.data.puppet_speech import PuppetSpeech
from rgx.gesture.types import FPS

DIRECTIONS = 8
GESTURES = 3 * DIRECTIONS
"""Eight directions, by one hand, by both as in a mirror, by both the same way: none is met by another."""
CURLS = (-0.5, 0.5, -0.2, 0.3, 0.5, -0.5, 0.3, -0.2)
"""How each direction's hand opens or closes, so that its shape tells of a word, too."""
SIZES = 0.4
"""Deviation of the logarithm of a stroke's size: most are small and some large, whatever is said."""
PREPARATION_FRAMES, STROKE_FRAMES, HOLD_FRAMES, RETREAT_FRAMES = 9, 4, 3, 9
LEAST_GAP_FRAMES = 6
"""Two strokes never come closer: of two that would, the second is left out."""

POSTURES = np.array(
    [
        (0.12, 1.02, -0.12, 1.02, 0.6, 0.6),  # clasped
        (0.58, 1.12, -0.58, 1.12, 0.5, 0.5),  # hanging apart
        (0.36, 0.80, -0.36, 0.80, 0.4, 0.4),  # ready
        (0.36, 0.58, -0.48, 1.10, 0.4, 0.6),  # left hand up
        (0.48, 1.10, -0.36, 0.58, 0.6, 0.4),  # right hand up
        (0.80, 0.92, -0.80, 0.92, 0.3, 0.3),  # wide
    ]
)
PHRASE_PLACES = np.array([(1.0, -0.5), (0.4, 1.0), (-1.0, -0.6), (-0.4, 0.1)])
"""Where a phrase of each kind is laid, in units of its size; they add up to nothing."""
TOUCHES = np.array([(0.10, -0.08), (0.40, -0.36), (0.06, 0.34), (-0.42, 0.78)])
"""Chin, ear, chest and the other arm, of a left hand."""


def wander(frames: int, width: int, size: float, rng: np.random.Generator) -> np.ndarray:
    """Return slow drift (T, width) with a standard deviation of `size`."""
    reach = 2 * FPS
    noise = rng.normal(size=(frames + 6 * reach, width))
    smooth = scipy.ndimage.gaussian_filter1d(noise, reach, axis=0)[3 * reach : 3 * reach + frames]
    return size * smooth * np.sqrt(2 * np.sqrt(np.pi) * reach)


def posture(who: Puppet, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Return how a puppet stands in one clip (6,): one of a few postures, and never twice the same."""
    habit = np.random.default_rng([who.speaker, 17]).normal(0, 0.06, 4)
    mean = POSTURES.mean(0)
    drawn = POSTURES[rng.integers(len(POSTURES))]
    pose = mean + spread * (drawn - mean)
    pose[:4] += habit + spread * rng.normal(0, 0.07, 4)
    return pose


def phrase_places(who: Puppet, speech: PuppetSpeech, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Return where phrases are laid (T, 4), kept over pauses until the next, and the side of each (P,).

    A phrase whose kind is less than the last one's lies on the other side: its place needs their order.
    """
    kinds = speech.phrase_ids
    sides = np.where(np.diff(kinds, prepend=-1) > 0, 1, -1)
    place = PHRASE_PLACES[kinds] * np.stack([sides, np.ones_like(sides)], -1) * size * who.energy
    steps = np.diff(np.concatenate([np.zeros((1, 2)), place]), axis=0)
    times = np.arange(len(speech.amplitude))[:, None]
    path = (_ease((times - speech.phrase_frames + 4) / 14)[..., None] * steps).sum(1)
    return np.concatenate([path, path], axis=1), sides


def stroke_offsets(
    who: Puppet, frames: int, strokes: np.ndarray, gestures: np.ndarray, size: float, rng: np.random.Generator
) -> np.ndarray:
    """Return strokes (T, 6): past an apex to a landing that is held, and back unless another follows."""
    at, places = [-PREPARATION_FRAMES - STROKE_FRAMES - 60], [np.zeros(6)]
    for n, (stroke, gesture) in enumerate(zip(strokes, gestures, strict=True)):
        landing = _landing(who, int(gesture)) * np.array([size] * 4 + [1.0] * 2)
        landing[:4] *= who.energy * np.exp(rng.normal(0, SIZES))
        landing[:4] += np.abs(landing[:4]).max() * rng.normal(0, 0.12, 4)
        ready = stroke - STROKE_FRAMES - PREPARATION_FRAMES
        if ready > at[-1] + RETREAT_FRAMES:
            at += [at[-1] + RETREAT_FRAMES, ready]
            places += [np.zeros(6)] * 2
        # The way there curves: its apex lies a quarter turn from the landing.
        turned = landing[[1, 0, 3, 2, 4, 5]] * np.array([-0.7, 0.7, -0.7, 0.7, 0.5, 0.5])
        if stroke - STROKE_FRAMES > at[-1]:
            at.append(stroke - STROKE_FRAMES)
            places.append(turned)
        following = strokes[n + 1] if n + 1 < len(strokes) else frames + 60
        at += [stroke, min(stroke + HOLD_FRAMES, following - STROKE_FRAMES - 1)]
        places += [landing, landing]
    at += [at[-1] + RETREAT_FRAMES, at[-1] + RETREAT_FRAMES + frames]
    places += [np.zeros(6)] * 2
    path = scipy.interpolate.CubicHermiteSpline(at, np.stack(places), np.zeros((len(at), 6)))
    return path(np.arange(frames))


def _landing(who: Puppet, gesture: int) -> np.ndarray:
    """Return where a gesture ends (6,), as a direction of each hand and a change of its fingers' curl."""
    use, direction = divmod(gesture, DIRECTIONS)
    # Half a step off upright, where both ways of using both hands would be one.
    angle = 2 * np.pi * (direction + 0.5) / DIRECTIONS
    way, curl = np.array([np.cos(angle), np.sin(angle)]), CURLS[direction]
    single = np.zeros(6)
    single[2 * who.preferred : 2 * who.preferred + 2] = 1.3 * way
    single[4 + who.preferred] = curl
    mirrored = np.array([way[0], way[1], -way[0], way[1], curl, curl])
    together = np.array([way[0], way[1], way[0], way[1], curl, curl])
    return (single, mirrored, together)[use]


def idle_motion(frames: int, rate_hz: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return motions of one hand that nothing said has caused (T, 6), and the frame each begins at."""
    motion = np.zeros((frames, 6))
    starts = _moments(frames, rate_hz, rng)
    for start in starts:
        hand, offset = rng.integers(2), rng.normal(0, 0.22, 2)
        weight = _bump(frames, start, int(rng.integers(4, 12)), int(rng.integers(4, 50)))
        motion[:, 2 * hand : 2 * hand + 2] += weight[:, None] * offset
        motion[:, 4 + hand] += weight * rng.normal(0, 0.2)
    return motion, starts


def touched(
    poses: np.ndarray, rate_per_min: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return poses (T, 6) in which a hand now and then goes to chin, ear, chest or arm, and when."""
    frames = len(poses)
    starts = _moments(frames, rate_per_min / 60, rng)
    poses = poses.copy()
    for start in starts:
        hand, place = rng.integers(2), TOUCHES[rng.integers(len(TOUCHES))] + rng.normal(0, 0.02, 2)
        weight = _bump(frames, start, int(rng.integers(10, 18)), int(rng.integers(12, 50)))[:, None]
        wrist = poses[:, 2 * hand : 2 * hand + 2]
        wrist += weight * (place * np.array([1 - 2 * hand, 1]) - wrist)
    return poses, starts


def _moments(frames: int, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.integers(frames, size=rng.poisson(rate_hz * frames / FPS)))


def _bump(frames: int, start: float, rise: float, stay: float) -> np.ndarray:
    """Return a weight (T,) that rises from a frame on, stays at 1 and falls as it rose."""
    times = np.arange(frames)
    return _ease((times - start) / rise) - _ease((times - start - rise - stay) / rise)


def _ease(share: np.ndarray) -> np.ndarray:
    """Return a smooth step from 0 at 0 to 1 at 1."""
    share = np.clip(share, 0, 1)
    return share**2 * (3 - 2 * share)
