"""What is planted in the lively world can be found in its clips, and each dial does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from rgx.errors import InputError
from rgx.gesture.data.lively_gestures import GESTURES, PHRASE_PLACES, phrase_places, posture, stroke_offsets
from rgx.gesture.data.lively_lexicon import MARKERS, SPELT, Lexicon, sounds_of
from rgx.gesture.data.lively_world import LivelyWorld
from rgx.gesture.data.puppet_body import FRAME_PX, move, puppet
from rgx.gesture.data.puppet_speech import CONSONANTS, VOWELS_HZ, PuppetSpeech, speak, voice
from rgx.gesture.data.puppets import Puppets, PuppetsUncoupled
from rgx.gesture.skeleton import FACE, measure

STILL = {"posture": 0.0, "drift": 0.0, "idle_hz": 0.0, "touches_per_min": 0.0}
"""Nothing moves but what speech moves."""


def said(world: LivelyWorld, speaker: int = 0, seed: int = 0, frames: int = 300) -> PuppetSpeech:
    rng = np.random.default_rng([seed, 5])
    return speak(voice(speaker), world.write(voice(speaker), frames, rng), frames, rng)


def test_words_differ_by_their_sounds_and_each_has_one_stress() -> None:
    words = [sounds_of(word) for word in SPELT]
    assert len(set(words)) == len(words) >= 40
    unstressed = [tuple(syllable[:2] for syllable in word) for word in words]
    assert len(set(unstressed)) == len(words), "no two words differ by their stress alone"
    for word in words:
        assert sum(stressed for *_, stressed in word) == 1
        assert all(consonant in CONSONANTS and vowel in VOWELS_HZ for consonant, vowel, _ in word)
    assert not any(stressed for marker in MARKERS for *_, stressed in sounds_of(marker))


def test_a_homophone_is_told_by_the_kind_of_its_phrase_alone() -> None:
    lexicon = Lexicon(words=48, homophones=8)
    meanings = {(sound, kind): lexicon.meaning(sound, kind) for sound in range(40) for kind in range(4)}
    assert set(meanings.values()) == set(range(48))
    assert all(meanings[s, 0] == meanings[s, 1] == s and meanings[s, 2] == meanings[s, 3] for s in range(40))
    assert [s for s in range(40) if meanings[s, 0] != meanings[s, 3]] == list(range(8))


def test_both_meanings_of_a_homophone_have_another_gesture_in_most_mouths() -> None:
    world = LivelyWorld()
    for speaker in range(4):
        gestures = world.vocabulary(speaker)
        assert gestures.shape == (48,) and set(gestures) <= set(range(GESTURES))
        assert np.mean(gestures[:8] != gestures[40:]) > 0.7


def test_speakers_have_favourites_and_share_the_rest() -> None:
    shared = LivelyWorld(habit=0.0).vocabulary(0)
    np.testing.assert_array_equal(shared, LivelyWorld(habit=0.0).vocabulary(3))
    assert set(np.bincount(shared, minlength=GESTURES)) == {2}
    for speaker in range(4):
        own = LivelyWorld(habit=0.5).vocabulary(speaker)
        assert 0.35 < np.mean(own != shared) <= 0.5
        assert np.sort(np.bincount(own, minlength=GESTURES))[-4:].sum() > 20


def test_a_line_is_phrases_with_markers_and_a_pause_after_each() -> None:
    speech = said(LivelyWorld(), frames=1500)
    assert len(speech.stress_frames) == len(speech.word_ids) == len(speech.word_frames)
    assert np.diff(speech.stress_frames).min() >= 10
    assert (np.diff(speech.phrase_ids) != 0).all() and set(speech.phrase_ids) == {0, 1, 2, 3}
    for start in speech.phrase_frames[1:]:
        assert speech.amplitude[start - 4 : start - 1].max() < 0.1, "silence before each phrase"
    phrase = np.searchsorted(speech.phrase_frames, speech.word_frames, side="right") - 1
    assert set(np.bincount(phrase)[1:-1]) == {2, 3, 4}
    later = speech.word_ids[speech.phrase_ids[phrase] >= 2]
    assert not (speech.word_ids[speech.phrase_ids[phrase] < 2] >= 40).any() and (later >= 8).all()


def test_the_place_of_a_phrase_needs_the_phrase_before() -> None:
    """The same kinds in another order lie elsewhere, and a place is kept over the pause."""
    who, speech = puppet(0), said(LivelyWorld(), frames=1500)
    path, sides = phrase_places(who, speech, size=1.0)
    kinds = speech.phrase_ids
    at = [(kinds[n - 1], kinds[n], path[speech.phrase_frames[n] + 12, 0]) for n in range(1, len(kinds))]
    for before, kind, x in at:
        expected = PHRASE_PLACES[kind, 0] * (1 if kind > before else -1) * who.energy
        assert x == pytest.approx(expected)
    assert {(b > k) for b, k, _ in at if k == 1} == {True, False}, "both orders occur"
    np.testing.assert_allclose(PHRASE_PLACES.sum(0), 0, atol=1e-9)
    for n, start in enumerate(speech.phrase_frames[1:]):
        np.testing.assert_array_equal(path[start - 6], path[speech.phrase_frames[n] + 12])
    assert set(sides) == {-1, 1}


def test_no_gesture_is_met_by_another_and_together_they_say_nothing() -> None:
    landings = []
    for gesture in range(GESTURES):
        quiet = np.random.default_rng(0)
        path = stroke_offsets(puppet(0), 60, np.array([30]), np.array([gesture]), 1.0, quiet)
        assert np.abs(path[0]).max() < 1e-6 and np.abs(path[50]).max() < 1e-6, "from rest and back"
        np.testing.assert_allclose(path[30], path[32], atol=1e-9)
        landings.append(path[30, :4])
    apart = np.linalg.norm(np.array(landings)[:, None] - np.array(landings), axis=-1)
    assert apart[~np.eye(GESTURES, dtype=bool)].min() > 0.3
    assert np.abs(np.mean(landings, axis=0)).max() < 0.2


def test_strokes_are_about_their_stresses_and_some_stresses_have_none() -> None:
    world = LivelyWorld(jitter_frames=2.0, silent_share=0.25)
    late, strokes, stresses = [], 0, 0
    for seed in range(40):
        speech = said(world, seed=seed)
        planted = world.gesture(puppet(0), speech, np.random.default_rng(seed)).planted
        frames = planted["stroke_frames"]
        assert np.diff(frames).min() >= 6
        place = [int(np.flatnonzero(speech.word_ids == word)[0]) for word in planted["stroke_words"]]
        once = [n for n, p in enumerate(place) if (speech.word_ids == speech.word_ids[p]).sum() == 1]
        late += [frames[n] - speech.stress_frames[place[n]] for n in once]
        strokes, stresses = strokes + len(frames), stresses + len(speech.stress_frames)
        np.testing.assert_array_equal(planted["gesture_ids"], world.vocabulary(0)[planted["stroke_words"]])
    assert 1.7 < np.std(late) < 2.3 and abs(np.mean(late)) < 0.5
    assert 0.68 < strokes / stresses <= 0.76


def test_speech_alone_fixes_everything_where_the_other_dials_are_zero() -> None:
    world = LivelyWorld(**STILL, jitter_frames=0.0, silent_share=0.0, stroke_size=0.0)
    speech = said(world)
    poses = [world.gesture(puppet(1), speech, np.random.default_rng(n)).poses for n in range(2)]
    np.testing.assert_allclose(poses[0][:, :4] - poses[0][0, :4], poses[1][:, :4] - poses[1][0, :4])


@pytest.mark.parametrize("dial", ["posture", "drift", "idle_hz", "touches_per_min"])
def test_each_dial_moves_the_hands_without_speech(dial: str) -> None:
    def spread(value: float) -> float:
        world = LivelyWorld(**{**STILL, "stroke_size": 0.0, "phrase_size": 0.0, dial: value})
        clips = [world.gesture(puppet(0), said(world), np.random.default_rng(n)).poses for n in range(8)]
        return float(np.var(np.array(clips)[..., :4], axis=(0, 1)).mean())

    default = LivelyWorld().dials()[dial]
    assert spread(0.0) < 1e-9 < spread(default) < spread(3 * default)


def test_postures_are_of_the_clip_and_planted() -> None:
    postures = np.array([posture(puppet(0), 1.0, np.random.default_rng(n)) for n in range(200)])
    assert (postures[:, :4].std(0) > 0.15).all()
    clips = list(Puppets(LivelyWorld(), speakers=1, train_clips=12, test_clips=0, dev_clips=0).clips())
    means, planted = [], []
    for clip in clips:
        origin, scale = measure(clip.keypoints, clip.valid)
        means.append((np.median(clip.keypoints[:, 9:11], axis=0) - origin).reshape(4) / scale)
        planted.append(clip.planted["posture"][:4])
    assert np.corrcoef(np.ravel(means), np.ravel(planted))[0, 1] > 0.9


def test_a_touch_brings_a_hand_to_head_trunk_or_arm_and_stays_in_the_picture() -> None:
    touches = 0
    for seed in range(12):
        world = LivelyWorld(touches_per_min=20.0)
        speech, rng = said(world, speaker=2, seed=seed), np.random.default_rng(seed)
        gestures = world.gesture(puppet(2), speech, rng)
        true, _, _ = move(puppet(2), speech, gestures, rng)
        upper = true[:, [*range(13), *range(91, 133)]]
        assert upper.min() > 0 and upper.max() < FRAME_PX - 1
        arms = np.linalg.norm(true[:, 9:11] - true[:, 7:9], axis=-1) / puppet(2).shoulder_px
        assert arms.max() < puppet(2).forearm + 0.02, "foreshortened at most"
        for start in gestures.planted["touch_frames"]:
            if start + 20 < len(true):
                chin = np.linalg.norm(true[start + 20, 9:11] - true[start + 20, FACE[8]], axis=-1).min()
                touches += chin < 0.8 * puppet(2).shoulder_px
    assert touches >= 10


def test_the_speech_of_uncoupled_puppets_is_heard_and_its_gestures_are_those_of_another() -> None:
    few = {"speakers": 1, "train_clips": 3, "test_clips": 0, "dev_clips": 0}
    for own, other in zip(
        Puppets(LivelyWorld(), **few).clips(), PuppetsUncoupled(LivelyWorld(), **few).clips(), strict=True
    ):
        np.testing.assert_array_equal(own.waveform, other.waveform)
        np.testing.assert_array_equal(own.planted["phrase_ids"], other.planted["phrase_ids"])
        assert not np.array_equal(own.planted["stroke_words"], other.planted["stroke_words"])
        assert set(own.planted["stroke_words"]) <= set(own.planted["word_ids"])


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"words": 80}, "words = 80"),
        ({"words": 8, "homophones": 6}, "homophones = 6"),
        ({"silent_share": 1.5}, "silent_share = 1.5: expected 0 to 1"),
        ({"drift": -0.1}, "drift = -0.1: expected 0 or more"),
    ],
)
def test_dials_out_of_range_are_named(wrong: dict[str, float], named: str) -> None:
    with pytest.raises(InputError, match=re.escape(named)):
        LivelyWorld(**wrong)


def test_the_page_about_the_world_says_every_dial_and_its_default() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/world.md").read_text(encoding="utf-8")
    shown = {name: float(value) for name, value in re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", page, re.M)}
    assert shown == LivelyWorld().dials()
