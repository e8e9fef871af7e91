"""What authors ask of a table: formulas, spreads, factors, switches, groups, pivots, errors that help."""

from __future__ import annotations

import csv
import json
import re
import shutil
import statistics
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyed import digest, manifest_of
from test_report import REAL, ROOT, build
from test_report_latex import faults, log_of

from rgx.errors import InputError
from rgx.report.definition import load
from rgx.report.escape import escape_tex, joined
from rgx.report.gather import gather
from rgx.report.macros import LOOK, PREAMBLE
from rgx.report.panel import Panel, Pivot, Show
from rgx.report.phrase import Phrase
from rgx.report.quoted import digits_of, read, scaled, spread_of
from rgx.report.render import render, stands
from rgx.report.summary import terminal_summary
from rgx.sweep.factors import factors_of, name_of

needs_pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
TWO = {("low", 0): {"fgd": 1.5}, ("angie", 0): {"fgd": 2.5}}
SEEDS = {
    ("a", 0): {"fgd": 1.0, "pcm": 0.5},
    ("a", 1): {"fgd": 2.0, "pcm": 0.25},
    ("a", 2): {"fgd": 3.5, "pcm": 0.5},
    ("b", 0): {"fgd": 4.0, "pcm": 0.75},
    ("b", 1): {"fgd": 5.5, "pcm": 0.75},
    ("b", 2): {"fgd": 6.0, "pcm": 1.0},
}


def files_of(root: Path, scores: Any, panel: dict[str, Any], **more: Any) -> dict[str, str]:
    """Write a store and a report of it, and return the report's texts."""
    report, store = build(root, scores, panel, **more)
    paths = render(report, store, root / "out")
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.suffix != ".png"}


def grid_of(tex: str) -> str:
    """Return the lines of a table from its head on."""
    return tex[tex.index(r"\toprule") : tex.index(r"\bottomrule")]


FORMULAS = {
    "caption": {"text": "Effect of λ, see Section 2.", "tex": r"Effect of $\lambda$, see Sec.~\ref{sec:x}."},
    "columns": ["fgd"],
    "heads": {"fgd": {"text": "FGD (×10⁻²)", "tex": r"FGD ($\times 10^{-2}$)"}},
    "labels": {
        "low": {"text": "λ=0.1", "tex": r"$\lambda=0.1$"},
        "angie": {"text": "ANGIE", "tex": r"ANGIE \cite{liu22}"},
    },
}


def test_latex_beside_text_stands_as_it_is_and_all_others_take_the_text(tmp_path: Path) -> None:
    files = files_of(tmp_path, TWO, FORMULAS)
    grid = grid_of(files["3b.tex"])
    assert r"FGD ($\times 10^{-2}$) $\downarrow$" in grid
    assert r"$\lambda=0.1$ & " in grid and r"ANGIE \cite{liu22} & " in grid
    assert r"\caption{Effect of $\lambda$, see Sec.~\ref{sec:x}. n = 1 run per row" in files["3b.tex"]
    for name in ("3b.md", "3b.csv", "index.html", "index.md"):
        assert "λ=0.1" in files[name] and "ANGIE" in files[name]
        assert "cite" not in re.sub("(?s)<pre.*?</pre>", "", files[name])
    assert "FGD (×10⁻²) ↓" in files["3b.md"] and "Effect of λ, see Section 2." in files["3b.md"]
    report, store = tmp_path / "reports" / "small.yaml", tmp_path / "store"
    assert "λ=0.1" in terminal_summary(report, store) and "lambda" not in terminal_summary(report, store)


def test_a_report_is_written_again_when_only_the_latex_of_a_label_changes(tmp_path: Path) -> None:
    report, store = build(tmp_path, TWO, FORMULAS)
    render(report, store, tmp_path / "out")
    assert stands(gather(report, store), tmp_path / "out")
    report.write_text(report.read_text().replace("liu22", "liu2022"))
    assert not stands(gather(report, store), tmp_path / "out")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("labels: {a: {latex: $x$, text: x}}", "unknown key 'panels/3b/labels/a/latex'; did you mean 'tex'?"),
        ("labels: {a: {tex: $x$}}", "'panels/3b/labels/a/text' is missing"),
        ("labels: {a: [x]}", "expected text or a mapping"),
        ("labels: {a: {text: x, tex: '\\frac{1}{2'}}", "braces and dollar signs come in pairs"),
        ("labels: {a: {text: x, tex: R&D}}", "'&' would break the table, expected '\\&'"),
        ("labels: {a: {text: x, tex: 50% more}}", "'%' would break the table"),
        ("decimals: {fdg: 1}", "'panels/3b/decimals/fdg' is not a column; did you mean 'fgd'?"),
        ("decimals: {fgd: 1.5}", "expected a whole number"),
        ("factors: {pmc: 100}", "'panels/3b/factors/pmc' is not a column; did you mean 'pcm'?"),
        ("factors: {pcm: -1}", "more than 0"),
        ("factors: {pcm: .inf}", "a finite number"),
        ("show: {publishd: false}", "unknown key 'panels/3b/show/publishd'; did you mean 'published'?"),
        ("show: {notes: never}", "expected true or false"),
        ("heads: {motoin: M}", "'panels/3b/heads/motoin' is not a column"),
        ("groups: {motion: [fgd, pmc]}", "has 'pmc', no column; did you mean 'pcm'?"),
        ("groups: {m: [fgd, pcm]}", "has columns that do not stand side by side"),
        ("groups: {m: [fgd], n: [fgd]}", "has 'fgd', which is of 'm' too"),
        ("pivot: {rows: a, colums: b}", "did you mean 'columns'?"),
        ("published: {a: {fgd: 97.2 +/-}}", "expected a number, or one with its spread such as 97.2 ± 0.3"),
        ("published: {a: {fgd: .nan}}", "expected a finite number"),
    ],
)
def test_a_wrong_field_is_said_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "report.yaml"
    path.write_text(
        f"sweep: s.yaml\npanels:\n  3b:\n    caption: C\n    columns: [fgd, diversity, pcm]\n    {line}\n"
    )
    with pytest.raises(InputError) as caught:
        load(path)
    (message,) = str(caught.value).splitlines()
    assert message.startswith(f"{path}:6: ") and said in message


@pytest.mark.parametrize(
    ("written", "digits", "spread"),
    [
        ("1e-4", "0.0001", ""),
        ("97.2 ± 0.3", "97.2", "0.3"),
        ("97.20 +/- 0.30", "97.20", "0.30"),
        ("-1.5±2e-1", "-1.5", "0.2"),
        ("27.20", "27.20", ""),
    ],
)
def test_a_published_number_may_have_its_spread(
    tmp_path: Path, written: str, digits: str, spread: str
) -> None:
    panel = {"columns": ["fgd"], "measured_alike": ["fgd"], "published": {"a": {"fgd": 0.125}}}
    report, store = build(tmp_path, {("a", 0): {"fgd": 2.0}, ("b", 0): {"fgd": 3.0}}, panel)
    report.write_text(report.read_text().replace("fgd: 0.125", f"fgd: {written}"))
    render(report, store, tmp_path / "out")
    folder = tmp_path / "out" / "small"
    shown = f"{digits} ± {spread}" if spread else digits
    assert f"*{shown}* (" in (folder / "3b.md").read_text()
    assert shown in re.sub("<[^>]+>", "", (folder / "index.html").read_text())
    inside = digits.replace("-", "$-$") + (rf"\rgxspread{{{spread}}}" if spread else "")
    assert rf"\rgxpublished{{{inside}}}\rgxdelta" in (folder / "3b.tex").read_text()
    line = next(csv.DictReader((folder / "3b.csv").read_text().splitlines()))
    assert float(line["published"]) == float(digits) and line["published_spread"] == spread


@given(st.decimals(0, 10**4, places=3), st.integers(-3, 4))
def test_a_power_of_ten_keeps_every_published_digit(value: Any, exponent: int) -> None:
    number = scaled(read(f"{value} ± 0.10"), float(f"1e{exponent}"), 0)
    assert float(digits_of(number)) == pytest.approx(float(value) * 10.0**exponent, rel=1e-12)
    decimals = max(0, 3 - exponent)
    assert len(digits_of(number).partition(".")[2]) == decimals
    assert float(spread_of(number)) == pytest.approx(10.0 ** (exponent - 1))


def test_another_factor_rounds_what_was_published() -> None:
    assert digits_of(scaled(read("10.00 ± 1"), 2.54, 1)) == "25.4"
    assert spread_of(scaled(read("10.00 ± 1"), 2.54, 1)) == "2.5"


def test_decimals_and_factor_of_a_column_change_print_and_marks_but_no_number(tmp_path: Path) -> None:
    scores: Any = {
        ("a", 0): {"fgd": 1.04, "pcm": 0.5804},
        ("b", 0): {"fgd": 0.96, "pcm": 0.5801},
        ("c", 0): {"fgd": 2.0, "pcm": 0.1},
    }
    panel = {"columns": ["fgd", "pcm"], "measured_alike": ["pcm"], "published": {"a": {"pcm": 0.582}}}
    plain = files_of(tmp_path / "plain", scores, panel)
    more = {"decimals": {"fgd": 0, "pcm": 1}, "factors": {"pcm": 100}}
    files = files_of(tmp_path / "more", scores, panel | more)
    assert "PCM ×100 ↑" in files["3b.md"] and r"PCM $\times$100 $\uparrow$" in files["3b.tex"]
    lines = {line.split("|")[1].strip(): line for line in files["3b.md"].splitlines() if "|" in line}
    # Both print 1 and 58.0, so both are best, whatever else they differ by.
    assert "**1**" in lines["a"] and "**1**" in lines["b"] and "<u>2</u>" in lines["c"]
    assert "**58.0**" in lines["a"] and "**58.0**" in lines["b"]
    assert "*58.2* (-0.2)" in files["3b.md"] and r"\rgxpublished{58.2}\rgxdelta{$-$0.2}" in files["3b.tex"]

    def numbers(name: str) -> list[dict[str, str]]:
        rows = csv.DictReader({"plain": plain, "more": files}[name]["3b.csv"].splitlines())
        return [{key: value for key, value in row.items() if key != "mark"} for row in rows]

    assert numbers("plain") == numbers("more")


def test_a_head_of_ones_own_says_the_factor_itself(tmp_path: Path) -> None:
    panel = {"columns": ["pcm"], "heads": {"pcm": "PCM [%]"}, "factors": {"pcm": 100}, "decimals": {"pcm": 0}}
    text = files_of(tmp_path, SEEDS, panel)["3b.md"]
    assert "PCM [%] ↑".replace("[", "\\[").replace("]", "\\]") in text and "×100" not in text


HIDDEN = {
    "columns": ["fgd", "pcm"],
    "measured_alike": ["fgd"],
    "ours": "a",
    "note": "A note.",
    "published_note": "A doubt.",
}
PUBLISHED = {"published": {"a": {"fgd": 1.0}, "b": {"fgd": 2.0}, "only in print": {"fgd": 9.0}}}


@pytest.mark.parametrize(
    ("show", "gone", "stays", "appended"),
    [
        (
            {},
            [],
            ["± 1.26", "*2.0*", "(+", "A note.", "‡ marks", "published order", "only in print"],
            ["A doubt."],
        ),
        ({"published": False}, ["*2.0*", "published", "only in print", "(+"], ["± 1.26", "A note."], []),
        ({"differences": False}, ["(+", "Δ"], ["*2.0*", "± 1.26", "A note."], ["A doubt."]),
        (
            {"statistics": False},
            ["±", "‡", "n = 3", "published order"],
            ["*2.0*", "A note."],
            ["± sample", "order"],
        ),
        ({"notes": False}, ["A note.", "Protocol"], ["± 1.26", "*2.0*", "‡ marks"], ["A note.", "Protocol"]),
    ],
)
def test_each_part_of_a_table_can_be_hidden_and_the_appendix_says_it(
    tmp_path: Path, show: dict[str, bool], gone: list[str], stays: list[str], appended: list[str]
) -> None:
    files = files_of(tmp_path, SEEDS, HIDDEN | PUBLISHED | {"show": show})
    text, grid = files["3b.md"], grid_of(files["3b.tex"])
    assert not [part for part in gone if part in text] and not [part for part in stays if part not in text]
    assert (r"\rgxspread" in grid) == show.get("statistics", True)
    assert (r"\rgxpublished" in grid) == show.get("published", True)
    assert (r"\rgxdelta" in grid) == (show.get("published", True) and show.get("differences", True))
    assert "A doubt." not in text and "A doubt." not in files["3b.tex"].partition(r"\begin{table")[2]
    for part in appended:
        assert part in files["appendix.md"] and part in files["index.html"].partition('id="appendix"')[2]
        assert part.replace("±", r"$\pm$") in files["appendix.tex"]
    assert ("appendix.md" in files) == bool(appended)
    rows = [line["row"] for line in csv.DictReader(files["3b.csv"].splitlines())]
    assert "only in print" in rows and rows.count("a") == 6, "the CSV has all that there is"


def test_a_report_says_once_what_its_panels_show_and_a_panel_may_say_otherwise(tmp_path: Path) -> None:
    report, store = build(tmp_path, SEEDS, HIDDEN | PUBLISHED | {"show": {"notes": True}})
    report.write_text("show: {notes: false, published: false}\n" + report.read_text())
    render(report, store, tmp_path / "out")
    text = (tmp_path / "out" / "small" / "3b.md").read_text()
    assert "A note." in text and "published" not in text


def test_a_head_that_ends_in_an_arrow_gets_no_second_one(tmp_path: Path) -> None:
    files = files_of(
        tmp_path, TWO, {"columns": ["fgd"], "heads": {"fgd": {"text": "F ↓", "tex": r"$F\downarrow$"}}}
    )
    assert "| F ↓ " in files["3b.md"] and r"{$F\downarrow$}" in files["3b.tex"]
    assert "F ↓" in files["index.html"] and "nearer" not in files["index.html"].partition("<tbody")[0]


def test_heads_over_groups_of_columns(tmp_path: Path) -> None:
    panel = {
        "columns": ["diversity", "fgd", "pcm"],
        "groups": {"motion": ["fgd", "pcm"]},
        "heads": {"motion": {"text": "Motion quality", "tex": "Motion~quality"}},
    }
    scores = {row: values | {"diversity": 14.0} for row, values in SEEDS.items()}
    files = files_of(tmp_path, scores, panel, references=REAL)
    assert r"& \multicolumn{1}{c}{} & \multicolumn{2}{c}{Motion~quality} \\" in files["3b.tex"]
    assert r"\cmidrule(lr){3-4}" in files["3b.tex"]
    assert "| Div. →" in files["3b.md"] and "| Motion quality: FGD ↓" in files["3b.md"]
    assert '<th scope="colgroup" colspan="2">Motion quality</th>' in files["index.html"]


def test_heads_over_sections_of_rows(tmp_path: Path) -> None:
    scores = {(row, 0): {"fgd": value} for value, row in enumerate(["own", "late", "free", "early"])}
    panel = {
        "columns": ["fgd"],
        "ours": "own",
        "sections": {"prior": ["early", "late"], "ours": ["own"]},
        "heads": {"prior": {"text": "Earlier work", "tex": "Earlier~work"}},
    }
    files = files_of(tmp_path, scores, panel)
    names = [line.split("|")[1].strip() for line in files["3b.md"].splitlines() if line.startswith("| ")]
    assert names[1:] == ["free", "*Earlier work*", "late", "early", "*ours*", "own (ours)"]
    assert r"\rgxsection{Earlier~work} &  \\" in files["3b.tex"]
    assert files["index.html"].count('<tr class="section">') == 2
    wrong = panel | {"sections": {"prior": ["early"], "other": ["early"]}}
    with pytest.raises(
        InputError, match=r"yaml:\d+: 'panels/3b/sections/other' has 'early', which is of 'prior'"
    ):
        load(build(tmp_path / "wrong", scores, wrong)[0])


def grid_store(root: Path, panel: dict[str, Any], row: str = "method={}, data={}") -> tuple[Path, Path]:
    """Write a store of two methods on two data sets, at two seeds, and its report."""
    values = {"m": {"x": [1.0, 2.0], "y": [3.0, 6.0]}, "n": {"x": [0.5, 0.7], "y": [8.0, 9.0]}}
    scores = {
        (row.format(method, data), seed): {"fgd": value}
        for method, of in values.items()
        for data, own in of.items()
        for seed, value in enumerate(own)
    }
    return build(root, scores, {"columns": ["fgd"]} | panel)


PIVOT = {"pivot": {"rows": "method", "columns": "data"}, "labels": {"m": "Mine"}, "heads": {"y": "Y-set"}}


def test_a_grid_of_two_factors_turned_with_a_column_of_means(tmp_path: Path) -> None:
    report, store = grid_store(
        tmp_path, PIVOT | {"measured_alike": ["fgd"], "published": {"m": {"fgd@y": "4.0 ± 0.5"}}}
    )
    files = {path.name: path.read_text() for path in render(report, store, tmp_path / "out")}
    (table,) = gather(report, store).panels
    assert list(table.rows) == ["m", "n"] and list(table.columns) == ["fgd@x", "fgd@y", "fgd@mean"]
    mean = table.rows["m"]["fgd@mean"]
    # Over the data of each seed first: 2 and 4.
    assert (mean.mean, mean.std, mean.n) == (3.0, pytest.approx(statistics.stdev([2.0, 4.0])), 2)
    marks = {column: table.rows["m"][column].mark for column in table.columns}
    assert marks == {"fgd@x": "second", "fgd@y": "best", "fgd@mean": "best"}
    assert "FGD ↓ x" in files["3b.md"] and "FGD ↓ Y-set" in files["3b.md"] and "FGD ↓ mean" in files["3b.md"]
    assert "| Mine " in files["3b.md"] and "*4.0 ± 0.5* (+0.50)" in files["3b.md"]
    assert r"\multicolumn{4}{c}{FGD $\downarrow$} \\" in files["3b.tex"], "one of them is for what hangs over"
    lines = list(csv.DictReader(files["3b.csv"].splitlines()))
    values = {(line["row"], line["metric"], line["seed"]): line["value"] for line in lines}
    assert values["m", "fgd@y", "1"] == "6.0" and values["n", "fgd@x", "0"] == "0.5"
    assert values["m", "fgd@mean", ""] == "", "a mean was measured nowhere"
    comment = f"% 3b/method=m, data=y seed 1: fgd@y = 6.0 from motion_scores/{digest('method=m, data=y1')}"
    assert comment in files["3b.tex"].splitlines()


def test_a_hole_of_a_grid_has_no_mean(tmp_path: Path) -> None:
    report, store = grid_store(tmp_path, PIVOT)
    key = digest("method=m, data=y0")
    for seed in (0, 1):
        shutil.rmtree(store / "motion_scores" / digest(f"method=m, data=y{seed}")[:16])
    (table,) = gather(report, store).panels
    assert table.rows["m"]["fgd@y"].mean is None and table.rows["m"]["fgd@mean"].mean is None
    assert table.rows["n"]["fgd@mean"].mean is not None
    path = store / "motion_scores" / key[:16] / "manifest.json"
    path.parent.mkdir()
    path.write_text(json.dumps(manifest_of("motion_scores", key, outputs={"scores": {"fgd": 3.0}})))
    (table,) = gather(report, store).panels
    assert (table.rows["m"]["fgd@mean"].mean, table.rows["m"]["fgd@mean"].n) == (2.0, 1), "the seed both have"


@pytest.mark.parametrize(
    ("line", "row", "said"),
    [
        ("rows: metod", "method={}, data={}", "no level of 'metod'; did you mean 'method'?"),
        ("columns: data", "method={}, {}", "row 'method=m, x' has no level of 'data'"),
        ("pivot:", "method=0, data={1}, {0}", "a pivot shows two factors"),
        ("yy: Y-set", "method={}, data={}", "is no column and no level; did you mean 'y'?"),
        ("fgd@z: 1.0", "method={}, data={}", "is no metric at a level; did you mean 'fgd@y'?"),
    ],
)
def test_a_pivot_that_does_not_fit_its_rows_is_said(tmp_path: Path, line: str, row: str, said: str) -> None:
    report, store = grid_store(tmp_path, PIVOT | {"published": {"m": {"fgd@x": 1.0}}}, row)
    right = {"rows: metod": "rows: method", "yy: Y-set": "y: Y-set", "fgd@z: 1.0": "fgd@x: 1.0"}
    report.write_text(report.read_text().replace(right.get(line, line), line))
    with pytest.raises(InputError) as caught:
        gather(report, store)
    where = next(n for n, text in enumerate(report.read_text().splitlines(), 1) if line in text)
    assert str(caught.value).startswith(f"{report}:{where}: ") and said in str(caught.value)


WORDS = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=6)
LEVELS = st.one_of(
    WORDS,
    st.floats(0, 10),
    st.dictionaries(WORDS, st.dictionaries(WORDS, st.integers(), max_size=2), min_size=1, max_size=1),
)


@given(st.dictionaries(WORDS, LEVELS, min_size=1, max_size=3))
def test_the_name_of_a_row_gives_its_factors_back(chosen: dict[str, Any]) -> None:
    factors = factors_of(name_of(chosen))
    assert list(factors) == list(chosen)
    for factor, level in chosen.items():
        assert factors[factor] == name_of({factor: level}).partition("=")[2]


def test_joined_words_keep_their_latex_and_their_spaces() -> None:
    words = joined("50% of ", Phrase("λ", r"$\lambda$"), " & more")
    assert words == "50% of λ & more" and escape_tex(words) == r"50\% of $\lambda$ \& more"
    assert joined("a", "b", between=" ") == "a b" and not isinstance(joined("a", "b"), Phrase)


@needs_pdflatex
@pytest.mark.parametrize("look", ["", r"\newcommand{\rgxbest}[1]{\textit{#1}}\newcommand{\rgxsize}{\small}"])
def test_what_a_paper_defines_of_the_macros_holds_for_its_tables(tmp_path: Path, look: str) -> None:
    panel = HIDDEN | PUBLISHED | {"factors": {"fgd": 100}, "heads": FORMULAS["heads"]}
    report, store = build(tmp_path, SEEDS, panel)
    report.write_text(report.read_text().replace("fgd: 1.0", "fgd: -1.0 ± 0.25"))
    text = {
        path.name: path.read_text()
        for path in render(report, store, tmp_path / "out")
        if path.suffix == ".tex"
    }
    lines = [r"\documentclass[10pt,twocolumn]{article}", *PREAMBLE, look, r"\begin{document}"]
    lines += [text["3b.tex"], text["appendix.tex"], r"\rgxbest{1}\showbox0"]
    logs = [
        log_of(tmp_path, [*lines, r"\typeout{BEST \meaning\rgxbest}", r"\end{document}"]) for _ in range(2)
    ]
    assert [fault for fault in faults(logs[-1]) if "OK" not in fault] == []
    assert ("textit" in logs[-1].partition("BEST ")[2]) == bool(look)


PAGE = ROOT / "docs" / "tables.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_panel_of_the_page_on_tables_loads(tmp_path: Path) -> None:
    blocks = [text for language, text in BLOCK.findall(PAGE.read_text()) if language == "yaml"]
    [whole] = [text for text in blocks if text.startswith("sweep: ")]
    path = tmp_path / "report.yaml"
    path.write_text(whole.replace("file: published", f"file: {ROOT / 'reports/published'}"))
    assert set(load(path).panels) == {"3f"}
    panels = [text for text in blocks if not text.startswith(("figures:", "sweep: ", "#"))]
    panelled = "".join(indent(text, "  ") for text in panels)
    path.write_text(f"sweep: sweeps/ablation_table3.yaml\npanels:\n{panelled}")
    report = load(path)
    assert len(report.panels) == len(panels) >= 5
    said = PAGE.read_text()
    assert not [name for name in (*Panel.model_fields, *Pivot.model_fields) if f"{name}:" not in said]
    assert not [name for name in (*Show.model_fields, *LOOK) if name not in said]


@needs_pdflatex
def test_the_look_that_the_page_gives_compiles(tmp_path: Path) -> None:
    (look,) = [text for language, text in BLOCK.findall(PAGE.read_text()) if language == "latex"]
    files = files_of(tmp_path, SEEDS, HIDDEN | PUBLISHED)
    lines = [r"\documentclass[twocolumn]{article}", *PREAMBLE, look, r"\begin{document}", files["3b.tex"]]
    assert faults([log_of(tmp_path, [*lines, r"\end{document}"]) for _ in range(2)][-1]) == []


def test_two_reports_of_one_sweep_lie_apart(tmp_path: Path) -> None:
    report, store = build(tmp_path, TWO, FORMULAS)
    out, other = tmp_path / "out", report.with_name("other.yaml")
    other.write_text(report.read_text())
    first = render(report, store, out)
    before = {path: path.read_bytes() for path in first}
    second = render(other, store, out)
    assert {path.parent for path in (*first, *second)} == {out / report.stem, out / "other"}
    assert before == {path: path.read_bytes() for path in first}
    assert stands(gather(report, store), out) and stands(gather(other, store), out)


def test_a_run_that_overrides_something_has_a_folder_beside_the_reports_own(tmp_path: Path) -> None:
    report, store = build(tmp_path, TWO, FORMULAS)
    gathered = gather(report, store)
    other = replace(gathered, report_file=report.with_name("other.yaml"))
    run = gathered.results.sweep.model_copy(update={"name": "small@scale=bench"})
    of_run = replace(other, results=replace(other.results, sweep=run))
    assert (gathered.folder, other.folder, of_run.folder) == ("small", "other", "other@scale=bench")
