"""The members of a bundle, each checked before a byte of it is written anywhere."""

from __future__ import annotations

import json
import struct
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rgx.errors import InputError
from rgx.inspect.bundle import JSON_BYTES, MEMBER, RECORD, SEARCH
from rgx.store.artifacts import IMPORTED, MANIFEST
from rgx.store.keys import definition_of, key_of, short
from rgx.store.manifests import KEY, Manifests, manifest_fault
from rgx.store.records import ForeignManifest, Run, SearchRecord, parse
from rgx.yaml_errors import first_problem

CHUNK_BYTES = 2**20
Members = dict[str, tarfile.TarInfo]
BROKEN = (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError, struct.error, OSError)
"""What reading a damaged or hostile tar file raises."""


@dataclass(frozen=True)
class BundledArtifact:
    """One artifact of a bundle: its folder, its manifest, and its members by file name."""

    folder: str
    manifest: ForeignManifest
    members: Members


@dataclass(frozen=True)
class Content:
    """All that is in a bundle: artifacts, the record of its sweep, and of searches by their folder."""

    artifacts: list[BundledArtifact]
    sweep: Run
    searches: dict[str, SearchRecord]


@contextmanager
def open_bundle(file: Path) -> Iterator[tarfile.TarFile]:
    """Open a bundle for reading; whatever its bytes make the tar library raise becomes an InputError."""
    # "r:" reads no compression, so that a file cannot be larger unpacked than it is.
    try:
        with tarfile.open(file, "r:") as tar:
            yield tar
    except BROKEN as error:
        raise InputError(f"{file}: this bundle cannot be taken in: {str(error) or error!r}") from None


def read_bundle(tar: tarfile.TarFile, file: Path) -> Content:
    """Return what is in a bundle; raises InputError for what no bundle holds.

    The files of artifacts are not read yet: of them only name, kind and size are checked.
    """
    folders, record, searches = _members(tar, file)
    artifacts = [
        BundledArtifact(f, _manifest(tar, f, members, file), members) for f, members in folders.items()
    ]
    sweep = _record(tar, record, file)
    return Content(artifacts, sweep, dict(_search(tar, member, sweep, file) for member in searches))


def _members(
    tar: tarfile.TarFile, file: Path
) -> tuple[dict[str, Members], tarfile.TarInfo, list[tarfile.TarInfo]]:
    """Return the members by folder and file name, the sweep record's, and those of searches."""
    folders: dict[str, Members] = {}
    records: list[tarfile.TarInfo] = []
    searches: list[tarfile.TarInfo] = []
    seen: set[str] = set()
    while (member := tar.next()) is not None:
        name = member.name
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            raise InputError(f"{file}: {name!r} is not a plain file (a link, folder, device or sparse file)")
        if name.casefold() in seen:
            raise InputError(f"{file}: {name!r} is there twice")
        seen.add(name.casefold())
        if RECORD.fullmatch(name):
            records.append(member)
        elif SEARCH.fullmatch(name):
            searches.append(member)
        elif match := MEMBER.fullmatch(name):
            folder = f"{match['stage']}/{match['key']}"
            folders.setdefault(folder, {})[match["file"]] = member
        else:
            raise InputError(f"{file}: {name!r} is no name of a bundle: <stage>/<16 hex>/<file> or sweeps/")
        json_file = (name.count("/") == 2 and name.endswith(f"/{MANIFEST}")) or member in [
            *records,
            *searches,
        ]
        if member.size < 0 or (json_file and member.size > JSON_BYTES):
            raise InputError(f"{file}: {name!r} says it has {member.size} bytes")
    if len(records) != 1:
        raise InputError(f"{file}: found {len(records)} sweep records, expected one")
    return folders, records[0], searches


def _manifest(tar: tarfile.TarFile, folder: str, members: Members, file: Path) -> ForeignManifest:
    """Return an artifact's manifest; refuses one that does not fit its folder and its members' sizes."""
    if MANIFEST not in members:
        raise InputError(f"{file}: {folder} has no {MANIFEST}")
    content = _json(tar, members[MANIFEST], file)
    try:
        manifest = ForeignManifest.model_validate(content)
    except ValidationError as error:
        said = first_problem(ForeignManifest, error, content)
        raise InputError(f"{file}: {folder}/{MANIFEST}: {said}") from None
    if f"{manifest.stage}/{short(manifest.key)}" != folder:
        raise InputError(f"{file}: {folder} holds the manifest of {manifest.stage!r}/{short(manifest.key)}")
    if isinstance(content, dict) and (fault := manifest_fault(content, manifest.stage, manifest.key)):
        raise InputError(f"{file}: {folder}/{MANIFEST}: {fault}")
    if IMPORTED in manifest.files:
        raise InputError(f"{file}: {folder}: {IMPORTED!r} is a file of the store's own")
    if unnamed := sorted(members.keys() - {*manifest.files, MANIFEST}):
        raise InputError(f"{file}: {folder}/{unnamed[0]} is not named in its manifest")
    if absent := sorted({*manifest.files} - members.keys() | ({MANIFEST} & {*manifest.files})):
        raise InputError(f"{file}: {folder}: the manifest names {absent[0]!r}, which is not there")
    for name, about in manifest.files.items():
        if members[name].size != about.bytes:
            raise InputError(
                f"{file}: {folder}/{name} has {members[name].size} bytes; its manifest says {about.bytes}"
            )
    return manifest


def _record(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> Run:
    sweep = parse(Run, _json(tar, member, file), f"{file}: {member.name}")
    if member.name != f"sweeps/{sweep.name}.json":
        raise InputError(f"{file}: {member.name} is the record of {sweep.name!r}")
    return sweep


def _search(
    tar: tarfile.TarFile, member: tarfile.TarInfo, sweep: Run, file: Path
) -> tuple[str, SearchRecord]:
    """Return a search's folder and record; refuses one of another sweep or table, and a key that is none."""
    match = SEARCH.fullmatch(member.name)
    if not match or match["sweep"] != sweep.name or all(row.panel != match["name"] for row in sweep.rows):
        raise InputError(f"{file}: {member.name!r} is of no search in {sweep.name}")
    record = parse(SearchRecord, _json(tar, member, file), f"{file}: {member.name}")
    for rung in (rung for trial in record.trials for rung in trial.rungs):
        for stage, key in ((stage, key) for _, stages in rung.cells for stage, key in stages.items()):
            check_key(stage, key, f"{file}: {member.name}: {rung.row!r}")
    return match["folder"], record


def refuse_edited(content: Content, manifests: Manifests, file: Path) -> None:
    """Raise InputError for a row that is not what its artifacts, of the bundle or the store, were made as.

    Its stages must be each other's parents, and its definition that of the very stages at any one seed.
    """
    known = {(a.manifest.stage, a.manifest.key): a.manifest.model_dump() for a in content.artifacts}
    for row in content.sweep.rows:
        place = f"{file}: {row.panel}/{row.row}, seed {row.seed}"
        by_stage = {s: known.get((s, k)) or dict(manifests.get(s, k) or {}) for s, k in row.stages.items()}
        for stage, manifest in by_stage.items():
            for parent, key in manifest.get("parents", {}).items():
                if row.stages.get(parent, key) != key:
                    other = f"{stage} was made of {parent} {short(key)}, not of {short(row.stages[parent])}"
                    raise InputError(f"{place}: {other}: the record was edited")
        # Where a seed repeats only a part, keys alone do not tell from which stage on.
        scoped = row.panel in content.sweep.seed_scopes
        if row.definition and not scoped and _definition(by_stage) not in ("", row.definition):
            raise InputError(f"{place}: its definition is not that of its stages: the record was edited")


def _definition(by_stage: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what a row made of these manifests is whatever its seed, or nothing where one does not tell."""
    keys: dict[str, str] = {}

    def key_at_one_seed(stage: str) -> str:
        if stage not in keys:
            manifest = by_stage[stage]
            parents = {parent: key_at_one_seed(parent) for parent in manifest["parents"]}
            seed = None if manifest["seed"] is None else 0
            facts = manifest["version"], parents, manifest["fingerprint"], seed
            keys[stage] = key_of(manifest["identity"], *facts)
        return keys[stage]

    if not all(manifest.get("identity") is not None for manifest in by_stage.values()):
        return ""
    try:
        return definition_of({stage: key_at_one_seed(stage) for stage in by_stage})
    except KeyError:  # a stage that the row does not name
        return ""


def check_key(stage: str, key: str, place: str) -> None:
    """Raise InputError naming the place where a stage's name or key could lead elsewhere."""
    if not KEY.fullmatch(key) or not MEMBER.fullmatch(f"{stage}/{short(key)}/x"):
        raise InputError(f"{place}: {stage!r}: {key[:64]!r} is no key of a stage")


def read_chunks(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> Iterator[bytes]:
    """Yield a member's bytes piece by piece; raises InputError where it is cut short."""
    source, left = tar.extractfile(member), member.size
    while left and source is not None:
        chunk = source.read(min(CHUNK_BYTES, left))
        if not chunk:
            raise InputError(f"{file}: {member.name!r} is cut short")
        left -= len(chunk)
        yield chunk


def _json(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> object:
    try:
        return json.loads(b"".join(read_chunks(tar, member, file)))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: {member.name}: not JSON: {str(error).splitlines()[0]}") from None
