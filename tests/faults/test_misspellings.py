"""A misspelling planted in a file is refused with its line, and with the right spelling."""

from __future__ import annotations

import math
import os
import random
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from roster import load_roster
from test_mutations import read

from rgx.errors import InputError
from rgx.registry import axes, variants
from rgx.translator import plain

COUNT = int(os.environ.get("RGX_MISSPELLINGS", "42"))
"""Misspellings planted in all."""
PLACED = {
    "sweep": """\
name: mutated
<key config>: [gin/realistic_gesture.gin]
<key scale>: tiny
<key seeds>: [0, 1]
<key bind>:
  <scope generator>/<axis training>.<variant adamw>.<parameter steps>: 7
  <axis corpus>.<variant puppets>.<parameter speakers>: 2
<key targets>:
  3b: [<stage motion_scores>]
<key panels>:
  3b:
    none: {<axis quantizer>: none, <axis generator>: <variant regression>}
    ratio: {<axis mask_ratio>: {<variant uniform>: {<parameter low>: 0.3, <parameter high>: 1.0}}}
    rate:
      bind:
        <scope residual>/<axis training>.<variant adamw>.<parameter learning_rate>: 0.001
        <axis decode>.<variant iterative>.<parameter temperature>: 0.5
  grid:
    grid:
      <axis fusion>: [<variant cross_attention>, <variant concat>]
      <axis trunk>.<variant paper>.<parameter dropout>: [0.1, 0.2]
<key search>:
  rate:
    <key row>: {<axis residual>: none}
    <key over>:
      <scope generator>/<axis training>.<variant adamw>.<parameter learning_rate>:
        {<key low>: 0.1, <key high>: 0.2, <key log>: true}
      <axis quantizer>: {<key choices>: [<variant rvq>, <variant fsq>]}
    <key metric>: <stage motion_scores>/<variant diversity>
    <key trials>: 4
    <key searcher>: <variant random>
    <key scheduler>:
      <key asha>:
        <key budget>: <scope generator>/<axis training>.<variant adamw>.<parameter steps>
        <key rungs>: [2, 4]
""",
    "gin": """\
# What I changed.
WIDTH = 64
<macro MASK_RATIO> = @<axis mask_ratio>.<variant uniform>()
<macro DECODE> = @<axis decode>.<variant iterative>()
<axis mask_ratio>.<variant uniform>.<parameter low> = 0.25

<scope generator>/<axis training>.<variant adamw>.<parameter steps> = 7
<scope alignment>/<axis training>.<variant adamw>.<parameter batch> = 8
<scope judge>/<axis training>.<variant adamw>:
    <parameter betas> = (0.9, 0.95)
    <parameter weight_decay> = 0.1
<axis trunk>.<variant paper>.<parameter width> = %<macro WIDTH>
<axis stage>.<stage motion_scores>.<parameter metrics> = [@<axis metric>.<variant diversity>()]
""",
    "report": """\
<key sweep>: mutated.yaml
<key method>: rgx.gesture
<key caption>: Ablations.
<key panels>:
  3b:
    <key caption>: Representations.
    <key columns>: [fgd, diversity, pcm]
    <key ours>: Uni
    <key order>: <name as_swept>
    <key test>: <name paired_t>
    <key labels>: {Uni: Ours}
    <key heads>: {<name diversity>: Div.}
    <key components>: {Uni: [RVQ]}
    <key published>: {Uni: {<name diversity>: 0.434}}
    <key note>: After the paper.
<key figures>:
  bars:
    {<key kind>: <name bars>, <key panel>: 3b, <key columns>: [<name diversity>], <key width>: <name column>}
<key formats>: [<name latex>, <name markdown>]
""",
}
"""Files in which every word that may be misspelt stands in angle brackets, after what kind of word it is."""
MARK = re.compile(r"<(\w+) (\w+)>")


def misspelt(draw: random.Random, word: str, known: set[str]) -> str:
    """Return a word with one slip of the finger, that is no other word."""
    while True:
        at = draw.randrange(len(word) - 1)
        letter = draw.choice(string.ascii_lowercase)
        slips = [
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + (letter.upper() if word.isupper() else letter) + word[at + 1 :],
        ]
        slip = draw.choice(slips)
        if slip not in known and len(slip) > 2 and slip.strip("_0123456789"):
            return slip


def planted(draw: random.Random, kind: str, known: set[str]) -> tuple[str, str, int, str, str]:
    """Return a file of a kind with one misspelling: its text, what was misspelt, where, and both words."""
    text = PLACED[kind]
    marks = list(MARK.finditer(text))
    sorts = sorted({mark[1] for mark in marks})
    sort = draw.choice(sorts)
    chosen = draw.choice([mark for mark in marks if mark[1] == sort])
    wrong = misspelt(draw, chosen[2], known)
    line = text.count("\n", 0, chosen.start()) + 1
    whole = text[: chosen.start()] + wrong + text[chosen.end() :]
    return MARK.sub(r"\2", whole), sort, line, chosen[2], wrong


def words() -> Iterator[str]:
    """Yield every word that means something somewhere."""
    load_roster()
    yield from axes()
    for variant in variants():
        yield from (variant.name, *variant.arguments)
    for text in PLACED.values():
        yield from re.findall(r"\w+", text)


@pytest.mark.parametrize("kind", PLACED)
def test_the_files_without_a_misspelling_are_read(tmp_path: Path, kind: str) -> None:
    read(tmp_path, kind, MARK.sub(r"\2", PLACED[kind]))


@pytest.mark.parametrize("kind", PLACED)
def test_a_planted_misspelling_is_refused_with_its_line(tmp_path: Path, kind: str) -> None:
    known = set(words())
    path = tmp_path / "mutated.yaml"
    for number in range(math.ceil(COUNT / len(PLACED))):
        draw = random.Random(f"{kind} {number}")
        text, sort, line, right, wrong = planted(draw, kind, known)
        with pytest.raises(InputError) as error:
            read(tmp_path, kind, text)
        told = str(error.value)
        place = f"own.gin:{line}: " if kind == "gin" else f"{path}:{line}: "
        assert place in told, f"{sort} {wrong} for {right} in line {line}: {told}"
        assert right in told, f"{sort} {wrong} for {right} is not offered: {told}"
        assert told == plain(told)
