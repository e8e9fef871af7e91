"""Searches against what was planted, without training: a stage's score is read off its record."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyed import digest, manifest_of
from little import LITTLE, ROOT, SYNC, command, manifests
from ray.tune.search import Searcher
from rich.console import Console
from roster import load_roster

from rgx import registry
from rgx.errors import InputError
from rgx.run import ray_failures
from rgx.run.graph import Graph
from rgx.run.progress import Progress
from rgx.run.search_schedulers import make_scheduler
from rgx.run.search_scores import score_of
from rgx.run.search_trials import Trials
from rgx.run.searches import Searches
from rgx.store.artifacts import artifact_folder, running_folder, write_json
from rgx.store.records import Score, SearchRecord, Trial
from rgx.store.runs import read_run
from rgx.sweep.plan import Task, make_plan
from rgx.sweep.run_record import RunRecord
from rgx.sweep.search.record import read_record
from rgx.sweep.search.searchers import SEARCHERS, History
from rgx.sweep.search.space import Choices, Range, Space
from rgx.sweep.spec import read_sweep

HEAD = LITTLE.split("panels:")[0].replace(SYNC, "")
HEAD = HEAD.replace("realistic_gesture.gin]", "realistic_gesture.gin, planted.gin]")
SEARCH = """\
search:
  peak:
    over:
      metric.planted_for_a_test.at: {low: 1.0e-6, high: 1.0, log: true}
      decode.iterative.steps: {choices: [5, 10]}
    metric: motion_scores/planted_for_a_test
    trials: 8
"""
ASHA = """\
    scheduler:
      asha: {budget: metric.planted_for_a_test.budget, rungs: [1, 2, 4]}
"""
PLUGIN = """\
from rgx.gesture.metrics.base import Evaluation, MotionMetric
from rgx.registry import register

@register("metric", "planted_for_a_test", label="Planted")
class Planted(MotionMetric):
    "Known by its record alone."
    direction = "down"

    def __init__(self, at: float = 1.0, budget: int = 1) -> None:
        self.at, self.budget = at, budget

    def score(self, evaluation: Evaluation) -> float:
        raise AssertionError("no score is computed here")
"""
PEAK = 2.0e-3
TOKENIZER = "tokenizer/training.adamw.steps: 4"


def planted(at: float, budget: int = 1) -> float:
    """Return the planted score: least at PEAK, and less with a larger budget."""
    return abs(math.log10(at / PEAK)) + 1 / budget


def metrics_in(record: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(record, Mapping):
        if record.get("variant") == "metric/planted_for_a_test":
            yield record
        for value in record.values():
            yield from metrics_in(value)
    elif isinstance(record, (list, tuple)):
        for value in record:
            yield from metrics_in(value)


@pytest.fixture(scope="module", autouse=True)
def roster() -> Iterator[None]:
    load_roster()
    before = dict(registry._roster)
    yield
    registry._roster.clear()
    registry._roster.update(before)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put in place of a stage's run a manifest with its planted score; the stages run, in order."""
    stages: list[str] = []

    def run_task(task: Mapping[str, Any], store: Path, device: str = "cpu") -> str:
        folder = artifact_folder(store, task["stage"], task["key"])
        if folder.exists():
            return "found"
        assert all(artifact_folder(store, s, k).exists() for s, k in task["parents"].items())
        found = list(metrics_in(task["record"]))
        scores = {f"{m['variant'].partition('/')[2]}": planted(m["at"], m["budget"]) for m in found}
        words = ("key", "stage", "row", "parents", "record", "version", "fingerprint", "seed")
        made = {word: task[word] for word in words}
        references = dict.fromkeys(scores, 0.0)
        outputs = {"scores": scores, "references": references, "metrics": {n: {"label": n} for n in scores}}
        write_json(folder / "manifest.json", {**made, "outputs": outputs, "files": {}})
        stages.append(task["stage"])
        return "made"

    monkeypatch.setattr("rgx.run.engine_inline.run_task", run_task)
    return stages


@pytest.fixture
def searched(tmp_path: Path, ran: list[str], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that sweeps a text and returns what was printed."""
    (tmp_path / "planted_plugin_for_a_test.py").write_text(PLUGIN)
    (tmp_path / "planted.gin").write_text("stage.motion_scores.metrics = [@metric.planted_for_a_test()]\n")

    def run(text: str, *options: str, code: int = 0, verb: str = "sweep") -> str:
        (tmp_path / "little.yaml").write_text(HEAD + "imports: [planted_plugin_for_a_test]\n" + text)
        engine = ["--engine", "inline"] if verb == "sweep" else []
        arguments = [str(tmp_path / "little.yaml"), "--store", str(tmp_path / "store"), *engine]
        found = command(verb, *arguments, *options)
        told = capsys.readouterr()
        assert found == code, told.out + told.err
        return told.out + told.err

    return run


def record(tmp_path: Path) -> dict[str, Any]:
    (path,) = (tmp_path / "store" / "searches" / "little").glob("*/record.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("on_test", ["", "file:3"])
def test_a_score_that_came_out_as_of_test_is_no_score_of_a_search(tmp_path: Path, on_test: str) -> None:
    """A stage may say of each metric what split it is of, which nobody knows before it has run."""
    outputs = {"scores": {"x": 1.0}, "metrics": {"x": {"label": "X", "split": "test"}}}
    manifest = manifest_of("scores", digest("scores of test"), outputs=outputs)
    write_json(artifact_folder(tmp_path, "scores", manifest["key"]) / "manifest.json", manifest)
    search = SimpleNamespace(stage="scores", metric="x", direction="down", on_test=on_test)
    rung = SimpleNamespace(ends=lambda stage: [manifest["key"]])
    refused = pytest.raises(InputError, match="scores/x came out as a score of the test split")
    with nullcontext() if on_test else refused:
        assert score_of(search, rung, tmp_path).value == 1.0  # type: ignore[arg-type]


@pytest.mark.slow
def test_what_trials_share_is_run_once_and_first(
    tmp_path: Path, ran: list[str], searched: Callable[..., str]
) -> None:
    told = searched(SEARCH)
    trials = record(tmp_path)["trials"]
    assert len(trials) == 8
    assert [t["state"] for t in trials] == ["finished"] * 8
    assert sorted(ran[:6]) == ["alignment", "corpus", "generator", "residual", "speech", "tokenizer"] or (
        sorted(ran[:7]) == ["alignment", "corpus", "generator", "judge", "residual", "speech", "tokenizer"]
    )
    assert [s for s in ran if s not in ("motion", "motion_scores")] == list(
        dict.fromkeys(s for s in ran if s not in ("motion", "motion_scores"))
    )
    assert ran.count("motion") == 2, "one for each number of steps"
    assert ran.count("motion_scores") == len({tuple(t["values"].values()) for t in trials})
    for trial in trials:
        (rung,) = trial["rungs"]
        at = trial["values"]["metric.planted_for_a_test.at"]
        assert rung["score"]["value"] == planted(at)
        assert rung["row"] == f"at={at}, steps={trial['values']['decode.iterative.steps']}"
    assert "8 finished" in told


@pytest.mark.slow
def test_the_table_is_sorted_and_the_best_can_be_pasted(
    tmp_path: Path, ran: list[str], searched: Callable[..., str]
) -> None:
    told = searched(SEARCH)
    lines = told.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("---")) + 1
    printed = [float(line.split()[0]) for line in lines[first : first + 8]]
    assert printed == sorted(printed)
    (best,) = [line for line in lines if line.startswith("best: ")]
    values = min(record(tmp_path)["trials"], key=lambda t: t["rungs"][0]["score"]["value"])["values"]
    names = ["metric.planted_for_a_test.at", "decode.iterative.steps"]
    assert best == "best: " + " ".join(f"--bind '{name} = {values[name]!r}'" for name in names)
    before = len(ran)
    options = [word for name, value in values.items() for word in ("--bind", f"{name} = {value!r}")]
    searched("panels:\n  p:\n    pasted: {}\n", *options)
    assert ran[before:] == ["motion", "motion_scores"], "the best trial's networks, now scored on test"


def test_a_finished_search_starts_nothing(
    tmp_path: Path, ran: list[str], searched: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = searched(SEARCH)
    before, was = len(ran), record(tmp_path)
    monkeypatch.setattr("rgx.run.searches.Trials", lambda *_: pytest.fail("a trial was begun"))
    again = searched(SEARCH)
    assert len(ran) == before
    assert record(tmp_path) == was
    assert again.splitlines()[1:-1] == first.splitlines()[-len(again.splitlines()) + 1 : -1]


@pytest.mark.slow
@pytest.mark.parametrize("searcher", list(SEARCHERS))
def test_a_stopped_search_goes_on_as_if_it_had_not_been_stopped(
    tmp_path: Path,
    ran: list[str],
    searched: Callable[..., str],
    searcher: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = SEARCH + f"    searcher: {searcher}\n"
    from rgx.run import engine_inline

    run_task, calls = engine_inline.run_task, []

    def stopped(task: Mapping[str, Any], store: Path, device: str) -> str:
        calls.append(task["stage"])
        if calls.count("motion_scores") == 5:
            raise KeyboardInterrupt
        return run_task(task, store, device)

    with monkeypatch.context() as patch:
        patch.setattr("rgx.run.engine_inline.run_task", stopped)
        searched(text, code=130)
    half = record(tmp_path)["trials"]
    assert [t["state"] for t in half] == ["finished"] * 4 + ["open"]
    searched(text)
    whole = record(tmp_path)["trials"]
    assert [t["state"] for t in whole] == ["finished"] * 8
    assert whole[:4] == half[:4]
    assert whole[4]["values"] == half[4]["values"], "the trial under way is taken up again"
    points = [tuple(t["point"]) for t in whole]
    assert len(set(points)) == 8, "a sampler that begins anew does not draw the old points again"


@pytest.mark.slow
def test_more_trials_go_on_and_another_range_begins_anew(
    tmp_path: Path, ran: list[str], searched: Callable[..., str]
) -> None:
    searched(SEARCH.replace("trials: 8", "trials: 3"))
    three = record(tmp_path)["trials"]
    searched(SEARCH.replace("trials: 8", "trials: 5"))
    assert record(tmp_path)["trials"][:3] == three
    searched(SEARCH.replace("trials: 8", "trials: 2").replace("high: 1.0", "high: 0.5"))
    folders = list((tmp_path / "store" / "searches" / "little").iterdir())
    assert len(folders) == 2
    rows = read_run(tmp_path / "store", "little").model_dump()["rows"]
    assert len(rows) == 2


@pytest.mark.slow
def test_a_trial_whose_artifact_is_gone_is_run_again_with_its_values(
    tmp_path: Path, ran: list[str], searched: Callable[..., str]
) -> None:
    searched(SEARCH)
    was, before = record(tmp_path), len(ran)
    rung = was["trials"][3]["rungs"][0]
    shutil.rmtree(artifact_folder(tmp_path / "store", "motion_scores", rung["cells"][0][1]["motion_scores"]))
    searched(SEARCH)
    assert ran[before:] == ["motion_scores"]
    assert record(tmp_path) == was


@pytest.mark.slow
def test_optuna_comes_near_the_peak_and_beats_the_middle_of_its_own_trials(
    tmp_path: Path, searched: Callable[..., str]
) -> None:
    text = SEARCH.replace("      decode.iterative.steps: {choices: [5, 10]}\n", "")
    searched(text.replace("trials: 8", "trials: 40") + "    searcher: optuna\n")
    scores = [t["rungs"][0]["score"]["value"] - 1 for t in record(tmp_path)["trials"]]
    assert min(scores) < 0.1, "within a quarter of the peak on a range of six factors of ten"
    early, late = statistics.median(scores[:10]), statistics.median(scores[-20:])
    assert min(scores) < early / 5
    assert late < early, "it has learnt where to look"


@pytest.mark.slow
def test_asha_halves_as_worked_by_hand_spends_less_and_still_does_after_a_stop(
    tmp_path: Path, ran: list[str], searched: Callable[..., str]
) -> None:
    searched(SEARCH.replace("trials: 8", "trials: 5") + ASHA)
    told = searched(SEARCH.replace("trials: 8", "trials: 12") + ASHA)
    trials = record(tmp_path)["trials"]
    climbed = [[r["score"]["value"] for r in t["rungs"]] for t in trials]
    seen: list[list[float]] = [[], [], []]
    for trial, scores in zip(trials, climbed, strict=True):
        for index, score in enumerate(scores):
            goes_on = not seen[index] or score <= statistics.median(seen[index])
            seen[index].append(score)
            assert goes_on == (index < len(scores) - 1) or index == 2
        assert trial["state"] == ("finished" if len(scores) == 3 else "stopped")
    finished = [t for t in trials if t["state"] == "finished"]
    assert 0 < len(finished) < 12
    assert ran.count("motion_scores") == sum(map(len, climbed)) < 12 * 3
    for trial in trials:
        at = trial["values"]["metric.planted_for_a_test.at"]
        budgets = [1, 2, 4][: len(trial["rungs"])]
        assert [r["score"]["value"] for r in trial["rungs"]] == [planted(at, b) for b in budgets]
        assert [r["row"].rpartition("budget=")[2] for r in trial["rungs"]] == [str(b) for b in budgets]
    bests = [min(scores) for scores in climbed]
    assert trials[bests.index(min(bests))]["state"] == "finished", "the best trial is never stopped"
    best = min(finished, key=lambda t: t["rungs"][-1]["score"]["cost"])
    assert "budget = 4'" in told.splitlines()[-2]
    assert f"at = {best['values']['metric.planted_for_a_test.at']!r}'" in told.splitlines()[-2]
    rows = read_run(tmp_path / "store", "little").model_dump()["rows"]
    assert [r["row"] for r in rows] == [t["rungs"][-1]["row"] for t in trials]


@pytest.mark.slow
def test_a_trial_that_fails_or_makes_no_cell_is_told_and_the_others_go_on(
    tmp_path: Path, searched: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rgx.run import engine_inline

    run_task = engine_inline.run_task

    def broken(task: Mapping[str, Any], store: Path, device: str) -> str:
        if any(m["at"] < 1e-4 for m in metrics_in(task["record"])):
            raise RuntimeError("too small")
        return run_task(task, store, device)

    monkeypatch.setattr("rgx.run.engine_inline.run_task", broken)
    width = "      trunk.paper.width: {low: 32, high: 64, integer: true}\n"
    text = SEARCH.replace("    metric:", width + "    metric:").replace("trials: 8", "trials: 16")
    told = searched(text + "    searcher: optuna\n")
    trials = record(tmp_path)["trials"]
    reasons = [t["reason"] for t in trials if t["state"] == "failed"]
    assert "RuntimeError: too small" in reasons
    told_where = r".*little\.yaml:\d+: trunk.paper.width = \d\d: expected a multiple.*"
    assert any(re.fullmatch(told_where, reason) for reason in reasons)
    assert all(t["rungs"][0]["score"] is None for t in trials if t["reason"] == "RuntimeError: too small")
    assert any(t["state"] == "finished" for t in trials)
    assert "failed: RuntimeError: too small" in told


def test_a_search_none_of_whose_trials_finished_is_no_success(
    searched: Callable[..., str], ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rgx.run import engine_inline

    run_task = engine_inline.run_task

    def broken(task: Mapping[str, Any], store: Path, device: str) -> str:
        if task["stage"] == "motion_scores":
            raise RuntimeError("nothing works")
        return run_task(task, store, device)

    monkeypatch.setattr("rgx.run.engine_inline.run_task", broken)
    told = searched(SEARCH, code=1)
    assert "8 failed" in told
    assert "best:" not in told


@pytest.mark.slow
def test_seeds_are_averaged_and_panels_stand_beside_a_search(
    tmp_path: Path, ran: list[str], searched: Callable[..., str]
) -> None:
    both = "panels:\n  p:\n    full: {}\n" + SEARCH.replace("trials: 8", "trials: 2")
    searched(both, "--seeds", "0,1")
    assert ran.count("generator") == 2
    assert ran.count("corpus") == 1
    rows = read_run(tmp_path / "store", "little").model_dump()["rows"]
    assert [(r["panel"], r["seed"]) for r in rows] == [("p", 0), ("p", 1)] + [("peak", 0), ("peak", 1)] * 2
    for trial in record(tmp_path)["trials"]:
        at = trial["values"]["metric.planted_for_a_test.at"]
        assert trial["rungs"][0]["score"]["value"] == pytest.approx(planted(at))
    searched(both, "--seeds", "0,1", "--only", "p")
    rows = read_run(tmp_path / "store", "little").model_dump()["rows"]
    assert len(rows) == 6, "what --only leaves out is not forgotten"


@pytest.mark.slow
def test_plan_tells_what_a_search_will_do(searched: Callable[..., str]) -> None:
    told = searched(SEARCH + ASHA, verb="plan")
    (line,) = [line for line in told.splitlines() if line.startswith("search ")]
    assert line == (
        "search peak: 8 trials on rungs [1, 2, 4], 0 ended, by motion_scores/planted_for_a_test on dev, "
        "random; 7 stages shared, 0 in the store; a trial runs motion, motion_scores; at most 0 trainings"
    )
    searched(SEARCH + ASHA)
    whole = json.loads(searched(SEARCH + ASHA, "--json", verb="plan"))
    (told_of,) = whole["searches"]
    assert (told_of["ended"], told_of["own"]) == (8, ["motion", "motion_scores"])
    assert {s["stage"] for s in whole["stages"]} == {
        *("corpus", "speech", "judge", "alignment", "tokenizer", "generator", "residual")
    }


def test_a_trial_can_be_shown_by_its_name(tmp_path: Path, searched: Callable[..., str]) -> None:
    searched(SEARCH.replace("trials: 8", "trials: 1"))
    (made,) = [m for m in manifests(tmp_path / "store").values() if m["stage"] == "motion_scores"]
    assert made["row"] == "peak/" + record(tmp_path)["trials"][0]["rungs"][0]["row"]


@pytest.mark.slow
def test_a_trial_is_explained_compared_and_shown_as_a_row(
    tmp_path: Path, searched: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    searched(SEARCH.replace("trials: 8", "trials: 2") + ASHA)
    store = ["--store", str(tmp_path / "store")]
    one, two = (trial["rungs"][-1]["row"] for trial in record(tmp_path)["trials"])

    def told(*arguments: str, code: int = 0) -> str:
        assert command(*arguments, *store) == code
        said = capsys.readouterr()
        return said.out + said.err

    file = str(tmp_path / "little.yaml")
    lines = told("why", file, f"peak/{one}").splitlines()
    assert lines[0] == f"peak/{one}, seed 0"
    assert len(lines) == 10 and all("in the store" in line for line in lines[1:])
    changed = told(
        "why", file, f"peak/{one}", "motion_scores", "--bind", "alignment/training.adamw.steps = 5"
    )
    assert "root cause: alignment: training.steps: 3 → 5" in changed
    rung = one.replace("budget=4", "budget=2")
    assert f"peak/{rung}, seed 0" in told("why", file, f"peak/{rung}", "motion")
    assert f"did you mean 'peak/{one}'" in told("why", file, f"peak/{one[:-1]}9", code=2)
    assert "did you mean 'motion'" in told("why", file, f"peak/{one}", "mution", code=2)
    compared = told("diff", f"little:peak/{one}", f"little:peak/{two}")
    at = [trial["values"]["metric.planted_for_a_test.at"] for trial in record(tmp_path)["trials"]]
    assert f"metrics[metric/planted_for_a_test].at: {at[0]} → {at[1]}" in compared
    assert f"did you mean '{two}'" in told("diff", f"little:peak/{one}", f"little:peak/{two}x", code=2)
    assert f"did you mean '{one}'" in told("show", f"little:peak/{one}x/planted_for_a_test", code=2)


@pytest.mark.slow
def test_a_trial_of_a_search_that_was_changed_is_explained_by_what_was_changed(
    tmp_path: Path, searched: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    searched(SEARCH.replace("trials: 8", "trials: 1"))
    (row,) = (trial["rungs"][0]["row"] for trial in record(tmp_path)["trials"])
    file, store = tmp_path / "little.yaml", str(tmp_path / "store")
    file.write_text(file.read_text().replace("tokenizer/training.adamw.steps: 3", TOKENIZER))
    assert command("why", str(file), f"peak/{row}", "motion_scores", "--store", store) == 0
    assert "root cause: tokenizer: training.steps: 3 → 4" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change", [{"point": [0.5]}, {"point": [0.5, 1.5]}, {"point": [0.5, None]}, {"values": {"x.y": 1}}]
)
@pytest.mark.slow
def test_a_record_of_another_space_is_refused(
    tmp_path: Path, searched: Callable[..., str], change: dict[str, Any]
) -> None:
    searched(SEARCH.replace("trials: 8", "trials: 2"))
    (path,) = (tmp_path / "store" / "searches" / "little").glob("*/record.json")
    content = json.loads(path.read_text())
    content["trials"][1].update(change)
    path.write_text(json.dumps(content))
    told = searched(SEARCH, code=2)
    assert "trials/1" in told and "remove it to begin the search again" in told


def test_a_record_from_elsewhere_does_not_steer_the_terminal(
    tmp_path: Path, searched: Callable[..., str]
) -> None:
    searched(SEARCH.replace("trials: 8", "trials: 2"))
    (path,) = (tmp_path / "store" / "searches" / "little").glob("*/record.json")
    content = json.loads(path.read_text())
    content["trials"][1].update(state="failed", reason="\x1b[2Jgone")
    path.write_text(json.dumps(content))
    told = searched(SEARCH.replace("trials: 8", "trials: 2"))
    assert "failed: �[2Jgone" in told and "\x1b" not in told


@given(
    low=st.floats(-1e3, 1e3, allow_subnormal=False),
    span=st.floats(1e-3, 1e3),
    log=st.booleans(),
    fractions=st.lists(st.floats(0, 1), min_size=2),
)
def test_a_range_is_kept_climbs_and_loses_no_more_than_a_hundredth(
    low: float, span: float, log: bool, fractions: list[float]
) -> None:
    low = abs(low) + 1e-6 if log else low
    made = Range(low=low, high=low + span, log=log)
    values = [made.at(f) for f in sorted(fractions)]
    assert all(low <= v <= low + span for v in values)
    assert values == sorted(values)
    for fraction, value in zip(sorted(fractions), values, strict=True):
        exact = low * ((low + span) / low) ** fraction if log else low + span * fraction
        assert abs(value - exact) <= max(0.01 * (abs(exact) if log else span), 1e-12)


def test_whole_numbers_and_choices_share_the_way_evenly() -> None:
    steps = [i / 1000 for i in range(1001)]
    counts = [[Range(low=1, high=4, integer=True).at(f) for f in steps].count(n) for n in (1, 2, 3, 4)]
    assert all(abs(count - 250) <= 1 for count in counts)
    chosen = Choices(choices=["a", "b", {"c": {"d": 1}}])
    assert [chosen.at(f) for f in chosen.fractions] == chosen.choices
    assert [chosen.at(f) for f in (0.0, 1.0)] == ["a", {"c": {"d": 1}}]


def test_the_diagonal_holds_both_ends_and_every_choice() -> None:
    space = Space({"a.b": Range(low=0, high=1), "c": Choices(choices=list("wxyz"))})
    assert [values["c"] for values in space.diagonal()] == list("wxyz")
    assert [values["a.b"] for values in space.diagonal()] == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=0.01)
    changes = space.single_changes()
    assert changes == [("a.b", {"a.b": 1.0, "c": "w"}), ("c", {"a.b": 0.0, "c": "z"})]


@pytest.mark.parametrize("name", list(SEARCHERS))
def test_a_searcher_is_the_same_for_the_same_seed_only(name: str) -> None:
    space = Space({"a.b": Range(low=0, high=1), "c": Choices(choices=[1, 2, 3])})

    def points(seed: int) -> list[tuple[float, ...]]:
        searcher, found = SEARCHERS[name](space, seed, History()), []
        for number in range(15):
            found.append(searcher.suggest(number))
            searcher.learn(number, found[-1][0] if number % 4 else None)
        return found

    assert points(1) == points(1) != points(2)
    assert {space.values(point)["c"] for point in points(1)} == {1, 2, 3}


# --- the Ray engine's driver, without Ray -----------------------------------------------------------


class Driver:
    """The Ray engine's searcher over a graph that a search grows, and what was said."""

    def __init__(self, file: Path, store: Path) -> None:
        from rgx.run.engine_ray import StageSearcher

        plan = make_plan(read_sweep(file))
        self.said: list[str] = []
        for task in plan.tasks.values():
            finish(store, task, 0.0)
        self.graph = Graph(plan, store)
        self.searches = Searches(self.graph, RunRecord(plan, store), self.said.append)
        console = Console(file=io.StringIO(), width=200)
        self.searcher = StageSearcher(self.graph, Progress(self.graph, console, 1))
        self.count, self.console, self.store = 0, console, store

    def hand_out(self) -> tuple[str, Task]:
        """Return the name that Tune gives a stage, and the stage."""
        self.count += 1
        assert isinstance(self.searcher.suggest(f"trial{self.count}"), dict)
        self.searcher.started[f"trial{self.count}"] = SimpleNamespace(error_file=None)
        return f"trial{self.count}", self.searcher.trials[f"trial{self.count}"]

    def end(self, trial: str, value: float) -> None:
        """Have a stage come into the store and its worker end."""
        finish(self.store, self.searcher.trials[trial], value)
        self.searcher.on_trial_complete(trial)

    def hand_out_scores(self, value: float = 1.0) -> tuple[str, Task]:
        """Return the next stage that gives a score; those before it end at once."""
        trial, task = self.hand_out()
        while task.stage != "motion_scores":
            self.end(trial, value)
            trial, task = self.hand_out()
        return trial, task

    def trials(self) -> list[Trial]:
        """Return the trials as the store has them."""
        return read_record(self.store, "little", self.graph.plan.searches[0]).trials

    @property
    def shown(self) -> str:
        assert isinstance(self.console.file, io.StringIO)
        return self.console.file.getvalue()


def finish(store: Path, task: Task, value: float) -> None:
    scores = {"planted_for_a_test": value} if task.stage == "motion_scores" else {}
    outputs = {"scores": scores, "references": dict.fromkeys(scores, 0.0)}
    folder = artifact_folder(store, task.stage, task.key)
    fields = ("stage", "key", "record", "version", "parents", "fingerprint", "seed")
    identity = {name: getattr(task, name) for name in fields}
    write_json(folder / "manifest.json", {**identity, "outputs": outputs, "files": {}})


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    import ray

    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    monkeypatch.chdir(ROOT)
    (tmp_path / "planted_plugin_for_a_test.py").write_text(PLUGIN)
    (tmp_path / "planted.gin").write_text("stage.motion_scores.metrics = [@metric.planted_for_a_test()]\n")
    file = tmp_path / "little.yaml"
    text = SEARCH.replace("trials: 8", "trials: 3") + ASHA
    file.write_text(HEAD + "imports: [planted_plugin_for_a_test]\n" + text)
    driver = Driver(file, tmp_path / "store")
    with driver.searches:
        yield driver


@pytest.mark.slow
def test_a_stage_of_a_trial_whose_worker_died_is_handed_out_again_and_the_trial_goes_on(
    driver: Driver,
) -> None:
    first, task = driver.hand_out_scores()
    folder = running_folder(driver.store, task.stage, task.key)
    write_json(folder / "lease.json", {"host": "node7", "pid": 1, "token": first})
    driver.searcher.on_trial_complete(first, error=True)
    assert not (folder / "lease.json").exists(), "nobody waits for the dead"
    assert "killed without a word; from its last checkpoint on, try 2 of 3" in driver.shown
    again = {task.key for task in (driver.hand_out()[1] for _ in range(2))}
    assert task.key in again
    assert [trial.state for trial in driver.trials()] == ["open", "open"], "two CPUs, two trials"


@pytest.mark.slow
def test_trials_climb_and_no_more_are_begun_than_the_machines_hold(driver: Driver) -> None:
    scored: list[float] = []
    while True:
        trial = f"trial{driver.count + 1}"
        if driver.searcher.suggest(trial) == Searcher.FINISHED:
            break
        driver.count += 1
        task = driver.searcher.trials[trial]
        live = [t for t in driver.trials() if t.state == "open"]
        assert 1 <= len(live) <= 2
        scored += [2.0 - len(scored)] if task.stage == "motion_scores" else []
        driver.end(trial, scored[-1] if scored else 0.0)
    trials = driver.trials()
    assert [trial.state for trial in trials] == ["finished"] * 3, "each score is the best so far"
    found = sorted((rung.score.value for t in trials for rung in t.rungs if rung.score), reverse=True)
    assert found == scored and len(scored) == 9


@pytest.mark.slow
def test_a_trial_that_always_dies_is_given_up_and_the_same_command_tries_it_again(driver: Driver) -> None:
    trial, task = driver.hand_out_scores()
    key = task.key
    for _ in range(ray_failures.MOST):
        while task.key != key:
            trial, task = driver.hand_out()
        driver.searcher.on_trial_complete(trial, error=True)
        task = replace(task, key="")
    driver.graph.grow()
    (given_up,) = [t for t in driver.trials() if t.reason]
    assert given_up.state == "open"
    reason = f"died {ray_failures.MOST} times, last killed without a word; probably out of memory"
    assert given_up.reason == f"{reason}; the same command tries it again"
    assert any(line.endswith(given_up.reason) for line in driver.said)
    plan = driver.graph.plan
    anew = Trials(
        plan.searches[0], RunRecord(plan, driver.store), SearchRecord(trials=driver.trials()), print
    )
    taken = anew.next()
    assert taken is not None and anew.record.trials[taken.number].values == driver.trials()[0].values
    assert anew.record.trials[taken.number].reason == ""


@pytest.mark.slow
def test_a_time_limit_is_a_reason_and_an_old_one_is_not(driver: Driver) -> None:
    trial, task = driver.hand_out_scores()
    folder = running_folder(driver.store, task.stage, task.key)
    driver.graph.put_back(task.key)
    del driver.searcher.trials[trial]
    write_json(folder / "failure.json", {"reason": "of an earlier run"})
    key, task = task.key, replace(task, key="")
    while task.key != key:
        trial, task = driver.hand_out()
    assert not (folder / "failure.json").exists()
    write_json(folder / "failure.json", {"reason": "ran past its time limit of 9 s"})
    driver.searcher.on_trial_complete(trial, error=True)
    driver.graph.grow()
    (failed,) = [t for t in driver.trials() if t.state == "failed"]
    assert failed.reason == "ran past its time limit of 9 s"


def test_asha_judges_a_trial_that_goes_on_as_if_it_had_never_died(driver: Driver) -> None:
    search = driver.graph.plan.searches[0].search
    decided = []
    for died in (False, True):
        scheduler = make_scheduler(search, [])
        for number, costs in enumerate(([3.0, 3.0], [1.0, 1.0], [2.0, 2.5])):
            decider = scheduler.decider(f"{number}")
            for index, cost in enumerate(costs):
                if died and index:
                    decider = scheduler.decider(f"{number} again")
                goes_on = decider.goes_on(search.times[index], Score(value=cost, cost=cost))
                decided.append((died, number, index, goes_on))
    half = len(decided) // 2
    assert [one[1:] for one in decided[:half]] == [one[1:] for one in decided[half:]]
    assert {one[3] for one in decided} == {True, False}
