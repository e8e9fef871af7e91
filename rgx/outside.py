"""What variants read from outside the store: where people get it, and all that is absent, told at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgx.errors import InputError


@dataclass(frozen=True)
class Outside:
    """Marks an argument that names somebody else's file or folder, and says where people get it.

    `weights: Annotated[Place, Outside("VGG-19", "a state dict", "https://…", "BSD-3-Clause")] = ""`.
    what: its name; form: what is read of it; url: where it is published; size and sha256 (its beginning):
    of what is published, as far as they are known. All of it is told and nothing is fetched. What is bound
    is of use where the variant's `fingerprint()` raises no InputError; without one, where something is there.
    """

    what: str
    form: str
    url: str
    licence: str
    size: str = ""
    sha256: str = ""

    @property
    def lines(self) -> tuple[str, str]:
        """What it is, and where people get it."""
        published = [self.size, f"SHA-256 begins with {self.sha256}" if self.sha256 else ""]
        facts = "".join(f"; {fact}" for fact in published if fact)
        return f"{self.what}: {self.form}{facts}", f"from {self.url} (licence: {self.licence})"


@dataclass(frozen=True)
class Reader:
    """A configured variant with arguments that are marked `Outside`, by name with what they are bound to.

    instance: the variant itself, or None while it waits for shapes.
    """

    selector: str
    bound: Mapping[str, tuple[Any, Outside]]
    instance: Any

    @property
    def says_itself(self) -> bool:
        """Whether it says by its fingerprint that what it is bound to is of use."""
        return hasattr(self.instance, "fingerprint")


@dataclass(frozen=True)
class Absence:
    """Something from outside that is not there or of no use: the lines that bind it, why not, and whence."""

    bindings: tuple[str, ...]
    fault: str
    offers: tuple[Outside, ...]


class AbsentError(InputError):
    """A cell needs things from outside that are absent; other: what else is wrong with it, or nothing."""

    def __init__(self, absences: Sequence[Absence], other: str, needed_by: str = "this cell") -> None:
        self.absences, self.other, self.needed_by = tuple(absences), other, needed_by
        message = preflight({absence: [needed_by] for absence in absences})
        super().__init__("\n".join([message, *([other] if other else [])]))

    def of(self, name: str) -> AbsentError:
        """Return it with the name of the cell."""
        return AbsentError(self.absences, f"{name}: {self.other}" if self.other else "", name)


_noted: list[list[Reader]] = []


@contextlib.contextmanager
def readers_noted() -> Iterator[list[Reader]]:
    """Give a list to which each reader configured meanwhile is added."""
    readers: list[Reader] = []
    _noted.append(readers)
    try:
        yield readers
    finally:
        _noted.pop()


def note_reader(reader: Reader) -> None:
    """Add a reader to the lists that are open."""
    for readers in _noted:
        readers.append(reader)


def refuse_absences(
    readers: Sequence[Reader], places: Mapping[tuple[str, str], str], error: InputError | None
) -> None:
    """Raise AbsentError with all that readers lack, or the error of planning their cell where it is none.

    places: file:line of a binding by selector and argument. Without an error, whoever has a fingerprint was
    asked for it already.
    """
    faults: dict[str, list[Reader]] = {}
    for reader in readers:
        if (error or not reader.says_itself) and (fault := _fault(reader)):
            faults.setdefault(fault, []).append(reader)
    if not faults and error:
        raise error
    if not faults:
        return
    absences = [
        Absence(
            tuple(dict.fromkeys(line for reader in some for line in _bindings(reader, places))),
            fault,
            tuple(dict.fromkeys(mark for reader in some for _, mark in reader.bound.values())),
        )
        for fault, some in faults.items()
    ]
    raise AbsentError(absences, "" if error is None or str(error) in faults else str(error))


def preflight(absences: Mapping[Absence, Sequence[str]]) -> str:
    """Return one message of all that is absent, each fault once with all that bind and need it."""
    alike: dict[str, list[Absence]] = {}
    for absence in absences:
        alike.setdefault(absence.fault, []).append(absence)
    lines = [f"{len(alike)} of the files from outside cannot be read, and nothing is fetched for you:"]
    for fault, some in alike.items():
        whence = [line for absence in some for offer in absence.offers for line in offer.lines]
        needed_by = dict.fromkeys(name for absence in some for name in absences[absence])
        lines += dict.fromkeys(line for absence in some for line in absence.bindings)
        facts = [fault, *dict.fromkeys(whence), f"needed by {in_short(list(needed_by))}"]
        lines += [f"    {line}" for fact in facts for line in fact.splitlines()]
    return "\n".join(lines)


def _fault(reader: Reader) -> str:
    """Return why what a reader is bound to is of no use, or nothing."""
    if not reader.says_itself:
        lost = [str(path) for path, _ in reader.bound.values() if not Path(str(path)).expanduser().exists()]
        return f"{lost[0]}: no such file or folder" if lost else ""
    try:
        reader.instance.fingerprint()
    except InputError as error:
        return str(error)
    except Exception:  # a fault of its code, which the stage that asks for it is told of with its line
        return ""
    return ""


def _bindings(reader: Reader, places: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Yield the line that binds each marked argument of a reader, or its default."""
    for argument, (value, _) in reader.bound.items():
        place = places.get((reader.selector, argument), "")
        written = f"{reader.selector}.{argument} = {value!r}"
        yield f"{place}: {written}" if place else f"{written} (its default)"


def in_short(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
