"""What an animator makes is kept to the last bit, and refined from disk as it is in one go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from roster import load_roster
from torch import Tensor

from rgx.config import build_cell
from rgx.gesture.animations import FILE, AnimatedWindows
from rgx.gesture.rendering import Renderer, all_valid, animate, controls_of_poses, refine
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import WINDOW_FRAMES
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

load_roster()
SWEEP = Path(__file__).resolve().parents[2] / "sweeps" / "ablation_table3.yaml"
SIZE = 32


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    """An animator and a refiner that nobody trained, but for a refiner that changes what it sees."""
    overrides = Overrides(only=["3a/full-model"], bindings=[f"stage.frames.size_px = {SIZE}"])
    torch.manual_seed(0)
    built = build_cell(read_sweep(SWEEP, overrides).rows[0].texts, ("refiner",)).built
    animator, refiner = (built[name].eval().requires_grad_(False) for name in ("animator", "refiner"))
    torch.nn.init.normal_(refiner.network.last.weight, std=0.2)
    return Renderer(animator, refiner, "cpu")


def window() -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Return a source and a window of poses."""
    torch.manual_seed(1)
    pose = torch.rand(WINDOW_FRAMES, len(KEPT), 2) * 2 - 1
    return (torch.rand(1, 3, SIZE, SIZE), pose[:1], all_valid(pose[:1])), pose


def test_pictures_refined_from_disk_are_those_rendered_in_one_go(renderer: Renderer, tmp_path: Path) -> None:
    source, pose = window()
    valid = all_valid(pose)
    valid[3, 5:20] = False
    expected = torch.cat(list(renderer.render(source, pose, valid)))
    windows = AnimatedWindows.create(tmp_path, 2, SIZE, "cpu")
    controls = controls_of_poses(renderer.animator, pose, valid, "cpu")
    windows.write(1, animate(renderer.animator, source, controls, "cpu"))
    stored = AnimatedWindows.read(tmp_path)
    assert len(stored) == 2 and np.load(tmp_path / FILE, mmap_mode="r").dtype == np.float32
    refined = torch.cat(list(refine(renderer.refiner, stored.chunks(1, "cpu"), pose, valid, "cpu")))
    assert torch.equal(refined, expected)
    plain = torch.cat(list(refine(None, stored.chunks(1, "cpu"), pose, valid, "cpu")))
    assert plain.shape == expected.shape and not torch.equal(plain, expected)


def test_half_the_room_is_made_for_what_a_gpu_computes_in_bf16(renderer: Renderer, tmp_path: Path) -> None:
    windows = AnimatedWindows.create(tmp_path, 1, SIZE, "cuda:0")
    assert windows.array.dtype == np.float16
    source, pose = window()
    controls = controls_of_poses(renderer.animator, pose, all_valid(pose), "cpu")
    chunks = list(animate(renderer.animator, source, controls, "cpu"))
    windows.write(0, chunks)
    for kept, chunk in zip(AnimatedWindows.read(tmp_path).chunks(0, "cpu"), chunks, strict=True):
        assert kept.picture.dtype == torch.float32
        # bf16 has steps of 2⁻⁸ below 1, of which float16 keeps an eighth.
        assert (kept.picture - chunk.picture).abs().max() < 2**-11
        assert (kept.trusted - chunk.trusted).abs().max() < 2**-11


def test_a_window_is_animated_once_for_all_that_show_it() -> None:
    plan = make_plan(read_sweep(SWEEP, Overrides(only=["3a", "3d"])))

    def keys(panel: str, stage: str) -> list[str]:
        return [cell["stages"][stage] for cell in plan.cells if cell["panel"] == panel]

    assert len(set(keys("3d", "video"))) == len(keys("3d", "animation")) == 4
    assert len(set(keys("3d", "animation"))) == 1
    assert len(set(keys("3d", "reconstruction_scores"))) == 4
    # Of panel 3a two rows have the animator of 3d, the others keypoints of their own.
    shared = set(keys("3d", "reconstruction"))
    assert len(shared) == 1 and [key in shared for key in keys("3a", "reconstruction")].count(True) == 2
    made = [task.stage for task in plan.tasks.values()]
    assert made.count("animation") == 1 and made.count("reconstruction") == 3
