"""Ratings as an artifact of the store: their table, and each condition's opinions as scores."""

from __future__ import annotations

import getpass
import hashlib
import platform
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rgx import __version__
from rgx.store.artifacts import MANIFEST, artifact_folder, checksum, open_store, write_json
from rgx.store.keys import key_of
from rgx.store.lease import Lease
from rgx.store.manifests import intact
from rgx.store.records import Invocation, SweepRow
from rgx.store.runs import new_run_path
from rgx.store.trash import throw_away
from rgx.study.findings import Findings
from rgx.study.kit import digest_of
from rgx.translator import masked

RATINGS, OPINIONS, PANEL = "ratings", "opinions", "study"
VERSION = 1
PREFIX = "study_"
"""Before a study's name, that of its run."""


def put_in_store(findings: Findings, store: Path) -> dict[str, str]:
    """Write the ratings and each condition's opinions into the store, and a run that reaches them.

    Returns stage/condition → key. The same ratings give the same keys. Raises InputError for a store that
    cannot be written; OSError passes for a disk that is full, and nothing is then in its place.
    """
    store, ratings = open_store(store), findings.ratings
    kit, text = ratings.kit, ratings.csv()
    record = {
        "variant": f"stage/{RATINGS}",
        "study": kit.key["study"],
        "file": kit.key["file"],
        "conditions": kit.key["conditions"],
        "key": digest_of(kit),
    }
    outputs: dict[str, Any] = {
        "raters": ratings.raters,
        "ratings": len(ratings.proper),
        "left_out": {str(rater): reason for rater, reason in ratings.excluded.items()},
        "notes": [findings.counted, *ratings.problems],
    }
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    key = _put(store, RATINGS, record, {}, fingerprint, outputs, {"ratings.csv": text})
    keys, rows = {RATINGS: key}, []
    for condition, about in kit.key["conditions"].items():
        scores = _scores(findings, condition)
        own = _put(
            store,
            OPINIONS,
            {"variant": f"stage/{OPINIONS}", "condition": condition},
            {RATINGS: key},
            "",
            scores,
            {},
        )
        keys[f"{OPINIONS}/{condition}"] = own
        stages = {**about["stages"], RATINGS: key, OPINIONS: own}
        rows.append(SweepRow(panel=PANEL, row=kit.study.label(condition), seed=about["seed"], stages=stages))
    _put_run(store, PREFIX + kit.study.name, rows, {kit.key["file"]["name"]: kit.key["file"]["sha256"]})
    return keys


def _scores(findings: Findings, condition: str) -> dict[str, Any]:
    """Return a condition's opinions as a stage's scores, with their intervals."""
    study = findings.ratings.kit.study
    outputs: dict[str, Any] = {"scores": {}, "metrics": {}, "intervals": {}, "notes": [findings.counted]}
    for name, own in findings.rated.items():
        if condition in own.means:
            estimate = own.means[condition]
            outputs["scores"][name] = estimate.mean
            outputs["intervals"][name] = [estimate.low, estimate.high]
            outputs["metrics"][name] = _facts(study.questions[name].head or name, "mean opinion, 1 to 5")
    for name, shares in findings.matched.items():
        if condition in shares and shares[condition].decided:
            outputs["scores"][name] = shares[condition].share
            outputs["intervals"][name] = [shares[condition].low, shares[condition].high]
            outputs["metrics"][name] = _facts(
                study.questions[name].head or name, "share for the matched sound"
            )
    for name, rows in findings.paired.items():
        for row in (row for row in rows if row.name == condition):
            outputs["scores"][name] = row.strength
            outputs["intervals"][name] = [row.low, row.high]
            outputs["metrics"][name] = _facts(study.questions[name].head or name, "log-strength of pairs")
    return _plain(outputs)


def _facts(label: str, protocol: str) -> dict[str, Any]:
    return {"label": label, "direction": "up", "decimals": 2, "protocol": protocol, "split": "test"}


def _plain(value: Any) -> Any:
    """Return numbers as JSON has them, none for what is not finite."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return float(value) if value == value and abs(value) != float("inf") else None
    return value


def _put(
    store: Path,
    stage: str,
    record: dict[str, Any],
    parents: Mapping[str, str],
    fingerprint: str,
    outputs: Mapping[str, Any],
    texts: Mapping[str, str],
) -> str:
    """Write an artifact, its manifest last, unless it is there; returns its key."""
    key = key_of(record, VERSION, parents, fingerprint)
    if intact(store, stage, key):
        return key
    final, started = artifact_folder(store, stage, key), time.time()
    draft = store / "running" / f"{stage}-{final.name}"
    draft.mkdir(parents=True, exist_ok=True)
    with Lease(draft) as lease:
        ready = draft / "artifact"
        if ready.exists():
            throw_away(store, ready)
        ready.mkdir()
        for name, text in texts.items():
            (ready / name).write_text(text, encoding="utf-8")
        files = {n: {"sha256": checksum(ready / n), "bytes": (ready / n).stat().st_size} for n in texts}
        manifest = {
            "stage": stage, "key": key, "record": record, "identity": record, "version": VERSION,
            "parents": dict(parents), "fingerprint": fingerprint, "seed": None, "outputs": outputs,
            "files": files, "started": started, "seconds": time.time() - started,
            "host": socket.gethostname(),
            "software": {"rgx": __version__, "python": platform.python_version()},
        }  # fmt: skip
        write_json(ready / MANIFEST, manifest)
        final.parent.mkdir(parents=True, exist_ok=True)
        lease.check()
        if final.exists():  # damaged
            throw_away(store, final)
        ready.replace(final)
    shutil.rmtree(draft, ignore_errors=True)
    return key


def _put_run(store: Path, name: str, rows: list[SweepRow], digests: dict[str, str]) -> None:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = ""
    run = Invocation(
        name=name, seeds=sorted({row.seed for row in rows}), rows=rows, started=time.time(),
        argv=[*map(masked, sys.argv)], user=user, host=socket.gethostname(), rgx=__version__, digests=digests,
    )  # fmt: skip
    write_json(new_run_path(store, name), run.model_dump(mode="json"))
