"""The corpus rgx makes itself: puppets whose speech drives their motion, with the coupling written down."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Iterator

import numpy as np

from rgx.errors import InputError
from rgx.gesture.data.base import Corpus
from rgx.gesture.data.puppet_body import FRAME_PX, move, puppet
from rgx.gesture.data.puppet_render import render
from rgx.gesture.data.puppet_speech import PuppetSpeech, speak, voice
from rgx.gesture.data.puppet_world import World
from rgx.gesture.types import FPS, WINDOW_FRAMES, Clip, CorpusFacts, Footage
from rgx.registry import Part, register

VERSION = 2
"""Raise it whenever the same parameters would make other clips or pictures."""

SPLITS = ("train", "test", "dev")
"""In the order of their random streams: a new one stands at the end, so that the others stay as they are."""
SPEECH, MOTION, OTHER_SPEECH = range(3)
"""The random streams of a clip; the last is the speech of a clip that is not in the corpus."""


@register("corpus", "puppets", label="Puppets", source="ours")
class Puppets(Corpus):
    """Procedural speakers: mouths follow amplitude; what is said and how hands go with it is their world's.

    Planted: 'stroke_frames', 'stress_frames', 'word_frames', 'word_ids' (N,) int64, 'amplitude' (T,) float32,
    and what the world adds.
    Raises InputError when a parameter is out of range. Source: ours.
    """

    def __init__(
        self,
        world: Part[World],
        speakers: int = 4,
        train_clips: int = 16,
        test_clips: int = 4,
        clip_s: float = 12.0,
        seed: int = 0,
        dev_clips: int = 4,
    ) -> None:
        if not 1 <= speakers <= len(string.ascii_lowercase):
            raise InputError(f"puppets.speakers = {speakers}: expected 1 to {len(string.ascii_lowercase)}")
        self.counts = {"train": train_clips, "test": test_clips, "dev": dev_clips}
        if min(self.counts.values()) < 0 or not any(self.counts.values()):
            counts = ", ".join(f"{split}_clips = {count}" for split, count in self.counts.items())
            raise InputError(f"puppets.{counts}: expected at least one clip")
        shortest = (WINDOW_FRAMES + 1) / FPS
        if not round(clip_s * FPS) > WINDOW_FRAMES:
            raise InputError(
                f"puppets.clip_s = {clip_s}: expected at least {shortest}, a condition frame and a window"
            )
        if seed < 0:
            raise InputError(f"puppets.seed = {seed}: expected 0 or more")
        self.names = tuple(f"puppet_{letter}" for letter in string.ascii_lowercase[:speakers])
        self.frames = round(clip_s * FPS)
        self.seed, self.world = seed, world

    def facts(self) -> CorpusFacts:
        """Return the speakers, the clips per split, and a hash of version and parameters."""
        content = {
            "corpus": type(self).__name__,
            "version": VERSION,
            "speakers": len(self.names),
            "clips": self.counts,
            "frames": self.frames,
            "seed": self.seed,
            "world": {"world": type(self.world).__name__, **self.world.dials()},
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        clips = {split: len(self.names) * count for split, count in self.counts.items()}
        frames = {split: (self.frames,) * count for split, count in clips.items()}
        fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
        return CorpusFacts(self.names, clips, fingerprint, frames=frames)

    def clips(self) -> Iterator[Clip]:
        """Yield every clip, train before test before dev, speaker by speaker."""
        for place in self._places():
            yield self.clip(*place)

    def footage(self, size_px: int) -> Iterator[Footage]:
        """Yield every clip's pictures: the puppet itself, also where its keypoints lose a hand."""
        for split, speaker, index in self._places():
            clip, true = self._perform(split, speaker, index)
            words = tuple(self.world.said(clip.planted))
            yield Footage(clip.name, render(true, speaker, size_px), float(FRAME_PX), words)

    def clip(self, split: str, speaker: int, index: int) -> Clip:
        """Return one clip, the same whatever other clips the corpus has."""
        return self._perform(split, speaker, index)[0]

    def _perform(self, split: str, speaker: int, index: int) -> tuple[Clip, np.ndarray]:
        """Return one clip and the true points (T, 133, 2) in px, which its keypoints are a track of."""
        speech = self.speech(split, speaker, index, SPEECH)
        driver = self.driver(split, speaker, index, speech)
        moves, who = self._stream(split, speaker, index, MOTION), puppet(speaker)
        gestures = self.world.gesture(who, driver, moves)
        true, keypoints, valid = move(who, driver, gestures, moves)
        clip = Clip(
            name=f"{self.names[speaker]}_{split}_{index:03d}",
            speaker=self.names[speaker],
            split=split,
            keypoints=keypoints,
            valid=valid,
            waveform=speech.waveform,
            planted={**speech.planted, **gestures.planted},
        )
        return clip, true

    def speech(self, split: str, speaker: int, index: int, stream: int) -> PuppetSpeech:
        """Return the speech of one random stream of a clip."""
        rng, who = self._stream(split, speaker, index, stream), voice(speaker)
        return speak(who, self.world.write(who, self.frames, rng), self.frames, rng)

    def driver(self, split: str, speaker: int, index: int, speech: PuppetSpeech) -> PuppetSpeech:
        """Return the speech that moves the body: here the speech that is heard."""
        return speech

    def _places(self) -> Iterator[tuple[str, int, int]]:
        for split in SPLITS:
            for speaker in range(len(self.names)):
                for index in range(self.counts[split]):
                    yield split, speaker, index

    def _stream(self, split: str, speaker: int, index: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, speaker, SPLITS.index(split), index, stream])


@register("corpus", "puppets_uncoupled", label="Puppets, uncoupled", source="ours")
class PuppetsUncoupled(Puppets):
    """The same puppets moved by speech that is not heard, so that nothing links sound and motion.

    The waveforms equal those of `puppets` with the same parameters. Source: ours.
    """

    def driver(self, split: str, speaker: int, index: int, speech: PuppetSpeech) -> PuppetSpeech:
        """Return the speech of another clip of the same speaker."""
        return self.speech(split, speaker, index, OTHER_SPEECH)
