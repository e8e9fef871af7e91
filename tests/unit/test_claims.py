"""Claims against scipy and simulated tables; their sentences, their record, and where they are shown."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from keyed import digest
from little import command
from made import OURS, make, put
from scipy import stats
from test_benchmarks import load

from rgx.errors import InputError
from rgx.report.claims import Claim, Finding, read_claim, weigh
from rgx.report.claims_statistics import Shares, difference, holm, verdict
from rgx.report.definition import load as load_report
from rgx.report.gather import gather
from rgx.report.layout import footnotes
from rgx.report.panel import Panel
from rgx.report.render import render
from rgx.report.results import numbers
from rgx.report.statistics import assemble
from rgx.report.summary import terminal_summary
from rgx.store.runs import read_run
from rgx.store.samples import SAMPLES
from rgx.words import Words

ROOT = Path(__file__).resolve().parents[2]
LOSS = {"loss": {"label": "Loss", "direction": "down", "decimals": 2}}


def test_without_samples_it_is_the_paired_t_test() -> None:
    first, second = [1.0, 2.5, 2.0, 4.0], [0.5, 1.0, 2.5, 1.0]
    finding = difference(first, second)
    assert finding.mean == pytest.approx(1.125)
    assert finding.p == pytest.approx(stats.ttest_rel(first, second).pvalue)


def test_samples_add_their_own_variance() -> None:
    random = np.random.default_rng(5)
    apart = random.normal(size=(1, 60)) + random.normal(size=(4, 1))
    weights = np.ones((4, 60))
    finding = difference(
        apart.mean(axis=1).tolist(), [0.0] * 4, (Shares(apart, weights), Shares(0 * apart, weights))
    )
    # Over seeds: the variance of their mean; over samples: that of the mean of sixty.
    assert finding.by_seed == pytest.approx(apart.mean(axis=1).var(ddof=1) / 4)
    assert finding.by_sample == pytest.approx(apart[0].var(ddof=1) / 60, rel=0.15)
    error = (finding.by_seed + finding.by_sample) ** 0.5
    assert finding.p == pytest.approx(2 * stats.t.sf(abs(finding.mean) / error, 3))


def test_samples_count_by_their_weight() -> None:
    # Of two samples the second has no weight at all: what is drawn without the first has no score.
    above, below = np.array([[2.0, 0.0]] * 3), np.array([[1.0, 0.0]] * 3)
    finding = difference([2.0, 2.1, 1.9], [0.0] * 3, (Shares(above, below), Shares(0 * above, below)))
    assert finding.by_sample == 0.0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0] and holm([]) == []
    assert [verdict(True, True, 0.01), verdict(True, False, 0.01), verdict(True, True, 0.05)] == [
        "supported", "refuted", "undecided",
    ]  # fmt: skip


@pytest.mark.parametrize(("effect", "level"), [(1.0, 0.05), (0.5, 0.005), (3.0, 0.05)])
def test_the_seeds_that_decide_have_the_power_they_are_said_to(effect: float, level: float) -> None:
    finding = difference([effect - 1, effect, effect + 1], [0.0] * 3)  # a deviation of 1
    needed = finding.seeds_to_decide(level)
    assert needed is not None

    def power(seeds: int) -> float:
        return float(stats.nct.sf(stats.t.isf(level / 2, seeds - 1), seeds - 1, effect * seeds**0.5))

    assert power(needed) > 0.77
    assert needed == 3 or power(needed - 1) < 0.83


def test_no_seed_decides_what_the_samples_leave_open() -> None:
    apart = np.array([[5.0, -4.0, 3.0, -2.0]] * 3) + np.array([[0.1], [0.0], [-0.1]])
    weights = np.ones((3, 4))
    finding = difference(
        apart.mean(axis=1).tolist(), [0.0] * 3, (Shares(apart, weights), Shares(0 * apart, weights))
    )
    assert finding.seeds_to_decide(0.05) is None and finding.by_sample > finding.by_seed


@pytest.mark.parametrize(("world", "seeds", "claims"), [
    ("seeds alone", 3, 10), ("seeds, 10 samples", 3, 10), ("seeds and 40 samples", 5, 3),
    ("seeds alone", 10, 1), ("heavy tails, 10 samples", 5, 3),
])  # fmt: skip
def test_where_nothing_differs_at_most_one_table_in_twenty_says_so(
    world: str, seeds: int, claims: int
) -> None:
    claimed, tables = load("claims"), 300
    share = claimed.wrong(claimed.WORLDS[world], seeds, claims, tables, seed=11)
    assert share <= 0.05 + 3 * (0.05 * 0.95 / tables) ** 0.5


def test_what_differs_is_found() -> None:
    claimed = load("claims")
    assert claimed.power(claimed.WORLDS["seeds alone"], 5, 10, 4.0, 20) > 0.95
    assert claimed.power(claimed.WORLDS["seeds and 40 samples"], 10, 1, 4.0, 40) > 0.9


def test_sentences() -> None:
    assert read_claim("w/o res < Uni. .5-1 in fgd", "3c", None) == Claim(
        "3c", "w/o res", "<", "Uni. .5-1", "fgd"
    )
    assert read_claim("a in b > +c in s/m", "p", "refuted") == Claim(
        "p", "a in b", ">", "+c", "s/m", "refuted"
    )
    for wrong in ("full-model", "a < b", "a <b in fgd", "a = b in fgd", "< b in fgd"):
        assert read_claim(wrong, "p", None) is None


@pytest.mark.parametrize(
    ("sentence", "recorded", "message"),
    [
        ("+RVQ < base_line in fdg", None, "'fdg' is not a column; did you mean 'fgd'?"),
        ("+RVQ beats base_line in fgd", None, "expected 'ROW < ROW in COLUMN'"),
        ("+RVQ < +RVQ in fgd", None, "never above or below itself"),
        ("+RVQ < base_line in fgd", "suported", "supported"),
    ],
)
def test_what_is_no_claim_is_refused_with_its_line(
    tmp_path: Path, sentence: str, recorded: str | None, message: str
) -> None:
    report, _ = make(tmp_path, panel={"claims": {sentence: recorded}})
    line = next(n for n, text in enumerate(report.read_text().splitlines(), 1) if sentence in text)
    with pytest.raises(InputError) as error:
        load_report(report)
    assert f"{report}:{line}" in str(error.value) and message in str(error.value)


def store_of(
    root: Path, values: Mapping[str, list[float]], samples: Mapping[str, Any] | None = None, data: str = "one"
) -> tuple[Path, list[dict[str, Any]]]:
    """Write a store of one score a row and seed; data: `one` for all seeds, or `own` for each."""
    store, cells = root / "store", []
    for row, scores in values.items():
        for seed, score in enumerate(scores):
            source = digest("data" if data == "one" else f"data{seed}")
            key = digest(f"{row}{seed}", {"data": source})
            put(store, "data", source)
            outputs = {"scores": {"loss": score}, "metrics": LOSS}
            folder = put(store, "scores", key, parents={"data": source}, outputs=outputs)
            if samples is not None:
                (folder / SAMPLES).write_text(json.dumps(samples[row][seed]))
            cells.append({"panel": "p", "row": row, "seed": seed, "stages": {"data": source, "scores": key}})
    (store / "sweeps").mkdir(parents=True, exist_ok=True)
    record = {"name": "s", "seeds": [0], "rows": cells}
    (store / "sweeps" / "s.json").write_text(json.dumps(record))
    return store, cells


def found_in(root: Path, store: Path, claims: Mapping[str, str | None]) -> list[Finding]:
    """Return the findings of a report of one panel that makes these claims."""
    report = root / "reports" / "s.yaml"
    report.parent.mkdir(exist_ok=True)
    panel = {"caption": "C.", "columns": ["loss"], "ours": "full", "claims": dict(claims)}
    report.write_text(yaml.safe_dump({"sweep": "sweeps/s.yaml", "panels": {"p": panel}}, sort_keys=False))
    return gather(report, store).findings


SCORES = {
    "full": [1.00, 1.01, 0.99, 1.00], "small": [2.01, 2.00, 1.99, 2.02], "near": [1.0, 1.2, 0.7, 1.3],
    "same": [2.00, 2.01, 1.99, 2.00], "short": [3.0, 3.1],
}  # fmt: skip


def test_verdicts_and_what_would_decide(tmp_path: Path) -> None:
    store, _ = store_of(tmp_path, SCORES)
    sentences = ["full < small in loss", "full > small in loss", "full < near in loss", "full < same in loss",
                 "full < short in loss", "full < smal in loss"]  # fmt: skip
    findings = found_in(tmp_path, store, dict.fromkeys(sentences))
    assert [finding.verdict for finding in findings] == ["supported", "refuted", *["undecided"] * 4]
    assert [finding.over for finding in findings] == [*["4 seeds"] * 4, "2 seeds", ""]
    assert findings[0].sentence == "full (ours) < small in Loss"
    assert findings[0].difference is not None and findings[0].difference.mean == pytest.approx(-1.005)
    assert findings[0].p == pytest.approx(6 * stats.ttest_rel(SCORES["full"], SCORES["small"]).pvalue)
    assert findings[2].open.startswith("about ") and findings[2].open.endswith(" seeds")
    assert findings[3].open == "alike at every seed: no replicates"
    assert findings[4].open == "at least 3 seeds"
    assert findings[5].open == "no row 'smal': did you mean 'small'?"


def halves(score: float, apart: float, names: tuple[str, ...] = ("a", "b", "c", "d")) -> dict[str, Any]:
    values = [score - apart, score + apart, score - apart, score + apart]
    return {"unit": "tests", "names": names, "scores": {"loss": {"values": values, "weights": [1.0] * 4}}}


def test_a_difference_has_to_hold_over_the_test_samples_too(tmp_path: Path) -> None:
    rows = {row: SCORES[row] for row in ("full", "small")}
    # Each sample is far from the mean, half of them the other way: four samples say nothing.
    samples = {
        "full": [halves(s, 0.0) for s in rows["full"]],
        "small": [halves(s, 9.0) for s in rows["small"]],
    }
    claims = {"full < small in loss": None}
    store, _ = store_of(tmp_path / "crossed", rows, samples)
    (finding,) = found_in(tmp_path / "crossed", store, claims)
    assert (finding.over, finding.verdict, finding.open) == (
        "4 seeds and 4 tests",
        "undecided",
        "more of the test data",
    )
    store, _ = store_of(tmp_path / "nested", rows, samples, data="own")
    (finding,) = found_in(tmp_path / "nested", store, claims)
    assert (finding.over, finding.verdict) == ("4 seeds", "supported")
    samples["small"][2] = halves(1.99, 9.0, ("a", "b", "c", "e"))
    store, _ = store_of(tmp_path / "others", rows, samples)
    assert found_in(tmp_path / "others", store, claims)[0].over == "4 seeds"


def test_seeds_that_share_both_artifacts_are_one(tmp_path: Path) -> None:
    store, cells = store_of(tmp_path, {row: SCORES[row] for row in ("full", "small")})
    for cell in cells:
        cell["stages"] = next(c["stages"] for c in cells if c["row"] == cell["row"] and c["seed"] == 0)
    (store / "sweeps" / "s.json").write_text(json.dumps({"name": "s", "seeds": [0], "rows": cells}))
    (finding,) = found_in(tmp_path, store, {"full < small in loss": None})
    assert (finding.over, finding.verdict) == ("1 seed", "undecided")


def test_rows_measured_with_two_instruments_are_not_compared(tmp_path: Path) -> None:
    store, cells = store_of(tmp_path, {row: SCORES[row] for row in ("full", "small")})
    for cell in cells:
        cell["stages"]["probe"] = digest(f"probe{cell['seed']}")
    record = store / "sweeps" / "s.json"
    record.write_text(json.dumps({"name": "s", "seeds": [0], "rows": cells}))
    results = numbers(store, read_run(store, "s"))
    panel = Panel(caption="C.", columns=["loss"], ours="full", claims={"full < small in loss": None})
    words = Words(instruments=("probe",))
    table = assemble("p", panel, results, words)
    # Each seed has a probe of its own, which its rows share.
    assert weigh({"p": panel}, [table], results, store)[0].verdict == "supported"
    assert len(table.instruments["probe"]) == 4 and not any(
        "do not compare" in said for said in footnotes(table)
    )
    cells[0]["stages"]["probe"] = digest("another")
    record.write_text(json.dumps({"name": "s", "seeds": [0], "rows": cells}))
    results = numbers(store, read_run(store, "s"))
    table = assemble("p", panel, results, words)
    (finding,) = weigh({"p": panel}, [table], results, store)
    assert (finding.verdict, finding.open) == ("undecided", "measured with two of 'probe' at one seed")
    assert any(
        "More than one probe at a seed: numbers measured with it do not compare." in said
        for said in footnotes(table)
    )


def test_seeds_of_a_part_are_called_so(tmp_path: Path) -> None:
    store, cells = store_of(tmp_path, {row: SCORES[row] for row in ("full", "small")})
    record = {"name": "s", "seeds": [0], "rows": cells, "seed_scopes": {"p": "each seed repeats scores"}}
    (store / "sweeps" / "s.json").write_text(json.dumps(record))
    (finding,) = found_in(tmp_path, store, {"full < small in loss": None})
    assert (finding.over, finding.verdict) == ("4 seeds of some stages", "supported")


def test_samples_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    rows = {row: SCORES[row] for row in ("full", "small")}
    samples = {row: [{"unit": "tests"} for _ in own] for row, own in rows.items()}
    store, _ = store_of(tmp_path, rows, samples)
    with pytest.raises(InputError, match=rf"{SAMPLES}: 'names' is missing"):
        found_in(tmp_path, store, {"full < small in loss": None})


CLAIMED = {f"{OURS} > base_line in fgd": "supported", f"{OURS} < base_line in pcm": "undecided"}


def test_claims_are_shown_everywhere(tmp_path: Path) -> None:
    report, store = make(tmp_path, panel={"claims": CLAIMED})
    first, second = gather(report, store).findings
    folder = render(report, store, tmp_path / "out")[0].parent
    for text in ("claims.tex", "claims.md", "index.html", "index.md"):
        said = (folder / text).read_text()
        assert "Holm" in said and first.verdict in said, text
    assert r"\label{tab:claims}" in (folder / "claims.tex").read_text()
    assert r"+distill (ours) \textgreater{} baseline in FGD" in (folder / "claims.tex").read_text()
    said = terminal_summary(report, store)
    assert f"{first.sentence}" in said and "all 2 claims of the report (Holm)" in said
    with (folder / "claims.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["verdict"] for line in lines] == [first.verdict, second.verdict]
    assert [line["on record"] for line in lines] == ["supported", "undecided"]
    results = numbers(store, read_run(store, "made"))
    values = {
        row: {n.seed: n.value for n in results.numbers("3b", "fgd") if n.row == row}
        for row in (OURS, "base_line")
    }
    assert float(lines[0]["difference"]) == pytest.approx(
        np.mean([values[OURS][seed] - values["base_line"][seed] for seed in range(3)])
    )


def test_a_report_without_claims_has_no_word_of_them(tmp_path: Path) -> None:
    report, store = make(tmp_path)
    folder = render(report, store, tmp_path / "out")[0].parent
    assert not list(folder.glob("claims*"))
    assert "laims" not in (folder / "index.html").read_text().partition("<body")[2]
    assert weigh({}, [], gather(report, store).results, store) == []


def test_check_holds_verdicts_to_their_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, store = make(tmp_path, panel={"claims": CLAIMED})
    now = [finding.verdict for finding in gather(report, store).findings]
    asked = ["report", str(report), "--store", str(store), "--out", str(tmp_path / "out"), "--check"]
    make(tmp_path, panel={"claims": dict(zip(CLAIMED, now, strict=True))})
    assert command(*asked) == 0
    others = {"supported": "refuted", "refuted": "undecided", "undecided": "supported"}
    make(tmp_path, panel={"claims": dict(zip(CLAIMED, [others[now[0]], now[1]], strict=True))})
    assert command(*asked) == 1
    output = capsys.readouterr()
    line = next(
        n for n, text in enumerate(report.read_text().splitlines(), 1) if "> base_line in fgd" in text
    )
    assert (
        f"{report}:{line}: '+distill (ours) > baseline in FGD' is on record as {others[now[0]]}" in output.err
    )
    assert f"(on record: {others[now[0]]})" in output.out
    make(tmp_path, panel={"claims": dict.fromkeys(CLAIMED)})
    assert command(*asked) == 0
    make(tmp_path)
    assert command(*asked) == 2 and "makes no claims" in capsys.readouterr().err
