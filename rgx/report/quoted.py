"""A published number with the digits it was published with, and the spread that was published beside it."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import PlainSerializer, PlainValidator

from rgx.yaml_values import Written

NUMBER = r"[-+]?(?:\.[0-9]+|[0-9]+\.?[0-9]*)(?:[eE][-+]?[0-9]+)?"
SPREAD = re.compile(rf"({NUMBER})\s*(?:±|\+/-|\+-)\s*({NUMBER})")


class Quoted(Written):
    """A number that knows its digits, and those of the spread it was published with, or none."""

    spread: str

    def __new__(cls, digits: str, spread: str = "") -> Self:
        """Make a number of the digits of both."""
        number = super().__new__(cls, digits)
        number.spread = spread
        return number


def read(given: Any) -> float:
    """Return a finite number with the digits it was written with, or one with its spread.

    Raises ValueError for anything else.
    """
    if isinstance(given, str) and (both := SPREAD.fullmatch(given.strip())):
        number: float = Quoted(both[1], both[2].lstrip("+"))
    elif isinstance(given, bool) or not isinstance(given, (int, float)):
        raise ValueError("expected a number, or one with its spread such as 97.2 ± 0.3")
    else:
        number = Quoted(str(given)) if isinstance(given, int) else given
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


def digits_of(number: float) -> str:
    """Return a number with the digits it was written with, without an exponent."""
    return f"{Decimal(number.digits if isinstance(number, Written) else repr(number)):f}"


def spread_of(number: float) -> str:
    """Return the digits of the spread a number was published with, without an exponent, or nothing."""
    return f"{Decimal(number.spread):f}" if isinstance(number, Quoted) and number.spread else ""


def scaled(number: float, factor: float, decimals: int) -> float:
    """Return a published number and its spread times a factor.

    A power of ten moves the point and keeps the digits; any other factor rounds to so many decimals.
    """
    exponent = math.log10(factor)

    def times(digits: str) -> str:
        exact = Decimal(digits)
        if exponent.is_integer():
            return f"{exact.scaleb(int(exponent)):f}"
        return f"{exact * Decimal(repr(factor)):.{decimals}f}"

    spread = spread_of(number)
    return Quoted(times(digits_of(number)), times(spread) if spread else "")


def _written(number: float) -> str:
    return " ± ".join(filter(None, [digits_of(number), spread_of(number)]))


if TYPE_CHECKING:
    PublishedNumber = float
else:
    PublishedNumber = Annotated[float, PlainValidator(read), PlainSerializer(_written)]
"""A number of a report file that another source gives: 1.303, 1e-4, or 97.2 ± 0.3."""
