"""Write a sweep: each panel in each format, pictures, `index.{html,md}`, and where it all came from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from rgx import __version__
from rgx.errors import InputError
from rgx.report import claims_layout, hyperparameters, style
from rgx.report.escape import escape_markdown
from rgx.report.figures.base import Figure, Material
from rgx.report.figures.panel_pictures import of_panel
from rgx.report.formats.base import make_formats
from rgx.report.formats.markdown import appendix, markdown
from rgx.report.gather import Gathered, gather
from rgx.report.page.anchors import INDEX
from rgx.report.page.report_videos import film_of, gather_videos, put_video, remove_videos
from rgx.report.page.write import pages
from rgx.report.pictures import gather_pictures, stack
from rgx.report.results import manifest_path
from rgx.report.summary import absent

RECORD = "provenance.json"
SETTINGS, APPENDIX, CLAIMS = "hyperparameters", "appendix", "claims"


def render(report_file: Path, store: Path, out: Path) -> list[Path]:
    """Write every table of a report from the manifests in the store; returns the paths written.

    Raises InputError for a report, sweep record or manifest that cannot be read; nothing is written then.
    """
    return write(gather(report_file, store), out)


def write(gathered: Gathered, out: Path) -> list[Path]:
    """Write every file of a report; returns their paths."""
    results, panels, store = gathered.results, gathered.panels, gathered.store
    folder = out / gathered.folder
    files = _tables(gathered)
    material = Material(results, store, gathered.drawn)
    drawings = _drawings(gathered, material)
    pictured, pictures = _pictures(gathered, material)
    files["index.md"] = _index(gathered, {*files, *pictures, *drawings})
    content = {name: text.encode() for name, text in files.items()} | drawings | pictures
    videos, more = gather_videos(panels, results, store)
    for table in panels:
        videos[table.name] = film_of(table, material) + videos[table.name]
    remarks = absent(gathered.report, results, panels)
    remarks += [f"{more} more videos are in the store and not on this page."] if more else []
    former = _held(folder).get("files")
    try:
        shown = {name: [put_video(video, folder) for video in own] for name, own in videos.items()}
        carried = [file for own in shown.values() for video in own for file in video.files]
        content |= pages(gathered, remarks, content, pictured, shown)
        names = sorted({*content, *carried})
        paths = save(folder, content) + [folder / name for name in carried]
        remove_videos(former, names, folder)
    except OSError as error:
        raise InputError(f"a video cannot be copied to {folder}: {error.strerror}") from None
    # Last, since it says that the rest is there.
    origin = {**_provenance(gathered), "files": names}
    text = json.dumps(origin, indent=2, ensure_ascii=False) + "\n"
    return paths + save(folder, {RECORD: text.encode()})


def _tables(gathered: Gathered) -> dict[str, str]:
    """Return the texts of all tables in each of the report's formats, by file."""
    results, panels = gathered.results, gathered.panels
    caption = gathered.report.caption or results.sweep.name
    settings = hyperparameters.settings(results, panels, gathered.report.budget)
    files: dict[str, str] = {}
    for form in make_formats(gathered.report.formats):
        files |= {f"{table.name}.{form.suffix}": form.write(table, results) for table in panels}
        if len(panels) > 1:
            files[f"combined.{form.suffix}"] = form.combine(caption, results, gathered.together)
        files[f"{APPENDIX}.{form.suffix}"] = form.append(gathered.appended)
        if gathered.findings:
            files[f"{CLAIMS}.{form.suffix}"] = form.write_claims(gathered.findings)
        if settings.lines:
            files[f"{SETTINGS}.{form.suffix}"] = form.write_settings(settings)
    return {name: text for name, text in files.items() if text}


def stands(gathered: Gathered, out: Path) -> bool:
    """Return whether the last report here is whole and was written from the same definition and numbers."""
    folder = out / gathered.folder
    record = _held(folder)
    files = record.pop("files", None)
    if not isinstance(files, list) or INDEX not in files:
        return False
    same = record == json.loads(json.dumps(_provenance(gathered)))
    return bool(same and all((folder / str(name)).is_file() for name in files))


def _held(folder: Path) -> dict[str, Any]:
    """Return what the last report here said of itself, or nothing."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def save(folder: Path, content: dict[str, bytes]) -> list[Path]:
    """Write files by name, each whole or not at all; raises InputError where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / name, data) for name, data in content.items()]
    except OSError as error:
        raise InputError(f"the report cannot be written to {folder}: {error.strerror}") from None


def _png(page: Image.Image) -> bytes:
    data = BytesIO()
    page.save(data, "png")
    return data.getvalue()


def _pictures(gathered: Gathered, material: Material) -> tuple[dict[str, list[str]], dict[str, bytes]]:
    """Return panel → the labels of the rows whose pictures are shown, and the files that show them.

    A figure draws them where a kind of figure knows the stage; else they are what it left, stacked.
    """
    labels: dict[str, list[str]] = {}
    files: dict[str, bytes] = {}
    for table in gathered.panels:
        if (stage := table.panel.pictures) is None:
            continue
        figure = of_panel(table.name, table.panel)
        if figure is not None and (drawn := _drawn(figure, material)):
            rows = figure.picked(material)[0]
            files |= {f"{table.name}-pictures{suffix}": data for suffix, data in drawn.items()}
        elif paths := gather_pictures(table.name, stage, gathered.results, gathered.store):
            rows = list(paths)
            stacked = stack(paths, {row: table.label(row) for row in table.rows})
            files[f"{table.name}-pictures.png"] = _png(stacked)
        else:
            continue
        labels[table.name] = [table.label(row) if row in table.rows else row for row in rows]
    return labels, files


def _drawn(figure: Figure, material: Material) -> dict[str, bytes]:
    """Return a figure as PDF and PNG by suffix; nothing where it has nothing to show."""
    with style.look():
        drawing = figure.draw(material)
        return style.saved(drawing) if drawing is not None else {}


def _drawings(gathered: Gathered, material: Material) -> dict[str, bytes]:
    """Return the files of the figures that have something to show, as PDF and PNG."""
    files: dict[str, bytes] = {}
    for name, figure in gathered.report.figures.items():
        files |= {f"{name}{suffix}": data for suffix, data in _drawn(figure, material).items()}
        files |= {f"{name}{end}": text.encode() for end, text in figure.tables(material).items()}
    return files


def _index(gathered: Gathered, files: Collection[str]) -> str:
    """Return one page with all panels and figures, and what was skipped; files: the names of the files."""
    report, results, panels = gathered.report, gathered.results, gathered.panels
    seeds = ", ".join(map(str, results.sweep.seeds))
    parts = [f"# {escape_markdown(results.sweep.name)}\n", f"Seeds: {seeds}.\n"]
    parts += [f"- {escape_markdown(line)}\n" for line in absent(report, results, panels)]
    kinds = [form.suffix for form in make_formats(report.formats)]
    for table in panels:
        links = ", ".join(f"[{kind}]({table.name}.{kind})" for kind in kinds)
        name = f"{table.name}-pictures.png"
        shown = f"\n![pictures of {table.name}]({name})\n" if name in files else ""
        links += f", [pictures]({pdf})" if (pdf := f"{table.name}-pictures.pdf") in files else ""
        parts.append(f"## {table.name}\n\n{markdown(table)}{shown}\nFiles: {links}\n")
    if gathered.findings:
        parts.append(f"## Claims\n\n{claims_layout.markdown(gathered.findings)}")
    for name, figure in report.figures.items():
        if f"{name}.png" in files:
            said = escape_markdown(figure.caption)
            texts = [
                f", [{other}]({other})" for other in sorted(files) if other.startswith(f"{name}-effects")
            ]
            links = f"Files: [pdf]({name}.pdf){''.join(texts)}"
            parts.append(f"## {name}\n\n![{name}]({name}.png)\n\n{said}\n\n{links}\n")
        else:
            parts.append(f"## {name}\n\nNothing this figure shows has been measured yet.\n")
    if settings := [
        f"[{kind}]({SETTINGS}.{kind})" for kind in sorted(kinds) if f"{SETTINGS}.{kind}" in files
    ]:
        parts.append(f"## Hyper-parameters\n\nFiles: {', '.join(settings)}\n")
    if notes := appendix(gathered.appended):
        parts.append(f"## Appendix\n\n{notes}")
    return "\n".join(parts)


def _provenance(gathered: Gathered) -> dict[str, Any]:
    """Return, for each row and seed, its stages' keys, its numbers and the stages without a manifest."""
    report, results, panels, store = gathered.report, gathered.results, gathered.panels, gathered.store
    definition = hashlib.sha256(report.model_dump_json().encode()).hexdigest()
    shown = {table.name for table in panels}
    owned: dict[tuple[str, str, int], dict[str, Any]] = {}
    for number in results.measured:
        own = owned.setdefault((number.panel, number.row, number.seed), {})
        own[f"{number.stage}/{number.metric}"] = {"value": number.value, "key": number.key}
    rows = []
    for row in results.sweep.rows:
        if row.panel not in shown:
            continue
        rows.append(
            {
                "row": f"{row.panel}/{row.row}",
                "sweep": results.owner(row.panel).name,
                "seed": row.seed,
                "stages": row.stages,
                "missing": [
                    stage
                    for stage, key in row.stages.items()
                    if not manifest_path(store, stage, key).is_file()
                ],
                "failed": {
                    stage: why
                    for (panel, name, stage), why in results.failures.items()
                    if (panel, name) == (row.panel, row.row)
                },
                "numbers": owned.get((row.panel, row.row, row.seed), {}),
                "drift": {
                    stage: results.drift[stage, key]
                    for stage, key in row.stages.items()
                    if (stage, key) in results.drift
                },
                "imported": sorted(
                    {row.imported, *(results.bundles.get(node, "") for node in row.stages.items())} - {""}
                ),
            }
        )
    return {
        "report": gathered.report_file.name,
        "definition": definition,
        "rgx": __version__,
        "sweep": report.sweep,
        "name": results.sweep.name,
        "rows": rows,
    }


def _write(path: Path, content: bytes) -> Path:
    """Write a file so that no reader ever sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
