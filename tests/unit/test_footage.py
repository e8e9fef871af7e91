"""The pictures of a corpus belong to its clips: same order, same length, same person in the same place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from rgx.gesture.data.base import Corpus
from rgx.gesture.data.lively_world import LivelyWorld
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppet_body import move, puppet
from rgx.gesture.data.puppet_render import render
from rgx.gesture.data.puppet_speech import speak, voice
from rgx.gesture.data.puppets import Puppets, PuppetsUncoupled
from rgx.gesture.data.videos import Videos
from rgx.gesture.skeleton import FACE, LEFT_HAND, RIGHT_HAND
from rgx.gesture.types import Clip, Footage

MINI = Path(__file__).resolve().parents[2].parent / "shared/data/pats_mini"
needs_mini = pytest.mark.skipif(not MINI.is_dir(), reason="needs ../shared/data/pats_mini, absent here")
SMALL = {"speakers": 2, "train_clips": 2, "test_clips": 1, "dev_clips": 1}
SIZE_PX = 96


def together(corpus: Corpus, size_px: int) -> Iterator[tuple[Clip, Footage]]:
    return zip(corpus.clips(), corpus.footage(size_px), strict=True)


@pytest.fixture(scope="module", params=[Puppets, PuppetsUncoupled])
def puppets(request: pytest.FixtureRequest) -> list[tuple[Clip, Footage]]:
    return list(together(request.param(LivelyWorld(), **SMALL, clip_s=5.0), SIZE_PX))


def lost(clip: Clip, hand: tuple[int, ...]) -> np.ndarray:
    """Return the frames in which a hand is lost."""
    return np.flatnonzero(~clip.valid[:, hand[0]])


def test_puppets_have_pictures_of_every_clip(puppets: list[tuple[Clip, Footage]]) -> None:
    assert len(puppets) == 8
    for clip, footage in puppets:
        assert footage.name == clip.name and footage.frame_px == 256
        assert footage.frames.shape == (len(clip.valid), SIZE_PX, SIZE_PX, 3)
        assert footage.frames.dtype == np.uint8


def test_a_picture_shows_the_keypoints_where_they_are_valid(puppets: list[tuple[Clip, Footage]]) -> None:
    for clip, footage in puppets:
        whole = np.flatnonzero(clip.valid[:, LEFT_HAND[0]] & clip.valid[:, RIGHT_HAND[0]])[::37]
        speaker = ord(clip.speaker[-1]) - ord("a")
        np.testing.assert_array_equal(footage.frames[whole], render(clip.keypoints[whole], speaker, SIZE_PX))


@pytest.mark.parametrize("corpus", [Puppets, PuppetsUncoupled])
def test_a_picture_shows_the_true_hand_where_the_keypoints_lose_it(corpus: type[Puppets]) -> None:
    """The wrist of the body is always seen, and the hand hangs on it; a wild guess leaves it.

    In the plain world, where no hand hides the other.
    """
    seen = 0
    for clip, footage in together(corpus(PlainWorld(), **SMALL, clip_s=5.0), SIZE_PX):
        speaker = ord(clip.speaker[-1]) - ord("a")
        for hand, wrist in ((LEFT_HAND, 9), (RIGHT_HAND, 10)):
            for frame in lost(clip, hand):
                off = clip.keypoints[frame, hand[0]] - clip.keypoints[frame, wrist]
                if np.linalg.norm(off) < 3:
                    continue
                seen += 1
                # Moved back to the wrist the guess still has noise of 0.8 px a point; the truth has less.
                moved = clip.keypoints[frame : frame + 1].copy()
                moved[:, list(hand)] -= off
                wild = render(clip.keypoints[frame : frame + 1], speaker, SIZE_PX)[0].astype(int)
                near = render(moved, speaker, SIZE_PX)[0].astype(int)
                shown = footage.frames[frame].astype(int)
                assert np.abs(shown - near).sum() < np.abs(shown - wild).sum()
    assert seen >= 5


def test_the_true_points_keep_each_hand_on_its_wrist() -> None:
    world, rng = LivelyWorld(), np.random.default_rng(0)
    speech = speak(voice(0), world.write(voice(0), 600, rng), 600, rng)
    true, tracked, valid = move(puppet(0), speech, world.gesture(puppet(0), speech, rng), rng)
    np.testing.assert_array_equal(true[valid], tracked[valid])
    for hand, wrist in ((LEFT_HAND, 9), (RIGHT_HAND, 10)):
        assert np.linalg.norm(true[:, hand[0]] - true[:, wrist], axis=-1).max() < 0.5
        gone = ~valid[:, hand[0]]
        assert gone.any()
        assert np.linalg.norm(tracked[gone, hand[0]] - true[gone, hand[0]], axis=-1).mean() > 1


@pytest.mark.parametrize(
    ("corpus", "expected"),
    [
        (Puppets, "06598b982dd741672ba7b6a4234ac08d9a44ea5297cdd88039bdf2a0165303ee"),
        (PuppetsUncoupled, "6a862fe9625aa572026ec873fce420d3e793996c7d49fe14f619a4c880c084d7"),
    ],
)
def test_clips_of_the_plain_world_are_what_they_were_before_there_was_another(
    corpus: type[Puppets], expected: str
) -> None:
    """Hashes of train and test clips made before; rounded, since the last bit follows the processor."""
    digest = hashlib.sha256()
    for clip in (clip for clip in corpus(PlainWorld(), **SMALL).clips() if clip.split != "dev"):
        for array, steps in ((clip.keypoints, 1e2), (clip.valid, 1), (clip.waveform, 1e4)):
            digest.update(np.round(array * steps).astype(np.int32).tobytes())
        for name, planted in sorted(clip.planted.items()):
            digest.update(name.encode() + np.round(planted * 1e3).astype(np.int32).tobytes())
    assert digest.hexdigest() == expected


@pytest.mark.slow
@needs_mini
def test_real_pictures_belong_to_their_clips() -> None:
    names = []
    for clip, footage in together(Videos(str(MINI)), 64):
        assert footage.name == clip.name and footage.frame_px == 256
        assert footage.frames.shape == (len(clip.valid), 64, 64, 3)
        names.append(clip.name)
    assert len(names) == 20 and names == sorted(names)


@needs_mini
@pytest.mark.slow
def test_real_pictures_show_a_face_where_the_keypoints_have_one() -> None:
    """Between the eyes and the mouth the picture is skin: redder than blue; measured at the native size."""
    for clip, footage in islice(together(Videos(str(MINI)), 256), 4):
        nose = clip.keypoints[:, FACE[30]].round().astype(int)
        at = np.array([f[y, x] for f, (x, y) in zip(footage.frames, nose, strict=True)]).astype(int)
        assert ((at[:, 0] > at[:, 2]).mean()) > 0.9
