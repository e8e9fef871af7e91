from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rgx.cli import main

ROOT = Path(__file__).resolve().parents[2]
HEAD = """\
name: bad
config: [gin/realistic_gesture.gin]
scale: tiny
"""
GOOD = HEAD + "panels:\n  p:\n    row: {}\n"
Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Return a function that sweeps a text, expects exit 2 and an untouched store, and returns stderr."""
    monkeypatch.chdir(ROOT)
    run = lambda *given: pytest.fail("the sweep was not refused")  # noqa: E731
    monkeypatch.setattr("rgx.run.invocation.ENGINES", {"inline": run, "ray": run})

    def run(text: str, *options: str, store: Path | None = None) -> str:
        file, place = tmp_path / "bad.yaml", store or tmp_path / "store"
        file.write_text(text)
        arguments = ["sweep", str(file), "--engine", "inline", "--store", str(place), *options]
        monkeypatch.setattr(sys, "argv", ["rgx", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        told = capsys.readouterr().err
        assert stop.value.code == 2, told
        assert "Traceback" not in told
        assert told.startswith("error: ")
        assert not place.exists()
        return told

    return run


def row(choices: str) -> str:
    return HEAD + f"panels:\n  p:\n    row:\n      {choices}\n"


ROWS = {
    "axis": ("quantiser: rvq", "bad.yaml:7: unknown axis 'quantiser'", "did you mean 'quantizer'"),
    "variant": ("quantizer: rvqq", "bad.yaml:7: unknown variant 'rvqq'", "did you mean 'rvq'"),
    "parameter": ("mask_ratio: {uniform: {lwo: 0.1}}", "bad.yaml:7", "did you mean 'low'"),
    "type": ("mask_ratio: {uniform: {low: soft}}", "bad.yaml:7", "expected a number, found text"),
    "range": ("mask_ratio: {uniform: {low: 0.9, high: 0.1}}", "low=0.9", "low <= high"),
    "two variants": ("mask_ratio: {uniform: {}, cosine: {}}", "bad.yaml:7", "expected one variant"),
    "list as parameters": ("mask_ratio: {uniform: [1]}", "bad.yaml:7", "expected parameters as a mapping"),
    "bound axis": ("bind: {generater.masked.x: 1}", "bad.yaml:7: unknown binding", "generator.masked"),
    "no tokens": ("quantizer: none", "masked needs tokens", "choose another"),
    "no landmarks": ("generator: regression", "regression works on raw motion", "choose another"),
    "one layer": ("quantizer: vq", "residual", "vq"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_row_is_told(refused: Refused, name: str) -> None:
    text, *parts = ROWS[name]
    told = refused(row(text))
    for part in ["p/row", *parts]:
        assert part in told if part != "p/row" or name in ("range", "no tokens", "no landmarks") else True


def test_a_stage_without_a_part_is_told_in_one_line(refused: Refused, tmp_path: Path) -> None:
    whole = (ROOT / "gin/realistic_gesture.gin").read_text().splitlines(keepends=True)
    (tmp_path / "own.gin").write_text("".join(s for s in whole if "tokenizer.quantizer" not in s))
    told = refused(GOOD.replace("gin/realistic_gesture.gin", "own.gin"))
    assert told.count("\n") <= 1
    assert "own.gin:" in told and "p/row: " in told
    wanted = "stage.tokenizer needs 'quantizer': bind stage.tokenizer.quantizer = @quantizer.NAME()"
    assert f"{wanted} (NAME: fsq, none, rvq, vq" in told


@pytest.mark.parametrize(
    "unread", ["decode: {iterative: {steps: 9}}", "mask_ratio: cosine", "distillation: none", "parts: joint"]
)
def test_a_row_that_nothing_reads_is_refused(refused: Refused, unread: str) -> None:
    told = refused(row(f"{{quantizer: none, generator: regression, {unread}}}"))
    assert "bad.yaml:7: nothing in this cell reads" in told
    assert unread.split(":")[0] in told.lower()


BINDINGS = {
    "quantiser.rvq.codes = 2": "did you mean 'quantizer.rvq'",
    "quantizer.rvq.cods = 2": "did you mean 'codes'",
    "alignment/training.adamw.learning_rate = 'fast'": "expected a number, found text",
    "training.adamw.steps = 1.5": "it is hidden by alignment/training.adamw.steps",
    "judge/training.adamw.steps = 1.5": "expected a whole number, found a number",
    "quantizer.vq.codes = 2": "nothing in this cell reads",
    "training.adamw.schedule = @schedule.multistep_at()": "schedule.multistep_at.warmup_steps = 2000",
    "QUANTIZER = @quantizer.rvqq()": "did you mean 'quantizer.rvq'",
    "NOBODY = 3": "nothing in this cell reads",
    "training.adamw.steps = ": "--bind",
    "include 'x.gin'": "imports and includes",
}


@pytest.mark.parametrize("binding", BINDINGS)
def test_a_bad_binding_is_told(refused: Refused, binding: str) -> None:
    told = refused(GOOD, "--bind", binding)
    assert "--bind" in told and BINDINGS[binding] in told


OPTIONS = {
    ("--seeds", "0,1,0"): "a seed is given twice",
    ("--seeds", "0,a"): "expected whole numbers",
    ("--scale", "tiney"): "did you mean 'tiny.gin'",
    ("--only", "p/rwo"): "did you mean 'p/row'",
    ("--set", "quantizer"): "expected axis=variant",
    ("--set", "quantiser=rvq"): "did you mean 'quantizer'",
    ("--set", "quantizer=rvqq"): "did you mean 'rvq'",
    ("--set", "corpus=videos"): "data/videos",
    ("--import", "no_such_plugin"): "cannot import 'no_such_plugin'",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_bad_option_is_told(refused: Refused, option: tuple[str, str]) -> None:
    assert OPTIONS[option] in refused(GOOD, *option)


FILES = {
    "double seed": (GOOD + "seeds: [0, 0]\n", "bad.yaml:7", "the seed 0 is given twice"),
    "unknown key": (GOOD + "sede: [0]\n", "bad.yaml:7", "did you mean 'seeds'"),
    "unknown scale": (GOOD.replace("tiny", "tiney"), "bad.yaml:3", "did you mean 'tiny.gin'"),
    "unknown config": (GOOD.replace("gesture", "gestures"), "bad.yaml:2", "realistic_gesture.gin"),
    "broken YAML": (GOOD + "  - [oops\n", "bad.yaml:", "not YAML"),
    "empty": ("", "bad.yaml:1", "found nothing, expected the keys method, name"),
    "no panels": (HEAD, "bad.yaml:1", "expected panels, search or both"),
    "name": (GOOD.replace("name: bad", "name: ../bad"), "bad.yaml:1", "name"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_told(refused: Refused, name: str) -> None:
    text, *parts = FILES[name]
    told = refused(text)
    for part in parts:
        assert part in told


def test_a_missing_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "table.yaml").write_text(GOOD)
    monkeypatch.setattr(sys, "argv", ["rgx", "sweep", str(tmp_path / "tabel.yaml")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "did you mean 'table.yaml'" in capsys.readouterr().err


def test_a_store_below_a_file_is_told(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    assert "cannot be written" in refused(GOOD, store=tmp_path / "plain" / "store")


def test_a_broken_plugin_is_told_with_its_line(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "halved_plugin.py").write_text("x = 1\ndef broken(:\n")
    assert "halved_plugin.py:2: SyntaxError" in refused(GOOD, "--import", "halved_plugin")
    (tmp_path / "raising_plugin.py").write_text("x = 1\n\ny = 1 / 0\n")
    assert "raising_plugin.py:3: ZeroDivisionError" in refused(GOOD, "--import", "raising_plugin.py")


def test_every_bad_row_is_told_at_once(refused: Refused) -> None:
    told = refused(HEAD + "panels:\n  p:\n    one: {quantizer: none}\n    two: {generator: regression}\n")
    assert "p/one" in told and "p/two" in told


def test_a_finished_store_is_left_alone(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    refused(row("quantiser: rvq"))
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["file"]


def test_the_same_cell_is_told_and_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (tmp_path / "twice.yaml").write_text(GOOD + "    again: {}\n")
    options = [str(tmp_path / "twice.yaml"), "--store", str(tmp_path / "store")]
    monkeypatch.setattr(sys, "argv", ["rgx", "plan", *options])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    assert "same cell: p/again is p/row" in capsys.readouterr().out


def test_a_schedule_that_ends_elsewhere_is_told_with_its_stage_and_line(refused: Refused) -> None:
    chosen = ("--bind", "tokenizer/training.adamw.schedule = @schedule.multistep_at()")
    wide = ("--bind", "schedule.multistep_at.warmup_steps = 700")
    close = ("--bind", "tokenizer/schedule.multistep_at.warmup_steps = 650")
    ends = "the training has 600 steps, and never comes so far: expected fewer"
    told = refused(GOOD, *chosen, *wide, *close)
    assert f"{close[1]}': tokenizer/schedule.multistep_at.warmup_steps = 650: {ends}" in told
    told = refused(GOOD, *chosen, *wide)
    assert f"{wide[1]}': tokenizer/schedule.multistep_at.warmup_steps = 700: {ends}" in told
    told = refused(GOOD, *chosen, "--bind", "schedule.multistep_at.warmup_steps = 20")
    assert f"{chosen[1]}': tokenizer/schedule.multistep_at.milestones = (50000,): {ends}" in told


def test_an_opponent_has_no_steps_and_its_schedule_ends_with_its_player(refused: Refused) -> None:
    text = GOOD.replace("panels:", "targets: {p: [refiner]}\npanels:")
    told = refused(text, "--bind", "discriminator/optimiser.adamw.steps = 9")
    assert "optimiser.adamw has no parameter 'steps'" in told
    chosen = "discriminator/optimiser.adamw.schedule = @schedule.multistep_at()"
    told = refused(text, "--bind", chosen)
    assert "discriminator/schedule.multistep_at.warmup_steps = 2000: the training has 300 steps" in told
