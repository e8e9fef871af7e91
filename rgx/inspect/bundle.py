"""A bundle: cells of a sweep with all their artifacts in one tar file, and what may stand in it."""

from __future__ import annotations

import io
import json
import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rgx.errors import InputError
from rgx.store.artifacts import DEEPEST, MANIFEST, PIECE, checksum
from rgx.store.cells import pipeline_order, row_key, select
from rgx.store.keys import short
from rgx.store.manifests import Manifests
from rgx.store.records import ForeignManifest, Run, SearchRecord, SweepRow
from rgx.store.runs import read_run, read_trials

FILE = rf"{PIECE}(?:/{PIECE}){{0,{DEEPEST - 1}}}"
STAGE = r"(?!(?i:sweeps|runs|searches|running|damaged|tracking|trash)/)[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
MEMBER = re.compile(rf"(?P<stage>{STAGE})/(?P<key>[0-9a-f]{{16}})/(?P<file>{FILE})")
NAME = r"[A-Za-z0-9][A-Za-z0-9_.@,=+-]{0,199}"
RECORD = re.compile(rf"sweeps/(?P<name>{NAME})\.json")
SEARCH = re.compile(rf"searches/(?P<sweep>{NAME})/(?P<folder>(?P<name>{NAME})-[0-9a-f]{{16}})/record\.json")
JSON_BYTES = 64 * 2**20
"""The most a manifest or a sweep record may hold; other files are bounded by their manifest."""


def export(address: str, file: Path, store: Path) -> list[str]:
    """Write a bundle of SWEEP or SWEEP:TABLE/ROW and return what is in it; raises InputError for a hole.

    The record stands first, then those of the searches that made a cell, and parents stand before children;
    equal stores give equal bytes.
    """
    name, colon, rest = address.partition(":")
    sweep = read_run(store, name)
    rows = _chosen(sweep, rest) if colon else sweep.rows
    # Where its variants lie here tells nobody elsewhere anything.
    content = {
        **sweep.model_dump(exclude={"variants", "places"}),
        "rows": [row.model_dump(exclude={"imported"}) for row in rows],
    }
    content["seeds"] = [seed for seed in sweep.seeds if any(row.seed == seed for row in rows)]
    if file.exists():
        raise InputError(f"{file} is already there; give another name")
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent}")
    manifests = Manifests(store)
    _refuse_holes(rows, manifests)
    ordered = ((s, row.stages[s]) for row in rows for s in pipeline_order(row.stages, manifests))
    stages = list(dict.fromkeys(ordered))
    records = {f"sweeps/{name}.json": json.dumps(content, indent=1, sort_keys=True).encode()}
    records |= _searches(name, rows, store)
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as scratch:
            draft = Path(scratch) / "bundle.tar"
            _write(draft, records, stages, manifests)
            size = draft.stat().st_size
            draft.replace(file)
    except OSError as error:
        raise InputError(f"{file}: the bundle cannot be written: {error}") from error
    return [f"{file}: {len(rows)} cells of {name}, {len(stages)} artifacts, {size} bytes"]


def _searches(sweep: str, rows: list[SweepRow], store: Path) -> dict[str, bytes]:
    """Return by member name the record of each search one of whose trials is among the rows.

    It is carried whole: a trial whose artifacts are not there is open again, with the same values.
    """
    records: dict[str, bytes] = {}
    for path in sorted((store / "searches" / sweep).glob("*/record.json")):
        name = f"searches/{sweep}/{path.parent.name}/{path.name}"
        if (match := SEARCH.fullmatch(name)) and any(row.panel == match["name"] for row in rows):
            content = path.read_bytes()
            record = read_trials(path)
            if any(made_by(record, row) for row in rows if row.panel == match["name"]):
                records[name] = content
    return records


def made_by(record: SearchRecord, row: SweepRow) -> bool:
    """Return whether a cell is one that a trial of a search made or began."""
    cell = row.seed, row.stages
    return any(cell in rung.cells for trial in record.trials for rung in trial.rungs)


def _write(
    draft: Path, records: dict[str, bytes], stages: list[tuple[str, str]], manifests: Manifests
) -> None:
    with tarfile.open(draft, "w:", format=tarfile.PAX_FORMAT) as tar:
        for name, record in records.items():
            member = tarfile.TarInfo(name)
            member.size = len(record)
            tar.addfile(member, io.BytesIO(record))
        for stage, key in stages:
            for path in _verified(manifests, stage, key):
                name = path.relative_to(manifests.folder(stage, key)).as_posix()
                member = tarfile.TarInfo(f"{stage}/{short(key)}/{name}")
                member.size = path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(member, file)


def _chosen(sweep: Run, words: str) -> list[SweepRow]:
    rows, more = select(sweep, words)
    if more:
        raise InputError(f"{sweep.name}:{words}: expected SWEEP:TABLE/ROW; '{more}' is left over")
    return rows


def _refuse_holes(rows: list[SweepRow], manifests: Manifests) -> None:
    holes = {
        row_key(row): [_hole(manifests, *item) for item in row.stages.items() if manifests.get(*item) is None]
        for row in rows
    }
    errors = [f"{name}: not in the store: {', '.join(stages)}" for name, stages in holes.items() if stages]
    if errors:
        raise InputError("\n".join([*errors, "a bundle carries whole cells: run the sweep, or name one row"]))


def _hole(manifests: Manifests, stage: str, key: str) -> str:
    fault = manifests.fault(stage, key)
    return f"{stage} (damaged: {fault})" if fault else stage


def _verified(manifests: Manifests, stage: str, key: str) -> Iterator[Path]:
    """Yield an artifact's files, its manifest first; raises InputError where one is not as it was made."""
    folder = manifests.folder(stage, key)
    try:
        manifest = ForeignManifest.model_validate(manifests.get(stage, key))
    except ValueError as error:
        raise InputError(f"{folder / MANIFEST}: {str(error).splitlines()[0]}") from None
    yield folder / MANIFEST
    for name, about in sorted(manifest.files.items()):
        path = folder / name
        if not MEMBER.fullmatch(f"{stage}/{short(key)}/{name}") or not path.is_file():
            raise InputError(f"{path}: named in the manifest, but not a file of the artifact")
        if checksum(path) != about.sha256:
            raise InputError(f"{path}: its checksum is not the manifest's: the file was changed or damaged")
        yield path
