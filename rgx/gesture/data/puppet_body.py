"""Bodies of the puppets: proportions, gestures driven by speech, and whole-body keypoints."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy

from rgx.gesture.data.puppet_speech import PuppetSpeech
from rgx.gesture.skeleton import FACE, FINGERS, LEFT_HAND, POINTS, RIGHT_HAND
from rgx.gesture.types import FPS

FRAME_PX = 256
JITTER_PX = 0.04


@dataclass(frozen=True)
class Puppet:
    """Proportions and manner of one puppet; lengths other than `shoulder_px` in shoulder widths."""

    speaker: int
    shoulder_px: float
    neck: float
    head: float
    torso: float
    upper_arm: float
    forearm: float
    hand: float
    energy: float
    preferred: int
    sway_px: float
    sway_hz: float
    nod_px: float


@dataclass(frozen=True)
class Gestures:
    """What hands and trunk do in one clip, and what is known of it.

    poses (T, 6): left wrist x, y, right wrist x, y in shoulder widths from mid-shoulder, left and right
    finger curl; shift (T, 2) of the trunk in shoulder widths; turn (T,) of the head in half head widths.
    """

    poses: np.ndarray
    planted: dict[str, np.ndarray]
    shift: np.ndarray = field(default_factory=lambda: np.zeros((1, 2)))
    turn: np.ndarray = field(default_factory=lambda: np.zeros(1))


def puppet(speaker: int) -> Puppet:
    """Return the body of a speaker's number; `preferred` is 0 for the left hand, 1 for the right."""
    rng = np.random.default_rng([speaker, 7])
    step = speaker % 4
    return Puppet(
        speaker=speaker,
        shoulder_px=(58.0, 64.0, 53.0, 60.0)[step] + rng.uniform(-1, 1),
        neck=0.72 + rng.uniform(-0.03, 0.04),
        head=(0.34, 0.31, 0.38, 0.35)[step],
        torso=1.45 + rng.uniform(-0.1, 0.1),
        upper_arm=(0.80, 0.74, 0.84, 0.78)[step],
        forearm=(0.70, 0.72, 0.76, 0.68)[step],
        hand=0.30 + rng.uniform(-0.02, 0.03),
        energy=(1.0, 0.75, 1.25, 0.9)[step] * rng.uniform(0.97, 1.03),
        preferred=(1, 0, 1, 0)[step],
        sway_px=1.5 + rng.uniform(0, 1.2),
        sway_hz=0.18 + rng.uniform(0, 0.1),
        nod_px=2.0 + rng.uniform(0, 1.5),
    )


def move(
    who: Puppet, speech: PuppetSpeech, gestures: Gestures, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the true points of a puppet that speaks and gestures, and what a tracker makes of them.

    true and tracked (T, 133, 2) in px, valid (T, 133); they agree wherever valid. Source: ours.
    """
    frames = len(speech.amplitude)
    points = np.zeros((frames, POINTS, 2))
    poses = gestures.poses
    chest = (
        np.array([FRAME_PX / 2, 0.44 * FRAME_PX]) + gestures.shift * who.shoulder_px + sway(who, frames, rng)
    )
    half = np.array([who.shoulder_px / 2, 0])
    lean = scipy.ndimage.gaussian_filter1d(poses[:, [0, 2]].sum(1), 4)[:, None] * np.array([1.5, 0.0])
    hips = chest + np.array([0, who.torso * who.shoulder_px]) - 0.6 * (chest - chest.mean(0))
    chest = chest + lean
    points[:, 5], points[:, 6] = chest + half, chest - half
    points[:, 11], points[:, 12] = hips + 0.7 * half, hips - 0.7 * half
    for leg, side in ((13, 0.8), (14, -0.8)):
        points[:, leg] = hips + side * half + [0, 20]
    points[:, 15:23] = points[:, [13, 14, 13, 13, 13, 14, 14, 14]] + [0, 15]
    for side, hand in enumerate((LEFT_HAND, RIGHT_HAND)):
        wrist = chest + poses[:, 2 * side : 2 * side + 2] * who.shoulder_px
        elbow, wrist = _arm(who, points[:, 5 + side], wrist, 1 - 2 * side)
        points[:, 7 + side], points[:, 9 + side] = elbow, wrist
        points[:, hand] = fingers(who, elbow, wrist, poses[:, 4 + side], 1 - 2 * side)
    _set_head(who, points, chest, gestures.turn, speech, rng)
    points += rng.normal(0, JITTER_PX, points.shape)
    tracked, valid = points.copy(), np.ones((frames, POINTS), dtype=bool)
    valid[:, 13:23] = False
    for hand in (LEFT_HAND, RIGHT_HAND):
        _drop(tracked, valid, hand, rng)
    return _inside(points), _inside(tracked), valid


def _inside(points: np.ndarray) -> np.ndarray:
    return np.clip(points, 0, FRAME_PX - 1).astype(np.float32)


def sway(who: Puppet, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Return smooth idle motion (T, 2) in px, a sum of three slow waves."""
    times = np.arange(frames)[:, None, None] / FPS
    rates = who.sway_hz * np.array([1.0, 1.7, 2.9])[:, None] * rng.uniform(0.85, 1.15, (3, 2))
    sizes = who.sway_px * np.array([1.0, 0.5, 0.25])[:, None] * np.array([1.0, 0.35])
    return (sizes * np.sin(2 * np.pi * (rates * times + rng.uniform(size=(3, 2))))).sum(1)


def _arm(who: Puppet, shoulder: np.ndarray, wrist: np.ndarray, out: int) -> tuple[np.ndarray, np.ndarray]:
    """Return elbow and wrist (T, 2); `out` is the sign of x that leads away from the body."""
    upper, fore = who.upper_arm * who.shoulder_px, who.forearm * who.shoulder_px
    reach = wrist - shoulder
    length = np.linalg.norm(reach, axis=-1, keepdims=True)
    bent = np.clip(length, abs(upper - fore) + 8, upper + fore - 1)
    along = reach / np.maximum(length, 1e-6)
    near = (upper**2 - fore**2 + bent**2) / (2 * bent)
    height = np.sqrt(np.maximum(upper**2 - near**2, 0))
    across = np.stack([along[:, 1], -along[:, 0]], -1) * out
    # An elbow hangs: it turns through the depth of the picture as the hand goes outward or up.
    swivel = np.tanh(3 * (along[:, 1:] - 1.4 * out * along[:, :1]))
    return shoulder + near * along + height * swivel * across, shoulder + bent * along


def fingers(who: Puppet, elbow: np.ndarray, wrist: np.ndarray, curl: np.ndarray, out: int) -> np.ndarray:
    """Return one hand (T, 21, 2) from its arm (T, 2) and the curl of its fingers (T,), 0 open to 1 closed."""
    curl = np.clip(curl, 0, 1)[:, None]
    bone = wrist - elbow
    heading = np.unwrap(np.arctan2(bone[:, 1], bone[:, 0]))[:, None]
    hand = np.repeat(wrist[:, None], 21, axis=1)
    length = who.hand * who.shoulder_px
    joints = np.arange(4)
    for f, chain in enumerate(FINGERS):
        reach = (0.62, 0.95, 1.0, 0.95, 0.8)[f] * length
        bones = reach * np.array([0.5, 0.22, 0.16, 0.12]) * (1 - curl * (joints > 0) * 0.45)
        splay = (-0.95, -0.32, 0.0, 0.28, 0.55)[f] * (1 - 0.45 * curl) * out
        angle = heading + splay + curl * joints * 0.6 * out
        steps = bones[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        hand[:, chain[1:]] += np.cumsum(steps, axis=1)
    return hand


def _set_head(
    who: Puppet,
    points: np.ndarray,
    chest: np.ndarray,
    turned: np.ndarray,
    speech: PuppetSpeech,
    rng: np.random.Generator,
) -> None:
    """Place the 68 face points and the five head points: nods on stress, jaw and lips by amplitude."""
    frames = len(chest)
    time = np.arange(frames)[:, None]
    near = np.exp(-0.5 * ((time - speech.stress_frames) / 2.2) ** 2)
    nod = who.nod_px * (near * rng.uniform(0.6, 1.2, len(speech.stress_frames))).sum(1)
    shakes = speech.stress_frames[speech.word_ids == 6]
    away = (np.sin((time - shakes) * 0.9) * np.exp(-0.5 * ((time - shakes) / 4) ** 2)).sum(1)
    turn = 0.12 * sway(who, frames, rng)[:, 0] / who.sway_px + 0.22 * away + turned
    size = who.head * who.shoulder_px
    centre = chest - np.array([0, who.neck * who.shoulder_px]) + 0.5 * sway(who, frames, rng)
    centre[:, 1] += nod
    blink = np.bincount(rng.integers(3, frames - 3, max(1, frames // 75)), minlength=frames).astype(float)
    shut = np.clip(scipy.ndimage.gaussian_filter1d(blink, 1.0) * 2.4, 0, 0.9)
    open_ = 0.42 * scipy.ndimage.gaussian_filter1d(speech.amplitude.astype(float), 0.5)
    face = face_shape(open_, scipy.ndimage.gaussian_filter1d(speech.roundness, 1.0), 0.08 * near.sum(1), shut)
    depth = np.ones(68)
    depth[:17] = 0.0
    depth[27:36] = 1.6
    face[..., 0] += turn[:, None] * depth
    face[..., 1] += 0.05 * nod[:, None] * depth / who.nod_px
    points[:, FACE] = centre[:, None] + size * face
    points[:, 0] = points[:, FACE[30]]
    for side, eye in ((1, slice(42, 48)), (-1, slice(36, 42))):
        points[:, (3 - side) // 2] = points[:, FACE[eye]].mean(1)
        points[:, (7 - side) // 2] = centre + size * np.array([1.04 * side, -0.1])


def face_shape(open_: np.ndarray, roundness: np.ndarray, lift: np.ndarray, shut: np.ndarray) -> np.ndarray:
    """Return face points (T, 68, 2) in half head widths around the head's centre, from four (T,) controls."""
    shape = np.zeros((len(open_), 68, 2))
    arc = np.linspace(np.pi, 0, 17)
    shape[:, :17] = np.stack([np.cos(arc), 1.15 * np.sin(arc)], -1)
    shape[:, :17, 1] += 0.5 * open_[:, None] * np.sin(arc) ** 2
    for start, side in ((17, -1), (22, 1)):
        x = side * 0.42 + np.linspace(-0.26, 0.26, 5)
        shape[:, start : start + 5, 0] = x
        shape[:, start : start + 5, 1] = -0.52 + 1.2 * (x - side * 0.42) ** 2 - lift[:, None]
    shape[:, 27:31, 1] = np.linspace(-0.25, 0.2, 4)
    nostrils = np.linspace(-0.16, 0.16, 5)
    shape[:, 31:36] = np.stack([nostrils, 0.27 - 0.6 * nostrils**2], -1)
    turn = np.pi + np.arange(6) * np.pi / 3
    for start, side in ((36, -1), (42, 1)):
        shape[:, start : start + 6, 0] = side * 0.42 + 0.17 * np.cos(turn)
        shape[:, start : start + 6, 1] = -0.22 + 0.09 * np.sin(turn) * (1 - shut[:, None])
    width = 0.36 * (1 - 0.25 * roundness)
    for start, count, inner in ((48, 12, 0), (60, 8, 1)):
        turn = np.pi + np.arange(count) * 2 * np.pi / count
        lip = 0.07 * (1 - inner) + np.where(np.sin(turn) > 0.01, 1, 0.2) * open_[:, None]
        shape[:, start : start + count, 0] = (width * (1 - 0.2 * inner))[:, None] * np.cos(turn)
        shape[:, start : start + count, 1] = 0.58 + np.sin(turn) * lip
    return shape


def _drop(points: np.ndarray, valid: np.ndarray, hand: tuple[int, ...], rng: np.random.Generator) -> None:
    """Lose a hand for a few frames about three times in twelve seconds, leaving wild guesses in its place."""
    frames = len(points)
    for start in rng.integers(1, max(2, frames - 9), max(1, frames // 100)):
        lost = slice(int(start), min(frames - 1, int(start + rng.integers(2, 9))))
        valid[lost, hand[0] : hand[-1] + 1] = False
        wild = rng.normal(0, 4, (1, 1, 2)) + rng.normal(0, 0.8, (frames, len(hand), 2))
        points[lost, hand[0] : hand[-1] + 1] += wild[lost]
