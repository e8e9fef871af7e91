"""What a report claims of its rows, and the verdict that the numbers in the store give."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rgx.errors import nearest
from rgx.report.claims_statistics import LEAST, Difference, Shares, difference, holm, verdict
from rgx.report.panel import Panel
from rgx.report.results import Measured, Results
from rgx.report.significance import LEVEL, Verdict
from rgx.report.statistics import Table
from rgx.report.variance import behind
from rgx.store.artifacts import artifact_folder
from rgx.store.samples import Samples, read_samples

SENTENCE = re.compile(r"(?P<first>.+?) (?P<sign>[<>]) (?P<second>.+) in (?P<column>.+)")


@dataclass(frozen=True)
class Claim:
    """One sentence of a panel, such as `full < small in loss`: the first row's number is below the second's.

    recorded: the verdict that stands beside it in the report file.
    """

    panel: str
    first: str
    sign: str
    second: str
    column: str
    recorded: Verdict | None = None

    def sentence(self, label: str = "") -> str:
        """Return it in words; label: what its column is called."""
        return f"{self.first} {self.sign} {self.second} in {label or self.column}"


@dataclass(frozen=True)
class Finding:
    """What the numbers say of a claim; sentence: with the names a table prints; decimals: of its metric.

    difference: the first row's number less the second's, None where it could not be tested; over: what it was
    paired over; p: corrected for the number of claims; open: what would decide it, or why it was not tested.
    """

    claim: Claim
    sentence: str
    decimals: int
    over: str
    difference: Difference | None = None
    p: float = 1.0
    verdict: Verdict = "undecided"
    open: str = ""


def read_claim(sentence: str, panel: str, recorded: Verdict | None) -> Claim | None:
    """Return the claim that a sentence makes, or None where it is no `ROW < ROW in COLUMN`."""
    match = SENTENCE.fullmatch(" ".join(sentence.split()))
    if match is None:
        return None
    return Claim(panel, match["first"], match["sign"], match["second"], match["column"], recorded)


def wrong_claims(panel: Panel) -> Iterator[tuple[str, str]]:
    """Return each claim of a panel that cannot be tested as it is written, and what is wrong with it."""
    for sentence in panel.claims:
        claim = read_claim(sentence, "", None)
        if claim is None:
            yield sentence, "expected 'ROW < ROW in COLUMN' or 'ROW > ROW in COLUMN'"
        elif claim.column not in panel.columns:
            yield sentence, f"'{claim.column}' is not a column; {nearest(claim.column, panel.columns)}"
        elif claim.first == claim.second:
            yield sentence, "a row is never above or below itself"


def claims_of(name: str, panel: Panel) -> list[Claim]:
    """Return the claims of a panel, as written."""
    read = (read_claim(sentence, name, recorded) for sentence, recorded in panel.claims.items())
    return [claim for claim in read if claim is not None]


def weigh(
    panels: Mapping[str, Panel], tables: Iterable[Table], results: Results, store: Path
) -> list[Finding]:
    """Return what the numbers say of each claim of a report; p is corrected for all of them.

    Raises InputError for samples that cannot be read.
    """
    shown = {table.name: table for table in tables}
    claims = [claim for name, panel in panels.items() for claim in claims_of(name, panel)]
    weighed = [
        _paired(claim, shown[claim.panel], results, store)
        if claim.panel in shown
        else Finding(claim, claim.sentence(), 3, "", open="not run")
        for claim in claims
    ]
    corrected = holm([finding.difference.p if finding.difference else 1.0 for finding in weighed])
    undecided = sum(p >= LEVEL for p in corrected)
    return [
        _decided(finding, p, LEVEL / max(1, undecided)) for finding, p in zip(weighed, corrected, strict=True)
    ]


def _decided(finding: Finding, p: float, level: float) -> Finding:
    """Return a finding with its verdict; level: what the undecided are held to."""
    tested = finding.difference
    if tested is None:
        return finding
    said = verdict(tested.mean > 0, finding.claim.sign == ">", p)
    return replace(finding, p=p, verdict=said, open="" if said != "undecided" else _needed(tested, level))


def _needed(tested: Difference, level: float) -> str:
    """Say what would decide a claim, were its difference and its spread the true ones."""
    seeds = tested.seeds_to_decide(level)
    if seeds is not None:
        return f"about {seeds} seeds"
    return "more of the test data" if tested.by_sample > tested.by_seed else "more than 1000 seeds"


def _paired(claim: Claim, table: Table, results: Results, store: Path) -> Finding:
    """Return the difference of a claim's two rows over the seeds both have."""
    metric = table.columns.get(claim.column)
    label, decimals = (table.called(claim.column), metric.decimals) if metric else (claim.column, 3)
    sentence = replace(claim, first=table.label(claim.first), second=table.label(claim.second)).sentence(
        label
    )
    numbers = results.numbers(claim.panel, claim.column)
    first, second = ({n.seed: n for n in numbers if n.row == row} for row in (claim.first, claim.second))
    for row, own in ((claim.first, first), (claim.second, second)):
        if not own:
            rows = results.rows(claim.panel)
            why = f"'{row}' has not been measured" if row in rows else f"no row '{row}': {nearest(row, rows)}"
            return Finding(claim, sentence, decimals, "", open=why)
    seeds = sorted(first.keys() & second.keys())
    # Two seeds that share both artifacts are one pair, not two.
    pairs = list({(first[s].key, second[s].key): (first[s], second[s]) for s in seeds}.values())
    over = f"{len(pairs)} seed{'s' if len(pairs) != 1 else ''}"
    over += " of some stages" if claim.panel in results.owner(claim.panel).seed_scopes else ""
    apart = [a.value - b.value for a, b in pairs]
    why = ""
    if instrument := next((name for pair in pairs for name in _unlike(pair, results, table)), ""):
        why = f"measured with two of '{instrument}' at one seed"
    elif len(pairs) < LEAST:
        why = f"at least {LEAST} seeds"
    elif math.isclose(min(apart), max(apart), abs_tol=1e-12):
        why = "alike at every seed: no replicates"
    if why:
        return Finding(claim, sentence, decimals, over, open=why)
    shares, unit = _shares(pairs, results, store)
    tested = difference([a.value for a, _ in pairs], [b.value for _, b in pairs], shares)
    over += f" and {tested.samples} {unit}" if shares else ""
    return Finding(claim, sentence, decimals, over, tested)


def _unlike(pair: tuple[Measured, Measured], results: Results, table: Table) -> list[str]:
    """Return the instruments of which the two numbers were measured with one each."""
    first, second = (results.stages_of(number) for number in pair)
    return [name for name in table.words.instruments if first.get(name) != second.get(name)]


def _shares(
    pairs: Sequence[tuple[Measured, Measured]], results: Results, store: Path
) -> tuple[tuple[Shares, Shares] | None, str]:
    """Return what each test sample adds to both rows at every seed, and what a sample is called.

    None where the score is no mean over samples, and where each seed has test data of its own: seeds vary
    with both then.
    """
    metric = pairs[0][0].metric
    rows: list[list[Samples]] = []
    for numbers in zip(*pairs, strict=True):
        left = [read_samples(artifact_folder(store, number.stage, number.key)) for number in numbers]
        rows.append([samples for samples in left if samples is not None and metric in samples.scores])
    every = [samples for row in rows for samples in row]
    sources = {_sources(results, number.stage, number.key) for pair in pairs for number in pair}
    if len(every) < 2 * len(pairs) or len(sources) > 1 or len({tuple(s.names) for s in every}) > 1:
        return None, ""
    if len(every[0].names) < 2:
        return None, ""
    values = [np.array([samples.scores[metric].values for samples in row]) for row in rows]
    weights = [np.array([samples.scores[metric].weights for samples in row]) for row in rows]
    first, second = (Shares(v * w, w) for v, w in zip(values, weights, strict=True))
    return (first, second), every[0].unit


def _sources(results: Results, stage: str, key: str) -> frozenset[str]:
    """Return the artifacts without parents behind one: the data that it was made from."""
    ancestry = behind(results.manifests, stage, key)
    parents = {name: results.manifests.get((name, own), {}).get("parents") for name, own in ancestry.items()}
    return frozenset(own for name, own in ancestry.items() if not parents[name])
