"""Simulated raters: whether a study's intervals hold what is true, and who is careless is found.

`python benchmarks/study.py [--studies 1000]` prints the shares that README and docs/study.md state.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rgx.study.exclusions import Conduct, Rules, reason_to_exclude
from rgx.study.opinions import Opinions
from rgx.study.preferences import matched_share
from rgx.study.reliability import intraclass, krippendorff_alpha
from rgx.study.sessions import PROPER, Item, plan_sessions
from rgx.study.study_file import StudyFile

MEANS = {"Recorded": 4.1, "Ours": 3.4, "Second": 3.1, "Third": 3.0, "Fourth": 2.2, "Still": 1.7}
RATER, SCENE, REST = 0.5, 0.3, 0.75
"""Deviations of what a rater, a scene and a single rating add, as studies of this kind have them."""
GOLD = {"Recorded": [2, 5], "Still": [1, 4]}
SLIP = 0.003
"""How often an attentive rater misses a trap."""
CARELESS = ("random", "straight", "fast")


@dataclass(frozen=True)
class Design:
    """Which rater rates which scene under which condition."""

    raters: np.ndarray
    scenes: np.ndarray
    conditions: np.ndarray
    sessions: Sequence[Sequence[Item]]


def study_of(raters: int, items: int) -> StudyFile:
    """Return a study of one question about the six conditions."""
    conditions = {name: {"folder": name} for name in MEANS}
    question = {"text": {"en": "How good?"}, "items": items}
    return StudyFile.model_validate(
        {
            "name": "simulated", "title": {"en": ""}, "consent": {"en": ""}, "raters": raters,
            "conditions": conditions, "questions": {"mos": question},
            "checks": {"training": 0, "traps": 3, "repeats": 0, "gold": GOLD},
        }
    )  # fmt: skip


def design_of(study: StudyFile, scenes: int, seed: int = 0) -> Design:
    """Return the planned ratings of a study."""
    names = [f"{n:04d}" for n in range(scenes)]
    sessions = plan_sessions(study, names, seed)
    proper = [(r, item) for r, session in enumerate(sessions) for item in session if item.role == PROPER]
    order = list(MEANS)
    return Design(
        np.array([rater for rater, _ in proper]),
        np.array([names.index(item.scene) for _, item in proper]),
        np.array([order.index(item.condition) for _, item in proper]),
        sessions,
    )


def rated(latent: np.ndarray) -> np.ndarray:
    """Return opinions as the five answers."""
    return np.clip(np.rint(latent), 1, 5)


def true_means() -> np.ndarray:
    """Return what the rating of each condition comes to over all raters and scenes."""
    from scipy.stats import norm

    spread = np.sqrt(RATER**2 + SCENE**2 + REST**2)
    above = norm.sf(np.arange(1.5, 5)[None], np.array(list(MEANS.values()))[:, None], spread)
    return np.asarray(1 + above.sum(1))


def simulate(design: Design, random: np.random.Generator) -> Opinions:
    """Return the ratings of attentive raters, drawn anew with their scenes."""
    raters, scenes = design.raters.max() + 1, design.scenes.max() + 1
    latent = np.array(list(MEANS.values()))[design.conditions]
    latent = latent + random.normal(0, RATER, raters)[design.raters]
    latent = latent + random.normal(0, SCENE, scenes)[design.scenes]
    values = rated(latent + random.normal(0, REST, len(latent)))
    return Opinions(design.raters, design.scenes, design.conditions, values, list(MEANS))


def coverage(design: Design, studies: int, resamples: int = 400) -> dict[str, float]:
    """Return how often intervals at 95 % hold the true means, and the true leads of ours."""
    random, truth, ours = np.random.default_rng(0), true_means(), list(MEANS).index("Ours")
    means, leads, others = [], [], [n for n in range(len(MEANS)) if n != ours]
    for seed in range(studies):
        opinions = simulate(design, random)
        means += [
            e.low <= t <= e.high for e, t in zip(opinions.estimates(resamples, seed), truth, strict=True)
        ]
        own = opinions.differences(ours, resamples, seed)
        leads += [own[n].low <= truth[ours] - truth[n] <= own[n].high for n in others]
    return {"means": float(np.mean(means)), "leads": float(np.mean(leads))}


def conduct_of(session: Sequence[Item], kind: str, random: np.random.Generator) -> Conduct:
    """Return how a rater of a kind answers a session: attentive, random, straight or fast."""
    own = random.normal(0, RATER)
    latent = np.array([MEANS[item.condition] for item in session]) + own
    answers = rated(latent + random.normal(0, np.hypot(SCENE, REST), len(session)))
    seconds = random.lognormal(np.log(2.5), 0.5, len(session))
    traps = np.array([item.role == "trap" for item in session])
    obey = random.random(len(session)) >= SLIP
    wanted = np.array([item.wanted[0] if item.wanted else 0 for item in session])
    answers = np.where(traps & obey, wanted, answers)
    if kind == "random":
        answers = random.integers(1, 6, len(session))
    elif kind == "straight":
        answers = np.full(len(session), random.integers(1, 6))
    elif kind == "fast":
        answers, seconds = (
            random.integers(2, 5, len(session)),
            random.lognormal(np.log(0.3), 0.4, len(session)),
        )
    gold = np.array([item.role == "gold" for item in session])
    outside = np.array(
        [
            bool(i.wanted) and not i.wanted[0] <= a <= i.wanted[1]
            for i, a in zip(session, answers, strict=True)
        ]
    )
    proper = np.array([item.role == PROPER for item in session])
    return Conduct(
        int((traps & outside).sum()), int((gold & outside).sum()), answers[proper], seconds[proper]
    )


def careless_found(design: Design, studies: int) -> dict[str, float]:
    """Return which share of the careless is left out, and which of the attentive."""
    random, rules = np.random.default_rng(1), Rules()
    found: dict[str, list[bool]] = {"careless": [], "attentive": []}
    for _ in range(studies):
        for number, session in enumerate(design.sessions):
            kind = CARELESS[number % 3] if random.random() < 0.2 else "attentive"
            reason = reason_to_exclude(conduct_of(session, kind, random), rules)
            found["attentive" if kind == "attentive" else "careless"].append(bool(reason))
    return {kind: float(np.mean(reasons)) for kind, reasons in found.items()}


def agreement(studies: int, raters: int = 20, units: int = 60) -> dict[str, tuple[float, float]]:
    """Return alpha and ICC(2,1) of ratings without steps, each beside its analytic value."""
    random = np.random.default_rng(2)
    unit, rater, rest = 0.8, RATER, REST
    alphas, singles = [], []
    for _ in range(studies):
        table = random.normal(0, unit, units) + random.normal(0, rater, (raters, 1))
        table = table + random.normal(0, rest, (raters, units))
        alphas.append(krippendorff_alpha(np.round(table, 2), "interval"))
        singles.append(intraclass(table).single)
    within, across, both = rater**2 + rest**2, unit**2 + rest**2, unit**2 + rater**2 + rest**2
    count = raters * units
    same_unit, same_rater = count * (raters - 1), count * (units - 1)
    others = count * (count - 1) - same_unit - same_rater
    by_chance = (same_unit * within + same_rater * across + others * both) / (count * (count - 1))
    return {
        "alpha": (float(np.mean(alphas)), 1 - within / by_chance),
        "ICC(2,1)": (float(np.mean(singles)), unit**2 / both),
    }


def shares_held(studies: int, votes: int = 120, share: float = 0.6) -> float:
    """Return how often the exact interval of a share holds it."""
    matched = np.random.default_rng(3).binomial(votes, share, studies)
    every = {int(count): matched_share(int(count), votes - int(count)) for count in set(matched)}
    return float(np.mean([every[int(count)].low <= share <= every[int(count)].high for count in matched]))


def main() -> None:
    """Print what a thousand simulated studies show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    studies = parser.parse_args().studies
    begun = time.process_time()
    design = design_of(study_of(raters=24, items=24), scenes=24)
    held = coverage(design, studies)
    print(f"intervals at 95 % that hold the true mean {held['means']:.1%}, the true lead {held['leads']:.1%}")
    found = careless_found(design, studies)
    print(f"careless found {found['careless']:.1%}, attentive left out {found['attentive']:.2%}")
    for name, (mean, analytic) in agreement(max(studies // 5, 1)).items():
        print(f"{name} {mean:.3f}, analytic {analytic:.3f}")
    print(f"exact intervals that hold the true share {shares_held(studies):.1%}")
    print(f"{studies} studies in {time.process_time() - begun:.0f} s of processor time")


if __name__ == "__main__":
    main()
