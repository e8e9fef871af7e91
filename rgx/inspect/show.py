"""Where one number of a table came from: its artifact, every ancestor, the configuration, the code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from rgx.errors import InputError, nearest
from rgx.store.artifacts import bundle_of
from rgx.store.cells import pick_seed, pipeline_order, row_key, select, split
from rgx.store.drift import Code, code_of, told
from rgx.store.keys import short
from rgx.store.manifests import COMMITS, Manifest, Manifests, commits_of, made_when, number, part
from rgx.store.records import MetricFacts, SweepRow
from rgx.store.runs import read_run
from rgx.yaml_errors import first_problem

BETTER = {"down": "lower", "up": "higher", "reference": "nearer to the reference"}
EXAMPLE = "SWEEP:TABLE/ROW/METRIC, such as my_sweep:a/full/accuracy"


def show(address: str, seed: int | None, store: Path) -> list[str]:
    """Return all that is known of a number, for one seed or each; raises InputError with the nearest name."""
    name, rest = split(address, EXAMPLE)
    run = read_run(store, name)
    rows, metric = select(run, rest)
    if not metric:
        raise InputError(f"{address}: expected {EXAMPLE}")
    manifests, code = Manifests(store), code_of(run)
    lines: list[str] = []
    for row in pick_seed(rows, seed):
        stage = _stage_of(row, metric, manifests)
        manifest = manifests.get(stage, row.stages[stage])
        assert manifest is not None, "a stage with scores has a manifest"
        lines += [f"{name}:{row_key(row)}, seed {row.seed}", *_number(manifest, metric.rpartition("/")[2])]
        lines += _provenance(manifest, row, manifests, code)
    return lines


def scores_of(manifest: Manifest | None) -> dict[str, object]:
    """Return the scores a manifest reports, by metric."""
    return part(manifest, "outputs", "scores")


def _stage_of(row: SweepRow, metric: str, manifests: Manifests) -> str:
    """Return the stage of a cell that reports `metric` or `stage/metric`; raises InputError."""
    asked, _, name = metric.rpartition("/")
    by_stage = {stage: manifests.get(stage, key) for stage, key in row.stages.items()}
    scores = {stage: scores_of(content) for stage, content in by_stage.items() if content is not None}
    stages = [stage for stage, content in scores.items() if name in content and asked in ("", stage)]
    if len(stages) == 1:
        return stages[0]
    if stages:
        both = " or ".join(f"{stage}/{name}" for stage in stages)
        raise InputError(f"{row_key(row)}: '{name}' is reported by {len(stages)} stages: write {both}")
    known = sorted({m for content in scores.values() for m in content})
    known += [f"{stage}/{m}" for stage, content in scores.items() for m in content if asked]
    missing = [stage for stage, content in by_stage.items() if content is None]
    hole = f"; not in the store: {', '.join(missing)}" if missing else ""
    raise InputError(f"{row_key(row)}, seed {row.seed}: no score '{metric}': {nearest(metric, known)}{hole}")


def _number(manifest: Manifest, metric: str) -> Iterator[str]:
    described = {"label": metric} | part(manifest, "outputs", "metrics", metric)
    try:
        about = MetricFacts.model_validate(described)
    except ValidationError as error:
        place = f"{manifest['stage']}-{manifest['key'][:8]}: metrics/{metric}"
        raise InputError(f"{place}: {first_problem(MetricFacts, error, described)}") from None
    value, shown = scores_of(manifest)[metric], number(scores_of(manifest)[metric])
    printed = "no number" if shown is None else f"{shown:.{about.decimals}f}"
    if reason := part(manifest, "outputs", "unscored").get(metric):
        yield f"  not measured: {reason}"
    yield f"  {about.label}: {printed} {about.unit}".rstrip() + f"  ({json.dumps(value)})"
    reference = part(manifest, "outputs", "references").get(metric)
    if reference is not None:
        yield f"  reference: {json.dumps(reference)}  {about.reference_is}".rstrip()
    if about.direction:
        yield f"  better: {BETTER[about.direction]}"
    if about.split:
        yield f"  split: {about.split}"
    if about.protocol:
        yield f"  protocol: {about.protocol}"
    if described.get("source"):
        yield f"  source: {described['source']}"


def _provenance(manifest: Manifest, row: SweepRow, manifests: Manifests, code: Code) -> Iterator[str]:
    folder = manifests.folder(manifest["stage"], manifest["key"])
    software = part(manifest, "software")
    yield f"  artifact: {folder}"
    yield f"  key: {manifest['key']}"
    if (folder / "log.txt").is_file():
        yield f"  log: {folder / 'log.txt'}"
    yield f"  commit: {commits_of(software)[0] or 'not recorded'}"
    yield from (f"  repository: {own}" for own in commits_of(software)[1:])
    yield "  software: " + ", ".join(f"{n} {v}" for n, v in sorted(software.items()) if n not in COMMITS)
    yield "  made of:"
    for stage in pipeline_order(row.stages, manifests, manifest["stage"]):
        key = row.stages[stage]
        ancestor, where = manifests.get(stage, key), manifests.folder(stage, key)
        facts = made_when(ancestor) if ancestor else "not in the store"
        data = f", data {ancestor['fingerprint']}" if ancestor and ancestor.get("fingerprint") else ""
        yield f"    {stage:22} {short(key)}  {facts}{data}  {where}"
        if ancestor and (changes := code.changes(ancestor)):
            yield f"      made by other code; changed since: {told([changes])}"
        if bundle := bundle_of(manifests.store, stage, key):
            yield f"      imported from outside: {bundle}"
    yield "  gin:"
    yield from (f"    {line}" for line in str(manifest.get("gin", "not recorded")).splitlines())
