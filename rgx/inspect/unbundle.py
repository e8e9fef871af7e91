"""Taking a bundle into a store: every member is checked before anything of it is there.

A bundle is data from elsewhere. Its members are read one by one and written by us, never extracted by
the tar library; nothing in it is run, unpickled or loaded.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from rgx.errors import InputError
from rgx.inspect.bundle import RECORD
from rgx.inspect.bundle_check import (
    BundledArtifact,
    check_key,
    open_bundle,
    read_bundle,
    read_chunks,
    refuse_edited,
)
from rgx.store.artifacts import IMPORTED, MANIFEST, open_store, write_json
from rgx.store.cells import row_key
from rgx.store.keys import short
from rgx.store.lease import Lease
from rgx.store.manifests import Manifests
from rgx.store.records import Invocation, Run, SearchRecord
from rgx.store.runs import new_run_path, read_run, run_names

SCRATCH = ".import-"
"""A folder of the store whose lease says that an import is under way."""


def take_in(file: Path, store: Path, name: str | None = None) -> list[str]:
    """Verify a whole bundle, then move what the store lacks into it; returns what was done.

    name: another name for the sweep record. Raises InputError for anything that is not a bundle's;
    the store is then as it was.
    """
    if not file.is_file():
        raise InputError(f"there is no file {file}")
    with open_bundle(file) as tar:
        content = read_bundle(tar, file)
        artifacts, sweep = content.artifacts, content.sweep
        store = open_store(store)
        manifests = Manifests(store)
        _refuse_missing(sweep, artifacts, manifests, file)
        refuse_edited(content, manifests, file)
        appended = _appended(sweep, store, name or sweep.name, file)
        fresh = [new for new in artifacts if manifests.get(new.manifest.stage, new.manifest.key) is None]
        _refuse_occupied(fresh, store)
        scratch = Path(tempfile.mkdtemp(dir=store, prefix=SCRATCH))
        try:
            with Lease(scratch):
                for artifact in artifacts:
                    _unpack(tar, artifact, scratch, file)
                moved = [new for new in fresh if _move(scratch / new.folder, store / new.folder)]
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    searches = _searches(content.searches, store / "searches" / (name or sweep.name))
    if appended.rows:
        write_json(new_run_path(store, appended.name), appended.model_dump(mode="json"))
    taken = f"{len(moved)} artifacts taken in, {len(artifacts) - len(moved)} already there"
    return [f"{name or sweep.name}: {len(sweep.rows)} cells; {taken}", *searches]


def _searches(records: dict[str, SearchRecord], place: Path) -> list[str]:
    """Write the records of searches that are not there, and return what was done."""
    said = []
    for folder, record in records.items():
        path = place / folder / "record.json"
        if path.exists():
            said.append(f"{folder}: its record is there already and kept")
            continue
        write_json(path, record.model_dump(mode="json"))
        said.append(f"{folder}: {len(record.trials)} trials, open again where their artifacts are not here")
    return said


def _refuse_missing(sweep: Run, artifacts: list[BundledArtifact], manifests: Manifests, file: Path) -> None:
    """Refuse a record that names what neither the bundle nor the store holds."""
    keys = {(artifact.manifest.stage, artifact.manifest.key) for artifact in artifacts}
    for row in sweep.rows:
        for stage, key in row.stages.items():
            check_key(stage, key, f"{file}: {row_key(row)!r}")
            if (stage, key) not in keys and manifests.get(stage, key) is None:
                raise InputError(
                    f"{file}: {row_key(row)!r} needs {stage}/{short(key)}, which is not in the bundle"
                )


def _appended(sweep: Run, store: Path, name: str, file: Path) -> Invocation:
    """Return the run that adds the rows that are not there; refuses a row that stands on other keys there."""
    if not RECORD.fullmatch(f"sweeps/{name}.json"):
        raise InputError(f"--as {name}: expected letters, digits, _, . and -")
    there = read_run(store, name).rows if name in run_names(store) else []
    known = {(row.panel, row.row, row.seed): row for row in there}
    definitions = {(row.panel, row.row): row.definition for row in there if row.definition}
    for row in sweep.rows:
        other = known.get((row.panel, row.row, row.seed), row)
        definition = definitions.get((row.panel, row.row), row.definition)
        if other.stages != row.stages or (row.definition and definition != row.definition):
            raise InputError(
                f"{name}: {row_key(row)}, seed {row.seed}, stands on other artifacts here than in the "
                f"bundle: import it under another name (--as {name}_2)"
            )
    fresh = [row for row in sweep.rows if (row.panel, row.row, row.seed) not in known]
    rows = [row.model_copy(update={"imported": file.name}) for row in fresh]
    content = {**sweep.model_dump(exclude={"variants", "places"}), "name": name, "whole": False}
    return Invocation(
        **{**content, "rows": rows}, started=time.time(), host=socket.gethostname(), argv=sys.argv
    )


def _refuse_occupied(fresh: list[BundledArtifact], store: Path) -> None:
    for artifact in fresh:
        place = store / artifact.folder
        if place.exists() or place.is_symlink():
            raise InputError(f"{place} is there but holds no artifact of the bundle's key: remove it first")


def _unpack(tar: tarfile.TarFile, artifact: BundledArtifact, scratch: Path, file: Path) -> None:
    """Write an artifact's files under the scratch folder; refuses one whose bytes are not its manifest's."""
    folder = scratch / artifact.folder
    folder.mkdir(parents=True)
    for name, about in artifact.manifest.files.items():
        digest = hashlib.sha256()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("xb") as target:
            for chunk in read_chunks(tar, artifact.members[name], file):
                digest.update(chunk)
                target.write(chunk)
        if digest.hexdigest() != about.sha256:
            raise InputError(f"{file}: {artifact.folder}/{name}: its checksum is not its manifest's")
    write_json(folder / IMPORTED, {"bundle": file.name, "imported": time.time()})
    with (folder / MANIFEST).open("xb") as target:
        target.writelines(read_chunks(tar, artifact.members[MANIFEST], file))


def _move(ready: Path, final: Path) -> bool:
    """Put a verified artifact in its place; returns whether it was not there yet."""
    final.parent.mkdir(exist_ok=True)
    try:
        ready.rename(final)
    except OSError:
        if (final / MANIFEST).is_file():
            return False
        raise
    return True
