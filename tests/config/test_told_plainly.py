"""What other people's code says of a mistake reaches a person in plain words, without secrets."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from little import command

from rgx.errors import InputError
from rgx.run.failures import reason_of, write_failure
from rgx.sweep.plan import make_plan
from rgx.sweep.run_name import run_name
from rgx.sweep.run_record import RunRecord
from rgx.sweep.spec import read_sweep
from rgx.translator import GIN, YAML, plain, raised_at, translate

VARIANT = """\
from rgx import register
from rgx.gesture.generate.mask_ratio import MaskRatio


@register('mask_ratio', 'NAME')
class Own(MaskRatio):
    def __init__(self, low: float = 0.5):
        BODY

    def draw(self, count):
        return None
"""
STAGE = """\
from rgx import register
from rgx.stage import Stage


@register('stage', 'NAME')
class Own(Stage):
    seeded = False

    def parents(self):
        return ()

    def run(self, inputs, workspace, built):
        return {}

    def METHOD:
        BODY
"""
CONSTRUCTORS = {
    "value": ("raise ValueError('low has to be small')", "cannot be made: low has to be small"),
    "key": ("{}['high']", "cannot be made: found no 'high'"),
    "object": ("raise RuntimeError(f'expected a list, found {object()}')", "expected a list, found object"),
    "none": ("None.shape", "found None, expected something that has 'shape'"),
    "zero": ("1 / 0", "cannot be made: division by zero"),
    "file": ("open('absent.txt')", "cannot be made: absent.txt: No such file or directory"),
    "bare": ("assert False", "cannot be made: AssertionError"),
}
METHODS = {
    "fingerprint(self)": "cannot say its fingerprint: broken 1",
    "parents(self)": "cannot say its parents: broken 1",
    "build(self, parents)": "cannot be built: broken 1",
    "identity(self)": "cannot say its identity: broken 1",
    "uses_gpu(self)": "cannot be planned: broken 1",
}
SECRET = "http://me:hush@host:5000"


def refusal(folder: Path, name: str, code: str, row: str, targets: str = "{}") -> str:
    (folder / f"{name}.py").write_text(code.replace("NAME", name))
    path = folder / "told.yaml"
    path.write_text(
        f"name: told\nconfig: [gin/realistic_gesture.gin]\nscale: tiny\nimports: [{name}]\n"
        f"targets: {targets}\npanels:\n  p:\n    row: {row}\n"
    )
    with pytest.raises(InputError) as told:
        make_plan(read_sweep(path))
    assert str(told.value) == plain(str(told.value))
    return str(told.value)


@pytest.mark.parametrize("kind", CONSTRUCTORS)
def test_what_a_constructor_raises_is_told_with_both_places(tmp_path: Path, kind: str) -> None:
    body, said = CONSTRUCTORS[kind]
    name = f"told_{kind}"
    told = refusal(tmp_path, name, VARIANT.replace("BODY", body), f"{{mask_ratio: {name}}}")
    assert told.startswith(f"p/row: {tmp_path}/told.yaml:8: mask_ratio.{name} cannot be made: ")
    assert said in told and told.endswith(f"({name}.py:8)") and len(told.splitlines()) == 1


def test_a_variant_that_lacks_what_its_axis_asks_is_told(tmp_path: Path) -> None:
    code = VARIANT.partition("    def __init__")[0] + "    pass\n"
    told = refusal(tmp_path, "told_abstract", code, "{mask_ratio: told_abstract}")
    assert told.endswith("told.yaml:8: mask_ratio.told_abstract cannot be made: Own lacks draw")


@pytest.mark.parametrize("method", METHODS)
def test_what_a_stage_says_wrongly_of_itself_is_told_with_its_line(tmp_path: Path, method: str) -> None:
    name = f"told_{method.partition('(')[0]}"
    code = STAGE.replace("METHOD", method).replace("BODY", "raise ValueError('broken 1')")
    told = refusal(tmp_path, name, code, "{}", f"{{p: [{name}]}}")
    assert f"{name}.py:16: stage {name} {METHODS[method]}" in told


def test_resources_are_refused_in_one_line_with_their_place(tmp_path: Path) -> None:
    told = refusal(tmp_path, "told_nothing", "", "{resources.stage.cpus: -1}")
    assert told == f"p/row: {tmp_path}/told.yaml:8: resources.stage.cpus = -1: expected 0 or more"
    told = refusal(tmp_path, "told_nothing", "", "{resources.stage.gpus: 1.5}")
    assert told == (
        f"p/row: {tmp_path}/told.yaml:8: resources.stage.gpus = 1.5: expected a whole number, or less than 1"
    )
    told = refusal(tmp_path, "told_nothing", "", "{resources.stage.gpus: 2}")
    assert told.startswith(f"p/row: {tmp_path}/told.yaml:8: resources.stage.gpus = 2: stage ")


SAID = {
    "found <class 'float'>": "found float",
    "found <rgx.gesture.Own object at 0x7f00deadbeef>": "found Own",
    "<function outer.<locals>.inner at 0x7f00deadbeef> failed": "inner failed",
    "one of dict_keys(['a', 'b'])": "one of ['a', 'b']",
    "float or NoneType": "float or None",
    "typing.Annotated[float, Since(neutral=0.0)]": "float",
    "PosixPath('/data/x')": "'/data/x'",
    f"cannot reach {SECRET}/api": "cannot reach http://…@host:5000/api",
    "ray://token@head:10001": "ray://…@head:10001",
    "sqlite:////data/a@b.db": "sqlite:////data/a@b.db",
    "me@example.org": "me@example.org",
    "a < b and c > d": "a < b and c > d",
}


@pytest.mark.parametrize("text", SAID)
def test_no_python_object_and_no_secret_is_left(text: str) -> None:
    assert plain(text) == SAID[text]


@pytest.mark.parametrize(
    "part",
    ["<a.", "<", "a.", "a:", "x://a", "<function ", "Annotated[", "dict_keys(", "<locals>.", "a<b ", "'"],
)
def test_a_long_text_is_looked_through_at_once(part: str) -> None:
    text = part * (40_000 // len(part))
    began = time.perf_counter()
    assert plain(text) and translate(text, GIN) and translate(ValueError(text), YAML)
    assert time.perf_counter() - began < 5


def test_a_library_s_words_are_translated_with_the_nearest_name() -> None:
    said = "No configurable matching reference '@quantizer.rvqq()'\n  In bindings string line 3"
    assert translate(said, GIN, lambda: ["quantizer.rvq"]) == (
        "unknown variant 'quantizer.rvqq': did you mean 'quantizer.rvq'?"
    )
    assert translate(ValueError("one\ntwo")) == "one"


def test_the_place_is_in_a_person_s_own_code() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        assert raised_at(error) == f"{__file__}:{error.__traceback__.tb_lineno}: "  # type: ignore[union-attr]


def test_secrets_are_in_no_record_name_or_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hush" not in run_name("s", [f"speech.wavlm.model = '{SECRET}'"])
    path = tmp_path / "little.yaml"
    path.write_text("name: little\nconfig: [gin/realistic_gesture.gin]\nscale: tiny\npanels: {p: {a: {}}}\n")
    monkeypatch.setattr(sys, "argv", ["rgx", "sweep", "--address", SECRET])
    record = RunRecord(make_plan(read_sweep(path)), tmp_path / "store", overrides=(f"x = '{SECRET}'",))
    record.write()
    assert "hush" not in record.path.read_text() and "@host:5000" in record.path.read_text()
    error = RuntimeError(f"no answer from {SECRET}")
    log = write_failure(tmp_path / "store", "corpus", "0" * 64, error)
    for text in (reason_of(error), log.read_text(), (log.parent / "failure.json").read_text()):
        assert "hush" not in text and "@host:5000" in text


def test_the_command_line_prints_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    sweep = "sweeps/ablation_table3.yaml"
    assert command("plan", sweep, "--bind", f"speech.wavlm.model = '{SECRET}'") == 2
    told = capsys.readouterr().err
    assert "hush" not in told and "nothing in this cell reads" in told and "http://…@host:5000" in told
