"""The model card of a model folder: what it is, what it was trained on, how well it does, by which code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rgx.model.base import Card
from rgx.model.folder import ModelFacts, ModelStage
from rgx.registry import find
from rgx.store.drift import variants_in
from rgx.store.keys import short
from rgx.store.manifests import number, part


def card_text(facts: ModelFacts, card: Card) -> str:
    """Return the card as Markdown."""
    lines = [
        f"# {facts.panel}/{facts.row}",
        "",
        f"{card.use} Row {facts.panel}/{facts.row} of the sweep {facts.sweep}, seed {facts.seed}, by the "
        f"method {facts.method} of rgx {facts.rgx}. `rgx.load(this folder)` checks every file and loads it; "
        "it needs neither a store nor the data it was trained on.",
        "",
        "## Data",
        "",
        card.data,
        "",
        "## Licence",
        "",
        *_licences(facts),
        "",
        "## Scores",
        "",
        *_scores(facts.scores),
        "",
        "## Made by",
        "",
        "| stage | artifact | code | data |",
        "|---|---|---|---|",
        *(_made_by(name, stage) for name, stage in facts.stages.items()),
        "",
    ]
    return "\n".join(lines)


def _made_by(name: str, stage: ModelStage) -> str:
    digests = stage.key, str(stage.code.get("digest", "")), stage.fingerprint
    return f"| {name} | {' | '.join(map(_code, digests))} |"


def _code(digest: str) -> str:
    """Return the beginning of a digest, set as code."""
    return f"`{short(digest)}`" if digest else ""


def _licences(facts: ModelFacts) -> Iterator[str]:
    """Yield what binds who uses the model: the licences of what its variants read of others."""
    yield "The weights are under the licence that whoever trained them gives them. What binds the data above"
    yield "binds what was learned from it, and people who can be recognised in it have a say."
    yield ""
    names = dict.fromkeys(name for stage in facts.stages.values() for name in variants_in(stage.record))
    for mark in dict.fromkeys(m for name in names for m in find(*name.split("/", 1)).outside.values()):
        yield f"- {mark.what} ({mark.url}): {mark.licence}"


def _scores(scores: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each score, with what it is and on which split it was taken."""
    lines = [
        f"| {about.get('label', name)} | {_number(value, about)} | {about.get('split') or ''} | "
        f"{about.get('protocol', '')} |"
        for outputs in scores.values()
        for name, value in part(outputs, "scores").items()
        for about in [part(outputs, "metrics", name)]
    ]
    if not lines:
        yield "None were taken of this cell."
        return
    yield "| measure | value | split | protocol |"
    yield "|---|---|---|---|"
    yield from lines


def _number(value: Any, about: Mapping[str, Any]) -> str:
    """Return a score at its printed precision, or the reason why there is none."""
    exact = number(value)
    if exact is None:
        return str(value)
    return f"{exact:.{int(about.get('decimals', 3))}f} {about.get('unit') or ''}".rstrip()
