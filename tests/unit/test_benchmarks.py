"""What the benchmarks report of something known: planted step times and figures worked by hand."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from little import LITTLE
from torch import Tensor, nn

from rgx.inspect.garbage import find_garbage
from rgx.inspect.status import read_sweeps
from rgx.store.artifacts import write_json
from rgx.store.keys import key_of
from rgx.store.manifests import damage, intact
from rgx.store.workspace import Workspace
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> ModuleType:
    """Return a benchmark as a module."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up while it is made.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    return load("gpu")


def test_a_step_lasts_as_long_as_planted(gpu: ModuleType, tmp_path: Path) -> None:
    planted, clock = [50.0, 7.0, 1.0, 2.0, 4.0], [0.0]
    network = nn.Linear(1, 1)
    waiting = iter(planted)

    def losses() -> dict[str, Tensor]:
        clock[0] += next(waiting)
        return {"loss": network(torch.ones(1, 1)).sum() ** 2}

    real = Workspace.progress
    workspace = Workspace(tmp_path, "cpu", lambda _: None)
    with gpu.every_step(lambda: clock[0]) as noted:
        fit(network, losses, AdamW(steps=len(planted)), workspace)
    assert gpu.durations(noted, warmup=2) == planted[2:]
    assert gpu.durations(noted, warmup=1) == planted[1:]
    assert Workspace.progress is real
    peaks = [peak for _, peak in noted]
    assert peaks == sorted(peaks) and peaks[0] > 0


def test_the_progress_is_restored_and_said_also_when_a_stage_fails(gpu: ModuleType, tmp_path: Path) -> None:
    real, said = Workspace.progress, []
    workspace = Workspace(tmp_path, "cpu", said.append)
    with pytest.raises(ZeroDivisionError), gpu.every_step():
        workspace.progress(1, 1, loss=0.5)
        raise ZeroDivisionError
    assert Workspace.progress is real
    assert said == [{"done": 1, "total": 1, "values": {"loss": 0.5}}]


def test_peak_memory_is_this_process_s_and_sees_what_was_let_go(gpu: ModuleType) -> None:
    if torch.cuda.is_available():
        pytest.skip("the process's memory is measured only where there is no GPU")
    # From here on: what earlier tests have given back does not count.
    Path("/proc/self/clear_refs").write_text("5")
    before, size = gpu.peak_bytes(), 2**26
    held = torch.ones(size, dtype=torch.uint8)
    del held
    assert before + size / 2 < gpu.peak_bytes() < before + 2 * size


def test_the_rows_of_both_tables_worked_by_hand(gpu: ModuleType) -> None:
    figures = gpu.Figures([0.3, 0.1, 0.2], 3 * 2**30)
    assert gpu.stage_row("refiner", 4, figures) == {
        "stage": "refiner",
        "batch": "4",
        "step, ms": "200 (100–300)",
        "throughput": "20 pictures/s",
        "peak, MiB": "3,072",
    }
    assert gpu.stage_row("judge", 1, figures)["throughput"] == "5 windows/s"
    assert gpu.part_row("warp", figures) == {
        "part": "warp",
        "frames a call": "16",
        "call, ms": "200 (100–300)",
        "frames/s": "80",
        "times real time": "3.2",
        "peak, MiB": "3,072",
    }


# --- stores of many manifests ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def big_store() -> ModuleType:
    return load("big_store")


CLIPS, TRAINED = {"clips": 2}, {"training": {"learning_rate": 0.1}}
CORPUS = key_of(CLIPS, 1, {}, "c" * 64, None)
MOTION = key_of(TRAINED, 1, {"corpus": CORPUS}, "", 0)


def little_store(path: Path) -> Path:
    """Write a store of two artifacts, one made of the other, and the record of their sweep."""
    keys = {"corpus": CORPUS, "motion": MOTION}
    for stage, key in keys.items():
        parents = {} if stage == "corpus" else {"corpus": CORPUS}
        record = dict(TRAINED if parents else CLIPS)
        made = {"stage": stage, "key": key, "parents": parents, "record": record, "outputs": {}, "version": 1}
        made |= {"seed": 0 if parents else None, "fingerprint": "" if parents else "c" * 64}
        made |= {"files": {"arrays.safetensors": {"bytes": 9, "sha256": ""}}}
        write_json(path / stage / key[:16] / "manifest.json", made)
        (path / stage / key[:16] / "arrays.safetensors").write_bytes(b"123456789")
    rows = [{"panel": "3b", "row": "one", "seed": 0, "stages": keys}]
    write_json(path / "sweeps" / "little.json", {"name": "little", "seeds": [0], "rows": rows})
    return path


def test_a_multiplied_store_is_whole_and_its_last_tenth_is_garbage(
    big_store: ModuleType, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    assert big_store.multiply(little_store(tmp_path / "small"), big, 81) == 82
    manifests = [json.loads(path.read_text()) for path in big.glob("*/*/manifest.json")]
    assert len({made["key"] for made in manifests}) == len(manifests) == 82
    for made in manifests:
        assert damage(big, made["stage"], made["key"]) == "" or made["key"] in (CORPUS, MOTION)
        assert all(intact(big, stage, key) for stage, key in made["parents"].items())
    rows = [row for sweep in read_sweeps(big) for row in sweep.rows]
    assert len(rows) == 37 and all(intact(big, *one) for row in rows for one in row.stages.items())
    assert len(find_garbage(big)) == 2 * (41 - 37)


def test_the_little_sweep_is_found_in_the_tests(big_store: ModuleType) -> None:
    assert big_store.little_sweep() == LITTLE


# --- reports of more seeds and rows ------------------------------------------------------------------


def test_a_sweep_with_more_seeds_and_rows_shares_what_has_no_seed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = load("report")
    monkeypatch.setattr(report, "SWEEP", "little")
    store = little_store(tmp_path / "small")
    motion = store / "motion" / MOTION[:16] / "manifest.json"
    made = json.loads(motion.read_text()) | {"outputs": {"scores": {"fgd": 2.0, "lost": None}}}
    motion.write_text(json.dumps(made))
    assert report.multiply(store, tmp_path / "big", report.Size(3, 2, 1.0)) == 6
    record = json.loads((tmp_path / "big" / "sweeps" / "little.json").read_text())
    assert record["seeds"] == [0, 1, 2]
    found = [(row["row"], row["seed"]) for row in record["rows"]]
    assert found == [(name, seed) for name in ("one", "one 2") for seed in range(3)]
    assert {row["stages"]["corpus"] for row in record["rows"]} == {CORPUS}
    keys = [row["stages"]["motion"] for row in record["rows"]]
    assert keys[0] == MOTION and len(set(keys)) == 6
    values = set()
    for row, key in zip(record["rows"], keys, strict=True):
        folder = tmp_path / "big" / "motion" / key[:16]
        held = json.loads((folder / "manifest.json").read_text())
        assert (held["key"], held["seed"], held["parents"]) == (key, row["seed"], {"corpus": CORPUS})
        assert (folder / "arrays.safetensors").read_bytes() == b"123456789"
        assert held["outputs"]["scores"]["lost"] is None
        values.add(held["outputs"]["scores"]["fgd"])
    assert len(values) == 6 and all(abs(value - 2.0) < 0.2 for value in values)
    assert json.loads(motion.read_text()) == made


# --- scheduling --------------------------------------------------------------------------------------


def planned(stage: str, parents: list[str], gpu: bool = False) -> Any:
    return SimpleNamespace(
        stage=stage, key=stage, parents=dict(zip(parents, parents, strict=True)), trains=False, uses_gpu=gpu,
        record={},
    )  # fmt: skip


class Planned:
    """Two chains of two stages each and an end that needs both."""

    def __init__(self) -> None:
        every = (("a", []), ("b", []), ("c", ["a"]), ("d", ["b"]), ("e", ["c", "d"]))
        self.tasks = {name: planned(name, parents, gpu=name in "bd") for name, parents in every}

    def missing(self, store: Path) -> dict[str, Any]:
        return dict(self.tasks)


def test_the_ideal_time_of_a_graph_worked_by_hand(tmp_path: Path) -> None:
    scheduling = load("scheduling")
    assert scheduling.ideal(Planned(), 2.0, 1, tmp_path) == 10.0
    assert scheduling.ideal(Planned(), 2.0, 2, tmp_path) == 6.0


def test_only_waits_beside_a_queue_for_the_gpu_count() -> None:
    scheduling = load("scheduling")
    times = scheduling.Times(
        ready={"a": 0.0, "b": 0.0, "c": 3.0, "d": 5.0, "e": 9.0},
        started={"a": 0.5, "b": 1.0, "c": 7.0, "d": 8.0, "e": 9.5},
    )
    ran = scheduling.Ran(Planned(), times, 10.0, 1)
    assert scheduling.waits(ran) == [0.5]
    times.ready["d"] = 2.0
    assert scheduling.waits(ran) == [0.5, 4.0]


# --- plain Tune --------------------------------------------------------------------------------------


def test_both_sides_are_told_apart_by_work_and_wall() -> None:
    plain_tune = load("plain_tune")
    ours, theirs = plain_tune.Side(25, 100.0, 60.0), plain_tune.Side(105, 330.0, 180.0)
    assert plain_tune.compared(ours, theirs) == [
        "trainings: 4.20 times fewer, bar 4: kept",
        "stage seconds: 3.30 times fewer, bar 4: MISSED",
        "wall: 0.333 of plain Tune's, bar 0.3: MISSED",
    ]
    assert plain_tune.compared(ours._replace(wall_s=50.0), theirs)[2].endswith("kept")
    assert plain_tune.compared(ours, theirs._replace(trainings=99, wall_s=170.0))[0].endswith("MISSED")


def test_each_row_by_itself_has_all_its_stages_parents_first() -> None:
    plain_tune = load("plain_tune")
    plan = make_plan(read_sweep(plain_tune.SWEEP, Overrides(only=["3f"])))
    rows = plain_tune.rows_of(plan)
    assert sum(task["trains"] for row in rows for task in row) == plan.per_row_trainings
    for row in rows:
        done: set[str] = set()
        for task in row:
            assert done.issuperset(task["parents"].values())
            done.add(task["key"])


def test_all_24_rows_are_compared_with_a_share_of_the_steps() -> None:
    plain_tune = load("plain_tune")
    plan = make_plan(read_sweep(plain_tune.SWEEP, Overrides()))
    bindings = plain_tune.fewer_steps(plan, 0.01)
    shorter = make_plan(read_sweep(plain_tune.SWEEP, Overrides(bindings=bindings)))
    assert len(plain_tune.rows_of(shorter)) == 24 and len(shorter.tasks) == len(plan.tasks)
    trained = {t.stage: t for t in plan.tasks.values() if t.trains}
    for task in shorter.tasks.values():
        if task.trains:
            expected = max(1, round(0.01 * trained[task.stage].record["training"]["steps"]))
            assert task.record["training"]["steps"] == expected


def test_the_cost_of_a_side_is_that_of_all_its_stages() -> None:
    plain_tune = load("plain_tune")
    stages = [
        {"trains": True, "seconds": 2.0, "cpu_seconds": 1.5},
        {"trains": False, "seconds": 1.0, "cpu_seconds": 1.0},
    ]
    assert plain_tune.Side.of(stages, 2.5) == plain_tune.Side(1, 3.0, 2.5, 2.5)


def test_a_side_that_ended_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_tune = load("plain_tune")
    found, runs = plain_tune.Side(1, 2.0, 3.0), []
    monkeypatch.setitem(plain_tune.SIDES, "rgx", lambda plan, folder: runs.append(folder) or found)
    plan = SimpleNamespace(tasks={"k": None}, cells=[{}])
    assert [plain_tune.side("rgx", plan, tmp_path) for _ in range(2)] == [found, found] and len(runs) == 1
    with pytest.raises(SystemExit, match="another comparison"):
        plain_tune.side("rgx", SimpleNamespace(tasks={"other": None}, cells=[{}]), tmp_path)


@pytest.fixture(scope="module")
def preparing() -> ModuleType:
    return load("prepare")


@pytest.mark.slow
def test_processor_time_of_a_command_and_what_it_starts(preparing: ModuleType) -> None:
    """A command that starts two children, each busy for 0.6 s of its processor's time."""
    busy = "import time\nwhile time.process_time() < 0.6: pass"
    code = (
        "import subprocess, sys\n"
        f"both = [subprocess.Popen([sys.executable, '-c', {busy!r}]) for _ in range(2)]\n"
        "for one in both: one.wait()"
    )
    found = preparing.measure("busy", [sys.executable, "-c", code], lambda: 12)
    assert found.frames == 12 and found.seconds >= 0.6
    assert 0.7 < found.processor_s < 2.2, "1.2 s and what starting Python takes, less the last look's gap"
    with pytest.raises(subprocess.CalledProcessError):
        preparing.measure("fails", [sys.executable, "-c", "raise SystemExit(3)"], lambda: 0)


def test_speeds_are_shown_against_the_plain_loop(preparing: ModuleType) -> None:
    found = [preparing.Measured("plain loop", 100, 10.0, 11.0), preparing.Measured("two", 100, 5.0, 9.8)]
    lines = preparing.table(found, 4).splitlines()
    assert lines[2].split() == ["plain", "loop", "100", "10", "1", "1.1", "28%", "110"]
    assert lines[3].split() == ["two", "100", "20", "2", "1.96", "49%", "98"]


def test_the_demos_shares_and_its_longest_path() -> None:
    demo = load("demo")
    spent = {"corpus": ([], 1.0), "speech": (["corpus"], 2.0), "frames": (["corpus"], 4.0)}
    spent |= {"video": (["speech", "frames"], 3.0)}
    manifests = [
        {"stage": stage, "key": stage, "cpu_seconds": seconds, "parents": {p: p for p in parents}}
        for stage, (parents, seconds) in reversed(spent.items())
    ]
    again = [*manifests, {**manifests[-1], "key": "another"}]
    counted = {"frames": (1, 4.0), "video": (1, 3.0), "corpus": (2, 2.0), "speech": (1, 2.0)}
    assert demo.by_stage(again) == counted and next(iter(demo.by_stage(again))) == "frames"
    assert demo.longest_path(again) == (8.0, ["corpus", "frames", "video"])


def test_operators_of_a_step_are_counted_without_views() -> None:
    steps = load("steps")
    a, b, c = torch.ones(2, 3), torch.ones(3, 4), torch.ones(4)
    assert steps.count(lambda: (a @ b + c).t().reshape(8).relu()[0]) == 4  # the transpose is copied


def test_the_reference_of_the_steps_has_the_size_that_was_counted_of_momask() -> None:
    steps = load("steps")
    for tables, millions in ((1, 12.05), (steps.LAYERS, 12.84)):
        size = sum(p.numel() for p in steps.Reference(tables).parameters())
        assert size / 1e6 == pytest.approx(millions, abs=0.005)


def test_a_generator_that_knows_nothing_loses_the_same_whatever_is_given(
    finished: Path, tmp_path: Path
) -> None:
    conditions = load("conditions")
    (tmp_path / "little.yaml").write_text(LITTLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        plan = make_plan(read_sweep(tmp_path / "little.yaml", Overrides()))
    regressed, full = (conditions.read_row(plan, cell["stages"], finished) for cell in plan.cells)
    for head in full.generator.head.values():
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    windows = full.windows
    real = windows.batch(torch.arange(len(windows))).motion
    figures = conditions.measure(conditions.replace(full, motion=real))
    assert [figures[name] for name in conditions.LOSSES] == pytest.approx([math.log(128)] * 4)
    assert figures["jump"] == figures["real_jump"] > 0
    figures = conditions.measure(regressed)
    assert figures["before"] != figures["before_wrong"] and figures["jump"] > 0
    assert conditions.read_row(plan, plan.cells[0]["stages"], tmp_path) is None


def test_places_of_a_bone_lie_along_it_and_across_its_width() -> None:
    groups = load("groups")
    pose = torch.zeros(1, 133, 2)
    pose[:, 5], pose[:, 6] = torch.tensor([0.2, 0.0]), torch.tensor([-0.2, 0.0])
    pose[:, 7] = torch.tensor([0.2, 0.4])
    places = groups.along(pose, (5, 7), 0.25)[0]
    assert places.shape == (15, 2)
    torch.testing.assert_close(places[7], torch.tensor([0.2, 0.2]), rtol=0, atol=1e-6)
    assert places[:, 0].sort().values.unique().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert places[::3, 1].tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=1e-6)


def test_limbs_follow_bones_that_mixed_groups_do_not_and_noise_does_less() -> None:
    groups = load("groups")
    source, driving = groups.true_pairs(frames=3)
    mixed, limbs = (groups.geometry_row(name, source, driving) for name in ("mixed", "anatomical"))
    bones = [float(row["best spline of arms, px"].split()[0]) for row in (mixed, limbs)]
    noise = [float(row["1 px of noise far away, px"].split()[0]) for row in (mixed, limbs)]
    assert bones[0] > 2 > 0.3 > bones[1] and noise[1] < 8 < noise[0]


def test_what_a_generator_has_learned_of_eight_windows_by_hand() -> None:
    sanity = load("sanity")
    draw = torch.Generator().manual_seed(0)
    walk = torch.randn(8, 21, 5, 2, generator=draw).cumsum(dim=1)
    batch = SimpleNamespace(
        motion=walk[:, 1:],
        prefix=walk[:, :1],
        valid=torch.ones(8, 20, 5, dtype=torch.bool),
        prefix_valid=torch.ones(8, 1, 5, dtype=torch.bool),
    )
    same = sanity.figures_of(batch.motion, batch)
    assert same.left == 0
    assert same.jump == pytest.approx(same.real_jump)
    mean = batch.motion.mean(dim=(0, 1)).expand_as(batch.motion)
    assert sanity.figures_of(mean, batch).left == pytest.approx(1, abs=1e-5)
    far = sanity.figures_of(batch.motion + 50, batch)
    assert (far.jump, far.going_on) == (pytest.approx(50, rel=0.1), 0)
    # What is not valid counts nowhere.
    batch.valid[:, :, 0], spoilt = False, batch.motion.clone()
    spoilt[:, :, 0] += 9.0
    assert sanity.figures_of(spoilt, batch).left == 0


def test_another_s_speech_is_of_the_same_speaker_and_never_one_s_own() -> None:
    speakers = np.array([0, 1, 0, 0, 1, 0])
    places = np.stack([np.arange(6), speakers, np.zeros(6, int)], axis=1)
    order = load("sanity").others_of(places)
    assert sorted(order) == list(range(6))
    assert (speakers[order] == speakers).all() and (order != np.arange(6)).all()


def test_steps_of_sampling_are_told_beside_ours_round_by_round() -> None:
    steps, layer = load("steps_of_sampling"), nn.Linear(100, 50)
    x = torch.zeros(4, 100)
    rows = {
        "one": steps.System(2_000_000, lambda: layer(x)),
        "two": steps.System(1_000_000, lambda: layer(layer(x).repeat(1, 2))),
    }
    spent = {"one": [10.0, 30.0, 20.0], "two": [20.0, 90.0, 40.0]}
    assert list(steps.times(rows, 2, 4)) == ["one", "two"]
    lines = steps.table(rows, spent, {"two": {"fgd": 4.5}}, "one", 4).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0][:5] == ["row", "parameters, M", "GMAC a window", "ms a window", "over one"]
    assert cells[2][:6] == ["one", "2.00", "5e-06", "20", "1.00", "–"]
    assert cells[3][:6] == ["two", "1.00", "1e-05", "40", "2.00", "4.5"]
