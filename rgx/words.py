"""What a method calls the things that tables and messages speak of; who says nothing has plain words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """A method's own words, said once in its `METHOD`.

    reference: what numbers are held against, such as `the teacher`; reference_line: the line of a table that
    shows its scores; instruments: the stages whose artifact other stages measure with, so that numbers which
    two of them gave do not compare.
    """

    reference: str = "the reference"
    reference_line: str = "Reference"
    instruments: tuple[str, ...] = ()


PLAIN = Words()
"""Those of a method that has none of its own."""
