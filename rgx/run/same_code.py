"""A worker whose code is not the driver's refuses the stage, before any of it runs."""

from __future__ import annotations

import importlib.util
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rgx.bindings import variants_in
from rgx.errors import InputError
from rgx.methods import roots
from rgx.store.source import ROOT, source_digest
from rgx.sweep.code import code_behind

WORKER = "rgx.run.worker"
"""What runs every stage, and imports all of rgx that decides how."""


def code_of_runs(records: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return name → module → digest of what decides what stages leave: behind them, and what runs them.

    records: the resolved parameters of each; needs the loaded roster.
    """
    runs = source_digest(WORKER, roots=dict(roots()))
    behind: dict[frozenset[str], dict[str, str]] = {}
    codes = {}
    for name, record in records.items():
        variants = frozenset(variants_in(record))
        if variants not in behind:
            behind[variants] = code_behind(record)["modules"]
        codes[name] = {**runs, **behind[variants]}
    return codes


def refuse_other_code(task: Mapping[str, Any]) -> None:
    """Raise InputError with this node's name and the modules that are not here what they were in the plan.

    task: a message with the planned digests as `code`; nothing is imported.
    """
    planned: Mapping[str, str] = task.get("code", {})
    folders = {method["name"].partition(".")[0]: method["folder"] for method in task["methods"]}
    plugins = dict(task["plugins"])
    places = dict(_places({name.partition(".")[0] for name in planned if name not in plugins}, folders))
    digests = source_digest(*planned, sources=plugins, roots=places)
    changed = sorted(name for name, digest in planned.items() if digests.get(name) != digest)
    if changed:
        tops = {name.partition(".")[0] for name in changed}
        where = ", ".join(sorted(str(place) for top, place in places.items() if top in tops))
        raise InputError(
            f"node {socket.gethostname()} has other code than the sweep was planned with"
            f"{f', in {where}' if where else ''}: {', '.join(changed)}; every node needs the rgx and the "
            "methods of the driver, and after an edit the same command plans anew"
        )


def _places(packages: Iterable[str], folders: Mapping[str, str]) -> Iterable[tuple[str, Path]]:
    """Give (package, the folder that holds it here), as an import would find it; folders: the driver's."""
    for name in packages:
        path = getattr(sys.modules.get(name), "__file__", None)
        if name == "rgx":
            yield name, ROOT
        elif path is not None:
            yield name, Path(path).parents[1]
        elif Path(folders.get(name, ""), name).is_dir() and name in folders:
            yield name, Path(folders[name])
        elif (spec := importlib.util.find_spec(name)) is not None and spec.submodule_search_locations:
            yield name, Path(next(iter(spec.submodule_search_locations))).parent
