"""`make demo` with fewer steps and smaller pictures: from an empty folder to two tables, a page and films."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import av
import nursery
import pytest
from little import ROOT

from rgx.gesture.types import SAMPLE_RATE_HZ, WINDOW_FRAMES

pytestmark = pytest.mark.slow
STEPS = {
    "judge": 20, "sync_judge": 5, "alignment": 10, "tokenizer": 30, "generator": 15, "residual": 10,
    "animator": 20, "refiner": 2,
}  # fmt: skip
LESS = [
    "stage.frames.size_px = 32",
    "corpus.puppets.train_clips = 3",
    *(f"{s}/training.adamw.steps = {n}" for s, n in STEPS.items()),
]
PANELS = {"motion": ["regression", "full-model"], "decoding": ["one shot", "full-model"]}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report that the demo leaves in an empty folder."""
    folder = tmp_path_factory.mktemp("demo")
    bound = [x for line in LESS for x in ("--bind", line)]
    command = ["sweep", "sweeps/demo.yaml", "--store", "store", *bound, "--engine", "inline"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = nursery.rgx(command, folder, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    [report] = (folder / "reports" / "build").iterdir()  # its name tells what was bound
    return report


def test_make_demo_runs_that_command() -> None:
    told = subprocess.run(
        ["make", "-n", "--no-print-directory", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert told.rstrip().endswith("rgx sweep sweeps/demo.yaml")


@pytest.mark.parametrize("panel", PANELS)
def test_each_table_is_of_three_seeds_and_says_at_what_budget(built: Path, panel: str) -> None:
    for suffix in ("md", "tex"):
        table = (built / f"{panel}.{suffix}").read_text()
        assert "over n = 3 seeds" in table and "Demo scale" in table
    table = (built / f"{panel}.md").read_text()
    for row in PANELS[panel]:
        [line] = [line for line in table.splitlines() if line.startswith(f"| {row}")]
        assert line.count("±") == 5, line


def test_the_page_has_both_tables_and_the_films(built: Path) -> None:
    page = (built / "index.html").read_text()
    assert all(f'id="panel-{panel}"' in page for panel in PANELS)
    films = sorted((built / "videos").glob("*.mp4"))
    assert [film.name.partition("-")[0] for film in films] == ["rows", *["video"] * 4]
    assert all(f'poster="videos/{film.stem}.jpg" ' in page and film.name in page for film in films)


def test_a_film_is_one_window_with_its_speech(built: Path) -> None:
    for film in (built / "videos").glob("*.mp4"):
        with av.open(str(film)) as container:
            pictures = sum(1 for _ in container.decode(video=0))
        with av.open(str(film)) as container:
            [sound] = container.streams.audio
            assert sound.rate == SAMPLE_RATE_HZ and any(container.decode(sound))
        assert pictures == WINDOW_FRAMES


def test_a_regression_moves_alike_whatever_it_hears(built: Path) -> None:
    store = built.parents[2] / "store"
    scores: dict[str, list[float]] = {}
    for path in store.glob("motion_scores/*/manifest.json"):
        manifest = json.loads(path.read_text())
        scores.setdefault(manifest["row"], []).append(manifest["outputs"]["scores"]["diversity"])
    assert {row: len(seeds) for row, seeds in scores.items()} == {
        "motion/regression": 3, "motion/full-model": 3, "decoding/one shot": 3,
    }  # fmt: skip
    assert min(scores["motion/full-model"]) > max(scores["motion/regression"])
