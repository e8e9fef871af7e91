from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rgx.gesture.poses.following import Follower
from rgx.gesture.prepare.crop import Square, square_around
from rgx.gesture.prepare.speakers import Stretch, View, stretches, view_of
from rgx.gesture.prepare.tracks import seen_inside, shares, without_jumps

ONE, NONE, MANY, MUTE = View.ONE, View.NO_ONE, View.SEVERAL, View.MUTE


def views(*runs: tuple[View, int]) -> np.ndarray:
    return np.concatenate([np.full(count, view, np.int8) for view, count in runs])


def usable(found: list[Stretch]) -> list[tuple[int, int]]:
    return [(stretch.first, stretch.last) for stretch in found if not stretch.reason]


def test_one_speaker_for_a_window_is_a_stretch() -> None:
    assert usable(stretches(views((ONE, 81)), [])) == [(0, 81)]
    (short,) = stretches(views((ONE, 80)), [])
    assert short.reason == "one speaker for 3.20 s; a clip needs one speaker for 3.24 s on end"


def test_cuts_end_stretches_and_each_rest_has_its_reason() -> None:
    found = stretches(views((ONE, 100), (MANY, 50), (ONE, 30), (NONE, 20), (ONE, 200)), [310])
    assert usable(found) == [(0, 100), (200, 310), (310, 400)]
    (rest,) = [stretch for stretch in found if stretch.reason]
    assert (rest.first, rest.last) == (100, 200)
    assert rest.reason.startswith("several people in view for 2.00 s; one speaker for 1.20 s; no one in view")


def test_short_losses_are_bridged_and_long_ones_are_not() -> None:
    assert usable(stretches(views((ONE, 60), (NONE, 5), (ONE, 60)), [])) == [(0, 125)]
    assert usable(stretches(views((ONE, 60), (NONE, 3), (MANY, 2), (ONE, 60)), [])) == [(0, 125)]
    assert usable(stretches(views((ONE, 60), (NONE, 6), (ONE, 60)), [])) == []
    assert usable(stretches(views((ONE, 60), (MUTE, 2), (ONE, 60)), [])) == [], (
        "there is no sound to bridge with"
    )
    assert usable(stretches(views((NONE, 3), (ONE, 90), (MANY, 3)), [])) == [(3, 93)], "nothing to bridge to"
    assert usable(stretches(views((ONE, 60), (NONE, 4), (ONE, 60)), [62])) == [], "not over a cut"


def test_another_person_in_the_same_shot_ends_a_stretch() -> None:
    found = stretches(views((ONE, 200)), [], [40, 60])
    assert [(s.first, s.last, bool(s.reason)) for s in found] == [(0, 60, True), (60, 200, False)]
    assert usable(stretches(views((ONE, 90), (NONE, 3), (ONE, 90)), [], [93])) == [(0, 90), (93, 183)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(View), st.integers(1, 120)), min_size=1), st.data())
def test_stretches_cover_everything_once(runs: list[tuple[View, int]], data: st.DataObject) -> None:
    every = views(*runs)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(every)), max_size=4)) - {len(every)})
    jumps = sorted(data.draw(st.sets(st.integers(0, len(every)), max_size=4)))
    found = stretches(every, cuts, jumps)
    edges = [edge for stretch in found for edge in (stretch.first, stretch.last)]
    assert edges[0] == 0 and edges[-1] == len(every) and edges[1:-1:2] == edges[2::2]
    for first, last in usable(found):
        assert last - first >= 81 and not any(first < cut < last for cut in [*cuts, *jumps])
        assert (every[first:last] == View.ONE).mean() > 0.15


def person(x: float, y: float, size: float = 100.0, score: float = 1.0) -> np.ndarray:
    random = np.random.default_rng(0)
    points = np.empty((133, 3), np.float32)
    points[:, :2] = np.array([x, y]) + random.uniform(-size / 2, size / 2, (133, 2))
    points[:, 2] = score
    return points


def test_who_is_counted() -> None:
    nothing, speaker = np.zeros((0, 133, 3), np.float32), person(300, 200)
    assert Follower().follow(nothing)[0] == 0
    assert Follower().follow(speaker[None])[0] == 1
    assert Follower().follow(np.stack([speaker, person(600, 200, 80)]))[0] == 2
    assert Follower().follow(np.stack([speaker, person(600, 200, 20)]))[0] == 1, "in the background"
    assert Follower().follow(person(300, 200, score=0.4)[None])[0] == 0
    face = np.zeros((133, 3), np.float32)
    face[:5] = speaker[:5]
    face[:5, 0] += 300
    assert Follower().follow(np.stack([speaker, face]))[0] == 2, "a head as large as the speaker's"
    face[:5, :2] = face[:5, :2].mean(axis=0) + 0.2 * (face[:5, :2] - face[:5, :2].mean(axis=0))
    assert Follower().follow(np.stack([speaker, face]))[0] == 1, "a head far away"
    hand = person(300, 200)
    hand[:91, 2] = 0
    assert Follower().follow(hand[None])[0] == 0


def test_the_speaker_is_followed_whatever_the_order() -> None:
    follower, speaker, other = Follower(), person(300, 200), person(600, 200, 101)
    follower.follow(speaker[None])
    for people in ([speaker, other], [other, speaker]):
        in_view, kept = follower.follow(np.stack(people))
        assert view_of(in_view) is View.SEVERAL and np.array_equal(kept, speaker)


def test_a_speaker_found_elsewhere_at_once_is_noted() -> None:
    follower = Follower()
    for x in (300, 302, 305, 310, 420, 421, 421):
        follower.follow(person(x, 200)[None])
    assert follower.jumps == [4], (
        "a step of a tenth of its size is movement, one of its size is another person"
    )


def track(low: tuple[float, float], high: tuple[float, float], frames: int = 100) -> np.ndarray:
    """Hands that reach both corners in turn, a face of no height in between."""
    points = np.zeros((frames, 133, 3), np.float32)
    middle = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
    points[:, :11] = points[:, 23:91] = (*middle, 1)
    points[::2, 91:112], points[1::2, 112:133] = (*low, 1), (*high, 1)
    return points


def test_the_square_holds_what_is_reached_with_a_margin() -> None:
    square = square_around(track((400, 100), (600, 300)), 1280, 720)
    assert square.side == 232 and (square.left, square.top) == (384, 84)
    assert not square.beyond(1280, 720)


def test_the_square_stays_inside_where_it_can() -> None:
    corner = square_around(track((0, 0), (200, 200)), 1280, 720)
    assert corner == Square(0, 0, 232)
    tall = square_around(track((500, 0), (700, 720)), 1280, 720)
    assert tall.side == 720 and not tall.beyond(1280, 720), "a margin alone never needs padding"
    wide = square_around(track((100, 100), (1100, 300)), 1280, 720)
    assert wide.side == 1000 and wide.beyond(1280, 720) and wide.top == -140


def test_a_stray_point_does_not_widen_the_square() -> None:
    usual = track((400, 100), (600, 300), 400)
    stray = usual.copy()
    stray[7, 95] = (1200, 700, 1)
    assert square_around(stray, 1280, 720) == square_around(usual, 1280, 720)
    stray[:, 130] = (1200, 700, 0.2)
    assert square_around(stray, 1280, 720) == square_around(usual, 1280, 720), "nor one hardly found"


def test_the_head_has_room_for_hair() -> None:
    points = track((400, 300), (600, 400))
    points[:, 23:57, 1], points[:, 57:91, 1] = 200, 300
    square = square_around(points, 1280, 720)
    assert square.top < 200 - 0.6 * 100


@given(st.integers(-50, 900), st.integers(-50, 500), st.integers(2, 900))
def test_points_are_placed_as_pixels_are(left: int, top: int, side: int) -> None:
    points = np.array([[[left, top, 1], [left + side, top + side, 0.7], [5, 5, 0]]], np.float32)
    placed = Square(left, top, side).place(points, 256)
    assert np.allclose(placed[0], [[0, 0, 1], [256, 256, 0.7], [0, 0, 0]], atol=1e-3)


def test_a_jump_for_one_frame_is_taken_out() -> None:
    time = np.arange(50, dtype=np.float32)
    points = np.ones((50, 133, 3), np.float32)
    points[..., 0], points[..., 1] = 3 * time[:, None], 100
    points[:, 5, 0] += 100
    wild = points.copy()
    wild[20, 9, :2] += (0, 80)
    wild[30:, 100, 1] += 80  # it moves there and stays
    cleaned = without_jumps(wild)
    assert (np.argwhere(cleaned[..., 2] == 0) == [[20, 9]]).all()
    assert np.array_equal(np.delete(cleaned, 20, axis=0), np.delete(wild, 20, axis=0))


def test_shares_count_points_inside_only() -> None:
    placed = np.full((10, 133, 3), (128, 128, 1), np.float32)
    placed[:5, 91:112, 0] = 300
    placed[:, 112:133, 2] = 0.5
    assert shares(seen_inside(placed, 256)) == {"body": 1, "face": 1, "left_hand": 0.5, "right_hand": 0}
