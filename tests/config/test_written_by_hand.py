"""What people write by hand: doubles, gin's mistakes, marks of Windows, ~, and a report's errors in time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from little import LITTLE, ROOT, command
from roster import load_roster

from rgx.cli import main
from rgx.errors import InputError
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

HEAD = "name: hand\nconfig: [gin/realistic_gesture.gin]\nscale: tiny\n"
ROW = "panels:\n  p:\n    r: {}\n"
STEPS = "generator/training.adamw.steps"
BATCH = "generator/training.adamw.batch"
"""Unlike the steps, bound by no file but one's own."""


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that plans a text, with a gin file if given, and returns why that is refused."""
    monkeypatch.chdir(ROOT)
    load_roster()

    def plan(text: str, gin: bytes | None = None, **asked: object) -> str:
        if gin is not None:
            (tmp_path / "own.gin").write_bytes(gin)
            text = text.replace("gesture.gin]", "gesture.gin, own.gin]")
        (tmp_path / "hand.yaml").write_text(text)
        with pytest.raises(InputError) as told:
            make_plan(read_sweep(tmp_path / "hand.yaml", Overrides(**asked)))  # type: ignore[arg-type]
        return str(told.value).replace(f"{tmp_path}/", "")

    return plan


DOUBLES = {
    "a row": ("panels:\n  p:\n    r: {}\n    r: {}\n", 7, "'r' is written twice", 6),
    "a row in quotes": ("panels:\n  p:\n    5: {}\n    '5': {}\n", 7, "'5' is written twice", 6),
    "a panel": ("panels:\n  p:\n    r: {}\n  p:\n    s: {}\n", 7, "'p' is written twice", 5),
    "an axis": ("panels:\n  p:\n    r:\n      residual: none\n      residual: none\n", 8, "'residual'", 7),
    "a binding": (f"bind:\n  {STEPS}: 1\n  {STEPS}: 2\n{ROW}", 6, f"'{STEPS}' is written twice", 5),
    "a binding of a row": (
        f"panels:\n  p:\n    r:\n      {STEPS}: 1\n      bind: {{{STEPS}: 2}}\n", 8, "is written twice", 7
    ),
    "a parameter and its binding": (
        "panels:\n  p:\n    r:\n      decode: {iterative: {steps: 3}}\n      decode.iterative.steps: 4\n",
        8, "'decode.iterative.steps' is bound twice", 7,
    ),
    "a row of a grid": (
        f"panels:\n  p:\n    steps=1: {{}}\n    grid: {{{STEPS}: [1, 2]}}\n",
        7, "'p/steps=1' is written twice", 6,
    ),
    "a level of a grid": (f"panels:\n  p:\n    grid: {{{STEPS}: [1, 1]}}\n", 6, "is written twice", 6),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBLES)
def test_what_is_said_twice_is_refused_with_both_lines(refused: Callable[..., str], name: str) -> None:
    text, line, part, first = DOUBLES[name]
    told = refused(HEAD + text)
    assert f"hand.yaml:{line}: " in told and part in told
    assert told.endswith((f"the first stands in line {first}", f"the first stands at hand.yaml:{first}"))


def test_the_command_line_says_nothing_twice(refused: Callable[..., str]) -> None:
    told = refused(HEAD + ROW, bindings=[f"{STEPS} = 3", f"{STEPS} = 4"])
    assert f"--bind '{STEPS} = 4': '{STEPS}' is bound twice; the first stands at --bind '{STEPS} = 3'" in told
    told = refused(HEAD + ROW, choices={"residual": "none"}, bindings=["RESIDUAL = @residual.none()"])
    assert "'RESIDUAL' is bound twice; the first stands at --set residual=none" in told
    assert command("plan", "x.yaml", "--set", "residual=none", "--set", "residual=transformer") == 2


GIN = {
    "no value": (b"\nA.b =\n", 2, "found no value, expected a number"),
    "a macro without value": (f"{BATCH} = %STEPS\n".encode(), 1, "%STEPS has no value: bind STEPS = …; did"),
    "a macro of macros without value": (f"A = %FUSON\n{BATCH} = %A\n".encode(), 1, "did you mean 'FUSION'?"),
    "a macro that is itself": (f"A = %B\nB = %A\n{BATCH} = %A\n".encode(), 2, "in a circle: %A → %B → %A"),
    "a part that holds itself": (b"QUANTIZER = @stage.generator()\n", 1, "in a circle"),
    "an unknown variant": (b"QUANTIZER = @quantizer.rvqq()\n", 1, "did you mean 'quantizer.rvq'"),
    "half a name": (b"QUANTIZER = @none()\n", 1, "'none' is not a whole name: choose one of "),
    "a variant not made": (b"QUANTIZER = @quantizer.rvq\n", 1, "write @quantizer.rvq()"),
    "gin's own constant": (f"{BATCH} = %gin.REQUIRED\n".encode(), 1, "found gin's own gin.REQUIRED"),
    "twice": (f"{BATCH} = 3\n\n{BATCH} = 3\n".encode(), 3, "twice; the first stands at own.gin:1"),
    "a macro twice": (b"A = 3\nA = 4\n", 2, "'A' is bound twice"),
    "once in a block": (f"{BATCH}=3\ngenerator/training.adamw:\n  batch = 4\n".encode(), 3, "is bound twice"),
    "an open bracket": (b"A = 1\nA.b = [1,\n", 2, "a bracket or a quotation mark is opened"),
    "an open quotation mark": (b"'''", 1, "a bracket or a quotation mark is opened"),
    "a word": (b"A.b = true\n", 1, "found true, expected a number, True"),
    "a list as a key": (b"A.b = {[1]: 2}\n", 1, "as a key, expected a name"),
    "no equals sign": (b"A.b 3\n", 1, "expected axis.variant.parameter = value"),
    "two values": (b"A.b = 3 4\n", 1, "expected the end of the line"),
    "lists in lists": (b"A.b = " + b"[" * 5000, 1, "too deep inside each other"),
    "UTF-16": ("A = 3\n".encode("utf-16"), 1, "expected UTF-8"),
    "Latin 1": (b"A = 3\n# \xe9\n", 2, "found the byte 0xE9, expected UTF-8"),
    "a bell": (b"A = 3\n# \x07\n", 2, "U+0007"),
}  # fmt: skip


@pytest.mark.parametrize("name", GIN)
def test_a_mistake_in_a_gin_file_is_told_with_its_line(refused: Callable[..., str], name: str) -> None:
    text, line, part = GIN[name]
    told = refused(HEAD + ROW, gin=text)
    assert f"own.gin:{line}: " in told and part in told and "<" not in told


def test_a_number_without_end_is_refused(refused: Callable[..., str]) -> None:
    assert "hand.yaml:6: found .inf, expected a finite number" in refused(
        HEAD + f"panels:\n  p:\n    r: {{{STEPS}: .inf}}\n"
    )


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Return a function that plans a text and returns each row's generator."""
    monkeypatch.chdir(ROOT)
    load_roster()

    def plan(text: str) -> dict[str, str]:
        (tmp_path / "hand.yaml").write_text(text)
        cells = make_plan(read_sweep(tmp_path / "hand.yaml")).cells
        return {cell["row"]: cell["stages"]["generator"] for cell in cells}

    return plan


def test_a_gin_file_of_a_windows_editor_is_that_file(
    tmp_path: Path, keys: Callable[..., dict[str, str]]
) -> None:
    text, own = HEAD.replace("gesture.gin]", "gesture.gin, own.gin]") + ROW, f"# é\n{BATCH} = 7\n"
    (tmp_path / "own.gin").write_text(own)
    plain = keys(text)
    (tmp_path / "own.gin").write_bytes(b"\xef\xbb\xbf" + own.replace("\n", "\r\n").encode())
    assert keys(text) == plain != keys(HEAD + ROW)


def test_numbers_are_the_same_however_they_are_written(keys: Callable[..., dict[str, str]]) -> None:
    rate = "generator/training.adamw.learning_rate"
    rows = f"    a: {{{rate}: 1e-4, {STEPS}: 1e3}}\n    b: {{{rate}: 0.0001, {STEPS}: 1000}}\n    5: {{}}\n"
    made = keys(f"{HEAD}panels:\n  off:\n{rows}")
    assert made["a"] == made["b"] != made["5"]


HOME = {
    "a row": (HEAD + "panels:\n  p:\n    r: {corpus: {videos: {folder: ~/clips}}}\n", {}),
    "a binding of the sweep": (HEAD + "bind: {corpus.videos.folder: ~/clips}\n" + ROW, {}),
    "the command line": (HEAD + ROW, {"bindings": ["corpus.videos.folder = '~/clips'"]}),
    "a gin file": (HEAD + ROW, {"gin": b"corpus.videos.folder = '~/clips'\n"}),
}


@pytest.mark.parametrize("name", HOME)
def test_a_bound_path_may_begin_at_home(
    refused: Callable[..., str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    text, asked = HOME[name]
    choices = {} if "corpus:" in text else {"corpus": "videos"}
    assert "home/clips: no such folder" in refused(text, **asked, choices=choices)


REPORTS = {
    "a key": (
        "sweep: sweeps/little.yaml\npanels:\n  3b: {caption: C, colums: [fgd]}\n", 3, "did you mean 'columns'"
    ),
    "twice": ("sweep: sweeps/little.yaml\nsweep: b.yaml\n", 2, "twice; the first stands in line 1"),
    "a published file": (
        "sweep: sweeps/little.yaml\npanels:\n  3b:\n    caption: C\n    columns: [fgd]\n"
        "    published: {file: ~/none.yaml, panel: a}\n", 6, "home/none.yaml"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_that_is_wrong_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text, line, part = REPORTS[name]
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    run = lambda *given: pytest.fail("the sweep was run")  # noqa: E731
    monkeypatch.setattr("rgx.run.invocation.ENGINES", {"inline": run, "ray": run})
    for folder, content in {"sweeps": LITTLE, "reports": text}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "little.yaml").write_text(content)
    monkeypatch.setattr(sys, "argv", ["rgx", "sweep", "sweeps/little.yaml", "--engine", "inline"])
    with pytest.raises(SystemExit) as stop:
        main()
    told = capsys.readouterr().err
    assert stop.value.code == 2 and f"reports/little.yaml:{line}: " in told and part in told
    assert not (tmp_path / "store").exists()
