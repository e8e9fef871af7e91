"""The two pages of a report as HTML that needs nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from rgx import __version__
from rgx.report import budget, claims_layout, hyperparameters
from rgx.report.formats.base import make_formats
from rgx.report.layout import appended
from rgx.report.page.anchors import INDEX, PROVENANCE, anchors
from rgx.report.page.origins import SHORT_COMMIT, origins, utc_minute
from rgx.report.page.report_videos import ReportVideo
from rgx.report.page.table_view import table_view
from rgx.report.results import finite

if TYPE_CHECKING:
    from rgx.report.gather import Gathered

HERE = Path(__file__).parent
ASSETS = ("page.css", "page.js")
POLICY = (
    "default-src 'none'; style-src 'sha256-{css}'; script-src 'sha256-{js}'; "
    "img-src 'self' file:; media-src 'self' file:; base-uri 'none'; form-action 'none'"
)
"""Only what the pages have: their own style and script, and pictures and videos beside them."""
DENSITY = 2
"""A picture is shown at half its pixels, which is sharp on today's screens."""


@dataclass(frozen=True)
class Picture:
    """A picture of the report, its width and height as it is shown in px, and what it shows in words."""

    file: str
    width: int
    height: int
    words: str


@dataclass(frozen=True)
class Drawing:
    """A figure of the report file and its other files; without a picture nothing has been measured."""

    name: str
    caption: str
    picture: Picture | None
    files: list[str]


def pages(
    gathered: Gathered,
    remarks: Sequence[str],
    content: Mapping[str, bytes],
    pictured: Mapping[str, Sequence[str]],
    videos: Mapping[str, Sequence[ReportVideo]],
) -> dict[str, bytes]:
    """Return `index.html` and `provenance.html`.

    content: the report's files by name; pictured: panel → labels of the rows whose pictures are shown;
    videos: panel → its videos.
    """
    results, tables = gathered.results, gathered.panels
    names = [table.name for table in tables]
    known = anchors(results, names)
    kinds = [form.suffix for form in make_formats(gathered.report.formats)]
    common, rows = origins(results, tables, known)
    views = [table_view(table, known) for table in tables]
    shown = {
        "sweep": results.sweep.name,
        "caption": gathered.report.caption,
        "combined": "combined.tex" if "combined.tex" in content else "",
        "tables": views,
        "has_published": any(line.published for view in views for line in view.lines),
        "kinds": kinds,
        "settings_files": [(k, f) for k in kinds if (f := f"hyperparameters.{k}") in content],
        "reference_line": gathered.words.reference_line,
        "remarks": remarks,
        "claims": [claims_layout.cells(finding) for finding in gathered.findings],
        "claims_caption": claims_layout.caption(gathered.findings),
        "claims_heads": claims_layout.HEADS,
        "claims_files": [(k, f) for k in kinds if (f := f"claims.{k}") in content],
        "facts": _facts(gathered),
        "tex": {name: content[f"{name}.tex"].decode() for name in names if f"{name}.tex" in content},
        "pictures": {name: _pictures(name, labels, content) for name, labels in pictured.items()},
        "videos": videos,
        "drawings": _drawings(gathered, content),
        "settings": hyperparameters.settings(results, tables, gathered.report.budget),
        "budget_heads": budget.HEADS,
        "budget_caption": budget.CAPTION,
        "appendix": [(t.name, t.panel.caption, notes) for t in gathered.appended if (notes := appended(t))],
        "origins": rows,
        "common": common,
        "index": INDEX,
        "provenance": PROVENANCE,
    }
    return {name: _rendered(name, shown) for name in (INDEX, PROVENANCE)}


def _rendered(name: str, shown: Mapping[str, Any]) -> bytes:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # slow to import
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    css, js = ((HERE / asset).read_text(encoding="utf-8") for asset in ASSETS)
    policy = POLICY.format(css=_digest(css), js=_digest(js))
    text = environment.get_template(name).render(shown, css=Markup(css), js=Markup(js), policy=policy)
    return text.encode()


def _digest(text: str) -> str:
    """Return what a content security policy knows an inline style or script by."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _facts(gathered: Gathered) -> list[str]:
    """Return what a reader wants to know first: rows, holes, seeds, artifacts and their hours, code, date."""
    results, tables = gathered.results, gathered.panels
    rows = [cells for table in tables for cells in table.rows.values()]
    whole = sum(all(cell.mean is not None for cell in cells.values()) for cells in rows)
    finished = list(results.manifests.values())
    seconds = sum(finite(manifest.get("seconds")) or 0.0 for manifest in finished)
    commits = {
        str(m["software"]["commit"])[:SHORT_COMMIT]
        for m in finished
        if isinstance(m.get("software"), dict) and m["software"].get("commit")
    }
    last = utc_minute(
        max((s for m in finished if isinstance(s := m.get("started"), (int, float))), default=None)
    )
    seeds = ", ".join(map(str, results.sweep.seeds))
    code = f"code {', '.join(sorted(commits))}" if len(commits) < 4 else f"{len(commits)} commits"
    return [
        f"{len(rows)} rows, {whole} without a hole",
        f"seed{'s' if len(results.sweep.seeds) != 1 else ''} {seeds}",
        f"{len(finished)} artifacts, {_duration(seconds)} to make",
        *([code] if commits else []),
        *([f"last begun {last} UTC"] if last else []),
        f"rgx {__version__}",
    ]


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _pictures(name: str, labels: Sequence[str], content: Mapping[str, bytes]) -> tuple[Picture, str]:
    """Return the picture of a panel's pictures, and the file that has it for print, if there is one."""
    pdf = f"{name}-pictures.pdf" if f"{name}-pictures.pdf" in content else ""
    density = DENSITY if pdf else 1
    words = f"Pictures, one a row: {', '.join(labels)}"
    return _picture(f"{name}-pictures.png", content, density, words), pdf


def _drawings(gathered: Gathered, content: Mapping[str, bytes]) -> list[Drawing]:
    """Return the report's figures, each with the files that are named after it and after no longer name."""
    names = sorted([*gathered.report.figures, *gathered.report.panels], key=len, reverse=True)
    owned: dict[str, list[str]] = {name: [] for name in names}
    for file in content:
        owner = next((name for name in names if file.startswith((f"{name}.", f"{name}-"))), None)
        if owner is not None and not file.endswith(".png"):
            owned[owner].append(file)
    return [
        Drawing(
            name,
            figure.caption,
            _picture(f"{name}.png", content, DENSITY, figure.caption or name)
            if f"{name}.png" in content
            else None,
            owned[name],
        )
        for name, figure in gathered.report.figures.items()
    ]


def _picture(file: str, content: Mapping[str, bytes], density: int, words: str) -> Picture:
    with Image.open(BytesIO(content[file])) as image:
        return Picture(file, image.width // density, image.height // density, words)
