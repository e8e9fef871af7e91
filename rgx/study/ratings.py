"""Answers joined with what was shown: a table of ratings, who counts in it, and what each question's are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rgx.study.answers import Answer, read_answers
from rgx.study.exclusions import Conduct, reason_to_exclude
from rgx.study.kit import Kit
from rgx.study.opinions import Opinions
from rgx.study.preferences import Votes
from rgx.study.sessions import GOLD, PROPER, REPEAT, TRAP, Item

COLUMNS = (
    *("rater", "position", "item", "question", "role", "scene", "condition", "other", "swapped", "value"),
    *("seconds", "watched", "pauses", "hidden", "language", "at", "left_out"),
)


@dataclass(frozen=True)
class Given:
    """An answer and the item it answers; rater, position: where that stands in the study."""

    rater: int
    position: int
    item: Item
    answer: Answer


@dataclass(frozen=True)
class Ratings:
    """All that was answered in a study; excluded: rater → reason; problems: of answers not used."""

    kit: Kit
    given: Sequence[Given]
    excluded: Mapping[int, str]
    problems: Sequence[str]

    @property
    def raters(self) -> int:
        """Return how many raters answered anything."""
        return len({rating.rater for rating in self.given})

    @cached_property
    def proper(self) -> list[Given]:
        """Return the ratings that count: of raters not left out, to what was asked and played to its end."""
        return [
            rating
            for rating in self.given
            if rating.item.role == PROPER and rating.answer.watched and rating.rater not in self.excluded
        ]

    def of(self, question: str) -> list[Given]:
        """Return the ratings of a question that count."""
        return [rating for rating in self.proper if rating.item.question == question]

    def opinions(self, question: str) -> Opinions:
        """Return a rated question's values by rater, scene and condition."""
        own, names = self.of(question), self.kit.study.asked(question)
        raters, scenes = _places(r.rater for r in own), _places(r.item.scene for r in own)
        return Opinions(
            np.array([raters[r.rater] for r in own], int),
            np.array([scenes[r.item.scene] for r in own], int),
            np.array([names.index(r.item.condition) for r in own], int),
            np.array([r.answer.value for r in own], float),
            names,
        )

    def votes(self, question: str) -> Votes:
        """Return the votes on pairs of conditions."""
        own, names = self.of(question), self.kit.study.asked(question)
        raters = _places(r.rater for r in own)
        return Votes(
            np.array([raters[r.rater] for r in own], int),
            np.array([names.index(r.item.condition) for r in own], int),
            np.array([names.index(r.item.other) for r in own], int),
            np.array([r.answer.value for r in own], float),
            names,
        )

    def matched(self, question: str) -> dict[str, tuple[int, int, int]]:
        """Return by condition how many found the matched sound, the other one, and no difference."""
        counts = {name: [0, 0, 0] for name in self.kit.study.asked(question)}
        for rating in self.of(question):
            counts[rating.item.condition][{1.0: 0, 0.0: 1}.get(rating.answer.value, 2)] += 1
        return {name: (own[0], own[1], own[2]) for name, own in counts.items()}

    def repeated(self) -> list[tuple[float, float]]:
        """Return the two answers to each item that was asked twice, of raters who count."""
        first = {
            (r.rater, r.item.question, r.item.scene, r.item.condition): r.answer.value for r in self.proper
        }
        pairs = []
        for again in self.given:
            node = again.rater, again.item.question, again.item.scene, again.item.condition
            if again.item.role == REPEAT and node in first:
                pairs.append((first[node], again.answer.value))
        return pairs

    def csv(self) -> str:
        """Return all answers as a table, a line each; left_out: why its rater does not count."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for rating in self.given:
            item, answer = rating.item, rating.answer
            writer.writerow(
                [
                    rating.rater, rating.position, answer.item, item.question, item.role, item.scene,
                    item.condition, item.other, int(item.swapped), f"{answer.value:g}",
                    f"{answer.seconds:.3f}", int(answer.watched), answer.pauses, answer.hidden,
                    answer.language, answer.at,
                    self.excluded.get(rating.rater, ""),
                ]
            )  # fmt: skip
        return text.getvalue()


def gather_ratings(kit: Kit) -> Ratings:
    """Return the ratings of a study, its rules applied; raises InputError for a database that is damaged."""
    answers = read_answers(kit)
    given, excluded = [], {}
    for rater, (token, items) in enumerate(kit.items.items(), 1):
        own = [
            Given(rater, position, item, answers.by_item[token, name])
            for position, (name, item) in enumerate(items.items(), 1)
            if (token, name) in answers.by_item
        ]
        given += own
        if own and (reason := reason_to_exclude(conduct_of(own, len(items)), kit.study.exclude)):
            excluded[rater] = reason
    problems = list(answers.problems)
    if unwatched := sum(not rating.answer.watched for rating in given):
        problems.append(f"{unwatched} answers came before their video had ended and are not used")
    return Ratings(kit, given, excluded, problems)


def conduct_of(given: Sequence[Given], asked: int) -> Conduct:
    """Return how a rater answered a session of `asked` items."""

    def missed(role: str) -> int:
        own = [rating for rating in given if rating.item.role == role and rating.item.wanted]
        return sum(not _wanted(rating) for rating in own)

    proper = [rating for rating in given if rating.item.role == PROPER]
    return Conduct(
        missed(TRAP), missed(GOLD),
        [rating.answer.value for rating in proper if not rating.item.other],
        [rating.answer.seconds for rating in proper],
        len(given) / asked,
    )  # fmt: skip


def _wanted(rating: Given) -> bool:
    low, high = rating.item.wanted or (rating.answer.value, rating.answer.value)
    return low <= rating.answer.value <= high


def _places(values: Iterable[object]) -> dict[object, int]:
    """Return the place of each different value, in order of their first."""
    return {value: place for place, value in enumerate(dict.fromkeys(values))}
