"""A new argument that changes nothing at one of its values leaves every key as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import gin
import pytest
from roster import load_roster

from rgx import registry
from rgx.errors import InputError
from rgx.kinds import refuse_marks
from rgx.registry import Part, Recipe, Since, Unkeyed, find, register
from rgx.report.figures.base import Material, parameter
from rgx.report.results import Results
from rgx.store.records import Run, SweepRow
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

AXIS = "since_test"
BEFORE = '''\
from rgx import register
from rgx.gesture.generate.masked import MaskedGenerator
from rgx.gesture.generate.mask_ratio import MaskRatio
from rgx.gesture.generate.trunk import Trunk
from rgx.registry import Part, Recipe


@register("generator", "mine", label="Mine")
class Mine(MaskedGenerator):
    """The masked generator as I have it."""

    def __init__(self, tokenizer, speech, speakers, trunk: Recipe[Trunk], ratio: Part[MaskRatio]):
        super().__init__(tokenizer, speech, speakers, trunk, ratio)
'''
AFTER = '''\
from typing import Annotated

import torch
from torch import nn

from rgx import register
from rgx.gesture.generate.masked import MaskedGenerator
from rgx.gesture.generate.mask_ratio import MaskRatio
from rgx.gesture.generate.trunk import Trunk
from rgx.registry import Part, Recipe, Since


class Gate(nn.Module):
    """What weighs the speech before the trunk hears it."""


@register("gate", "none", label="No gate")
class NoGate(Gate):
    """The speech as it is."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, content):
        return content


@register("gate", "sigmoid", label="Sigmoid gate")
class SigmoidGate(Gate):
    """Each channel by a weight of its own."""

    def __init__(self, width: int, start: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), start))

    def forward(self, content):
        return content * self.weight.sigmoid()


@register("generator", "mine", label="Mine")
class Mine(MaskedGenerator):
    """The masked generator with a gate."""

    def __init__(
        self, tokenizer, speech, speakers, trunk: Recipe[Trunk], ratio: Part[MaskRatio],
        gate: Annotated[Recipe[Gate], Since(NoGate)], noise: Annotated[float, Since(0.0)] = 0.0,
    ):
        super().__init__(tokenizer, speech, speakers, trunk, ratio)
        self.gate, self.noise = gate(len(self.silence)), noise

    def content(self, batch):
        content = self.gate(super().content(batch))
        return content + self.noise * torch.randn_like(content)
'''
GIN = "GENERATOR = @generator.mine()\ngenerator.mine.trunk = %TRUNK\ngenerator.mine.ratio = %MASK_RATIO\n"
GATED = "GATE = @gate.none()\ngenerator.mine.gate = %GATE\n"
SWEEP = """\
name: mine
config: [gin/realistic_gesture.gin, mine.gin]
scale: tiny
imports: [mine]
panels:
  p:
    mine: {}
"""
MORE = """\
    none: {gate: none}
    still: {generator.mine.noise: 0}
    noisy: {generator.mine.noise: 0.1}
    sigmoid: {gate: sigmoid}
    open: {gate: {sigmoid: {start: 2}}}
"""


class Gate:
    """What the test's parts are."""


class NoGate(Gate):
    """Lets everything through."""

    def __init__(self, width: int) -> None: ...


class Silence(Gate):
    """A whole part that changes nothing."""


@pytest.fixture(scope="module", autouse=True)
def trial_axis() -> Iterator[None]:
    load_roster()
    before = dict(registry._roster)
    register(AXIS, "none")(NoGate)
    register(AXIS, "silence")(Silence)
    yield
    registry._roster.clear()
    registry._roster.update(before)


def planned_rows(folder: Path, code: str, gin_text: str, sweep: str) -> dict[str, SweepRow]:
    """Return each row as its run would record it, planned in a process of its own."""
    (folder / "mine.py").write_text(code)
    (folder / "mine.gin").write_text(gin_text)
    (folder / "mine.yaml").write_text(sweep)
    done = subprocess.run(
        [sys.executable, "-m", "rgx", "plan", "mine.yaml", "--json"], cwd=folder, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {row["row"]: SweepRow.model_validate(row) for row in json.loads(done.stdout)["rows"]}


def test_an_axis_added_inside_the_generator_retrains_nothing(tmp_path: Path) -> None:
    before = planned_rows(tmp_path, BEFORE, GIN, SWEEP)["mine"].stages
    rows = planned_rows(tmp_path, AFTER, GIN + GATED, SWEEP + MORE)
    after = {name: row.stages for name, row in rows.items()}
    for row in ("mine", "none", "still"):
        assert after[row] == before, row
    generators = {row: stages["generator"] for row, stages in after.items()}
    assert len({generators[row] for row in ("mine", "noisy", "sigmoid", "open")}) == 4
    assert {stages["tokenizer"] for stages in after.values()} == {before["tokenizer"]}


def test_what_is_left_out_is_kept_for_figures(tmp_path: Path) -> None:
    rows = planned_rows(tmp_path, AFTER, GIN + GATED, SWEEP + MORE)
    assert rows["noisy"].left_out["generator"] == {
        "generator": {"gate": {"variant": "gate/none"}},
        "training": {"average": 0.0},
        "space": {"variant": "space/landmarks"},
    }
    assert rows["mine"].left_out["generator"]["generator"]["noise"] == 0.0
    record = {"variant": "stage/generator", "generator": {"variant": "generator/mine", "trunk": {}}}
    manifests = {("generator", row.stages["generator"]): {"record": record} for row in rows.values()}
    run = Run(name="mine", seeds=[0], rows=list(rows.values()))
    material = Material(Results(run, [], {}, manifests=manifests), tmp_path, {})
    assert parameter(material.record(rows["still"], "generator"), "generator/noise", "here") == 0.0
    with pytest.raises(InputError, match="no 'noise'"):
        parameter(record, "generator/noise", "here")


def made(cls: type, **given: Any) -> Any:
    """Return a class configured as a variant of its name."""
    name = cls.__qualname__.rpartition(".")[2].lower()
    register(AXIS, name)(cls)
    return gin.get_configurable(f"{AXIS}.{name}")(**given)


def test_at_its_value_an_argument_is_not_in_the_record() -> None:
    class Number:
        def __init__(
            self,
            rate: float = 0.5,
            dropout: Annotated[float, Since(0.0)] = 0.0,
            betas: Annotated[tuple[float, float], Since((0, 1))] = (0.0, 1.0),
            limit: Annotated[int | None, Since(None)] = None,
        ) -> None: ...

    bare = {"variant": f"{AXIS}/number", "rate": 0.5}
    assert made(Number).record == bare
    assert made(Number, dropout=0, betas=[0, 1]).record == bare
    assert made(Number, dropout=0.1, limit=0).record == {**bare, "dropout": 0.1, "limit": 0}
    assert made(Number, betas=(0, 0.9)).record == {**bare, "betas": [0.0, 0.9]}


def test_a_part_is_left_out_by_its_class() -> None:
    class Parts:
        def __init__(
            self, gate: Annotated[Recipe[Gate], Since(NoGate)], whole: Annotated[Part[Gate], Since(Silence)]
        ) -> None:
            self.gate, self.whole = gate, whole

    gate, silence = gin.get_configurable(f"{AXIS}.none")(), gin.get_configurable(f"{AXIS}.silence")()
    parts = made(Parts, gate=gate, whole=silence)
    assert parts.record == {"variant": f"{AXIS}/parts"} and parts.whole is silence
    assert find(AXIS, "parts").parts == ["gate", "whole"], "required as any part is"


def wrong_since() -> dict[str, tuple[type, str]]:
    class Bare:
        def __init__(self, rate: Annotated[float, Since] = 0.0) -> None: ...

    class Text:
        def __init__(self, rate: Annotated[float, Since("0.0")] = 0.0) -> None: ...

    class Choice:
        def __init__(self, gate: Annotated[Recipe[Gate], Since(Path)]) -> None: ...

    class Absence:
        def __init__(self, gate: Annotated[Recipe[Gate], Since(Gate)]) -> None: ...

    class Kind:
        def __init__(self, rate: Annotated[float, Since(float)] = 0.0) -> None: ...

    class Shape:
        def __init__(self, width: Annotated[int, Since(1)]) -> None: ...

    return {
        "bare": (Bare, "'rate': found Since without a value"),
        "text": (Text, "'rate': found Since('0.0'), expected a number"),
        "part": (Choice, "'gate': found Since(Path), expected Gate"),
        "base": (Absence, "'gate': found Since(Gate), which is not registered"),
        "kind": (Kind, "'rate': found Since(float), expected a number"),
        "shape": (Shape, "'width': Since stands at a shape"),
    }


@pytest.mark.parametrize("name", wrong_since())
def test_a_mistaken_since_is_told_with_its_place(name: str) -> None:
    cls, said = wrong_since()[name]
    with pytest.raises(InputError) as told:
        made(cls)
    first = str(told.value).splitlines()[0]
    assert said in first and first.startswith(f"{__file__}:")


def test_every_variant_of_the_roster_marks_its_arguments_well() -> None:
    for variant in registry.variants():
        if variant.axis != AXIS:
            refuse_marks(variant, registry.variants())


def test_how_often_something_is_kept_is_in_no_record() -> None:
    class Kept:
        def __init__(self, steps: int = 3, log_every: Unkeyed[int] = 10) -> None:
            self.log_every = log_every

    kept = made(Kept, log_every=2)
    assert kept.log_every == 2 and kept.record == {"variant": f"{AXIS}/kept", "steps": 3}


@pytest.mark.parametrize("line", ["training.adamw.checkpoint_every = 3", "resources.stage.cpus = 2"])
def test_a_bind_of_how_it_is_run_changes_no_key(tmp_path: Path, line: str) -> None:
    path = tmp_path / "kept.yaml"
    path.write_text("name: kept\nconfig: [gin/realistic_gesture.gin]\nscale: tiny\npanels: {p: {full: {}}}\n")
    plain = make_plan(read_sweep(path))
    bound = make_plan(read_sweep(path, Overrides(bindings=[line])))
    assert list(plain.tasks) == list(bound.tasks)
