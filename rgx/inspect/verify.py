"""One cell of a table made again from its recorded inputs, in a store of its own, and compared to the bit."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rgx.bindings import Text
from rgx.config import configure_cell
from rgx.errors import InputError, nearest
from rgx.inspect.unbundle import take_in
from rgx.methods import Package, import_method, methods_at_hand
from rgx.plugins import load_plugin
from rgx.registry import import_own
from rgx.run.worker import run_task
from rgx.store.artifacts import artifact_folder
from rgx.store.cells import find_cell, pipeline_order, row_key
from rgx.store.keys import short
from rgx.store.manifests import Manifests, damage, part
from rgx.store.records import Manifest, SweepRow
from rgx.store.runs import read_run, run_names
from rgx.store.workspace import pick_device

Plugins = Sequence[tuple[str, str]]
EXAMPLE = "SWEEP:TABLE/ROW, such as my_sweep:a/full, or a file that `rgx export` wrote; a column by --column"
PLANNED = ("stage", "key", "record", "version", "parents", "fingerprint", "seed")
"""What a manifest repeats of the plan."""
DIARIES = {"log.txt", "curve.jsonl"}
"""What a stage writes of its way, clock times included; its result is the rest."""
PIECE_OF_GIN = re.compile(r"^# (?P<where>\S+\.(?:gin|ya?ml)|--\S.*)$", re.M)
"""The line above each text that a manifest keeps of the configuration."""


@dataclass(frozen=True)
class RemadeStage:
    """A stage as recorded and as made again: digests, numbers by metric, and what differs around them."""

    stage: str
    digests: tuple[str, str]
    numbers: dict[str, tuple[str, str]]
    files: tuple[str, ...]
    causes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether files and numbers are the same to the last bit."""
        return self.digests[0] == self.digests[1]


@contextlib.contextmanager
def received(what: str, store: Path) -> Iterator[tuple[str, Path]]:
    """Give (address, store) of what a person received: of a bundle, which is taken into a store for a while.

    Raises InputError for a file that is no bundle, or one with a byte that was changed.
    """
    if not Path(what).is_file():
        yield what, store
        return
    with tempfile.TemporaryDirectory(prefix="rgx-verify-") as scratch:
        own = Path(scratch) / "store"
        take_in(Path(what), own)
        (name,) = run_names(own)
        yield f"{name}:", own


def choose_cell(address: str, words: str, seed: int | None, store: Path) -> SweepRow:
    """Return the one cell that is asked for; words: its TABLE/ROW where the address is of a bundle."""
    if address.endswith(":"):
        rows = read_run(store, address[:-1]).rows
        names = list(dict.fromkeys(map(row_key, rows)))
        if not words and len(names) > 1:
            raise InputError(f"which row of the bundle? it has {', '.join(names)}")
        address += words or names[0]
    elif words:
        raise InputError(f"{words}: a row beside {address}, which is no file; expected {EXAMPLE}")
    return find_cell(address, store, seed, EXAMPLE)


def verify(
    row: SweepRow, store: Path, column: str | None = None, start: str | None = None, plugins: Plugins = ()
) -> list[RemadeStage]:
    """Make the stages behind a cell's numbers again, and return each as it was and as it is.

    column: a metric, whose stage alone is made; start: the stage to begin at, else only those that score.
    The store is only read. Raises InputError for an absent artifact, a file that is not what its checksum
    says, and a stage of another version than the code at hand has.
    """
    manifests = Manifests(store)
    order = pipeline_order(row.stages, manifests)
    again = _stages_to_make(row, manifests, order, column, start)
    wanted = [manifest for stage in order if (manifest := _recorded(manifests, row, stage, again, order))]
    with tempfile.TemporaryDirectory(prefix="rgx-verify-") as scratch:
        fresh = Path(scratch)
        for manifest in wanted:
            if manifest["stage"] not in again:
                node = manifest["stage"], manifest["key"]
                shutil.copytree(artifact_folder(store, *node), artifact_folder(fresh, *node))
        return [
            _compare(manifest, _make_again(manifest, manifests, row, fresh, plugins), column)
            for manifest in wanted
            if manifest["stage"] in again
        ]


def _ancestors(stage: str, row: SweepRow, manifests: Manifests) -> dict[str, str]:
    """Return stage → key of all that a stage of a cell stands on."""
    names = pipeline_order(row.stages, manifests, stage)
    return {name: row.stages[name] for name in names if name != stage}


def _stages_to_make(
    row: SweepRow, manifests: Manifests, order: list[str], column: str | None, start: str | None
) -> set[str]:
    """Return the stages that score (or the one that reports a column), and those between them and `start`."""
    by_stage = {s: part(manifests.get(s, row.stages[s]), "outputs", "scores") for s in order}
    name = column.rpartition("/")[2] if column else None
    last = {s for s, scores in by_stage.items() if (name in scores if name else scores)}
    if not last and column is None:
        raise InputError(f"{row_key(row)}, seed {row.seed}: no stage with scores is in the store")
    if not last:
        known = [metric for scores in by_stage.values() for metric in scores]
        raise InputError(f"{row_key(row)}: no score '{column}': {nearest(str(column), known)}")
    if start is None:
        return last
    if start not in order:
        raise InputError(f"{row_key(row)}: no stage '{start}': {nearest(start, order)}")
    ancestors = {s: _ancestors(s, row, manifests) for s in order}
    below = {s for s in order if s == start or start in ancestors[s]}
    again = {s for s in below if s in last or any(s in ancestors[end] for end in last)}
    if not again:
        raise InputError(f"{row_key(row)}: no number that is asked for rests on '{start}'")
    return again


def _recorded(
    manifests: Manifests, row: SweepRow, stage: str, again: set[str], order: list[str]
) -> Manifest | None:
    """Return the manifest of a stage that is made again or stands behind one, proven by its checksums."""
    if stage not in again and not any(stage in _ancestors(s, row, manifests) for s in again):
        return None
    key = row.stages[stage]
    manifest = manifests.get(stage, key)
    if manifest is None:
        fault = manifests.fault(stage, key) or "it is not there"
        raise InputError(f"{row_key(row)}, seed {row.seed}: {stage}/{short(key)}: {fault}")
    if reason := damage(manifests.store, stage, key):
        raise InputError(f"{stage}/{short(key)}: {reason}: the file was changed or damaged")
    return manifest


def _make_again(
    manifest: Manifest, manifests: Manifests, row: SweepRow, fresh: Path, plugins: Plugins
) -> Manifest:
    """Run a stage from its record in a fresh store and return the manifest that it leaves there."""
    stage = manifest["stage"]
    methods = _methods_of(manifest)
    import_own()
    for package in methods:
        import_method(package)
    for plugin in plugins:
        load_plugin(*plugin)
    texts = _texts(manifest)
    cell = configure_cell(texts, [stage])
    if (version := cell.stages[stage].version) != manifest["version"]:
        raise InputError(
            f"{stage}: made by version {manifest['version']} of the stage, this code has version {version}: "
            "verify it with the rgx and the method that made it"
        )
    recorded = cast("dict[str, Any]", manifest)
    task: dict[str, Any] = {
        **{name: recorded[name] for name in PLANNED},
        "ancestors": _ancestors(stage, row, manifests),
        "texts": texts,
        "methods": [vars(package) for package in methods],
        "plugins": list(plugins),
        "row": manifest.get("row", row_key(row)),
        "threads": cell.resources[stage].threads,
    }
    run_task(task, fresh, pick_device() if manifest.get("gpu") else "cpu")
    result = Manifests(fresh).get(stage, manifest["key"])
    assert result is not None, "a stage that ran has a manifest"
    return result


def _methods_of(manifest: Manifest) -> list[Package]:
    """Return the methods at hand whose code made an artifact."""
    modules = part(manifest, "code", "modules")
    packages = methods_at_hand(Path.cwd())
    return [p for p in packages if any(f"{module}.".startswith(f"{p.name}.") for module in modules)]


def _texts(manifest: Manifest) -> list[Text]:
    """Return the configuration that an artifact was made with, piece by piece; its key proves it whole."""
    gin = manifest.get("gin", "")
    heads = list(PIECE_OF_GIN.finditer(gin))
    ends = [head.start() for head in heads[1:]] + [len(gin)]
    return [Text(gin[head.end() + 1 : end], head["where"]) for head, end in zip(heads, ends, strict=True)]


def _result(manifest: Manifest) -> tuple[dict[str, str], dict[str, str]]:
    """Return the checksum of each file of a result, and each of its numbers as written."""
    files = {
        name: facts["sha256"] for name, facts in manifest.get("files", {}).items() if name not in DIARIES
    }
    scores = part(manifest, "outputs", "scores")
    return files, {metric: json.dumps(value) for metric, value in scores.items()}


def _compare(recorded: Manifest, remade: Manifest, column: str | None) -> RemadeStage:
    """Return what was recorded of a stage beside what it is when it is made again."""
    (files, numbers), (new_files, new_numbers) = _result(recorded), _result(remade)
    digests = _digest(files, numbers), _digest(new_files, new_numbers)
    shown = [column.rpartition("/")[2]] if column else list(numbers)
    return RemadeStage(
        recorded["stage"],
        digests,
        {m: (numbers[m], new_numbers.get(m, "absent")) for m in shown if m in numbers},
        tuple(sorted(n for n in files.keys() | new_files.keys() if files.get(n) != new_files.get(n))),
        tuple(_causes(recorded, remade)) if digests[0] != digests[1] else (),
    )


def _digest(files: dict[str, str], numbers: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps([files, numbers], sort_keys=True).encode()).hexdigest()


def _causes(recorded: Manifest, remade: Manifest) -> Iterator[str]:
    """Yield what the two manifests show that may be why they differ."""
    before, now = part(recorded, "code", "modules"), part(remade, "code", "modules")
    changed = sorted(module for module in before.keys() | now.keys() if before.get(module) != now.get(module))
    if changed:
        yield f"edited code: {', '.join(changed)}"
    old, new = part(recorded, "software"), part(remade, "software")
    for name in ("rgx", "python", "torch"):
        if new.get(name) and old.get(name) != new[name]:
            yield f"{name} {old.get(name) or 'unknown'} made it, here is {new[name]}"
    if recorded.get("gpu", "") != remade.get("gpu", ""):
        yield f"made on {recorded.get('gpu') or 'a CPU'}, here on {remade.get('gpu') or 'a CPU'}"
    elif recorded.get("host") != remade.get("host"):
        yield "made on another machine, whose kind of processor is not recorded"
    if recorded.get("segments", []) and len(recorded["segments"]) > 1:
        yield f"it was trained in {len(recorded['segments'])} segments"


def describe(comparisons: Sequence[RemadeStage]) -> Iterator[str]:
    """Yield a table of what was recorded and what was made again, and why they may differ."""
    yield f"{'stage':22} {'what':28} {'recorded':24} {'made again':24} verdict"
    for entry in comparisons:
        verdict = "same" if entry.same else "different"
        first, second = map(short, entry.digests)
        yield f"{entry.stage:22} {'digest of the artifact':28} {first:24} {second:24} {verdict}"
        for metric, (before, now) in entry.numbers.items():
            equal = "same" if before == now else "different"
            yield f"{entry.stage:22} {metric:28} {before:24} {now:24} {equal}"
        if not entry.same:
            if entry.files:
                yield f"  files that differ: {', '.join(entry.files)}"
            causes = entry.causes or ("none that the records show: the stage itself may not repeat its bits",)
            yield from (f"  likely cause: {cause}" for cause in causes)
