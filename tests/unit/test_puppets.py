"""What is planted in the puppets can be found in their keypoints and waveforms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from rgx.errors import InputError
from rgx.gesture.data.lively_world import LivelyWorld
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppet_render import render
from rgx.gesture.data.puppet_world import World
from rgx.gesture.data.puppets import Puppets, PuppetsUncoupled
from rgx.gesture.skeleton import FACE, LEFT_HAND, RIGHT_HAND, measure
from rgx.gesture.types import SAMPLES_PER_FRAME, Clip
from rgx.registry import find

SMALL = {"speakers": 2, "train_clips": 3, "test_clips": 1, "dev_clips": 1}


@pytest.fixture(scope="module", params=[LivelyWorld, PlainWorld])
def world(request: pytest.FixtureRequest) -> World:
    return request.param()


@pytest.fixture(scope="module")
def coupled(world: World) -> list[Clip]:
    return list(Puppets(world, **SMALL).clips())


@pytest.fixture(scope="module")
def uncoupled(world: World) -> list[Clip]:
    return list(PuppetsUncoupled(world, **SMALL).clips())


@pytest.fixture(scope="module")
def plain() -> list[Clip]:
    return list(Puppets(PlainWorld(), **SMALL).clips())


def wrist_speed(clip: Clip) -> np.ndarray:
    """Return the mean speed of both wrists (T,) in px per frame."""
    wrists = clip.keypoints[:, 9:11]
    return np.linalg.norm(np.diff(wrists, axis=0, prepend=wrists[:1]), axis=-1).mean(1)


def mouth_opening(clip: Clip) -> np.ndarray:
    """Return the distance of the inner lips (T,) in px."""
    return clip.keypoints[:, FACE[66], 1] - clip.keypoints[:, FACE[62], 1]


def speed_before(clip: Clip, frames: np.ndarray) -> float:
    """Return the mean wrist speed in the three frames before each of some frames."""
    speed = wrist_speed(clip)
    return float(np.mean([speed[f - 3 : f].mean() for f in frames if f >= 4]))


def mouth_relation(clip: Clip) -> float:
    return float(np.corrcoef(mouth_opening(clip), clip.planted["amplitude"])[0, 1])


def test_shapes_and_ranges(coupled: list[Clip]) -> None:
    for clip in coupled:
        assert clip.keypoints.shape == (300, 133, 2) and clip.keypoints.dtype == np.float32
        assert clip.valid.shape == (300, 133) and clip.valid.dtype == np.bool_
        assert clip.waveform.shape == (300 * SAMPLES_PER_FRAME,) and clip.waveform.dtype == np.float32
        assert np.isfinite(clip.keypoints).all() and np.isfinite(clip.waveform).all()
        assert clip.keypoints.min() >= 0 and clip.keypoints.max() < 256
        assert 0.2 < np.abs(clip.waveform).max() <= 1
        assert 45 < measure(clip.keypoints, clip.valid)[1] < 70


def test_legs_are_unseen_and_hands_drop_out_for_a_few_frames(coupled: list[Clip]) -> None:
    for clip in coupled:
        assert not clip.valid[:, 13:23].any()
        assert clip.valid[:, :13].all() and clip.valid[:, FACE].all()
    for hand in (LEFT_HAND, RIGHT_HAND):
        seen = np.concatenate([clip.valid[:, hand] for clip in coupled])
        assert 0.85 < seen.mean() < 1


def test_facts_agree_with_the_clips(world: World, coupled: list[Clip]) -> None:
    facts = Puppets(world, **SMALL).facts()
    assert facts.speakers == ("puppet_a", "puppet_b")
    assert facts.clips == {"train": 6, "test": 2, "dev": 2}
    assert [sum(c.split == s for c in coupled) for s in ("train", "test", "dev")] == [6, 2, 2]
    for split in facts.clips:
        assert facts.frames[split] == tuple(len(c.keypoints) for c in coupled if c.split == split)
        assert facts.windows(split) == 22 * facts.clips[split]
    assert len({clip.name for clip in coupled}) == len(coupled)
    assert {clip.speaker for clip in coupled} == set(facts.speakers)


def test_the_same_parameters_give_the_same_clips(world: World, coupled: list[Clip]) -> None:
    for one, other in zip(coupled, Puppets(world, **SMALL).clips(), strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
        np.testing.assert_array_equal(one.valid, other.valid)
        np.testing.assert_array_equal(one.waveform, other.waveform)
        assert one.planted.keys() == other.planted.keys()
        for name, planted in one.planted.items():
            np.testing.assert_array_equal(planted, other.planted[name])


def test_a_clip_does_not_depend_on_how_many_others_there_are(world: World, coupled: list[Clip]) -> None:
    larger = Puppets(world, speakers=3, train_clips=5, test_clips=2).clip("test", 1, 0)
    small = next(c for c in coupled if c.name == larger.name)
    np.testing.assert_array_equal(small.keypoints, larger.keypoints)


@pytest.mark.parametrize("corpus", [Puppets, PuppetsUncoupled])
def test_dev_clips_leave_those_of_train_and_test_as_they_are(world: World, corpus: type[Puppets]) -> None:
    with_dev = [
        list(corpus(world, **{**SMALL, "dev_clips": count, "clip_s": 4.0}).clips()) for count in (0, 2)
    ]
    assert [clip.split for clip in with_dev[1]] == ["train"] * 6 + ["test"] * 2 + ["dev"] * 4
    for without, clip in zip(with_dev[0], with_dev[1][:8], strict=True):
        assert without.name == clip.name
        assert without.keypoints.tobytes() == clip.keypoints.tobytes()
        assert without.waveform.tobytes() == clip.waveform.tobytes()
    assert len({clip.waveform.tobytes() for clip in with_dev[1]}) == 12, "each clip is another"


def test_another_seed_gives_other_clips_and_another_fingerprint(world: World, coupled: list[Clip]) -> None:
    other = next(Puppets(world, **SMALL, seed=1).clips())
    assert not np.array_equal(other.keypoints, coupled[0].keypoints)
    assert not np.array_equal(other.waveform, coupled[0].waveform)
    one, other = PlainWorld(), LivelyWorld(drift=0.5)
    made = [Puppets(world, **SMALL), Puppets(world, **SMALL, seed=1), Puppets(world), Puppets(other, **SMALL)]
    made += [PuppetsUncoupled(world, **SMALL), Puppets(one if world.dials() else LivelyWorld(), **SMALL)]
    assert len({corpus.facts().fingerprint for corpus in made}) == 6


def test_strokes_end_where_they_were_put(plain: list[Clip]) -> None:
    for clip in plain:
        speed = wrist_speed(clip)
        strokes = clip.planted["stroke_frames"]
        assert len(strokes) >= 8
        np.testing.assert_array_equal(strokes, clip.planted["stress_frames"])
        assert speed_before(clip, strokes) > 1.4 * speed.mean()
        for stroke in strokes[strokes < len(speed) - 4]:
            peak = speed[stroke - 3 : stroke].max()
            rest = stroke + int(np.argmin(speed[stroke : stroke + 4]))
            assert rest - stroke <= 3 and speed[rest] < 0.5 * peak


def test_the_sound_rises_at_a_stress(coupled: list[Clip]) -> None:
    for clip in coupled:
        stresses = clip.planted["stress_frames"]
        power = np.sqrt((clip.waveform.reshape(-1, SAMPLES_PER_FRAME) ** 2).mean(1))
        assert np.mean(power[stresses + 1] > 1.5 * power[stresses - 1]) > 0.9


def test_mouths_follow_the_amplitude(coupled: list[Clip]) -> None:
    assert min(mouth_relation(clip) for clip in coupled) > 0.8


@pytest.mark.slow
def test_words_have_gestures() -> None:
    clips = list(Puppets(PlainWorld(), speakers=2, train_clips=8, test_clips=0, dev_clips=0).clips())
    heights: dict[int, list[float]] = {word: [] for word in range(8)}
    spans: dict[int, list[float]] = {word: [] for word in range(8)}
    for clip in clips:
        for frame, word in zip(clip.planted["stroke_frames"], clip.planted["word_ids"], strict=True):
            heights[int(word)].append(clip.keypoints[frame, 6, 1] - clip.keypoints[frame, 10, 1])
            spans[int(word)].append(clip.keypoints[frame, 9, 0] - clip.keypoints[frame, 10, 0])
    assert min(heights[2]) > max(heights[0])
    assert min(spans[5]) > max(spans[1])


def test_uncoupled_puppets_sound_the_same_and_move_to_something_else(
    coupled: list[Clip], uncoupled: list[Clip]
) -> None:
    for one, other in zip(coupled, uncoupled, strict=True):
        np.testing.assert_array_equal(one.waveform, other.waveform)
        assert not np.array_equal(one.planted["stroke_frames"], other.planted["stroke_frames"])
    assert abs(np.mean([mouth_relation(clip) for clip in uncoupled])) < 0.3
    ratios = [speed_before(c, c.planted["stress_frames"]) / wrist_speed(c).mean() for c in uncoupled]
    assert 0.7 < np.mean(ratios) < 1.3


def test_pictures_have_the_asked_size_and_move(coupled: list[Clip]) -> None:
    frames = render(coupled[0].keypoints[100:104], speaker=0, size=96)
    assert frames.shape == (4, 96, 96, 3) and frames.dtype == np.uint8
    assert all(not np.array_equal(a, b) for a, b in pairwise(frames))
    other = render(coupled[0].keypoints[100:101], speaker=1, size=96)
    assert not np.array_equal(frames[0, 0, 0], other[0, 0, 0])
    with pytest.raises(ValueError, match="133"):
        render(coupled[0].keypoints[:, :123], speaker=0, size=96)


def test_both_variants_are_on_the_roster_with_the_same_parameters() -> None:
    names = ["world", "speakers", "train_clips", "test_clips", "clip_s", "seed", "dev_clips"]
    for name in ("puppets", "puppets_uncoupled"):
        assert find("corpus", name).bindable == names
        assert find("corpus", name).shapes == []


@pytest.mark.parametrize(
    "wrong", [{"speakers": 0}, {"train_clips": -1}, {"clip_s": 1.0}, {"seed": -1}, {"dev_clips": -1}]
)
def test_parameters_out_of_range_are_named(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Puppets(PlainWorld(), **wrong)
