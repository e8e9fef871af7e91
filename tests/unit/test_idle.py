"""Which idle Ray workers stay: those in nobody's way, for a while."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rgx.run import ray_workers
from rgx.run.ray_workers import IdleWorkers, idle_workers_kept, in_the_way


@dataclass(frozen=True)
class Kind:
    """What a placement group asks for."""

    amounts: tuple[tuple[str, float], ...]

    @property
    def required_resources(self) -> dict[str, float]:
        return dict(self.amounts)


CPU, GPU = Kind((("CPU", 1),)), Kind((("CPU", 1), ("GPU", 1)))


def workers(**free: float) -> IdleWorkers:
    made = IdleWorkers(lambda: free, may_keep_one=True)
    for name in ("first", "second"):
        assert made.cache_object(CPU, name)
    return made


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        ({"CPU": 1, "GPU": 1}, None),  # it has a place
        ({"CPU": 1}, None),  # it lacks what no idle worker holds
        ({}, None),  # and so it does when a CPU is lacking besides
        ({"GPU": 1}, "idle"),  # all it lacks is what an idle worker holds
    ],
)
def test_a_worker_is_in_the_way_only_when_its_going_helps(
    free: dict[str, float], expected: str | None
) -> None:
    assert in_the_way({"CPU": 1, "GPU": 1}, free, {"idle": {"CPU": 1}}) == expected


def test_workers_stay_while_others_queue_for_a_gpu() -> None:
    made = workers(CPU=1)
    made.increase_max(GPU, 3)
    assert list(made.flush_cached_objects()) == []
    assert made.pop_cached_object(CPU) == "first"


def test_one_goes_when_its_cpu_is_all_that_is_lacking() -> None:
    made = workers(GPU=1)
    made.increase_max(GPU)
    assert list(made.flush_cached_objects()) == ["first"]
    assert made.num_cached_objects == 1


def test_one_goes_when_no_single_node_has_what_all_have_together(monkeypatch: pytest.MonkeyPatch) -> None:
    made = workers(CPU=1, GPU=1)
    made.increase_max(GPU)
    assert list(made.flush_cached_objects()) == [], "the stage may only just have queued"
    monkeypatch.setattr(ray_workers, "PATIENCE_S", -1.0)
    monkeypatch.setattr(ray_workers, "LOOK_S", -1.0)
    assert list(made.flush_cached_objects()) == ["first"]
    busy = workers(CPU=1)
    busy.increase_max(GPU)
    assert list(busy.flush_cached_objects()) == [], "no idle worker holds the GPU that others use"


def test_none_goes_for_a_stage_that_can_have_it() -> None:
    made = workers()
    made.increase_max(CPU)
    assert list(made.flush_cached_objects()) == []


def test_all_go_after_a_while_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(workers(CPU=1).flush_cached_objects(force_all=True)) == ["first", "second"]
    made = workers(CPU=1)
    monkeypatch.setattr(ray_workers, "LONGEST_S", -1.0)
    assert list(made.flush_cached_objects()) == ["first", "second"]
    assert not made.has_cached_object(CPU)


def test_tune_makes_its_cache_of_what_is_put_there() -> None:
    """Tune has no setting for it, so the name it uses inside must still be there."""
    from ray.tune.execution import tune_controller

    before = tune_controller._ObjectCache
    with idle_workers_kept():
        assert tune_controller._ObjectCache is IdleWorkers
        assert tune_controller._ObjectCache(may_keep_one=True).num_cached_objects == 0
    assert tune_controller._ObjectCache is before
