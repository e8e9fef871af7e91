"""Words of a report file, which may be given twice: as plain text, and as LaTeX prints them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, field_validator

BARE = re.compile(r"(?<!\\)(?:\\\\)*([%&#])")
"""A letter that ends a line, a cell or a whole run where no backslash stands before it."""


class Phrase(str):
    """Text that knows how LaTeX prints it."""

    tex: str

    def __new__(cls, text: str, tex: str) -> Self:
        """Make a phrase of its text for all formats, and the LaTeX that stands for it as it is."""
        phrase = super().__new__(cls, text)
        phrase.tex = tex
        return phrase


class Both(BaseModel):
    """Words as a report file gives them twice."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    tex: str

    @field_validator("tex")
    @classmethod
    def _closed(cls, tex: str) -> str:
        if bare := BARE.search(tex):
            raise ValueError(f"'{bare[1]}' would break the table, expected '\\{bare[1]}'")
        plain = re.sub(r"\\.", "", tex)
        if plain.count("{") != plain.count("}") or plain.count("$") % 2:
            raise ValueError("expected LaTeX whose braces and dollar signs come in pairs")
        return tex


def _words(given: str | Both) -> str:
    if isinstance(given, str):
        return " ".join(given.split())
    return Phrase(" ".join(given.text.split()), " ".join(given.tex.split()))


def _written(words: str) -> str | dict[str, str]:
    return {"text": str(words), "tex": words.tex} if isinstance(words, Phrase) else words


if TYPE_CHECKING:
    Wording = str
else:
    Wording = Annotated[str | Both, AfterValidator(_words), PlainSerializer(_written)]
"""Text on one line, or `{text: …, tex: …}`: LaTeX takes the one as it is, all others the other."""
