"""Tables as LaTeX: they compile in a two-column class, whatever a label holds, and say what was tested."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_report import ROOT
from test_report_figures import STEPS, fill

from rgx.errors import InputError
from rgx.report.blocks import Block, packed
from rgx.report.combined import GAP_PT, WIDTH_PT, Box, combined, floats, lettered
from rgx.report.definition import load
from rgx.report.escape import escape_tex
from rgx.report.macros import PREAMBLE
from rgx.report.panel import Panel
from rgx.report.pdf import render_pdf
from rgx.report.quoted import Quoted
from rgx.report.results import Measured, MetricFacts, Results, Run, SweepRow
from rgx.report.statistics import TableCell, assemble
from rgx.report.tex import latex
from rgx.report.tex_style import STYLE, broken
from rgx.report.typeset import typeset
from rgx.yaml_values import Written

needs_pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
CLASS = [r"\documentclass[10pt,twocolumn]{article}", *PREAMBLE]
SPECIAL = r"#$%&~_^\{}[]<>|*`'\"!?;:@/ -- ±–—→†‡≈≤×µ²λΩ é ß Ł"
SCORES = {"fgd": MetricFacts(label="FGD", direction="down", decimals=2, protocol="test windows of 80 frames")}
FGD = SCORES["fgd"]
SCORES["pcm"] = MetricFacts(label="PCM", direction="up", decimals=3)
SCORES["div"] = MetricFacts(label="Div.", direction="reference", decimals=2, unit="px")


def digest(text: str) -> str:
    """Return a key of the store's shape."""
    return hashlib.sha256(text.encode()).hexdigest()


def results_of(
    panel: str, values: Mapping[tuple[str, int], Mapping[str, float]], metrics: Mapping[str, MetricFacts]
) -> Results:
    """Return the results of one panel from (row, seed) → metric → value."""
    rows = [
        SweepRow(panel=panel, row=row, seed=seed, stages={"motion_scores": digest(f"{row}{seed}")})
        for row, seed in values
    ]
    lines = [
        Measured(panel, row, seed, "motion_scores", metric, value, 14.0, digest(f"{row}{seed}"))
        for (row, seed), own in values.items()
        for metric, value in own.items()
    ]
    sweep = Run(name="made_up", seeds=sorted({seed for _, seed in values}), rows=rows)
    known = {f"motion_scores/{name}": metric for name, metric in metrics.items()}
    return Results(sweep, lines, known)


def compiled(folder: Path, tables: list[str]) -> str:
    """Compile tables in a two-column article, twice, and return the log."""
    lines = [*CLASS, r"\begin{document}", *tables, r"See \ref{tab:3b}.", r"\end{document}"]
    return [log_of(folder, lines) for _ in range(2)][-1]


def log_of(folder: Path, lines: list[str]) -> str:
    """Compile a document once and return the log."""
    (folder / "paper.tex").write_text("\n".join(lines), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "paper.tex"]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=60)
    return (folder / "paper.log").read_text(encoding="latin-1")


def faults(log: str) -> list[str]:
    """Return the errors, undefined references, missing letters and boxes over 2 pt too wide of a log."""
    found = re.findall(r"^! .*|.*undefined.*|^Missing character.*", log, re.MULTILINE)
    wide = re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)
    return found + [f"{width} pt too wide" for width in wide if float(width) > 2]


def rows_of(labels: list[str], seeds: int, metrics: list[str], holes: tuple[int, ...] = ()) -> dict[Any, Any]:
    return {
        (label, seed): dict.fromkeys(metrics, 100.0 * i + seed * (1 + i % 3) - 7)
        for i, label in enumerate(labels)
        for seed in range(seeds)
        if i not in holes
    }


def table_of(
    name: str, values: dict[Any, Any], panel: dict[str, Any], metrics: dict[str, MetricFacts]
) -> str:
    results = results_of(name, values, metrics)
    made = Panel.model_validate({"caption": "All of it.", "columns": list(metrics)} | panel)
    return latex(assemble(name, made, results))


@pytest.mark.slow
@needs_pdflatex
def test_tables_compile_whatever_their_labels_hold(tmp_path: Path) -> None:
    nasty = [SPECIAL, "long " * 30, "unbreakable_" * 9, "手 \U0001f44b \x00\x07", "%", "\\", "a\nb", "ours"]
    wide = {
        f"metric_{i}_of_a_very_long_name": MetricFacts(
            label=f"Reconstruction & score_{i}", unit="%", stand_in=True
        )
        for i in range(9)
    }
    wide["video_dover_technical"] = MetricFacts(label="video_dover_technical ofincomprehensibilities")
    published = {label: {"fgd": 1234.56789, "pcm": -0.5} for label in [*nasty[:3], "not in the sweep"]}
    tables = [
        table_of(
            "3b",
            rows_of(nasty, 3, ["fgd", "pcm", "div"], holes=(2,)),
            {
                "ours": "ours",
                "published": published,
                "note": SPECIAL + " " + "x" * 400,
                "caption": SPECIAL * 9,
            },
            SCORES,
        ),
        table_of("wide", rows_of(nasty, 12, list(wide)), {"ours": "%"}, wide),
        table_of("one", rows_of(["a", "b"], 1, ["fgd"]), {"ours": "b", "components": {"b": nasty}}, SCORES),
        table_of("none", {}, {"published": {"a": {"fgd": 1.0}}}, SCORES),
    ]
    assert faults(compiled(tmp_path, tables)) == []


@needs_pdflatex
@pytest.mark.slow
def test_every_letter_of_europe_compiles(tmp_path: Path) -> None:
    letters = [chr(code) for code in [*range(0x250), *range(0x370, 0x400), *range(0x2000, 0x2300), 0xFFFD]]
    lines = [rf"\noindent {escape_tex(letter)}\par" for letter in letters]
    assert faults(compiled(tmp_path, ["\\label{tab:3b}", *lines])) == []


@given(st.decimals(-(10**6), 10**6, places=3), st.integers(0, 3))
def test_a_published_number_keeps_the_digits_it_was_written_with(value: Decimal, places: int) -> None:
    written = f"{value:.{places}f}"
    text = STYLE.published(TableCell(published=Written(written)), MetricFacts(label="FGD", decimals=4))
    assert text == rf"\rgxpublished{{{written}}}".replace("{-", "{$-$")
    text = STYLE.published(TableCell(published=abs(float(value))), MetricFacts(label="FGD"))
    assert text == rf"\rgxpublished{{{abs(float(value))!r}}}"


@pytest.mark.parametrize(
    ("cell", "metric", "said"),
    [
        (
            TableCell(27.0, published=Written("27.20"), alike=True),
            FGD,
            r"\rgxpublished{27.20}\rgxdelta{$-$0.20}",
        ),
        (
            TableCell(27.25, published=Written("27.2"), alike=True),
            FGD,
            r"\rgxpublished{27.2}\rgxdelta{$+$0.05}",
        ),
        (TableCell(27.0, published=Written("27"), alike=True), FGD, r"\rgxpublished{27}\rgxdelta{$+$0.00}"),
        (TableCell(27.0, published=27.5), FGD, r"\rgxpublished{27.5}"),
        (TableCell(None, published=27.5, alike=True), FGD, r"\rgxpublished{27.5}"),
        (
            TableCell(27.0, published=Quoted("26.5", "0.30"), alike=True),
            FGD,
            r"\rgxpublished{26.5\rgxspread{0.30}}\rgxdelta{$+$0.50}",
        ),
        (TableCell(27.0, published=27.5, alike=True, compared=False), FGD, r"\rgxpublished{27.5}"),
        (TableCell(27.0), FGD, ""),
    ],
)
def test_a_published_number_says_how_far_ours_is_above_it(
    cell: TableCell, metric: MetricFacts, said: str
) -> None:
    assert STYLE.published(cell, metric) == said


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("FGD", ["FGD"]),
        ("PSNR (of the hands) (dB)", ["PSNR (of the", "hands) (dB)"]),
        ("video_dover_technical", ["video_dover_", "technical"]),
        ("", [""]),
        ("x" * 40, ["x" * 17, "x" * 17, "x" * 6]),
    ],
)
def test_heads_break_between_words_and_after_underscores(words: str, lines: list[str]) -> None:
    assert broken(words, 16) == lines


def test_a_long_head_stands_over_the_middle_of_its_column() -> None:
    metric = MetricFacts(label="PSNR (of the hands)", unit="dB", direction="up")
    assert STYLE.head(metric) == r"\shortstack{PSNR (of the\\hands) (dB) $\uparrow$}"
    assert STYLE.head(FGD) == r"FGD $\downarrow$"


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)), min_size=1, max_size=5), st.integers(0, 4)
)
@pytest.mark.slow
def test_a_column_holds_the_longest_number_before_and_after_the_point(
    numbers: list[tuple[float, float]], decimals: int
) -> None:
    values = {(f"row {i}", 0): {"fgd": ours} for i, (ours, _) in enumerate(numbers)}
    published = {f"row {i}": {"fgd": theirs} for i, (_, theirs) in enumerate(numbers)}
    grid = table_of(
        "3b", values, {"published": published}, {"fgd": MetricFacts(label="FGD", decimals=decimals)}
    )
    shape = re.search(r"rgxcell\{(\$-\$)?(0+)", grid)
    assert shape is not None
    pads = re.findall(r"& (?:\\rgxpad\{(\$-\$)?(0*)\})?(?:\\rgx\w+\{)?(\$-\$)?(\d+)[.\d]*", grid)
    assert len(pads) == 2 * len(numbers) + 1  # the line of the reference
    for missing, zeros, minus, whole in pads:
        assert bool(missing or minus) == bool(shape[1]) and not (missing and minus)
        assert len(zeros) + len(whole) == len(shape[2])
    assert bool(shape[1]) == any(minus for _, _, minus, _ in pads)
    assert len(shape[2]) == max(len(whole) for _, _, _, whole in pads)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            TableCell(1.5, 0.25, 3, mark="best", p=0.01),
            r"\rgxbest{1.50}\rgxspread{0.25}\rgxdiffers{}",
        ),
        (TableCell(1.5, None, 3, mark="best"), r"\rgxbest{1.50}"),
        (TableCell(-1.5, None, 1, mark="second"), r"\rgxsecond{$-$1.50}~(n=1)"),
        (TableCell(1.5, 0.25, 3, p=0.05), r"1.50\rgxspread{0.25}"),
        (TableCell(), "--"),
        (TableCell(-0.001, 0.0, 3), r"0.00\rgxspread{0.00}"),
    ],
)
def test_cells_by_hand(cell: TableCell, said: str) -> None:
    assert STYLE.measured(cell, 2, 3) == said


@needs_pdflatex
def test_the_log_reader_finds_faults(tmp_path: Path) -> None:
    log = compiled(tmp_path, [r"\noindent\rule{2\linewidth}{1pt} \ref{nothing} \nonsense"])
    found = " ".join(faults(log))
    assert "too wide" in found and "undefined" in found and "Undefined control sequence" in log


@pytest.mark.slow
@needs_pdflatex
def test_a_whole_sweep_is_one_document(tmp_path: Path) -> None:
    report, store = fill(tmp_path, [f"3{letter}" for letter in "abcdef"], STEPS, 3)
    Image.new("RGB", (300, 40)).save(next((store / "motion").iterdir()) / "strip.png")
    path = render_pdf(report, store, tmp_path / "out")
    assert path == tmp_path / "out" / "made" / "report.pdf" and path.read_bytes().startswith(b"%PDF")
    source = path.with_suffix(".tex").read_text()
    assert source.count(r"\begin{minipage}[t]{0.313\linewidth}") == 6 + 6 - 1
    assert source.count("-pictures.png}") == 6
    assert faults(log_of(path.parent, [source])) == []
    appendix = (path.parent / "hyperparameters.tex").read_text()
    assert faults(compiled(tmp_path, [appendix.replace("tab:hyperparameters", "tab:3b")])) == []


def test_blocks_share_lines_in_their_order() -> None:
    shares = [1 / 3, 1 / 3, 1 / 3, 0.5, 1.0, 0.5, 0.5]
    blocks = [Block(share, [name]) for share, name in zip(shares, "abcdefg", strict=True)]
    found = [["".join(block.lines) for block in line] for line in packed(blocks)]
    assert found == [["a", "b", "c"], ["d"], ["e"], ["f", "g"]]


@given(
    st.lists(st.tuples(st.floats(50, 600), st.floats(20, 400)), min_size=1, max_size=9), st.floats(100, 700)
)
def test_floats_hold_no_more_than_their_height(sizes: list[tuple[float, float]], height: float) -> None:
    table = assemble("3b", Panel(caption="", columns=["fgd"]), results_of("3b", {}, SCORES))
    boxes = [Box(replace(table, name=str(i)), *size) for i, size in enumerate(sizes)]
    pages = list(floats(boxes, height))
    assert [of.name for page in pages for of in page] == [box.table.name for box in boxes]
    for page in pages:
        assert len(page) == 1 or _needs([boxes[int(of.name)] for of in page]) <= height + 1e-6


def _needs(boxes: list[Box]) -> float:
    """Return the height of boxes in lines, each as full as it gets."""
    lines: list[list[Box]] = [[]]
    for box in boxes:
        if lines[-1] and sum(other.width + GAP_PT for other in lines[-1]) + box.width > WIDTH_PT:
            lines.append([])
        lines[-1].append(box)
    return sum(max(box.height for box in line) for line in lines)


def test_panels_are_lettered_in_their_order() -> None:
    letters = [lettered(number) for number in range(26 + 26 * 26)]
    assert letters[:27] + letters[-1:] == [*ascii_lowercase, "aa", "zz"] and len(set(letters)) == len(letters)


@needs_pdflatex
@pytest.mark.slow
def test_all_panels_as_one_float_compile(tmp_path: Path) -> None:
    ticks = {"components": {"b": ["one", "another component"]}, "ours": "b"}
    wide = {f"metric_{i}": MetricFacts(label=f"Some metric & {i}", unit="%", stand_in=True) for i in range(6)}
    panels = {"3a": (wide, {}), "3b": (SCORES, ticks), **{f"3{letter}": (SCORES, {}) for letter in "cdef"}}
    held = {
        name: results_of(name, rows_of(["a", "b", SPECIAL, "d"], 3, list(metrics), holes=(2,)), metrics)
        for name, (metrics, _) in panels.items()
    }
    tables = []
    for name, (metrics, more) in panels.items():
        published = {"a": dict.fromkeys(metrics, 1234.5), "b": dict.fromkeys(metrics, 0.25)}
        fields = {"caption": SPECIAL, "columns": list(metrics), "published": published, **more}
        tables.append(assemble(name, Panel.model_validate(fields), held[name]))
    every = replace(
        held["3a"],
        measured=[number for results in held.values() for number in results.measured],
        metrics={name: metric for results in held.values() for name, metric in results.metrics.items()},
    )
    text = combined(SPECIAL, every.sweep.name, tables)
    log = compiled(tmp_path, [text, r"\ref{tab:made_up}\label{tab:3b}"])
    assert faults(log) == [] and "too large" not in log
    assert text.count(r"\begin{tabular}") == 6 and text.count("}{(f) ") == 1
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 1
    assert "% (a) is panel 3a" in text and "% (a) Protocol" not in text
    assert text.count("from motion_scores/") == 3 * 3 * (6 + 5 * 3)


def test_no_pdflatex_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="needs pdflatex.*texlive-latex-recommended texlive-fonts-"):
        typeset("")


@needs_pdflatex
@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            r"\documentclass{article}\usepackage{no-such}\begin{document}",
            "found no no-such.sty; on Debian: apt install texlive",
        ),
        (
            r"\documentclass{article}\begin{document}\nonsense\end{document}",
            "Undefined control sequence.*nonsense",
        ),
    ],
)
def test_what_stops_pdflatex_is_said(source: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        typeset(source)


WIDTH = r"\newcommand{\rgxpanel}[2]{\setbox0\hbox{#1}\typeout{OF \the\wd0/\the\linewidth}\box0 #2\par}"


@needs_pdflatex
def test_the_ablations_of_the_paper_are_one_float_whose_letters_are_of_one_size(tmp_path: Path) -> None:
    tables = []
    for name, panel in load(ROOT / "reports" / "ablation_table3.yaml").panels.items():
        values = {
            (row, seed): {column: 100.0 / (1 + place) + seed for place, column in enumerate(panel.columns)}
            for row in panel.published
            for seed in range(3)
        }
        metrics = {
            column: MetricFacts(label=column[-12:], decimals=2, direction="up") for column in panel.columns
        }
        tables.append(assemble(name, panel, results_of(name, values, metrics)))
    text = combined("Ablations.", "made_up", tables)
    log = compiled(tmp_path, [text, r"\ref{tab:made_up}\label{tab:3b}"])
    assert faults(log) == [] and "too large" not in log and text.count(r"\begin{table*}") == 1
    log = log_of(tmp_path, [*CLASS, WIDTH, r"\begin{document}", text, r"\end{document}"])
    widths = [(float(width), float(line)) for width, line in re.findall(r"OF ([\d.]+)pt/([\d.]+)pt", log)]
    assert len(widths) == 6 and all(width <= line for width, line in widths), "none is shrunk"
