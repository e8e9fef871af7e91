"""Sweep files made to do harm are refused at once, with file and line, and nothing of them is run."""

from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest
import yaml
from little import LITTLE, command

from rgx.terminal import harmless
from rgx.yaml_source import MOST, refuse_tricks

HEAD = LITTLE.split("panels:")[0]
PANEL = "panels:\n  p:\n    full: {}\n"


def doubled(indent: int, times: int = 9) -> str:
    """Return keys whose values stand for nine times the one before, by aliases."""
    pad = " " * indent
    lines = [f"{pad}a.x0: &b0 [l, l, l, l, l, l, l, l, l]"]
    for number in range(1, times + 1):
        lines.append(f"{pad}a.x{number}: &b{number} [{', '.join([f'*b{number - 1}'] * 9)}]")
    return "\n".join(lines) + "\n"


MERGED = "panels:\n  p:\n    r0: &r0 {fusion: concat, style: adain}\n" + "".join(
    f"    r{n}: &r{n} {{<<: [{', '.join([f'*r{n - 1}'] * 9)}]}}\n" for n in range(1, 9)
)
LONG = f"bind:\n  a.x: &a {'x' * 100_000}\n  a.y: [{', '.join(['*a'] * 50)}]\n"
SEARCH = """\
search:
  rate:
    over: {fusion: {choices: [concat, cross_attention]}}
    metric: motion_scores/fgd
    trials: 2
    row:
"""
WORDS = ("written out it would hold more than", "stands inside what it stands for", "found the tag !")
GROWS, HOLDS_ITSELF, TAGGED = WORDS
HOSTILE = {
    "aliases that grow in bind": (HEAD + doubled(2) + PANEL, GROWS),
    "aliases that grow in a row": (HEAD + "panels:\n  p:\n    r:\n" + doubled(6), GROWS),
    "aliases that grow in a grid": (HEAD + "panels:\n  p:\n    grid:\n" + doubled(6), GROWS),
    "aliases that grow in a search": (HEAD + SEARCH + doubled(6), GROWS),
    "aliases that grow nowhere": (HEAD + PANEL + doubled(0), GROWS),
    "merged keys that grow": (HEAD + MERGED, GROWS),
    "a long word many times": (HEAD.replace("bind:\n", LONG) + PANEL, GROWS),
    "a list in itself": (HEAD + "  a.x: &a [*a]\n" + PANEL, HOLDS_ITSELF),
    "a mapping in itself": (HEAD + "panels: &p\n  p: *p\n", HOLDS_ITSELF),
    "a key in itself": (HEAD + "panels: &p\n  ? *p\n  : {}\n", HOLDS_ITSELF),
    "a call": (HEAD + "  a.x: !!python/object/apply:os.system ['touch HARM']\n" + PANEL, TAGGED),
    "a new object": (HEAD + "  a.x: !!python/object/new:os.system ['touch HARM']\n" + PANEL, TAGGED),
    "a name": (HEAD + "  a.x: !!python/name:os.system\n" + PANEL, TAGGED),
    "a module": (HEAD + "  a.x: !!python/module:os\n" + PANEL, TAGGED),
    "a tag of its own": (HEAD + "  a.x: !harm 1\n" + PANEL, TAGGED),
    "gin in a value": (HEAD + "  corpus.puppets.seed: '@os.system()'\n" + PANEL, "found text"),
    "gin in a key": (HEAD + '  "a.b = 1\\nimport os\\nx.y": 1\n' + PANEL, "imports and includes stand"),
    "an include in a key": (HEAD + """  "include '/etc/passwd'\\na.b": 1\n""" + PANEL, "include"),
    "a row that clears the screen": (HEAD + 'panels:\n  p:\n    "a\\e[2J": {}\n', "character U+001B"),
    "a panel that names the window": (HEAD + 'panels:\n  "p\\x9d0;x\\a":\n    a: {}\n', "U+009D"),
    "a value that rings": (HEAD + '  a.x: "\\a"\n' + PANEL, "U+0007"),
    "a way out of the store": (HEAD.replace("name: little", "name: ../little") + PANEL, "letters, digits"),
    "an absolute name": (HEAD.replace("name: little", "name: /tmp/little") + PANEL, "letters, digits"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_made_to_do_harm_is_refused_with_its_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, part = HOSTILE[name]
    file, store = tmp_path / "hostile.yaml", tmp_path / "store"
    file.write_text(text.replace("HARM", str(tmp_path / "harm")))
    began = time.process_time()
    assert command("plan", str(file), "--store", str(store)) == 2
    assert time.process_time() - began < 20
    told = capsys.readouterr().err
    assert part in told and f"{file}:" in told and "Traceback" not in told
    assert len(told) < 2000 and told.replace("\n", "").isprintable()
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.yaml"]


def test_aliases_as_people_use_them_are_no_harm() -> None:
    text = "a: &a {x: [1, 2]}\nb: *a\nc: {<<: *a, y: 3}\n"
    refuse_tricks(yaml.compose(text, Loader=yaml.SafeLoader))
    refuse_tricks(yaml.compose(f"a: {'x' * (MOST // 2)}\n", Loader=yaml.SafeLoader))
    refuse_tricks(yaml.compose("", Loader=yaml.SafeLoader))


def test_letters_of_every_language_are_no_harm() -> None:
    text = 'a: "Ünïcödé 手 \u00a0\u200d→ ⚠ \\t \\n"\n'
    refuse_tricks(yaml.compose(text, Loader=yaml.SafeLoader))
    assert harmless(yaml.safe_load(text)["a"]) == yaml.safe_load(text)["a"]


def test_what_steers_a_terminal_is_unicode_s_control_characters() -> None:
    for number in range(0x3000):
        control = unicodedata.category(chr(number)) == "Cc" and chr(number) not in "\n\t"
        assert (harmless(chr(number)) == "�") == control, hex(number)


@pytest.mark.parametrize("over", [-20, 20])
def test_the_size_is_that_of_what_is_written_out(over: int) -> None:
    text = f"[&a {'x' * ((MOST + over) // 4)}, *a, *a, *a]\n"
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    if over < 0:
        refuse_tricks(tree)
        return
    with pytest.raises(yaml.YAMLError, match=GROWS):
        refuse_tricks(tree)
