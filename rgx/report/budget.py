"""What each row's system is and costs: its size, what it has seen, and its multiply-adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from rgx.report.escape import escape_markdown, escape_tex
from rgx.report.results import Results, finite
from rgx.report.statistics import Table
from rgx.report.tex import notes
from rgx.store.manifests import part

HEADS = ("row", "parameters (M)", "samples seen (k)", "training (T)", "a sample (G)")
CAPTION = (
    "What each row is and costs: parameters that stand behind a sample, samples that all its trainings have "
    "seen (steps times batch), and multiply-adds of those trainings and of a sample."
)
UNCOUNTED = "–: made before multiply-adds were counted, or not made yet."


@dataclass(frozen=True)
class Budget:
    """One row's system: its parameters, samples seen, and multiply-adds, None where nobody counted them."""

    row: str
    parameters: int
    seen: int
    training: float | None
    sample: float | None

    @property
    def cells(self) -> list[str]:
        """Return what its line says, in the units of the heads."""
        counts = (self.training and self.training / 1e12, self.sample and self.sample / 1e9)
        said = ["–" if count is None else f"{count:.3g}" for count in counts]
        return [self.row, f"{self.parameters / 1e6:.2f}", f"{self.seen / 1e3:.1f}", *said]


def budgets(results: Results, tables: Sequence[Table], stage: str) -> list[Budget]:
    """Return the budget of each row that has an artifact of the stage which makes a sample, once.

    The networks behind a sample are the artifacts that it is made from; what they were themselves trained
    with, such as a teacher, counts as training too.
    """
    lines: dict[Budget, None] = {}
    for table in tables:
        for (panel, row), cells in results.cells.items():
            keys = [cell.stages.get(stage, "") for cell in cells if panel == table.name]
            manifest = next((m for key in keys if (m := results.manifests.get((stage, key)))), None)
            if manifest is not None:
                lines[_budget(table.label(row) if row in table.rows else row, manifest, results)] = None
    return list(lines)


def _budget(row: str, sample: Mapping[str, Any], results: Results) -> Budget:
    behind = [results.manifests.get(parent, {}) for parent in part(sample, "parents").items()]
    trained = [manifest for manifest in _ancestors(sample, results) if part(manifest, "record", "training")]
    counts = [_output(manifest, "training_multiply_adds") for manifest in trained]
    return Budget(
        row,
        sum(int(_output(manifest, "parameters") or 0) for manifest in behind),
        sum(_seen(part(manifest, "record", "training")) for manifest in trained),
        None if None in counts else sum(count for count in counts if count is not None),
        _output(sample, "sample_multiply_adds"),
    )


def _ancestors(sample: Mapping[str, Any], results: Results) -> list[Mapping[str, Any]]:
    """Return the manifests of all that an artifact was made from, each once."""
    nodes: dict[tuple[str, str], Mapping[str, Any]] = {}
    waiting = list(part(sample, "parents").items())
    while waiting:
        node = waiting.pop()
        if node not in nodes and node in results.manifests:
            nodes[node] = results.manifests[node]
            waiting += part(nodes[node], "parents").items()
    return list(nodes.values())


def _output(manifest: Mapping[str, Any], name: str) -> float | None:
    return finite(part(manifest, "outputs").get(name))


def _seen(training: Mapping[str, Any]) -> int:
    return int((finite(training.get("steps")) or 0) * (finite(training.get("batch")) or 0))


def markdown(lines: Sequence[Budget]) -> str:
    """Return the budgets as a GitHub table."""
    rows = [[escape_markdown(cell) for cell in line.cells] for line in lines]
    grid = tabulate(
        rows, headers=HEADS, tablefmt="github", disable_numparse=True, colalign=("left", *["right"] * 4)
    )
    return "\n\n".join([f"**{escape_markdown(CAPTION)}**", grid, *uncounted(lines)]) + "\n"


def latex(lines: Sequence[Budget]) -> str:
    """Return the budgets as a table over both columns."""
    rows = [" & ".join(escape_tex(cell) for cell in line.cells) + r" \\" for line in lines]
    return "\n".join(
        [
            r"\begin{table*}[t]",
            r"\centering\footnotesize",
            rf"\caption{{{escape_tex(CAPTION)}}}",
            r"\label{tab:budget}",
            r"\begin{tabular}{@{}lrrrr@{}}",
            r"\toprule",
            " & ".join(HEADS) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            *notes(uncounted(lines)),
            r"\end{table*}",
            "",
        ]
    )


def uncounted(lines: Sequence[Budget]) -> list[str]:
    """Return what is to be said where something was not counted."""
    return [UNCOUNTED] if any(None in (line.training, line.sample) for line in lines) else []
