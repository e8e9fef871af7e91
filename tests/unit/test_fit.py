"""Tracks that others made: another rate, size or side is refused with the binding that mends it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_tracks import exchanged, person

from rgx.errors import InputError
from rgx.gesture.apps.score import RATE, Systems, parse_rates, sweep_of
from rgx.gesture.poses.fit import RATES_HZ, MisfitError, TrackFit, followed, resampled
from rgx.gesture.skeleton import POINTS, normalise

SIZE, FRAMES = (640, 360), 200


def fitted(fit: TrackFit, people: np.ndarray, frames: int | None = FRAMES) -> np.ndarray:
    points = fit.fitted("a.json", people, frames, SIZE, "corpus/").points
    fit.check_size("a.json", points, SIZE, "corpus/")
    return points


def test_a_sound_track_passes_as_it_is() -> None:
    np.testing.assert_array_equal(fitted(TrackFit(), person()[:, None]), person())


@pytest.mark.parametrize("rate_hz", [12.5, 15, 24, 30, 50, 60])
def test_another_rate_is_named_and_then_brought_to_25(rate_hz: float) -> None:
    made = person(round(FRAMES * rate_hz / 25), rate_hz)[:, None]
    with pytest.raises(MisfitError) as refused:
        fitted(TrackFit(), made)
    assert refused.value.binding == f"corpus/fit.track.rate_hz = {rate_hz:g}"
    assert f"{len(made)} frames, the clip has 200" in str(refused.value)
    points = fitted(TrackFit(rate_hz=rate_hz), made)
    assert np.abs(points[:-2, :, :2] - person()[:-2, :, :2]).max() < 2.5, "between frames it moves on a line"


def test_what_is_said_wrongly_is_told() -> None:
    with pytest.raises(MisfitError, match=r"rate_hz = 25$"):
        fitted(TrackFit(rate_hz=30), person()[:, None])
    with pytest.raises(MisfitError, match=r"^a.json: 150 frames, expected 200 as the clip has: a frame "):
        fitted(TrackFit(), person(151)[:150, None], 200)


@pytest.mark.parametrize("parts", [("hands",), ("body",), ("body", "hands")])
def test_exchanged_sides_are_named_and_then_put_back(parts: tuple[str, ...]) -> None:
    made = exchanged(person(), *parts)[:, None]
    with pytest.raises(MisfitError) as refused:
        fitted(TrackFit(), made)
    assert refused.value.binding == f"corpus/fit.track.exchanged = {sorted(parts)}"
    np.testing.assert_array_equal(fitted(TrackFit(exchanged=parts), made), person())
    np.testing.assert_array_equal(fitted(TrackFit(mistaken=1.0), made), made[:, 0])


@pytest.mark.parametrize(("scale", "words"), [(3.0, "lie outside pictures"), (0.2, "upper left quarter")])
def test_another_size_is_named_and_then_brought_to_the_clips(scale: float, words: str) -> None:
    made = person()[:, None] * np.float32([scale, scale, 1])
    with pytest.raises(MisfitError, match=words) as refused:
        fitted(TrackFit(), made)
    assert refused.value.binding == "corpus/fit.track.size_px"
    size = (round(640 * scale), round(360 * scale))
    np.testing.assert_allclose(fitted(TrackFit(size_px=size), made), person(), atol=1e-3)


def test_the_speaker_is_followed_where_others_are_in_view() -> None:
    people = np.zeros((FRAMES, 2, POINTS, 3), np.float32)
    people[:, 0] = person()
    people[40:43, 1] = person()[40:43] * np.float32([0.8, 0.8, 1]) + np.float32([90, 20, 0])
    people[41] = people[41, ::-1]
    points, crowded = followed(people)
    np.testing.assert_array_equal(points, person())
    assert crowded == 3
    assert TrackFit().fitted("a", people, FRAMES, SIZE, "").crowded == 3


def test_who_stands_still_is_told() -> None:
    fit = TrackFit().fitted("a", np.repeat(person()[:1, None], FRAMES, axis=0), FRAMES, SIZE, "")
    assert fit.still == 1.0
    assert TrackFit().fitted("a", person()[:, None], FRAMES, SIZE, "").still == 0


@settings(max_examples=30, deadline=None)
@given(rate_hz=st.sampled_from(RATES_HZ), frames=st.integers(2, 90), hole=st.integers(0, 89))
def test_points_in_time_are_those_of_a_slow_loop(rate_hz: float, frames: int, hole: int) -> None:
    people = person(frames, rate_hz)[:, None]
    people[min(hole, frames - 1), :, 7] = 0
    made = resampled(people, rate_hz)
    for n in range(len(made)):
        time = n * rate_hz / 25
        first = min(int(time), frames - 1)
        second, share = min(first + 1, frames - 1), time - int(time)
        for point in (7, 9):
            a, b = people[first, 0, point], people[second, 0, point]
            expected = a + share * (b - a) if a[2] > 0 and b[2] > 0 else (a if share < 0.5 else b)
            np.testing.assert_allclose(made[n, 0, point], expected, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=st.sampled_from((25.0, 15.0, 30.0, 50.0)),
    scale=st.sampled_from((1.0, 3.0, 0.2)),
    parts=st.sampled_from(((), ("hands",), ("body",), ("body", "hands"))),
    offset=st.floats(-30, 30),
)
def test_faults_together_end_right_or_with_a_reason(
    rate_hz: float, scale: float, parts: tuple[str, ...], offset: float
) -> None:
    """Do what each message says, as a person would, until it passes: then the motion is what was planted."""
    made = exchanged(person(round(FRAMES * rate_hz / 25), rate_hz), *parts) * np.float32([scale, scale, 1])
    made = (made + np.float32([offset * scale, offset * scale, 0]))[:, None]
    said: dict[str, object] = {}
    for _ in range(4):
        try:
            points = fitted(TrackFit(**said), made)  # type: ignore[arg-type]
            break
        except MisfitError as refused:
            name, _, value = refused.binding.removeprefix("corpus/fit.track.").partition(" = ")
            sizes = (round(640 * scale), round(360 * scale))
            said[name] = sizes if name == "size_px" else tuple(eval(value)) if "[" in value else float(value)
    else:
        pytest.fail(f"not mended by {said}")
    truth = person()
    shoulder = float(np.linalg.norm(truth[0, 5, :2] - truth[0, 6, :2]))
    kept = [normalise(p[:-2, :, :2], p[:, [5, 6], :2].mean(axis=(0, 1)), shoulder) for p in (points, truth)]
    assert np.abs(kept[0] - kept[1]).max() < 0.03


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate_hz": -1.0}, "rate_hz = -1"),
        ({"size_px": (5,)}, "width and height"),
        ({"exchanged": ("hand",)}, "did you mean 'hands'"),
        ({"mistaken": 2.0}, "mistaken = 2.0: expected 0 to 1"),
    ],
)
def test_bindings_are_checked(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TrackFit(**changes)  # type: ignore[arg-type]


def test_a_system_s_rate_is_a_binding_of_its_row_alone(tmp_path: Path) -> None:
    rates = parse_rates(["At30=30"], ["Ours", "At30"])
    systems = Systems(tmp_path, {"Ours": tmp_path, "At30": tmp_path}, rates)
    [rows] = sweep_of(systems, None)["panels"].values()
    assert rows["At30"][RATE] == 30 and RATE not in rows["Ours"]


@pytest.mark.parametrize(
    ("pair", "words"),
    [("At3=30", "did you mean 'At30'"), ("At30=fast", "expected NAME=HZ"), ("At30=0", "expected 1 to 1000")],
)
def test_a_rate_that_is_none_is_named(pair: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_rates([pair], ["At30", "Ours"])
