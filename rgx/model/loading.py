"""A model folder, or a finished cell of a store, as something that works."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load_file
from torch import nn

from rgx.errors import InputError
from rgx.methods import find_package, import_method, product_of
from rgx.model.base import LoadedModel, TrainedCell
from rgx.model.folder import ABOUT, ModelFacts, read_folder
from rgx.model.packing import pack, weights_name
from rgx.model.rebuilding import rebuild
from rgx.plugins import find_plugin, load_plugin
from rgx.registry import import_own
from rgx.stage import Stage
from rgx.store.drift import told
from rgx.store.workspace import pick_device
from rgx.sweep.code import present

M = TypeVar("M", bound=LoadedModel)


def load(
    source: str | Path,
    kind: type[M] = LoadedModel,  # type: ignore[assignment]
    *,
    store: str | Path = "store",
    seed: int | None = None,
    device: str | None = None,
    imports: tuple[str, ...] = (),
) -> M:
    """Return the model of a folder that `rgx bundle` wrote, or of a cell SWEEP:PANEL/ROW of a store.

    kind: what it has to be, for those who check types; device: 'cpu', 'cuda'; the GPU where there is one,
    unless given. seed, store: of a cell. imports: files of variants of one's own that it is made of. Raises
    InputError for a folder that is not as it was written or of a newer version, for a cell that is not
    finished, and for a model of another kind.
    """
    import_own()
    for name in imports:
        load_plugin(*find_plugin(name, Path.cwd()))
    if isinstance(source, str) and ":" in source and not Path(source).is_dir():
        with tempfile.TemporaryDirectory(prefix="rgx-model-") as scratch:
            folder = Path(scratch) / "model"
            pack(source, folder, Path(store), seed)
            return _load(folder, kind, device)
    return _load(Path(source), kind, device)


def _load(folder: Path, kind: type[M], device: str | None) -> M:
    facts = read_folder(folder)
    package = find_package(facts.method, folder.absolute().parent, str(folder / ABOUT))
    import_method(package)
    product = product_of(package)
    stages: dict[str, Stage] = {}
    for name in (stage for stage in facts.stages if stage not in product.data):
        try:
            stages[name] = rebuild(facts.stages[name].record)
        except InputError as error:
            raise InputError(f"{folder}: stage {name}: {error}") from None
    place = device or pick_device()
    built = dict(product.given(stages, folder))
    for name in _in_order(stages, [stage for stage in stages if weights_name(stage) in facts.files]):
        built[name] = _network(name, stages[name], built, folder, place)
    model = product.load(TrainedCell(facts.name, folder, stages, built, place, tuple(_changes(facts))))
    if not isinstance(model, kind):
        raise InputError(f"{folder}: a {type(model).__name__} of {facts.method}, expected a {kind.__name__}")
    return model


def _in_order(stages: Mapping[str, Stage], names: list[str]) -> list[str]:
    """Return stages so that each comes after those of them that it reads."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        for parent in stages[name].parents():
            if parent in names:
                visit(parent)
        order[name] = None

    for name in names:
        visit(name)
    return list(order)


def _network(name: str, stage: Stage, built: Mapping[str, Any], folder: Path, device: str) -> nn.Module:
    """Return a stage's network with its weights; raises InputError for weights of another shape."""
    network = stage.build({parent: built[parent] for parent in stage.parents() if parent in built})
    try:
        network.load_state_dict(load_file(folder / weights_name(name)))
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{folder}: the weights of {name} do not fit this code: {first}") from None
    return network.to(device).eval().requires_grad_(False)


def _changes(facts: ModelFacts) -> list[str]:
    """Return what is to be said of code that is another now than when a stage was trained."""
    code = present()
    changes = {name: code.changes(stage.manifest) for name, stage in facts.stages.items()}
    other = [name for name, own in changes.items() if own]
    line = f"made by other code: {', '.join(other)}; changed since: {told(changes.values())}"
    return [line] if other else []
