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
BASE = """\
name: mutated
config: [gin/realistic_gesture.gin]
scale: tiny
seeds: [0, 1]
bind:
  corpus.puppets.speakers: 2
  tokenizer/training.adamw.steps: 3
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
"""
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


def mutate(draw: random.Random, text: str) -> str:
    """Return the text with one to four random edits."""
    for _ in range(draw.randint(1, 4)):
        edit = draw.choice([change, drop, insert, lose, repeat, shift])
        text = edit(draw, text, draw.randrange(len(text))) or "\n"
    return text


@pytest.mark.parametrize("part", range(10))
def test_mutated_sweeps_are_refused_or_planned(tmp_path: Path, part: int) -> None:
    file = tmp_path / "mutated.yaml"
    refused = 0
    for number in range(COUNT // 10):
        draw = random.Random(1000 * part + number)
        text = mutate(draw, BASE)
        file.write_text(text)
        try:
            make_plan(read_sweep(file))
        except InputError as error:
            refused += 1
            assert str(error).strip(), text
        except Exception as error:
            raise AssertionError(f"{error!r} of\n{text}") from error
    assert refused
