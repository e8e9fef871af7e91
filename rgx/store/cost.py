"""The processor seconds that artifacts took to make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rgx.store.manifests import Manifests, number


def cpu_seconds_of(manifest: Mapping[str, Any] | None) -> float | None:
    """Return the CPU seconds of the process that made an artifact, all its threads, or None if not told.

    Of a stage that went on from a checkpoint they are those of the last piece.
    """
    return None if manifest is None else number(manifest.get("cpu_seconds"))


def cpu_seconds_by_key(store: Manifests, artifacts: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Return by key the CPU seconds of those of (stage, key) that a store has and that tell them."""
    by_key = {key: cpu_seconds_of(store.get(stage, key)) for stage, key in artifacts}
    return {key: seconds for key, seconds in by_key.items() if seconds is not None}


def in_words(cpu_seconds: float) -> str:
    """Return CPU seconds as a line of text ends with them: '1,742 CPU s'."""
    return f"{cpu_seconds:,.0f} CPU s"
