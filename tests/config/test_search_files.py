"""What cannot be searched is refused before anything runs, in one message with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from little import LITTLE, command
from roster import load_roster

from rgx.errors import InputError
from rgx.registry import find
from rgx.store.records import SearchRecord, Trial
from rgx.sweep.plan import make_plan
from rgx.sweep.search import searchers
from rgx.sweep.search.table import CHOSEN_ON_TEST, about, intention, outcome
from rgx.sweep.spec import Overrides, read_sweep

HEAD = LITTLE.split("panels:")[0]
SEARCH = """\
search:
  rate:
    row: {fusion: concat}
    over:
      generator/training.adamw.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
      trunk.paper.layers: {low: 1, high: 3, integer: true}
      decode.iterative.steps: {choices: [5, 10, 15]}
    metric: motion_scores/fgd
    trials: 4
    searcher: random
    scheduler:
      asha: {budget: generator/training.adamw.steps, rungs: [2, 4]}
"""
LINE = HEAD.count("\n") + 1
RATE = "generator/training.adamw.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}"


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that plans and sweeps a text, expects exit 2 each time, and returns stderr."""

    def run(text: str, *options: str) -> str:
        file, store = tmp_path / "bad.yaml", tmp_path / "store"
        file.write_text(text)
        assert command("sweep", str(file), "--store", str(store), "--engine", "inline", *options) == 2
        told = capsys.readouterr().err
        assert "Traceback" not in told
        assert told.startswith("error: ")
        assert told.count("error: ") == 1
        assert not store.exists()
        return told

    return run


BAD = {
    "low above high": ("high: 1.0e-2", "high: 1.0e-5", 5, "expected low below high"),
    "low is high": ("low: 1, high: 3", "low: 3, high: 3", 6, "expected low below high"),
    "log from zero": ("low: 1.0e-4", "low: 0.0", 5, "a logarithmic range starts above 0"),
    "half a layer": ("low: 1, high: 3", "low: 0.5, high: 3", 6, "expected whole ends"),
    "number as text": ("low: 1.0e-4", "low: '1e-4'", 5, "is '1e-4': expected a number"),
    "no number": ("low: 1.0e-4", "low: few", 5, "is 'few': expected a number"),
    "no high": (", high: 3", "", 6, "layers/high' is missing"),
    "infinite": ("high: 1.0e-2", "high: .inf", 5, "finite"),
    "unknown part of a range": ("log: true", "logg: true", 5, "did you mean 'log'"),
    "one choice": ("[5, 10, 15]", "[5]", 7, "at least 2"),
    "a choice twice": ("[5, 10, 15]", "[5, 10, 5]", 7, "5 is given twice"),
    "unknown field": ("    trials: 4", "    trails: 4", 9, "did you mean 'trials'"),
    "no trials": ("trials: 4", "trials: 0", 9, "is 0: expected 1 or more"),
    "unknown searcher": ("searcher: random", "searcher: optina", 10, "did you mean 'optuna'"),
    "metric without a stage": ("motion_scores/fgd", "fgd", 8, "expected stage/metric"),
    "unknown stage": ("motion_scores/fgd", "motion_score/fgd", 8, "did you mean 'motion_scores'"),
    "unknown metric": ("motion_scores/fgd", "motion_scores/fdg", 8, "did you mean 'fgd'"),
    "unknown scheduler": ("asha:", "ahsa:", 12, "did you mean 'asha'"),
    "unknown part of a scheduler": ("rungs:", "rung:", 12, "did you mean 'rungs'"),
    "rungs that fall": ("[2, 4]", "[4, 2]", 12, "expected budgets that grow"),
    "one rung": ("[2, 4]", "[4]", 12, "at least 2"),
    "budget that is no binding": ("generator/training.adamw.steps", "steps", 12, "expected a gin binding"),
    "unknown binding": ("trunk.paper.layers", "trunk.paper.layer", 6, "did you mean 'layers'"),
    "unknown budget": ("adamw.steps, rungs", "adamw.step, rungs", 12, "did you mean 'steps'"),
    "unknown axis": ("decode.iterative.steps:", "decoder:", 7, "did you mean 'decode'"),
    "unknown axis of the row": ("fusion: concat", "fussion: concat", 3, "did you mean 'fusion'"),
    "wrong type": ("[5, 10, 15]", "[few, many]", 7, "expected a whole number, found text"),
    "broken number": (", integer: true", "", 6, "expected a whole number, found a number"),
    "no range": ("{choices: [5, 10, 15]}", "10", 7, "expected {low: …, high: …} or {choices: […]}, found 10"),
    "binding of another model": ("decode.iterative.steps", "quantizer.vq.codes", 7, "nothing in"),
    "wrong scope": ("generator/training.adamw.learning", "x/training.adamw.learning", 5, "nothing in"),
    "what changes nothing": ("decode.iterative.steps", "resources.stage.cpus", 7, "changes nothing that"),
    "bound by the row as well": ("fusion: concat", "bind: {trunk.paper.layers: 2}", 6, "under over"),
    "budget searched as well": (RATE, "generator/training.adamw.steps: {low: 1, high: 2}", 12, "the budget"),
    "name of a file": ("  rate:", "  ../rate:", 2, "letters, digits"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_search_is_told_with_its_line(refused: Callable[..., str], name: str) -> None:
    old, new, line, part = BAD[name]
    assert SEARCH.count(old) == 1
    told = refused(HEAD + SEARCH.replace(old, new))
    assert f"bad.yaml:{LINE + line - 1}: " in told, told
    assert part in told, told


def test_a_search_is_no_panel(refused: Callable[..., str]) -> None:
    told = refused(HEAD + SEARCH + "panels:\n  rate:\n    full: {}\n")
    assert f"bad.yaml:{LINE + 1}: 'rate' is the name of a panel" in told


def test_a_sweep_asks_something(refused: Callable[..., str]) -> None:
    assert "expected panels, search or both" in refused(HEAD)


def test_a_metric_that_its_stage_does_not_report(refused: Callable[..., str]) -> None:
    told = refused(HEAD + SEARCH.replace("motion_scores/fgd", "motion_scores/video_fvd_lite0"))
    assert "rate: motion_scores does not report 'video_fvd_lite0'" in told


def test_a_metric_whose_direction_is_none_is_refused(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find("metric", "fgd").cls, "direction", "sideways")
    message = refused(HEAD + SEARCH)
    assert "metric 'fgd' is registered with direction 'sideways', expected one of down, up, " in message
    assert f"bad.yaml:{LINE + 7}: rate: " in message


def test_the_low_middle_and_high_ends_are_built(refused: Callable[..., str]) -> None:
    width = "trunk.paper.width: {low: 32, high: 66, integer: true}"
    told = refused(HEAD + SEARCH.replace("trunk.paper.layers: {low: 1, high: 3, integer: true}", width))
    assert "rate/" in told
    assert "width = 49: expected a multiple of heads" in told


def test_the_command_line_cannot_bind_what_is_searched(refused: Callable[..., str]) -> None:
    told = refused(HEAD + SEARCH, "--bind", "decode.iterative.steps = 7")
    assert "'decode.iterative.steps' changes nothing" in told
    assert "bound by the command line as well" in told


def test_a_misspelt_search_is_offered(refused: Callable[..., str]) -> None:
    assert "did you mean 'rate'" in refused(HEAD + SEARCH, "--only", "rat")


def test_a_searcher_that_is_not_installed(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searchers.OptunaSearcher, "package", "no_such_package_for_a_test")
    told = refused(HEAD + SEARCH.replace("searcher: random", "searcher: optuna"))
    assert f"bad.yaml:{LINE + 9}: the searcher 'optuna' needs no_such_package_for_a_test" in told
    assert "rgx-experiments[search]" in told


def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, store = tmp_path / "little.yaml", tmp_path / "store"
    file.write_text(HEAD + SEARCH)
    (plan,) = make_plan(read_sweep(file)).searches
    folder = store / "searches" / "little" / f"rate-{plan.signature[:16]}"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text('{"trials": [{"point": 3}]}')
    assert command("plan", str(file), "--store", str(store)) == 2
    told = capsys.readouterr().err
    assert f"{folder / 'record.json'}: 'trials/0/point' is " in told
    assert "remove it to begin the search again" in told


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[Callable[..., object]]:
    def plan(text: str, **given: object):  # type: ignore[no-untyped-def]
        (tmp_path / "s.yaml").write_text(text)
        return make_plan(read_sweep(tmp_path / "s.yaml", Overrides(**given)))  # type: ignore[arg-type]

    load_roster()
    yield plan


def test_shared_stages_are_those_no_value_changes(planned: Callable[..., object]) -> None:
    plan = planned(HEAD + SEARCH + "panels:\n  p:\n    concat: {fusion: concat}\n")
    (search,) = plan.searches
    assert sorted(t.stage for t in search.shared.values()) == [
        "alignment",
        "corpus",
        "judge",
        "speech",
        "sync_judge",
        "tokenizer",
    ]
    assert [t.stage for t in search.own] == ["generator", "residual", "motion", "motion_scores"]
    assert search.trainings == 4 * 2 * 2
    panel = {(s, k) for cell in plan.cells for s, k in cell["stages"].items()}
    assert {(t.stage, t.key) for t in search.shared.values()} < panel
    assert len(plan.tasks) == 10, "the panel's cell, and nothing of a trial"


@pytest.mark.slow
def test_a_trials_cell_is_the_cell_of_a_row_with_its_values(planned: Callable[..., object]) -> None:
    values = {
        "generator/training.adamw.learning_rate": 0.00213,
        "trunk.paper.layers": 2,
        "decode.iterative.steps": 10,
    }
    (search,) = planned(HEAD + SEARCH).searches
    rungs = search.rungs(values)
    assert [r.name for r in rungs] == [
        f"learning_rate=0.00213, layers=2, {d}=10, {b}={n}"
        for d, b, n in (("decode.iterative.steps", "generator/training.adamw.steps", n) for n in (2, 4))
    ]
    bound = {**values, "generator/training.adamw.steps": 4, "stage.motion.split": "dev"}
    plan = planned(HEAD + f"panels:\n  p:\n    row: {{fusion: concat, bind: {bound}}}\n")
    assert rungs[1].cells[0][1] == plan.cells[0]["stages"]


def test_a_search_reads_dev_and_shares_its_trainings_with_a_table_of_test(
    planned: Callable[..., object],
) -> None:
    (search,) = planned(HEAD + SEARCH).searches
    assert search.split == "dev"
    values = search.search.space.values([0.0, 0.0, 0.0])
    bound = {**values, "generator/training.adamw.steps": 4}
    plan = planned(HEAD + f"panels:\n  p:\n    row: {{fusion: concat, bind: {bound}}}\n")
    of_table, of_trial = plan.cells[0]["stages"], search.rungs(values)[-1].cells[0][1]
    assert {stage for stage in of_table if of_table[stage] != of_trial[stage]} == {"motion", "motion_scores"}


ON_TEST = "    trials: 4\n", "    trials: 4\n    on_test: true\n"
SAYS_TEST = "row: {fusion: concat}", "row: {fusion: concat, bind: {stage.motion.split: test}}"


def test_a_search_by_test_is_refused_with_the_line_that_says_so(refused: Callable[..., str]) -> None:
    told = refused(HEAD + SEARCH.replace(*SAYS_TEST))
    assert f"bad.yaml:{LINE + 7}: rate: motion_scores/fgd is a score of test, and a search chooses by" in told
    assert f"bad.yaml:{LINE + 2} 'stage.motion.split = 'test'', or write `on_test: true`" in told


def test_a_search_by_test_is_refused_where_no_stage_can_read_dev(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find("stage", "motion").cls, "identity", lambda stage: stage.record)
    fixed = property(lambda stage: "test", lambda stage, split: None)
    monkeypatch.setattr(find("stage", "motion").cls, "split", fixed)
    told = refused(HEAD + SEARCH)
    assert "is a score of test" in told and "give stage/motion_scores an argument `split`" in told


def test_a_search_by_test_is_told_where_it_is_asked_for(planned: Callable[..., object]) -> None:
    (search,) = planned(HEAD + SEARCH.replace(*ON_TEST)).searches
    assert search.split == "test"
    (dev,) = planned(HEAD + SEARCH).searches
    assert search.signature != dev.signature
    assert " by motion_scores/fgd on test, " in intention(about(search, "s", Path("nowhere")), 0)
    assert " by motion_scores/fgd on dev, " in intention(about(dev, "s", Path("nowhere")), 0)
    trial = Trial(point=(0.5, 0.5, 0.5), values=search.search.space.values((0.5, 0.5, 0.5)), state="finished")
    said = {plan.split: list(outcome(plan, SearchRecord(trials=[trial]))) for plan in (search, dev)}
    assert said["test"][-1] == f"rate: {CHOSEN_ON_TEST}" and " on test (lower" in said["test"][0]
    assert not any("test" in line for line in said["dev"])


def test_on_test_where_the_scores_are_of_dev_is_refused(refused: Callable[..., str]) -> None:
    text = SEARCH.replace(SAYS_TEST[0], SAYS_TEST[1].replace("split: test", "split: dev")).replace(*ON_TEST)
    told = refused(HEAD + text)
    assert f"bad.yaml:{LINE + 9}: rate: on_test: true changes nothing" in told


def test_a_search_where_the_corpus_has_no_dev_is_refused(refused: Callable[..., str]) -> None:
    told = refused(HEAD.replace("dev_clips: 1", "dev_clips: 0") + SEARCH)
    assert "the corpus has no clip of the dev split; it has 4 of train, 4 of test" in told
    assert "on_test: true" in told


@pytest.mark.slow
def test_an_axis_can_be_searched(planned: Callable[..., object]) -> None:
    axis = "fusion: {choices: [concat, cross_attention]}"
    text = SEARCH.replace(RATE, axis).replace("    row: {fusion: concat}\n", "")
    (search,) = planned(HEAD + text).searches
    values = search.search.space.values([0.75, 0.5, 0.5])
    assert values == {
        "fusion": "cross_attention",
        "trunk.paper.layers": 2,
        "decode.iterative.steps": 10,
    }
    assert search.rungs(values)[0].tasks


@pytest.mark.slow
def test_a_signature_is_of_everything_but_the_number_of_trials(planned: Callable[..., object]) -> None:
    def signature(old: str, new: str, **given: object) -> str:
        assert old in HEAD + SEARCH
        return planned((HEAD + SEARCH).replace(old, new), **given).searches[0].signature

    own = signature("trials: 4", "trials: 4")
    assert signature("trials: 4", "trials: 9") == own
    changes = [
        ("high: 3", "high: 2"),
        ("searcher: random", "searcher: optuna"),
        ("tokenizer/training.adamw.steps: 3", "tokenizer/training.adamw.steps: 4"),
    ]
    others = [signature(*change) for change in changes] + [signature("rate", "rate", seeds=[1])]
    assert len({own, *others}) == len(others) + 1


def test_errors_of_panels_and_searches_are_told_together(planned: Callable[..., object]) -> None:
    text = HEAD + SEARCH.replace("layers:", "layer:") + "panels:\n  p:\n    row: {quantizer: vq}\n"
    with pytest.raises(InputError) as told:
        planned(text)
    assert "p/row" in str(told.value) and "layer" in str(told.value)
