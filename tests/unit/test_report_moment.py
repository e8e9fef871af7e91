"""Figures of one test window: they show what the artifacts hold, at the place the stages take it from."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyed import digest, manifest_of
from safetensors.numpy import load_file
from test_report_figures import STEPS, fill, material

from rgx.errors import InputError
from rgx.gesture.data.windows import window_starts
from rgx.gesture.figures.beats import Beats
from rgx.gesture.figures.test_window import Moment, window_places
from rgx.gesture.figures.trajectories import JOINTS, Trajectories
from rgx.gesture.metrics.bas import BasGtRelative
from rgx.gesture.skeleton import kept_index
from rgx.gesture.types import ClipSpan
from rgx.report.definition import load
from rgx.report.gather import gather

KINDS = ("bars", "beats", "codebook", "curve", "factorial", "graph", "training", "trajectories")
ROOT = Path(__file__).resolve().parents[2]


@given(st.lists(st.tuples(st.integers(0, 200), st.sampled_from(["train", "test"])), max_size=6))
def test_windows_are_where_the_stages_take_them(clips: list[tuple[int, str]]) -> None:
    ends = [0, *itertools.accumulate(frames for frames, _ in clips)]
    spans = [
        {"name": f"clip {i}", "speaker": 0, "split": split, "start": ends[i], "frames": frames}
        for i, (frames, split) in enumerate(clips)
    ]
    starts, owners, _ = window_starts(
        [ClipSpan(**span, origin_px=(0, 0), scale_px=1) for span in spans], "test"
    )
    found = list(window_places(spans))
    assert [start for start, _ in found] == starts.tolist()
    assert [clip["name"] for _, clip in found] == [f"clip {owner}" for owner in owners]


def moment_of(root: Path, **settings: Any) -> tuple[Moment, Path]:
    report, store = fill(root, ["3f"], STEPS, 2)
    figure = gather(report, store).report.figures["trajectories"].model_copy(update=settings)
    assert isinstance(figure, Trajectories)
    found = figure.moment(material(gather(report, store)))
    assert found is not None
    return found, store


def test_a_moment_is_what_the_artifacts_hold(tmp_path: Path) -> None:
    moment, store = moment_of(tmp_path, window=1, rows=["ten", "full"])
    corpus = load_file(store / "corpus" / digest("corpus")[:16] / "arrays.safetensors")
    speech = load_file(store / "speech" / digest("speech")[:16] / "arrays.safetensors")
    # The clip starts at frame 10; its second window ten frames and the condition frame later.
    assert (moment.clip, moment.start_s) == ("clip", pytest.approx(11 / 25))
    assert np.array_equal(moment.real, corpus["motion"][21:101])
    assert np.array_equal(moment.valid, corpus["valid"][21:101])
    assert np.array_equal(moment.waveform, corpus["waveform"][21 * 640 : 101 * 640])
    assert np.array_equal(moment.audio_beats, speech["onsets"][21:101])
    assert list(moment.generated) == ["ten", "full"]
    for row, steps in {"ten": 10, "full": 5}.items():
        motion = load_file(store / "motion" / digest(f"motion{steps}0")[:16] / "arrays.safetensors")["motion"]
        assert np.array_equal(moment.generated[row], motion[1])


def test_trajectories_are_drawn_upwards_with_gaps_where_nothing_was_seen(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], {"full": 5}, 1))
    figure = gathered.report.figures["trajectories"]
    assert isinstance(figure, Trajectories)
    moment, drawing = figure.moment(material(gathered)), figure.draw(material(gathered))
    assert moment is not None and drawing is not None
    nose = kept_index(JOINTS["nose"])
    right, up = drawing.axes
    seen = moment.valid[:, nose]
    for axes, coordinate, sign in ((right, 0, 1), (up, 1, -1)):
        real, generated = (np.asarray(line.get_ydata()) for line in axes.lines)
        assert np.array_equal(real[seen], sign * moment.real[seen, nose, coordinate])
        assert np.isnan(real[~seen]).all() and not seen.all()
        assert np.array_equal(generated, sign * moment.generated["full"][:, nose, coordinate])
    assert right.lines[0].get_xdata()[-1] == pytest.approx(79 / 25)


def test_beats_are_those_of_the_scores(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], {"full": 5}, 1))
    figure = gathered.report.figures["beats"]
    assert isinstance(figure, Beats)
    moment, drawing = figure.moment(material(gathered)), figure.draw(material(gathered))
    assert moment is not None and drawing is not None
    for axes, motion in zip(drawing.axes[1:], [moment.real, moment.generated["full"]], strict=True):
        dots = next(line for line in axes.lines if line.get_marker() == "o")
        scored = np.flatnonzero(BasGtRelative()._beats(motion[None])[0]) / 25
        assert len(scored) and np.allclose(np.asarray(dots.get_xdata()), scored)
        sounds = [segment[0][0] for segment in axes.collections[0].get_segments()]
        assert np.allclose(sounds, np.flatnonzero(moment.audio_beats) / 25)


def test_a_standstill_is_a_beat_where_it_begins(tmp_path: Path) -> None:
    figure = Beats(panel="p")
    motion = np.zeros((80, 123, 2), np.float32)
    # Every point goes right by a frame's step, and stands from frame 30 to 40.
    steps = np.where((np.arange(80) > 30) & (np.arange(80) <= 40), 0.0, 0.1)
    motion[..., 0] = np.cumsum(steps)[:, None]
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    figure._motion(axes, motion, 4, "black")
    assert np.asarray(axes.lines[1].get_xdata()).tolist() == [31 / 25]


def test_beats_are_compared_as_far_as_the_scores_were(tmp_path: Path) -> None:
    report, store = fill(tmp_path, ["3f"], {"full": 5}, 1)
    manifest = store / "motion_scores" / digest("scores50")[:16] / "manifest.json"
    text = manifest.read_text()
    record = (
        '"record": {"metrics": [{"variant": "metric/fgd"}, {"variant": "metric/bas", "order_frames": 9}]}'
    )
    manifest.write_text(text.replace('"outputs"', f'{record}, "outputs"', 1))
    figure = gather(report, store).report.figures["beats"]
    assert isinstance(figure, Beats)
    found = figure.moment(material(gather(report, store)))
    assert found is not None and found.order_frames == 9


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("window: 1", "window: 2", "found window 2, expected 0 to 1"),
        ("window: 1", "window: -1", "found window -1, expected 0 to 1"),
        ("- nose", "- noze", "there is no joint 'noze'; did you mean 'nose'?"),
    ],
)
def test_a_wrong_window_or_joint_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    report, store = fill(tmp_path, ["3f"], {"full": 5}, 1)
    report.write_text(report.read_text().replace(old, new))
    with pytest.raises(InputError, match=said):
        figure = load(report).figures["beats"]
        figure.draw(material(gather(report, store)))


def test_rows_of_two_corpora_are_refused_and_lost_arrays_show_nothing(tmp_path: Path) -> None:
    report, store = fill(tmp_path, ["3f"], STEPS, 1)
    record = store / "sweeps" / "made.json"
    other = store / "corpus" / digest("elsewhere")[:16]
    other.mkdir()
    for file in (store / "corpus" / digest("corpus")[:16]).iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    (other / "manifest.json").write_text(json.dumps(manifest_of("corpus", digest("elsewhere"))))
    text = record.read_text()
    record.write_text(text.replace(digest("corpus"), digest("elsewhere"), 1))
    gathered = gather(report, store)
    with pytest.raises(InputError, match="2 corpora"):
        gathered.report.figures["trajectories"].draw(material(gathered))
    record.write_text(text)
    for file in store.glob("motion/*/arrays.safetensors"):
        file.unlink()
    gathered = gather(report, store)
    assert gathered.report.figures["trajectories"].draw(material(gathered)) is None


@pytest.mark.slow
def test_motion_of_another_split_is_refused(tmp_path: Path) -> None:
    report, store = fill(tmp_path, ["3f"], STEPS, 2)
    path = store / "motion" / digest("motion100")[:16] / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"record": manifest["record"] | {"split": "dev"}}))
    gathered = gather(report, store)
    figure = gathered.report.figures["trajectories"]
    with pytest.raises(InputError, match=r"panel 3f: motion of another split: ten \(dev\); expected rows of"):
        figure.moment(material(gathered))  # type: ignore[attr-defined]


def test_no_figure_needs_torch(tmp_path: Path) -> None:
    report, store = fill(tmp_path, ["3f"], {"full": 5}, 1)
    code = (
        "import sys, pathlib, rgx.report.render as r\n"
        "r.render(*map(pathlib.Path, sys.argv[1:]))\n"
        "assert 'matplotlib' in sys.modules and not {'torch', 'ray'} & set(sys.modules)"
    )
    arguments = [sys.executable, "-c", code, str(report), str(store), str(tmp_path / "out")]
    subprocess.run(arguments, check=True, cwd=ROOT)
    assert {f"{name}.pdf" for name in KINDS} <= {path.name for path in tmp_path.glob("out/made/*.pdf")}
