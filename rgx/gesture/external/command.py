"""The command of a system outside rgx: what it is called with, which system it is, and how it ends."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rgx.errors import InputError, nearest

PLACES = ("python", "adapter", "inputs", "outputs")
"""What `{…}` in a command may name: this Python, the adapter, and the folders of requests and of answers."""
FOLDERS = ("inputs", "outputs")
PLACE = re.compile(r"\{(\w+)\}")
STDOUT, STDERR = "stdout.txt", "stderr.txt"
LOOK_S, GRACE_S = 0.2, 5.0
LAST_LINES, LAST_BYTES = 12, 1 << 16


@dataclass(frozen=True)
class Command:
    """A program and its arguments, never read by a shell, that answer a folder of requests.

    owner: the variant it is bound to; revision, licence: of the system, in words; adapter: the file that
    translates for it, or nothing; timeout_s: the longest time between two answers, loading included.
    Raises InputError for what is not said or cannot be.
    """

    owner: str
    argv: tuple[str, ...]
    revision: str
    licence: str
    adapter: str
    timeout_s: float

    def __post_init__(self) -> None:
        wanted = {
            "command": (self.argv, "the program and its arguments, such as [{python}, {adapter}, …]"),
            "revision": (
                self.revision,
                "which state of which system it runs, such as 'Their-System 9dd85b3'",
            ),
            "licence": (self.licence, "the licence of that system, such as MIT"),
        }
        for argument, (value, expected) in wanted.items():
            if not value:
                raise InputError(f"{self.owner}.{argument}: nothing is bound, expected {expected}")
        if not self.timeout_s > 0:
            raise InputError(f"{self.owner}.timeout_s = {self.timeout_s}: expected seconds above 0")
        named = {name for part in self.argv for name in PLACE.findall(part)}
        for name in sorted(named - set(PLACES)):
            raise InputError(f"{self.owner}.command: unknown place '{{{name}}}'; {nearest(name, PLACES)}")
        for name in FOLDERS:
            if name not in named:
                raise InputError(
                    f"{self.owner}.command: '{{{name}}}' is absent, so it could not know the folder of {name}"
                )
        if "adapter" in named and not self.adapter:
            raise InputError(f"{self.owner}.adapter: nothing is bound, and the command names '{{adapter}}'")

    @property
    def note(self) -> str:
        """What a table says of the numbers that follow from it."""
        variant = self.owner.replace(".", "/")
        return f"{variant} is {self.revision} (licence: {self.licence}), by its own command."

    def run(self, inputs: Path, outputs: Path, look: Callable[[], int]) -> None:
        """Answer the requests of a folder; `look` says meanwhile how many answers there are.

        Raises InputError where it cannot be started, fails, or answers nothing for too long, with its last
        words; who interrupts rgx ends it, too.
        """
        places = {"python": sys.executable, "adapter": str(Path(self.adapter).absolute())}
        argv = [filled(part, places | {"inputs": str(inputs), "outputs": str(outputs)}) for part in self.argv]
        folder = inputs.parent
        with (folder / STDOUT).open("wb") as out, (folder / STDERR).open("wb") as err:
            try:
                child = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
                )
            except OSError as error:
                raise InputError(f"{self.owner}.command: {argv[0]} cannot be run: {error.strerror}") from None
            with ended(child):
                late = self._wait(child, look)
        if late or child.returncode:
            how = f"gave no answer for {self.timeout_s:g} s" if late else end_of(child.returncode)
            raise InputError(
                f"{self.owner}: the command {how}, after {look()} answers{last_words(folder / STDERR)}"
            )

    def _wait(self, child: subprocess.Popen[bytes], look: Callable[[], int]) -> bool:
        """Return whether it took too long, once it has ended or has."""
        answers, since = look(), time.monotonic()
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(LOOK_S)
                return False
            if (there := look()) != answers:
                answers, since = there, time.monotonic()
            if time.monotonic() - since > self.timeout_s:
                return True


def digest_of(owner: str, adapter: str) -> str:
    """Return the SHA-256 of an adapter, or nothing for none; raises InputError where it cannot be read."""
    if not adapter:
        return ""
    try:
        return hashlib.sha256(Path(adapter).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{owner}.adapter = {adapter!r}: {error.strerror}; expected its file") from None


def filled(part: str, places: Mapping[str, str]) -> str:
    """Return an argument with each place it names in its stead."""
    return PLACE.sub(lambda match: places[match[1]], part)


@contextlib.contextmanager
def ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """See to it that a child and what it started have ended when this has."""
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_S)


def end_of(code: int) -> str:
    """Return in words how a program ended."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def last_words(path: Path) -> str:
    """Return the end of what a program wrote to its standard error, from a new line on."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LAST_BYTES))
        text = file.read().decode(errors="replace")
    lines = [line.rstrip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return "".join(f"\n    {line}" for line in lines[-LAST_LINES:]) if lines else "; it said nothing"
