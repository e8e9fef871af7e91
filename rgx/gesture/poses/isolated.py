"""Run an extractor in another interpreter: libraries whose versions rgx cannot share stay out of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import numpy as np

from rgx.errors import InputError

READY = b"rgx1"
"""The child's first bytes, sent when its models are loaded. Then: a picture is its height and width as two
little-endian uint32 and H·W·3 bytes; its answer P and K, two uint32, and P·K·3 little-endian float32."""
HEADER = struct.Struct("<II")
MOST_NUMBERS = 2**28
PIP = ("--quiet", "--no-compile")
"""Most of what such libraries bring along is never imported."""


@dataclass(frozen=True)
class Environment:
    """An interpreter with some packages: this one where it has them, else one made once in the cache folder.

    steps: arguments of `pip install`, one step after another. needs: what a person may have to provide.
    packages: versions that an interpreter must have to stand in for it.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]
    needs: str
    packages: Mapping[str, str]

    def interpreter(self) -> Path:
        """Return its interpreter, made first where it is absent; raises InputError when pip fails."""
        return Path(sys.executable) if self._is_here() else self._made()

    def _is_here(self) -> bool:
        """Return whether this interpreter has the packages, of these versions."""
        try:
            return bool(self.packages) and all(version(n) == v for n, v in self.packages.items())
        except PackageNotFoundError:
            return False

    def _made(self) -> Path:
        cache = Path(os.environ.get("RGX_CACHE") or Path.home() / ".cache/rgx")
        folder = cache / self.name
        done, python = folder / "complete", folder / "bin/python"
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with (cache / f"{self.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # two runs must not make it at the same time
                if not done.exists():
                    print(f"making {folder} with pip: once, some minutes", file=sys.stderr, flush=True)
                    shutil.rmtree(folder, ignore_errors=True)
                    self._run(folder, [sys.executable, "-m", "venv", str(folder)])
                    for step in self.steps:
                        self._run(folder, [str(python), "-m", "pip", "install", *PIP, *step])
                    done.touch()
        except OSError as error:
            raise InputError(f"{folder}: cannot be made: {error.strerror}; set RGX_CACHE") from None
        return python

    def _run(self, folder: Path, command: list[str]) -> None:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            lines = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")] or ["no word why"]
            asked = " ".join(command[command.index("-m") + 1 :])
            raise InputError(f"{folder}: `{asked}` failed: {lines[0].removeprefix('ERROR: ')}; {self.needs}")


def run_child(
    python: Path, script: Path, settings: dict[str, Any], frames: Iterable[np.ndarray], who: str
) -> Iterator[np.ndarray]:
    """Yield the answer (P, K, 3) float32 of a script in another interpreter to each picture (H, W, 3) uint8.

    Pictures are read and sent by a thread while answers are awaited. who: what an error names. Raises
    InputError when the interpreter is absent or the script ends early; what `frames` raises passes through.
    """
    with tempfile.TemporaryFile() as errors:
        # -I: nothing of this environment reaches it, nor do rgx's own modules beside the script.
        command = [str(python), "-I", str(script), json.dumps(settings)]
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=_environment()
            )
        except OSError as error:
            raise InputError(f"{who}: {python} cannot be run: {error.strerror}") from None
        assert child.stdin and child.stdout
        sender = _Sender(child.stdin, frames)
        try:
            answers = 0
            if child.stdout.read(len(READY)) != READY:
                raise _Ended
            sender.start()
            while header := child.stdout.read(HEADER.size):
                yield _answer(child.stdout, header)
                answers += 1
            sender.join()
            if sender.failed is not None:
                raise sender.failed
            if child.wait() or answers != sender.sent:
                raise _Ended
        except _Ended:
            child.stdout.close()
            end = f"{python} {_end(child)} after {answers} pictures"
            raise InputError(f"{who}: {_last_words(errors)} ({end})") from None
        finally:
            child.kill()
            child.wait()
            sender.stop()
            child.stdout.close()


class _Ended(Exception):  # noqa: N818
    """The child ended, or answers in no way it should."""


class _Sender(threading.Thread):
    """Writes pictures to a child until they end or it does."""

    def __init__(self, pipe: IO[bytes], frames: Iterable[np.ndarray]) -> None:
        super().__init__(daemon=True)
        self.pipe, self.frames = pipe, frames
        self.sent, self.stopped = 0, False
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            for frame in self.frames:
                if self.stopped:
                    break
                self.pipe.write(HEADER.pack(*frame.shape[:2]))
                self.pipe.write(np.ascontiguousarray(frame).data)
                self.sent += 1
        except BrokenPipeError:
            pass  # the child's end is told by who reads from it
        except BaseException as error:  # passed on to the thread that reads
            self.failed = error
        finally:
            with contextlib.suppress(BrokenPipeError):
                self.pipe.close()

    def stop(self) -> None:
        self.stopped = True
        if self.ident is None:
            with contextlib.suppress(BrokenPipeError):
                self.pipe.close()
        else:
            self.join()


def _answer(pipe: IO[bytes], header: bytes) -> np.ndarray:
    if len(header) != HEADER.size:
        raise _Ended
    people, points = HEADER.unpack(header)
    if people * points * 3 > MOST_NUMBERS:
        raise _Ended
    numbers = np.frombuffer(pipe.read(people * points * 12), "<f4")
    if numbers.size != people * points * 3:
        raise _Ended
    return numbers.reshape(people, points, 3)


def _environment() -> dict[str, str]:
    return {**os.environ, "GLOG_minloglevel": "2", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _end(child: subprocess.Popen[bytes]) -> str:
    try:
        code = child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        return "answered what rgx does not understand"
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _last_words(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = [line.strip() for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
