"""The lively world: speech says when and which gesture, while most of where a hand is has other reasons."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

import numpy as np

from rgx.errors import InputError
from rgx.gesture.data.lively_gestures import (
    GESTURES,
    LEAST_GAP_FRAMES,
    idle_motion,
    phrase_places,
    posture,
    stroke_offsets,
    touched,
    wander,
)
from rgx.gesture.data.lively_lexicon import FIRST_FRAME, MARKERS, SPELT, Lexicon
from rgx.gesture.data.puppet_body import Gestures, Puppet
from rgx.gesture.data.puppet_speech import PuppetSpeech, SpokenLine, Voice
from rgx.gesture.data.puppet_world import World
from rgx.registry import register

FAVOURITES = 4
REACH = np.array([1.45, 1.6])
"""Hands stay within this of mid-shoulder, to the side and down, in shoulder widths."""


@register("world", "lively", label="Lively world", source="ours")
class LivelyWorld(World):
    """Speech says when and which: words have gestures, phrases a place that depends on the phrase before.

    The rest is not of the speech: a posture a clip, drift, idle motions, self-touch, jitter, strokes left
    out. Planted besides: 'phrase_frames', 'phrase_ids', 'phrase_sides', 'gesture_ids' and 'stroke_words' of
    the strokes, 'posture' (6,), 'idle_frames', 'touch_frames'. Raises InputError for a dial out of range.
    """

    def __init__(
        self,
        words: int = 48,
        homophones: int = 8,
        stroke_size: float = 0.32,
        phrase_size: float = 0.12,
        silent_share: float = 0.2,
        jitter_frames: float = 1.5,
        habit: float = 0.3,
        posture: float = 1.1,
        drift: float = 0.06,
        idle_hz: float = 0.6,
        touches_per_min: float = 3.0,
    ) -> None:
        if not 0 <= homophones <= words - homophones <= len(SPELT) or words - homophones < 2:
            raise InputError(
                f"world.lively.words = {words}, homophones = {homophones}: expected 2 to {len(SPELT)} words "
                "that sound unlike, and no more homophones than those"
            )
        shares = {"silent_share": silent_share, "habit": habit}
        sizes = {"stroke_size": stroke_size, "phrase_size": phrase_size, "jitter_frames": jitter_frames}
        sizes |= {"posture": posture, "drift": drift, "idle_hz": idle_hz, "touches_per_min": touches_per_min}
        for name, value in (shares | sizes).items():
            if value < 0 or (name in shares and value > 1):
                expected = "0 to 1" if name in shares else "0 or more"
                raise InputError(f"world.lively.{name} = {value}: expected {expected}")
        self.words, self.homophones = words, homophones
        self.stroke_size, self.phrase_size = stroke_size, phrase_size
        self.silent_share, self.jitter_frames, self.habit = silent_share, jitter_frames, habit
        self.posture, self.drift = posture, drift
        self.idle_hz, self.touches_per_min = idle_hz, touches_per_min

    def write(self, who: Voice, frames: int, rng: np.random.Generator) -> SpokenLine:
        """Return a random line of phrases."""
        return Lexicon(self.words, self.homophones).write(who, frames, rng)

    def spell(self, word: int) -> str:
        """Return how a word sounds; two homophones sound alike."""
        return Lexicon(self.words, self.homophones).spell(word)

    def said(self, planted: Mapping[str, np.ndarray]) -> list[tuple[str, int]]:
        """Return also the marker that each phrase begins with, where it is of the clip."""
        pairs = zip(planted["phrase_ids"].tolist(), planted["phrase_frames"].tolist(), strict=True)
        markers = [(MARKERS[kind], frame) for kind, frame in pairs if frame >= FIRST_FRAME]
        return sorted(markers + super().said(planted), key=itemgetter(1))

    def vocabulary(self, speaker: int) -> np.ndarray:
        """Return the gesture of each word (words,): all speakers' but where one has a favourite instead."""
        shared = np.arange(self.words) * 7 % GESTURES
        rng = np.random.default_rng([speaker, 13])
        favourites = rng.choice(GESTURES, FAVOURITES, replace=False)
        own = rng.permutation(self.words) < round(self.habit * self.words)
        return np.where(own, favourites[rng.integers(FAVOURITES, size=self.words)], shared)

    def gesture(self, who: Puppet, speech: PuppetSpeech, rng: np.random.Generator) -> Gestures:
        """Return what the hands do: posture, drift, a place a phrase, a stroke a word, idling, touching."""
        frames = len(speech.amplitude)
        rest = posture(who, self.posture, rng)
        poses = rest + wander(frames, 6, self.drift, rng)
        places, sides = phrase_places(who, speech, self.phrase_size)
        poses[:, :4] += places
        strokes, words = self._strokes(speech, rng)
        gestures = self.vocabulary(who.speaker)[speech.word_ids[words]]
        poses += stroke_offsets(who, frames, strokes, gestures, self.stroke_size, rng)
        motion, idle_frames = idle_motion(frames, self.idle_hz, rng)
        poses, touch_frames = touched(poses + motion, self.touches_per_min, rng)
        poses[:, [0, 2]] = np.clip(poses[:, [0, 2]], -REACH[0], REACH[0])
        poses[:, [1, 3]] = np.minimum(poses[:, [1, 3]], REACH[1])
        return Gestures(
            poses,
            {
                "stroke_frames": strokes,
                "stroke_words": speech.word_ids[words],
                "gesture_ids": gestures,
                "phrase_sides": sides,
                "posture": rest,
                "idle_frames": idle_frames,
                "touch_frames": touch_frames,
            },
            shift=wander(frames, 2, 0.5 * self.drift, rng) + self.posture * rng.normal(0, 0.05, 2),
            turn=wander(frames, 1, self.drift, rng)[:, 0] + self.posture * rng.normal(0, 0.08),
        )

    def _strokes(self, speech: PuppetSpeech, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the frame of each stroke (N,), about its stress, and the place of its word in the line."""
        late = rng.normal(0, self.jitter_frames, len(speech.stress_frames)).round().astype(np.int64)
        spoken = rng.random(len(late)) >= self.silent_share
        last, words = -LEAST_GAP_FRAMES, []
        for word, stroke in enumerate(speech.stress_frames + late):
            if spoken[word] and stroke >= last + LEAST_GAP_FRAMES:
                words.append(word)
                last = stroke
        return (speech.stress_frames + late)[words], np.array(words, dtype=np.int64)
