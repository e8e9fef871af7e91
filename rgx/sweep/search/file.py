"""What a user writes under `search:` in a sweep file, checked field by field."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from rgx.errors import nearest
from rgx.sweep.search.searchers import SEARCHERS
from rgx.sweep.search.space import Factor

SearchName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class AshaSettings(BaseModel):
    """Asynchronous successive halving: of the trials at a rung, the best 1/reduction_factor go on.

    A rung is a cell of its own with that budget, trained from its beginning, for a learning rate that
    follows the budget makes a longer training another one; a trial that climbs all rungs costs
    sum(rungs)/last of one. Source: Li et al., A System for Massively Parallel Hyperparameter Tuning, 2020.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    budget: str
    """The gin binding of the budget, such as `generator/training.adamw.steps`."""
    rungs: list[int] = Field(min_length=2)
    reduction_factor: float = Field(default=2.0, gt=1.0)

    @field_validator("budget")
    @classmethod
    def _a_binding(cls, budget: str) -> str:
        if "." not in budget:
            raise ValueError(f"expected a gin binding, found {budget!r}")
        return budget

    @field_validator("rungs")
    @classmethod
    def _climbing(cls, rungs: list[int]) -> list[int]:
        if rungs[0] < 1 or any(low >= high for low, high in itertools.pairwise(rungs)):
            raise ValueError(f"expected budgets that grow, from 1, found {rungs}")
        return rungs


class SchedulerFile(BaseModel):
    """What stops trials early."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    asha: AshaSettings


class SearchFile(BaseModel):
    """The fields of one search; on_test: that it chooses by what tables read, not by dev."""

    model_config = ConfigDict(extra="forbid", strict=True)

    row: dict[str, Any] = {}
    over: dict[str, Factor] = Field(min_length=1)
    metric: str
    trials: int = Field(ge=1)
    searcher: str = "random"
    seed: int = 0
    scheduler: SchedulerFile | None = None
    on_test: bool = False

    @field_validator("metric")
    @classmethod
    def _of_a_stage(cls, metric: str) -> str:
        stage, slash, name = metric.partition("/")
        if not (stage and slash and name):
            raise ValueError(f"expected stage/metric, such as scores/accuracy, found {metric!r}")
        return metric

    @field_validator("searcher")
    @classmethod
    def _known_searcher(cls, name: str) -> str:
        if name not in SEARCHERS:
            raise ValueError(f"unknown searcher {name!r}: {nearest(name, SEARCHERS)}")
        return name
