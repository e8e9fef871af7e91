"""The videos of a study: of equal length, loudness and encoding, under names that say nothing."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from rgx.errors import InputError
from rgx.report import style
from rgx.study.conditions import Located
from rgx.study.films import MovingPictures, add_sound, read_film, read_sound, write_film
from rgx.study.loudness import RATE_HZ, levelled
from rgx.study.rater_page import labels_of, words
from rgx.study.sessions import TRAP, Item
from rgx.study.study_file import StudyFile

OWN, MUTED, MISMATCHED = "own", "muted", "mismatched"
NAME_LETTERS = 24
DIM, CARD_SHARE, WHITE = 0.25, 0.4, (255, 255, 255)
"""How bright a trap's picture is behind its words, and from which share of it on these stand there."""


@dataclass(frozen=True, order=True)
class Stimulus:
    """One video: a scene under a condition, with which sound, and what it asks to choose if it is a trap."""

    condition: str
    scene: str
    card: str
    sound: str

    def file(self, salt: str) -> str:
        """Return its file's name, which nobody without the salt can tell a condition by."""
        text = "\0".join((self.condition, self.scene, self.sound, self.card))
        digest = hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest()
        return f"{digest[:NAME_LETTERS]}.mp4"


def stimuli_of(item: Item, study: StudyFile) -> tuple[Stimulus, ...]:
    """Return the one or two videos of an item, in the order in which they are shown."""
    question = study.questions[item.question]
    card = ""
    if item.role == TRAP and item.wanted:
        card = "\n".join(
            words()[language]["choose"].format(
                answer=labels_of(study, item.question, language)[item.wanted[0] - 1]
            )
            for language in study.languages
        )
    shown = [Stimulus(item.condition, item.scene, card, question.sound)]
    if question.asks == "pair":
        shown.append(Stimulus(item.other, item.scene, "", question.sound))
    elif question.asks == "matched":
        shown.append(Stimulus(item.condition, item.scene, "", MISMATCHED))
    return tuple(reversed(shown) if item.swapped else shown)


def exchanged(scenes: Iterable[str], alike: Mapping[str, list[str]], seed: int) -> dict[str, str]:
    """Return the scene whose sound each is mismatched with: another one, of its group where there are groups.

    Raises InputError for a group of one scene.
    """
    scenes = list(scenes)
    partners: dict[str, str] = {}
    named = {scene for group in alike.values() for scene in group}
    groups = {name: [scene for scene in scenes if scene in group] for name, group in alike.items()}
    groups[""] = [scene for scene in scenes if scene not in named]
    random = np.random.default_rng(seed)
    for name, group in groups.items():
        if len(group) == 1:
            said = f"group '{name}'" if name else "the study"
            raise InputError(f"{said} has one scene, {group[0]}: there is no other sound to mismatch it with")
        order = [group[n] for n in random.permutation(len(group))]
        partners |= dict(zip(order, order[1:] + order[:1], strict=True))
    return partners


class Studio:
    """Renders stimuli; films: what is read, a scene at a time, so that memory holds one scene's videos."""

    def __init__(self, study: StudyFile, located: Mapping[str, Located], scenes: list[str]) -> None:
        self.study, self.located, self.scenes = study, located, scenes
        self.partners = (
            exchanged(scenes, study.scenes.alike, study.seed)
            if any(question.asks == "matched" for question in study.questions.values())
            else {}
        )

    def render(self, stimuli: Iterable[Stimulus], folder: Path, salt: str) -> Iterator[Stimulus]:
        """Write each stimulus into a folder, yielding it; raises InputError for videos that do not fit."""
        by_scene: dict[str, set[Stimulus]] = {}
        for stimulus in stimuli:
            by_scene.setdefault(stimulus.scene, set()).add(stimulus)
        for scene, wanted in sorted(by_scene.items()):
            films = {name: self._read(name, scene) for name in self._bases(wanted)}
            frames = self._length(scene, films)
            pictured = groupby(sorted(wanted), key=lambda stimulus: (stimulus.condition, stimulus.card))
            for _, alike in pictured:
                yield from self._render(list(alike), films, frames, folder, salt)

    def _render(
        self,
        stimuli: list[Stimulus],
        films: Mapping[str, MovingPictures],
        frames: int,
        folder: Path,
        salt: str,
    ) -> Iterator[Stimulus]:
        """Write stimuli of the same pictures, which are encoded once."""
        silent = folder / ".silent.mp4"
        write_film(silent, self._pictures(stimuli[0], films, frames), self.study.frames_per_second)
        for stimulus in stimuli:
            sound, path = self._sound(stimulus, films, frames), folder / stimulus.file(salt)
            if sound is None:
                path.write_bytes(silent.read_bytes())
            else:
                add_sound(silent, path, sound)
            yield stimulus
        silent.unlink()

    def _bases(self, stimuli: Iterable[Stimulus]) -> list[str]:
        conditions = {stimulus.condition for stimulus in stimuli}
        return sorted({self.study.conditions[name].base or name for name in conditions})

    def _read(self, condition: str, scene: str) -> MovingPictures:
        path = self.located[condition].videos[scene]
        return read_film(path, self.study.size_px, self.study.frames_per_second)

    def _length(self, scene: str, films: Mapping[str, MovingPictures]) -> int:
        """Return how many pictures of a scene are shown; raises InputError for videos of several lengths."""
        lengths = {name: len(film.frames) for name, film in films.items()}
        if self.study.seconds is not None:
            frames = round(self.study.seconds * self.study.frames_per_second)
            short = {name: count for name, count in lengths.items() if count < frames}
            if short:
                raise InputError(
                    f"scene {scene}: {self._said(short)}; the study's 'seconds' are {self.study.seconds:g}"
                )
            return frames
        if max(lengths.values()) - min(lengths.values()) > 1:
            raise InputError(
                f"scene {scene}: videos of unequal length: {self._said(lengths)}; cut them alike, or say "
                "'seconds' in the study's file and the rest of each is left out"
            )
        return min(lengths.values())

    def _said(self, lengths: Mapping[str, int]) -> str:
        rate = self.study.frames_per_second
        return ", ".join(f"{name} has {count / rate:.2f} s" for name, count in lengths.items())

    def _pictures(self, stimulus: Stimulus, films: Mapping[str, MovingPictures], frames: int) -> np.ndarray:
        condition = self.study.conditions[stimulus.condition]
        pictures = films[condition.base or stimulus.condition].frames[:frames]
        if condition.frozen:
            pictures = np.broadcast_to(pictures[:1], pictures.shape)
        elif condition.shuffled:
            seed = int.from_bytes(hashlib.sha256(stimulus.scene.encode()).digest()[:4])
            pictures = pictures[np.random.default_rng([self.study.seed, seed]).permutation(frames)]
        return with_card(pictures, stimulus.card) if stimulus.card else pictures

    def _sound(
        self, stimulus: Stimulus, films: Mapping[str, MovingPictures], frames: int
    ) -> np.ndarray | None:
        if stimulus.sound == MUTED:
            return None
        base = self.study.conditions[stimulus.condition].base or stimulus.condition
        scene = self.partners[stimulus.scene] if stimulus.sound == MISMATCHED else stimulus.scene
        path = self.located[base].videos[scene]
        sound = films[base].sound if scene == stimulus.scene else read_sound(path)
        if sound is None:
            raise InputError(f"{path}: it has no sound, and a question needs it")
        samples = frames * RATE_HZ // self.study.frames_per_second
        return levelled(sound[:samples], self.study.loudness_lufs)


def with_card(pictures: np.ndarray, text: str) -> np.ndarray:
    """Return pictures whose later part asks to choose an answer, given in every language of the study."""
    shown = pictures.copy()
    size = shown.shape[1]
    font = style.letters(max(size // 16, 8))
    for place in range(int(len(shown) * CARD_SHARE), len(shown)):
        page = Image.fromarray((shown[place] * DIM).astype(np.uint8))
        ImageDraw.Draw(page).text((size / 2, size / 2), text, WHITE, font, anchor="mm", align="center")
        shown[place] = np.asarray(page)
    return shown
