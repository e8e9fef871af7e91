from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import planted_people
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_people import Planted, plain, record, waving

from rgx.errors import InputError
from rgx.gesture.prepare.analysis import ANALYSIS, TRACK, Judgement, judge
from rgx.gesture.prepare.extractors import Choice
from rgx.gesture.prepare.recording_parts import divide, track
from rgx.gesture.prepare.sightings import Look, examine_streams
from rgx.store.artifacts import read_json

PLUGIN = ("planted_people", Path(planted_people.__file__).read_text())
CHOICE = Choice("planted", (PLUGIN,))


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 3000)), min_size=1, max_size=20),
    st.integers(125, 750),
)
def test_spans_are_divided_without_loss(runs: list[tuple[int, int]], most: int) -> None:
    spans, at = [], 0
    for gap, frames in runs:
        spans.append((at + gap, at + gap + frames))
        at += gap + frames
    groups = divide(spans, most)
    pieces = [piece for group in groups for piece in group]
    assert [n for first, last in pieces for n in (first, last)] == sorted(n for p in pieces for n in p)
    assert sum(last - first for first, last in pieces) == sum(last - first for first, last in spans)
    assert all(any(a <= first and last <= b for a, b in spans) for first, last in pieces)
    sizes = [sum(last - first for first, last in group) for group in groups]
    assert max(sizes) <= 1.5 * most
    assert all(a + b > most for a, b in pairwise(sizes)), "neighbours that fit into one part are one"


def look_at(path: Path, folder: Path, workers: int, spans: tuple[tuple[int, int], ...] = ()) -> Look:
    look = Look(str(path), str(folder), CHOICE, {"of": "a test"}, spans)
    examine_streams(look)
    parts = tuple(look.parts(workers, look.frames))
    for part in parts:
        track(part)
    judge(Judgement(look, parts))
    return look


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven seconds with a cut at 6 s, after which the speaker stands elsewhere."""

    def scene(now: float) -> tuple[np.ndarray, list[planted_people.Person]]:
        if now < 6:
            return plain(160, 90, grey=90), [waving(now, 60, 30, 5)]
        return plain(160, 90, grey=150), [waving(now, 100, 30, 5)]

    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    return record(path, scene, [n / 25 for n in range(270)], sound_s=(0.0, 12.0))


def test_parts_give_what_the_whole_gives(talk: Path, tmp_path: Path) -> None:
    """The second part begins within a shot; the judgement is the same."""
    whole, halves = tmp_path / "1", tmp_path / "2"
    assert (
        len(look_at(talk, whole, 1).parts(1, 270)) == 1 and len(look_at(talk, halves, 2).parts(2, 270)) == 2
    )
    found = read_json(whole / ANALYSIS)
    assert found["cuts"] == [150] and [s["last"] for s in found["stretches"]] == [150, 270]
    assert read_json(halves / ANALYSIS) == found
    assert (halves / TRACK).read_bytes() == (whole / TRACK).read_bytes()
    assert not (halves / "parts").exists(), "what was judged is not kept"


def test_only_what_is_asked_for_is_looked_at(talk: Path, tmp_path: Path) -> None:
    look_at(talk, tmp_path / "a", 1, ((20, 110), (110, 170), (185, 270)))
    found = read_json(tmp_path / "a" / ANALYSIS)
    spans = [(s["first"], s["last"], s["reason"][:15]) for s in found["stretches"]]
    assert spans == [
        (20, 110, ""),
        (110, 150, "one speaker for"),
        (150, 170, "one speaker for"),
        (185, 270, ""),
    ]
    points = np.fromfile(tmp_path / "a" / TRACK, "<f4").reshape(-1, 133, 3)
    seen = points[..., 2].any(axis=1)
    assert len(points) == 270 and not seen[:20].any() and not seen[170:185].any()
    assert seen[20:170].all() and seen[185:].all()


@pytest.mark.slow
def test_a_part_is_looked_at_once(talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that stops half way has kept the parts it finished."""
    looked: list[int] = []
    usual = Planted.track

    def counted(self: Planted, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for people in usual(self, frames):
            looked.append(len(people))
            if len(looked) == 200:
                raise InputError("stopped")
            yield people

    Planted_here = CHOICE.variant().cls  # noqa: N806  # the plugin's own class
    monkeypatch.setattr(Planted_here, "track", counted)
    with pytest.raises(InputError, match="stopped"):
        look_at(talk, tmp_path / "a", 2)
    assert not (tmp_path / "a" / ANALYSIS).exists()
    look_at(talk, tmp_path / "a", 2)
    assert len(looked) == 200 + 135, "the second half again, the first not"
    monkeypatch.undo()
    look_at(talk, tmp_path / "b", 1)
    assert (tmp_path / "a" / TRACK).read_bytes() == (tmp_path / "b" / TRACK).read_bytes()


def test_one_that_follows_looks_at_a_recording_in_one_piece(talk: Path, tmp_path: Path) -> None:
    look = Look(str(talk), str(tmp_path), Choice("mediapipe_following"), {}, ())
    examine_streams(look)
    assert [part.spans for part in look.parts(8, look.frames)] == [((0, None),)]
    still = look._replace(poses=Choice("mediapipe"))
    assert [part.spans for part in still.parts(8, look.frames)] == [((0, 135),), ((135, None),)]
