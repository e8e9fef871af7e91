from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgx.gesture.prepare.decoding import Upright, read_pictures
from rgx.gesture.prepare.shots import Shots, cells_of

RECORDINGS = Path(__file__).resolve().parents[2].parent / "shared/data/recordings"
CUTS_S = {
    # Two of the presenter's cameras alternate; the pan at 5.8 s of shot_cuts.mp4 is no cut.
    "shot_cuts.mp4": [1.5 - 0.852, 3.6 - 0.852, 7.9 - 0.852],
    "presenter_30fps.mp4": [11.6, 16.96],
    "raw_pats_oliver_720p.mp4": [],
    "man_seated_gesturing.mp4": [],
    "woman_seated_outdoors.mp4": [],
}


def cuts(pictures: list[np.ndarray]) -> list[int]:
    shots = Shots()
    for picture in pictures:
        shots.see(cells_of(picture))
    return shots.cuts()


def room(seed: int) -> np.ndarray:
    """A picture of large patches, another for each seed."""
    random = np.random.default_rng(seed)
    return np.kron(random.integers(0, 255, (6, 10, 3)), np.ones((15, 16, 1))).astype(np.uint8)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(8, 30), min_size=1, max_size=5), st.integers(0, 1000))
def test_planted_cuts_are_found_at_their_pictures(lengths: list[int], seed: int) -> None:
    pictures = [room(seed + shot) for shot, length in enumerate(lengths) for _ in range(length)]
    assert cuts(pictures) == list(np.cumsum(lengths[:-1]))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length: int) -> None:
    white = np.full_like(room(0), 255)
    assert cuts([room(0)] * 20 + [white] * length + [room(0)] * 20) == []


def test_a_pan_an_inset_and_a_hand_are_no_cuts() -> None:
    wide = np.concatenate([room(n) for n in range(4)], axis=1)
    assert cuts([wide[:, 6 * n : 6 * n + 160] for n in range(60)]) == []
    inset, hand = room(0).copy(), room(0).copy()
    inset[10:60, 5:70] = 255 - inset[10:60, 5:70]
    hand[40:80, 40:70] = 0
    assert cuts([room(0)] * 20 + [inset] * 20 + [hand] * 20) == []


def test_a_dark_cut_is_found() -> None:
    assert cuts([room(1) // 8] * 20 + [room(2) // 8] * 20) == [20]


def test_cuts_near_the_ends_and_nothing_at_all() -> None:
    assert cuts([]) == [] and cuts([room(0)]) == []
    assert cuts([room(0)] * 2 + [room(1)] * 20 + [room(2)]) == [2, 22]


@pytest.mark.slow
@pytest.mark.parametrize("name", CUTS_S)
def test_real_cuts(name: str) -> None:
    if not RECORDINGS.is_dir():
        pytest.skip("needs ../shared/data/recordings")
    path = RECORDINGS / name
    found = cuts(list(read_pictures(path, Upright(path, longest_px=320))))
    assert len(found) == len(CUTS_S[name]), found
    assert all(abs(cut / 25 - time) <= 2 / 25 for cut, time in zip(found, CUTS_S[name], strict=True)), found


def test_pictures_that_a_program_repeats_are_found() -> None:
    random, shots = np.random.default_rng(0), Shots()
    pictures = [random.integers(0, 255, (18, 32, 3), np.uint8) for _ in range(20)]
    for n in [0, 1, *[2] * 9, 3, 4, 4, 5]:
        shots.see(pictures[n])
    assert shots.stills(6) == [(3, 11)], "the first of them is new, and a repeat or two is a slower camera"
