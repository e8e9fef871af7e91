"""Errors for people: what was found, what was expected, where, and the nearest right spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

DISTRIBUTION = "rgx-experiments"
"""The name under which pip knows this project; on PyPI, `rgx` is another one."""


def install_hint(extra: str) -> str:
    """Return the command that brings an extra along."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


class InputError(Exception):
    """Something a person wrote or pointed at cannot be used; the command line prints it and exits 2."""


class DamagedError(Exception):
    """Artifacts that are not what their manifests say; stages maps each stage to what is wrong with it."""

    def __init__(self, stages: dict[str, str]) -> None:
        super().__init__("; ".join(f"{stage}: {wrong}" for stage, wrong in stages.items()))
        self.stages = stages


class NotMeasurableError(ValueError):
    """A metric finds nothing to measure in what it was given; a table shows a hole with this reason."""


class StoppedError(KeyboardInterrupt):
    """Who runs the machine asked the process to end (SIGTERM); no fault of the stage, which goes on later."""


class NotFiniteError(Exception):
    """A loss became NaN or infinite; the stage stops and the rest of the sweep goes on."""


class PeerError(Exception):
    """Another process of a training no longer answers; the cause is there."""


class MemberError(Exception):
    """A process of a training failed or died, and the others were ended; the message is the reason."""


class DisagreeError(Exception):
    """The processes of a training have come to differ, so that what they train means nothing any more."""


def close(word: str, options: Iterable[str], alike: float = 0.5) -> str:
    """Return the option that a word was perhaps meant to be, or nothing where none is near.

    alike: from 0 to 1, how near that has to be.
    """
    matches = difflib.get_close_matches(word, sorted(set(options)), n=1, cutoff=alike)
    return matches[0] if matches else ""


def nearest(word: str, options: Iterable[str]) -> str:
    """Return a phrase that offers the nearest spelling, or the options when none is near."""
    options = sorted(set(options))
    if near := close(word, options):
        return f"did you mean '{near}'?"
    return f"choose one of: {', '.join(options)}" if options else "there are none"
