"""What a format of tables is: the ending of its files, and a table as their text."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from inspect import isabstract
from typing import TYPE_CHECKING, ClassVar

from rgx.errors import InputError, nearest
from rgx.registry import variants

if TYPE_CHECKING:
    from rgx.report.claims import Finding
    from rgx.report.hyperparameters import Settings
    from rgx.report.results import Results
    from rgx.report.statistics import Table

SUFFIX = re.compile(r"[A-Za-z0-9]+")
TAKEN = {"html", "json", "pdf", "png"}
"""Endings of the other files of a report."""


class Format(ABC):
    """One format; it is built without arguments, and what it does not write it returns as nothing."""

    suffix: ClassVar[str]
    """The ending of its files, without a dot."""

    @abstractmethod
    def write(self, table: Table, results: Results) -> str:
        """Return the text of a panel's file."""

    def combine(self, caption: str, results: Results, tables: Sequence[Table]) -> str:
        """Return the text of one file with all panels."""
        return ""

    def append(self, tables: Sequence[Table]) -> str:
        """Return the text of the appendix: what tables do not say themselves."""
        return ""

    def write_settings(self, settings: Settings) -> str:
        """Return the text of the table of hyper-parameters."""
        return ""

    def write_claims(self, findings: Sequence[Finding]) -> str:
        """Return the text of what the numbers say of the report's claims."""
        return ""


def make_formats(names: Iterable[str]) -> list[Format]:
    """Return the formats of these names; raises InputError for one that is unknown or cannot be used."""
    known = {variant.name: variant.cls for variant in variants("format")}
    formats: dict[str, Format] = {}
    for name in names:
        if name not in known:
            raise InputError(f"'{name}' is no format of tables; {nearest(name, known)}")
        cls = known[name]
        if not issubclass(cls, Format) or isabstract(cls):
            raise InputError(f"format '{name}': {cls.__qualname__} is no Format with a `write` of its own")
        suffix = getattr(cls, "suffix", None)
        if not isinstance(suffix, str) or not SUFFIX.fullmatch(suffix) or suffix in TAKEN:
            raise InputError(
                f"format '{name}': its suffix is {suffix!r}, expected letters and digits, none of "
                f"{', '.join(sorted(TAKEN))}"
            )
        if suffix in formats:
            raise InputError(f"format '{name}': another of the report's formats writes .{suffix} too")
        formats[suffix] = cls()
    return list(formats.values())
