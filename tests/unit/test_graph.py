"""A graph that grows while it runs: each stage once, parents first, what is there is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from keyed import digest, manifest_of

from rgx.resources import Resources
from rgx.run.graph import Graph
from rgx.store.artifacts import artifact_folder, write_json
from rgx.sweep.plan import Plan, Task


def task(key: str, *parents: str, trains: bool = False) -> Task:
    return Task(
        f"stage{key}", key, {}, 1, "", None, trains, False, Resources(), {f"stage{p}": p for p in parents},
        {}, (), (), (), (), "row",
    )  # fmt: skip


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    tasks = {"a": task("a"), "b": task("b", "a")}
    return Graph(Plan("growing", (0,), tasks), tmp_path)


def taken(graph: Graph) -> str:
    found = graph.take()
    assert found is not None
    return found.key


def test_a_stage_that_two_ask_for_is_there_once(graph: Graph) -> None:
    graph.add([task("a"), task("c", "a")])
    graph.add([task("a"), task("c", "a"), task("d", "a")])
    assert list(graph.tasks) == ["a", "b", "c", "d"]
    assert taken(graph) == "a"
    assert graph.take() is None, "all others need it"
    graph.succeed("a")
    assert {taken(graph) for _ in range(3)} == {"b", "c", "d"}
    graph.add([task("d", "a")])
    assert graph.take() is None and not graph.finished


def test_what_is_in_the_store_is_found_and_not_run(graph: Graph, tmp_path: Path) -> None:
    key = digest("c")
    manifest = manifest_of("stage" + key, key, files={})
    write_json(artifact_folder(tmp_path, "stage" + key, key) / "manifest.json", manifest)
    graph.add([task(key, "a"), task("d", key)])
    assert graph.found == 1 and key in graph.done
    assert {taken(graph) for _ in range(2)} == {"a", "d"}


def test_the_longest_path_goes_first_among_what_was_added(graph: Graph) -> None:
    graph.add([task("c"), task("d"), task("e", "d", trains=True)])
    assert taken(graph) == "d"


def test_it_grows_before_each_choice_so_a_stage_may_call_for_the_next(graph: Graph) -> None:
    wanted = iter([[], [task("c", "b")], [], []])
    graph.grow = lambda: graph.add(next(wanted))
    for key in "abc":
        assert taken(graph) == key
        graph.succeed(key)
    assert graph.take() is None and graph.finished


def test_a_failure_blocks_what_was_added_behind_it_and_nothing_else(graph: Graph) -> None:
    graph.add([task("c", "b"), task("d", "a")])
    for key in "ab":
        graph.running[key] = graph.waiting.pop(key)
    graph.succeed("a")
    assert [blocked.key for blocked in graph.fail("b", "broken")] == ["c"]
    assert not graph.given_up
    assert taken(graph) == "d"
    graph.give_up("d", "died")
    assert graph.failed == {"b": "broken", "d": "died"} and graph.given_up == {"d"}
