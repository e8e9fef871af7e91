"""Two processes train every stage to the same network as one, in double precision to its last digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from little import ROOT
from processes import in_processes
from safetensors.torch import load_file

from rgx.gesture.data.picture_pairs import Pictures
from rgx.gesture.data.windows import Windows
from rgx.gesture.nn.perceptual import RandomFeatures
from rgx.run.fork_server import FORKS
from rgx.run.worker import carry_out, prepare, run_task
from rgx.store.artifacts import artifact_folder
from rgx.sweep.plan import Plan, Task, make_plan
from rgx.sweep.spec import read_sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FORKS, reason="only Linux forks safely with torch loaded"),
]
TRAINED = ("judge", "alignment", "tokenizer", "generator", "residual", "animator", "refiner")
SWEEP = """\
name: shared
config: [gin/realistic_gesture.gin]
scale: tiny
bind:
  training.adamw.batch: 5
  stage.frames.size_px: 32
  trunk.paper.dropout: 0.0
  alignment.contrastive.dropout: 0.0
  animator.tps.dropout: 0.0
  corpus.puppets.speakers: 2
  corpus.puppets.train_clips: 3
  corpus.puppets.test_clips: 1
  corpus.puppets.dev_clips: 1
  corpus.puppets.clip_s: 6.0
  STEPS
targets: {whole: [judge, generator, residual, refiner], baseline: [generator]}
panels:
  whole: {all: {perceptual: random_features}}
  baseline: {regression: {quantizer: none, generator: regression}}
""".replace("STEPS", "\n  ".join(f"{stage}/training.adamw.steps: 4" for stage in TRAINED))


def doubled(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that draws the same in double precision, where rounding cannot hide a mistake."""

    def drawn(*arguments: Any) -> Any:
        batch = draw(*arguments)
        assert is_dataclass(batch) and not isinstance(batch, type)
        values = {field.name: getattr(batch, field.name) for field in fields(batch)}
        exact = {n: v.double() for n, v in values.items() if getattr(v, "dtype", None) == torch.float32}
        return replace(batch, **exact)

    return drawn


def in_double(work: Callable[[], None]) -> bool:
    """Do work of which all numbers are doubles, in a process of its own."""
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    Windows.batch = doubled(Windows.batch)  # type: ignore[method-assign]
    Pictures.pairs = doubled(Pictures.pairs)  # type: ignore[method-assign]
    load = RandomFeatures.load
    RandomFeatures.load = lambda features: load(features).double()  # type: ignore[method-assign]
    work()
    return True


def share(task: Task, store: Path, folder: Path) -> None:
    message = task.message()
    carry_out(prepare(message, store), message, store, folder, "cpu")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    """A sweep whose stages one process has run, and its store."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "shared.yaml").write_text(SWEEP)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        plan = make_plan(read_sweep(folder / "shared.yaml"))

    def run() -> None:
        for task in plan.tasks.values():
            run_task(task.message(), folder / "store")

    assert in_processes(1, lambda number: in_double(run), folder) == [True]
    return plan, folder / "store"


@pytest.mark.parametrize("stage", TRAINED)
def test_two_processes_train_as_one_does(alone: tuple[Plan, Path], stage: str, tmp_path: Path) -> None:
    plan, store = alone
    tasks = [task for task in plan.tasks.values() if task.stage == stage]
    assert len(tasks) == (2 if stage == "generator" else 1)
    for task in tasks:
        folder = tmp_path / task.key
        folder.mkdir()
        answers = in_processes(
            2,
            lambda number, task=task, folder=folder: in_double(  # type: ignore[misc]
                lambda: share(task, store, folder / str(number))
            ),
            folder,
        )
        assert answers == [True, True]
        expected = load_file(artifact_folder(store, stage, task.key) / "network.safetensors")
        for number in (0, 1):
            network = load_file(folder / str(number) / "network.safetensors")
            assert network.keys() == expected.keys()
            for name, value in expected.items():
                torch.testing.assert_close(network[name], value, rtol=1e-7, atol=1e-9, msg=name)
        assert (folder / "0" / "curve.jsonl").exists() and not (folder / "1" / "curve.jsonl").exists()
