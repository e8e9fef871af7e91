"""The second method as its user has it: a folder outside the checkout, two commands, only rgx importable."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import nursery
import pytest
from little import ONE_WORKER, manifests, results
from slips import FILE, Slip, listed, typed

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "digits"
SWEEP, REPORT = "sweeps/digits.yaml", "reports/build/digits"


def rgx(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of rgx in a folder, as a user whose environment has rgx would."""
    environment = {**os.environ, **ONE_WORKER, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("RGX_STORE", None)
    return nursery.rgx(arguments, folder, environment)


def copy_example(folder: Path, steps: int | None = None) -> Path:
    """Copy the example, with fewer steps where a test asks nothing of what is learnt."""
    ignored = shutil.ignore_patterns("__pycache__", "store", "build")
    shutil.copytree(EXAMPLE, folder, ignore=ignored)
    gin = folder / "gin" / "digits.gin"
    if steps is not None:
        assert "training.adamw.steps = 300" in gin.read_text()
        gin.write_text(gin.read_text().replace("steps = 300", f"steps = {steps}"))
    return folder


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example after a sweep of a few steps, one stage at a time."""
    folder = copy_example(tmp_path_factory.mktemp("own") / "paper", steps=10)
    done = rgx(folder, "sweep", SWEEP, "--engine", "inline")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_lesson_is_short() -> None:
    files = [path for kind in ("py", "gin", "yaml") for path in EXAMPLE.glob(f"*/*.{kind}")]
    assert len(files) > 5
    assert sum(len(path.read_text().splitlines()) for path in files) < 250


def test_init_writes_the_example_and_says_what_to_run(tmp_path: Path) -> None:
    done = rgx(tmp_path, "init", "paper")
    assert done.returncode == 0, done.stderr
    written = {p.relative_to(tmp_path / "paper"): p.read_bytes() for p in (tmp_path / "paper").rglob("*.*")}
    tracked = subprocess.run(["git", "ls-files"], cwd=EXAMPLE, capture_output=True, text=True, check=True)
    assert written == {Path(name): (EXAMPLE / name).read_bytes() for name in tracked.stdout.splitlines()}
    assert "cd paper && rgx sweep sweeps/digits.yaml" in done.stdout
    assert "rgx report sweeps/digits.yaml" in done.stdout


def test_init_leaves_a_folder_that_is_not_empty_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = rgx(tmp_path, "init", ".")
    assert done.returncode == 2
    assert done.stderr.startswith("error: .: the folder is not empty") and "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_variants_are_the_methods_and_not_those_of_another(tmp_path: Path) -> None:
    folder = copy_example(tmp_path / "paper")
    done = rgx(folder, "variants", "--json")
    names = {f"{v['axis']}/{v['variant']}" for v in json.loads(done.stdout)}
    assert {"backbone/cnn", "loss/distil", "augmentation/none", "metric/ece", "figure/reliability"} <= names
    assert {n for n in names if n.startswith("stage/")} == {
        *("stage/images", "stage/teacher", "stage/student", "stage/scores")
    }


def test_a_loss_that_needs_the_teacher_makes_it_a_parent(tmp_path: Path) -> None:
    folder = copy_example(tmp_path / "paper")
    plan = json.loads(rgx(folder, "plan", SWEEP, "--json").stdout)
    parents = {s["key"]: set(s["parents"]) for s in plan["stages"]}
    students = {(r["panel"], r["row"]): parents[r["stages"]["student"]] for r in plan["rows"]}
    assert students["loss", "plain"] == {"images"}
    assert students["loss", "temperature=2.0"] == {"images", "teacher"}
    assert len(plan["stages"]) == 1 + 3 + 7 * 3 + 7 * 3, "images once, a teacher a seed, 7 rows at 3 seeds"


@pytest.mark.slow
def test_three_panels_over_three_seeds_and_a_figure(swept: Path) -> None:
    done = rgx(swept, "report", SWEEP)
    assert done.returncode == 0, done.stderr
    for panel, rows in {"backbone": 2, "loss": 5, "augmentation": 2}.items():
        table = (swept / REPORT / f"{panel}.md").read_text()
        assert table.count("±") >= 2 * rows, table
        assert "n = 3" in done.stdout and "ECE (%) ↓" in table
    assert (swept / REPORT / "reliability.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_a_temperature_is_chosen_by_dev_and_shown_on_test(swept: Path) -> None:
    done = rgx(swept, "sweep", "sweeps/temperature.yaml", "--engine", "inline")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ece: 6 trials by scores/ece on dev (lower is better): 6 finished" in done.stdout
    (best,) = re.findall(r"^best: --bind '(.+)'$", done.stdout, re.MULTILINE)
    alone = ("--only", "backbone/CNN", "--seeds", "0", "--bind", best)
    shown = rgx(swept, "sweep", SWEEP, *alone, "--engine", "inline", "--no-report")
    assert "1 stages run, 3 reused" in shown.stdout, "only its scores, on test"
    splits = [
        m["outputs"]["metrics"]["ece"]["split"]
        for m in manifests(swept / "store").values()
        if m["stage"] == "scores"
    ]
    assert splits.count("dev") == 6


@pytest.mark.slow
def test_why_and_show_know_the_method(swept: Path) -> None:
    why = rgx(swept, "why", SWEEP, "loss/plain")
    assert why.returncode == 0 and "student" in why.stdout, why.stderr
    show = rgx(swept, "show", "digits:loss/plain/ece", "--seed", "1")
    assert show.returncode == 0 and "loss/plain" in show.stdout, show.stderr


WALK = """
import json, sys
for walk in json.load(sys.stdin):
    seen = {}
    for cell in walk:
        exec(compile(cell, "cell", "exec"), seen)
    frame, means, outcome = seen["frame"], seen["means"], seen["outcome"]
    plain = means[(means.panel == "loss") & (means.row == "plain") & (means.metric == "accuracy")]
    told = {"made": outcome.made, "lines": len(frame), "columns": list(frame.columns)}
    told["plain"] = plain["mean"].item()
    told |= {"temperatures": sorted(frame.temperature.dropna().unique()), "n": sorted(set(means.n))}
    print("TOLD", json.dumps(told))
"""


@pytest.mark.slow
def test_the_page_about_python_and_the_notebook_run(swept: Path) -> None:
    page = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/python.md").read_text(), re.DOTALL | re.MULTILINE
    )
    notebook = json.loads((ROOT / "examples/notebook.ipynb").read_text())
    assert (notebook["nbformat"], len({cell["id"] for cell in notebook["cells"]})) == (
        4,
        len(notebook["cells"]),
    )
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WALK]
    asked = json.dumps([page, cells])
    done = subprocess.run(command, input=asked, cwd=swept, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "has no parameter 'temperatur': did you mean 'temperature'?" in done.stdout
    scores = [
        m for m in manifests(swept / "store").values() if m["row"] == "loss/plain" and m["stage"] == "scores"
    ]
    plain = statistics.fmean(m["outputs"]["scores"]["accuracy"] for m in scores)
    for line in re.findall("^TOLD (.*)$", done.stdout, re.MULTILINE):
        told = json.loads(line)
        assert (told["made"], told["lines"], told["n"]) == (0, 9 * 3 * 2, [3])
        assert told["temperatures"] == [1.0, 2.0, 4.0, 8.0] and told["plain"] == pytest.approx(plain)
        numbers = ["panel", "row", "seed", "stage", "metric", "value", "reference", "key"]
        assert told["columns"] == [*numbers, "augmentation", "backbone", "width", "temperature", "loss"]
    assert done.stdout.count("TOLD") == 2 and done.stdout.count("46 reused") == 2, (
        "said by print, and by show"
    )


@pytest.mark.slow
def test_an_edited_helper_is_other_code(swept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "paper"
    shutil.copytree(swept, folder)
    students = [m for name, m in manifests(folder / "store").items() if name.startswith("student/")]
    assert all({"digits.stages", "digits.parts"} <= set(m["code"]["modules"]) for m in students)
    assert "made by other code" not in rgx(folder, "plan", SWEEP).stdout
    parts = folder / "digits" / "parts.py"
    parts.write_text(parts.read_text().replace("nn.ReLU()", "nn.GELU()"))
    told = [line for line in rgx(folder, "plan", SWEEP).stdout.splitlines() if "made by other code" in line]
    assert told and all("changed since: digits.parts" in line for line in told)
    assert any(line.startswith("student: ") and "made by other code" in line for line in told)


SHIPPED = """
import subprocess, sys
from pathlib import Path
import ray
from rgx.methods import Package, find_package, import_method
from rgx.run.ray_start import environment_of

package = find_package("digits", Path(sys.argv[1]), "here")
shipped = environment_of([package, find_package("rgx.gesture", Path(sys.argv[1]), "here")])
assert [Path(p).name for p in shipped["py_modules"]] == ["digits"], shipped
ray.init("local", include_dashboard=False, log_to_driver=False, num_cpus=1, runtime_env=shipped)

@ray.remote
def load():
    import_method(Package("digits", "/nowhere", package.digest))
    child = [sys.executable, "-c", "import digits; print(digits.__file__)"]
    return sys.modules["digits"].__file__, subprocess.check_output(child, text=True).strip()

print(*ray.get(load.remote()))
"""


@pytest.mark.slow
def test_a_node_that_does_not_see_the_folder_gets_the_method(tmp_path: Path) -> None:
    folder = copy_example(tmp_path / "paper")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SHIPPED, str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    worker, child = done.stdout.split()
    assert worker == child and worker.endswith("digits/__init__.py")
    assert not Path(worker).is_relative_to(folder)


@pytest.mark.slow
def test_ray_gives_the_same_numbers_as_one_process(swept: Path, tmp_path: Path) -> None:
    """Every row, at one of the seeds."""
    folder = copy_example(tmp_path / "paper", steps=10)
    done = rgx(folder, "sweep", SWEEP, "--seeds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = results(folder / "store")
    assert len(numbers) == 1 + 1 + 7 + 7
    assert numbers == {name: results(swept / "store")[name] for name in numbers}
    again = rgx(folder, "sweep", SWEEP, "--seeds", "1")
    assert "0 stages run, 16 reused" in again.stdout


def made_in(folder: Path, slips: list[Slip]) -> list[tuple[int, str]]:
    """Return the exit code and the words of commands that one process runs in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
    command = [sys.executable, str(ROOT / "tests/slips.py")]
    asked = json.dumps(slips)
    done = subprocess.run(command, input=asked, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [(code, told) for code, told in json.loads(done.stdout)]


@pytest.mark.slow
def test_slips_end_in_one_line_and_what_the_pages_type_runs(swept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "paper"
    shutil.copytree(swept, folder)
    # As it is after its first sweep, whatever else has run in the folder that tests share.
    for runs in (folder / "store" / "runs").iterdir():
        if runs.name != "digits":
            shutil.rmtree(runs)
    pages = [ROOT / "docs" / f"{name}.md" for name in ("first", "seeds", "debugging")]
    for page in pages:
        for name, text in FILE.findall(page.read_text(encoding="utf-8")):
            (folder / name).write_text(text)
    asking = ("plan", "show digits", "diff", "why", "status")
    lines = [line for page in pages for line in typed(page) if line.startswith(asking)]
    assert len(lines) > 8
    lines += ["sweep sweeps/mine.yaml --engine inline", "show mine:loss/smoothed/ece"]
    slips = listed()
    assert len(slips) >= 20 and len({slip.answer for slip in slips}) == len(slips)
    outcomes = made_in(folder, [*slips, *(Slip("", "", line, "") for line in lines)])
    for slip, (code, told) in zip(slips, outcomes, strict=False):
        answer = re.escape(f"error: {slip.answer}").replace("…", ".*")
        assert code == 2 and re.fullmatch(answer + "\n", told), f"{slip.command}: {told}"
    for line, (code, told) in zip(lines, outcomes[len(slips) :], strict=True):
        assert code == 0, f"{line}: {told}"
    assert "smoother" in (folder / "reports/build/mine/loss.md").read_text()
