"""Two cells side by side: the stages they share, those that differ and by what, and their scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rgx.inspect.show import scores_of
from rgx.store.cells import find_cells, pipeline_order
from rgx.store.differences import Identity, own_changes
from rgx.store.keys import short
from rgx.store.manifests import Manifests, number
from rgx.store.records import SweepRow

EXAMPLE = "SWEEP:TABLE/ROW, such as ablation_table3:3b/+distill"


def compare(first: str, second: str, seed: int | None, store: Path) -> list[str]:
    """Return what two cells share and where they differ; raises InputError with the nearest names."""
    # Of several seeds the first tells as much as any.
    old, new = (find_cells(address, store, seed, EXAMPLE)[0] for address in (first, second))
    manifests = Manifests(store)
    lines = [f"{name}, seed {row.seed}" for name, row in ((first, old), (second, new))]
    order = dict.fromkeys((*pipeline_order(old.stages, manifests), *pipeline_order(new.stages, manifests)))
    shared = [stage for stage in order if old.stages.get(stage) == new.stages.get(stage)]
    lines.append(f"shared: {', '.join(shared) or 'nothing'}")
    for stage in order:
        if stage not in shared:
            lines += _stage(stage, old, new, manifests)
    return lines + list(_scores(old, new, manifests))


def _stage(stage: str, old: SweepRow, new: SweepRow, manifests: Manifests) -> Iterator[str]:
    keys = [row.stages.get(stage) for row in (old, new)]
    if None in keys:
        yield f"only in the {'second' if keys[0] is None else 'first'}: {stage}"
        return
    pair = [manifests.get(stage, key or "") for key in keys]
    head = f"differs: {stage} {short(keys[0] or '')} → {short(keys[1] or '')}"
    before, after = pair
    if before is None or after is None:
        which = [word for word, manifest in zip(("first", "second"), pair, strict=True) if manifest is None]
        yield f"{head}: not in the store: the {' and the '.join(which)}"
        return
    changes = own_changes(Identity.of(after), Identity.of(before))
    yield head + ("" if changes else ": only by its parents")
    yield from (f"    {change}" for change in changes)


def _scores(old: SweepRow, new: SweepRow, manifests: Manifests) -> Iterator[str]:
    both: list[dict[str, object]] = []
    for row in (old, new):
        scores: dict[str, object] = {}
        for stage, key in row.stages.items():
            scores |= {f"{stage}/{m}": v for m, v in scores_of(manifests.get(stage, key)).items()}
        both.append(scores)
    for name in dict.fromkeys((*both[0], *both[1])):
        before, after = (number(scores.get(name)) for scores in both)
        if before is not None and after is not None:
            yield f"score {name}: {before:.6g} → {after:.6g} ({after - before:+.6g})"
        else:
            yield f"score {name}: {_shown(before)} → {_shown(after)}"


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
