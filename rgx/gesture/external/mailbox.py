"""Requests in one folder, answers in another, and a command between them; what was answered is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rgx.errors import InputError
from rgx.gesture.external.command import Command
from rgx.gesture.types import FPS, WINDOW_FRAMES

Answered_co = TypeVar("Answered_co", covariant=True)
CONTRACT = 1
"""Raised whenever an adapter would have to change."""
INDEX = "request.json"


class Asked(Protocol):
    """What a system is asked of one window."""

    @property
    def name(self) -> str:
        """Return what its files are called."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what the index of the requests says of it."""
        ...

    def write(self, folder: Path) -> None:
        """Write its files."""
        ...


class Replies(Protocol[Answered_co]):
    """A kind of answers: where they lie and how they are read."""

    def about(self) -> dict[str, Any]:
        """Return what the index says of the answers that are expected."""
        ...

    def place(self, outputs: Path, name: str) -> Path | None:
        """Return where the answer to a request lies, or None where there is none."""
        ...

    def expected(self, name: str) -> str:
        """Return in words which file a request wants."""
        ...

    def read(self, path: Path) -> Answered_co:
        """Return an answer; raises InputError with what was found and what was expected."""
        ...


class Mailbox:
    """The folder of a stage in which its requests and their answers lie until it has ended.

    So whoever runs it again, after a crash of the command or of the machine, asks for the rest only.
    say: is told how many of the requests have been answered.
    """

    def __init__(self, folder: Path, say: Callable[[int], None]) -> None:
        # A name that begins with a dot is the stage's own: no part of what it leaves.
        self.folder, self.say = folder.absolute() / ".mailbox", say

    def answers(
        self, command: Command, requests: Sequence[Asked], kind: Replies[Answered_co]
    ) -> Iterator[Answered_co]:
        """Yield the answer to each request; raises InputError where one is absent or not as expected."""
        outputs = self.folder / "outputs"
        outputs.mkdir(parents=True, exist_ok=True)
        absent = [request for request in requests if not stands(kind, outputs, request.name)]
        if absent:
            self._ask(command, absent, kind, outputs, len(requests) - len(absent))
        for request in requests:
            path = kind.place(outputs, request.name)
            if path is None:
                raise InputError(f"{command.owner}: the answer to {request.name} has gone from {outputs}")
            yield kind.read(path)

    def _ask(
        self, command: Command, absent: Sequence[Asked], kind: Replies[Any], outputs: Path, before: int
    ) -> None:
        """Have the absent answers given, and check that they were."""
        inputs = self.folder / "inputs"
        shutil.rmtree(inputs, ignore_errors=True)
        inputs.mkdir()
        for request in absent:
            request.write(inputs)
        about = {"contract": CONTRACT, "fps": FPS, "frames": WINDOW_FRAMES, **kind.about()}
        windows = [{"name": request.name, **request.facts()} for request in absent]
        (inputs / INDEX).write_text(json.dumps({**about, "windows": windows}, indent=1), encoding="utf-8")

        def look() -> int:
            there = sum(kind.place(outputs, request.name) is not None for request in absent)
            self.say(before + there)
            return there

        command.run(inputs, outputs, look)
        look()
        lacking = [request.name for request in absent if kind.place(outputs, request.name) is None]
        if lacking:
            answered = f"{len(absent) - len(lacking)} of {len(absent)} windows"
            raise InputError(
                f"{command.owner}: the command ended well and answered {answered}; "
                f"expected {kind.expected(lacking[0])} in {outputs}"
            )


def stands(kind: Replies[Any], outputs: Path, name: str) -> bool:
    """Return whether an answer is there and whole; one that is not is removed, to be asked for again."""
    path = kind.place(outputs, name)
    if path is None:
        return False
    try:
        kind.read(path)
    except InputError:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        return False
    return True
