"""CPU seconds: told by manifests, of each stage and in all by a plan and by a sweep."""

from __future__ import annotations

from pathlib import Path

from rgx.inspect.planned import lines, summary
from rgx.run.graph import Graph
from rgx.run.invocation import cost_of
from rgx.store.artifacts import artifact_folder, write_json
from rgx.store.cost import cpu_seconds_of, in_words
from rgx.sweep.plan import Plan, Task, make_plan
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path(__file__).resolve().parents[2] / "sweeps" / "ablation_table3.yaml"


def keep(store: Path, task: Task, **facts: float) -> None:
    content = {**task.message(), "texts": [], "plugins": [], "outputs": {}, **facts}
    write_json(artifact_folder(store, task.stage, task.key) / "manifest.json", content)


def kept(store: Path) -> Plan:
    """Return a plan of which two stages are there, one of them of a store that told no CPU seconds."""
    plan = make_plan(read_sweep(SWEEP, Overrides(only=["3b/+distill"])))
    by_stage = {task.stage: task for task in plan.tasks.values()}
    keep(store, by_stage["corpus"], seconds=9.0, cpu_seconds=1234.5)
    keep(store, by_stage["speech"], seconds=7.0)
    return plan


def test_a_plan_tells_the_cpu_seconds_of_each_stage_and_of_all(tmp_path: Path) -> None:
    plan = kept(tmp_path)
    told = list(lines(plan, tmp_path))
    assert [line.split("  ")[-1] for line in told if "hit " in line] == ["1,234 CPU s", "3b/+distill"]
    assert "2 in the store (1,234 CPU s)" in told[-1]
    stages = {stage["stage"]: stage["cpu_seconds"] for stage in summary(plan, tmp_path)["stages"]}
    assert stages["corpus"] == 1234.5 and stages["speech"] is None and stages["judge"] is None


def test_a_sweep_tells_what_all_its_stages_took_whenever_they_ran(tmp_path: Path) -> None:
    plan = kept(tmp_path)
    graph = Graph(plan, tmp_path)
    assert cost_of(graph) == "1,234 CPU s"
    judge = next(task for task in plan.tasks.values() if task.stage == "judge")
    keep(tmp_path, judge, cpu_seconds=10.0)
    graph.running[judge.key] = graph.waiting.pop(judge.key)
    graph.succeed(judge.key)
    assert cost_of(graph) == "1,244 CPU s"


def test_what_is_no_number_is_not_told() -> None:
    assert cpu_seconds_of({"cpu_seconds": "many"}) is None and cpu_seconds_of(None) is None
    assert in_words(0.4) == "0 CPU s"
