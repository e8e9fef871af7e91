"""A search of a sweep file, checked: its trials are rows of a panel of its name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgx.config import Text
from rgx.errors import InputError, nearest
from rgx.registry import find, variants
from rgx.store.records import SPLITS
from rgx.sweep.factors import name_of
from rgx.sweep.row import Row, row_text
from rgx.sweep.search.file import AshaSettings, SearchFile
from rgx.sweep.search.searchers import check_installed
from rgx.sweep.search.space import Choices, Space
from rgx.yaml_source import Source

SPLIT = "split"
"""The argument by which a stage is told what to score."""
DIRECTIONS = ("down", "up", "reference")
"""Better when lower, when higher, or when nearer to what the reference scores."""


@dataclass(frozen=True)
class Search:
    """One checked search; before and after: the gin texts around a trial's values.

    direction: of the metric, from its registration; places: where each factor stands in the file; place:
    where its metric stands; on_test: where it says that it chooses by test, if it does.
    """

    name: str
    path: Path
    before: tuple[Text, ...]
    after: tuple[Text, ...]
    space: Space
    places: Mapping[str, str]
    stage: str
    metric: str
    direction: str
    trials: int
    searcher: str
    seed: int
    asha: AshaSettings | None = None
    place: str = ""
    on_test: str = ""

    @property
    def whole_space(self) -> Space:
        """The space with the budget as a factor of its own."""
        if self.asha is None:
            return self.space
        return Space({**self.space.factors, self.asha.budget: Choices(choices=list(self.asha.rungs))})

    @property
    def times(self) -> list[float]:
        """When each rung is reached: Ray puts its rungs at the powers of the reduction factor."""
        if self.asha is None:
            return [1.0]
        return [self.asha.reduction_factor**index for index in range(len(self.asha.rungs))]

    def rungs(self, values: Mapping[str, Any]) -> list[Row]:
        """Return the rows a trial climbs, one where there is no scheduler."""
        if self.asha is None:
            return [self.row(values)]
        return [self.row({**values, self.asha.budget: budget}) for budget in self.asha.rungs]

    def row(self, values: Mapping[str, Any]) -> Row:
        """Return the row of these values."""
        text = row_text(values, self.places, str(self.path))
        return Row(self.name, name_of(values), (*self.before, text, *self.after), (self.stage,))


def make_search(
    name: str, asked: SearchFile, before: Sequence[Text], after: Sequence[Text], source: Source
) -> Search:
    """Return one search of a file, reading dev where its stages can; raises InputError with file and line.

    before: the configuration and the search's row; after: what the command line asks of every row.
    """
    spot = ("search", name)
    check_installed(asked.searcher, source.where((*spot, "searcher")))
    stage, _, metric = asked.metric.partition("/")
    place = source.where((*spot, "metric"))
    stages = [variant.name for variant in variants("stage")]
    if stage not in stages:
        raise InputError(f"{place}: {name}: unknown stage '{stage}': {nearest(stage, stages)}")
    try:
        direction = find("metric", metric).cls.direction  # type: ignore[attr-defined]  # any metric has one
    except InputError:
        metrics = [variant.name for variant in variants("metric")]
        raise InputError(f"{place}: {name}: unknown metric '{metric}': {nearest(metric, metrics)}") from None
    if direction not in DIRECTIONS:
        raise InputError(
            f"{place}: {name}: metric '{metric}' is registered with direction {direction!r}, expected one of "
            f"{', '.join(DIRECTIONS)}"
        )
    asha = asked.scheduler.asha if asked.scheduler else None
    places = {factor: source.where((*spot, "over", factor)) for factor in asked.over}
    _refuse_doubles(name, asked, asha, source)
    if asha is not None:
        places[asha.budget] = source.where((*spot, "scheduler", "asha", "budget"))
    on_test = source.where((*spot, "on_test")) if asked.on_test else ""
    before = before if on_test else [_reading_dev(source.path, place), *before]
    return Search(
        name, source.path, tuple(before), tuple(after), Space(asked.over), places, stage, metric, direction,
        asked.trials, asked.searcher, asked.seed, asha, place, on_test,
    )  # fmt: skip


def _reading_dev(file: Path, place: str) -> Text:
    """Return the gin by which each stage that can reads dev: the weakest, so that what is written counts."""
    stages = [stage.name for stage in variants("stage") if stage.parameters.get(SPLIT) in SPLITS]
    lines = [f"stage.{name}.{SPLIT} = 'dev'" for name in stages]
    return Text("\n".join(lines), str(file), lines=(place,) * len(lines))


def refuse_clashes(searches: Collection[str], panels: Collection[str], source: Source) -> None:
    """Raise InputError for a search that has the name of a panel."""
    for name in searches:
        if name in panels:
            place = source.where(("search", name))
            raise InputError(f"{place}: '{name}' is the name of a panel: call the search something else")


def _refuse_doubles(name: str, asked: SearchFile, asha: AshaSettings | None, source: Source) -> None:
    """Raise InputError for something that is bound in two places, one of which would be ignored."""
    bound = asked.row.get("bind")
    fixed = [*asked.row, *(bound if isinstance(bound, Mapping) else [])]
    for factor in asked.over:
        if factor in fixed:
            place = source.where(("search", name, "over", factor))
            raise InputError(f"{place}: {name}: '{factor}' stands under row and under over")
    if asha is not None and asha.budget in [*fixed, *asked.over]:
        place = source.where(("search", name, "scheduler", "asha", "budget"))
        raise InputError(f"{place}: {name}: '{asha.budget}' is the budget of the rungs, and bound elsewhere")
