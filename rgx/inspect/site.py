"""A sweep's report as a folder that any static host serves, with a page of its own for each cell."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.report.gather import Gathered
from rgx.report.render import write
from rgx.store.artifacts import read_object
from rgx.store.cells import pipeline_order, row_key
from rgx.store.keys import definition_of, short
from rgx.store.manifests import Manifests, part
from rgx.store.records import Manifest, SweepRow
from rgx.store.runs import read_runs

MARK = "rgx-site.json"
"""The file by which a folder says that it was written here, and may be written anew."""
NOT_JEKYLL = ".nojekyll"
TEXTS = {".html", ".md", ".json", ".csv", ".tex"}
LOG_LINES = 20
EMBEDDED = re.compile(r"(data:[^\"')\s]+)")
STYLE = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:auto;"
    "padding:1rem}pre{overflow-x:auto;border:1px solid;padding:.5rem}td,th{text-align:left;padding:0 1rem "
    "0 0;overflow-wrap:anywhere}summary{cursor:pointer}"
)


@dataclass(frozen=True)
class Site:
    """What was written: how many files and bytes, and the bytes of the first page alone."""

    files: int
    bytes: int
    first_page_bytes: int


def write_site(gathered: Gathered, folder: Path) -> Site:
    """Write a report as a website; equal stores give equal bytes, and no machine or place is named in it.

    Raises InputError for a folder that is there and was not written by this.
    """
    if folder.exists() and read_object(folder / MARK) is None:
        raise InputError(
            f"{folder} is already there and is no site of `rgx export --site`; give another name"
        )
    if not folder.absolute().parent.is_dir():
        raise InputError(f"there is no folder {folder.absolute().parent}")
    draft = folder.absolute().with_name(f".{folder.name}.{secrets.token_hex(4)}.draft")
    try:
        with tempfile.TemporaryDirectory(prefix="rgx-site-") as scratch:
            write(gathered, Path(scratch))
            shutil.copytree(Path(scratch) / gathered.folder, draft)
        _add_cells(draft, gathered)
        (draft / NOT_JEKYLL).write_text("")
        _forget_places(draft, gathered)
        mark = {"sweep": gathered.results.sweep.name, "files": sorted(_names(draft))}
        (draft / MARK).write_text(json.dumps(mark, indent=1) + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sizes = [(folder / name).stat().st_size for name in _names(folder)]
    return Site(len(sizes), sum(sizes), (folder / "index.html").stat().st_size)


def _names(folder: Path) -> Iterator[str]:
    """Give the path of each file in a folder, in the folder."""
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _add_cells(draft: Path, gathered: Gathered) -> None:
    """Write a page for each cell and one that lists them, and name that on the first page."""
    manifests, rows = Manifests(gathered.store), gathered.results.sweep.rows
    (draft / "cells").mkdir()
    cells: dict[str, list[SweepRow]] = {}
    for row in rows:
        cells.setdefault(f"{definition_of(row.stages)}-{row.seed}.html", []).append(row)
    # Rows that stand for the same cell have one page, which names them all.
    titles = {name: f"{', '.join(map(row_key, same))}, seed {same[0].seed}" for name, same in cells.items()}
    for name, same in cells.items():
        text = _page(titles[name], "".join(_cell(same[0], manifests)))
        (draft / "cells" / name).write_text(text, encoding="utf-8")
    listed = "".join(f'<li><a href="{name}">{escape(title)}</a></li>' for name, title in titles.items())
    links = f"<ul>{listed}</ul>"
    (draft / "cells" / "index.html").write_text(_page("Cells", links, "../index.html"), encoding="utf-8")
    first = draft / "index.html"
    head, end, tail = first.read_text(encoding="utf-8").rpartition("</main>")
    link = '<p><a href="cells/index.html">Every cell: configuration, code, environment, log</a></p>'
    first.write_text(f"{head}{link}{end}{tail}", encoding="utf-8")


def _page(title: str, body: str, up: str = "index.html") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f'<p><a href="{up}">Back</a></p><h1>{escape(title)}</h1>{body}</main></body></html>\n'
    )


def _cell(row: SweepRow, manifests: Manifests) -> Iterator[str]:
    """Yield what is known of each stage of a cell, parents first."""
    for stage in pipeline_order(row.stages, manifests):
        manifest = manifests.get(stage, row.stages[stage])
        yield f"<h2>{escape(stage)} {short(row.stages[stage])}</h2>"
        if manifest is None:
            yield "<p>Not in the store.</p>"
            continue
        yield from _stage(manifest, manifests.folder(stage, row.stages[stage]))


def _stage(manifest: Manifest, folder: Path) -> Iterator[str]:
    scores = part(manifest, "outputs", "scores")
    numbers = "".join(f"<tr><td>{escape(m)}</td><td>{json.dumps(v)}</td></tr>" for m, v in scores.items())
    yield f"<table>{numbers}</table>" if numbers else ""
    facts: dict[str, Any] = {
        "Record": manifest["record"],
        "Files": manifest.get("files", {}),
        "Code": part(manifest, "code", "modules"),
        "Environment": part(manifest, "software") | ({"gpu": gpu} if (gpu := manifest.get("gpu")) else {}),
    }
    for title, content in facts.items():
        yield _folded(title, json.dumps(content, indent=1, sort_keys=True))
    yield _folded("Gin", manifest.get("gin", "not recorded"))
    for title, name in (("Log, its end", "log.txt"), ("Curve, its end", "curve.jsonl")):
        if (folder / name).is_file():
            lines = (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
            yield _folded(title, "\n".join(lines[-LOG_LINES:]))


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary><pre>{escape(text)}</pre></details>"


def _forget_places(draft: Path, gathered: Gathered) -> None:
    """Take the names of machines and of their folders out of every text of a site."""
    manifests = Manifests(gathered.store)
    runs = read_runs(gathered.store, gathered.results.sweep.name)
    rows = gathered.results.sweep.rows
    behind = [m for row in rows for node in row.stages.items() if (m := manifests.get(*node))]
    hosts = {host for m in behind if (host := m.get("host"))} | {run.host for run in runs if run.host}
    places = {str(Path.home()), str(Path.cwd()), str(gathered.store.resolve()), tempfile.gettempdir()}
    places |= {place for run in runs for place in run.places.values()}
    longest = sorted((place for place in places if len(place) > 1), key=len, reverse=True)
    words = [rf"{re.escape(place)}(?![\w-])" for place in longest]
    words += [rf"(?<![\w-]){re.escape(host)}(?![\w-])" for host in sorted(hosts, key=len, reverse=True)]
    pattern = re.compile("|".join(words))
    for path in (draft / name for name in sorted(_names(draft))):
        if path.suffix in TEXTS:
            pieces = EMBEDDED.split(path.read_text(encoding="utf-8"))
            pieces[::2] = [pattern.sub("…", piece) for piece in pieces[::2]]
            path.write_text("".join(pieces), encoding="utf-8")
