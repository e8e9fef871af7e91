"""Who is left out of the statistics: declared rules, applied before any condition is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class Rules(BaseModel):
    """When a rater counts: at most so many traps and gold items missed, ratings that vary, no haste.

    Source: the P.910 crowd toolkit's rules, whose least variance this is; a rater is too fast whose median
    time from a video's end to the answer is below `fastest_s`; `least_answered` is a share of the session.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    missed_traps: int = Field(default=0, ge=0)
    missed_gold: int = Field(default=1, ge=0)
    least_variance: float = Field(default=0.15, ge=0)
    fastest_s: float = Field(default=0.4, ge=0)
    least_answered: float = Field(default=0.5, ge=0, le=1)


@dataclass(frozen=True)
class Conduct:
    """What a rater's session says of how they answered; ratings are those of the study proper."""

    missed_traps: int
    missed_gold: int
    ratings: Sequence[float]
    seconds: Sequence[float]
    answered: float = 1.0


REASONS = {
    "traps": "missed traps",
    "gold": "missed gold items",
    "straight": "straight-lining",
    "fast": "too fast",
    "unfinished": "unfinished",
}


def reason_to_exclude(conduct: Conduct, rules: Rules) -> str:
    """Return the first of REASONS by which a rater is left out, or nothing."""
    if conduct.answered < rules.least_answered:
        return "unfinished"
    if conduct.missed_traps > rules.missed_traps:
        return "traps"
    if conduct.missed_gold > rules.missed_gold:
        return "gold"
    if len(conduct.ratings) > 2 and np.var(conduct.ratings) < rules.least_variance:
        return "straight"
    if len(conduct.seconds) and np.median(conduct.seconds) < rules.fastest_s:
        return "fast"
    return ""


def said_of(excluded: Mapping[Any, str], raters: int) -> str:
    """Return a sentence that counts who was left out of how many, by reason."""
    counts = {said: sum(reason == name for reason in excluded.values()) for name, said in REASONS.items()}
    parts = [f"{count} {said}" for said, count in counts.items() if count]
    left = sum(counts.values())
    return (
        f"{raters - left} of {raters} raters count"
        + (f"; left out: {', '.join(parts)}" if parts else "")
        + "."
    )
