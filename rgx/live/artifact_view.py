"""One artifact, finished or under way: its curve, its log, its scores, and what it is made of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rgx.store.artifacts import artifact_folder, running_folder
from rgx.store.keys import short
from rgx.store.manifests import Manifests, number, part

MOST_POINTS = 300
"""Points of a curve that a screen can tell apart."""
MOST_LOG_BYTES = 64 * 1024
MOST_LINES = 200


def artifact_view(store: Path, stage: str, key: str) -> dict[str, Any] | None:
    """Return what is known of an artifact, as JSON holds it, or None where it is neither there nor begun.

    key: the first 16 hex of it. A file that is just being written counts up to its last whole line.
    """
    manifest = Manifests(store).get(stage, key)
    folder = artifact_folder(store, stage, key) if manifest else running_folder(store, stage, key)
    if not folder.is_dir():
        return None
    facts: Mapping[str, Any] = manifest or {}
    metrics = part(facts, "outputs", "metrics")
    return {
        "stage": stage,
        "key": key,
        "finished": manifest is not None,
        "row": facts.get("row", ""),
        "seed": facts.get("seed"),
        "seconds": number(facts.get("seconds")),
        "cpu_seconds": number(facts.get("cpu_seconds")),
        "host": str(facts.get("host", "")),
        "parents": [[name, short(parent)] for name, parent in part(facts, "parents").items()],
        "scores": {
            part(metrics, name).get("label", name): value
            for name, given in part(facts, "outputs", "scores").items()
            if (value := number(given)) is not None
        },
        "curve": curve(folder / "curve.jsonl"),
        "log": last_lines(folder / "log.txt"),
        "gin": str(facts.get("gin", "")),
    }


def curve(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Return each number of a training curve as (step, value), thinned to what a screen can show."""
    points: dict[str, list[tuple[float, float]]] = {}
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    for line in text.splitlines():
        try:
            values = json.loads(line)
            step = float(values.pop("step"))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        for name, given in values.items():
            value = number(given)
            if value is not None and math.isfinite(value):
                points.setdefault(str(name), []).append((step, value))
    return {name: _thinned(own) for name, own in points.items()}


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    every = -(-len(points) // MOST_POINTS)
    # The last point counts: it says where the training is now.
    return points[:: every or 1] + ([points[-1]] if points and (len(points) - 1) % every else [])


def last_lines(path: Path) -> list[str]:
    """Return the last lines of a log, however long it is."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            size = file.tell()
            file.seek(max(0, size - MOST_LOG_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    lines = text.splitlines()
    return (lines[1:] if size > MOST_LOG_BYTES else lines)[-MOST_LINES:]
