"""Every line a person wrote has an effect or is refused, from whichever file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rgx.cli import main
from rgx.cli import plan as plan_command
from rgx.config import plan_cell
from rgx.errors import InputError
from rgx.run.invocation import told_overridden
from rgx.sweep.plan import Plan, make_plan
from rgx.sweep.spec import Overrides, read_sweep

STEPS = "generator/training.adamw.steps"
VQ = "vq: {quantizer: vq, residual: none}"


def write(folder: Path, own: str = "", bind: str = "{}", panels: str = "{p: {full: {}}}") -> Path:
    """Write a sweep of the shipped method, with a gin file of one's own where there is text for it."""
    if own:
        (folder / "my.gin").write_text(own)
    files = "gin/realistic_gesture.gin" + (", my.gin" if own else "")
    path = folder / "lines.yaml"
    path.write_text(f"name: lines\nconfig: [{files}]\nscale: tiny\nbind: {bind}\npanels: {panels}\n")
    return path


def planned(path: Path, **changes: object) -> Plan:
    return make_plan(read_sweep(path, Overrides(**changes)))  # type: ignore[arg-type]


def refusal(path: Path, **changes: object) -> str:
    with pytest.raises(InputError) as error:
        planned(path, **changes)
    return str(error.value)


def steps(path: Path, **changes: object) -> int:
    """Return how long the generator of the first row trains."""
    row = read_sweep(path, Overrides(**changes)).rows[0]  # type: ignore[arg-type]
    return int(plan_cell(row.texts, row.targets).stages["generator"].record["training"]["steps"])


UNREAD = {
    "genrator/training.adamw.steps: 3": "did you mean 'generator'?",
    "training.adamw.steps: 5": "it is hidden by alignment/training.adamw.steps (gin/scale/tiny.gin:22), ",
    "corpus/stage.corpus.corpus: 4": "did you mean 'stage.corpus.corpus'?",
    "quantizer.vq.codes: 4": "nothing in this cell reads 'quantizer.vq.codes'",
    "QUANTISER: 4": "did you mean 'QUANTIZER'?",
    "quantizer.vqq.codes: 4": "did you mean 'quantizer.vq'?",
}


@pytest.mark.parametrize("line", UNREAD)
def test_a_line_of_bind_that_nothing_reads_is_refused(tmp_path: Path, line: str) -> None:
    told = refusal(write(tmp_path, bind=f"\n  {STEPS}: 7\n  {line}"))
    assert "lines.yaml:6: " in told and UNREAD[line] in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("line", UNREAD)
def test_a_line_of_one_s_own_gin_that_nothing_reads_is_refused(tmp_path: Path, line: str) -> None:
    told = refusal(write(tmp_path, own=f"{STEPS} = 7\n\n{line.replace(':', ' =')}\n"))
    assert "my.gin:3: " in told and UNREAD[line] in told
    assert len(told.splitlines()) == 1


def test_a_misspelt_macro_is_unread_though_its_variant_is_in_use(tmp_path: Path) -> None:
    told = refusal(write(tmp_path, own="QUANTISER = @quantizer.rvq()\n"))
    assert "my.gin:1: " in told and "did you mean 'QUANTIZER'?" in told


def test_it_is_enough_that_one_row_reads_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, bind="{quantizer.vq.codes: 4}", panels=f"{{p: {{full: {{}}, {VQ}}}}}")
    assert len(planned(path).cells) == 2


def test_the_command_line_makes_no_line_of_a_file_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, bind="{quantizer.vq.codes: 4}", panels=f"{{p: {{full: {{}}, {VQ}}}}}")
    assert len(planned(path, only=["p/full"]).cells) == 1
    path = write(tmp_path, own="quantizer.rvq.codes = 4\nMASK_RATIO = @mask_ratio.cosine()\n")
    planned(path, choices={"quantizer": "vq", "residual": "none", "mask_ratio": "uniform"})


@pytest.mark.parametrize(
    "changes", [{"only": ["p/full"]}, {"bindings": [f"{STEPS} = 9"]}, {"scale": "small"}]
)
def test_a_wrong_line_stays_wrong_whatever_the_command_line_changes(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    path = write(tmp_path, bind="{genrator/training.adamw.steps: 3}", panels=f"{{p: {{full: {{}}, {VQ}}}}}")
    assert "did you mean 'generator'?" in refusal(path, **changes)


def test_the_methods_files_and_the_scale_may_bind_what_no_row_reads(tmp_path: Path) -> None:
    assert planned(write(tmp_path)).cells


def test_the_nearest_to_the_person_wins(tmp_path: Path) -> None:
    shipped = steps(write(tmp_path))
    assert shipped == 700
    own = f"{STEPS} = 90\n"
    assert steps(write(tmp_path, own=own)) == 90
    assert steps(write(tmp_path, own=own), scale="small") == 90
    assert steps(write(tmp_path, own=own, bind=f"{{{STEPS}: 80}}")) == 80
    row = f"{{p: {{full: {{bind: {{{STEPS}: 60}}}}}}}}"
    assert steps(write(tmp_path, own=own, bind=f"{{{STEPS}: 80}}", panels=row)) == 60
    path = write(tmp_path, own=own, bind=f"{{{STEPS}: 80}}", panels=row)
    assert steps(path, bindings=[f"{STEPS} = 50"]) == 50


def test_one_s_own_file_is_stronger_than_the_method_s_wherever_it_stands_in_config(tmp_path: Path) -> None:
    path = write(tmp_path, own="trunk.paper.width = 48\n")
    path.write_text(
        path.read_text().replace("gin/realistic_gesture.gin, my.gin", "my.gin, gin/realistic_gesture.gin")
    )
    row = read_sweep(path).rows[0]
    generator = plan_cell(row.texts, row.targets).stages["generator"].record["generator"]
    assert generator["trunk"]["width"] == 48


def test_what_is_overridden_is_listed_with_both_lines(tmp_path: Path) -> None:
    row = f"{{p: {{full: {{bind: {{{STEPS}: 60}}}}, plain: {{}}}}}}"
    path = write(tmp_path, own=f"{STEPS} = 90\n", bind=f"{{{STEPS}: 80}}", panels=row)
    scale = "gin/scale/tiny.gin:24 'generator/training.adamw.steps = 700'"
    own, bind, last = f"my.gin:1 '{STEPS} = 90'", f"{path}:4 '{STEPS} = 80'", f"{path}:5 '{STEPS} = 60'"
    assert planned(path).overridden == [
        *(f"{line} by {last}" for line in (scale, own, bind)),
        *(f"{line} by {bind}" for line in (scale, own)),
    ]
    option = f"{STEPS} = 50"
    assert planned(path, bindings=[option]).overridden == [
        *(f"{line} by --bind '{option}'" for line in (scale, own, bind, last)),
    ]


def test_what_closer_scopes_hide_is_listed_with_both_lines(tmp_path: Path) -> None:
    batch, row = "training.adamw.batch", "{full: {}, short: {bind: {judge/training.adamw.batch: 4}}}"
    path = write(tmp_path, own=f"{batch} = 8\n", panels=f"{{p: {row}}}")
    scale = f"gin/scale/tiny.gin:19 '{batch} = 32' by my.gin:1 '{batch} = 8'"
    hidden = f"my.gin:1 '{batch} = 8' in scope judge by {path}:5 'judge/{batch} = 4'"
    assert planned(path).overridden == [scale, hidden]


def test_a_line_hidden_in_some_rows_and_read_in_others_is_listed(tmp_path: Path) -> None:
    scopes = ("alignment", "generator", "judge", "residual", "sync_judge", "tokenizer")
    binds = ", ".join(f"{scope}/training.adamw.weight_decay: 0.1" for scope in scopes)
    line = "training.adamw.weight_decay"
    path = write(tmp_path, bind=f"{{{line}: 0.2}}", panels=f"{{p: {{full: {{}}, all: {{{binds}}}}}}}")
    assert sorted(planned(path).overridden) == [
        f"{path}:4 '{line} = 0.2' in scope {scope} by {path}:5 '{scope}/{line} = 0.1'" for scope in scopes
    ]


def test_a_sweep_says_what_is_overridden(tmp_path: Path) -> None:
    path = write(tmp_path, own=f"{STEPS} = 90\n")
    few = planned(path)
    assert [line.partition(" by ")[0] for line in told_overridden(few)] == [
        f"overridden: gin/scale/tiny.gin:24 '{STEPS} = 700'"
    ]
    many = Plan("lines", (0,), overridden=[f"line {number}" for number in range(40)])
    assert told_overridden(many) == [
        "overridden: 40 lines; `rgx plan` with the same options lists each, and by what"
    ]


def test_a_method_s_defaults_are_overridden_without_a_word(tmp_path: Path) -> None:
    assert planned(write(tmp_path, panels=f"{{p: {{{VQ}}}}}")).overridden == []


def test_plan_prints_what_is_overridden(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, own=f"{STEPS} = 90\n")
    plan_command(path, store=tmp_path / "store")
    told = capsys.readouterr().out
    assert f"overridden: gin/scale/tiny.gin:24 '{STEPS} = 700' by my.gin:1 '{STEPS} = 90'\n" in told


@pytest.mark.parametrize("only", [["p", "p/fll"], ["p/fll", "p"]])
def test_an_unknown_name_beside_a_known_one_is_refused(tmp_path: Path, only: list[str]) -> None:
    assert refusal(write(tmp_path), only=only) == "--only p/fll: no such row or panel: did you mean 'p/full'?"


def test_a_number_without_end_in_a_variant_of_ones_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(
        "import math\n"
        "from rgx import register\n"
        "from rgx.gesture.generate.mask_ratio import MaskRatio\n\n\n"
        "@register('mask_ratio', 'endless')\n"
        "class Endless(MaskRatio):\n"
        "    def __init__(self, most: float = math.inf, pair: tuple[float, ...] = (0, 1)) -> None: ...\n"
    )
    path = write(tmp_path, panels="{p: {full: {mask_ratio: endless}}}")
    path.write_text(path.read_text() + "imports: [endless]\n")
    told = refusal(path)
    assert "mask_ratio.endless.most = inf: expected a finite number" in told and "endless.py:8" in told
    bound = refusal(path, bindings=["mask_ratio.endless.pair = (0, 1e999)"])
    assert "--bind 'mask_ratio.endless.pair = (0, 1e999)': found inf, expected a finite number" in bound


@pytest.mark.parametrize("value", ["1e999", "-1e999", "inf", "nan", "[0.1, 1e999]", "{'a': 1e999}"])
def test_a_number_that_is_none_is_refused_with_its_place(tmp_path: Path, value: str) -> None:
    line = f"trunk.paper.dropout = {value}"
    found = "inf" if "1e999" in value else value
    for told in (refusal(write(tmp_path), bindings=[line]), refusal(write(tmp_path, own=f"\n{line}\n"))):
        assert f"--bind '{line}': found " in told or "my.gin:2: found " in told
        assert found in told and "number" in told


@pytest.mark.parametrize("line", ["", "  ", "# steps"])
def test_a_bind_that_binds_nothing_is_refused(tmp_path: Path, line: str) -> None:
    assert refusal(write(tmp_path), bindings=[line]).startswith(f"--bind '{line}': found nothing, expected")


def test_what_is_wrong_with_many_rows_is_said_once(tmp_path: Path) -> None:
    rows = ", ".join(f"r{number}: {{decode: {{iterative: {{steps: {number}}}}}}}" for number in range(1, 9))
    told = refusal(write(tmp_path, panels=f"{{p: {{{rows}}}}}"), bindings=["trunk.paper.width = 1.5"])
    assert told.startswith("p/r1 and 7 more: --bind 'trunk.paper.width = 1.5': ")
    assert len(told.splitlines()) == 1


def test_what_does_not_fit_together_is_told_with_a_line_of_it(tmp_path: Path) -> None:
    told = refusal(write(tmp_path, own="trunk.paper.heads = 7\ntrunk.paper.width = 64\n"))
    assert told == "p/full: my.gin:2: trunk.paper.width = 64: expected a multiple of heads = 7"


def test_what_does_not_fit_in_a_list_is_named(tmp_path: Path) -> None:
    told = refusal(write(tmp_path), bindings=["stage.motion_scores.metrics = [@metric.fgd(), 3]"])
    assert "metrics = (metric/fgd, 3): expected (@metric.NAME(), …)" in told
    assert told.endswith("found a whole number in the list")


HYDRA = {
    "fusion=concat": "did you mean --set fusion=concat?",
    "+fusion=concat": "did you mean --set fusion=concat?",
    "generator/training.adamw.steps=3": "did you mean --bind 'generator/training.adamw.steps = 3'?",
    "scale=small": "did you mean --scale small?",
    "--fusion=concat": "no such option; what stands on an axis is --set fusion=VARIANT, a parameter --bind "
    "'axis.variant.parameter = value'",
}


@pytest.mark.parametrize("word", HYDRA)
@pytest.mark.parametrize("command", ["plan", "sweep"])
def test_what_a_hydra_user_types_is_answered_with_how_it_is_written_here(
    tmp_path: Path,
    command: str,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["rgx", command, str(write(tmp_path)), word])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: {word if word[0] != '-' else '--fusion'}: {HYDRA[word]}\n"
