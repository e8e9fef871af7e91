"""What a study's ratings say, question by question: computed once, for every format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rgx.errors import InputError, NotMeasurableError
from rgx.study.contrasts import Contrast, contrasts
from rgx.study.exclusions import said_of
from rgx.study.mixed_models import ModelEffect, Modelled, mixed_model, ordinal_model
from rgx.study.opinions import Estimate, Opinions
from rgx.study.preferences import Share, Strength, matched_share, strengths
from rgx.study.ratings import Ratings
from rgx.study.reliability import Intraclass, intraclass, krippendorff_alpha

WEAK = 0.2
"""Below this alpha a question did not work."""


@dataclass(frozen=True)
class Rated:
    """A rated question: means by condition, leads of ours, tests, models and how far raters agree."""

    opinions: Opinions
    means: Mapping[str, Estimate]
    leads: Mapping[str, Estimate]
    contrasts: Sequence[Contrast]
    alpha: float
    icc: Intraclass
    model: Modelled | None = None
    ordinal: Sequence[ModelEffect] = ()
    unmodelled: str = ""
    """Why there is no model."""


@dataclass(frozen=True)
class Findings:
    """All that a study says: rated questions, strengths of pairs, and shares that found the matched sound."""

    ratings: Ratings
    rated: Mapping[str, Rated]
    paired: Mapping[str, Sequence[Strength]]
    matched: Mapping[str, Mapping[str, Share]]
    remarks: Sequence[str] = field(default_factory=list)

    @property
    def counted(self) -> str:
        """Return the sentence that counts raters, and those left out by reason."""
        return said_of(self.ratings.excluded, self.ratings.raters)


def find(ratings: Ratings) -> Findings:
    """Return what the ratings say; raises InputError where nobody's answers count."""
    study = ratings.kit.study
    if not ratings.given:
        raise InputError(
            f"{ratings.kit.folder}: no answers yet, in {ratings.kit.folder / 'answers'} or on the server"
        )
    if not ratings.proper:
        raise InputError(f"no answer counts: {said_of(ratings.excluded, ratings.raters)}")
    rated, paired, matched = {}, {}, {}
    for name, question in study.questions.items():
        if not ratings.of(name):
            continue
        if question.asks == "rating":
            rated[name] = _rated(ratings.opinions(name), study.ours)
        elif question.asks == "pair":
            paired[name] = strengths(ratings.votes(name))
        else:
            matched[name] = {c: matched_share(*own) for c, own in ratings.matched(name).items()}
    return Findings(ratings, rated, paired, matched, _remarks(ratings, rated))


def _rated(opinions: Opinions, ours: str | None) -> Rated:
    names = list(opinions.names)
    place = names.index(ours) if ours in names else 0
    leads = opinions.differences(place) if ours in names else []
    model, ordinal, why = None, [], ""
    try:
        model, ordinal = mixed_model(opinions, place), ordinal_model(opinions, place)
    except (InputError, NotMeasurableError, np.linalg.LinAlgError, ValueError) as error:
        why = str(error)
    return Rated(
        opinions,
        dict(zip(names, opinions.estimates(), strict=True)),
        {name: lead for name, lead in zip(names, leads, strict=False) if name != ours},
        contrasts(opinions),
        krippendorff_alpha(opinions.by_video()),
        intraclass(opinions.by_rater()),
        model,
        ordinal,
        why,
    )


def _remarks(ratings: Ratings, rated: Mapping[str, Rated]) -> list[str]:
    remarks = [
        f"{name}: an alpha of {own.alpha:.2f} says that the question did not work"
        for name, own in rated.items()
        if own.alpha < WEAK
    ]
    if pairs := ratings.repeated():
        same = sum(first == again for first, again in pairs)
        apart = sum(abs(first - again) for first, again in pairs) / len(pairs)
        remarks.append(
            f"of {len(pairs)} items asked twice {same} were answered alike, {apart:.2f} apart on average"
        )
    return remarks


def printed_apart(estimate: Estimate) -> bool:
    """Return whether a difference's interval leaves out zero."""
    return math.isfinite(estimate.low) and (estimate.low > 0 or estimate.high < 0)
