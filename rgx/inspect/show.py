"""Where one number of a table came from: its artifact, every ancestor, the configuration, the code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from rgx.errors import InputError, nearest
from rgx.inspect.cells import pick_seed, pipeline_order, row_key, select, split
from rgx.store.keys import short
from rgx.store.manifests import Manifest, Manifests, made_when, number, part
from rgx.store.records import Metric, SweepRow
from rgx.store.runs import read_run

BETTER = {"down": "lower", "up": "higher", "reference": "nearer to the reference"}
EXAMPLE = "SWEEP:TABLE/ROW/METRIC, such as my_sweep:a/full/accuracy"


def show(address: str, seed: int | None, store: Path) -> list[str]:
    """Return all that is known of a number, for one seed or each; raises InputError with the nearest name."""
    name, rest = split(address, EXAMPLE)
    rows, metric = select(read_run(store, name), rest)
    if not metric:
        raise InputError(f"{address}: expected {EXAMPLE}")
    manifests = Manifests(store)
    lines: list[str] = []
    for row in pick_seed(rows, seed):
        stage = _stage_of(row, metric, manifests)
        made = manifests.get(stage, row.stages[stage])
        assert made is not None, "a stage with scores has a manifest"
        lines += [f"{name}:{row_key(row)}, seed {row.seed}", *_number(made, metric.rpartition("/")[2])]
        lines += _provenance(made, row, manifests)
    return lines


def scores_of(made: Manifest | None) -> dict[str, object]:
    """Return the scores a manifest reports, by metric."""
    return part(made, "outputs", "scores")


def _stage_of(row: SweepRow, metric: str, manifests: Manifests) -> str:
    """Return the stage of a cell that reports `metric` or `stage/metric`; raises InputError."""
    asked, _, name = metric.rpartition("/")
    made = {stage: manifests.get(stage, key) for stage, key in row.stages.items()}
    scores = {stage: scores_of(found) for stage, found in made.items() if found is not None}
    stages = [stage for stage, found in scores.items() if name in found and asked in ("", stage)]
    if len(stages) == 1:
        return stages[0]
    if stages:
        both = " or ".join(f"{stage}/{name}" for stage in stages)
        raise InputError(f"{row_key(row)}: '{name}' is reported by {len(stages)} stages: write {both}")
    known = sorted({m for found in scores.values() for m in found})
    known += [f"{stage}/{m}" for stage, found in scores.items() for m in found if asked]
    missing = [stage for stage, found in made.items() if found is None]
    hole = f"; not in the store: {', '.join(missing)}" if missing else ""
    raise InputError(f"{row_key(row)}, seed {row.seed}: no score '{metric}': {nearest(metric, known)}{hole}")


def _number(made: Manifest, metric: str) -> Iterator[str]:
    raw = part(made, "outputs", "metrics", metric)
    try:
        about = Metric.model_validate({"label": metric} | raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{made['stage']}-{made['key'][:8]}: metrics/{metric}: {first['msg']}") from None
    value, shown = scores_of(made)[metric], number(scores_of(made)[metric])
    printed = "no number" if shown is None else f"{shown:.{about.decimals}f}"
    if reason := part(made, "outputs", "unscored").get(metric):
        yield f"  not measured: {reason}"
    yield f"  {about.label}: {printed} {about.unit}".rstrip() + f"  ({json.dumps(value)})"
    reference = part(made, "outputs", "references").get(metric)
    if reference is not None:
        yield f"  reference: {json.dumps(reference)}  {about.reference_is}".rstrip()
    if about.direction:
        yield f"  better: {BETTER[about.direction]}"
    if about.protocol:
        yield f"  protocol: {about.protocol}"
    if raw.get("source"):
        yield f"  source: {raw['source']}"


def _provenance(made: Manifest, row: SweepRow, manifests: Manifests) -> Iterator[str]:
    folder = manifests.folder(made["stage"], made["key"])
    software = part(made, "software")
    yield f"  artifact: {folder}"
    yield f"  key: {made['key']}"
    if (folder / "log.txt").is_file():
        yield f"  log: {folder / 'log.txt'}"
    yield f"  commit: {software.get('commit') or 'not recorded'}"
    yield "  software: " + ", ".join(f"{n} {v}" for n, v in sorted(software.items()) if n != "commit")
    yield "  made of:"
    for stage in pipeline_order(row.stages, manifests, made["stage"]):
        key = row.stages[stage]
        found, where = manifests.get(stage, key), manifests.folder(stage, key)
        facts = made_when(found) if found else "not in the store"
        data = f", data {found['fingerprint']}" if found and found.get("fingerprint") else ""
        yield f"    {stage:22} {short(key)}  {facts}{data}  {where}"
    yield "  gin:"
    yield from (f"    {line}" for line in str(made.get("gin", "not recorded")).splitlines())
