"""What puppets of the lively world say: phrases of four kinds, of words that differ by their sounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rgx.gesture.data.puppet_speech import VOWELS_HZ, SpokenLine, Syllable, Voice, pronounce
from rgx.gesture.types import FPS

SPELLING = """
KA-to    se-SHI   PO-tu    fe-SA    hae-KER  SHU-pa   ti-HO    ker-SAE  PE-shi   to-FU
SI-kae   pa-TE    HER-so   ku-FAE   SA-pi    she-TU   FO-her   tae-KI   KE-sho   hi-PAE
TU-sher  fa-KO    SO-ti    pu-HE    SHAE-fo  ki-SER   HA-pe    ter-SHO  FI-ku    so-PER
TE-pae   sho-KA   KU-he    fer-TI   PI-sa    HO-ker   shi-FA   SER-tu   tae-PO   ke-HI
pa-TU-ki  SHE-ho-ta  fu-SAE-pi  KER-ti-so  he-FO-ka  TO-se-pu  sha-KI-fer  PAE-hu-te
si-TER-ko  HU-fa-shi  ka-SHER-to  FAE-pu-he
"""
SPELT = tuple(SPELLING.split())
"""The words by sound; the syllable in capitals is the stressed one."""
MARKERS = ("ta", "pi", "sho", "fer")
"""What a phrase of each kind begins with: one syllable without stress."""
STRESS_GAP_FRAMES = 10
"""Two stresses never come closer, so that a hand has time for its next stroke."""

FIRST_FRAME = 2
"""No syllable begins earlier in a clip."""

Sounds = tuple[tuple[str, str, bool], ...]


def sounds_of(word: str) -> Sounds:
    """Return (consonant, vowel, stressed) of each syllable of a word such as 'se-SHI'."""
    syllables = []
    for syllable in word.split("-"):
        vowel = max((v for v in VOWELS_HZ if syllable.lower().endswith(v)), key=len)
        syllables.append((syllable.lower().removesuffix(vowel), vowel, syllable.isupper()))
    return tuple(syllables)


@dataclass(frozen=True)
class Lexicon:
    """So many words, of which the last `homophones` sound as the first ones do.

    Which of two such words is meant, the kind of its phrase says: the first of the two in the kinds 0 and 1.
    """

    words: int
    homophones: int

    @property
    def sounds(self) -> int:
        """How many words can be told apart by ear."""
        return self.words - self.homophones

    def meaning(self, sound: int, kind: int) -> int:
        """Return the word that a sound is in a phrase of a kind."""
        return sound + self.sounds * (sound < self.homophones and kind >= len(MARKERS) // 2)

    def spell(self, word: int) -> str:
        """Return how a word sounds."""
        return SPELT[word % self.sounds]

    def write(self, who: Voice, frames: int, rng: np.random.Generator) -> SpokenLine:
        """Return a random line: phrases of a marker and two to four words, and a pause after each.

        It has begun before the clip: a silence that all clips open with would link what nothing else does.
        """
        line = SpokenLine()
        now, last_stress = int(rng.integers(-3 * FPS, 4)), -3 * FPS - STRESS_GAP_FRAMES
        kind, sound = int(rng.integers(len(MARKERS))), int(rng.integers(self.sounds))
        while True:
            kind = int((kind + rng.integers(1, len(MARKERS))) % len(MARKERS))
            marker = pronounce(who, sounds_of(MARKERS[kind]), now, rng)
            began, now, opened = now, _end(marker), False
            for _ in range(int(rng.integers(2, 5))):
                sound = int((sound + rng.integers(1, self.sounds)) % self.sounds)
                spoken = pronounce(who, sounds_of(SPELT[sound]), now, rng)
                stress = next(s.onset for s in spoken if s.stressed)
                late = max(0, last_stress + STRESS_GAP_FRAMES - stress)
                spoken = [replace(s, onset=s.onset + late) for s in spoken]
                if _end(spoken) > frames - 5:
                    return line
                if now + late >= FIRST_FRAME:
                    if not opened:
                        line.syllables += marker if began >= FIRST_FRAME else []
                        line.phrase_frames.append(max(began, 0))
                        line.phrase_ids.append(kind)
                        opened = True
                    line.syllables += spoken
                    line.word_frames.append(now + late)
                    line.word_ids.append(self.meaning(sound, kind))
                last_stress = stress + late
                now = _end(spoken) + int(rng.integers(0, 4))
            now += int(rng.integers(8, 22))


def _end(syllables: list[Syllable]) -> int:
    return syllables[-1].onset + syllables[-1].frames
