"""What a number of ratings can show, said before anyone is asked."""

from __future__ import annotations

import math

from rgx.study.study_file import StudyFile

DEVIATION, CORRELATION, LEVEL, POWER = 0.9, 0.4, 0.05, 0.8
"""A rating's usual deviation on five points, how alike two of one rater's are, and the test."""


def least_difference(ratings: float, correlation: float = 0.0) -> float:
    """Return the difference of two means of so many ratings each that is found with a chance of 80 %.

    correlation: of the two ratings of one rater, 0 for different raters. Source: the normal approximation of
    a two-sided test at 5 %.
    """
    return _quantiles() * DEVIATION * math.sqrt(2 * (1 - correlation) / ratings)


def ratings_needed(difference: float, correlation: float = 0.0) -> int:
    """Return how many ratings a condition such a difference takes."""
    return math.ceil(2 * (1 - correlation) * (_quantiles() * DEVIATION / difference) ** 2)


def _quantiles() -> float:
    from scipy.special import ndtri  # scipy.stats is slow to import

    return float(ndtri(1 - LEVEL / 2) + ndtri(POWER))


def least_share(votes: int) -> float:
    """Return the share of votes above one half that is found with a chance of 80 %."""
    return min(1.0, 0.5 + _quantiles() * 0.5 / math.sqrt(votes))


def power_lines(study: StudyFile, items: dict[str, int]) -> list[str]:
    """Return a line for each question: what the study's ratings can show; items: a session's, by question."""
    lines = []
    for name, question in study.questions.items():
        conditions = len(study.asked(name))
        votes = study.raters * items[name]
        if question.asks == "rating":
            each = votes / conditions
            lines.append(
                f"{name}: {each:.0f} ratings a condition show a difference of {least_difference(each):.2f} "
                f"between raters, {least_difference(each, CORRELATION):.2f} within them (deviation "
                f"{DEVIATION}, {POWER:.0%} of the time); 0.25 would take {ratings_needed(0.25)} and "
                f"{ratings_needed(0.25, CORRELATION)}"
            )
        else:
            of = conditions * (conditions - 1) // 2 if question.asks == "pair" else conditions
            each, unit = votes // of, "pair" if question.asks == "pair" else "condition"
            lines.append(
                f"{name}: {each} votes a {unit} show a share of {least_share(max(each, 1)):.0%} or more"
            )
    return lines
