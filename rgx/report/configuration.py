"""In what the rows of a sweep differ: variants and parameters of their stages, as columns beside numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rgx.store.differences import flatten
from rgx.store.records import SweepRow
from rgx.sweep.factors import labels_of

CHOICE = ".variant"
Place = tuple[str, str]
"""A panel and one of its rows, or a stage and the key of an artifact."""


def differing(
    cells: Mapping[Place, Sequence[SweepRow]],
    manifests: Mapping[Place, Mapping[str, Any]],
    taken: Collection[str] = (),
) -> dict[Place, dict[str, Any]]:
    """Return of each row the value of all that has several in the sweep; None where a row has no such part.

    A variant stands under the argument that it is chosen for (`student.backbone`: cnn), a parameter under
    that of its variant (`student.backbone.width`: 16). The last word is the name where no other ends in it
    and it is not `taken`.
    """
    rows = {place: _settings(of_seeds, manifests) for place, of_seeds in cells.items()}
    values: dict[str, set[Any]] = {}
    for name, value in (pair for settings in rows.values() for pair in settings.items()):
        values.setdefault(name, set()).add(value)
    names = [name for name, different in values.items() if len(different) > 1]
    labels = {name: name if label in taken else label for name, label in labels_of(names).items()}
    return {place: {labels[name]: settings.get(name) for name in names} for place, settings in rows.items()}


def _settings(of_seeds: Sequence[SweepRow], manifests: Mapping[Place, Mapping[str, Any]]) -> dict[str, Any]:
    """Return every variant and parameter of a row's finished stages, at the first seed that has them."""
    settings: dict[str, Any] = {}
    for row in of_seeds:
        for artifact in row.stages.items():
            if (manifest := manifests.get(artifact)) is None:
                continue
            for path, value in flatten(manifest["record"], manifest["stage"]).items():
                shown = _as_value(value)
                if path.endswith(CHOICE) and isinstance(shown, str):
                    path, shown = path.removesuffix(CHOICE), shown.partition("/")[2]
                settings.setdefault(path, shown)
    return settings


def _as_value(value: Any) -> Any:
    """Return a value that can be compared and grouped by."""
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
