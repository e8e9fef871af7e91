"""Other systems' files against recordings: every metric orders planted systems as its definition says."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from little import command, manifests

from rgx.apps.score import Systems, parse, write_definitions
from rgx.errors import InputError

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "pats_mini"
Landmarks = dict[str, np.ndarray]


def landmarks(clip: str) -> Landmarks:
    return dict(np.load(REAL / "landmarks" / f"{clip}.npz"))


def noisy(found: Landmarks, other: Landmarks) -> Landmarks:
    random = np.random.default_rng(0)
    noise = {k: random.normal(0, 0.01, v.shape) for k, v in found.items()}
    noise["pose"][..., 2] = 0  # visibility
    return {k: v + noise[k] for k, v in found.items()}


def later(found: Landmarks, other: Landmarks) -> Landmarks:
    return {k: np.roll(v, 25, axis=0) for k, v in found.items()}


def of_another(found: Landmarks, other: Landmarks) -> Landmarks:
    frames = np.arange(len(found["pose"])) % len(other["pose"])
    return {k: v[frames] for k, v in other.items()}


PLANTED = {"itself": lambda found, other: found, "noisy": noisy, "later": later, "another": of_another}


@pytest.fixture
def systems(tmp_path: Path) -> Systems:
    if not REAL.is_dir():
        pytest.skip("needs ../shared")
    tests = [r for r in csv.DictReader((REAL / "index.csv").open()) if r["split"] == "test"]
    longest = {r["speaker"]: max((t for t in tests if t["speaker"] != r["speaker"]),
                                 key=lambda t: len(landmarks(t["clip"])["pose"])) for r in tests}  # fmt: skip
    for name, made in PLANTED.items():
        (tmp_path / name).mkdir()
        for row in tests:
            other = landmarks(longest[row["speaker"]]["clip"])
            np.savez(tmp_path / name / f"{row['clip']}.npz", **made(landmarks(row["clip"]), other))
    return Systems(REAL, {name: tmp_path / name for name in PLANTED})


@pytest.mark.slow
def test_metrics_order_planted_systems(systems: Systems, tmp_path: Path) -> None:
    assert systems.check() == []
    sweep, report = write_definitions(systems, "tiny", tmp_path)
    store = tmp_path / "store"
    quick = ("--bind", "judge/training.adamw.steps = 200", "--engine", "inline", "--no-report")
    assert command("sweep", str(sweep), "--store", str(store), *quick) == 0
    found = {m["row"].split("/")[1]: m["outputs"] for k, m in manifests(store).items() if "_scores" in k}
    scores = {name: outputs["scores"] for name, outputs in found.items()}
    floor = found["itself"]["references"]["fgd"]

    def ranked(metric: str) -> list[str]:
        return sorted(scores, key=lambda name: scores[name][metric])

    # Nearer in distribution is lower; a shift in time hardly moves a distribution, other bodies do.
    assert ranked("fgd")[0] == "itself" and ranked("fgd")[-1] == "another"
    assert scores["itself"]["fgd"] < 1e-3 * floor
    # Points where they were are right; noise of 1 % of the picture stays inside the threshold.
    assert scores["itself"]["pcm"] == 1.0 and scores["noisy"]["pcm"] > 0.95
    assert scores["noisy"]["pcm"] > scores["later"]["pcm"] > scores["another"]["pcm"]
    # Beats where the real ones are: only its own motion has nearly all.
    assert scores["itself"]["bas_gt_relative"] > 0.9
    assert scores["itself"]["bas_gt_relative"] > scores["noisy"]["bas_gt_relative"]
    assert scores["noisy"]["bas_gt_relative"] > scores["later"]["bas_gt_relative"]
    # As varied as the real motion.
    real = found["itself"]["references"]["diversity"]
    gap = {name: abs(values["diversity"] - real) for name, values in scores.items()}
    assert (
        min(gap, key=lambda name: gap[name]) == "itself" and max(gap, key=lambda name: gap[name]) == "another"
    )
    assert command("report", str(report), "--store", str(store), "--out", str(tmp_path / "out")) == 0
    table = (tmp_path / "out/systems/systems.md").read_text()
    assert all(name in table for name in PLANTED)


def test_a_system_that_lacks_clips_is_told(systems: Systems) -> None:
    folder = systems.made["noisy"]
    clips = sorted(folder.iterdir())
    clips[0].unlink()
    assert systems.check() == [
        f"noisy: 1 of {len(clips)} test clips are absent and not scored: {clips[0].stem}"
    ]
    for clip in clips[1:]:
        clip.unlink()
    shutil.copy(REAL / "landmarks/oliver1.npz", folder / "chem55.npz")
    with pytest.raises(
        InputError, match="noisy: .* has no file for any test clip, such as 'chem5': did you mean"
    ):
        systems.check()


@pytest.mark.parametrize("pairs", [[], ["Ours"], ["=x"], ["a/b=x"], ["A=x", "A=y"], ["A="]])
def test_systems_that_cannot_be_read(pairs: list[str]) -> None:
    with pytest.raises(InputError, match="--generated"):
        parse(pairs)


@pytest.mark.slow
def test_videos_are_scored_where_every_system_has_them(systems: Systems, tmp_path: Path) -> None:
    assert not systems.have_videos
    tests = [r for r in csv.DictReader((REAL / "index.csv").open()) if r["split"] == "test"]
    swapped = tmp_path / "swapped"
    shutil.copytree(systems.made["itself"], swapped)
    for row in tests:
        shutil.copy(REAL / "clips" / f"{tests[0]['clip']}.mp4", swapped / f"{row['clip']}.mp4")
    both = Systems(REAL, {"itself": REAL, "swapped": swapped})
    assert both.have_videos
    sweep, _ = write_definitions(both, "tiny", tmp_path / "scored")
    store = tmp_path / "store"
    quick = ("--bind", "judge/training.adamw.steps = 2", "--engine", "inline", "--no-report")
    assert command("sweep", str(sweep), "--store", str(store), *quick) == 0
    found = {m["row"].split("/")[1]: m for k, m in manifests(store).items() if "submission_video_scores" in k}
    fvd = {name: m["outputs"]["scores"]["video_fvd_random"] for name, m in found.items()}
    # The same windows, decoded the same way, are the same distribution; one person's alone are not.
    assert abs(fvd["itself"]) < 1e-6 < fvd["swapped"]
