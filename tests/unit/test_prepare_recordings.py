from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rgx.errors import InputError
from rgx.gesture.prepare.crop import Square
from rgx.gesture.prepare.extractors import read_choice
from rgx.gesture.prepare.recordings import clip_stems, find_files, identify
from rgx.gesture.prepare.splits import Piece, cut, cut_by_time, split_sources
from rgx.run.parallel import map_tasks

RAY = pytest.mark.xdist_group("ray in pipelines")
SQUARE = Square(0, 0, 100)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(path))


def test_files_are_found_in_folders_and_the_corpus_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "in" / "corpus"
    names = ["b.MP4", "ann/a talk.mov", "ünï/код 会.mkv", "ann/voice.wav", "still.png"]
    touch(*(tmp_path / "in" / name for name in (*names, "notes.txt", ".hidden.mp4", ".git/x.mp4")))
    touch(out / "clips/old-001.mp4")
    found = [path.relative_to(tmp_path / "in").as_posix() for path in find_files(tmp_path / "in", out)]
    assert sorted(found) == sorted(names)
    assert find_files(tmp_path / "in/b.MP4", out) == [tmp_path / "in/b.MP4"]


def test_nothing_to_prepare_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        find_files(tmp_path / "nowhere", tmp_path / "out")
    touch(tmp_path / "in/notes.txt")
    with pytest.raises(InputError, match="in: no recordings; expected files such as"):
        find_files(tmp_path / "in", tmp_path / "out")
    with pytest.raises(InputError, match="another folder than the recordings' own"):
        find_files(tmp_path / "in", tmp_path / "in")


def test_two_files_of_one_name_have_clips_of_two_names(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("ann/talk.mp4", "bob/Talk.mov", "bob/other.mp4", "bob/a:b?.mp4")]
    touch(*paths)
    sources = identify(paths, tmp_path, tmp_path / "out", None)
    assert [source.speaker for source in sources] == ["ann", "bob", "bob", "bob"]
    stems = [clip_stems(sources)[source.sha256] for source in sources]
    assert stems[0].startswith("talk.") and stems[1].startswith("Talk.") and stems[2:] == ["other", "a_b_"]
    assert len({stem.casefold() for stem in stems}) == 4
    assert {s.speaker for s in identify(paths, tmp_path, tmp_path / "out", "eve")} == {"eve"}


def test_names_that_no_text_can_hold(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n.mp4"))
    touch(path, long := tmp_path / f"{'長' * 80}.mp4")
    first, second = identify([path, long], tmp_path, tmp_path / "out", None)
    assert first.stem == "caf__" and first.name.isprintable() and second.stem == "長" * 60


@given(st.dictionaries(st.text("0123456789abcdef", min_size=4), st.sampled_from("abc"), min_size=2))
def test_each_corpus_has_a_test_source(speakers: dict[str, str]) -> None:
    split = split_sources(speakers)
    assert {"train", "test"} <= set(split.values()) <= {"train", "dev", "test"}
    assert split == split_sources(dict(reversed(speakers.items()))), "the order of files decides nothing"
    counts = list(speakers.values())
    if len(set(counts)) < len(counts):
        held = {speakers[s] for s in speakers if split[s] == "train"}
        assert held == set(counts), "every speaker is trained on where one has two sources"
    if "dev" in split.values():
        assert 2 * list(split.values()).count("train") >= len(split), "half is left to train"


def test_about_a_tenth_of_many_sources_is_test() -> None:
    split = list(split_sources({f"{n:08x}": "ann" for n in range(2000)}).values())
    assert 150 < split.count("test") < 250 and split_sources({"a": "ann"}) == {"a": "train"}
    assert 150 < split.count("dev") < 250
    few = split_sources({f"{n:08x}": "ann" for n in range(4)})
    assert sorted(few.values()) == ["dev", "test", "train", "train"]


@given(st.lists(st.integers(81, 3000), min_size=1, max_size=5))
def test_long_stretches_become_equal_clips(lengths: list[int]) -> None:
    starts = [sum(lengths[:n]) for n in range(len(lengths))]
    pieces = cut(Piece(a, a + n, SQUARE) for a, n in zip(starts, lengths, strict=True))
    sizes = [piece.last - piece.first for piece in pieces]
    assert sum(sizes) == sum(lengths) and min(sizes) >= 81 and max(sizes) <= 375


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(81, 900)), min_size=1, max_size=4))
def test_one_source_is_split_by_time_with_a_gap(runs: list[tuple[int, int]]) -> None:
    stretches, at = [], 0
    for gap, frames in runs:
        stretches.append(Piece(at + gap, at + gap + frames, SQUARE))
        at += gap + frames
    pieces = cut_by_time(stretches)
    train, dev, test = ([p for p in pieces if p.split == split] for split in ("train", "dev", "test"))
    assert train
    if not test:
        assert not dev
        assert sum(frames for _, frames in runs) < 2 * 3 * 81 + 81 * len(runs)
        return
    assert min(piece.first for piece in test) - max(piece.last for piece in train + dev) >= 81
    if dev:
        assert min(piece.first for piece in dev) - max(piece.last for piece in train) >= 81
        kept = sum(piece.last - piece.first for piece in train)
        assert 2 * kept >= sum(frames for _, frames in runs)
    assert all(any(s.first <= p.first < p.last <= s.last for s in stretches) for p in pieces)


def test_the_shortest_recording_that_can_be_split() -> None:
    splits = [[p.split for p in cut_by_time([Piece(0, frames, SQUARE)])] for frames in (242, 243)]
    assert splits == [["train"], ["train", "test"]]


def test_a_minute_has_dev_and_what_tests_is_what_tested_before() -> None:
    pieces = cut_by_time([Piece(0, 1500, SQUARE)])
    spans = {split: [(p.first, p.last) for p in pieces if p.split == split] for split in ("dev", "test")}
    assert spans == {"dev": [(969, 1119)], "test": [(1200, 1500)]}
    assert max(piece.last for piece in pieces if piece.split == "train") == 969 - 81


@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=[pytest.mark.slow, RAY])])
def test_an_error_ends_its_item_alone(cpus: int) -> None:
    def half(number: int) -> float:
        if number == 3:
            raise InputError("three is refused")
        return number / 2

    outcomes = sorted(map_tasks(half, range(6), cpus), key=lambda outcome: outcome.item)
    assert [o.result for o in outcomes] == [0, 0.5, 1, None, 2, 2.5]
    assert [str(o.error) for o in outcomes if o.error] == ["three is refused"]
    assert isinstance(outcomes[3].error, InputError)


@pytest.mark.slow
@RAY
def test_a_worker_that_dies_ends_its_item_alone() -> None:
    def die(number: int) -> int:
        if number == 1:
            os._exit(3)
        return number

    outcomes = sorted(map_tasks(die, range(4), 2), key=lambda outcome: outcome.item)
    assert [o.result for o in outcomes] == [0, None, 2, 3] and outcomes[1].error is not None


def test_bindings_reach_the_extractor_and_its_identity(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_text("weights")
    named = [f"poses.mmpose.checkpoint = {str(weights)!r}"]
    usual = read_choice("mmpose", (), named)
    bound = read_choice("mmpose", (), [*named, "poses.mmpose.least_score = 0.4"])
    made = bound.make(tmp_path / "a.mp4").extractor
    assert made.weights["checkpoint"] == str(weights) and made.settings["least_score"] == 0.4
    assert made.people == 1
    assert bound.identity() != usual.identity() == read_choice("mmpose", (), named).identity()
    assert read_choice("files", (), ()).reads_files() and not usual.reads_files()
    for binding, told in {
        "poses.mmpose.least_scor = 0.4": "has no parameter 'least_scor': did you mean 'least_score'?",
        "poses.mmpos.least_score = 0.4": r"no variant 'poses\.mmpos': did you mean 'poses\.mmpose'?",
        "poses.mmpose.least_score = 'low'": "expected a number, found text",
        "poses.mmpose.least_score = low": "found low, expected a number",
        "poses.mmpose.least_score = %LOW": "%LOW has no value: bind LOW",
        "poses.mmpose.least_score = @poses.mediapipe()": "expected a number, found",
        "poses.mediapipe.python = 'x'": r"nothing reads 'poses\.mediapipe\.python' here; what is made: ",
        "a/poses.mmpose.device = 'x'": r"did you mean 'poses\.mmpose\.device'",
        "device": r"expected axis\.variant\.parameter = value",
        "# nothing": r"expected axis\.variant\.parameter = value",
        named[0]: "is bound twice; the first stands at --bind",
        "signal.usual.quiet_bd = -50": "did you mean 'quiet_db'",
        "signal.usual.opposed = 7": r"opposed = 7.*: expected -1 to 1",
    }.items():
        with pytest.raises(InputError, match=told) as refused:
            read_choice("mmpose", (), [*named, binding])
        assert f"--bind '{binding}'" in str(refused.value)
    with pytest.raises(InputError, match=r"poses\.mmpose\.checkpoint: expected a file"):
        read_choice("mmpose", (), ())


def test_an_extractor_of_ones_own_that_lacks_a_part_is_told() -> None:
    code = (
        "from rgx import register\n"
        "from rgx.gesture.poses.base import Extractor\n"
        "from rgx.registry import Part\n\n\n"
        "@register('poses', 'parted')\n"
        "class Parted(Extractor):\n"
        "    def __init__(self, model: Part[Extractor], share: float = 0.5): ...\n"
    )
    with pytest.raises(InputError, match=r"poses\.parted needs 'model': bind poses\.parted\.model = @poses"):
        read_choice("parted", (("parted", code),), ["poses.parted.share = 0.25"])


def test_weights_count_by_their_content_and_where_a_program_lies_does_not(tmp_path: Path) -> None:
    identities = []
    for name, text in (("a", "one"), ("b", "one"), ("a", "two")):
        (tmp_path / name).write_text(text)
        bindings = [f"poses.mmpose.checkpoint = {str(tmp_path / name)!r}", f"poses.mmpose.python = '{name}'"]
        identities.append(read_choice("mmpose", (), bindings).identity())
    assert identities[0] == identities[1] != identities[2]


def test_a_configuration_counts_by_its_content_or_by_the_name_it_is_shipped_under(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_text("weights")
    weights = [f"poses.mmpose.checkpoint = {str(tmp_path / 'weights.pth')!r}"]
    identities = [read_choice("mmpose", (), weights).identity()]
    for part in ("config", "detector"):
        others = [f"poses.mmpose.detector_checkpoint = {str(tmp_path / 'weights.pth')!r}", *weights]
        for text in ("one", "two"):
            (tmp_path / "own.py").write_text(text)
            own = f"poses.mmpose.{part} = {str(tmp_path / 'own.py')!r}"
            identities.append(read_choice("mmpose", (), [*others, own]).identity())
        identities.append(read_choice("mmpose", (), [*others, f"poses.mmpose.{part} = 'shipped'"]).identity())
    assert len({repr(identity) for identity in identities}) == 7


def test_a_gin_file_binds_and_the_command_line_binds_over_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.gin"
    file.write_text("QUIET = -50\n\nsignal.usual:\n    quiet_db = %QUIET\n    hole_s = 0.5\n")
    signal = read_choice("mediapipe", (), ["signal.usual.hole_s = 1"], [file]).signal
    assert (signal.quiet_db, signal.hole_s, signal.silent_db) == (-50, 1, -60)
    file.write_text("\nposes.mediapipe.pyton = 'x'\n")
    with pytest.raises(InputError, match=r"mine\.gin:2: .*did you mean 'python'"):
        read_choice("mediapipe", (), [], [file])
    with pytest.raises(InputError, match="cannot read it"):
        read_choice("mediapipe", (), [], [tmp_path / "no.gin"])


def test_where_points_lie_is_not_bound_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"beside each recording: 'poses\.files\.path' is bound twice"):
        read_choice("files", (), ["poses.files.path = 'a.npz'"])
    (tmp_path / "a.npz").touch()
    made = read_choice("files", (), []).make(tmp_path / "a.mp4")
    assert made.own_pictures and made.extractor.path == tmp_path / "a.npz"
