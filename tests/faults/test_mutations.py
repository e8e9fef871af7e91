"""Sweep files broken at random are refused with a message, never with a traceback."""

from __future__ import annotations

import os
import random
import string
from pathlib import Path

import pytest

from rgx.errors import InputError
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import read_sweep

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
      trunk.transformer.layers: {low: 1, high: 3, integer: true}
      quantizer: {choices: [rvq, {rvq: {codes: 64}}]}
    metric: motion_scores/fgd
    trials: 4
    searcher: optuna
    seed: 3
    scheduler:
      asha: {budget: generator/training.adamw.steps, rungs: [2, 4], reduction_factor: 2.0}
"""
BASES = {"rows": HEAD + PANELS, "search": HEAD + SEARCH, "both": HEAD + PANELS + SEARCH}
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


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, 10))])
def test_mutated_sweeps_are_refused_or_planned(tmp_path: Path, part: int) -> None:
    file = tmp_path / "mutated.yaml"
    refused = 0
    for number in range(COUNT // 10):
        draw = random.Random(1000 * part + number)
        text = mutate(draw, draw.choice(list(BASES.values())))
        file.write_text(text)
        try:
            make_plan(read_sweep(file))
        except InputError as error:
            refused += 1
            assert str(error).strip(), text
        except Exception as error:
            raise AssertionError(f"{error!r} of\n{text}") from error
    assert refused


@pytest.mark.parametrize("name", BASES)
def test_what_is_mutated_can_be_planned(tmp_path: Path, name: str) -> None:
    (tmp_path / "whole.yaml").write_text(BASES[name])
    made = make_plan(read_sweep(tmp_path / "whole.yaml"))
    assert bool(made.searches) == ("search" in BASES[name]) and bool(made.cells) == ("panels" in BASES[name])
