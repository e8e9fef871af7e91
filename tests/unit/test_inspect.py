from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from rgx.config import plan_cell
from rgx.errors import InputError
from rgx.inspect import commands, status
from rgx.inspect.bundle import export
from rgx.inspect.compare import compare
from rgx.inspect.garbage import delete, find_garbage
from rgx.inspect.running import read_running
from rgx.inspect.show import show
from rgx.inspect.status import read_sweeps, running_table, sweeps_table
from rgx.inspect.why import why
from rgx.store.artifacts import artifact_folder, running_folder, write_json
from rgx.store.differences import flatten
from rgx.store.drift import account, drifted
from rgx.store.keys import key_of
from rgx.store.manifests import Manifests, damage, intact, manifest
from rgx.store.source import combined_digest, source_digest
from rgx.store.trash import empty
from rgx.sweep.code import code_behind, present
from rgx.sweep.plan import Plan, explain, explain_missing, make_plan
from rgx.sweep.spec import Overrides, Sweep, read_sweep

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "sweeps" / "ablation_table3.yaml"
ROW = "3b/+distill"


@dataclass
class FakeStore:
    """A store written by hand: five small stages a cell, as a sweep would leave them."""

    path: Path
    rows: list[dict[str, Any]] = field(default_factory=list)

    def artifact(
        self, stage: str, record: Mapping[str, Any], parents: Mapping[str, str], seed: int | None = None,
        outputs: Mapping[str, Any] | None = None, row: str = "",
    ) -> str:  # fmt: skip
        data = "d" * 64 if stage == "corpus" else ""
        key = key_of(record, 1, parents, data, seed)
        folder = artifact_folder(self.path, stage, key)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log.txt").write_text(f"2026-01-02 03:04:05 start {stage}\n")
        (folder / "arrays.safetensors").write_bytes(key.encode() * 10)
        files = {
            p.name: {"bytes": p.stat().st_size, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
            for p in folder.iterdir()
            if p.name != "manifest.json"
        }
        content = {
            "stage": stage, "key": key, "record": record, "version": 1, "parents": parents, "seed": seed,
            "fingerprint": data, "row": row, "gin": f"stage.{stage}.x = 1", "outputs": outputs or {},
            "files": files, "started": 1.7e9, "seconds": 12.34, "host": "ada",
            "software": {"commit": "c0ffee", "torch": "2.0"},
        }  # fmt: skip
        write_json(folder / "manifest.json", content)
        return key

    def cell(self, panel: str, row: str, seed: int = 0, width: int = 4, fgd: float = 1.5) -> dict[str, str]:
        stages = {"corpus": self.artifact("corpus", {"clips": 2}, {})}
        stages["judge"] = self.artifact("judge", {"size": 3}, dict(stages))
        parents = {"corpus": stages["corpus"]}
        stages["tokenizer"] = self.artifact("tokenizer", {"codec": {"width": width}}, parents, seed)
        stages["motion"] = self.artifact("motion", {}, {"tokenizer": stages["tokenizer"]}, seed)
        parents = {name: stages[name] for name in ("judge", "motion")}
        outputs = {
            "scores": {"fgd": fgd, "diversity": 3.0},
            "references": {"diversity": 5.25},
            "metrics": {"fgd": {"label": "FGD", "direction": "down", "decimals": 2, "source": "Yoon 2020"}},
        }
        stages["motion_scores"] = self.artifact("motion_scores", {"metrics": [fgd]}, parents, None, outputs)
        self.rows.append({"panel": panel, "row": row, "seed": seed, "stages": stages})
        seeds = sorted({r["seed"] for r in self.rows})
        write_json(
            self.path / "sweeps" / "little.json", {"name": "little", "seeds": seeds, "rows": self.rows}
        )
        return stages

    def running(self, stage: str, key: str, host: str, pid: int, age_s: float = 0.0) -> Path:
        folder = running_folder(self.path, stage, key)
        write_json(folder / "lease.json", {"host": host, "pid": pid})
        os.utime(folder / "lease.json", (time.time() - age_s, time.time() - age_s))
        return folder

    def listing(self) -> list[str]:
        return sorted(str(p.relative_to(self.path)) for p in self.path.rglob("*"))


@pytest.fixture
def store(tmp_path: Path) -> FakeStore:
    made = FakeStore(tmp_path / "store")
    made.cell("3b", "baseline", width=4, fgd=2.25)
    made.cell("3b", "w/o res", width=8, fgd=1.125)
    return made


@pytest.fixture(scope="module")
def gone() -> int:
    """Return the id of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def sweep_of(*bindings: str, seeds: list[int] | None = None) -> Sweep:
    return read_sweep(SHIPPED, Overrides(bindings=list(bindings), seeds=seeds, only=[ROW]))


def keep(plan: Plan, store: Path) -> Plan:
    """Write the manifest of every planned stage, as if the plan had run."""
    for task in plan.tasks.values():
        content = {**task.message(), "texts": [], "plugins": [], "seconds": 1.0, "host": "ada"}
        write_json(artifact_folder(store, task.stage, task.key) / "manifest.json", content)
    return plan


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("base")
    keep(make_plan(sweep_of()), store)
    return store


def blocks(lines: list[str]) -> dict[str, list[str]]:
    """Return a stage's lines by its name."""
    found: dict[str, list[str]] = {}
    for line in lines[1:]:
        if not line.startswith("   "):
            name = line.split()[0]
            found[name] = []
        found[name].append(line.strip())
    return found


# --- why ---------------------------------------------------------------------------------------------


def test_why_walks_up_to_the_binding_that_was_planted(base: Path) -> None:
    changed = sweep_of("alignment/training.adamw.weight_decay = 1e-4")
    found = blocks(why(changed, ROW, None, base))
    keys = {task.stage: key for key, task in make_plan(sweep_of()).tasks.items()}
    change = "training.weight_decay: 1e-05 → 0.0001"
    for stage in ("corpus", "speech", "judge"):
        assert "in the store, 1.0 s on ada" in found[stage][0] and len(found[stage]) == 1
    nearest = f"nearest is {keys['alignment'][:16]}, made for {ROW}"
    assert found["alignment"][1:] == [nearest, change]
    for stage in ("tokenizer", "generator", "residual", "motion", "motion_scores"):
        assert found[stage][0].endswith("missing")
        assert found[stage][1] == f"nearest is {keys[stage][:16]}, made for {ROW}"
        assert found[stage][-1] == f"root cause: alignment: {change}"
        assert not any(change in line for line in found[stage][2:-1])
    assert [line.split(":")[0] for line in found["motion_scores"][2:-1]] == ["parent motion"]


@pytest.mark.slow
def test_why_names_two_causes_the_first_ancestor_first(base: Path) -> None:
    changed = sweep_of("corpus.puppets.seed = 7", "decode.iterative.steps = 6")
    found = blocks(why(changed, ROW, None, base))
    data = [
        t.fingerprint for s in (sweep_of(), changed) for t in make_plan(s).tasks.values() if t.fingerprint
    ]
    change = f"corpus.seed: 0 → 7; fingerprint: {data[0][:16]} → {data[1][:16]}"
    assert found["corpus"][2:] == change.split("; ")
    assert "decode.steps: 5 → 6" in found["motion"]
    assert found["motion"][-1] == f"root cause: corpus: {change}"
    assert found["motion_scores"][-2:] == [
        f"root cause: corpus: {change}",
        "and: motion: decode.steps: 5 → 6",
    ]
    assert list(blocks(why(changed, ROW, "motion", base))) == ["motion"]


def test_why_tells_seed_version_and_data(base: Path, tmp_path: Path) -> None:
    found = blocks(why(sweep_of(seeds=[3]), ROW, None, base))
    assert found["alignment"][-1] == "seed: 0 → 3"
    seeded = "alignment, tokenizer, generator, residual, motion"
    assert found["motion_scores"][-1] == f"root cause: {seeded}: seed: 0 → 3"
    plan = keep(make_plan(sweep_of()), tmp_path)
    task = next(t for t in plan.tasks.values() if t.stage == "corpus")
    path = artifact_folder(tmp_path, "corpus", task.key) / "manifest.json"
    other = key_of(task.record, 9, {}, "elsewhere", task.seed)
    content = json.loads(path.read_text()) | {"key": other, "version": 9, "fingerprint": "elsewhere"}
    path.unlink()
    write_json(artifact_folder(tmp_path, "corpus", other) / "manifest.json", content)
    lines = blocks(why(sweep_of(), ROW, "corpus", tmp_path))["corpus"]
    assert lines[2:] == [f"fingerprint: elsewhere → {task.fingerprint[:16]}", f"version: 9 → {task.version}"]


@pytest.mark.slow
def test_why_takes_the_artifact_with_the_fewest_differences_up_the_pipeline(tmp_path: Path) -> None:
    keep(make_plan(sweep_of("corpus.puppets.seed = 7", "stage.judge.seed = 5")), tmp_path)
    near = keep(make_plan(sweep_of("stage.judge.seed = 5")), tmp_path)
    expected = next(t for t in near.tasks.values() if t.stage == "motion_scores")
    lines = blocks(why(sweep_of(), ROW, "motion_scores", tmp_path))["motion_scores"]
    assert lines[1].startswith(f"nearest is {expected.key[:16]}")
    assert lines[-1] == "root cause: judge: seed: 5 → 0"


def test_why_offers_the_nearest_spelling(base: Path) -> None:
    whole = read_sweep(SHIPPED)
    with pytest.raises(InputError, match=r"no cell '3b/\+distil': did you mean '3b/\+distill'"):
        why(whole, "3b/+distil", None, base)
    with pytest.raises(InputError, match="no cell '3b'"):
        why(whole, "3b", None, base)
    with pytest.raises(InputError, match="has no stage 'tokeniser': did you mean 'tokenizer'"):
        why(whole, ROW, "tokeniser", base)


def test_why_of_an_empty_store_and_of_a_stage_that_failed(tmp_path: Path, gone: int) -> None:
    task = next(iter(make_plan(sweep_of()).tasks.values()))
    write_json(running_folder(tmp_path, task.stage, task.key) / "failure.json", {"reason": "no disk"})
    lines = blocks(why(sweep_of(), ROW, "corpus", tmp_path))["corpus"]
    assert "failed: no disk" in lines[0]
    assert lines[1:] == ["no artifact of this stage is in the store"]


def test_a_plan_explains_in_one_line_with_the_root_cause(base: Path) -> None:
    plan = make_plan(sweep_of("alignment/training.adamw.weight_decay = 1e-4"))
    old = {t.stage: k for k, t in make_plan(sweep_of()).tasks.items()}
    tokenizer = next(t for t in plan.tasks.values() if t.stage == "tokenizer")
    direct = (
        f"nearest {old['tokenizer'][:8]}: parent alignment: {old['alignment'][:8]} → "
        f"{tokenizer.parents['alignment'][:8]}"
    )
    assert explain(tokenizer, base) == direct
    because = "; because alignment: training.weight_decay: 1e-05 → 0.0001"
    assert explain(tokenizer, base, plan.tasks) == direct + because
    every = explain_missing(plan, base)
    assert every.keys() == plan.missing(base).keys()
    assert every[tokenizer.key] == direct + because


def test_flatten_names_variants_in_a_list() -> None:
    record = {
        "a": {"b": 1, "c": {}},
        "m": [{"variant": "metric/x", "w": 2}, {"variant": "metric/y"}],
        "l": [1],
    }
    assert flatten(record) == {
        "a.b": 1, "a.c": {}, "l": [1], "m": ["metric/x", "metric/y"],
        "m[metric/x].variant": "metric/x", "m[metric/x].w": 2, "m[metric/y].variant": "metric/y",
    }  # fmt: skip


# --- code --------------------------------------------------------------------------------------------


def package(root: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = root / "rgx" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_source_digest_follows_imports_and_nothing_else(tmp_path: Path) -> None:
    package(
        tmp_path,
        top="from rgx.room import inner\nfrom rgx.errors import E\nimport json\n"
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from rgx import typed\n",
        errors="class E: ...",
        typed="x = 1",
        unused="x = 1",
        room__inner="def f():\n    from . import near\n    from ..deep import late\n",
        room__near="from rgx.top import f",
        deep="late = 1",
    )
    found = source_digest("rgx.top", roots={"rgx": tmp_path})
    assert list(found) == ["rgx.deep", "rgx.errors", "rgx.room.inner", "rgx.room.near", "rgx.top"]


def test_source_digest_sees_code_and_not_words(tmp_path: Path) -> None:
    text = 'def f(a: int = 1) -> int:\n    """Old."""\n    return a + 1\n'
    before = source_digest("rgx.m", roots={"rgx": package(tmp_path, m=text)})
    same = (
        '"""New."""\n# a comment\ndef f(a: int=1) -> int:\n    """Other\n    words."""\n\n    return (a+1)\n'
    )
    assert source_digest("rgx.m", roots={"rgx": package(tmp_path / "same", m=same)}) == before
    for index, other in enumerate(("a + 2", "a - 1", "None", "")):
        where = package(tmp_path / str(index), m=text.replace("a + 1", other))
        found = source_digest("rgx.m", roots={"rgx": where})
        assert found != before and combined_digest(found) != combined_digest(before)
    assert source_digest("mine", sources={"mine": "from rgx.m import f"}, roots={"rgx": tmp_path}).keys() == {
        "mine",
        "rgx.m",
    }


def test_code_behind_a_stage_covers_its_variants_and_drift_names_the_module(tmp_path: Path) -> None:
    stage = plan_cell(sweep_of().rows[0].texts, ("motion_scores",)).stages["tokenizer"]
    code = code_behind(stage.record)
    names = ("residual_vq", "distillation", "parts", "tokenizer")
    variants = {f"rgx.gesture.tokens.{name}" for name in names}
    assert {"rgx.gesture.stages.tokenizer", "rgx.train.loop"} | variants <= code["modules"].keys()
    assert not [m for m in code["modules"] if m.startswith(("rgx.sweep", "rgx.report", "rgx.inspect"))]
    key = key_of(stage.record, 1, {}, "", 0)
    manifest: dict[str, Any] = {
        "stage": "tokenizer", "key": key, "record": stage.record, "parents": {}, "code": code,
        "version": 1, "fingerprint": "", "seed": 0,
    }  # fmt: skip
    assert present().changes(manifest) == present().changes({**manifest, "code": None}) == {}
    code["modules"]["rgx.gesture.tokens.residual_vq"] = "0" * 64
    write_json(artifact_folder(tmp_path, "tokenizer", key) / "manifest.json", manifest)
    drift = drifted(present(), Manifests(tmp_path), [("tokenizer", key), ("corpus", "b" * 64)])
    changed = "changed since: rgx.gesture.tokens.residual_vq"
    assert account(drift) == [f"tokenizer: 1 made by other code; {changed}"]


def test_why_tells_that_an_artifact_was_made_by_other_code(tmp_path: Path) -> None:
    plan = keep(make_plan(sweep_of()), tmp_path)
    task = next(t for t in plan.tasks.values() if t.stage == "judge")
    path = artifact_folder(tmp_path, "judge", task.key) / "manifest.json"
    code = code_behind(task.record)
    code["modules"] |= {"rgx.gesture.metrics.judge": "0" * 64, "rgx.no_more": "1" * 64}
    write_json(path, json.loads(path.read_text()) | {"code": code})
    found = blocks(why(sweep_of(), ROW, None, tmp_path))
    assert found["judge"][1:] == [
        "made by other code; changed since: rgx.gesture.metrics.judge, rgx.no_more (gone)"
    ]
    assert len(found["corpus"]) == 1


# --- status ------------------------------------------------------------------------------------------


def test_status_tells_running_stale_and_failed_stages(store: FakeStore, gone: int) -> None:
    here, live = socket.gethostname(), store.rows[0]["stages"]["tokenizer"]
    folder = store.running("tokenizer", live, here, os.getpid())
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - 100))
    (folder / "log.txt").write_text(f"{began} start tokenizer on {here}\n{began} other\n")
    write_json(folder / "progress.json", {"done": 25, "total": 100, "values": {}})
    store.running("motion", "1" * 64, here, gone)
    store.running("motion", "2" * 64, "elsewhere", 1, age_s=30)
    store.running("motion", "3" * 64, "elsewhere", 1, age_s=90)
    failed = store.running("judge", "4" * 64, here, gone)
    write_json(failed / "failure.json", {"reason": "out of memory"})
    found = {(one.stage, one.key[0]): one for one in read_running(store.path)}
    one = found["tokenizer", live[0]]
    assert (one.held, one.done, one.total, one.pid, one.resumed) == (True, 25, 100, os.getpid(), False)
    assert one.age_s == pytest.approx(100, abs=3) and one.eta_s == pytest.approx(300, rel=0.05)
    assert one.heartbeat_age_s is not None and one.heartbeat_age_s < 5
    assert [found["motion", digit].held for digit in "123"] == [False, True, False]
    text = printed(running_table(store.path, read_sweeps(store.path)))
    line = next(line for line in text.splitlines() if live[:16] in line)
    assert "little:3b/baseline" in line and "25/100" in line and "running" in line
    assert "failed: out of memory" in text and text.count("stale") == 2


def test_the_eta_of_a_resumed_stage_says_at_least(store: FakeStore) -> None:
    folder = store.running("motion", "1" * 64, socket.gethostname(), os.getpid())
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - 10))
    (folder / "log.txt").write_text(f"{began} start motion\n{began} start motion\n")
    write_json(folder / "progress.json", {"done": 5, "total": 10, "values": {}})
    assert "≥ 0:" in printed(running_table(store.path, []))


def test_status_counts_cells_and_stages(store: FakeStore) -> None:
    key = store.rows[1]["stages"]["motion"]
    (artifact_folder(store.path, "motion", key) / "manifest.json").unlink()
    line = next(
        x for x in printed(sweeps_table(store.path, read_sweeps(store.path))).splitlines() if "little" in x
    )
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["little", "1", "2", "7", "1"]


def test_status_is_watched_until_it_is_interrupted(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pause)
    status.watch_status(store.path)
    assert capsys.readouterr().out.count("cells done") == len(pauses) == 3


def test_status_reads_no_manifest(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Manifests, "_read", lambda *_: pytest.fail("a manifest was read"))
    line = next(
        x for x in printed(sweeps_table(store.path, read_sweeps(store.path))).splitlines() if "little" in x
    )
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["little", "2", "2", "8", "0"]


def test_a_stage_s_artifacts_are_found_without_reading_others(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, read = Manifests._read, []

    def noted(self: Manifests, stage: str, short: str) -> dict[str, Any] | None:
        read.append(stage)
        return real(self, stage, short)

    monkeypatch.setattr(Manifests, "_read", noted)
    found = {made["key"] for made in Manifests(store.path).of("tokenizer")}
    assert found == {row["stages"]["tokenizer"] for row in store.rows} and read == ["tokenizer"] * 2


def printed(table: object) -> str:
    console = Console(width=250)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


# --- show and diff -----------------------------------------------------------------------------------


def test_show_tells_a_number_and_all_it_stands_on(store: FakeStore) -> None:
    stages = store.rows[1]["stages"]
    lines = show("little:3b/w/o res/fgd", None, store.path)
    text = "\n".join(lines)
    assert lines[:3] == ["little:3b/w/o res, seed 0", "  FGD: 1.12  (1.125)", "  better: lower"]
    made = [line.split()[:2] for line in lines if line.startswith("    ") and "12.3 s on ada" in line]
    order = ["corpus", "judge", "tokenizer", "motion", "motion_scores"]
    assert made == [[stage, stages[stage][:16]] for stage in order]
    folder = artifact_folder(store.path, "motion_scores", stages["motion_scores"])
    words = (f"artifact: {folder}", stages["motion_scores"], f"log: {folder / 'log.txt'}", "commit: c0ffee")
    for word in (*words, f"data {'d' * 64}", "stage.motion_scores.x = 1", "source: Yoon 2020"):
        assert word in text
    assert store.rows[0]["stages"]["tokenizer"][:16] not in text
    assert "reference: 5.25" in "\n".join(show("little:3b/baseline/motion_scores/diversity", 0, store.path))


@pytest.mark.parametrize(("gpu", "told"), [("NVIDIA X", "on ada (NVIDIA X), 20"), ("", "on ada, 20")])
def test_show_names_the_gpu_a_stage_was_made_on(store: FakeStore, gpu: str, told: str) -> None:
    path = artifact_folder(store.path, "tokenizer", store.rows[1]["stages"]["tokenizer"]) / "manifest.json"
    write_json(path, {**json.loads(path.read_text()), "gpu": gpu})
    (line,) = (x for x in show("little:3b/w/o res/fgd", None, store.path) if x.startswith("    tokenizer"))
    assert told in line


def test_show_tells_every_seed_or_the_one_asked_for(store: FakeStore) -> None:
    store.cell("3b", "baseline", seed=4, fgd=9.5)
    both = [line for line in show("little:3b/baseline/fgd", None, store.path) if "FGD" in line]
    assert both == ["  FGD: 2.25  (2.25)", "  FGD: 9.50  (9.5)"]
    assert show("little:3b/baseline/fgd", 4, store.path)[1] == "  FGD: 9.50  (9.5)"
    with pytest.raises(InputError, match="no seed 2; its seeds are 0, 4"):
        show("little:3b/baseline/fgd", 2, store.path)


def test_of_two_rows_the_longer_name_that_fits_is_meant(store: FakeStore) -> None:
    store.cell("3b", "w", fgd=7.5)
    assert show("little:3b/w/o res/fgd", None, store.path)[1] == "  FGD: 1.12  (1.125)"
    assert show("little:3b/w/fgd", None, store.path)[1] == "  FGD: 7.50  (7.5)"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("litle:3b/baseline/fgd", "no sweep 'litle' .* did you mean 'little'"),
        ("little:3c/baseline/fgd", "no table '3c': did you mean '3b'"),
        ("little:3b/basline/fgd", "no row 'basline/fgd' in table 3b: did you mean 'baseline'"),
        ("little:3b/w/o rez/fgd", "did you mean 'w/o res'"),
        ("little:3b/baseline/fdg", "no score 'fdg': did you mean 'fgd'"),
        ("little:3b/baseline/motion_score/fgd", "did you mean 'motion_scores/fgd'"),
        ("little:3b/baseline", "expected SWEEP:TABLE/ROW/METRIC"),
        ("little", "expected SWEEP:TABLE/ROW/METRIC"),
    ],
)
def test_show_offers_the_nearest_spelling(store: FakeStore, address: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        show(address, None, store.path)


def test_show_of_a_hole_names_the_missing_stage(store: FakeStore) -> None:
    key = store.rows[0]["stages"]["motion_scores"]
    (artifact_folder(store.path, "motion_scores", key) / "manifest.json").unlink()
    with pytest.raises(InputError, match="not in the store: motion_scores"):
        show("little:3b/baseline/fgd", None, store.path)


def test_diff_tells_shared_stages_parameters_and_scores(store: FakeStore) -> None:
    lines = compare("little:3b/baseline", "little:3b/w/o res", None, store.path)
    keys = [row["stages"] for row in store.rows]
    assert lines[2] == "shared: corpus, judge"
    assert lines[3:] == [
        f"differs: tokenizer {keys[0]['tokenizer'][:16]} → {keys[1]['tokenizer'][:16]}",
        "    codec.width: 4 → 8",
        f"differs: motion {keys[0]['motion'][:16]} → {keys[1]['motion'][:16]}: only by its parents",
        f"differs: motion_scores {keys[0]['motion_scores'][:16]} → {keys[1]['motion_scores'][:16]}",
        "    metrics: [2.25] → [1.125]",
        "score motion_scores/diversity: 3 → 3 (+0)",
        "score motion_scores/fgd: 2.25 → 1.125 (-1.125)",
    ]
    with pytest.raises(InputError, match="'fgd' is left over"):
        compare("little:3b/baseline/fgd", "little:3b/w/o res", None, store.path)


# --- gc ----------------------------------------------------------------------------------------------


def test_gc_finds_what_no_record_reaches_and_only_lists_it(store: FakeStore) -> None:
    lost = store.artifact("tokenizer", {"codec": {"width": 99}}, {})
    before = store.listing()
    found = find_garbage(store.path)
    folder = artifact_folder(store.path, "tokenizer", lost)
    assert [item.folder for item in found] == [folder]
    assert found[0].hours == 12.34 / 3600
    assert found[0].bytes == sum(p.stat().st_size for p in folder.iterdir())
    assert store.listing() == before
    assert [item.folder for item in delete(store.path)] == [folder]
    place = str(folder.relative_to(store.path))
    listing = [name for name in store.listing() if not name.startswith("trash")]
    assert listing == [name for name in before if not name.startswith(place)]
    (trashed,) = store.path.glob(f"trash/*/{place}")
    assert (trashed / "manifest.json").is_file()
    assert empty(store.path) == (1, found[0].bytes)
    assert not list((store.path / "trash").iterdir())
    assert find_garbage(store.path) == []


def test_gc_keeps_ancestors_that_a_record_does_not_name(store: FakeStore) -> None:
    for row in store.rows:
        del row["stages"]["corpus"], row["stages"]["tokenizer"]
    write_json(store.path / "sweeps" / "little.json", {"name": "little", "seeds": [0], "rows": store.rows})
    assert find_garbage(store.path) == []


def test_gc_leaves_what_is_held_or_worth_going_on_from(store: FakeStore, gone: int) -> None:
    here = socket.gethostname()
    known = store.rows[0]["stages"]["motion"]
    lost = store.artifact("tokenizer", {"codec": {"width": 99}}, {})
    live = store.running("motion", known, here, os.getpid())
    resumable = store.running("judge", store.rows[0]["stages"]["judge"], here, gone)
    (resumable / "checkpoint.safetensors").write_bytes(b"x")
    unneeded = store.running("judge", "5" * 64, here, gone)
    (unneeded / "checkpoint.safetensors").write_bytes(b"x")
    failed = store.running("corpus", store.rows[0]["stages"]["corpus"], here, gone)
    scratch = store.path / ".import-abc"
    scratch.mkdir()
    expected = {artifact_folder(store.path, "tokenizer", lost), unneeded, failed, scratch}
    assert {item.folder for item in find_garbage(store.path)} == expected
    assert {item.folder for item in delete(store.path)} == expected
    assert live.is_dir() and resumable.is_dir() and not any(folder.exists() for folder in expected)


def test_gc_removes_nothing_while_an_unknown_stage_runs(store: FakeStore) -> None:
    lost = store.artifact("tokenizer", {"codec": {"width": 99}}, {})
    store.running("tokenizer", lost, socket.gethostname(), os.getpid())
    store.artifact("motion", {"lost": 1}, {})
    before = store.listing()
    assert [item.folder.parent.name for item in find_garbage(store.path)] == ["motion"]
    with pytest.raises(InputError, match="no sweep record tells which artifacts it reads"):
        list(delete(store.path))
    assert store.listing() == before


def test_gc_leaves_what_is_taken_up_while_it_removes(store: FakeStore, gone: int) -> None:
    here = socket.gethostname()
    lost = [store.artifact("tokenizer", {"lost": n}, {}) for n in range(2)]
    stopped = store.running("judge", "5" * 64, here, gone)
    removal = delete(store.path)
    first = next(removal).folder
    second = next(k for k in lost if artifact_folder(store.path, "tokenizer", k) != first)
    store.running("tokenizer", second, here, os.getppid())
    store.running("judge", "5" * 64, here, os.getppid())
    assert list(removal) == []
    assert not first.exists() and stopped.is_dir()
    assert (artifact_folder(store.path, "tokenizer", second) / "manifest.json").is_file()


def test_gc_refuses_where_a_record_cannot_be_read(store: FakeStore) -> None:
    (store.path / "sweeps" / "other.json").write_text('{"name": "oth')
    with pytest.raises(InputError, match=r"other\.json: not a JSON object"):
        find_garbage(store.path)
    with pytest.raises(InputError, match="there is no store"):
        find_garbage(store.path / "nowhere")


def test_gc_never_follows_a_link(store: FakeStore, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x")
    (store.path / "motion" / ("e" * 16)).symlink_to(precious)
    (store.path / "running" / "motion-eeee").parent.mkdir()
    (store.path / "running" / "motion-eeee").symlink_to(precious)
    assert list(delete(store.path)) == []
    assert (precious / "thesis.txt").is_file()


# --- the command line --------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_commands_that_read_manifests_import_no_torch(store: FakeStore, tmp_path: Path) -> None:
    code = f"""
import sys
from typer.testing import CliRunner
from rgx.inspect.commands import app
for words in (
    ["status"], ["show", "little:3b/baseline/fgd"], ["diff", "little:3b/baseline", "little:3b/w/o res"],
    ["gc"], ["gc", "--delete"], ["export", "little", {str(tmp_path / "a.tar")!r}],
    ["import", {str(tmp_path / "a.tar")!r}],
):
    done = CliRunner().invoke(app, [*words, "--store", {str(store.path)!r}])
    assert done.exit_code == 0 and done.output, (words, done.output, done.exception)
print([m for m in ("torch", "ray", "gin") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_what_a_manifest_says_cannot_steer_the_terminal(store: FakeStore) -> None:
    key = store.rows[0]["stages"]["motion_scores"]
    path = artifact_folder(store.path, "motion_scores", key) / "manifest.json"
    write_json(path, json.loads(path.read_text()) | {"gin": "x = 1\x1b]0;title\x07\n", "host": "\x1b[2J"})
    done = CliRunner().invoke(commands.app, ["show", "little:3b/baseline/fgd", "--store", str(store.path)])
    assert done.exit_code == 0 and "x = 1" in done.output and "\x1b" not in done.output


def test_why_runs_from_the_command_line(base: Path) -> None:
    words = ["why", str(SHIPPED), ROW, "judge", "--bind", "stage.judge.seed = 1", "--store", str(base)]
    done = CliRunner().invoke(commands.app, words)
    assert done.exit_code == 0 and "seed: 0 → 1" in done.output


# --- manifests from elsewhere -------------------------------------------------------------------------

BIG = 10**400
ONE = {"bytes": 1, "sha256": "0" * 64}
NO_FILES: dict[str, dict[str, Any]] = {
    "a list of files": {"files": []},
    "no files": {"files": None},
    "a number for a file": {"files": {"x": 3}},
    "a file out of the store": {"files": {"../../../../etc/passwd": ONE}},
    "an absolute file": {"files": {"/etc/passwd": ONE}},
    "the folder itself": {"files": {"..": ONE}},
    "a file with a zero byte": {"files": {"a\0b": ONE}},
    "a file without a size": {"files": {"x": {"sha256": ""}}},
    "a word for a size": {"files": {"x": {"bytes": "many", "sha256": ""}}},
    "another key": {"key": "f" * 64},
    "a key that is not hex": {"key": "../../x"},
    "a number for a key": {"key": 3},
}
ODD_MANIFESTS: dict[str, dict[str, Any]] = {
    **NO_FILES,
    "a huge size": {"files": {"x": {"bytes": BIG, "sha256": ""}}},
    "a long name": {"files": {"a" * 5000: ONE}},
    "a list of parents": {"parents": []},
    "parents out of the store": {"parents": {"../../x": "../../y"}},
    "a number for a parent": {"parents": {"motion": 3}},
    "huge seconds": {"seconds": BIG},
    "endless seconds": {"seconds": float("inf")},
    "a huge start": {"started": BIG},
    "a start long ago": {"started": -1e300},
    "no record": {"record": None},
    "a list for a record": {"record": [1]},
    "a variant on no axis": {"record": {"variant": "x"}},
    "a list for a variant": {"record": {"variant": ["a/b"]}},
    "a variant out of the store": {"record": {"variant": "quantizer/../x"}},
    "a list of outputs": {"outputs": []},
    "a list of scores": {"outputs": {"scores": [1]}},
    "a huge score": {"outputs": {"scores": {"fgd": BIG}}},
    "a word for a score": {"outputs": {"scores": {"fgd": "x"}}},
    "huge decimals": {"outputs": {"scores": {"fgd": 1.0}, "metrics": {"fgd": {"decimals": BIG}}}},
    "a list of metrics": {"outputs": {"scores": {"fgd": 1.0}, "metrics": []}},
    "a list of references": {"outputs": {"scores": {"fgd": 1.0}, "references": [1]}},
    "a list of software": {"software": [], "host": [], "row": 3, "gin": 3, "fingerprint": 3},
    "a number for code": {"code": {"modules": 3}},
    "a list of code": {"code": []},
    "another stage": {"stage": "../x"},
}


def told_or_refused(act: Any, *given: Any) -> None:
    """Call a function that may refuse its input, and raises nothing else."""
    with contextlib.suppress(InputError):
        list(act(*given))


@pytest.mark.parametrize("name", ODD_MANIFESTS)
def test_no_manifest_makes_a_command_break(name: str, store: FakeStore, tmp_path: Path) -> None:
    stages, address = store.rows[0]["stages"], "little:3b/baseline"
    path = artifact_folder(store.path, "motion_scores", stages["motion_scores"]) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | ODD_MANIFESTS[name]))
    told_or_refused(show, f"{address}/fgd", None, store.path)
    told_or_refused(compare, address, "little:3b/w/o res", None, store.path)
    told_or_refused(find_garbage, store.path)
    told_or_refused(export, address, tmp_path / "out.tar", store.path)
    sweeps_table(store.path, read_sweeps(store.path))
    if name in NO_FILES:
        assert manifest(store.path, "motion_scores", stages["motion_scores"]) is None


def test_no_manifest_makes_a_plan_break(tmp_path: Path) -> None:
    plan = keep(make_plan(sweep_of()), tmp_path)
    task = next(task for task in plan.tasks.values() if task.stage == "tokenizer")
    changed = make_plan(sweep_of("tokenizer/training.adamw.steps = 4"))
    path = artifact_folder(tmp_path, task.stage, task.key) / "manifest.json"
    content = json.loads(path.read_text())
    for name, change in ODD_MANIFESTS.items():
        path.write_text(json.dumps(content | change))
        assert (task.key in plan.missing(tmp_path)) or name not in NO_FILES, name
        explain_missing(changed, tmp_path)
        drifted(present(), Manifests(tmp_path), [(one.stage, key) for key, one in plan.tasks.items()])


# --- an artifact is what its key says ------------------------------------------------------------------


FORGED: dict[str, dict[str, Any]] = {
    "another value": {"record": {"metrics": [9.0]}},
    "another version": {"version": 2},
    "other parents": {"parents": {}},
    "other data": {"fingerprint": "x"},
    "another seed": {"seed": 5},
    "no version": {"version": None},
    "an identity beside the record": {"identity": {"metrics": [3.0]}},
    "an identity that is not hashed": {"identity": {}},
}


@pytest.mark.parametrize("name", FORGED)
def test_an_artifact_that_is_not_what_its_key_says_counts_for_none(
    name: str, store: FakeStore, tmp_path: Path
) -> None:
    node = "motion_scores", store.rows[0]["stages"]["motion_scores"]
    path = artifact_folder(store.path, *node) / "manifest.json"
    content = json.loads(path.read_text())
    assert intact(store.path, *node) and manifest(store.path, *node) == content
    write_json(path, content | FORGED[name])
    assert not intact(store.path, *node) and Manifests(store.path).get(*node) is None
    assert "key" in Manifests(store.path).fault(*node) or "identity" in Manifests(store.path).fault(*node)
    assert damage(store.path, *node) == Manifests(store.path).fault(*node)
    with pytest.raises(InputError, match="not in the store: motion_scores"):
        show("little:3b/baseline/fgd", None, store.path)
    with pytest.raises(InputError, match=r"motion_scores \(damaged: its "):
        export("little:3b/baseline", tmp_path / "out.tar", store.path)


def test_an_identity_may_leave_out_what_changes_nothing(store: FakeStore) -> None:
    node = "tokenizer", store.rows[0]["stages"]["tokenizer"]
    path = artifact_folder(store.path, *node) / "manifest.json"
    content = json.loads(path.read_text())
    more = {"record": {**content["record"], "decode": 1, "residual": 2}}
    for facts in (more, {**more, "identity": content["record"]}):
        write_json(path, content | facts)
        assert intact(store.path, *node), facts
