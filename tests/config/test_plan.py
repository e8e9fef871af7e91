from __future__ import annotations

import re
from pathlib import Path

import pytest

from rgx.config import plan_cell
from rgx.errors import InputError
from rgx.store.artifacts import artifact_folder, write_json
from rgx.sweep.plan import Plan, explain, flatten, make_plan
from rgx.sweep.spec import Overrides, read_sweep

ROOT = Path(__file__).resolve().parents[2]
BOTH = ("realistic_gesture", "readings")
READINGS = ROOT / "sweeps" / "ablation_readings.yaml"
DEMO = ROOT / "sweeps" / "demo.yaml"
SHIPPED = ROOT / "sweeps" / "ablation_table3.yaml"
TABLE_1 = ROOT / "sweeps" / "table1.yaml"
SCALES = sorted(p.stem for p in (ROOT / "gin" / "scale").glob("*.gin"))
MINI = ROOT.parent / "shared/data/pats_mini"
ROW = "3b/+distill"


def planned(path: Path = SHIPPED, only: str = ROW, **changes: object) -> Plan:
    return make_plan(read_sweep(path, Overrides(only=[only] if only else [], **changes)))  # type: ignore[arg-type]


def keys(plan: Plan) -> dict[str, str]:
    return {t.stage: k for k, t in plan.tasks.items()}


@pytest.fixture(scope="module")
def shipped() -> Plan:
    return planned(only="")


@pytest.fixture(scope="module")
def default() -> Plan:
    return planned()


def test_the_shipped_sweep_has_24_cells_and_26_trainings(shipped: Plan) -> None:
    assert len(shipped.cells) == 24
    assert shipped.trainings == 26
    assert shipped.per_row_trainings > 3 * shipped.trainings
    assert {second for _, second in shipped.same} == {*("3c/full-model", "3e/Uni. .5-1", "3f/5 iter.")}


def test_parents_come_first_and_every_cell_is_there(shipped: Plan) -> None:
    seen: set[str] = set()
    for key, task in shipped.tasks.items():
        assert set(task.parents.values()) <= seen
        assert set(task.parents.items()) <= set(task.ancestors.items())
        seen.add(key)
    for cell in shipped.cells:
        assert set(cell["stages"].values()) <= seen


def test_seeds_share_what_no_seed_touches(default: Plan) -> None:
    both = planned(seeds=[0, 1])
    counts = {s: sum(t.stage == s for t in both.tasks.values()) for s in keys(default)}
    assert [s for s, n in counts.items() if n == 1] == ["corpus", "speech", "judge", "sync_judge"] or {
        s for s, n in counts.items() if n == 1
    } == {"corpus", "speech", "judge", "sync_judge"}
    assert set(default.tasks) <= set(both.tasks)


def test_keys_do_not_depend_on_the_working_folder_or_comments(
    default: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert keys(planned()) == keys(default)
    (tmp_path / "gin").mkdir()
    base = (ROOT / "gin" / "realistic_gesture.gin").read_text()
    (tmp_path / "gin" / "realistic_gesture.gin").write_text("# more\n\n" + base.replace("\n\n", "\n# x\n"))
    copy = tmp_path / "other_name.yaml"
    copy.write_text("# a comment\n" + SHIPPED.read_text().replace("name: ablation_table3", "name: other"))
    assert keys(planned(copy)) == keys(default)


@pytest.mark.skipif(not MINI.is_dir(), reason="needs ../shared/data/pats_mini")
def test_keys_do_not_depend_on_where_the_videos_are(tmp_path: Path) -> None:
    found = []
    for name in ("here", "there"):
        (tmp_path / name).symlink_to(MINI)
        bind = [f"corpus.videos.folder = '{tmp_path / name}'"]
        found.append(keys(planned(choices={"corpus": "videos"}, bindings=bind)))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("binding", "stage", "default_value", "other"),
    [
        ("generator.masked.replaced_share", "generator", "0.1", "0.2"),
        ("stage.tokenizer.commitment", "tokenizer", "0.02", "0.03"),
        ("alignment/training.adamw.weight_decay", "alignment", "1e-5", "1e-4"),
        ("mask_ratio.uniform.low", "generator", "0.5", "0.4"),
        ("decode.iterative.steps", "motion", "5", "6"),
        ("stage.judge.seed", "judge", "0", "1"),
        ("corpus.puppets.seed", "corpus", "0", "1"),
    ],
)
def test_a_parameter_changes_its_stage_and_the_descendants_only(
    default: Plan, binding: str, stage: str, default_value: str, other: str
) -> None:
    assert keys(planned(bindings=[f"{binding} = {default_value}"])) == keys(default)
    changed = keys(planned(bindings=[f"{binding} = {other}"]))
    differ = {s for s, k in keys(default).items() if changed[s] != k}
    assert differ == {stage} | {t.stage for t in default.tasks.values() if stage in t.ancestors}


def test_explain_names_the_binding(default: Plan, tmp_path: Path) -> None:
    task = next(t for t in planned(bindings=["generator.masked.replaced_share = 0.2"]).tasks.values()
                if t.stage == "generator")  # fmt: skip
    assert explain(task, tmp_path) == "no artifact of this stage is in the store"
    made = default.tasks[keys(default)["generator"]]
    write_json(artifact_folder(tmp_path, "generator", made.key) / "manifest.json", made.message() | {
        "texts": [], "plugins": []
    })  # fmt: skip
    assert explain(task, tmp_path) == f"nearest {made.key[:8]}: generator.replaced_share: 0.1 → 0.2"
    assert made.key not in default.missing(tmp_path)


def test_records_hold_defaults(default: Plan) -> None:
    record = flatten(default.tasks[keys(default)["generator"]].record)
    assert record["variant"] == "stage/generator"
    assert record["audio_init.rate"] == 0.1
    assert record["training.clip_norm"] == 1.0
    assert record["training.steps"] == 700
    assert record["generator.mask_ratio.low"] == 0.5


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_builds(scale: str) -> None:
    assert "motion_scores" in keys(planned(scale=scale))


def test_no_gin_binding_is_dead(shipped: Plan) -> None:
    others = {"quantizer": "vq", "residual": "none", "alignment": "chronological"}
    single = read_sweep(SHIPPED, Overrides(others, only=[ROW])).rows[0]
    records = [t.record for t in shipped.tasks.values()]
    records += [s.record for s in plan_cell(single.texts, single.targets).stages.values()]
    records += [t.record for t in planned(scale="paper").tasks.values()]
    for sweep in (READINGS, DEMO, TABLE_1):  # a demo has what needs nothing installed
        records += [t.record for t in make_plan(read_sweep(sweep)).tasks.values()]
    read = {v for r in records for n, v in flatten(r).items() if n.endswith("variant")}
    read |= {m["variant"] for r in records for m in r.get("metrics", [])}
    base = "".join((ROOT / "gin" / f"{name}.gin").read_text() for name in ("realistic_gesture", "baselines"))
    for path in [*(ROOT / "gin" / f"{name}.gin" for name in BOTH), *(ROOT / "gin" / "scale").glob("*.gin")]:
        for line in path.read_text().splitlines():
            found = re.match(r"(?:(\w+)/)?(\w+)\.(\w+)\.\w+ =", line)
            if found:
                scope, axis, name = found.groups()
                assert f"{axis}/{name}" in read, f"{path.name}: {line}"
                # What a part is made of is configured in the part's scope.
                assert scope is None or f"@{scope}/" in base, f"{path.name}: {line}"
            elif macro := re.match(r"([A-Z_]+) =", line):
                assert re.search(rf"%{macro[1]}\b", base), f"{path.name}: {line}"


@pytest.mark.slow
def test_a_binding_of_the_command_line_needs_one_row_that_reads_it() -> None:
    path = ROOT / "sweeps" / "ablation_table3.yaml"
    plan = make_plan(read_sweep(path, Overrides(bindings=["tokenizer/training.adamw.steps = 7"])))
    steps = {t.record["training"]["steps"] for t in plan.tasks.values() if t.stage == "tokenizer"}
    assert steps == {7}
    for binding, told in (
        ("refiner/training.adamw.steps = 7", "nothing in this cell reads 'refiner/training.adamw.steps'"),
        ("quantizer.fsq.levels = (4, 4)", "nothing in this cell reads 'quantizer.fsq.levels'"),
        ("tokeniser/training.adamw.steps = 7", "did you mean 'tokenizer'"),
    ):
        with pytest.raises(InputError, match=told):
            make_plan(read_sweep(path, Overrides(bindings=[binding], only=["3b"])))
