"""What a stage asks of a machine: bound in gin, by stage, and never part of a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rgx.errors import InputError
from rgx.sweep.plan import Plan, make_plan
from rgx.sweep.spec import Overrides, read_sweep

ROOT = Path(__file__).resolve().parents[2]


def planned(*bindings: str) -> Plan:
    overrides = Overrides(bindings=list(bindings), only=["3b/+distill"])
    return make_plan(read_sweep(ROOT / "sweeps" / "ablation_table3.yaml", overrides))


def asked(plan: Plan, stage: str, gpus: bool) -> dict[str, float]:
    (task,) = [task for task in plan.tasks.values() if task.stage == stage]
    return task.resources.wanted(task.uses_gpu, gpus)


def test_only_stages_that_gain_from_a_gpu_ask_for_one() -> None:
    plan = planned()
    assert asked(plan, "generator", gpus=True) == {"CPU": 1, "GPU": 1}
    assert asked(plan, "motion", gpus=True) == {"CPU": 1, "GPU": 1}
    assert asked(plan, "generator", gpus=False) == {"CPU": 1}
    for stage in ("corpus", "speech", "motion_scores"):
        assert asked(plan, stage, gpus=True) == {"CPU": 1}


def test_resources_are_bound_for_all_stages_or_for_one_and_leave_keys_alone() -> None:
    plan = planned(
        "resources.stage.cpus = 2",
        "judge/resources.stage.cpus = 4",
        "judge/resources.stage.memory_gb = 3",
        "generator/resources.stage.gpus = 0.5",
        "generator/resources.stage.custom = {'a100': 1}",
        "judge/resources.stage.time_limit_s = 3600",
        "judge/resources.stage.checkpoint_minutes = 1",
    )
    assert asked(plan, "judge", gpus=False) == {"CPU": 4, "memory": 3e9}
    assert asked(plan, "generator", gpus=True) == {"CPU": 2, "GPU": 0.5, "a100": 1}
    assert asked(plan, "corpus", gpus=True) == {"CPU": 2}
    assert plan.tasks.keys() == planned().tasks.keys()
    (judge,) = [task for task in plan.tasks.values() if task.stage == "judge"]
    assert judge.message()["threads"] == 4
    assert judge.resources.time_limit_s == 3600


def test_several_gpus_are_for_a_training_and_leave_keys_alone() -> None:
    plan = planned("generator/resources.stage.gpus = 4", "tokenizer/resources.stage.processes = 2")
    assert asked(plan, "generator", gpus=True) == {"CPU": 4, "GPU": 4}
    assert asked(plan, "tokenizer", gpus=True) == {"CPU": 2, "GPU": 2}
    assert asked(plan, "tokenizer", gpus=False) == {"CPU": 2}
    assert plan.tasks.keys() == planned().tasks.keys()
    with pytest.raises(InputError, match="processes = 2: expected as many as gpus = 3, or gpus = 0"):
        planned("generator/resources.stage.gpus = 3", "generator/resources.stage.processes = 2")


def test_the_cluster_of_the_example_is_one_that_ray_would_start() -> None:
    jsonschema, autoscaler = pytest.importorskip("jsonschema"), pytest.importorskip("ray.autoscaler")
    example = yaml.safe_load((ROOT / "examples" / "ray_cluster.yaml").read_text())
    schema = json.loads((Path(autoscaler.__file__).parent / "ray-schema.json").read_text())
    jsonschema.validate(example, schema)
    assert example["head_node_type"] in example["available_node_types"]


@pytest.mark.parametrize(
    ("binding", "told"),
    [
        ("resources.stage.cpu = 2", "did you mean 'cpus'"),
        ("resources.stage.cpus = 'many'", "expected a number, found text"),
        ("resources.stage.gpus = -1", "expected 0 or more"),
        ("resources.stage.gpus = 1.5", "gpus = 1.5: expected a whole number, or less than 1"),
        ("resources.stage.gpus = 2", "stage corpus does not train, and only a training is shared"),
        ("motion/resources.stage.processes = 2", "stage motion does not train"),
        ("generator/resources.stage.processes = 0", "processes = 0: expected 1 or more"),
        ("resources.stage.time_limit_s = 0", "time_limit_s = 0: expected more than 0"),
        ("resources.stage.checkpoint_minutes = 0", "checkpoint_minutes = 0: expected more than 0"),
        ("resources.stage.stall_minutes = -1", "stall_minutes = -1: expected more than 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(binding: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        planned(binding)


def test_more_than_the_cluster_has_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import ray

    from rgx.run import engine_ray
    from rgx.run.graph import Graph

    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    graph = Graph(planned("judge/resources.stage.cpus = 8"), tmp_path)
    with pytest.raises(InputError, match="stage judge asks for 8 CPU, the cluster has 2"):
        engine_ray.check_resources(graph)
