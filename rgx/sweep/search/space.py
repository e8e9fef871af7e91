"""What a search goes over: ranges and choices, each laid out from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

DIGITS = 3
"""Significant digits of a suggested number: what a table prints is what was trained."""

FEWEST_POINTS = 3

Point = tuple[float, ...]
"""A place in the space: a fraction for each factor, in the space's order."""


Number = Annotated[float, Field(allow_inf_nan=False)]


class Range(BaseModel):
    """Numbers from low to high, both included; with `log`, as many per factor of ten."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    low: Number
    high: Number
    log: bool = False
    integer: bool = False

    @model_validator(mode="after")
    def _makes_sense(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"expected low below high, found low {self.low:g}, high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range starts above 0, found low {self.low:g}")
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"expected whole ends, found low {self.low:g}, high {self.high:g}")
        return self

    @property
    def fractions(self) -> tuple[float, ...]:
        """The only fractions there are; none, for all of them."""
        return ()

    def at(self, fraction: float) -> float | int:
        """Return the value a fraction of the way from low to high."""
        # A whole number owns the interval of half a unit on each side of it.
        low, high = (self.low - 0.5, self.high + 0.5) if self.integer else (self.low, self.high)
        value = low * (high / low) ** fraction if self.log else low + (high - low) * fraction
        if self.integer:
            return int(min(max(math.floor(value + 0.5), self.low), self.high))
        span = self.high - self.low
        # On a logarithmic range each factor of ten has its own digits, else the range as a whole.
        finest = min(value, span) if self.log else span / 10
        return min(max(round(value, DIGITS - 1 - math.floor(math.log10(finest))), self.low), self.high)


class Choices(BaseModel):
    """A few values, in no order."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    choices: list[Any] = Field(min_length=2)

    @model_validator(mode="after")
    def _distinct(self) -> Choices:
        double = [c for i, c in enumerate(self.choices) if c in self.choices[:i]]
        if double:
            raise ValueError(f"{double[0]!r} is given twice")
        return self

    @property
    def fractions(self) -> tuple[float, ...]:
        """The only fractions there are, one for each choice."""
        count = len(self.choices)
        return tuple((i + 0.5) / count for i in range(count))

    def at(self, fraction: float) -> Any:
        """Return the choice whose share of the way holds the fraction."""
        count = len(self.choices)
        return self.choices[min(int(fraction * count), count - 1)]


def _tag(content: Any) -> str:
    listed = isinstance(content, Choices) or (isinstance(content, Mapping) and "choices" in content)
    return "[choices]" if listed else "[range]"


def _mapping(content: Any) -> Any:
    if not isinstance(content, (Mapping, Range, Choices)):
        raise ValueError(f"expected {{low: …, high: …}} or {{choices: […]}}, found {content!r}")
    return content


Factor = Annotated[
    Annotated[Range, Tag("[range]")] | Annotated[Choices, Tag("[choices]")],
    Discriminator(_tag),
    BeforeValidator(_mapping),
]


@dataclass(frozen=True)
class Space:
    """The factors of a search, by axis or gin binding."""

    factors: Mapping[str, Range | Choices]

    def values(self, point: Sequence[float]) -> dict[str, Any]:
        """Return the value of each factor at a point."""
        return {
            name: factor.at(fraction)
            for (name, factor), fraction in zip(self.factors.items(), point, strict=True)
        }

    def diagonal(self) -> list[dict[str, Any]]:
        """Return values from all the lows to all the highs: the middle and every choice are among them."""
        count = max(FEWEST_POINTS, *(len(factor.fractions) for factor in self.factors.values()))
        return [self.values([i / (count - 1)] * len(self.factors)) for i in range(count)]

    def single_changes(self) -> list[tuple[str, dict[str, Any]]]:
        """Return each factor with the values that are low but for this one, which is high."""
        count = len(self.factors)
        return [
            (name, self.values([float(i == j) for j in range(count)])) for i, name in enumerate(self.factors)
        ]
