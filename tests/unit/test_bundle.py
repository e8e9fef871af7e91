from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgx.errors import InputError
from rgx.inspect.bundle import MEMBER, RECORD, SEARCH, export
from rgx.inspect.unbundle import take_in
from rgx.store.artifacts import DEEPEST, artifact_folder, checksum, write_json
from rgx.store.keys import key_of
from rgx.store.manifests import damage, manifest
from rgx.store.records import SearchRecord, SweepRow
from rgx.store.runs import read_run, run_names


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_store(path: Path, rows: dict[str, int], name: str = "little") -> Path:
    """Write a store by hand: a chain of three stages a row, the first shared."""
    cells = []
    for row, width in rows.items():
        stages: dict[str, str] = {}
        parents: dict[str, str] = {}
        for stage in ("corpus", "motion", "scores"):
            record = {"width": 0 if stage == "corpus" else width}
            key = key_of(record, 1, parents, "", 0)
            folder = artifact_folder(path, stage, key)
            folder.mkdir(parents=True, exist_ok=True)
            content = {"arrays.safetensors": f"{stage}{width}".encode() * 500, "log.txt": b""}
            for file, data in content.items():
                (folder / file).write_bytes(data)
            files = {f: {"sha256": sha(d), "bytes": len(d)} for f, d in content.items()}
            about = {"stage": stage, "key": key, "record": record, "version": 1, "parents": parents}
            more = {"fingerprint": "", "seed": 0, "outputs": {"scores": {"fgd": 1.5}}, "files": files}
            write_json(folder / "manifest.json", about | more)
            stages[stage], parents = key, {stage: key}
        cells.append({"panel": "3b", "row": row, "seed": 0, "stages": stages})
    write_json(path / "sweeps" / f"{name}.json", {"name": name, "seeds": [0], "rows": cells})
    return path


FOLDER = f"rate-{'5e' * 8}"


def add_search(store: Path) -> Path:
    """Add a search of three trials to a store: two that the rows of its panel are, and one that is open."""
    path = store / "sweeps" / "little.json"
    content = json.loads(path.read_text())
    trials: list[dict[str, Any]] = []
    for number, row in enumerate(content["rows"][:2]):
        name = f"learning_rate=0.00{number + 1}"
        rung = {"row": name, "cells": [[0, row["stages"]]], "score": {"value": 1.5, "cost": 1.5}}
        point = {"point": [number / 4], "values": {"generator/a.learning_rate": (number + 1) / 1000}}
        trials.append({**point, "state": "finished", "reason": "", "rungs": [rung]})
        content["rows"].append({**row, "panel": "rate", "row": name})
    values = {"generator/a.learning_rate": 0.01}
    trials.append({"point": [0.5], "values": values, "state": "open", "rungs": []})
    write_json(path, content)
    write_json(store / "searches" / "little" / FOLDER / "record.json", {"trials": trials})
    return store


def listing(store: Path) -> dict[str, str]:
    return {str(p.relative_to(store)): checksum(p) if p.is_file() else "" for p in sorted(store.rglob("*"))}


@dataclass
class Bundle:
    """A bundle's members, open to meddling."""

    members: list[tuple[tarfile.TarInfo, bytes]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Bundle:
        with tarfile.open(path) as tar:
            return cls([(m, tar.extractfile(m).read()) for m in tar.getmembers()])  # type: ignore[union-attr]

    def write(self, path: Path) -> Path:
        with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as tar:
            for member, content in self.members:
                tar.addfile(member, io.BytesIO(content))
        return path

    def find(self, end: str, start: str = "") -> int:
        return next(
            i for i, (m, _) in enumerate(self.members) if m.name.endswith(end) and m.name.startswith(start)
        )

    def replace(self, index: int, content: bytes) -> None:
        self.members[index][0].size = len(content)
        self.members[index] = (self.members[index][0], content)

    def edit(self, index: int, change: Callable[[dict[str, Any]], None]) -> None:
        content = json.loads(self.members[index][1])
        change(content)
        self.replace(index, json.dumps(content).encode())

    def add(self, name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        member.size = len(content) if kind == tarfile.REGTYPE else 0
        self.members.append((member, content))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("source"), {"baseline": 4, "w/o res": 8})


@pytest.fixture(scope="module")
def bundle(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "little.tar"
    export("little", path, source)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store", {"elsewhere": 16}, "another")


def rows_of(store: Path, name: str) -> list[SweepRow]:
    """Return the rows of a run without what is said of where they came from."""
    return [row.model_copy(update={"imported": ""}) for row in read_run(store, name).rows]


def test_a_round_trip_is_exact(source: Path, bundle: Path, tmp_path: Path) -> None:
    there = tmp_path / "fresh"
    assert take_in(bundle, there) == ["little: 2 cells; 5 artifacts taken in, 0 already there"]
    before, after = listing(source), listing(there)
    assert not {k for k, v in before.items() if not k.startswith("sweeps") and after.get(k) != v}
    assert rows_of(there, "little") == read_run(source, "little").rows
    assert {row.imported for row in read_run(there, "little").rows} == {bundle.name}
    assert {path.parent.name for path in there.glob("*/*/imported.json")} == {
        path.parent.name for path in there.glob("*/*/manifest.json")
    }
    again = tmp_path / "again.tar"
    export("little", again, there)
    assert again.read_bytes() == bundle.read_bytes()


def test_files_in_folders_are_carried(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", {"baseline": 4})
    (path,) = store.glob("motion/*/manifest.json")
    clip = path.parent / "clips" / "a" / "0.mp4"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"moves")
    about = json.loads(path.read_text())
    about["files"]["clips/a/0.mp4"] = {"bytes": 5, "sha256": sha(b"moves")}
    write_json(path, about)
    export("little", tmp_path / "little.tar", store)
    take_in(tmp_path / "little.tar", tmp_path / "fresh")
    there = tmp_path / "fresh" / clip.relative_to(store)
    assert there.read_bytes() == b"moves"
    assert not damage(tmp_path / "fresh", "motion", about["key"])
    there.write_bytes(b"stops")
    assert "clips/a/0.mp4 is not what" in damage(tmp_path / "fresh", "motion", about["key"])


def test_one_row_carries_its_own_artifacts_only(source: Path, tmp_path: Path) -> None:
    export("little:3b/w/o res", tmp_path / "one.tar", source)
    take_in(tmp_path / "one.tar", tmp_path / "fresh")
    rows = json.loads((source / "sweeps" / "little.json").read_text())["rows"]
    found = [
        row.model_dump(exclude={"definition", "imported", "chosen_on", "left_out"})
        for row in read_run(tmp_path / "fresh", "little").rows
    ]
    assert found == [rows[1]]
    folders = {f"{stage}/{key[:16]}" for stage, key in rows[1]["stages"].items()}
    assert {
        str(p.parent.relative_to(tmp_path / "fresh")) for p in tmp_path.glob("fresh/*/*/manifest.json")
    } == folders


def test_an_artifact_already_there_is_kept_and_rows_are_joined(
    source: Path, bundle: Path, tmp_path: Path
) -> None:
    there = make_store(tmp_path / "there", {"baseline": 4, "more": 32})
    rows = json.loads((there / "sweeps" / "little.json").read_text())["rows"]
    kept = artifact_folder(there, "motion", rows[0]["stages"]["motion"])
    (kept / "mine.txt").write_text("kept")
    before = (kept / "manifest.json").stat().st_ino
    assert take_in(bundle, there) == ["little: 2 cells; 2 artifacts taken in, 3 already there"]
    assert (kept / "mine.txt").is_file() and (kept / "manifest.json").stat().st_ino == before
    joined = read_run(there, "little").rows
    assert [row.row for row in joined] == ["baseline", "more", "w/o res"]
    assert take_in(bundle, there) == ["little: 2 cells; 0 artifacts taken in, 5 already there"]


def test_a_row_that_stands_on_other_artifacts_needs_another_name(
    source: Path, bundle: Path, tmp_path: Path
) -> None:
    there = make_store(tmp_path / "there", {"baseline": 5})
    before = listing(there)
    with pytest.raises(InputError, match=r"3b/baseline, seed 0, stands on other artifacts .*--as little_2"):
        take_in(bundle, there)
    assert listing(there) == before
    take_in(bundle, there, "theirs")
    assert rows_of(there, "theirs") == read_run(source, "little").rows
    assert run_names(there) == ["little", "theirs"]
    with pytest.raises(InputError, match="--as"):
        take_in(bundle, there, "../theirs")


def test_export_refuses_holes_damage_and_files_that_are_there(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", {"a": 1, "b": 2})
    rows = json.loads((store / "sweeps" / "little.json").read_text())["rows"]
    folders = [artifact_folder(store, "motion", row["stages"]["motion"]) for row in rows]
    (folders[0] / "manifest.json").unlink()
    with pytest.raises(InputError, match="3b/a: not in the store: motion"):
        export("little", tmp_path / "x.tar", store)
    (folders[1] / "arrays.safetensors").write_bytes(b"other")
    with pytest.raises(InputError, match="checksum is not the manifest's"):
        export("little:3b/b", tmp_path / "x.tar", store)
    with pytest.raises(InputError, match="no row 'c' in table 3b"):
        export("little:3b/c", tmp_path / "x.tar", store)
    with pytest.raises(InputError, match="no folder"):
        export("little:3b/b", tmp_path / "none" / "x.tar", store)
    assert [p.name for p in tmp_path.iterdir()] == ["store"]
    (tmp_path / "x.tar").write_text("mine")
    with pytest.raises(InputError, match="already there"):
        export("little", tmp_path / "x.tar", store)


def _names(name: str) -> Callable[[Bundle], None]:
    return lambda bundle: bundle.add(name)


def _kind(kind: bytes, link: str = "") -> Callable[[Bundle], None]:
    def add(bundle: Bundle) -> None:
        folder = bundle.members[bundle.find("manifest.json", "motion")][0].name.rpartition("/")[0]
        bundle.add(f"{folder}/extra.bin", b"", kind, link)

    return add


def _swap_to_link(bundle: Bundle) -> None:
    member = bundle.members[bundle.find("arrays.safetensors", "motion")][0]
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"


def _sparse(bundle: Bundle) -> None:
    member = bundle.members[bundle.find("arrays.safetensors", "motion")][0]
    member.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,1",
        "GNU.sparse.size": str(2**40),
    }


def _twice(bundle: Bundle) -> None:
    bundle.members.append(bundle.members[bundle.find("arrays.safetensors")])


def _twice_in_capitals(bundle: Bundle) -> None:
    index = bundle.find("log.txt")
    bundle.add(bundle.members[index][0].name.replace("log", "LOG"), b"")


def _unnamed(bundle: Bundle) -> None:
    folder = bundle.members[bundle.find("manifest.json", "motion")][0].name.rpartition("/")[0]
    bundle.add(f"{folder}/extra.bin")


def _without(end: str) -> Callable[[Bundle], None]:
    return lambda bundle: bundle.members.pop(bundle.find(end, "motion")) and None


def _tampered(bundle: Bundle) -> None:
    index = bundle.find("arrays.safetensors", "scores")
    content = bundle.members[index][1]
    bundle.replace(index, b"X" + content[1:])


def _longer(bundle: Bundle) -> None:
    index = bundle.find("arrays.safetensors", "scores")
    bundle.replace(index, bundle.members[index][1] + b"more")


def _manifest(**changes: Any) -> Callable[[Bundle], None]:
    return lambda bundle: bundle.edit(bundle.find("manifest.json", "motion"), lambda m: m.update(changes))


def _files(change: Callable[[dict[str, Any]], object]) -> Callable[[Bundle], None]:
    return lambda b: b.edit(b.find("manifest.json", "motion"), lambda m: change(m["files"]) and None)


def _record(change: Callable[[dict[str, Any]], object]) -> Callable[[Bundle], None]:
    return lambda b: b.edit(b.find("little.json"), lambda m: change(m) and None)


def _no_json(end: str, content: bytes) -> Callable[[Bundle], None]:
    return lambda bundle: bundle.replace(bundle.find(end), content)


def _another_record(bundle: Bundle) -> None:
    bundle.add("sweeps/second.json", b"{}")


def _big_manifest(bundle: Bundle) -> None:
    index = bundle.find("manifest.json", "motion")
    bundle.replace(index, bundle.members[index][1] + b" " * (65 * 2**20))


HEX = "0123456789abcdef"
HOSTILE: dict[str, tuple[Callable[[Bundle], None], str]] = {
    "absolute path": (_names("/etc/cron.d/x"), "no name of a bundle"),
    "parent folder": (_names("../outside.txt"), "no name of a bundle"),
    "parent folder inside": (_names(f"motion/{HEX}/../../../x"), "no name of a bundle"),
    "dots for a stage": (_names(f"../{HEX}/x"), "no name of a bundle"),
    "dots for a file": (_names(f"motion/{HEX}/.."), "no name of a bundle"),
    "hidden file": (_names(f"motion/{HEX}/.bashrc"), "no name of a bundle"),
    "hidden manifest": (_names(f"motion/{HEX}/.manifest.json"), "no name of a bundle"),
    "too deep": (_names(f"motion/{HEX}/a/b/c/d/e/f/g/h/i"), "no name of a bundle"),
    "too shallow": (_names("motion/x"), "no name of a bundle"),
    "backslash": (_names(f"motion/{HEX}/..\\x"), "no name of a bundle"),
    "line end": (_names(f"motion/{HEX}/x\n"), "no name of a bundle"),
    "running": (_names(f"running/{HEX}/lease.json"), "no name of a bundle"),
    "sweeps as a stage": (_names(f"sweeps/{HEX}/x"), "no name of a bundle"),
    "record elsewhere": (_names("sweeps/../x.json"), "no name of a bundle"),
    "key too short": (_names("motion/0123/x"), "no name of a bundle"),
    "symlink": (_kind(tarfile.SYMTYPE, "/etc/passwd"), "not a plain file"),
    "symlink for a file": (_swap_to_link, "not a plain file"),
    "hard link": (_kind(tarfile.LNKTYPE, "/etc/passwd"), "not a plain file"),
    "character device": (_kind(tarfile.CHRTYPE), "not a plain file"),
    "block device": (_kind(tarfile.BLKTYPE), "not a plain file"),
    "fifo": (_kind(tarfile.FIFOTYPE), "not a plain file"),
    "folder": (_kind(tarfile.DIRTYPE), "not a plain file"),
    "contiguous": (_kind(tarfile.CONTTYPE), "not a plain file"),
    "unknown type": (_kind(b"Z"), "not a plain file"),
    "sparse bomb": (_sparse, "not a plain file"),
    "twice": (_twice, "is there twice"),
    "twice in capitals": (_twice_in_capitals, "is there twice"),
    "file not in the manifest": (_unnamed, "is not named in its manifest"),
    "no manifest": (_without("manifest.json"), "has no manifest.json"),
    "file missing": (_without("arrays.safetensors"), "which is not there"),
    "checksum": (_tampered, "its checksum is not its manifest's"),
    "longer than told": (_longer, "has .* bytes; its manifest says"),
    "shorter than told": (_files(lambda f: f["log.txt"].update(bytes=10**15)), "its manifest says"),
    "negative size": (_files(lambda f: f["log.txt"].update(bytes=-1)), "expected 0 or more"),
    "manifest names itself": (
        _files(lambda f: f.update({"manifest.json": f["log.txt"]})), "names 'manifest.json', which",
    ),
    "manifest names a way out": (_files(lambda f: f.update({"../x": f["log.txt"]})), "no file of its own"),
    "another stage's manifest": (_manifest(stage="judge"), "holds the manifest of 'judge'"),
    "forged record": (_manifest(record={"width": 5}), "do not hash to its key"),
    "forged version": (_manifest(version=2), "do not hash to its key"),
    "forged seed": (_manifest(seed=1), "do not hash to its key"),
    "forged data": (_manifest(fingerprint="x"), "do not hash to its key"),
    "identity of another": (_manifest(identity={"width": 5}), "no part of its record"),
    "another key's manifest": (_manifest(key="0" * 64), "holds the manifest of"),
    "key with a way out": (_manifest(key="../../../../x"), "'key' is .*expected 64 digits"),
    "key that is not hex": (_manifest(key="g" * 64), "'key' is .*expected 64 digits"),
    "huge size": (_files(lambda f: f["log.txt"].update(bytes=10**400)), "its manifest says|log.txt/bytes"),
    "endless size": (_files(lambda f: f["log.txt"].update(bytes=float("inf"))), "bytes"),
    "checksum that is not hex": (_files(lambda f: f["log.txt"].update(sha256="x" * 64)), "sha256' is "),
    "parent with a way out": (_manifest(parents={"../x": "0" * 64}), "parents/../x"),
    "manifest without files": (_manifest(files=None), "files"),
    "manifest not JSON": (_no_json("manifest.json", b"\x80\x04K\x01."), "not JSON"),
    "manifest too deep": (_no_json("manifest.json", b"[" * 200_000), "not JSON"),
    "manifest too big": (_big_manifest, "says it has"),
    "record not JSON": (_no_json("little.json", b"{"), "not JSON"),
    "record a list": (_no_json("little.json", b"[]"), "little.json"),
    "record without rows": (_record(lambda m: m.pop("rows")), "rows"),
    "record of another name": (_record(lambda m: m.update(name="../x")), "is the record of"),
    "record names what is not there": (
        _record(lambda m: m["rows"][0]["stages"].update(motion="0" * 64)), "is not in the bundle",
    ),
    "record with another row's stage": (
        _record(lambda m: m["rows"][0]["stages"].update(scores=m["rows"][1]["stages"]["scores"])),
        "scores was made of motion [0-9a-f]{16}, not of [0-9a-f]{16}: the record was edited",
    ),
    "files that are the store's own": (
        _files(lambda f: f.update({"imported.json": f["log.txt"]})), "is a file of the store's own",
    ),
    "record with a stage's way out": (
        _record(lambda m: m["rows"][0]["stages"].update({"../x": "0" * 64})), "no key of a stage",
    ),
    "record with a key's way out": (
        _record(lambda m: m["rows"][0]["stages"].update(motion="../../x")), "no key of a stage",
    ),
    "two records": (_another_record, "found 2 sweep records"),
    "no record": (lambda b: b.members.pop(b.find("little.json")) and None, "found 0 sweep records"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_bundle_is_refused_and_the_store_is_as_it_was(
    kind: str, bundle: Path, store: Path, tmp_path: Path
) -> None:
    meddle, message = HOSTILE[kind]
    members = Bundle.read(bundle)
    meddle(members)
    path = members.write(tmp_path / "hostile.tar")
    before, around = listing(store), sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(InputError, match=message) as error:
        take_in(path, store)
    assert str(path) in str(error.value)
    assert listing(store) == before and sorted(p.name for p in tmp_path.iterdir()) == around


def test_the_meddling_is_what_is_refused(bundle: Path, store: Path, tmp_path: Path) -> None:
    path = Bundle(deepcopy(Bundle.read(bundle).members)).write(tmp_path / "same.tar")
    assert take_in(path, store) == ["little: 2 cells; 4 artifacts taken in, 1 already there"]


def test_what_is_no_plain_tar_is_refused(bundle: Path, store: Path, tmp_path: Path) -> None:
    before = listing(store)
    packed = tmp_path / "packed.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(bundle, "little.tar")
    contents = {"text.tar": b"not a tar file" * 99, "empty.tar": b"", "cut.tar": bundle.read_bytes()[:9000]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in ("packed.tar.gz", *contents, "nowhere.tar"):
        with pytest.raises(InputError, match=name):
            take_in(tmp_path / name, store)
    assert listing(store) == before


@pytest.mark.parametrize(
    "record", ["size=-512", "size=-1", "GNU.sparse.size=-512", "path=../x", "linkpath=/x"]
)
def test_an_extended_header_cannot_say_other_things(
    record: str, bundle: Path, store: Path, tmp_path: Path
) -> None:
    members, before = Bundle.read(bundle), listing(store)
    name, value = record.split("=")
    members.members[members.find("log.txt")][0].pax_headers = {name: value}
    path = members.write(tmp_path / "hostile.tar")
    if name == "linkpath":
        take_in(path, store)
        assert not [p for p in store.rglob("*") if p.is_symlink()]
        return
    with pytest.raises(InputError, match="hostile"):
        take_in(path, store)
    assert listing(store) == before


def test_a_negative_size_is_refused_at_once(bundle: Path, store: Path, tmp_path: Path) -> None:
    content, before = bytearray(bundle.read_bytes()), listing(store)
    for size in (-512, -1, -(2**60)):
        header = bytearray(content[:512])
        header[124:136] = b"\xff" + (256**11 + size).to_bytes(11, "big")
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        (tmp_path / "hostile.tar").write_bytes(header + content[512:])
        with pytest.raises(InputError, match="says it has -|invalid|hostile"):
            take_in(tmp_path / "hostile.tar", store)
    assert listing(store) == before


def test_a_folder_in_the_way_is_refused(source: Path, bundle: Path, store: Path) -> None:
    key = json.loads((source / "sweeps" / "little.json").read_text())["rows"][0]["stages"]["motion"]
    (store / "motion" / key[:16]).mkdir()
    before = listing(store)
    with pytest.raises(InputError, match="remove it first"):
        take_in(bundle, store)
    assert listing(store) == before


PIECES = [*"./\\a0~:\n\0", "..", "motion/", f"{HEX}/", "sweeps/", "running/", ".json"]
PIECES += ["searches/", f"r-{HEX}/", "record.json"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=5).map("".join))
def test_no_name_that_is_accepted_leads_out_of_the_store(name: str) -> None:
    if MEMBER.fullmatch(name) or RECORD.fullmatch(name) or SEARCH.fullmatch(name):
        parts = name.split("/")
        assert all(p and not p.startswith(".") for p in parts) and parts[0] != "running"
        deepest = {"sweeps": 2, "searches": 4}.get(parts[0], 2 + DEEPEST)
        assert {"sweeps": 2, "searches": 4}.get(parts[0], 3) <= len(parts) <= deepest
        assert not set(name) & set("\\\n\0~:")


def test_damaged_bytes_are_refused_or_change_nothing(source: Path, bundle: Path, tmp_path: Path) -> None:
    """Whatever bytes are turned over, each artifact that is taken in is, byte for byte, one that was sent."""
    content = bytearray(bundle.read_bytes())
    draw, refused = random.Random(0), 0
    for round_ in range(60):
        damaged = bytearray(content)
        for _ in range(draw.choice((1, 1, 4, 40))):
            damaged[draw.randrange(len(damaged) - 4096)] = draw.randrange(256)
        path, there = tmp_path / "damaged.tar", tmp_path / f"there{round_}"
        path.write_bytes(damaged)
        try:
            take_in(path, there)
        except InputError:
            refused += 1
            assert not there.exists() or listing(there) == {}
            continue
        for made in there.glob("*/*/manifest.json"):
            found = json.loads(made.read_text())
            assert manifest(there, found["stage"], found["key"]) == found
            for name, about in found["files"].items():
                assert checksum(made.parent / name) == about["sha256"]
    assert refused > 20


# --- searches ----------------------------------------------------------------------------------------


@pytest.fixture
def searched(tmp_path: Path) -> Path:
    return add_search(make_store(tmp_path / "searched", {"baseline": 4, "w/o res": 8}))


def record_of(store: Path, sweep: str = "little") -> Any:
    return json.loads((store / "searches" / sweep / FOLDER / "record.json").read_text())


def test_the_record_of_a_search_comes_along_whole_and_one_already_there_is_kept(
    searched: Path, tmp_path: Path
) -> None:
    export("little:rate/learning_rate=0.002", tmp_path / "one.tar", searched)
    there = tmp_path / "there"
    said = take_in(tmp_path / "one.tar", there)
    assert said[1:] == [f"{FOLDER}: 3 trials, open again where their artifacts are not here"]
    before, after = (SearchRecord.model_validate(record_of(store)) for store in (searched, there))
    assert after == before and len(after.trials) == 3
    write_json(there / "searches" / "little" / FOLDER / "record.json", {"trials": []})
    assert take_in(tmp_path / "one.tar", there)[1:] == [f"{FOLDER}: its record is there already and kept"]
    assert record_of(there) == {"trials": []}
    take_in(tmp_path / "one.tar", there, "theirs")
    assert SearchRecord.model_validate(record_of(there, "theirs")) == before


def test_a_search_none_of_whose_trials_is_exported_stays_behind(searched: Path, tmp_path: Path) -> None:
    other = searched / "searches" / "little" / f"rate-{'a' * 16}"
    write_json(other / "record.json", {"trials": []})
    export("little:3b/baseline", tmp_path / "row.tar", searched)
    assert not [m.name for m, _ in Bundle.read(tmp_path / "row.tar").members if m.name.startswith("searches")]
    export("little", tmp_path / "all.tar", searched)
    names = [m.name for m, _ in Bundle.read(tmp_path / "all.tar").members]
    assert [n for n in names if n.startswith("searches")] == [f"searches/little/{FOLDER}/record.json"]
    (other / "record.json").write_text("no json")
    with pytest.raises(InputError, match=f"{other.name}/record.json: not a JSON object"):
        export("little", tmp_path / "more.tar", searched)


def _renamed(name: str) -> Callable[[Bundle], None]:
    def rename(bundle: Bundle) -> None:
        bundle.members[bundle.find("record.json")][0].name = name

    return rename


def _trial(change: Callable[[dict[str, Any]], object]) -> Callable[[Bundle], None]:
    return lambda b: b.edit(b.find("record.json"), lambda m: change(m["trials"][0]) and None)


def _stages(**changes: str) -> Callable[[Bundle], None]:
    return _trial(lambda trial: trial["rungs"][0]["cells"][0][1].update(changes))


def _big_record(bundle: Bundle) -> None:
    index = bundle.find("record.json")
    bundle.replace(index, bundle.members[index][1] + b" " * (65 * 2**20))


HOSTILE_SEARCHES: dict[str, tuple[Callable[[Bundle], None], str]] = {
    "parent folder": (_renamed(f"searches/../{FOLDER}/record.json"), "no name of a bundle"),
    "parent folder for a search": (_renamed("searches/little/../record.json"), "no name of a bundle"),
    "absolute": (_renamed(f"/searches/little/{FOLDER}/record.json"), "no name of a bundle"),
    "another file": (_renamed(f"searches/little/{FOLDER}/lease.json"), "no name of a bundle"),
    "no signature": (_renamed("searches/little/rate/record.json"), "no name of a bundle"),
    "signature that is not hex": (_renamed(f"searches/little/rate-{'x' * 16}/record.json"), "no name of a"),
    "another sweep": (_renamed(f"searches/other/{FOLDER}/record.json"), "is of no search in little"),
    "another table": (_renamed(f"searches/little/none-{'5e' * 8}/record.json"), "is of no search in little"),
    "not JSON": (_no_json("record.json", b"{"), "not JSON"),
    "a list": (_no_json("record.json", b"[]"), "record.json"),
    "too deep": (_no_json("record.json", b"[" * 200_000), "not JSON"),
    "too big": (_big_record, "says it has"),
    "unknown end": (_trial(lambda trial: trial.update(state="won")), "trials/0/state"),
    "no number": (_trial(lambda trial: trial["rungs"][0]["score"].update(cost=float("nan"))), "finite"),
    "key with a way out": (_stages(motion="../../x"), "no key of a stage"),
    "key that is not hex": (_stages(motion="x" * 64), "no key of a stage"),
    "stage with a way out": (_stages(**{"../x": "0" * 64}), "no key of a stage"),
    "link": (
        lambda b: setattr(b.members[b.find("record.json")][0], "type", tarfile.SYMTYPE), "not a plain file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE_SEARCHES)
def test_a_hostile_record_of_a_search_is_refused_and_nothing_is_written(
    kind: str, searched: Path, store: Path, tmp_path: Path
) -> None:
    meddle, message = HOSTILE_SEARCHES[kind]
    export("little", tmp_path / "whole.tar", searched)
    members = Bundle.read(tmp_path / "whole.tar")
    meddle(members)
    path = members.write(tmp_path / "hostile.tar")
    before, around = listing(store), sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(InputError, match=message):
        take_in(path, store)
    assert listing(store) == before and sorted(p.name for p in tmp_path.iterdir()) == around
