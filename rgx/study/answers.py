"""What raters sent back: files they saved and rows of the server's database, each answer checked."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.study.kit import ANSWERS, DATABASE, Kit
from rgx.study.sessions import Item
from rgx.study.study_file import LEAST, MOST

CHOICES = {"first": 1.0, "second": 0.0, "same": 0.5}
"""What is said of two, and how much of a win that is for what was shown first."""
LONGEST = 64_000
"""Letters an answer may have, its log included."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    token TEXT NOT NULL, item TEXT NOT NULL, content TEXT NOT NULL, arrived TEXT NOT NULL,
    PRIMARY KEY (token, item)
);
CREATE TABLE IF NOT EXISTS repeated (
    token TEXT NOT NULL, item TEXT NOT NULL, content TEXT NOT NULL, arrived TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class Answer:
    """One answer; value: 1 to 5, or the share of a win for what is named first of two, shown first or not.

    seconds: from the end of the last video to the answer; watched: whether every video played to its end.
    """

    token: str
    item: str
    value: float
    seconds: float
    watched: bool
    pauses: int
    hidden: int
    language: str
    at: str


@dataclass(frozen=True)
class Answers:
    """The answers that can be used, by token and item, and what is wrong with the others, a line each."""

    by_item: Mapping[tuple[str, str], Answer]
    problems: list[str]


def read_answers(kit: Kit) -> Answers:
    """Return all answers of a study; of several to one item the first counts, and the others are told."""
    first: dict[tuple[str, str], Answer] = {}
    problems: list[str] = []
    for where, token, content in _contents(kit, problems):
        try:
            answer = parse_answer(kit, token, content)
        except InputError as error:
            problems.append(f"{where}: {error}")
            continue
        node = answer.token, answer.item
        known = first.get(node)
        if known is not None and known.value != answer.value:
            problems.append(
                f"{where}: item {answer.item} is answered twice, and differently; the first counts"
            )
        if known is None or answer.at < known.at:
            first[node] = answer
    return Answers(first, problems)


def parse_answer(kit: Kit, token: str, content: Any) -> Answer:
    """Return an answer to an item of a session; raises InputError for what is none, and says why."""
    if not isinstance(content, dict) or not isinstance(content.get("item"), str):
        raise InputError("found no answer, expected an item and a value")
    item = kit.items.get(token, {}).get(content["item"])
    if item is None:
        raise InputError(f"item {content['item'][:20]!r} is not one of this session's")
    value = _value(kit, item, content.get("value"))
    events = [event for event in content.get("events") or [] if isinstance(event, dict)]
    seconds, watched = _times(events, 2 if item.other else 1)
    return Answer(
        token, content["item"], value, seconds, watched,
        pauses=sum(event.get("what") == "pause" for event in events),
        hidden=sum(event.get("what") == "hidden" for event in events),
        language=str(content.get("language", ""))[:10],
        at=str(content.get("at", ""))[:40],
    )  # fmt: skip


def _value(kit: Kit, item: Item, value: object) -> float:
    if kit.study.questions[item.question].asks == "rating":
        if not isinstance(value, int) or isinstance(value, bool) or not LEAST <= value <= MOST:
            raise InputError(f"found the rating {str(value)[:20]!r}, expected {LEAST} to {MOST}")
        return float(value)
    if value not in CHOICES:
        raise InputError(f"found the choice {str(value)[:20]!r}, expected {', '.join(CHOICES)}")
    won = CHOICES[str(value)]
    return 1 - won if item.swapped else won


def _times(events: list[dict[str, Any]], videos: int) -> tuple[float, bool]:
    """Return the seconds from when all videos had ended to the answer, and whether they did."""
    ends: dict[object, float] = {}
    answered = None
    for event in events:
        at = event.get("at_ms")
        if not isinstance(at, (int, float)):
            continue
        if event.get("what") == "end":
            ends.setdefault(event.get("video"), float(at))
        elif event.get("what") == "next":
            answered = float(at)
    if len(ends) < videos or answered is None:
        return 0.0, False
    return max(answered - max(ends.values()), 0.0) / 1000, True


def _contents(kit: Kit, problems: list[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield where each answer is from, its token and what it says; problems gains what cannot be read."""
    for path in sorted((kit.folder / ANSWERS).glob("*.json")):
        try:
            token, answers = _opened(kit, path)
        except InputError as error:
            problems.append(f"{path.name}: {error}; none of it is used")
            continue
        yield from ((path.name, token, answer) for answer in answers)
    database = kit.folder / DATABASE
    if database.is_file():
        with contextlib.closing(open_database(database)) as connection:
            rows = connection.execute("SELECT token, content FROM answers ORDER BY arrived").fetchall()
            again = connection.execute("SELECT token, item FROM repeated").fetchall()
        problems += [f"{DATABASE}: item {item} was answered again; the first counts" for _, item in again]
        yield from ((DATABASE, token, json.loads(content)) for token, content in rows)


def _opened(kit: Kit, path: Path) -> tuple[str, list[Any]]:
    """Return a saved file's token and answers; raises InputError where it is not as the page wrote it."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        body, seal = saved["body"], saved["seal"]
        content = json.loads(body)
        token, answers = content["token"], content["answers"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError("found no file that the page saved") from None
    session = kit.key["sessions"].get(token) if isinstance(token, str) else None
    if session is None or not isinstance(answers, list):
        raise InputError("its session is none of this study's")
    expected = hashlib.sha256((session["secret"] + body).encode()).hexdigest()
    if not hmac.compare_digest(str(seal), expected):
        raise InputError("it is not as the page saved it" if seal else "the page could not seal it")
    return token, answers


def open_database(path: Path) -> sqlite3.Connection:
    """Return the server's database; what a transaction has committed outlives a kill and a loss of power."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(SCHEMA)
    return connection


def keep_answers(connection: sqlite3.Connection, token: str, answers: list[dict[str, Any]], now: str) -> None:
    """Put answers into the database, all or none; a second, other answer to an item is kept beside the first.

    Raises sqlite3.Error where they cannot be written.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for answer in answers:
            content = json.dumps(answer, ensure_ascii=False)
            row = token, answer["item"], content, now
            known = connection.execute(
                "SELECT content FROM answers WHERE token = ? AND item = ?", row[:2]
            ).fetchone()
            if known is None:
                connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", row)
            elif json.loads(known[0]).get("value") != answer.get("value"):
                connection.execute("INSERT INTO repeated VALUES (?, ?, ?, ?)", row)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def given_by(connection: sqlite3.Connection, token: str) -> dict[str, Any]:
    """Return what a session has answered so far, by item: where a rater who returns goes on."""
    rows = connection.execute("SELECT item, content FROM answers WHERE token = ?", (token,)).fetchall()
    return {item: json.loads(content) for item, content in rows}
