"""The code an artifact was made by, and whether it is still the code that stands here."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rgx.errors import InputError
from rgx.methods import roots
from rgx.registry import find
from rgx.store.differences import flatten
from rgx.store.manifests import Manifest, Manifests
from rgx.store.source import combined_digest, source_digest


def code_behind(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return {'digest', 'modules': module → digest} of a stage, its variants and all they import of ours.

    record: a stage's resolved parameters; needs the loaded roster. Raises InputError for an unknown variant.
    """
    leaves = flatten(record).items()
    keys = {str(value) for path, value in leaves if path.rpartition(".")[2] == "variant"}
    odd = sorted(key for key in keys if "/" not in key)
    if odd:
        raise InputError(f"{odd[0]!r} is no variant: expected axis/name")
    modules = sorted({find(*key.split("/", 1)).cls.__module__ for key in keys})
    own = {m: getattr(sys.modules.get(m), "__rgx_source__", None) for m in modules}
    sources = {module: text for module, text in own.items() if text is not None}
    digests = source_digest(*modules, sources=sources, roots=dict(roots()))
    return {"digest": combined_digest(digests), "modules": digests}


def other_code(manifest: Manifest) -> list[str] | None:
    """Return the modules that differ from those an artifact was made by, or None where it does not say."""
    code = manifest.get("code")
    if not isinstance(code, dict) or not isinstance(code.get("modules"), dict):
        return None
    before = code["modules"]
    try:
        now = code_behind(manifest["record"])["modules"]
    except InputError as error:
        return [str(error)]
    return sorted(m for m in before.keys() | now.keys() if before.get(m) != now.get(m))


def drift(manifests: Manifests, artifacts: Iterable[tuple[str, str]]) -> list[str]:
    """Return one line for each set of changed modules, with the artifacts (stage, key) made by other code."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for stage, key in artifacts:
        manifest = manifests.get(stage, key)
        if manifest is not None and (changed := other_code(manifest)):
            groups.setdefault(tuple(changed), []).append(f"{stage}-{key[:8]}")
    return [
        f"made by other code: {', '.join(names)}; changed since: {', '.join(modules)}"
        for modules, names in groups.items()
    ]
