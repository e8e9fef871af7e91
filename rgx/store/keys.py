"""Identity: what makes two stages the same."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

SHORT = 16
UNNAMED = 2
"""The most entries that an identity leaves out of a record in a manifest that does not give the identity."""


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


def definition_of(keys: Mapping[str, str]) -> str:
    """Return what a row is whatever its seed: a digest of the keys of its stages at one and the same seed."""
    return short(key_of(keys, 0, {}, "", None))


def short(key: str) -> str:
    """Return the beginning of a key: enough for a folder's name and for a person."""
    return key[:SHORT]


def is_part(identity: Any, record: Any) -> bool:
    """Return whether everything an identity says stands in a record too, which may say more."""
    if isinstance(identity, Mapping) and isinstance(record, Mapping):
        return all(name in record and is_part(value, record[name]) for name, value in identity.items())
    return _text(identity) == _text(record)


def key_fault(manifest: Mapping[str, Any]) -> str:
    """Return why a manifest's key is not that of what it says it was made of, or nothing.

    A manifest without `identity` is of an older store: its key must be that of its record, whole or with up
    to UNNAMED entries left out, which is a proof too, as no other identity hashes to the same key.
    """
    try:
        if "identity" in manifest and not is_part(manifest["identity"], manifest["record"]):
            return "its identity is no part of its record"
        facts = manifest["version"], manifest["parents"], manifest["fingerprint"], manifest["seed"]
        if any(key_of(identity, *facts) == manifest["key"] for identity in _identities(manifest)):
            return ""
    except KeyError as error:
        return f"its manifest lacks {error.args[0]!r}"
    except (TypeError, ValueError, RecursionError):
        return "its manifest holds what no key is made of"
    return "its record, version, parents, fingerprint and seed do not hash to its key"


def _identities(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what may have been hashed as the identity of a manifest."""
    if "identity" in manifest:
        yield manifest["identity"]
        return
    record = manifest["record"]
    for count in range(UNNAMED + 1):
        for names in itertools.combinations(record, count):
            yield {name: value for name, value in record.items() if name not in names}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
