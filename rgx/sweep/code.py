"""The code behind the stages of a sweep, asked of the variants that are registered in this process."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.methods import roots
from rgx.registry import find, variants
from rgx.store.drift import Code, variants_in
from rgx.store.source import Sources, combined_digest
from rgx.sweep.tasks import CodeOrigin

FOREIGN = {"site-packages", "dist-packages"}
"""Folders of what was installed, which is named by its version and not followed."""


def present() -> Code:
    """Return the code of all registered variants as it stands; needs the loaded roster."""
    own = {
        variant.key: [base.__module__ for base in variant.cls.__mro__ if base.__module__ != "builtins"]
        for variant in variants()
    }
    modules = {module for names in own.values() for module in names}
    texts = {module: getattr(sys.modules.get(module), "__rgx_source__", None) for module in modules}
    return Code(own, Sources({m: t for m, t in texts.items() if t is not None}, dict(roots()), place_of))


def code_behind(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return {'digest', 'modules': module → digest} of a stage, its variants and all they import of ours.

    record: a stage's resolved parameters; needs the loaded roster. Raises InputError for an unknown variant.
    """
    for key in variants_in(record):
        if "/" not in key:
            raise InputError(f"{key!r} is no variant: expected axis/name")
        find(*key.split("/", 1))
    digests = present().behind(record)
    return {"digest": combined_digest(digests), "modules": digests}


@dataclass(frozen=True)
class PlannedCode:
    """What a run's record says of the code behind its stages: see `rgx.store.records.Invocation`."""

    digests: dict[str, str]
    variants: dict[str, list[str]]
    places: dict[str, str]


def planned_code(origin: CodeOrigin, records: Iterable[Mapping[str, Any]]) -> PlannedCode:
    """Return the code behind stages, and where it lies; records: their resolved parameters."""
    code, files = present(), {name: str(file.parent) for name, file in origin.files}
    digests: dict[str, str] = {}
    variants: dict[str, list[str]] = {}
    for record in records:
        digests |= code.behind(record)
        variants |= {name: list(code.variants[name]) for name in variants_in(record)}
    roots = {module: code.sources.root(module) for module in digests}
    places = {module.partition(".")[0]: str(root) for module, root in roots.items() if root is not None}
    ours = {name: [module for module in own if module in digests] for name, own in variants.items()}
    return PlannedCode(digests, ours, {**places, **files})


def place_of(top: str) -> Path | None:
    """Return the folder that holds an imported top module of a person's own, or None for any other."""
    file = Path(getattr(sys.modules.get(top), "__file__", None) or "")
    foreign = FOREIGN & set(file.parts) or file.is_relative_to(sysconfig.get_path("stdlib"))
    if file.suffix != ".py" or foreign:
        return None
    return file.parents[1] if file.name == "__init__.py" else file.parent
