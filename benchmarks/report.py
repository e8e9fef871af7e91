"""Seconds of `rgx report`: `python benchmarks/report.py [--store DIR]` on a store with a finished Table 3.

Gives every seeded artifact of the sweep more seeds, then more rows (other keys and scores, the same curves,
pictures and motion), until the report has 24 rows of three seeds and 1,000 cells. Page and all figures
included, no LaTeX run. Each report is made three times by a whole process into an empty folder; medians are
printed.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rgx.store.keys import key_of
from rgx.store.runs import read_run

SWEEP = "ablation_table3"
Manifest = dict[str, Any]


class Size(NamedTuple):
    """How often a sweep is multiplied, and the seconds its report may take."""

    seeds: int
    rows: int
    bar_s: float


SIZES = {
    "24 rows × 3 seeds": Size(3, 1, 5.0),
    "24 rows × 42 seeds": Size(42, 1, 30.0),
    "1,008 rows × 1 seed": Size(1, 42, 30.0),
}


def multiply(store: Path, folder: Path, size: Size) -> int:
    """Write a store in which a sweep has more seeds and rows; returns its cells.

    Copies of a row are called `row 2`, `row 3` …; what has no seed is shared. Files are links.
    """
    record = read_run(store, SWEEP).model_dump()
    nodes = dict.fromkeys(node for row in record["rows"] for node in row["stages"].items())
    made = {key: manifest for stage, key in nodes if (manifest := read(store, stage, key)) is not None}
    rows, written = [], set()
    for number in range(size.seeds * size.rows):
        seed, copied = number % size.seeds, number // size.seeds
        keys: dict[str, str] = {}
        for key, manifest in made.items():
            is_copy = number > 0 and repeated(made, key)
            new = another(manifest, keys, seed, number) if is_copy else manifest
            keys[key] = new["key"]
            if new["key"] not in written:
                written.add(new["key"])
                write(folder, new, store / manifest["stage"] / key[:16])
        for row in record["rows"]:
            stages = {stage: keys.get(key, key) for stage, key in row["stages"].items()}
            name = f"{row['row']} {copied + 1}" if copied else row["row"]
            rows.append({**row, "row": name, "seed": seed, "stages": stages})
    (folder / "sweeps").mkdir()
    text = json.dumps({**record, "seeds": list(range(size.seeds)), "rows": rows})
    (folder / "sweeps" / f"{SWEEP}.json").write_text(text, encoding="utf-8")
    return len(rows)


def read(store: Path, stage: str, key: str) -> Manifest | None:
    """Return the manifest of a finished artifact."""
    path = store / stage / key[:16] / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def repeated(made: Mapping[str, Manifest], key: str) -> bool:
    """Say whether an artifact, or one it was made from, has a seed."""
    return made[key]["seed"] is not None or any(
        repeated(made, parent) for parent in made[key]["parents"].values() if parent in made
    )


def another(manifest: Manifest, keys: Mapping[str, str], seed: int, number: int) -> Manifest:
    """Return a manifest as another seed would have left it: its scores within about one per cent."""
    new = copy.deepcopy(manifest)
    new["record"] = new["identity"] = {**new["record"], "copy": number}
    new["parents"] = {stage: keys.get(key, key) for stage, key in manifest["parents"].items()}
    new["seed"] = None if manifest["seed"] is None else seed
    new["key"] = key_of(new["record"], new["version"], new["parents"], new["fingerprint"], new["seed"])
    chance = random.Random(new["key"])
    scores = new["outputs"].get("scores") or {}
    scores |= {name: value * chance.gauss(1, 0.01) for name, value in scores.items() if value is not None}
    return new


def write(folder: Path, manifest: Manifest, files: Path) -> None:
    """Put an artifact into a store, with links to the files of the one it is a copy of."""
    path = folder / manifest["stage"] / manifest["key"][:16]
    path.mkdir(parents=True)
    for file in files.iterdir():
        if file.name != "manifest.json":
            os.link(file, path / file.name)
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def report(store: Path) -> tuple[float, float, int]:
    """Make a report in an empty folder; returns seconds by the clock and of processor time, and files."""
    out = store / "build"
    shutil.rmtree(out, ignore_errors=True)
    words = ["report", f"sweeps/{SWEEP}.yaml", "--store", str(store), "--out", str(out)]
    began, busy = time.perf_counter(), processor_s()
    done = subprocess.run([sys.executable, "-m", "rgx", *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    spent = time.perf_counter() - began, processor_s() - busy
    return *spent, sum(path.is_file() for path in out.rglob("*"))


def processor_s() -> float:
    """Return the processor seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--folder", type=Path, help="make the stores here, on the same disk as --store")
    arguments = parser.parse_args()
    print(f"{'':20} {'wall':>7} {'processor':>10}", flush=True)
    for name, size in SIZES.items():
        with tempfile.TemporaryDirectory(dir=arguments.folder or arguments.store.parent) as scratch:
            multiply(arguments.store, Path(scratch), size)
            wall, busy, files = zip(*(report(Path(scratch)) for _ in range(3)), strict=True)
            kept = "kept" if statistics.median(wall) < size.bar_s else "MISSED"
            times = f"{statistics.median(wall):5.2f} s {statistics.median(busy):8.2f} s"
            print(f"{name:20} {times}   {files[0]} files, bar {size.bar_s:g} s: {kept}", flush=True)


if __name__ == "__main__":
    main()
