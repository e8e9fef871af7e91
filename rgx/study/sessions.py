"""Who sees what, and in which order: balanced blocks, Latin squares, traps, gold and repeated items."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rgx.errors import InputError
from rgx.study.study_file import LEAST, MOST, StudyFile

PROPER, TRAINING, TRAP, GOLD, REPEAT = "proper", "training", "trap", "gold", "repeat"


@dataclass(frozen=True)
class Item:
    """One thing asked: of a scene under a condition, or of two; role: proper, training, trap, gold, repeat.

    swapped: whether what is named second is shown first; wanted: the least and highest answer a check takes.
    """

    question: str
    role: str
    scene: str
    condition: str
    other: str = ""
    swapped: bool = False
    wanted: tuple[int, int] | None = None


def williams(count: int) -> list[list[int]]:
    """Return a Latin square in which each pair of neighbours stands equally often.

    It has `count` rows, twice as many for an odd count. Source: Williams 1949.
    """
    zigzag = [n // 2 if n % 2 == 0 else count - 1 - n // 2 for n in range(count)]
    rows = [[(first + shift) % count for first in zigzag] for shift in range(count)]
    return rows if count % 2 == 0 else rows + [row[::-1] for row in rows]


def items_of(study: StudyFile, scenes: int) -> dict[str, int]:
    """Return how many items a session has of each question: as written, or each condition once as can be.

    Raises InputError where there are fewer scenes than items, since none is seen twice.
    """
    counts = {}
    for name, question in study.questions.items():
        units = len(study.asked(name))
        if question.asks == "pair":
            counts[name] = question.items or min(scenes, units * (units - 1) // 2)
        else:
            counts[name] = question.items or max(scenes // units, 1) * units
        if counts[name] > scenes:
            raise InputError(
                f"question '{name}' has {counts[name]} items a session and the study {scenes} scenes; a "
                "rater sees a scene once a question, so it takes as many scenes as items"
            )
    return counts


def plan_sessions(study: StudyFile, scenes: Sequence[str], seed: int | None = None) -> list[list[Item]]:
    """Return the items of each rater's session in order.

    Over all raters a scene is seen under every condition equally often, within one as a rule; in a session
    every condition is equally often and no scene twice a question. Raises InputError for too few scenes.
    Source: reading 144.
    """
    random = np.random.default_rng(study.seed if seed is None else seed)
    items = items_of(study, len(scenes))
    units = {name: _units(study, name) for name in study.questions}
    seen = {name: np.zeros((len(scenes), len(units[name])), int) for name in study.questions}
    sessions = []
    for rater in range(study.raters):
        names = list(study.questions)
        order = [names[n] for n in random.permutation(len(names))]
        blocks = [
            _ordered(_block(name, items[name], scenes, units[name], seen[name], random), units[name], rater)
            for name in order
        ]
        blocks = [
            [
                replace(item, swapped=bool((rater + n) % 2)) if item.other else item
                for n, item in enumerate(block)
            ]
            for block in blocks
        ]
        sessions.append(_with_checks(study, scenes, order, blocks, random))
    return sessions


def _units(study: StudyFile, question: str) -> list[tuple[str, str]]:
    """Return what is asked of: conditions, pairs of them, or each against itself with another sound."""
    conditions = study.asked(question)
    if study.questions[question].asks == "pair":
        return list(itertools.combinations(conditions, 2))
    other = "mismatched" if study.questions[question].asks == "matched" else ""
    return [(condition, other) for condition in conditions]


def _block(
    question: str,
    count: int,
    scenes: Sequence[str],
    units: Sequence[tuple[str, str]],
    seen: np.ndarray,
    random: np.random.Generator,
) -> list[Item]:
    """Return a rater's items of a question: what was seen least so far, by the cheapest assignment."""
    from scipy.optimize import linear_sum_assignment

    each = -(-count // len(units))
    least = np.argsort(seen.sum(0) + random.random(len(units)))
    wanted = np.tile(least, each)[:count] if count % len(units) else np.repeat(np.arange(len(units)), each)
    # First how often a scene was seen under this condition, then how often at all, then chance.
    costs = seen[:, wanted].astype(float) ** 2 * (len(units) + 1) + seen.sum(1, keepdims=True)
    rows, columns = linear_sum_assignment(costs + random.random(costs.shape) / 2)
    block = []
    for scene, column in zip(rows, columns, strict=True):
        unit = wanted[column]
        seen[scene, unit] += 1
        block.append(Item(question, PROPER, scenes[scene], *units[unit]))
    return block


def _ordered(block: Sequence[Item], units: Sequence[tuple[str, str]], rater: int) -> list[Item]:
    """Return a block in rounds, each of which has every unit once in an order of the Latin square."""
    waiting = {unit: [item for item in block if (item.condition, item.other) == unit] for unit in units}
    square = williams(len(units))
    ordered: list[Item] = []
    for turn in itertools.count(rater):
        if not any(waiting.values()):
            return ordered
        for place in square[turn % len(square)]:
            if waiting[units[place]]:
                ordered.append(waiting[units[place]].pop())
    return ordered


def _with_checks(
    study: StudyFile,
    scenes: Sequence[str],
    order: Sequence[str],
    blocks: Sequence[list[Item]],
    random: np.random.Generator,
) -> list[Item]:
    """Return a session: training first, traps and gold items spread over its rating blocks, repeats last."""
    rated = [name for name in order if study.questions[name].asks == "rating"]
    conditions = list(study.conditions)
    first = rated[0] if rated else order[0]
    training = (
        [
            Item(first, TRAINING, scenes[int(random.integers(len(scenes)))], conditions[n % len(conditions)])
            for n in range(study.checks.training)
        ]
        if rated
        else []
    )
    extras: dict[str, list[Item]] = {name: [] for name in order}
    for item in _checks(study, scenes, rated, random) if rated else ():
        extras[item.question].append(item)
    session = list(training)
    for name, block in zip(order, blocks, strict=True):
        repeats = (
            [replace(item, role=REPEAT) for item in block[: study.checks.repeats]] if name == first else []
        )
        whole = list(block)
        for item in extras[name]:
            whole.insert(int(random.integers(1, len(whole) + 1)), item)
        session += whole + repeats
    return session


def _checks(
    study: StudyFile, scenes: Sequence[str], rated: Sequence[str], random: np.random.Generator
) -> Iterator[Item]:
    asked = itertools.cycle(rated)
    bases = [name for name, condition in study.conditions.items() if condition.base is None]
    for _ in range(study.checks.traps):
        answer = int(random.integers(LEAST, MOST + 1))
        scene = scenes[int(random.integers(len(scenes)))]
        base = bases[int(random.integers(len(bases)))]
        yield Item(next(asked), TRAP, scene, base, wanted=(answer, answer))
    for condition, wanted in study.checks.gold.items():
        yield Item(next(asked), GOLD, scenes[int(random.integers(len(scenes)))], condition, wanted=wanted)
