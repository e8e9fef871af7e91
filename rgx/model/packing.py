"""A trained cell of a store written as a model folder."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rgx
from rgx.errors import InputError
from rgx.methods import Package, import_method, methods_at_hand, product_of
from rgx.model.base import Card, Product
from rgx.model.card import card_text
from rgx.model.folder import ABOUT, CARD, CONFIG, FORMAT, GOES_ALONG, ModelFacts
from rgx.model.rebuilding import rebuild
from rgx.registry import import_own
from rgx.store.artifacts import checksum, write_json
from rgx.store.cells import find_cell, pipeline_order, row_key
from rgx.store.manifests import Manifests, damage, part
from rgx.store.records import Manifest, SweepRow
from rgx.store.workspace import Inputs

EXAMPLE = "SWEEP:PANEL/ROW, such as ablation_table3:3d/full-model"
NETWORK = "network.safetensors"
READABLE = 0o644
"""A folder that is given away is read by others, whatever made its files."""


def pack(address: str, out: Path, store: Path, seed: int | None = None) -> ModelFacts:
    """Write the model folder of one cell; it appears when all of it is there. Returns what it says of itself.

    seed: which of the row's, where it has several. Raises InputError for a folder that is there already, a
    cell that is no row, that is not finished, or whose method says nothing of models.
    """
    if out.exists():
        raise InputError(f"{out} is already there; give another name")
    if not out.absolute().parent.is_dir():
        raise InputError(f"there is no folder {out.absolute().parent}")
    row = find_cell(address, store, seed, EXAMPLE)
    manifests = Manifests(store)
    method = _method_of(row, manifests)
    import_own()
    import_method(method)
    product = product_of(method)
    own = _own_stages(row, product, manifests, store)
    draft = out.absolute().with_name(f".{out.name}.{secrets.token_hex(4)}.draft")
    try:
        draft.mkdir()
        card = _fill(draft, row, product, own, manifests)
        facts = _describe(draft, address.partition(":")[0], row, method, own, manifests, card)
        draft.rename(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return facts


def _method_of(row: SweepRow, manifests: Manifests) -> Package:
    """Return the method whose code made a cell; raises InputError where none at hand did."""
    behind = [manifests.get(stage, key) for stage, key in row.stages.items()]
    modules = {module for m in behind if m is not None for module in part(m, "code", "modules")}
    packages = methods_at_hand(Path.cwd())
    for package in packages:
        if any(f"{module}.".startswith(f"{package.name}.") for module in modules):
            return package
    if not modules:
        name = f"{row_key(row)}, seed {row.seed}"
        raise InputError(f"{name}: none of its stages is in the store: run the sweep")
    names = ", ".join(package.name for package in packages)
    raise InputError(f"{row_key(row)}: made by no method at hand; those are {names}")


def _own_stages(row: SweepRow, product: Product, manifests: Manifests, store: Path) -> dict[str, Manifest]:
    """Return the manifests of the stages that go along, parents first; raises InputError without one."""
    name = f"{row_key(row)}, seed {row.seed}"
    if absent := [stage for stage in product.needs if stage not in row.stages]:
        wants = ", ".join(absent)
        raise InputError(f"{name}: it has no stage {wants}, without which it is no model; choose another row")
    own: dict[str, Manifest] = {}
    for stage in pipeline_order(row.stages, manifests):
        if stage not in (*product.needs, *product.takes):
            continue
        key = row.stages[stage]
        manifest = manifests.get(stage, key)
        if manifest is None:
            raise InputError(f"{name}: {stage} is not in the store: run the sweep")
        if reason := damage(store, stage, key):
            raise InputError(f"{manifests.folder(stage, key)}: {reason}")
        own[stage] = manifest
    return own


def _fill(
    draft: Path, row: SweepRow, product: Product, own: Mapping[str, Manifest], manifests: Manifests
) -> Card:
    """Copy weights and configuration, have the method add what is its own, and return what it says."""
    folders = {stage: manifests.folder(stage, row.stages[stage]) for stage in own}
    for stage, folder in folders.items():
        if (folder / NETWORK).is_file():
            shutil.copyfile(folder / NETWORK, draft / weights_name(stage))
    gin = {stage: manifest.get("gin", "") for stage, manifest in own.items()}
    (draft / CONFIG).write_text(gin[next(reversed(gin))].rstrip() + "\n", encoding="utf-8")
    stages = {s: rebuild(manifest["record"]) for s, manifest in own.items() if s not in product.data}
    return product.pack(stages, Inputs({}, folders), draft)


def weights_name(stage: str) -> str:
    """Return the file with the weights of a stage."""
    return f"{stage}.safetensors"


def _describe(
    draft: Path, sweep: str, row: SweepRow, method: Package, own: Mapping[str, Manifest],
    manifests: Manifests, card: Card,
) -> ModelFacts:  # fmt: skip
    """Write the card and, last, what proves the folder."""
    every = {stage: manifests.get(stage, key) for stage, key in row.stages.items()}
    about: dict[str, Any] = {
        "format": FORMAT,
        "method": method.name,
        "rgx": rgx.__version__,
        "sweep": sweep,
        "panel": row.panel,
        "row": row.row,
        "seed": row.seed,
        "stages": {stage: _kept(manifest) for stage, manifest in own.items()},
        "scores": {
            stage: {name: part(manifest, "outputs", name) for name in ("scores", "metrics")}
            for stage, manifest in every.items()
            if manifest is not None and part(manifest, "outputs", "scores")
        },
    }
    (draft / CARD).write_text(card_text(ModelFacts.model_validate(about), card), encoding="utf-8")
    for path in draft.iterdir():
        path.chmod(READABLE)
    about["files"] = {path.name: _facts_of(path) for path in sorted(draft.iterdir())}
    write_json(draft / ABOUT, about)
    (draft / ABOUT).chmod(READABLE)
    return ModelFacts.model_validate(about)


def _kept(manifest: Manifest) -> dict[str, Any]:
    """Return what of a manifest goes along."""
    names = [*GOES_ALONG, "identity"]
    return {name: content for name, content in manifest.items() if name in names}


def _facts_of(path: Path) -> dict[str, Any]:
    return {"sha256": checksum(path), "bytes": path.stat().st_size}
