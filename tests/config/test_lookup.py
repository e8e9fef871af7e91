"""Files are looked for as given or beside the file that names them, in the project, in the methods."""

from __future__ import annotations

from pathlib import Path

import pytest

from rgx.lookup import (
    NoFileError,
    complete_sweep,
    find_given,
    find_report,
    folders_around,
    folders_of,
    is_carried,
)
from rgx.methods import Package, find_package, methods_of
from rgx.options import complete_choice
from rgx.report.definition import load
from rgx.report.sweeps import sweep_name
from rgx.sweep.spec import read_sweep

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = "sweeps/ablation_table3.yaml"
SWEEP = "name: own\nconfig: [gin/realistic_gesture.gin]\npanels:\n  p:\n    row: {}\n"
REPORT = """
sweep: sweeps/ablation_table3.yaml
panels:
  3b: {caption: B., columns: [fgd], published: {file: published/table3.yaml, panel: 3b}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the test works."""
    folder = tmp_path / "project" / "inner"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_sweep_is_taken_as_given_then_from_the_project_then_from_a_method(here: Path) -> None:
    assert find_given(Path(SHIPPED), "sweep file") == ROOT / SHIPPED
    in_project = write(here.parent / SHIPPED, SWEEP)
    write(here.parent / "pyproject.toml", "")
    assert find_given(Path(SHIPPED), "sweep file") == in_project
    write(here / SHIPPED, SWEEP)
    assert find_given(Path(SHIPPED), "sweep file") == Path(SHIPPED)


def test_the_report_of_a_sweep_lies_beside_its_folder_or_in_the_project_or_in_a_method(here: Path) -> None:
    assert find_report(Path(SHIPPED)) == ROOT / "reports/ablation_table3.yaml"
    in_project = write(here.parent / "reports/ablation_table3.yaml", REPORT)
    write(here.parent / "pyproject.toml", "")
    assert find_report(Path(SHIPPED)) == in_project
    beside = write(here / "elsewhere/reports/ablation_table3.yaml", REPORT)
    assert find_report(here / "elsewhere" / SHIPPED) == beside


def test_a_sweep_of_ones_own_uses_the_methods_gin_but_for_what_lies_beside_it(here: Path) -> None:
    path = write(here / "sweeps/own.yaml", SWEEP)
    [shipped] = read_sweep(path).rows
    assert shipped.texts[0].text == (ROOT / "gin/realistic_gesture.gin").read_text()
    write(here / "gin/realistic_gesture.gin", "# mine\n" + shipped.texts[0].text)
    [mine] = read_sweep(path).rows
    assert mine.texts[0].text.startswith("# mine")


def test_a_report_of_ones_own_uses_the_methods_published_numbers_and_sweeps(here: Path) -> None:
    path = write(here / "reports/own.yaml", REPORT)
    assert load(path).panels["3b"].published
    assert sweep_name(SHIPPED, path, []) == "ablation_table3"
    write(here / "reports/published/table3.yaml", "source: mine\npanels:\n  3b: {rows: {only: {fgd: 1.5}}}\n")
    assert list(load(path).panels["3b"].published) == ["only"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sweeps/ablation_tabel3.yaml", "did you mean 'ablation_table3.yaml'"),
        ("sweps/ablation_table3.yaml", "did you mean 'sweeps/ablation_table3.yaml'"),
        ("/nowhere/ablation_table3.yaml", r"\(looked in /nowhere\)"),
    ],
)
def test_a_file_that_is_nowhere(here: Path, given: str, said: str) -> None:
    with pytest.raises(NoFileError, match=rf"no sweep file {given}: .*{said}") as refused:
        read_sweep(Path(given))
    assert len(str(refused.value).splitlines()) == 1
    if not given.startswith("/"):
        assert f"{here / Path(given).parent}, {ROOT / Path(given).parent}" in str(refused.value)


def test_gin_and_published_files_that_are_nowhere(here: Path) -> None:
    sweep = write(here / "own.yaml", SWEEP.replace("realistic_gesture", "realistic_gestures"))
    with pytest.raises(NoFileError, match=r"own\.yaml:2: no gin file .*'realistic_gesture\.gin'.*looked in"):
        read_sweep(sweep)
    report = write(here / "reports/own.yaml", REPORT.replace("published/table3", "published/tabel3"))
    with pytest.raises(NoFileError, match=r"own\.yaml:4: no file .*'table3\.yaml'.*looked in"):
        load(report)


def test_a_methods_files_lie_in_its_package_or_beside_its_projects_pyproject(tmp_path: Path) -> None:
    write(tmp_path / "a/pyproject.toml", "")
    write(tmp_path / "a/src/mine/__init__.py", "")
    write(tmp_path / "a/src/mine/gin/x.gin", "")
    write(tmp_path / "a/sweeps/x.yaml", "")
    package = find_package("mine", tmp_path / "a", "x")
    assert folders_of(package) == [tmp_path / "a/src/mine", tmp_path / "a"]
    assert folders_of(Package("bare", str(tmp_path), "")) == []
    around = folders_around(tmp_path / "a/sweeps/x.yaml", [package])
    assert around[:2] == [tmp_path / "a/sweeps", tmp_path / "a"] and around[-1] == tmp_path / "a/src/mine"


def test_what_names_no_method_is_the_shipped_ones(here: Path) -> None:
    [package] = methods_of([], here / "x.yaml", "")
    assert package.name == "rgx.gesture"


def test_a_shell_is_offered_the_files_here_and_the_sweeps_of_the_methods(here: Path) -> None:
    write(here / "sweeps/mine.yaml", SWEEP)
    write(here / "sweeps/notes.txt", "")
    assert complete_sweep("sweeps/") == [
        "sweeps/ablation_readings.yaml", "sweeps/ablation_speech.yaml", SHIPPED,
        "sweeps/demo.yaml", "sweeps/mine.yaml", "sweeps/paper_table3.yaml", "sweeps/recording.yaml",
        "sweeps/table1.yaml",
    ]  # fmt: skip
    assert complete_sweep("sw")[0] == "sweeps"
    assert complete_sweep("nothing") == []


def test_a_shell_is_offered_the_variants_of_each_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert complete_choice("fus") == ["fusion=concat", "fusion=cross_attention"]
    assert complete_choice("quantizer=r") == ["quantizer=rvq"]
    assert complete_choice("nothing") == []


def test_a_copy_of_what_a_method_carries_is_no_file_of_ones_own(tmp_path: Path) -> None:
    shipped = find_package("rgx.gesture", tmp_path, "here")
    copy = tmp_path / "realistic_gesture.gin"
    copy.write_bytes((ROOT / "gin/realistic_gesture.gin").read_bytes())
    assert is_carried(ROOT / "gin/realistic_gesture.gin", [shipped])
    assert is_carried(copy, [shipped])
    copy.write_text(copy.read_text() + "NOBODY = 3\n")
    assert not is_carried(copy, [shipped])
