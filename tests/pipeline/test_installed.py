"""The wheel as a user has it: installed outside the checkout, both commands from an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from little import LITTLE, ROOT

from rgx import __version__

pytest.importorskip("hatchling", reason="needs the extra rgx-experiments[dev]")
pytestmark = pytest.mark.slow
Run = Callable[..., subprocess.CompletedProcess[str]]

HEAD = LITTLE.split("panels:")[0].replace("name: little", "name: small")
UNREAD = ("tokenizer/", "residual/")
SMALL = "\n".join(line for line in HEAD.splitlines() if not line.strip().startswith(UNREAD)) + (
    "\npanels:\n  3b:\n    baseline: {quantizer: none, generator: regression}\n"
)
REPORT = """
sweep: sweeps/small.yaml
panels:
  3b:
    caption: Representations.
    columns: [fgd]
    published: {file: published/table3.yaml, panel: 3b}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds of this checkout, with the build backend at hand."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(ROOT)], check=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; what rgx depends on is read from where the tests have it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    # What a .pth names comes after the environment's own; a .pth in there, an editable one say, stays unread.
    (site / "dependencies.pth").write_text("\n".join(p for p in sys.path if p.endswith("-packages")))
    return folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The empty folder that a user works in."""
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def rgx(environment: Path, empty: Path) -> Run:
    """Run the installed command in the empty folder."""
    shown = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "RGX_STORE"}}

    def run(*words: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
        command = [str(environment / "bin/rgx"), *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=empty, env=shown)
        assert done.returncode == expected, done.stdout + done.stderr
        return done

    return run


def test_the_wheel_holds_all_that_the_checkout_has(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "rgx", "gin", "sweeps", "reports", "studies", "examples/digits"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    ).stdout.split()  # fmt: skip
    places = {"rgx": "", "examples": "rgx/"}
    expected = {places.get(name.partition("/")[0], "rgx/gesture/") + name for name in listed}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert held == expected
        [metadata] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        assert f"Name: rgx-experiments\nVersion: {__version__}\n" in archive.read(metadata).decode()


def test_rgx_is_the_wheels_and_not_the_checkouts(environment: Path, empty: Path) -> None:
    code = "import rgx, torch; print(rgx.__file__)"
    shown = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    told = subprocess.run(
        [str(environment / "bin/python"), "-c", code],
        capture_output=True,
        text=True,
        cwd=empty,
        env=shown,
        check=True,
    ).stdout
    assert Path(told.strip()).is_relative_to(environment)


def test_version_help_and_what_there_is(rgx: Run) -> None:
    assert rgx("--version").stdout == f"rgx {__version__}\n"
    shown = rgx("--help").stdout
    assert "Run a paper's ablations" in shown and " prepare " in shown
    assert "quantizer/" in rgx("variants", "quantizer").stdout


def test_the_papers_sweep_is_planned_from_an_empty_folder(rgx: Run, empty: Path) -> None:
    told = json.loads(rgx("plan", "sweeps/ablation_table3.yaml", "--json").stdout)
    assert len(told["rows"]) == 24
    refused = rgx("report", "sweeps/ablation_table3.yaml", expected=2).stderr
    assert "no sweep 'ablation_table3' has run" in refused
    assert not list(empty.iterdir())


def test_the_demo_is_planned_from_an_empty_folder(rgx: Run, empty: Path) -> None:
    told = json.loads(rgx("plan", "sweeps/demo.yaml", "--json").stdout)
    assert {row["panel"] for row in told["rows"]} == {"motion", "decoding"}
    assert not list(empty.iterdir())


def test_a_sweep_and_its_report(rgx: Run, empty: Path) -> None:
    for name, text in {"sweeps/small.yaml": SMALL, "reports/small.yaml": REPORT}.items():
        (empty / name).parent.mkdir()
        (empty / name).write_text(text)
    rgx("sweep", "sweeps/small.yaml", "--engine", "inline", "--no-report")
    rgx("report", "sweeps/small.yaml")
    assert {path.name for path in empty.iterdir()} == {"sweeps", "reports", "store"}
    assert "baseline" in (empty / "reports/build/small/3b.md").read_text()


def test_the_example_that_init_writes_runs(rgx: Run, empty: Path) -> None:
    rgx("init", "paper")
    paper = empty / "paper"
    gin = paper / "gin" / "digits.gin"
    gin.write_text(gin.read_text().replace("steps = 300", "steps = 5"))
    sweep, store = str(paper / "sweeps" / "digits.yaml"), str(paper / "store")
    rgx("sweep", sweep, "--engine", "inline", "--no-report", "--store", store, "--seeds", "0")
    rgx("report", sweep, "--store", store, "--out", str(paper / "tables"))
    assert "ECE" in (paper / "tables" / "digits" / "loss.md").read_text()
    assert (paper / "tables" / "digits" / "reliability.pdf").is_file()
    shutil.rmtree(paper)


def test_a_wheel_without_its_files_says_so_in_one_line(rgx: Run, environment: Path) -> None:
    [package] = environment.glob("lib/python*/site-packages/rgx/gesture")
    for name in ("gin", "sweeps", "reports"):
        shutil.move(package / name, environment / name)
    try:
        told = rgx("plan", "sweeps/ablation_table3.yaml", expected=2).stderr
    finally:
        for name in ("gin", "sweeps", "reports"):
            shutil.move(environment / name, package / name)
    assert told.startswith("error: no sweep file sweeps/ablation_table3.yaml: ")
    assert told.endswith(f"{package} lacks gin, sweeps, reports: install rgx-experiments again\n")
    assert told.count("\n") == 1
