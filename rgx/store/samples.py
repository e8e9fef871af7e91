"""What a score is a mean of: its value on each test sample, which a stage may leave for paired tests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeFloat, model_validator

from rgx.errors import InputError
from rgx.store.records import parse

SAMPLES = "samples.json"


class SampleParts(BaseModel):
    """A score by sample: the score is the mean of the values, each with its weight; one without is 0 · 0."""

    model_config = ConfigDict(extra="forbid")

    values: list[FiniteFloat]
    weights: list[NonNegativeFloat]

    def mean(self) -> float:
        """Return the score, or NaN where no sample has a weight."""
        total = math.fsum(self.weights)
        terms = (value * weight for value, weight in zip(self.values, self.weights, strict=True))
        return math.fsum(terms) / total if total else math.nan


class Samples(BaseModel):
    """What a stage that scores leaves of its test samples; unit: what they are, in the plural."""

    model_config = ConfigDict(extra="forbid")

    unit: str
    names: list[str]
    scores: dict[str, SampleParts]

    @model_validator(mode="after")
    def _as_many_as_names(self) -> Samples:
        if len(set(self.names)) < len(self.names):
            raise ValueError("two samples have one name")
        for metric, parts in self.scores.items():
            if not len(parts.values) == len(parts.weights) == len(self.names):
                raise ValueError(
                    f"{len(self.names)} names, but {len(parts.values)} values and {len(parts.weights)} "
                    f"weights of {metric}"
                )
        return self


def check_samples(stage: str, folder: Path, scores: Mapping[str, Any]) -> None:
    """Raise InputError where samples were left that are not what the scores are the means of."""
    samples = read_samples(folder)
    for metric, parts in samples.scores.items() if samples else ():
        score = scores.get(metric)
        if score is not None and not math.isclose(parts.mean(), score, rel_tol=1e-6, abs_tol=1e-9):
            raise InputError(
                f"stage {stage} left {SAMPLES} whose {metric} has the mean {parts.mean():g}, but its score "
                f"is {score:g}"
            )


def read_samples(folder: Path) -> Samples | None:
    """Return the samples of an artifact, or None where it left none; raises InputError for what is none."""
    path = folder / SAMPLES
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    return parse(Samples, content, str(path))
