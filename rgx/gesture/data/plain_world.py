"""The plain world: eight words, a gesture each, a stroke on every stress; speech fixes nearly all motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy

from rgx.gesture.data.puppet_body import Gestures, Puppet
from rgx.gesture.data.puppet_speech import PuppetSpeech, SpokenLine, Voice, pronounce
from rgx.gesture.data.puppet_world import World
from rgx.registry import register

WORDS: tuple[tuple[tuple[str, str, bool], ...], ...] = (
    (("k", "a", True), ("t", "o", False)),
    (("s", "e", False), ("sh", "i", True)),
    (("p", "o", False), ("t", "u", True), ("k", "u", False)),
    (("f", "e", True), ("s", "a", False)),
    (("h", "ae", False), ("k", "er", True)),
    (("sh", "u", False), ("p", "a", True), ("f", "i", False)),
    (("t", "i", True), ("h", "o", False)),
    (("k", "er", False), ("s", "ae", True), ("p", "e", False)),
)
"""Syllables of each word: consonant, vowel, whether it is stressed; one stress a word."""

STRESS_GAP_FRAMES = 10
"""Two stresses never come closer, so that a hand has time to prepare its next stroke."""
STROKE_FRAMES = 4
HOLD_FRAMES = 2

Pose = tuple[float, float, float, float, float, float]
"""As `Gestures.poses` has it."""

REST: Pose = (0.40, 1.18, -0.40, 1.18, 0.7, 0.7)
READY: Pose = (0.42, 0.86, -0.42, 0.86, 0.45, 0.45)
WORD_POSES: dict[int, Pose] = {
    1: (0.14, 0.58, -0.14, 0.58, 0.15, 0.15),
    2: (0.42, 0.95, -0.95, -0.22, 0.6, 0.0),
    4: (1.15, 0.28, -0.42, 0.95, 0.0, 0.6),
    5: (1.18, 0.55, -1.18, 0.55, 0.05, 0.05),
    6: (0.42, 0.95, 0.02, 0.38, 0.6, 0.3),
    7: (0.72, 0.15, -0.72, 0.15, 0.9, 0.9),
}
"""Where the hands land on a word's stress; words 0 and 3 have a plain beat of the preferred hand."""


@register("world", "plain", label="Plain world", source="ours")
class PlainWorld(World):
    """Eight words with a gesture each, a stroke on every stress: speech fixes nearly all that hands do."""

    def write(self, who: Voice, frames: int, rng: np.random.Generator) -> SpokenLine:
        """Return a random line in which strokes have time to land."""
        line = SpokenLine()
        now = int(rng.integers(9, 18))
        last_stress = -STRESS_GAP_FRAMES
        until_pause = int(rng.integers(2, 6))
        word = -1
        while True:
            word = int((word + rng.integers(1, len(WORDS))) % len(WORDS))
            spoken = pronounce(who, WORDS[word], now, rng)
            stress = next(s.onset for s in spoken if s.stressed)
            # Strokes need time to land: stresses that come too soon are spoken later.
            late = max(0, last_stress + STRESS_GAP_FRAMES - stress)
            spoken = [replace(s, onset=s.onset + late) for s in spoken]
            end = spoken[-1].onset + spoken[-1].frames
            if end > frames - 5:
                return line
            line.syllables += spoken
            line.word_frames.append(now + late)
            line.word_ids.append(word)
            last_stress = stress + late
            until_pause -= 1
            now = end + int(rng.integers(0, 4))
            if until_pause == 0:
                now += int(rng.integers(7, 20))
                until_pause = int(rng.integers(2, 6))

    def spell(self, word: int) -> str:
        """Return the syllables of a word."""
        return "-".join((c + v).upper() if stressed else c + v for c, v, stressed in WORDS[word])

    def gesture(self, who: Puppet, speech: PuppetSpeech, rng: np.random.Generator) -> Gestures:
        """Return what the hands do: each stroke passes a moving apex and rests on its stress frame."""
        frames = len(speech.amplitude)
        at: list[int] = [0]
        places: list[np.ndarray] = [np.array(REST)]
        slopes: list[np.ndarray] = [np.zeros(6)]
        stresses = speech.stress_frames
        for n, (stress, word) in enumerate(zip(stresses, speech.word_ids, strict=True)):
            target = _landing(who, int(word), rng)
            lift = 0.42 * who.energy * rng.uniform(0.85, 1.15)
            plain = np.where(np.arange(2) == who.preferred, 1.2, 0.35)
            shares = np.ones(2) if word in WORD_POSES else plain
            apex = target + 0.3 * (places[-1] - target)
            apex[[1, 3]] -= lift * shares
            drift = np.zeros(6)
            drift[[0, 2]] = np.array([0.09, -0.09]) * who.energy * shares
            at += [int(stress) - STROKE_FRAMES, int(stress), int(stress) + HOLD_FRAMES]
            places += [apex, target, target]
            slopes += [drift, np.zeros(6), np.zeros(6)]
            following = stresses[n + 1] if n + 1 < len(stresses) else frames + 12
            if following - stress > 26:
                at += [int(stress) + 13, int(following) - 10]
                places += [np.array(REST)] * 2
                slopes += [np.zeros(6)] * 2
        if at[-1] < frames:
            at.append(frames + 1)
            places.append(places[-1])
            slopes.append(np.zeros(6))
        path = scipy.interpolate.CubicHermiteSpline(at, np.stack(places), np.stack(slopes))
        return Gestures(path(np.arange(frames)), {"stroke_frames": stresses})


def _landing(who: Puppet, word: int, rng: np.random.Generator) -> np.ndarray:
    """Return the pose (6,) a stroke ends in, larger for a lively puppet and never twice the same."""
    target = np.array(WORD_POSES.get(word, READY))
    target[:4] += (np.array(REST)[:4] - target[:4]) * (1 - who.energy) * 0.35
    if word not in WORD_POSES:
        target[2 * who.preferred] *= 1.25
        target[2 * who.preferred + 1] -= 0.12
        target[4 + who.preferred] = 0.1
    target[:4] += rng.normal(0, 0.035, 4)
    return target
