"""Write a sweep: `<out>/<sweep>/<panel>.{tex,md,csv}`, frames, `index.md` and `provenance.json`."""

from __future__ import annotations

import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from rgx.errors import InputError, nearest
from rgx.report import tables
from rgx.report.definition import Report, load, sweep_name
from rgx.report.frames import Results, manifest_path
from rgx.report.frames import load as load_results
from rgx.report.statistics import Table, assemble
from rgx.report.strips import stack


def render(report_file: Path, store: Path, out: Path) -> list[Path]:
    """Write every table of a report from the manifests in the store; returns the paths written.

    Raises InputError for a report, sweep record or manifest that cannot be read; nothing is written then.
    """
    report, results, panels = _gather(report_file, store)
    folder = out / results.sweep.name
    files: dict[str, str] = {}
    for table in panels:
        files[f"{table.name}.tex"] = tables.latex(table, results)
        files[f"{table.name}.md"] = tables.markdown(table)
        files[f"{table.name}.csv"] = tables.csv(table, results)
    pictures = {
        f"{table.name}-frames.png": page
        for table in panels
        if table.panel.frames
        and (page := stack(table.name, table.panel.frames, _labels(table), results, store)) is not None
    }
    files["index.md"] = _index(report, results, panels, list(pictures))
    origin = _provenance(report_file, report, results, panels, store)
    files["provenance.json"] = json.dumps(origin, indent=2, ensure_ascii=False) + "\n"
    content = {name: text.encode() for name, text in files.items()}
    content |= {name: _png(page) for name, page in pictures.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / name, held) for name, held in content.items()]
    except OSError as error:
        raise InputError(f"the report cannot be written to {folder}: {error.strerror}") from None


def terminal_summary(report_file: Path, store: Path) -> str:
    """Return the tables of a report for a terminal."""
    report, results, panels = _gather(report_file, store)
    parts = [tables.terminal(table) for table in panels]
    if panels:
        parts.append("* best, + second best, (in brackets) published")
    return "\n\n".join([*parts, *_remarks(report, results, panels)])


def _gather(report_file: Path, store: Path) -> tuple[Report, Results, list[Table]]:
    """Read everything and build the panels that the sweep has."""
    report = load(report_file)
    results = load_results(store, sweep_name(report, report_file))
    panels = [assemble(name, panel, results) for name, panel in report.panels.items() if results.rows(name)]
    return report, results, panels


def _remarks(report: Report, results: Results, panels: list[Table]) -> list[str]:
    """Return a line for each panel, row or column that the report and the sweep do not share."""
    swept = list(dict.fromkeys(row.panel for row in results.sweep.rows))
    shown = [table.name for table in panels]
    lines = [
        f"Panel {name} is in the report but not in the sweep; skipped."
        for name in report.panels
        if name not in shown
    ]
    lines += [
        f"Panel {name} is in the sweep but not in the report; not shown."
        for name in swept
        if name not in report.panels
    ]
    for table in panels:
        rows = results.rows(table.name)
        named = {*table.panel.published, *table.panel.labels, *filter(None, [table.panel.ours])}
        lines += [
            f"Panel {table.name}: row '{row}' is not in the sweep; {nearest(row, rows)}"
            for row in sorted(named - set(rows))
        ]
        measured = sorted(set(results.frame.loc[results.frame["panel"] == table.name, "metric"]))
        lines += [
            f"Panel {table.name}: column '{column}' is in no finished manifest; {nearest(column, measured)}"
            for column in table.columns
            if measured and results.numbers(table.name, column).empty
        ]
    return lines


def _labels(table: Table) -> dict[str, str]:
    return {row: table.label(row) for row in table.rows}


def _png(page: Image.Image) -> bytes:
    held = BytesIO()
    page.save(held, "png")
    return held.getvalue()


def _index(report: Report, results: Results, panels: list[Table], pictures: list[str]) -> str:
    """Return one page with all panels, and what was skipped."""
    seeds = ", ".join(map(str, results.sweep.seeds))
    parts = [f"# {tables.escape_markdown(results.sweep.name)}\n", f"Seeds: {seeds}.\n"]
    parts += [f"- {tables.escape_markdown(line)}\n" for line in _remarks(report, results, panels)]
    for table in panels:
        links = ", ".join(f"[{kind}]({table.name}.{kind})" for kind in ("tex", "md", "csv"))
        shown = (
            f"\n![frames of {table.name}]({name})\n"
            if (name := f"{table.name}-frames.png") in pictures
            else ""
        )
        parts.append(f"## {table.name}\n\n{tables.markdown(table)}{shown}\nFiles: {links}\n")
    return "\n".join(parts)


def _provenance(
    report_file: Path, report: Report, results: Results, panels: list[Table], store: Path
) -> dict[str, Any]:
    """Return, for each row and seed, its stages' keys, its numbers and the stages without a manifest."""
    shown = {table.name for table in panels}
    rows = []
    for row in results.sweep.rows:
        if row.panel not in shown:
            continue
        frame = results.frame
        own = frame[(frame["panel"] == row.panel) & (frame["row"] == row.row) & (frame["seed"] == row.seed)]
        rows.append(
            {
                "row": f"{row.panel}/{row.row}",
                "seed": row.seed,
                "stages": row.stages,
                "missing": [
                    stage
                    for stage, key in row.stages.items()
                    if not manifest_path(store, stage, key).is_file()
                ],
                "numbers": {
                    f"{item['stage']}/{item['metric']}": {"value": item["value"], "key": item["key"]}
                    for item in own.to_dict("records")
                },
            }
        )
    return {"report": report_file.name, "sweep": report.sweep, "name": results.sweep.name, "rows": rows}


def _write(path: Path, content: bytes) -> Path:
    """Write a file so that no reader ever sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
