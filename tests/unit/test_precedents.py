"""Stages are packed by what stages like them took, and share a GPU by the memory that these needed."""

from __future__ import annotations

import heapq
import io
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray
from rich.console import Console
from roster import load_roster

from rgx.resources import Resources
from rgx.run.engine_ray import StageSearcher
from rgx.run.failures import OUT_OF_GPU_MEMORY
from rgx.run.gpu_memory import CONTEXT_BYTES, MARGIN, is_of_kinds, share_of
from rgx.run.graph import GUESSED_S, Graph
from rgx.run.precedents import Precedents
from rgx.run.progress import Progress
from rgx.store.artifacts import artifact_folder, write_json
from rgx.store.keys import key_of
from rgx.sweep.plan import Plan, Task

load_roster()
GB = 10**9
CARD = 80 * GB


def task(
    stage: str, size: int, *parents: Task, seed: int = 0, trains: bool = True, variant: str = "training/adamw"
) -> Task:
    record = {"name": stage, "net": {"variant": variant, "size": size}}
    keys = {parent.stage: parent.key for parent in parents}
    key = key_of(record, 1, keys, "", seed)
    return Task(
        stage, key, record, 1, "", seed, trains, True, Resources(), keys, {}, (), (), (), (), "row"
    )  # fmt: skip


def keep(store: Path, done: Task, seconds: float, **more: Any) -> None:
    """Write the manifest of a stage that took so many seconds."""
    content = {**done.message(), "texts": [], "plugins": [], "outputs": {}, "seconds": seconds, **more}
    write_json(artifact_folder(store, done.stage, done.key) / "manifest.json", content)


def graph_of(store: Path, *tasks: Task) -> Graph:
    return Graph(Plan("packed", (0,), {task.key: task for task in tasks}), store)


def order(graph: Graph) -> list[str]:
    """Return the stages in the order in which one slot runs them."""
    names = []
    while (taken := graph.take()) is not None:
        names.append(taken.stage)
        graph.succeed(taken.key)
    return names


def test_what_took_longest_goes_first_and_without_a_precedent_the_guess_decides(tmp_path: Path) -> None:
    quick, slow = task("quick", 1, trains=True), task("slow", 1, trains=False)
    assert order(graph_of(tmp_path, quick, slow)) == ["quick", "slow"], "trainings are guessed to take longer"
    keep(tmp_path, task("slow", 1, seed=7, trains=False), 3 * GUESSED_S["trains"])
    assert order(graph_of(tmp_path, quick, slow)) == ["slow", "quick"]
    keep(tmp_path, task("quick", 1, seed=7), 9 * GUESSED_S["trains"])
    assert order(graph_of(tmp_path, quick, slow)) == ["quick", "slow"]


def test_the_nearest_precedents_count(tmp_path: Path) -> None:
    wanted = task("net", 4)
    assert Precedents(tmp_path, {}).seconds(wanted) is None
    keep(tmp_path, task("net", 9, variant="resources/stage"), 2.0)
    assert Precedents(tmp_path, {}).seconds(wanted) == 2.0, "of the stage, whatever it is made of"
    keep(tmp_path, task("net", 8), 10.0)
    assert Precedents(tmp_path, {}).seconds(wanted) == 10.0, "of the same variants"
    for seed, seconds in ((1, 30.0), (2, 50.0), (3, 34.0)):
        keep(tmp_path, task("net", 4, seed=seed), seconds)
    assert Precedents(tmp_path, {}).seconds(wanted) == 34.0, "the median of the same parameters"
    assert Precedents(tmp_path, {}).seconds(task("other", 4)) is None


def test_what_went_on_from_a_checkpoint_was_not_measured(tmp_path: Path) -> None:
    pieces = [{"from": 0, "to": 5}, {"from": 5, "to": 6}]
    keep(tmp_path, task("net", 4, seed=1), 2.0, segments=pieces)
    assert Precedents(tmp_path, {}).seconds(task("net", 4)) is None
    keep(tmp_path, task("net", 4, seed=2), 9.0, segments=pieces[:1])
    assert Precedents(tmp_path, {}).seconds(task("net", 4)) == 9.0


def test_a_graph_learns_from_what_ends_while_it_runs(tmp_path: Path) -> None:
    first, second = task("slow", 1, trains=False), task("slow", 1, seed=1, trains=False)
    graph = graph_of(tmp_path, first, second, task("quick", 1))
    keep(tmp_path, first, 3 * GUESSED_S["trains"])
    graph.running[first.key] = graph.waiting.pop(first.key)
    graph.succeed(first.key)
    assert order(graph) == ["slow", "quick"]


def test_what_waits_again_has_its_place_in_the_order(tmp_path: Path) -> None:
    parent, other = task("parent", 1), task("other", 1)
    child = task("child", 1, parent)
    graph = graph_of(tmp_path, parent, child, other)
    assert [one.stage for one in (graph.take(), graph.take()) if one] == ["parent", "other"]
    graph.succeed(parent.key)
    assert graph.take() is child and graph.take() is None
    graph.rebuild(child.key, ["parent"])
    graph.put_back(other.key)
    assert order(graph) == ["parent", "child", "other"]


def makespan(graph: Graph, seconds: Callable[[Task], float], slots: int) -> float:
    """Return when the last stage of a graph ends on so many slots, each taking its seconds."""
    now, running = 0.0, list[tuple[float, str]]()
    while not graph.finished:
        while len(running) < slots and (taken := graph.take()) is not None:
            heapq.heappush(running, (now + seconds(taken), taken.key))
        now, key = heapq.heappop(running)
        graph.succeed(key)
    return now


def test_packing_by_seconds_ends_sooner_than_by_guesses(tmp_path: Path) -> None:
    """No order is best always; over many graphs it is, and none ends after twice the least there is."""
    draw, measured, guessed = random.Random(5), 0.0, 0.0
    for number in range(60):
        store, took = tmp_path / str(number), dict[str, float]()
        tasks: list[Task] = []
        for place in range(12):
            parents = draw.sample(tasks, min(len(tasks), draw.choice((0, 0, 1, 2))))
            tasks.append(task(f"stage{place}", place, *parents, trains=draw.random() < 0.5))
            took[tasks[-1].stage] = 10 ** draw.uniform(0, 2.5)
            keep(store, task(f"stage{place}", place, *parents, seed=1), took[tasks[-1].stage])

        def seconds(of: Task, took: dict[str, float] = took) -> float:
            return took[of.stage]

        ended = makespan(graph_of(store, *tasks), seconds, slots=2)
        longest: dict[str, float] = {}
        for one in tasks:
            longest[one.key] = took[one.stage] + max((longest[k] for k in one.parents.values()), default=0.0)
        least = max(sum(took.values()) / 2, *longest.values())
        assert least <= ended + 1e-6 and ended <= 1.5 * least + 1e-6, "Graham: at most 2 − 1/slots"
        measured += ended / least
        guessed += makespan(graph_of(tmp_path / "nothing", *tasks), seconds, slots=2) / least
    assert measured / 60 < 1.05 < guessed / 60


def memory(peak: float, card: float = CARD) -> dict[str, Any]:
    return {"gpu": "NVIDIA H100 80GB HBM3", "gpu_memory": {"peak_bytes": int(peak), "card_bytes": int(card)}}


@pytest.mark.parametrize(
    ("peak", "share"),
    [(1 * GB, 0.125), (8 * GB, 0.25), (20 * GB, 0.5), (33 * GB, 1.0), (79 * GB, 1.0)],
)
def test_a_share_of_a_card_holds_the_peak_with_a_margin(peak: float, share: float) -> None:
    assert share_of(memory(peak)) == share
    assert share == 1.0 or share * CARD >= MARGIN * peak + CONTEXT_BYTES


@pytest.mark.parametrize(
    "odd", [{}, {"peak_bytes": 1}, {"peak_bytes": -1, "card_bytes": 1}, {"card_bytes": 2}]
)
def test_no_share_comes_out_of_half_a_memory(odd: dict[str, int]) -> None:
    assert share_of({"gpu_memory": odd}) is None
    assert share_of({"gpu_memory": "much"}) is None


def test_a_stage_shares_a_gpu_once_the_same_ran_at_another_seed(tmp_path: Path) -> None:
    def chain(size: int, seed: int) -> tuple[Task, Task]:
        parent = task("data", size, seed=seed)
        return parent, task("net", 4, parent, seed=seed)

    def share(size: int, *kinds: str) -> float:
        tasks = {one.key: one for one in chain(size, 0)}
        return Precedents(tmp_path, tasks).gpu_share(list(tasks.values())[1], kinds)

    assert share(1) == 1.0, "nobody measured it"
    parent, net = chain(1, seed=3)
    keep(tmp_path, net, 1.0, **memory(8 * GB))
    assert share(1) == 1.0, "what it was made of is not there"
    keep(tmp_path, parent, 1.0)
    assert share(1) == share(1, "H100") == 0.25
    assert share(1, "A100") == share(1, "H100", "A100") == 1.0, "it was measured on another kind of card"
    assert share(2) == 1.0, "other data may need more"
    keep(tmp_path, chain(1, seed=4)[1], 1.0, **memory(20 * GB))
    keep(tmp_path, chain(1, seed=4)[0], 1.0)
    assert share(1) == 0.5, "the most of all seeds"


def test_a_share_is_asked_of_ray_where_the_user_bound_nothing() -> None:
    assert Resources().wanted(True, True, 0.25) == {"CPU": 1, "GPU": 0.25}
    assert Resources(gpus=1).wanted(True, True, 0.25) == {"CPU": 1, "GPU": 1}
    assert Resources().wanted(True, False, 0.25) == Resources().wanted(False, True, 0.25) == {"CPU": 1}


def test_a_name_is_of_a_kind_by_whole_words() -> None:
    assert is_of_kinds("NVIDIA H100 80GB HBM3", ["H100"]) and is_of_kinds("anything", [])
    assert not is_of_kinds("NVIDIA A100-SXM4-80GB", ["A10"])


def test_how_long_is_left_is_known_from_the_start_where_the_store_knows(tmp_path: Path) -> None:
    def shown(*left: Task) -> str:
        lines = io.StringIO()
        with Progress(graph_of(tmp_path, *left), Console(file=lines), 2) as progress:
            progress.started(left[0])
            progress.ended(left[0])
        return lines.getvalue()

    first, other = task("net", 4), task("other", 4)
    assert "ETA unknown" in shown(first, other)
    keep(tmp_path, task("net", 4, seed=1), 240.0)
    assert "ETA 4:00" in shown(first, other), "what nobody measured is taken for the mean of the others"


@pytest.fixture
def searcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StageSearcher:
    """A driver of machines with one H100 and of a stage that held 8 GB of one at another seed."""
    have = {"CPU": 4.0, "GPU": 1.0, "accelerator_type:H100": 1.0}
    monkeypatch.setattr(ray, "cluster_resources", lambda: have)
    keep(tmp_path, task("net", 4, seed=3), 1.0, **memory(8 * GB))
    graph = graph_of(tmp_path, *(task("net", 4, seed=seed) for seed in (0, 1)))
    return StageSearcher(graph, Progress(graph, Console(file=io.StringIO()), 1))


def test_two_stages_are_handed_out_for_one_gpu(searcher: StageSearcher) -> None:
    asked = [json.loads(searcher.suggest(f"trial{number}")["needs"]) for number in (1, 2)]
    assert asked == [{"CPU": 1, "GPU": 0.25}] * 2


def test_what_finds_its_share_too_little_is_run_again_on_a_whole_gpu_and_fails_there(
    searcher: StageSearcher,
) -> None:
    searcher.suggest("first")
    failure = json.dumps({"reason": f"{OUT_OF_GPU_MEMORY}: OutOfMemoryError: CUDA out of memory."})
    (running,) = searcher.graph.running
    searcher.on_trial_complete("first", {"failure": failure})
    assert running in searcher.graph.waiting and not searcher.graph.failed
    asked = {json.loads(searcher.suggest(name)["needs"])["GPU"]: name for name in ("second", "third")}
    assert asked.keys() == {0.25, 1.0}
    searcher.on_trial_complete(asked[1.0], {"failure": failure})
    assert list(searcher.graph.failed) == [running]


def test_what_finds_too_little_the_share_that_was_bound_has_failed(
    searcher: StageSearcher, tmp_path: Path
) -> None:
    """Run again, it would be given the same, and so without an end."""
    bound = replace(task("net", 4), resources=Resources(gpus=0.25))
    graph = graph_of(tmp_path, bound)
    driver = StageSearcher(graph, Progress(graph, Console(file=io.StringIO()), 1))
    assert json.loads(driver.suggest("first")["needs"])["GPU"] == 0.25
    failure = json.dumps({"reason": f"{OUT_OF_GPU_MEMORY}: OutOfMemoryError: CUDA out of memory."})
    driver.on_trial_complete("first", {"failure": failure})
    assert list(graph.failed) == [bound.key]
