"""Keys and manifests of hand-written artifacts: made of nothing but a name, and true to what they say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from rgx.store.keys import key_of

_KEYS: dict[str, str] = {}
_FACTS: dict[str, dict[str, Any]] = {}


def digest(text: str, parents: Mapping[str, str] | None = None, fingerprint: str = "") -> str:
    """Return the key of an artifact by its name; what it is made of is told where it is named first."""
    if parents is None and not fingerprint and text in _KEYS:
        return _KEYS[text]
    version = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
    made_of = {"version": version, "parents": dict(parents or {}), "fingerprint": fingerprint, "seed": None}
    _KEYS[text] = key_of({}, version, made_of["parents"], fingerprint, None)
    _FACTS[_KEYS[text]] = made_of
    return _KEYS[text]


def manifest_of(stage: str, key: str, **more: Any) -> dict[str, Any]:
    """Return what the manifest of a key from `digest` says; its record may hold anything beside."""
    return {"stage": stage, "key": key, "record": {}, "identity": {}, "outputs": {}, **_FACTS[key], **more}
