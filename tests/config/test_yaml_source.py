"""The one reader of YAML: what words stand for, where keys are, what is written twice or cannot be read."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from rgx.errors import InputError
from rgx.yaml_source import Source
from rgx.yaml_values import Written

WORDS: dict[str, Any] = {
    "1e-4": 1e-4, "1E3": 1000.0, "1.": 1.0, ".5": 0.5, "-0.0": -0.0, "+1.5e+2": 150.0, "27.20": 27.2,
    "012": 12, "0o17": 15, "0x1F": 31, "+3": 3, "-7": -7,
    "~": None, "": None, "null": None, "true": True, "FALSE": False, "yes": "yes", "no": "no", "on": "on",
    "off": "off", "y": "y", "1_000": "1_000", "1:30": "1:30", "0b11": "0b11", "2024-01-01": "2024-01-01",
    "1e": "1e", "e4": "e4", "tRUE": "tRUE", "=": "=", "'1e-4'": "1e-4", '"true"': "true", "!!str 5": "5",
    "!!float 1": 1.0,
}  # fmt: skip
"""What each word is by the core schema of YAML 1.2.2, section 10.3.2."""


def read(folder: Path, text: str | bytes) -> Source:
    file = folder / "f.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Source(file, ["a"])


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_what_yaml_1_2_says(tmp_path: Path, word: str) -> None:
    value = read(tmp_path, f"a: {word}\n").data["a"]
    assert value == WORDS[word] and isinstance(value, type(WORDS[word]))


@pytest.mark.parametrize("word", [".inf", "-.INF", ".nan", "1e999", "-1.5e400"])
def test_a_number_that_is_none_or_has_no_end_is_refused_with_its_line(tmp_path: Path, word: str) -> None:
    with pytest.raises(InputError) as told:
        read(tmp_path, f"a: 1\nb: [2, {word}]\n")
    assert str(told.value) == f"{tmp_path}/f.yaml:2: found {word}, expected a finite number"


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30))
def test_a_number_that_python_writes_is_that_number(
    tmp_path_factory: pytest.TempPathFactory, number: float
) -> None:
    value = read(tmp_path_factory.getbasetemp(), f"a: {number!r}\n").data["a"]
    assert value == number and isinstance(value, type(number))


def test_a_fraction_keeps_its_digits_wherever_it_goes(tmp_path: Path) -> None:
    number = read(tmp_path, "a: 27.20\n").data["a"]
    for same in (number, copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert isinstance(same, Written) and same.digits == "27.20" and same == 27.2
    assert repr(number) == "27.2"


@pytest.mark.parametrize(
    "name", ["5", "1.50", "true", "off", "~", "1e3", "0x10", "2024-01-01", "=", "w/o res"]
)
def test_a_key_is_text_as_it_is_written(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f"a:\n  {name}: {{}}\n").data == {"a": {name: {}}}


def test_merged_keys_are_the_mapping_s_own_unless_it_has_them(tmp_path: Path) -> None:
    source = read(tmp_path, "a: &a {x: 1, y: 2}\nb: &b {x: 3, z: 4}\nc:\n  <<: [*a, *b]\n  y: 5\n")
    assert source.data["c"] == {"x": 1, "y": 5, "z": 4}
    assert source.where(["c", "z"]).endswith("f.yaml:2") and source.where(["c", "y"]).endswith("f.yaml:5")


UNREADABLE = {
    "UTF-16": ("a: 1\n".encode("utf-16"), 1, "UTF-16"),
    "UTF-16 without a mark": ("a: 1\n".encode("utf-16-be"), 1, "UTF-16"),
    "UTF-32": ("a: 1\n".encode("utf-32"), 1, "UTF-16"),
    "Latin 1": (b"a: 1\nb: \xe9\n", 2, "found the byte 0xE9, expected UTF-8"),
    "a bell": (b"a: 1\nb: \x07\n", 2, "U+0007"),
    "a tab": (b"a:\n\tb: 1\n", 2, "found a tab, expected spaces"),
    "lists too deep for the parser": (b"a: " + b"[" * 100_000, 1, "inside each other"),
    "blocks too deep for the parser": (b"a:\n" + b"- " * 100_000, 2, "inside each other"),
    "aliases that make it deep": (
        b"".join(b"a%d: &a%d [%s]\n" % (n, n, b"*a%d" % (n - 1) if n else b"1") for n in range(300)),
        100, "inside each other",
    ),
    "two documents": (b"a: 1\n---\nb: 2\n", 2, "found a second document, expected one mapping"),
    "a key that is a list": (b"a: 1\n[b]: 1\n", 2, "expected a name"),
    "a merged number": (b"a: 1\n<<: 5\n", 2, "expected one or a list of them"),
    "two merges": (b"a: &a {x: 1}\n<<: *a\n<<: *a\n", 3, "'<<' is written twice; the first stands in line 2"),
    "a tag of Python's": (b"a: 1\nb: !!python/name:os.system\n", 2, "found the tag !!python/name:os.system"),
    "a set": (b"a: !!set {x}\n", 1, "found the tag !!set"),
    "a wrong tag": (b"a: !!int many\n", 1, "found 'many'"),
    "too many digits": (b"a: " + b"9" * 5000, 1, "found '999"),
    "a list": (b"- a\n", 1, "found a list, expected the keys a"),
    "nothing": (b"# nothing\n", 1, "found nothing, expected the keys a"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, name: str) -> None:
    text, line, part = UNREADABLE[name]
    with pytest.raises(InputError) as told:
        read(tmp_path, text)
    assert str(told.value).startswith(f"{tmp_path / 'f.yaml'}:{line}: ") and part in str(told.value)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf", b""])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_marks_and_line_ends_of_other_machines_change_nothing(
    tmp_path: Path, mark: bytes, end: bytes
) -> None:
    source = read(tmp_path, mark + end.join([b"a: 1", b"b: {c: 2}", b""]))
    assert source.data == {"a": 1, "b": {"c": 2}} and source.where(["b", "c"]).endswith(":2")


KEYS = st.sampled_from(["a", "b", "5", "true", "w/o res", "<"])
QUOTES = st.sampled_from(["{}", "'{}'", '"{}"', "!!str {}"])
Tree = list[tuple[str, str, Any]]
"""A mapping: each key, how it is quoted, and a mapping or a list of mappings or None below it."""
TREES = st.recursive(
    st.lists(st.tuples(KEYS, QUOTES, st.none()), min_size=1, max_size=4),
    lambda below: st.lists(
        st.tuples(KEYS, QUOTES, st.none() | below | st.lists(below, min_size=1, max_size=2)),
        min_size=1,
        max_size=4,
    ),
    max_leaves=12,
)


def written(tree: Tree, pad: str, lines: list[str], doubles: set[tuple[int, str, int]]) -> None:
    """Write a tree as block YAML; note each key that an earlier line of the same mapping has too."""
    seen: list[tuple[str, int]] = []
    for key, quote, below in tree:
        lines.append(f"{pad}{quote.format(key)}:")
        earlier = [line for other, line in seen if other == key]
        if earlier:
            doubles.add((len(lines), key, min(earlier)))
        seen.append((key, len(lines)))
        if below and isinstance(below[0], list):
            for part in below:
                lines.append(f"{pad}-")
                written(part, pad + "  ", lines, doubles)
        elif below:
            written(below, pad + "  ", lines, doubles)


@given(TREES)
def test_every_key_that_is_written_twice_is_told_with_both_lines(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree
) -> None:
    lines: list[str] = []
    doubles: set[tuple[int, str, int]] = set()
    written(tree, "", lines, doubles)
    folder = tmp_path_factory.getbasetemp()
    try:
        told = []
        read(folder, "\n".join(lines) + "\n")
    except InputError as error:
        told = str(error).splitlines()
    assert told == [
        f"{folder / 'f.yaml'}:{line}: '{key}' is written twice; the first stands in line {first}"
        for line, key, first in sorted(doubles)
    ]


class Part(BaseModel):
    """A part of the model below."""

    model_config = ConfigDict(extra="forbid", strict=True)
    size: int
    share: float = Field(default=0.5, ge=0, le=1)


class Whole(BaseModel):
    """A model with every kind of field that our files have."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    files: str | list[str] = []
    parts: dict[str, Part] = {}
    counts: list[int] = Field(default=[1], min_length=1)
    short: bool = False
    word: str | None = None


GOOD = {
    "name: 2024\n": {"name": "2024"},
    "name: 1.50\n": {"name": "1.50"},
    "name: true\n": {"name": "true"},
    "name: a\nfiles: 5\n": {"files": "5"},
    "name: a\nfiles: [5, off]\n": {"files": ["5", "off"]},
    "name: a\ncounts: [1e3, 2]\n": {"counts": [1000, 2]},
    "name: a\nword: 0x10\n": {"word": "0x10"},
}


@pytest.mark.parametrize("text", GOOD)
def test_a_number_where_text_is_wanted_is_what_was_written(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).parse(Whole).model_dump().items() >= GOOD[text].items()


WRONG = {
    "nam: a\n": ["1: unknown key 'nam'; did you mean 'name'?"],
    "short: no\n": ["1: 'name' is missing", "1: 'short' is 'no': expected true or false"],
    "name:\n": ["1: 'name' is nothing: expected text"],
    "name: [a]\n": ["1: 'name' is a list of 1: expected text"],
    "name: a\nfiles: {a: 1}\n": ["2: 'files' is a mapping of 1: expected text or a list"],
    "name: a\nfiles:\n- a\n- [b]\n": ["4: 'files/1' is a list of 1: expected text"],
    "name: a\nparts: [a]\n": ["2: 'parts' is a list of 1: expected a mapping (name: value)"],
    "name: a\nparts:\n  p:\n": ["3: 'parts/p' is nothing: expected a mapping (name: value)"],
    "name: a\nparts:\n  p: {siz: 1}\n": ["3: unknown key 'parts/p/siz'; did you mean 'size'?"],
    "name: a\nparts:\n  p:\n    size: 1.5\n": ["4: 'parts/p/size' is 1.5: expected a whole number"],
    "name: a\nparts:\n  p: {size: 1, share: 2}\n": ["3: 'parts/p/share' is 2: expected 1 or less"],
    "name: a\nparts:\n  p: {size: 1, share: 1_0}\n": ["3: 'parts/p/share' is '1_0': expected a number"],
    "name: a\ncounts: []\n": ["2: 'counts' is a list of 0: expected at least 1"],
}


@pytest.mark.parametrize("text", WRONG)
def test_what_a_model_refuses_is_told_in_plain_words(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as told:
        read(tmp_path, text).parse(Whole)
    assert str(told.value).splitlines() == [f"{tmp_path / 'f.yaml'}:{line}" for line in WRONG[text]]
