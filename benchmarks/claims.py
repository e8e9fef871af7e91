"""How often `claims` are wrong where nothing differs, and right where something does: simulated tables.

Each table has a number of claims, each of a pair of rows over some seeds and test samples. The difference of
a pair is a normal draw per seed, per sample and per both, whose deviations are planted. Wrong is a table with
at least one verdict where nothing differs (family-wise error, to be at most 5 %); power is the share of
supported claims where every true difference is so many times the deviation over seeds that is planted, or 1.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass

import numpy as np

from rgx.report.claims_statistics import Shares, difference, holm, verdict


@dataclass(frozen=True)
class World:
    """What makes differences vary: deviations over seeds, over test samples, and over both at once."""

    seed: float
    sample: float
    both: float
    samples: int
    tails: int = 0
    """Degrees of freedom of Student's t in place of the normal; 0 for the normal."""


WORLDS = {
    "seeds alone": World(1.0, 0.0, 0.0, samples=1),
    "seeds, 10 samples": World(1.0, 0.0, 1.0, samples=10),
    "seeds and 10 samples": World(1.0, 3.0, 1.0, samples=10),
    "seeds and 40 samples": World(1.0, 6.0, 1.0, samples=40),
    "40 samples alone": World(0.0, 3.0, 3.0, samples=40),
    "heavy tails, 10 samples": World(1.0, 3.0, 1.0, samples=10, tails=3),
}


def verdicts(random: np.random.Generator, world: World, seeds: int, claims: int, effect: float) -> list[str]:
    """Return the verdicts of one table whose rows all differ by `effect`, each claimed as it is."""
    shape = (seeds, world.samples)

    def noise(*size: int) -> np.ndarray:
        return random.standard_t(world.tails, size) if world.tails else random.standard_normal(size)

    differences = []
    for _ in range(claims):
        drawn = effect + world.seed * noise(seeds, 1) + world.both * noise(*shape)
        drawn = drawn + world.sample * noise(1, world.samples)
        equal = np.ones(shape)
        shares = (Shares(drawn, equal), Shares(np.zeros(shape), equal)) if world.samples > 1 else None
        differences.append(difference(drawn.mean(axis=1).tolist(), [0.0] * seeds, shares))
    corrected = holm([differed.p for differed in differences])
    return [verdict(differed.mean > 0, True, p) for differed, p in zip(differences, corrected, strict=True)]


def wrong(world: World, seeds: int, claims: int, tables: int, seed: int = 0) -> float:
    """Return the share of tables with a verdict where nothing differs."""
    random = np.random.default_rng(seed)
    drawn = (verdicts(random, world, seeds, claims, 0.0) for _ in range(tables))
    return sum(set(of) != {"undecided"} for of in drawn) / tables


def power(world: World, seeds: int, claims: int, effect: float, tables: int, seed: int = 0) -> float:
    """Return the share of true claims that are supported."""
    random = np.random.default_rng(seed)
    said = [each for _ in range(tables) for each in verdicts(random, world, seeds, claims, effect)]
    return said.count("supported") / len(said)


def main() -> None:
    """Print a line for each world, number of seeds and number of claims."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--tables", type=int, default=2000, help="simulated tables behind each figure")
    tables = asked.parse_args().tables
    margin = 1.96 * (0.05 * 0.95 / tables) ** 0.5
    print(f"{tables} tables each; 5 % is told from ± {100 * margin:.1f} %")
    print("| differences vary over | seeds | claims | wrong tables | power at 1 · 2 · 4 deviations |")
    print("|---|---|---|---|---|")
    for (name, world), seeds, claims in itertools.product(WORLDS.items(), (3, 5, 10), (1, 10)):
        share = wrong(world, seeds, claims, tables)
        powers = [power(world, seeds, claims, effect, max(1, tables // (5 * claims))) for effect in (1, 2, 4)]
        said = " · ".join(f"{100 * each:.0f} %" for each in powers)
        print(f"| {name} | {seeds} | {claims} | {100 * share:.1f} % | {said} |", flush=True)


if __name__ == "__main__":
    main()
