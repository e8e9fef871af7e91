"""Where takes are made, one at a time, from files that a page brings; nothing of it outlives the workshop."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.gesture.demo.takes import Take, Wish, first_take, next_take
from rgx.gesture.model.editing import streams_of
from rgx.gesture.model.gesture_model import GestureModel
from rgx.gesture.model.portrait import Portrait, read_portrait
from rgx.gesture.skeleton import STREAMS

MOST_TAKES, MOST_FILES = 12, 48
"""So many stay; the oldest give way."""
UNSAFE = re.compile(r"[^\w.-]+")


class BusyError(Exception):
    """Something is being made, and only one thing at a time is."""


@dataclass
class Work:
    """What is being made or was made last: doing what, how much of it is done, and how it ended."""

    doing: str = "motion"
    done: int = 0
    total: int = 0
    running: bool = True
    stopped: bool = False
    error: str = ""
    take: str = ""

    def tell(self, doing: str, done: int, total: int) -> None:
        """Take down how far it is; raises InputError where it was asked to stop."""
        self.doing, self.done, self.total = doing, done, total
        if self.stopped:
            raise InputError("stopped")


@dataclass
class Workshop:
    """A model, a folder of its own for files and films, and what finds a portrait's keypoints.

    takes: by name, the oldest first; work: what is being made, or was made last.
    """

    model: GestureModel
    folder: Path
    poses: str = "mediapipe"
    imports: Sequence[str] = ()
    takes: dict[str, Take] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    work: Work | None = None
    _thread: threading.Thread | None = None
    _entering: threading.Lock = field(default_factory=threading.Lock)

    def facts(self) -> dict[str, Any]:
        """Return what the page must know of the model: what there is to choose, and what it cannot do."""
        return {
            "model": self.model.name,
            "speakers": self.model.speakers,
            "steps": self.model.setting("steps"),
            "guidance": self.model.setting("guidance"),
            "no_portrait": _refusal(self.model.moving_renderer),
            "no_edit": _refusal(lambda: streams_of(self.model, None)),
            "parts": [part for part in STREAMS if not _refusal(lambda: streams_of(self.model, part))],  # noqa: B023
        }

    def place_for(self, name: str) -> tuple[str, Path]:
        """Return the name by which a file is asked for, and where it goes; its own name stays in messages."""
        token = secrets.token_hex(8)
        folder = self.folder / token
        folder.mkdir()
        self.files[token] = folder / (UNSAFE.sub("_", name).strip(".")[-80:] or "file")
        while len(self.files) > MOST_FILES:
            oldest = next(iter(self.files))
            shutil.rmtree(self.files.pop(oldest).parent, ignore_errors=True)
        return token, self.files[token]

    def begin(self, wish: Wish) -> None:
        """Begin to make a take.

        Raises BusyError while one is made, and InputError for files and takes that are not there.
        """
        with self._entering:
            if self.work is not None and self.work.running:
                raise BusyError("one is being made: wait for it, or stop it")
            take = self._named(self.takes, wish.take, "take") if wish.take else None
            if take is None and not wish.speech:
                raise InputError("no speech: choose a file, or record some")
            paths = {
                what: self._named(self.files, token, what)
                for what in ("speech", "portrait", "portrait_keypoints")
                if (token := getattr(wish, what))
            }
            self.work = Work()
            own = (self.work, wish, take, paths)
            self._thread = threading.Thread(target=self._make, args=own, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask what is being made to stop, and wait until it has."""
        if self.work is not None:
            self.work.stopped = True
        if self._thread is not None:
            self._thread.join()

    def without_places(self, text: str) -> str:
        """Return a message in which files have the names that they came with."""
        return re.sub(rf"{re.escape(str(self.folder))}/(?:\w+/)?", "", text)

    @staticmethod
    def _named(things: dict[str, Any], token: str, what: str) -> Any:
        if token not in things:
            raise InputError(f"that {what.replace('_', ' ')} is no more there: bring it again")
        return things[token]

    def _make(self, work: Work, wish: Wish, take: Take | None, paths: dict[str, Path]) -> None:
        token = secrets.token_hex(8)
        film = self.folder / f"{token}.mp4"
        try:
            if take is None:
                portrait = self._portrait(paths)
                new = first_take(self.model, wish, paths["speech"], portrait, film, work.tell)
            else:
                new = next_take(self.model, wish, take, film, work.tell)
            self._add(token, new)
            work.take = token
        except InputError as error:
            work.error = self.without_places(str(error))
        except Exception as error:
            work.error = f"a fault of rgx: {type(error).__name__}: {error}"
            raise
        finally:
            work.running = False

    def _portrait(self, paths: dict[str, Path]) -> Portrait | None:
        if "portrait" not in paths:
            return None
        self.model.moving_renderer()
        keypoints = paths.get("portrait_keypoints")
        return read_portrait(paths["portrait"], keypoints, poses=self.poses, imports=self.imports)

    def _add(self, token: str, take: Take) -> None:
        self.takes[token] = take
        while len(self.takes) > MOST_TAKES:
            self.takes.pop(next(iter(self.takes))).film.unlink(missing_ok=True)


def _refusal(ask: Any) -> str:
    """Return why a model refuses something, or nothing where it does not."""
    try:
        ask()
    except InputError as error:
        return str(error)
    return ""
