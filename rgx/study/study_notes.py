"""What stands under a study's table: agreement, tests, models, and what else has to be said, in sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from rgx.study.contrasts import LEAST, Contrast
from rgx.study.findings import Findings, Rated, printed_apart

LEVEL = 0.05
Label = Callable[[str], str]


def notes_of(findings: Findings) -> list[str]:
    """Return the notes of a study, a sentence or a few each."""
    study = findings.ratings.kit.study
    notes = []
    for name, own in findings.rated.items():
        head = study.questions[name].head or name
        notes += [f"{head}: {text}" for text in _of_rated(own, study.ours, study.label)]
    for name, shares in findings.matched.items():
        head = study.questions[name].head or name
        said = "; ".join(
            f"{study.label(c)} {own.matched} of {own.decided} ({own.ties} saw none, p = {own.p:.3g})"
            for c, own in shares.items()
        )
        notes.append(
            f"{head}: share that found the matched sound, of the votes that decided, exact intervals; one "
            f"half is chance: {said}"
        )
    for name in findings.paired:
        head = study.questions[name].head or name
        notes.append(f"{head}: log-strength by Bradley and Terry, ties half to each, intervals over raters")
    return [*notes, *findings.remarks]


def _of_rated(own: Rated, ours: str | None, label: Label) -> Iterator[str]:
    alpha = "unknown, no video has two raters" if math.isnan(own.alpha) else f"{own.alpha:.2f} (ordinal)"
    yield (
        f"Krippendorff's α {alpha}; ICC(2,1) {own.icc.single:.2f} and ICC(2,k) "
        f"{own.icc.mean:.2f} of the raters' means of conditions"
    )
    apart = [
        f"{label(name)} {lead.mean:+.2f} [{lead.low:.2f}, {lead.high:.2f}]"
        + ("*" if printed_apart(lead) else "")
        for name, lead in own.leads.items()
    ]
    if apart:
        yield f"{label(ours or '')} above {', '.join(apart)} (* the interval leaves out 0)"
    tests = [_tested(test, label) for test in own.contrasts if ours in (test.first, test.second)]
    if all(math.isnan(test.p) for test in own.contrasts):
        yield f"no test of signed ranks: no pair differs on {LEAST} scenes or more"
        tests = []
    if tests:
        pairs = len(own.contrasts)
        yield f"Wilcoxon's signed ranks over scenes, Holm over all {pairs} pairs: {', '.join(tests)}"
    if own.model is not None:
        effects = ", ".join(
            f"{label(e.condition)} {e.effect:+.2f} (p = {e.p:.2g})" for e in own.model.effects
        )
        yield (
            f"mixed model, {label(ours or own.opinions.names[0])} above {effects}; deviation of raters "
            f"{own.model.rater:.2f}, scenes {own.model.scene:.2f}, rest {own.model.rest:.2f}; "
            f"{_checked(own, label)}"
        )
    elif own.unmodelled:
        yield f"no mixed model: {own.unmodelled}"


def _tested(test: Contrast, label: Label) -> str:
    p = "too few" if math.isnan(test.corrected) else f"p = {test.corrected:.3g}"
    return f"{label(test.first)} – {label(test.second)} {p}, rank-biserial {test.effect:+.2f}"


def _checked(own: Rated, label: Label) -> str:
    """Return whether an ordinal model puts the conditions in the same order."""
    assert own.model is not None
    signs = {e.condition: e.effect > 0 for e in own.model.effects if e.p < LEVEL}
    turned = [
        e.condition for e in own.ordinal if e.condition in signs and (e.effect > 0) != signs[e.condition]
    ]
    return (
        f"a cumulative logit turns {', '.join(turned)}"
        if turned
        else "a cumulative logit agrees in every sign"
    )
