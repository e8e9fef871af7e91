"""The page a rater sees: one file with all it needs, in which nothing names a condition."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.local_server import whole_page
from rgx.study.sessions import TRAINING
from rgx.study.study_file import StudyFile

PARTS = Path(__file__).with_name("page")
NAMES = {"en": "English", "de": "Deutsch"}
RATING = "rating"


@functools.cache
def words() -> dict[str, dict[str, Any]]:
    """Return the page's own words by language."""
    content: dict[str, dict[str, Any]] = json.loads((PARTS / "words.json").read_text(encoding="utf-8"))
    return content


def check_languages(study: StudyFile) -> None:
    """Raise InputError for a language in which the page has no words."""
    if unknown := [language for language in study.languages if language not in words()]:
        raise InputError(f"the page has no words in '{unknown[0]}'; it has {', '.join(words())}")


def labels_of(study: StudyFile, question: str, language: str) -> list[str]:
    """Return what the answers of a rating are called in a language, from worst to best."""
    own: list[str] = study.questions[question].labels.get(language) or words()[language]["labels"]
    return own


def session_data(
    study: StudyFile, token: str, items: Sequence[Mapping[str, Any]], address: Callable[[str], str]
) -> dict[str, Any]:
    """Return what a session's page is told: items with their videos' addresses, and all its words.

    items: id, question, role and videos (file names) of each, as the key has them; address: of a file.
    """
    return {
        "name": study.name,
        "token": token,
        "title": study.title,
        "consent": study.consent,
        "languages": study.languages,
        "names": NAMES,
        "words": {language: words()[language] for language in study.languages},
        "questions": {
            name: {
                "asks": question.asks,
                "text": question.text,
                "muted": question.sound == "muted",
                "labels": {language: labels_of(study, name, language) for language in study.languages},
            }
            for name, question in study.questions.items()
        },
        "items": [
            {
                "id": item["id"],
                "question": item["question"],
                "training": item["role"] == TRAINING,
                "videos": [address(name) for name in item["videos"]],
            }
            for item in items
        ],
        "given": {},
        "post": "",
        "secret": "",
    }


def page_of(data: Mapping[str, Any]) -> str:
    """Return the page of a session as one HTML file."""
    title = escape(str(next(iter(data["title"].values()))))
    return whole_page(PARTS, "study", data, title=title)


def inlined(folder: Path) -> Callable[[str], str]:
    """Return what gives a video of a folder as an address that holds all of it."""

    def address(name: str) -> str:
        return f"data:video/mp4;base64,{base64.b64encode((folder / name).read_bytes()).decode()}"

    return address
