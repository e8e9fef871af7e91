"""What files hold is asked once, also across processes, and again as soon as they change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rgx import memory
from rgx.memory import lasting, remember, take_over
from rgx.store.known_files import FILE, keep, recall

LONG_AGO = (1_000_000_000, 1_000_000_000)


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin as a new process does, that knows nothing."""
    forget(monkeypatch)
    yield


def forget(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(memory, "_known", {})
    patch.setattr(memory, "_lasting", {})


def old(path: Path, text: str) -> Path:
    path.write_text(text)
    os.utime(path, LONG_AGO)
    return path


def test_it_is_asked_once_until_the_file_changes(tmp_path: Path) -> None:
    path, asked = old(tmp_path / "a", "one"), []

    def ask() -> str:
        asked.append(path.read_text())
        return asked[-1]

    assert [remember("a", [path], ask) for _ in range(3)] == ["one"] * 3
    assert asked == ["one"]
    old(path, "two")
    assert remember("a", [path], ask) == "two", "of the same size and time, but written to"
    assert remember("another question", [path], ask) == "two"
    assert len(asked) == 3


def test_what_is_not_there_or_wrong_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert remember("a", [path], lambda: 1) == 1
    assert remember("a", [path], lambda: 2) == 2
    path.write_text("bad")
    with pytest.raises(ValueError, match="bad"):
        remember("a", [path], lambda: int(path.read_text()))
    assert remember("a", [path], lambda: 3) == 3


def test_a_store_hands_it_to_the_next_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old(tmp_path / "a", "one")
    remember("a", [path], lambda: {"words": 1})
    keep(tmp_path)
    forget(monkeypatch)
    recall(tmp_path)
    assert remember("a", [path], lambda: pytest.fail("it was read again")) == {"words": 1}
    forget(monkeypatch)
    remember("b", [path], lambda: 2)
    keep(tmp_path)
    forget(monkeypatch)
    recall(tmp_path)
    assert remember("a", [path], lambda: pytest.fail("it was forgotten")) == {"words": 1}


def test_a_file_written_just_now_is_not_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    remember("a", [path], lambda: 1)
    assert not lasting()
    keep(tmp_path)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": 5}', '{"a": {"stamp": [1]}}', "\udcff"])
def test_a_strange_memory_remembers_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, errors="surrogateescape")
    path = old(tmp_path / "a", "one")
    recall(tmp_path)
    assert remember("a", [path], lambda: 1) == 1
    take_over({})
    keep(tmp_path)
    recall(tmp_path)
