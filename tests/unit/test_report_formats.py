"""Formats of tables: the framework's own, a user's in a file or a method, and what cannot be one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from keyed import digest, manifest_of
from little import command

from rgx.errors import InputError
from rgx.report.gather import gather
from rgx.report.render import render
from rgx.report.summary import summary

TYPST = '''
"""Tables in Typst."""

from rgx.registry import register
from rgx.report.formats.base import Format
from rgx.report.layout import ARROWS, Style, body, caption, footnotes, heads


def escape(text):
    """Return text that Typst prints as it is written."""
    return "".join(f"\\\\{letter}" if letter in "\\\\#*_`$<>@[]~" else letter for letter in text)


MARKS = {"best": "*%s*", "second": "#underline[%s]", "": "%s"}
STYLE = Style(escape, MARKS, "#text(gray)[%s]", " (%s)", ARROWS, "†", "✓")


@register("format", "NAME", label="Typst")
class Typst(Format):
    """A figure to include in a document."""

    suffix = "typ"

    def write(self, table, results):
        """Return a figure with a table, its notes under it."""
        top = ["", *heads(table, STYLE)]
        lines = [", ".join(f"[{cell}]" for cell in line) for line in [top, *body(table, STYLE)]]
        cells = "\\n".join(f"  {line}," for line in lines)
        notes = "".join(f"\\n\\n{escape(note)}" for note in footnotes(table))
        grid = f"table(columns: {len(top)},\\n{cells}\\n)"
        return f"#figure(caption: [{escape(caption(table))}],\\n{grid}) <{table.name}>{notes}\\n"
'''


def make(root: Path, direction: str = "down", stages: tuple[str, ...] = (), **fields: Any) -> Path:
    """Write a store with two rows at two seeds, and its report; each seed has other artifacts in `stages`."""
    rows = []
    for row, scores in {"plain": [0.5, 0.6], "fu_ll": [0.3, 0.1]}.items():
        for seed, score in enumerate(scores):
            key = digest(f"scores {len(rows)}")
            nodes = dict.fromkeys(stages, "9a"[seed] * 64) | {"scores": key}
            rows.append({"panel": "a", "row": row, "seed": seed, "stages": nodes})
            about = {"label": "Error", "direction": direction, "decimals": 2}
            outputs = {"scores": {"e": score}, "references": {"e": 0.2}, "metrics": {"e": about}}
            folder = root / "store" / "scores" / key[:16]
            folder.mkdir(parents=True)
            (folder / "manifest.json").write_text(json.dumps(manifest_of("scores", key, outputs=outputs)))
    record = {"name": "small", "seeds": [0, 1], "rows": rows}
    (root / "store" / "sweeps").mkdir()
    (root / "store" / "sweeps" / "small.json").write_text(json.dumps(record))
    panel = {"caption": "Errors.", "columns": ["e"], "ours": "fu_ll"}
    (root / "reports").mkdir()
    report = root / "reports" / "small.yaml"
    report.write_text(yaml.safe_dump({"sweep": "small.yaml", "panels": {"a": panel}} | fields))
    return report


def files(report: Path) -> dict[str, str]:
    """Render a report of `make` and read its files."""
    root = report.parents[1]
    return {p.name: p.read_text(encoding="utf-8") for p in render(report, root / "store", root / "out")}


def package(root: Path, name: str, described: str, room: str) -> None:
    """Write a method of one room that registers what a report needs."""
    (root / "pyproject.toml").write_text("")
    (root / name).mkdir()
    text = f"from rgx.methods import Method\nfrom rgx.words import Words\n\nMETHOD = Method({described})\n"
    (root / name / "__init__.py").write_text(text)
    (root / name / "formats.py").write_text(room)


def test_a_users_file_adds_a_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = make(tmp_path, formats=["csv", "typst"])
    (tmp_path / "typst_tables.py").write_text(TYPST.replace("NAME", "typst"))
    assert len(TYPST.splitlines()) <= 40
    options = ("--store", str(tmp_path / "store"), "--out", str(tmp_path / "out"))
    assert command("report", str(report), *options, "--import", str(tmp_path / "typst_tables.py")) == 0
    assert "6 files" in capsys.readouterr().out
    folder = tmp_path / "out" / "small"
    text = (folder / "a.typ").read_text()
    assert text.startswith("#figure(caption: [Errors. Mean ± sample standard deviation over n = 2 seeds;")
    assert "table(columns: 2,\n  [], [Error ↓],\n  [Real], [0.20],\n" in text
    assert "  [plain], [#underline[0.55] ± 0.07],\n  [fu\\_ll (ours)], [*0.20* ± 0.14],\n)) <a>" in text
    assert sorted(p.name for p in folder.iterdir()) == [
        *("a.csv", "a.typ", "index.html", "index.md", "provenance.html", "provenance.json")
    ]
    assert "Files: [csv](a.csv), [typ](a.typ)" in (folder / "index.md").read_text()
    page = (folder / "index.html").read_text()
    assert 'href="a.typ"' in page and "a.tex" not in page and "LaTeX</summary>" not in page


def test_a_method_adds_a_format_and_says_what_its_reference_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    words = 'Words(reference="the teacher", reference_line="Teacher", instruments=("probe",))'
    package(tmp_path, "taught", f'figures=("formats",), words={words}', TYPST.replace("NAME", "typst_taught"))
    fields: dict[str, Any] = {"method": "taught", "formats": ["latex", "markdown", "csv", "typst_taught"]}
    written = files(make(tmp_path, "reference", ("probe",), **fields))
    assert "  [Teacher], [0.20],\n" in written["a.typ"] and "\nTeacher & 0.20 " in written["a.tex"]
    note = "→ marks a measure that is better the nearer it is to that of the teacher."
    probe = "Probe: 9999999999999999, aaaaaaaaaaaaaaaa. One probe a seed: numbers measured with it "
    assert note in written["a.md"] and f"{probe}compare within a seed." in written["a.md"]
    head, *lines = written["a.csv"].splitlines()
    assert head.endswith(",key,probe") and [line[-1] for line in lines] == ["9", "a", "9", "a"]
    assert "nearer to the teacher is better" in written["index.html"]
    assert '<th scope="col">Teacher</th>' in written["provenance.html"]


def test_a_method_without_words_has_plain_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    package(tmp_path, "silent", "", "")
    written = files(make(tmp_path, "reference", ("judge",), method="silent"))
    assert "\n| Reference " in written["a.md"] and "that of the reference." in written["a.md"]
    assert "Judge" not in written["a.md"] and written["a.csv"].splitlines()[0].endswith(",stage,key")


def test_a_direction_of_an_earlier_version_is_read_as_it_is_called_now(tmp_path: Path) -> None:
    report = make(tmp_path, "real")
    gathered = gather(report, tmp_path / "store")
    assert gathered.results.metrics["scores/e"].direction == "reference"
    assert "0.20 ± 0.14*" not in summary(gathered) and "0.20* ± 0.14" in summary(gathered)
    manifest = next((tmp_path / "store" / "scores").glob("*/manifest.json"))
    manifest.write_text(manifest.read_text().replace('"real"', '"sideways"'))
    with pytest.raises(InputError, match=r"'direction' is 'sideways': expected 'down', 'up' or 'reference'"):
        gather(report, tmp_path / "store")


WRONG = {
    "unknown": (["latx"], "'latx' is no format of tables; did you mean 'latex'?"),
    "twice": (["csv", "csv"], "format 'csv': another of the report's formats writes .csv too"),
    "none": ([], "'formats' is a list of 0: expected at least 1"),
    "no ending": (["wrong_suffix"], "its suffix is '../x', expected letters and digits"),
    "no format": (["wrong_class"], "NoFormat is no Format with a `write` of its own"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_a_format_is_refused_with_its_line(tmp_path: Path, case: str) -> None:
    from rgx.registry import register
    from rgx.report.formats.base import Format

    @register("format", "wrong_suffix")
    class Wrong(Format):
        """A format whose files would lie elsewhere."""

        suffix = "../x"

        def write(self, table: Any, results: Any) -> str:
            return ""

    @register("format", "wrong_class")
    class NoFormat:
        """Something else."""

    formats, message = WRONG[case]
    report = make(tmp_path, formats=formats)
    with pytest.raises(InputError) as refused:
        gather(report, tmp_path / "store")
    assert message in str(refused.value) and f"{report}:1" in str(refused.value)
