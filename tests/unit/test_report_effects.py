"""Main effects and interactions: worked by hand, against least squares, and drawn from what ran."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from keyed import digest
from test_report import METRICS
from test_report_figures import material, put

from rgx.errors import InputError
from rgx.report.definition import load
from rgx.report.effects import effects, level_means
from rgx.report.figures.factorial import Factorial
from rgx.report.gather import gather
from rgx.report.render import render

RATES = [0.001, 0.002, 0.004]


def test_effects_by_hand() -> None:
    # Means of a: 2 and 6; of b: 3 and 5; nothing is left for both together. About the mean of 4:
    # 16 of 20 between levels of a, 4 of 20 between those of b.
    numbers = {("x", "p"): [1.0], ("x", "q"): [3.0], ("y", "p"): [5.0], ("y", "q"): [7.0]}
    a, b, both = effects(["a", "b"], numbers)
    assert (a.factors, a.span, a.share) == (("a",), 4.0, pytest.approx(0.8))
    assert (b.factors, b.span, b.share) == (("b",), 2.0, pytest.approx(0.2))
    assert (both.factors, both.span, both.share) == (("a", "b"), None, pytest.approx(0.0))
    # Each factor alone does nothing here, both together everything.
    crossed = {("x", "p"): [1.0], ("x", "q"): [0.0], ("y", "p"): [0.0], ("y", "q"): [1.0]}
    assert [one.share for one in effects(["a", "b"], crossed)] == pytest.approx([0.0, 0.0, 1.0])
    assert level_means(numbers, [0]) == {
        ("x",): (2.0, pytest.approx(2**0.5), 2),
        ("y",): (6.0, pytest.approx(2**0.5), 2),
    }


def test_no_share_without_balance_or_variation() -> None:
    numbers = {("x", "p"): [1.0], ("x", "q"): [3.0], ("y", "p"): [5.0]}
    assert [one.share for one in effects(["a", "b"], numbers)] == [None] * 3
    uneven = numbers | {("y", "q"): [7.0, 8.0]}
    assert [one.share for one in effects(["a", "b"], uneven)] == [None] * 3
    alike = {("x",): [0.1, 0.1], ("y",): [0.1, 0.1]}
    assert [one.share for one in effects(["a"], alike)] == [None]


def fitted(columns: list[np.ndarray], values: np.ndarray) -> float:
    """Return the sum of squares that is left of values when indicator columns are fitted to them."""
    design = np.concatenate([np.ones((len(values), 1)), *columns], axis=1)
    solution = np.linalg.lstsq(design, values, rcond=None)[0]
    return float(((values - design @ solution) ** 2).sum())


@settings(deadline=None, max_examples=30)
@given(st.data(), st.integers(1, 3), st.integers(2, 3), st.integers(2, 3), st.integers(1, 2))
def test_shares_are_those_of_least_squares(data: Any, often: int, a: int, b: int, c: int) -> None:
    cells = list(itertools.product("xyz"[:a], "pqr"[:b], "uv"[:c]))
    values = {
        levels: data.draw(st.lists(st.integers(-50, 50), min_size=often, max_size=often)) for levels in cells
    }
    flat = np.array([float(value) for held in values.values() for value in held])
    total = float(((flat - flat.mean()) ** 2).sum())
    if total == 0:
        return
    runs = [levels for levels in cells for _ in range(often)]

    def indicators(places: tuple[int, ...]) -> np.ndarray:
        own = [tuple(levels[place] for place in places) for levels in runs]
        return np.array([[float(one == level) for level in sorted(set(own))] for one in own])

    for effect in effects(["0", "1", "2"], values):
        places = tuple(map(int, effect.factors))
        alone = [indicators((place,)) for place in places] if len(places) > 1 else []
        expected = fitted(alone, flat) - fitted([*alone, indicators(places)], flat)
        assert effect.share == pytest.approx(expected / total, abs=1e-9)


def grid(root: Path, seeds: int, skip: Callable[[str, float], bool] = lambda *_: False) -> tuple[Path, Path]:
    """Write a store of a grid of two factors, fusion and learning rate, and a report of it."""
    store, cells = root / "store", []
    for number, (fusion, rate, seed) in enumerate(
        itertools.product(["cross_attention", "concat"], RATES, range(seeds))
    ):
        key, scores = digest(f"generator{number}"), digest(f"scores{number}")
        training = {"variant": "optimiser/adamw", "learning_rate": rate}
        record = {"fusion": {"variant": f"fusion/{fusion}", "width": 64}, "training": training}
        values = {
            "fgd": 10.0 + 1000 * rate * (fusion == "concat") + 0.1 * seed,
            "diversity": 14.0,
            "pcm": 0.5,
        }
        cells.append(
            {
                "panel": "grid", "row": f"row {number // seeds}", "seed": seed,
                "stages": {"generator": key, "motion_scores": scores},
            }
        )  # fmt: skip
        if not skip(fusion, rate):
            put(store, "generator", key, record=record)
            put(store, "motion_scores", scores, outputs={"scores": values, "metrics": METRICS})
    (store / "sweeps").mkdir(parents=True)
    record = {"name": "made", "seeds": list(range(seeds)), "rows": cells}
    (store / "sweeps" / "made.json").write_text(json.dumps(record))
    factors = {
        "fusion": {"stage": "generator", "parameter": "fusion"},
        "learning rate": {"stage": "generator", "parameter": "training/learning_rate"},
    }
    report = root / "made.yaml"
    figure = {"kind": "factorial", "panel": "grid", "columns": ["fgd"], "factors": factors}
    report.write_text(
        yaml.safe_dump(
            {
                "sweep": "sweeps/made.yaml",
                "panels": {"grid": {"caption": "A grid.", "columns": ["fgd", "pcm"]}},
                "figures": {"depth": figure},
            },
            sort_keys=False,
        )
    )
    return report, store


def test_levels_are_read_from_what_ran(tmp_path: Path) -> None:
    gathered = gather(*grid(tmp_path, 2))
    figure = gathered.report.figures["depth"]
    assert isinstance(figure, Factorial)
    levels = figure.levels(material(gathered))
    assert levels["row 0"] == ("cross attention", "0.001") and levels["row 5"] == ("concat", "0.004")
    assert figure.runs(material(gathered), "fgd", levels)["concat", "0.002"] == [12.0, 12.1]
    drawing = figure.draw(material(gathered))
    assert drawing is not None
    main, rate, interaction = drawing.axes
    assert main.lines[0].get_ydata().tolist() == pytest.approx([10.05, 10.05 + 7 / 3])
    assert rate.lines[0].get_ydata().tolist() == pytest.approx([10.55, 11.05, 12.05])
    assert [label.get_text() for label in rate.get_xticklabels()] == ["0.001", "0.002", "0.004"]
    assert len({axes.get_ylim() for axes in drawing.axes}) == 1
    legend = interaction.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == [
        "0.001",
        "0.002",
        "0.004",
    ]


@pytest.mark.slow
def test_the_sizes_of_effects_are_a_file(tmp_path: Path) -> None:
    paths = {path.name: path for path in render(*grid(tmp_path, 2), tmp_path / "out")}
    text = paths["depth-effects.md"].read_text()
    # Twelve runs, half of them 7/3 above the others in the mean: 12 · (7/6)² between levels of fusion.
    runs = np.array([10, 10, 10, 11, 12, 14, 10.1, 10.1, 10.1, 11.1, 12.1, 14.1])
    share = 100 * 12 * (7 / 6) ** 2 / (12 * runs.var())
    assert f"| FGD      | fusion                 | 2.33                         | {share:.1f} %" in text
    assert "[depth-effects.md](depth-effects.md)" in paths["index.md"].read_text()


def test_holes_leave_means_but_no_shares(tmp_path: Path) -> None:
    report, store = grid(tmp_path, 1, skip=lambda fusion, rate: (fusion, rate) == ("concat", 0.004))
    paths = {path.name: path for path in render(report, store, tmp_path / "out")}
    lines = paths["depth-effects.md"].read_text().splitlines()[2:5]
    assert all("--" in line for line in lines) and "1.50" in lines[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("parameter: fusion", "parameter: fuson", "did you mean 'fusion'"),
        ("parameter: training/learning_rate", "parameter: training/learning", "'learning_rate'"),
    ],
)
def test_a_wrong_path_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    report, store = grid(tmp_path, 1)
    report.write_text(report.read_text().replace(old, new))
    with pytest.raises(InputError, match=said):
        render(report, store, tmp_path / "out")


def test_a_factor_needs_its_path(tmp_path: Path) -> None:
    report, _ = grid(tmp_path, 1)
    report.write_text(report.read_text().replace("        parameter: fusion\n", "        paramter: fusion\n"))
    with pytest.raises(InputError) as caught:
        load(report)
    assert "did you mean 'parameter'?" in str(caught.value) and f"{report}:" in str(caught.value)
