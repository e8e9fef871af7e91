"""The statistics of a study against published examples, analytic values and simulated raters."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from rgx.study.contrasts import contrasts, rank_biserial
from rgx.study.exclusions import Conduct, Rules, reason_to_exclude, said_of
from rgx.study.opinions import Opinions
from rgx.study.preferences import Votes, bradley_terry, matched_share, strengths
from rgx.study.reliability import intraclass, krippendorff_alpha

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import study as simulated

_ = np.nan
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ],
    float,
)
"""The example of "Computing Krippendorff's Alpha-Reliability" (2011), part C."""
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
).T


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_that_of_krippendorffs_example(scale: str, alpha: float) -> None:
    assert krippendorff_alpha(KRIPPENDORFF, scale) == pytest.approx(alpha, abs=5e-4)  # type: ignore[arg-type]
    assert np.isnan(krippendorff_alpha(np.full((2, 3), np.nan)))


def test_intraclass_is_that_of_shrout_and_fleiss() -> None:
    assert intraclass(SHROUT_FLEISS) == pytest.approx((0.29, 0.62), abs=5e-3)


def test_strengths_of_two_are_the_odds_of_their_wins() -> None:
    wins = np.array([[0, 30], [10, 0.0]])
    first, second = bradley_terry(wins, prior=0)
    assert first - second == pytest.approx(np.log(3), abs=1e-6) and first + second == pytest.approx(0)
    random = np.random.default_rng(0)
    truth = np.array([1.0, 0.0, -1.0])
    first_of, second_of = random.integers(0, 3, (2, 3000))
    keep = first_of != second_of
    first_of, second_of = first_of[keep], second_of[keep]
    won = random.random(len(first_of)) < 1 / (1 + np.exp(truth[second_of] - truth[first_of]))
    votes = Votes(np.arange(len(won)) % 30, first_of, second_of, won.astype(float), "abc")
    for row, true in zip(strengths(votes, 100), truth, strict=True):
        assert abs(row.strength - true) < 0.15 and row.low < row.strength < row.high < row.low + 0.5


def test_a_share_has_clopper_and_pearsons_interval() -> None:
    share = matched_share(8, 2, 3)
    assert (share.low, share.high) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    assert share.p == pytest.approx(112 / 1024) and share.ties == 3
    assert matched_share(0, 0).p == 1.0


def test_signed_ranks_are_corrected_and_signed() -> None:
    assert rank_biserial(np.array([1.0, 2, 3, -4])) == pytest.approx(0.2)
    opinions = simulated.simulate(
        simulated.design_of(simulated.study_of(24, 24), 24), np.random.default_rng(5)
    )
    table = {(c.first, c.second): c for c in contrasts(opinions)}
    assert len(table) == 15 and all(c.corrected >= c.p for c in table.values())
    lead = table["Ours", "Still"]
    assert lead.difference > 1 and lead.effect > 0.9 and lead.corrected < 0.01 and lead.scenes == 24


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    design = simulated.design_of(simulated.study_of(24, 24), 24)
    held = simulated.coverage(design, 40, resamples=150)
    assert held["means"] >= 0.88 and held["leads"] >= 0.9


def test_the_careless_are_found_and_the_attentive_stay() -> None:
    found = simulated.careless_found(simulated.design_of(simulated.study_of(24, 24), 24), 40)
    assert found["careless"] >= 0.95 and found["attentive"] <= 0.02


def test_agreement_is_at_its_analytic_value() -> None:
    for mean, analytic in simulated.agreement(25).values():
        assert mean == pytest.approx(analytic, abs=0.025)


def test_an_interval_of_one_cluster_is_unknown() -> None:
    single = Opinions(np.zeros(4, int), np.arange(4), np.array([0, 1, 0, 1]), np.array([1.0, 2, 3, 4]), "ab")
    assert np.isnan(single.estimates(10)[0].low) and single.estimates(10)[0].mean == 2


def test_each_rule_leaves_out_whom_it_is_about() -> None:
    rules, well = Rules(), {"missed_traps": 0, "missed_gold": 0, "ratings": [1, 3, 5], "seconds": [2.0, 3.0]}
    cases = {
        "": {}, "traps": {"missed_traps": 1}, "gold": {"missed_gold": 2},
        "straight": {"ratings": [3, 3, 3, 3]}, "fast": {"seconds": [0.1, 0.2, 3.0]},
        "unfinished": {"answered": 0.4},
    }  # fmt: skip
    for reason, change in cases.items():
        assert reason_to_exclude(Conduct(**well | change), rules) == reason
    said = said_of({"a": "traps", "b": "fast", "c": "fast"}, 24)
    assert said == "21 of 24 raters count; left out: 1 missed traps, 2 too fast."


def test_models_agree_with_the_means() -> None:
    pytest.importorskip("statsmodels", reason="needs the extra study")
    from rgx.study.mixed_models import mixed_model, ordinal_model

    opinions = simulated.simulate(
        simulated.design_of(simulated.study_of(24, 12), 24), np.random.default_rng(0)
    )
    leads, model = opinions.differences(1, 100), mixed_model(opinions, 1)
    for effect in model.effects:
        lead = leads[opinions.names.index(effect.condition)]
        assert (
            effect.effect == pytest.approx(lead.mean, abs=0.15) and effect.low < effect.effect < effect.high
        )
    assert 0.2 < model.rater < 0.8 and 0.6 < model.rest < 0.9
    ordered = {effect.condition: effect.effect for effect in ordinal_model(opinions, 1)}
    assert ordered["Recorded"] < 0 < ordered["Fourth"] < ordered["Still"]
