"""Other systems' files against recordings: every metric orders planted systems as its definition says."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import planted_people
import pytest
from little import command, manifests
from planted_people import draw, plain, waving
from rich.console import Console

from rgx.errors import InputError
from rgx.gesture.apps.score import Systems, parse, write_definitions
from rgx.gesture.apps.tracked import track_videos
from rgx.gesture.data.submissions import Submission
from rgx.gesture.poses.files import read_keypoints
from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.video.files import write_mp4
from rgx.store.runs import run_names

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "pats_mini"
PLUGIN = str(Path(planted_people.__file__))
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
    quick = ["--bind", "judge/training.adamw.steps = 200", "--bind", "sync_judge/training.adamw.steps = 60"]
    quick += ["--engine", "inline", "--no-report"]
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
    # Of its own motion a judge says what it says of the recordings.
    assert scores["itself"]["mismatch"] == found["itself"]["references"]["mismatch"]
    assert ranked("fgd_sync")[0] == "itself" and ranked("jerk")[-1] == "noisy"
    (run,) = run_names(store)
    asked = ["--store", str(store), "--out", str(tmp_path / "out"), "--run", run]
    assert command("report", str(report), *asked) == 0
    table = (tmp_path / "out" / run / "systems.md").read_text()
    assert all(name in table for name in PLANTED)
    judge, sync = (next(store.glob(f"{stage}/*/manifest.json")).parent for stage in ("judge", "sync_judge"))
    asked = ["--real", str(REAL), "--generated", f"noisy={systems.made['noisy']}", "--scale", "tiny"]
    asked += ["--judge", str(judge), "--sync-judge", str(sync), "--engine", "inline"]
    asked += ["--store", str(tmp_path / "elsewhere")]
    assert command("score", *asked, "--out", str(tmp_path / "judged")) == 0
    (again,) = (m["outputs"] for k, m in manifests(tmp_path / "elsewhere").items() if "_scores" in k)
    assert again["scores"] == scores["noisy"]
    assert again["notes"] == [
        "FGD and Diversity: in a judge that was trained elsewhere.",
        "Mismatch and FGD-sync: in a judge of synchrony that was trained elsewhere.",
    ]
    assert again["notes"][0] in (tmp_path / "judged/build/systems/systems.md").read_text()


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


def test_a_judge_that_is_not_there_is_told(
    systems: Systems, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--real", str(REAL), "--generated", f"noisy={systems.made['noisy']}", "--engine", "inline"]
    asked += ["--judge", str(tmp_path / "none"), "--out", str(tmp_path), "--store", str(tmp_path / "store")]
    assert command("score", *asked) == 2
    said = capsys.readouterr().err
    assert "none/network.safetensors: expected a file of pretrained weights, found no such file" in said


@pytest.mark.parametrize("pairs", [[], ["Ours"], ["=x"], ["a/b=x"], ["A=x", "A=y"], ["A="]])
def test_systems_that_cannot_be_read(pairs: list[str]) -> None:
    with pytest.raises(InputError, match="--generated"):
        parse(pairs)


@pytest.fixture
def filmed(tmp_path: Path) -> Systems:
    """A corpus with two test clips, and a system that made videos of them and keypoints of one."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real/index.csv").write_text("clip,speaker,split\na,ann,test\nb,ann,test\nc,ann,train\n")
    (tmp_path / "made").mkdir()
    for n, name in enumerate("ab"):
        pictures = [draw(plain(128, 128), [waving(k / 25 + n, 60, 30, 6)]) for k in range(12)]
        write_mp4(tmp_path / f"made/{name}.mp4", pictures)
    write_own_npz(tmp_path / "made/b.npz", np.ones((12, 133, 3), np.float32), 128, 128)
    return Systems(tmp_path / "real", {"Ours": tmp_path / "made"})


@pytest.mark.parametrize(
    "cpus", [1, pytest.param(2, marks=[pytest.mark.slow, pytest.mark.xdist_group("ray in pipelines")])]
)
def test_videos_without_keypoints_are_tracked_once(filmed: Systems, tmp_path: Path, cpus: int) -> None:
    def tracked() -> Systems:
        return track_videos(filmed, "planted", [PLUGIN], tmp_path / "out", cpus, Console())

    folder = tracked().made["Ours"]
    assert folder != filmed.made["Ours"] and tracked().check() == []
    own = Submission(str(folder)).keypoints()
    assert sorted(own) == ["a", "b"] and own["b"].resolve() == filmed.made["Ours"] / "b.npz"
    points = read_keypoints(own["a"], 128, 128)[:, 0]
    heads = [waving(k / 25, 60, 30, 6).head for k in range(12)]
    assert np.abs(points[:, 0, :2] - heads).max() < 1.5
    made = own["a"].stat().st_mtime_ns
    assert tracked().made["Ours"] == folder and own["a"].stat().st_mtime_ns == made
    write_mp4(filmed.made["Ours"] / "a.mp4", [draw(plain(128, 128), [waving(0, 90, 30, 6)])] * 12)
    tracked()
    assert abs(read_keypoints(own["a"], 128, 128)[0, 0, 0, 0] - 90) < 1.5, "the video was made anew"


def test_a_video_in_which_nobody_is_found_is_told(filmed: Systems, tmp_path: Path) -> None:
    write_mp4(filmed.made["Ours"] / "a.mp4", [plain(128, 128)] * 12)
    with pytest.raises(InputError, match=r"a\.mp4: nobody is found in any frame"):
        track_videos(filmed, "planted", [PLUGIN], tmp_path / "out", 1, Console())


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
    quick = ["--bind", "judge/training.adamw.steps = 2", "--bind", "sync_judge/training.adamw.steps = 2"]
    quick += ["--bind", "stage.submission_video_scores.metrics = [@metric.video_fid_lite0()]"]
    quick += ["--engine", "inline", "--no-report"]
    assert command("sweep", str(sweep), "--store", str(store), *quick) == 0
    found = {m["row"].split("/")[1]: m for k, m in manifests(store).items() if "submission_video_scores" in k}
    fid = {name: m["outputs"]["scores"]["video_fid_lite0"] for name, m in found.items()}
    # The same windows, decoded the same way, are the same distribution; one person's alone are not.
    assert abs(fid["itself"]) < 1e-6 < fid["swapped"]
