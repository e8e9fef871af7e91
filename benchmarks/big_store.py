"""How looking at a store slows as it grows: `python benchmarks/big_store.py [--count 10000]`.

Runs the little sweep of the tests once and multiplies its manifests (other keys, seeds and learning rates,
parents and sweep records to match, files of a few bytes) until the store holds `--count`. Each command then
runs three times as a whole process on both stores; medians are printed.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rgx.store.keys import key_of
from rgx.store.runs import read_run

LITTLE = Path(__file__).parents[1] / "tests" / "little.py"
SWEEP = "sweeps/little.yaml"
REPORT = (
    "sweep: sweeps/little.yaml\npanels:\n  3b:\n    caption: Tokens.\n    columns: [fgd, diversity, pcm]\n"
)
CHANGED = ("--bind", "tokenizer/training.adamw.steps = 4")
BAR_S = 10.0
BARRED = {"plan", "status", "report"}
SEEDS_A_SWEEP = 25
COMMANDS: dict[str, tuple[str, ...]] = {
    "plan": ("plan", SWEEP),
    "plan, stages missing": ("plan", SWEEP, *CHANGED),
    "status": ("status",),
    "report": ("report", SWEEP, "--out", "build"),
    "why, a stage that is there": ("why", SWEEP, "3b/+distill", "motion"),
    "why, stages missing": ("why", SWEEP, "3b/+distill", *CHANGED),
    "show": ("show", "little:3b/+distill/fgd"),
    "diff": ("diff", "little:3b/baseline", "little:3b/+distill"),
    "gc": ("gc",),
}


class Seconds(NamedTuple):
    """How long a process took by the clock and in processor time, which a busy machine does not stretch."""

    wall: float
    processor: float


def little_sweep() -> str:
    """Return the text of the tests' little sweep."""
    return LITTLE.read_text().partition('LITTLE = """\\\n')[2].partition('"""')[0]


def prepare(folder: Path) -> Path:
    """Return a store in which the little sweep has run, beside its sweep and report files."""
    for name, text in ((SWEEP, little_sweep()), ("reports/little.yaml", REPORT)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    store = folder / "small"
    rgx(folder, store, "sweep", SWEEP, "--engine", "inline", "--no-report")
    return store


def rgx(folder: Path, store: Path, *words: str) -> Seconds:
    """Run a command of rgx as a process and return its seconds."""
    began, busy = time.perf_counter(), processor_s()
    done = subprocess.run(
        [sys.executable, "-m", "rgx", *words, "--store", str(store)],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"rgx {' '.join(words)}: {done.stderr}")
    return Seconds(time.perf_counter() - began, processor_s() - busy)


def processor_s() -> float:
    """Return the processor seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def multiply(small: Path, big: Path, count: int) -> int:
    """Copy a store and add manifests until there are `count`; the last tenth is in no sweep's record."""
    shutil.copytree(small, big)
    manifests = [json.loads(path.read_text()) for path in sorted(small.glob("*/*/manifest.json"))]
    record = read_run(small, "little").model_dump()
    rows: dict[str, list[dict[str, Any]]] = {}
    copies = -(-count // len(manifests)) - 1
    for number in range(1, copies + 1):
        keys: dict[str, str] = {}
        for made in parents_first(manifests):
            write(big, another(made, number, keys))
        if number <= 0.9 * copies:
            name = f"other_{number // SEEDS_A_SWEEP}"
            rows.setdefault(name, []).extend(another_row(row, number, keys) for row in record["rows"])
    (big / "sweeps").mkdir(exist_ok=True)
    for name, members in rows.items():
        seeds = sorted({row["seed"] for row in members})
        text = json.dumps({**record, "name": name, "seeds": seeds, "rows": members}, indent=1)
        (big / "sweeps" / f"{name}.json").write_text(text)
    return len(manifests) * (copies + 1)


def parents_first(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return manifests in an order in which what one was made of stands before it."""
    by_key = {made["key"]: made for made in manifests}
    ordered: dict[str, dict[str, Any]] = {}

    def visit(made: dict[str, Any]) -> None:
        for key in made["parents"].values():
            visit(by_key[key])
        ordered.setdefault(made["key"], made)

    for made in manifests:
        visit(made)
    return list(ordered.values())


def another(made: Mapping[str, Any], number: int, keys: dict[str, str]) -> dict[str, Any]:
    """Return a manifest as another seed and other learning rates would have left it; its key goes to keys."""
    new = copy.deepcopy(dict(made))
    new["parents"] = {stage: keys[key] for stage, key in made["parents"].items()}
    new["seed"] = None if made["seed"] is None else number
    if training := new["record"].get("training"):
        training["learning_rate"] = 1e-3 * (1 + number % 7)
    if "clips" in str(made["record"]) and not made["parents"]:
        new["fingerprint"] = hashlib.sha256(f"{number} {made['fingerprint']}".encode()).hexdigest()
    elif new["seed"] is None:
        new["version"] += number
    new["identity"] = new["record"]
    new["key"] = key_of(new["record"], new["version"], new["parents"], new["fingerprint"], new["seed"])
    keys[made["key"]] = new["key"]
    for name, about in new["files"].items():
        about |= {"bytes": 16, "sha256": hashlib.sha256(name.encode()[:16].ljust(16)).hexdigest()}
    return new


def another_row(row: Mapping[str, Any], number: int, keys: Mapping[str, str]) -> dict[str, Any]:
    """Return a row of a sweep's record that stands on copies."""
    stages = {stage: keys[key] for stage, key in row["stages"].items()}
    return {**row, "seed": number, "stages": stages}


def write(store: Path, made: Mapping[str, Any]) -> None:
    """Put an artifact into a store."""
    folder = store / made["stage"] / made["key"][:16]
    folder.mkdir(parents=True)
    for name in made["files"]:
        (folder / name).write_bytes(name.encode()[:16].ljust(16))
    (folder / "manifest.json").write_text(json.dumps(made, indent=1, sort_keys=True))


def measure(folder: Path, small: Path, big: Path) -> Iterator[str]:
    """Yield a line for each command: its medians in both stores, the ratio of processor times, the bar."""
    for name, words in COMMANDS.items():
        few, many = (median([rgx(folder, store, *words) for _ in range(3)]) for store in (small, big))
        bar = f"  bar {BAR_S:g} s: {'kept' if many.wall < BAR_S else 'MISSED'}" if name in BARRED else ""
        both = f"{few.wall:6.2f} ({few.processor:5.2f}) {many.wall:8.2f} ({many.processor:5.2f})"
        yield f"{name:27} {both}  ×{many.processor / few.processor:.2f}{bar}"


def median(runs: list[Seconds]) -> Seconds:
    """Return the median of each of the two times."""
    return Seconds(*map(statistics.median, zip(*runs, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="manifests in the big store")
    parser.add_argument("--folder", type=Path, help="keep both stores here, and use those that are there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rgx-big-") as scratch:
        folder = (arguments.folder or Path(scratch)).resolve()
        small, big = prepare(folder), folder / f"big_{arguments.count}"
        count = len(list(big.glob("*/*/manifest.json"))) or multiply(small, big, arguments.count)
        own = len(list(small.glob("*/*/manifest.json")))
        print(f"{'manifests':27} {own:6} {count:16}\n{'wall (processor), s':27}", flush=True)
        for line in measure(folder, small, big):
            print(line, flush=True)


if __name__ == "__main__":
    main()
