"""A judge of one corpus scores another: the same network, in the scale of the motion it was trained on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from little import LITTLE, ROOT, copy_row, manifests, sweep
from safetensors.torch import load_file, save_file

from rgx.config import build_cell
from rgx.gesture.data.reading import load_windows
from rgx.gesture.metrics.fgd import frechet
from rgx.store.workspace import Inputs, load_network
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

pytestmark = pytest.mark.slow
NOTE = "FGD and Diversity: in a judge that was trained elsewhere."
ROW = ("--only", "3b/baseline", "--no-report")


def folder_of(store: Path, stage: str) -> Path:
    (found,) = (path.parent for path in store.glob(f"{stage}/*/manifest.json"))
    return found


def outputs_of(store: Path, stage: str) -> dict:
    return manifests(store)[f"{stage}/{folder_of(store, stage).name}"]["outputs"]


@pytest.fixture(scope="module")
def trained(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the little sweep's baseline is made."""
    return copy_row(finished, tmp_path_factory.mktemp("trained") / "store", "baseline")


def judged(folder: Path, judge: Path, *more: str) -> Path:
    """Return a store in which the same row was scored by a stored judge."""
    folder.mkdir()
    stored = ("--bind", f"stage.judge.stored = {str(judge)!r}")
    assert sweep(folder, folder / "store", *ROW, *stored, *more) == 0
    return folder / "store"


def test_a_stored_judge_gives_the_scores_it_gave_and_says_so(trained: Path, tmp_path: Path) -> None:
    store = judged(tmp_path / "again", folder_of(trained, "judge"))
    before, after = outputs_of(trained, "motion_scores"), outputs_of(store, "motion_scores")
    assert after["scores"] == before["scores"] and after["references"] == before["references"]
    assert "notes" not in before and after["notes"] == [NOTE]
    assert folder_of(store, "motion").name == folder_of(trained, "motion").name
    assert folder_of(store, "motion_scores").name != folder_of(trained, "motion_scores").name
    # What was taken is complete: the judge it came from may go.
    for name in ("network.safetensors", "arrays.safetensors"):
        one, two = (load_file(folder_of(s, "judge") / name) for s in (trained, store))
        assert one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


def test_where_a_judge_lies_is_no_part_of_what_it_is(trained: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder_of(trained, "judge"), tmp_path / "moved")
    store = judged(tmp_path / "one", folder_of(trained, "judge"))
    assert folder_of(store, "judge").name == folder_of(judged(tmp_path / "two", moved), "judge").name


def test_another_corpus_is_seen_in_the_judge_s_own_scale(trained: Path, tmp_path: Path) -> None:
    judge, other = folder_of(trained, "judge"), "corpus.puppets.seed = 5"
    store = judged(tmp_path / "other", judge, "--bind", other)
    (tmp_path / "little.yaml").write_text(LITTLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        plan = make_plan(
            read_sweep(tmp_path / "little.yaml", Overrides(only=["3b/baseline"], bindings=[other]))
        )
    task = next(task for task in plan.tasks.values() if task.stage == "motion_scores")
    network = load_network(build_cell(task.texts, task.targets).built["judge"], judge, "cpu")
    scale = load_file(judge / "arrays.safetensors")
    corpus = load_file(folder_of(store, "corpus") / "arrays.safetensors")
    assert not torch.equal(scale["mean"], corpus["mean"])
    windows = load_windows(Inputs({}, {"corpus": folder_of(store, "corpus")}), "test", "cpu")
    real = windows.batch(torch.arange(len(windows))).motion * corpus["std"] + corpus["mean"]
    made = load_file(folder_of(store, "motion") / "arrays.safetensors")["motion"]

    @torch.no_grad()
    def fgd_in(mean: torch.Tensor, std: torch.Tensor) -> float:
        one, two = (network.encode(((x - mean) / std).flatten(2)).numpy() for x in (real, made))
        return frechet(one, two)

    found = outputs_of(store, "motion_scores")["scores"]["fgd"]
    assert found == pytest.approx(fgd_in(scale["mean"], scale["std"]), rel=1e-4)
    assert found != pytest.approx(fgd_in(corpus["mean"], corpus["std"]), rel=1e-2)


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def smaller(folder: Path) -> None:
    state = load_file(folder / "network.safetensors")
    first = min(state)
    save_file({**state, first: state[first][..., :1].contiguous()}, folder / "network.safetensors")


def unscaled(folder: Path) -> None:
    save_file({"mean": torch.zeros(3, 2)}, folder / "arrays.safetensors")


def garbled(folder: Path) -> None:
    (folder / "network.safetensors").write_bytes(b"no tensors")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (shutil.rmtree, "network.safetensors: expected a file of pretrained weights, found no such file"),
        (without("arrays.safetensors"), "arrays.safetensors: expected a file of pretrained weights"),
        (smaller, r"network.safetensors: '.*' has shape \(.*\), expected \("),
        (unscaled, "arrays.safetensors: lacks 1 of 2 weights, such as 'std'"),
        (garbled, "network.safetensors: expected plain tensors"),
    ],
)
def test_a_folder_without_a_judge_is_refused_while_planning(
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    told: str,
) -> None:
    folder = shutil.copytree(folder_of(trained, "judge"), tmp_path / "judge")
    spoil(folder)
    stored = ("--bind", f"stage.judge.stored = {str(folder)!r}")
    assert sweep(tmp_path, tmp_path / "store", *ROW, *stored) == 2
    said = capsys.readouterr().err
    assert re.search(told, said) and "Traceback" not in said
    assert not (tmp_path / "store").exists()
