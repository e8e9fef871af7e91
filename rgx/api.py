"""rgx in Python, as a notebook asks for it: plan a sweep, run it, read its numbers as a data frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rgx.errors import InputError, nearest

if TYPE_CHECKING:
    from rgx.inspect.planned import SweepPlan
    from rgx.report.results import Results
    from rgx.run.invocation import SweepOutcome
    from rgx.sweep.spec import Overrides

__all__ = ["plan", "results", "sweep"]


def plan(
    file: str | Path,
    *,
    only: str | Sequence[str] = (),
    seeds: Collection[int] | None = None,
    choices: Mapping[str, str] | None = None,
    bind: str | Sequence[str] = (),
    scale: str | None = None,
    imports: str | Sequence[str] = (),
    store: str | Path = "store",
) -> SweepPlan:
    """Return what a sweep would run and what of it is in the store, as `rgx plan` shows it; runs nothing.

    only: panels (3b) and rows (3b/+distill); choices (axis → variant), bind (gin bindings): over every row;
    imports: files of variants of one's own. Raises InputError for what cannot be planned.
    """
    from rgx.inspect.planned import SweepPlan
    from rgx.sweep.plan import make_plan
    from rgx.sweep.spec import read_sweep

    asked = _overrides(only, seeds, choices, bind, scale, imports)
    return SweepPlan(make_plan(read_sweep(Path(file), asked)), Path(store))


def sweep(
    file: str | Path,
    *,
    only: str | Sequence[str] = (),
    seeds: Collection[int] | None = None,
    choices: Mapping[str, str] | None = None,
    bind: str | Sequence[str] = (),
    scale: str | None = None,
    imports: str | Sequence[str] = (),
    store: str | Path = "store",
    engine: str = "ray",
    address: str | None = None,
    track: str | Sequence[str] = (),
    rerun: str | Sequence[str] = (),
    go_on: bool = False,
    show: bool = False,
) -> SweepOutcome:
    """Run every stage a sweep needs and does not have, as `rgx sweep --no-report` does, and say how it went.

    The first options are those of `plan`. engine: 'ray', or 'inline' for one stage at a time in this process;
    show: whether to print what the command prints. A stage that fails is in the outcome; raises InputError
    for what cannot be planned, before anything runs, and passes Ctrl-C on.
    """
    from rich.console import Console

    from rgx.run.invocation import ENGINES, Execution, run_sweep
    from rgx.run.trackers import TRACKERS

    for kind, names, known in (("engine", [engine], ENGINES), ("track", _listed(track), TRACKERS)):
        for name in names:
            if name not in known:
                raise InputError(f"{kind} '{name}': {nearest(name, known)}")
    asked = _overrides(only, seeds, choices, bind, scale, imports)
    execution = Execution(Path(store), engine, address, _listed(track), go_on, _listed(rerun))
    return run_sweep(Path(file), asked, execution, Console(quiet=not show))


def results(file: str | Path, *, store: str | Path = "store", run: str | None = None) -> Results:
    """Return the numbers of a sweep, or of all sweeps of a report, for `.frame()` and `.means()`.

    file: a sweep or a report file; run: an overridden run, NAME@…, in the place of its sweep. Raises
    InputError where nothing has run under that name, and for a record that cannot be read.
    """
    from rgx.lookup import NoFileError, report_of
    from rgx.report import results as numbers
    from rgx.report.definition import load
    from rgx.report.sweeps import read
    from rgx.sweep.spec import Overrides, run_of

    try:
        definition = report_of(Path(file))
    except NoFileError:  # a sweep needs no report
        return numbers.load(Path(store), run or run_of(Path(file), Overrides()))
    return read(load(definition), definition, Path(store), run)


def _overrides(
    only: str | Sequence[str], seeds: Collection[int] | None, choices: Mapping[str, str] | None,
    bind: str | Sequence[str], scale: str | None, imports: str | Sequence[str],
) -> Overrides:  # fmt: skip
    """Return what is to be changed of a sweep file; raises InputError for seeds that are no whole numbers."""
    from rgx.sweep.spec import Overrides

    numbers = None
    if seeds is not None:
        if isinstance(seeds, (str, int)) or not all(type(seed) is int for seed in seeds):
            raise InputError(f"seeds {seeds!r}: expected whole numbers such as [0, 1, 2]")
        numbers = list(seeds)
    return Overrides(dict(choices or {}), _listed(bind), scale, numbers, _listed(only), _listed(imports))


def _listed(words: str | Sequence[str]) -> list[str]:
    """Return several words as a list, and one as a list of it."""
    return [words] if isinstance(words, str) else list(words)
