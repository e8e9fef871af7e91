"""What a stage may return and leave behind: checked when it returns, before anything of it is kept."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rgx.errors import InputError, NotMeasurableError
from rgx.store.artifacts import CHECKPOINTS, DEEPEST, PIECE, RESERVED
from rgx.store.records import MetricFacts, Split, parse

OWN = frozenset({"lease.json", "progress.json"})
"""Reserved names that are there in every run."""
MOST_LEVELS = 20
MOST_BITS = 1023
"""Of a whole number: what can still be turned into a float."""


def value_or_reason(measure: Callable[[], float]) -> float | str:
    """Return what a metric measures, or why there is nothing to measure; any other error passes."""
    try:
        return float(measure())
    except (NotMeasurableError, InputError) as error:
        return str(error)


def check_outputs(stage: str, outputs: object, split: Split | None = None) -> dict[str, Any]:
    """Return what a stage returned as plain JSON values; raises InputError for what breaks the contract.

    Scalars of numpy and torch become plain numbers. A score is a number, or words that say why there is
    none: those stand under `unscored` then and the score is null, as is one that is not finite.
    split: what the scores are of whose description does not say it.
    """
    place = f"stage {stage} returned"
    if not isinstance(outputs, Mapping):
        raise InputError(
            f"{place} {_kind(outputs)}: expected a mapping, such as {{}} where there is nothing to tell"
        )
    plain: dict[str, Any] = _plain(outputs, place, ())
    for name in ("scores", "references", "metrics", "unscored"):
        if not isinstance(plain.get(name, {}), dict):
            raise InputError(f"{place} {name} = {plain[name]!r}: expected a mapping from metric to value")
    notes = plain.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise InputError(f"{place} notes = {notes!r}: expected a list of sentences")
    _check_metrics(plain, place)
    for about in plain.get("metrics", {}).values() if split else ():
        about["split"] = about.get("split") or split
    reasons = _reasons(plain.get("scores", {}), place)
    odd = {name: value for name, value in plain.get("scores", {}).items() if isinstance(value, float)}
    reasons |= {name: f"it came out as {value}" for name, value in odd.items() if not math.isfinite(value)}
    if reasons:
        plain["scores"] |= dict.fromkeys(reasons)
        plain["unscored"] = {**plain.get("unscored", {}), **reasons}
    unknown = _reasons(plain.get("references", {}), place)
    if unknown:
        plain["references"] |= dict.fromkeys(unknown)
    if "unscored" in plain and not all(isinstance(reason, str) for reason in plain["unscored"].values()):
        raise InputError(f"{place} unscored = {plain['unscored']!r}: expected the reason for each metric")
    return plain


def check_files(stage: str, folder: Path, checkpoints: bool) -> list[str]:
    """Return the files a stage leaves, by their names in its folder; raises InputError for one it may not.

    checkpoints: whether the stage kept its checkpoints through the workspace; names that begin with a dot are
    the stage's own and not kept.
    """
    own = OWN | CHECKPOINTS if checkpoints else OWN
    place = f"stage {stage} left in {folder}"
    names = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        parts = name.split("/")
        if any(part.startswith(".") for part in parts) or name in own:
            continue
        if parts[0] in RESERVED:
            taken = ", ".join(sorted(RESERVED))
            raise InputError(f"{place} {parts[0]!r}, but rgx itself uses the names {taken}")
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise InputError(f"{place} {name!r}, which is no plain file: leave a copy of it")
        if len(parts) > DEEPEST or not all(re.fullmatch(PIECE, part) for part in parts):
            raise InputError(
                f"{place} {name!r}: expected names of letters, digits, '_', '.', '+' and '-', in at "
                f"most {DEEPEST - 1} folders"
            )
        if path.is_file():
            names.append(name)
    folded = {name.casefold(): name for name in names}
    if twice := sorted(set(names) - set(folded.values())):
        raise InputError(
            f"stage {stage} left {twice[0]!r} and {folded[twice[0].casefold()]!r}: one name to some"
        )
    return names


def _check_metrics(plain: dict[str, Any], place: str) -> None:
    scores, metrics = plain.get("scores", {}), plain.get("metrics", {})
    for name in [*scores, *metrics]:
        if not name.strip() or not name.isprintable() or set(name) & set("/:"):
            raise InputError(f"{place} a metric named {name!r}: expected a name without '/' and ':'")
    if absent := sorted(scores.keys() - metrics.keys()):
        raise InputError(
            f"{place} a score of {absent[0]!r} that 'metrics' does not describe: a table needs at least "
            f"{{'{absent[0]}': {{'label': …, 'direction': …}}}}"
        )
    for name, about in metrics.items():
        if not isinstance(about, dict):
            raise InputError(f"{place} metrics/{name} = {about!r}: expected its label, direction, unit, …")
        parse(MetricFacts, {"label": name} | about, f"{place} metrics/{name}")


def _reasons(values: dict[str, Any], place: str) -> dict[str, str]:
    """Return the words that stand for numbers, by metric; raises InputError for what is neither."""
    reasons = {}
    for name, value in values.items():
        if isinstance(value, str):
            reasons[name] = value.strip() or "no reason is given"
        elif isinstance(value, (bool, list, dict)):
            raise InputError(f"{place} {name} = {value!r}: expected a number, or why there is none")
    return reasons


def _plain(value: Any, place: str, path: tuple[str, ...]) -> Any:
    """Return a value as JSON holds it; raises InputError naming where something else stands."""
    spot = f"{place} {'/'.join(path)}" if path else place
    if len(path) > MOST_LEVELS:
        raise InputError(f"{spot[:200]}…: more than {MOST_LEVELS} levels deep")
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value.bit_length() > MOST_BITS:
            raise InputError(f"{spot}: a whole number of {value.bit_length()} bits; no reader takes it")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return _text(value, spot)
    if isinstance(value, Mapping):
        names = [_name(name, spot) for name in value]
        if len(set(names)) < len(names):
            raise InputError(f"{spot}: two names that are one as text")
        return {name: _plain(v, place, (*path, name)) for name, v in zip(names, value.values(), strict=True)}
    if isinstance(value, (list, tuple)):
        return [_plain(item, place, (*path, str(index))) for index, item in enumerate(value)]
    raise InputError(
        f"{spot}: {_kind(value)}; expected numbers, text, lists and mappings; save other things as a file"
    )


def _name(name: object, spot: str) -> str:
    if isinstance(name, int) and not isinstance(name, bool):
        return str(int(name))
    if not isinstance(name, str):
        raise InputError(f"{spot}: {name!r} for a name; expected text")
    return _text(name, spot)


def _text(text: str, spot: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{spot}: {text!r} is no text that can be written as UTF-8") from None
    return str(text)


def _kind(value: object) -> str:
    shape = getattr(value, "shape", None)
    of = f" of shape {tuple(shape)}" if isinstance(shape, tuple) else ""
    return "None" if value is None else f"{type(value).__name__}{of}"
