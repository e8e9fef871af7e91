"""The rubric of the paper: every leaf has its evidence, and what is said of it is what its command says."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_benchmarks import load

ROOT = Path(__file__).resolve().parents[2]
fidelity = load("fidelity")
RUBRIC = """\
One (Sec. 1):
  part:
    - says: a
      source: eq. (1)
      test: tests/test_a.py::test_a
    - says: b
      source: eq. (2)
      missing: not built
Two:
  part:
    - says: c
      source: Fig. 1
      benchmark: "README.md :: speed 3"
    - says: d
      source: Fig. 2
      deviation: otherwise (reading 7)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A small project with its rubric."""
    for folder in ("docs", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "docs/fidelity.yaml").write_text(RUBRIC)
    (tmp_path / "docs/readings.md").write_text("| 7 | Sec. 1 | open | so |\n")
    (tmp_path / "README.md").write_text("speed 3\n")
    (tmp_path / "tests/test_a.py").write_text("def test_a(x):\n    assert x\n")
    return tmp_path


def test_every_leaf_of_the_paper_has_its_evidence() -> None:
    some = fidelity.leaves()
    assert len(some) >= 120
    assert not list(fidelity.faults(some))


def test_page_and_readme_say_what_the_command_says() -> None:
    some = fidelity.leaves()
    assert (ROOT / fidelity.PAGE).read_text(encoding="utf-8") == fidelity.page(some)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert fidelity.sentence(some) in readme and fidelity.filled(readme, some) == readme


def test_shares_by_hand(home: Path) -> None:
    some = fidelity.leaves(home)
    assert not list(fidelity.faults(some, home))
    assert fidelity.table(some)[2:] == [
        "| One (Sec. 1) | 2 | 1 | 0 | 0 | 1 | 50.0 % |",
        "| Two | 2 | 0 | 1 | 1 | 0 | 50.0 % |",
        "| all | 4 | 1 | 1 | 1 | 1 | 50.0 % |",
    ]
    assert fidelity.listed(some, "missing") == ["- One, part: b (eq. (2)): not built"]
    assert "Of 4 statements of the paper 50.0 % are" in fidelity.sentence(some)


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("::test_a", "::test_b", "'a': no test tests/test_a.py::test_b"),
        ("test_a.py::", "test_c.py::", "'a': no test tests/test_c.py::test_a"),
        ("speed 3", "speed 4", "'c': README.md  has no 'speed 4'"),
        ("reading 7", "reading 8", "'d': a deviation names its reading"),
        ("says: b", "says: a", "'a' is said 2 times"),
    ],
)
def test_a_leaf_without_its_evidence_is_told(home: Path, old: str, new: str, wrong: str) -> None:
    (home / "docs/fidelity.yaml").write_text(RUBRIC.replace(old, new, 1))
    (fault,) = fidelity.faults(fidelity.leaves(home), home)
    assert fault.startswith(wrong)


def test_a_leaf_has_one_kind_of_evidence(home: Path) -> None:
    (home / "docs/fidelity.yaml").write_text(RUBRIC + "      missing: too\n")
    with pytest.raises(ValueError, match="one of test, benchmark, deviation, missing"):
        fidelity.leaves(home)
