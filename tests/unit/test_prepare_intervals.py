from __future__ import annotations

from pathlib import Path

import pytest
from pats_folder import HEAD

from rgx.errors import InputError
from rgx.gesture.prepare.crop import Square
from rgx.gesture.prepare.index import named_pieces
from rgx.gesture.prepare.intervals import beyond, read_intervals
from rgx.gesture.prepare.recordings import Listed, Recording, all_sources
from rgx.store.artifacts import write_json


def line(name: str, speaker: str, first: float, last: float, video: str, split: str = "train") -> str:
    times = [f"2019-09-26 00:{int(t) // 60:02d}:{t % 60:012.9f}" for t in (last, first)]
    return f"{split},{last - first},{times[0]},{name},{speaker},{times[1]},{video},https://example.org\n"


def table(folder: Path, *lines: str) -> Path:
    path = folder / "cmu_intervals_df.csv"
    path.write_text(HEAD + "".join(lines))
    return path


def source(out: Path, name: str, sha: str = "a", **known: object) -> Recording:
    return Recording(out / f"in/{name}.mp4", f"{name}.mp4", "in", sha * 64, out, **known)  # type: ignore[arg-type]


def test_intervals_are_frames_of_their_video(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        line("cmu2", "oliver", 65.02, 70.0, "vid1"),
        line("cmu1", "oliver", 60.5, 65.04, "vid1", "test"),
        line("1000037489", "noah", 0.0, 4.0, "vid2"),
        line("cmu1|mirror", "oliver|mirror", 60.5, 65.0, "vid1"),
    )
    videos = read_intervals(path).videos
    assert videos["vid1"] == (
        Listed("cmu1", "oliver", "vid1", "test", 1512, 1626),
        Listed("cmu2", "oliver", "vid1", "train", 1626, 1750),
    ), "in order, the mirrored left out, no frame in two"
    assert videos["vid2"] == (Listed("1000037489", "noah", "vid2", "train", 0, 100),)


def test_missing_intervals_are_dropped(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra rgx-experiments[pats]")
    path = table(tmp_path, line("cmu1", "oliver", 0, 4, "v"), line("cmu2", "oliver", 4, 8, "v"))
    with h5py.File(tmp_path / "missing_intervals.h5", "w") as file:
        file["intervals"] = [b"cmu2"]
    assert [listed.name for listed in read_intervals(path).videos["v"]] == ["cmu1"]


def test_recordings_of_no_interval_are_left_out(tmp_path: Path) -> None:
    found = read_intervals(table(tmp_path, line("cmu1", "oliver", 0, 4, "4bwMeTKC0M4")))
    left_out: dict[str, str] = {}
    known, other = source(tmp_path, "4bwMeTKC0M4"), source(tmp_path, "4bwMeTKC0M5", "b")
    (kept,) = found.given([known, other], left_out)
    assert kept.intervals[0].name == "cmu1"
    told = "no interval of cmu_intervals_df.csv is of this video: did you mean '4bwMeTKC0M4'?"
    assert left_out == {"4bwMeTKC0M5.mp4": told}
    with pytest.raises(InputError, match=r"no interval is of any of these recordings; .*4bwMeTKC0M4\.mp4"):
        found.given([other], {})


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([line("cmu1", "oliver", 0, 4, "v")] * 2, "interval cmu1 is listed twice"),
        ([], "lists no intervals"),
        (["train,4,noon,cmu1,oliver,dawn,v,x\n"], "line 2: start_time 'dawn'"),
    ],
)
def test_a_table_of_no_use_is_told(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(InputError, match=f"cmu_intervals_df.csv.*{said}"):
        read_intervals(table(tmp_path, *lines))
    with pytest.raises(InputError, match=r"absent\.csv: unreadable as an interval table"):
        read_intervals(tmp_path / "absent.csv")


def stretch(first: int, last: int, reason: str = "") -> dict[str, object]:
    return {"first": first, "last": last, "reason": reason, "square": None if reason else [0, 0, 100]}


def test_clips_are_called_as_their_intervals(tmp_path: Path) -> None:
    listed = (
        Listed("cmu1", "oliver", "v", "train", 0, 100),
        Listed("cmu2", "oliver", "v", "test", 100, 900),
        Listed("cmu3", "oliver", "v", "train", 900, 1000),
    )
    cut = source(tmp_path, "v", intervals=listed)
    spans = [stretch(0, 100), stretch(100, 600), stretch(600, 900), stretch(900, 1000, "no one in view")]
    write_json(cut.folder / "analysis.json", {"stretches": spans})
    named = named_pieces([cut])[cut]
    assert {name: (p.first, p.last, p.split) for name, p in named.items()} == {
        "cmu1": (0, 100, "train"),
        "cmu2-001": (100, 350, "test"),
        "cmu2-002": (350, 600, "test"),
        "cmu2-003": (600, 900, "test"),
    }
    again = source(tmp_path, "v", "b", intervals=listed[:1])
    write_json(again.folder / "analysis.json", {"stretches": spans[:1]})
    both = [name for own in named_pieces([cut, again]).values() for name in own]
    assert len(set(both)) == len(both) == 5 and both[-1] == "cmu1.bbbbbbbb"
    assert Square(0, 0, 100) == named["cmu1"].square


def test_intervals_are_remembered(tmp_path: Path) -> None:
    known = source(tmp_path, "v", intervals=(Listed("cmu1", "oliver", "v", "dev", 3, 99),))
    known.path.parent.mkdir()
    known.path.write_bytes(b"video")
    known.remember()
    assert all_sources(tmp_path) == [known]


def test_what_a_table_lists_and_is_not_here_is_counted(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        line("1", "oliver", 0.0, 36.0, "here"),
        line("2", "oliver", 100.0, 104.0, "here", "test"),
        line("3", "oliver", 0.0, 4.0, "gone"),
        line("4", "seth", 5.0, 9.0, "gone", "dev"),
    )
    intervals = read_intervals(path)
    here = source(tmp_path / "out", "here", intervals=intervals.videos["here"])
    assert intervals.left([here]) == [
        "oliver: train 1 of 2 intervals (0.01 h), test 1 of 1 intervals (0.00 h)",
        "seth: dev 0 of 1 intervals (0.00 h)",
    ]
    assert intervals.absent([here]) == [
        "cmu_intervals_df.csv lists 1 of 2 videos, with 2 of 4 intervals, that are not here: gone."
    ]
    write_json(here.folder / "analysis.json", {"facts": {"seconds": 60.0}})
    assert beyond([here]) == ["1 intervals begin after their video's end: 2 (here.mp4 ends at 60.0 s)."]
    write_json(here.folder / "analysis.json", {"facts": {"seconds": 120.0}})
    assert beyond([here]) == []


@pytest.mark.parametrize(
    ("times", "frames"),
    [
        (("0:00:01.5", "0:00:09"), (38, 225)),
        (("00:01:00", "00:02:00"), (1500, 3000)),
        (("0 days 00:00:02", "0 days 00:00:04.2"), (50, 105)),
        (("2", "4.2"), (50, 105)),
    ],
)
def test_times_and_ids_as_other_programs_write_them(
    times: tuple[str, str], frames: tuple[int, int], tmp_path: Path
) -> None:
    head, mark = HEAD.strip().replace(",", "; "), ";"
    cells = ["train", "8", times[1], "1000037489.0", " oliver", times[0], "vid1.mp4", "x"]
    (tmp_path / "t.csv").write_text(f"\ufeff{head}\r\n{mark.join(cells)}\r\n", encoding="utf-8")
    [listed] = read_intervals(tmp_path / "t.csv").videos["vid1"]
    assert (listed.name, listed.speaker) == ("1000037489", "oliver")
    assert (listed.first, listed.last) == frames


def test_an_interval_that_ends_before_it_begins_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 3: ends at 2 s, before or when it begins, at 5 s"):
        read_intervals(table(tmp_path, line("a", "ann", 0, 4, "v"), line("b", "ann", 5, 2, "v")))


def test_an_interval_inside_another_is_named(tmp_path: Path) -> None:
    listed = read_intervals(table(tmp_path, line("a", "ann", 0, 9, "v"), line("b", "ann", 2, 5, "v")))
    assert listed.inside_others() == ["1 intervals lie wholly in others before them: b."]
