"""What a table must say of the data behind its numbers: their split, and what there was too little of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rgx.report.results import Measured, Results
from rgx.store.manifests import part

CHOSEN_ON_TEST = "Chosen by scores of the test split: the best of them looks better than it is"
Place = tuple[str, str]
"""An artifact: its stage and its key."""


def data_notes(numbers: Sequence[Measured], results: Results, labels: Mapping[str, str]) -> list[str]:
    """Return notes, each once, with the rows and the metrics that it is about where these are not all.

    labels: what a row is called, where not as in the sweep.
    """
    rows: dict[str, dict[str, None]] = {}
    for note, row in (*_splits(numbers, results), *_remarks(numbers, results)):
        rows.setdefault(note, {})[row] = None
    every = {number.row for number in numbers}
    return [f"{note}{_of_rows(own, every, labels)}." for note, own in rows.items()]


def _of_rows(rows: Mapping[str, None], every: set[str], labels: Mapping[str, str]) -> str:
    return "" if rows.keys() == every else f" ({', '.join(labels.get(row, row) for row in rows)})"


def _splits(numbers: Sequence[Measured], results: Results) -> Iterator[tuple[str, str]]:
    """Yield for each row which scores are of another split than test, and whether it was chosen by test."""
    chosen = {(row.panel, row.row) for row in results.sweep.rows if row.chosen_on == "test"}
    metrics: dict[tuple[str, str], dict[str, None]] = {}
    for number in numbers:
        about = part(results.manifests.get((number.stage, number.key)), "outputs", "metrics", number.metric)
        split, label = about.get("split"), str(about.get("label", number.metric))
        if split and split != "test":
            metrics.setdefault((str(split), number.row), {})[label] = None
        if (number.panel, number.row) in chosen:
            yield CHOSEN_ON_TEST, number.row
    every = {number.metric for number in numbers}
    for (split, row), own in metrics.items():
        which = "Scores" if len(own) == len(every) else ", ".join(own)
        yield f"{which} of the {split} split", row


def _remarks(numbers: Sequence[Measured], results: Results) -> Iterator[tuple[str, str]]:
    """Yield for each row what the manifests of its numbers' artifacts and of all their parents remark."""
    for place, row in dict.fromkeys(((number.stage, number.key), number.row) for number in numbers):
        for stage, remark in _remarks_behind(place, results):
            yield f"Too little data for {stage}: {remark}", row


def _remarks_behind(place: Place, results: Results) -> list[tuple[str, str]]:
    """Return what an artifact and all it was made from remark, by stage, the first made first."""
    waiting, behind = [place], dict[Place, None]()
    while waiting:
        place = waiting.pop()
        if place in results.manifests and place not in behind:
            behind[place] = None
            waiting += part(results.manifests[place], "parents").items()
    own = [(stage, results.manifests[stage, key].get("remarks")) for stage, key in reversed(behind)]
    return [(stage, str(remark)) for stage, remarks in own if isinstance(remarks, list) for remark in remarks]
