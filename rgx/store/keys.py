"""Identity: what makes two stages the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SHORT = 16


def key_of(
    record: Mapping[str, Any],
    version: int,
    parents: Mapping[str, str],
    fingerprint: str = "",
    seed: int | None = None,
) -> str:
    """Return the SHA-256 (64 hex) over the canonical JSON of everything a stage's result depends on.

    record: the stage's resolved parameters, defaults included; parents: stage → key.
    """
    identity = {
        "record": record,
        "version": version,
        "parents": dict(parents),
        "data": fingerprint,
        "seed": seed,
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def short(key: str) -> str:
    """Return the beginning of a key: enough for a folder's name and for a person."""
    return key[:SHORT]
