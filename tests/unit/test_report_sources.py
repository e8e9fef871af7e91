"""Variance by source: planted shares, worked by hand, and where runs do not tell sources apart."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from keyed import digest
from little import LITTLE
from made import put

from rgx.errors import InputError
from rgx.report.definition import load
from rgx.report.render import render
from rgx.report.variance import sources
from rgx.store.records import Run, SweepRow
from rgx.store.runs import merge
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import read_sweep

METRICS = {"loss": {"label": "Loss", "direction": "down", "decimals": 2}}


def nested(
    random: np.random.Generator,
    planted: tuple[float, float, float],
    counts: tuple[int, int, int],
    keep: float = 1.0,
) -> tuple[list[float], list[dict[str, str]]]:
    """Return numbers and cells of data, trainings and decodings; keep: the share that ran."""
    values, cells = [], []
    by_data = random.normal(scale=planted[0] ** 0.5, size=counts[0])
    by_training = random.normal(scale=planted[1] ** 0.5, size=counts[:2])
    by_decoding = random.normal(scale=planted[2] ** 0.5, size=counts)
    for d, t, k in itertools.product(*map(range, counts)):
        if random.random() < keep:
            values.append(10.0 + by_data[d] + by_training[d, t] + by_decoding[d, t, k])
            keys = {"data": f"{d}", "instrument": "one", "network": f"{d}/{t}", "scores": f"{d}/{t}/{k}"}
            cells.append({"data": keys["data"], "speech": f"of {d}", **keys, "decoded": f"{d} {t} {k}"})
    return values, cells


def test_by_hand() -> None:
    # Two trainings, decoded twice: 0 and 2, 10 and 12. Decodings differ by 2: 2² / 2 = 2. Runs of two
    # trainings differ by 10, 12, 8 and 10: 408 / 4 / 2 = 51 is both variances together.
    cells = [{"network": n, "scores": n + s} for n in "ab" for s in "xy"]
    training, decoding = sources([0.0, 2.0, 10.0, 12.0], cells)
    assert (training.stages, training.levels, training.variance) == (("network",), 2, pytest.approx(49.0))
    assert (decoding.stages, decoding.levels, decoding.variance) == (("scores",), 4, pytest.approx(2.0))
    assert (training.share, decoding.share) == (pytest.approx(49 / 51), pytest.approx(2 / 51))


@pytest.mark.parametrize("planted", [(4.0, 2.0, 1.0), (1.0, 1.0, 1.0), (1.0, 3.0, 2.0)])
@pytest.mark.parametrize("keep", [1.0, 0.7])
def test_planted_shares_are_recovered_within_a_fifth(
    planted: tuple[float, float, float], keep: float
) -> None:
    random, shares = np.random.default_rng(7), []
    for _ in range(12):
        parted = sources(*nested(random, planted, (24, 4, 4), keep))
        assert [source.stages for source in parted] == [
            ("data", "speech"),
            ("network",),
            ("scores", "decoded"),
        ]
        shares.append([source.share for source in parted])
    expected = np.array(planted) / sum(planted)
    assert np.mean(shares, axis=0) == pytest.approx(expected, rel=0.2)


def test_nothing_is_made_up() -> None:
    assert (
        sources([1.0, 2.0, 3.0], [{"a": str(n), "b": str(n)} for n in range(3)]) == []
    )  # always differ together
    assert sources([1.0, 2.0], [{"a": "x", "b": "y"}] * 2) == []  # nothing differs
    assert sources([], []) == [] and sources([1.0], [{"a": "x"}]) == []
    cells = [{"network": n, "scores": n + s} for n in "ab" for s in "xy"]
    assert sources([1.0] * 4, cells) == []  # nothing varies


def test_a_source_that_explains_less_than_nothing_is_zero() -> None:
    cells = [{"network": n, "scores": n + s} for n in "ab" for s in "xy"]
    training, decoding = sources([0.0, 10.0, 0.0, 10.0], cells)
    assert training.variance == 0.0 and decoding.share == 1.0


def test_the_shares_are_drawn_and_written(tmp_path: Path) -> None:
    store, rows = tmp_path / "store", []
    values = {("a", "x"): 0.0, ("a", "y"): 2.0, ("b", "x"): 10.0, ("b", "y"): 12.0}
    for (trained, decoded), value in values.items():
        network = digest(f"network{trained}")
        key = digest(f"scores{trained}{decoded}", {"network": network})
        put(store, "network", network)
        put(store, "scores", key, outputs={"scores": {"loss": value}, "metrics": METRICS})
        panel = "p" if decoded == "x" else "decoding"
        stages = {"network": network, "scores": key}
        rows.append({"panel": panel, "row": "full", "seed": ord(trained), "stages": stages})
    (store / "sweeps").mkdir(parents=True)
    (store / "sweeps" / "s.json").write_text(json.dumps({"name": "s", "seeds": [97, 98], "rows": rows}))
    panel = {"caption": "C.", "columns": ["loss"], "ours": "full"}
    figure = {"kind": "sources", "panel": "p", "beside": ["decoding"], "caption": "Where it comes from."}
    report = tmp_path / "reports" / "s.yaml"
    report.parent.mkdir()
    content = {
        "sweep": "sweeps/s.yaml",
        "panels": {"p": panel, "decoding": panel},
        "figures": {"parts": figure},
    }
    report.write_text(yaml.safe_dump(content))
    names = {path.name for path in render(report, store, tmp_path / "out")}
    assert {"parts.pdf", "parts.png", "parts-effects.md"} <= names
    lines = (tmp_path / "out" / "s" / "parts-effects.md").read_text().splitlines()[2:]
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines] == [
        ["Loss", "full (ours)", "network", "2", "49", "96.1 %"],
        ["Loss", "full (ours)", "scores", "4", "2", "3.9 %"],
    ]
    figure["beside"] = ["decodin"]
    report.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"figures/parts/beside.*did you mean 'decoding'"):
        load(report)


SCOPED = LITTLE.replace("panels:\n", "seed_scope: {3b: motion}\npanels:\n") + "  3c:\n    full: {}\n"


def test_a_seed_repeats_what_its_scope_says(tmp_path: Path) -> None:
    file = tmp_path / "little.yaml"
    file.write_text(SCOPED.replace("scale: tiny", "scale: tiny\nseeds: [4, 5]"))
    plan = make_plan(read_sweep(file))
    cells = {(cell["panel"], cell["row"], cell["seed"]): cell["stages"] for cell in plan.cells}
    first, second = cells["3b", "+distill", 4], cells["3b", "+distill", 5]
    differing = {stage for stage in first if first[stage] != second[stage]}
    assert differing == {"motion", "motion_scores"}
    whole = cells["3c", "full", 4], cells["3c", "full", 5]
    assert whole[0] == first  # the first seed is the same cell, whatever the scope
    assert {"tokenizer", "generator"} <= {stage for stage in first if whole[0][stage] != whole[1][stage]}
    assert plan.sweep_record()["seed_scopes"] == {
        "3b": "each seed repeats motion and what follows it; what is before it is of seed 4"
    }


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ("{3d: motion}", r"little.yaml:\d+: seed_scope: no panel '3d'"),
        (
            "{3b: motoin}",
            "3b/baseline and 1 more: seed_scope: no stage 'motoin' in it; did you mean 'motion'",
        ),
        ("{3b: motion_scores}", "neither 'motion_scores' nor what follows it takes a seed"),
    ],
)
def test_a_scope_that_repeats_nothing_is_refused(tmp_path: Path, scope: str, message: str) -> None:
    file = tmp_path / "little.yaml"
    file.write_text(SCOPED.replace("{3b: motion}", scope))
    with pytest.raises(InputError, match=message):
        make_plan(read_sweep(file))


def test_a_panel_has_the_scope_of_its_newest_run() -> None:
    rows = [SweepRow(panel="p", row="r", seed=0, stages={})]
    scoped = Run(name="s", seeds=[0], rows=rows, seed_scopes={"p": "each seed repeats it"})
    plain = Run(name="s", seeds=[0], rows=rows)
    assert merge("s", [plain, scoped]).seed_scopes == {"p": "each seed repeats it"}
    assert merge("s", [scoped, plain]).seed_scopes == {}
