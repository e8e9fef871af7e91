"""Sweep, gin and report files broken at random are refused with a message, never with a traceback."""

from __future__ import annotations

import os
import random
import string
from pathlib import Path

import pytest

from rgx.errors import InputError
from rgx.report.definition import load
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import read_sweep
from rgx.translator import plain

COUNT = int(os.environ.get("RGX_MUTATIONS", "150"))
HEAD = """\
name: mutated
config: [gin/realistic_gesture.gin]
scale: tiny
seeds: [0, 1]
bind:
  corpus.puppets.speakers: 2
  tokenizer/training.adamw.steps: 3
"""
PANELS = """\
targets:
  3b: [motion_scores]
panels:
  3b:
    baseline: {quantizer: none, generator: regression}
    Uni: {mask_ratio: {uniform: {low: 0.3, high: 1.0}}}
  f:
    grid:
      fusion: [cross_attention, concat]
      style: [adain]
  pairs:
    zip:
      mask_ratio: [cosine, {uniform: {low: 0.3, high: 1.0}}]
      decode.iterative.steps: [5, 10]
"""
SEARCH = """\
search:
  rate:
    row: {fusion: concat}
    over:
      generator/training.adamw.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
      trunk.paper.layers: {low: 1, high: 3, integer: true}
      quantizer: {choices: [rvq, {rvq: {codes: 64}}]}
    metric: motion_scores/fgd
    trials: 4
    searcher: optuna
    seed: 3
    scheduler:
      asha: {budget: generator/training.adamw.steps, rungs: [2, 4], reduction_factor: 2.0}
"""
OWN = """\
# What I changed.
WIDE = 64
MASK_RATIO = @mask_ratio.uniform()
mask_ratio.uniform.low = 0.25
generator/training.adamw.steps = 7
generator/training.adamw:
    betas = (0.9, 0.95)
trunk.paper.width = %WIDE
stage.motion_scores.metrics = [@metric.fgd(), @metric.diversity()]
decode.iterative.temperature = 1e-1
"""
REPORT = """\
sweep: mutated.yaml
method: rgx.gesture
caption: Ablations.
panels:
  3b:
    caption: Representations.
    columns: [fgd, diversity, pcm]
    ours: Uni
    order: as_swept
    test: paired_t
    labels: {Uni: Ours}
    heads: {fgd: FGD}
    components: {Uni: [RVQ]}
    published: {Uni: {fgd: 0.434, pcm: 12.50}}
    note: After the paper.
figures:
  bars: {kind: bars, panel: 3b, columns: [fgd], width: column, caption: How far.}
formats: [latex, csv]
"""
BASES = {
    "sweep": [HEAD + PANELS, HEAD + SEARCH, HEAD + PANELS + SEARCH],
    "gin": [OWN],
    "report": [REPORT],
}
ODD = [
    "&a *a",
    "!!python/object:os.system x",
    "\t",
    "{",
    "[",
    ": :",
    "null",
    "1e999",
    "\u0000",
    "é",
    "- -",
    "---",
    ".nan",
    "-.inf",
    "2026-01-01",
    "!!binary aGk=",
    "!!set {a, b}",
    "? [a, b] : c",
    "<<: *a",
    "{low: 2, high: 1}",
    "{choices: [1, 1]}",
    "99999999999999999999999999",
    "@speech.mel()",
    "%CODES",
    "~",
    "true",
]


def change(draw: random.Random, text: str, at: int) -> str:
    """Return the text with another letter somewhere."""
    return text[:at] + draw.choice(string.printable) + text[at + 1 :]


def drop(draw: random.Random, text: str, at: int) -> str:
    """Return the text without a few letters."""
    return text[:at] + text[at + draw.randint(1, 9) :]


def insert(draw: random.Random, text: str, at: int) -> str:
    """Return the text with something YAML has a meaning for."""
    return text[:at] + draw.choice(ODD) + text[at:]


def lose(draw: random.Random, text: str, at: int) -> str:
    """Return the text without the line of a place."""
    return text[: text.rfind("\n", 0, at) + 1] + text[at:].partition("\n")[2]


def repeat(draw: random.Random, text: str, at: int) -> str:
    """Return the text with the line of a place twice."""
    start = text.rfind("\n", 0, at) + 1
    line = text[start:].partition("\n")[0]
    return f"{text[:start]}{line}\n{text[start:]}"


def shift(draw: random.Random, text: str, at: int) -> str:
    """Return the text with the line of a place indented otherwise."""
    start = text.rfind("\n", 0, at) + 1
    return text[:start] + draw.choice(["", " ", "   "]) + text[start:].lstrip(" ")


def swap(draw: random.Random, text: str, at: int) -> str:
    """Return the text with something odd for the rest of a line."""
    return text[:at] + draw.choice(ODD) + "\n" + text[at:].partition("\n")[2]


def mutate(draw: random.Random, text: str) -> str:
    """Return the text with one to four random edits."""
    for _ in range(draw.randint(1, 4)):
        edit = draw.choice([change, drop, insert, lose, repeat, shift, swap])
        text = edit(draw, text, draw.randrange(len(text))) or "\n"
    return text


def read(folder: Path, kind: str, text: str) -> None:
    """Read a text as a file of its kind, as far as can be without running anything."""
    if kind == "report":
        (folder / "mutated.yaml").write_text(text)
        load(folder / "mutated.yaml")
        return
    if kind == "gin":
        (folder / "own.gin").write_text(text)
        text = HEAD.replace("gesture.gin]", "gesture.gin, own.gin]") + PANELS
    (folder / "mutated.yaml").write_text(text)
    make_plan(read_sweep(folder / "mutated.yaml"))


PARTS = [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, 10))]


@pytest.mark.parametrize("part", PARTS)
def test_mutated_files_are_refused_or_read(tmp_path: Path, part: int) -> None:
    refused = 0
    for number in range(COUNT // 10):
        draw = random.Random(1000 * part + number)
        kind = list(BASES)[number % len(BASES)]
        text = mutate(draw, draw.choice(BASES[kind]))
        try:
            read(tmp_path, kind, text)
        except InputError as error:
            refused += 1
            assert str(error).strip() and str(error) == plain(str(error)), text
        except Exception as error:
            raise AssertionError(f"{error!r} of\n{text}") from error
    assert refused


@pytest.mark.parametrize("kind", BASES)
def test_what_is_mutated_can_be_read(tmp_path: Path, kind: str) -> None:
    for text in BASES[kind]:
        read(tmp_path, kind, text)
