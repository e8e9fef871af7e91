"""Motion in control points: what they are of every frame, the windows they make, and what they drive."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from roster import load_roster
from torch import Tensor

from rgx import registry
from rgx.errors import InputError
from rgx.gesture.animate.edge_tps import EdgeThinPlateAnimator
from rgx.gesture.animate.keypoints import PoseKeypoints
from rgx.gesture.animate.tps import ThinPlateAnimator
from rgx.gesture.data.picture_file import NAME, PictureWriter
from rgx.gesture.data.picture_pairs import PictureSpan
from rgx.gesture.data.reading import load_pictures, load_windows
from rgx.gesture.generate.base import Inference
from rgx.gesture.generate.diffusion import DiffusionGenerator
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.samplers import DDIM
from rgx.gesture.rendering import animate, controls_of_frames, controls_of_points, source_of
from rgx.gesture.skeleton import KEPT
from rgx.gesture.stages.latents import STD_FLOOR, LatentsStage, training_moments
from rgx.gesture.types import CONTROL_POINTS, WINDOW_FRAMES, ClipSpan
from rgx.store.workspace import Inputs, Workspace
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

load_roster()
torch.set_num_threads(1)
SIZE, GROUPS, POINTS = 32, 2, 3
FRAMES = {"train": 100, "test": 90}
SMALL = {"width": 4, "max_width": 8, "downs": 2, "motion_width": 4, "motion_blocks": 1}


def make_animator(cls: type[ThinPlateAnimator] = ThinPlateAnimator, keypoints: str = "unsupervised") -> Any:
    """Return a small animator with keypoints of its own, or those of a pose."""
    torch.manual_seed(0)
    variant = registry.find("keypoints", keypoints)
    own = {"groups": GROUPS, "points": POINTS, "width": 4}
    posed = {"groups": registry.make(registry.find("groups", "anatomical"), {})}
    bound = variant.parameters | (posed if variant.cls is PoseKeypoints else own)
    return cls(SIZE, registry.Recipe(variant, bound), **SMALL).eval()  # type: ignore[arg-type]


def moving_square(frames: int) -> Tensor:
    """Return pictures (T, H, H, 3) of a square that goes from side to side."""
    pictures = torch.full((frames, SIZE, SIZE, 3), 40, dtype=torch.uint8)
    for number, place in enumerate((torch.linspace(0, 6, frames).sin() * 8 + 10).long().tolist()):
        pictures[number, 8:20, place : place + 10] = 220
    return pictures


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """Return two clips, a small animator, and the control points that the stage finds."""
    home = tmp_path_factory.mktemp("latents")
    spans, placed, start = [], [], 0
    pictures = Workspace(home / "frames", "cpu", lambda _: None)
    with PictureWriter(pictures.folder / NAME) as file:
        for split, count in FRAMES.items():
            file.add(moving_square(count).numpy())
            spans.append(asdict(ClipSpan(split, 0, split, start, count, (0.0, 0.0), 1.0)))
            placed.append(asdict(PictureSpan(split, 0, split, start, count, (0.0, 0.0), 1.0)))
            start += count
    blank = {
        "pose": torch.zeros(start, len(KEPT), 2),
        "valid": torch.zeros(start, len(KEPT), dtype=torch.bool),
    }
    pictures.save_arrays({**blank, "ends": torch.tensor(file.ends)})
    pictures.save_about({"size_px": SIZE, "spans": placed})
    for stage, about in (("corpus", {"spans": spans}), ("animator", {"notes": ["a note"]})):
        Workspace(home / stage, "cpu", lambda _: None).save_about(about)
    folders = {stage: home / stage for stage in ("frames", "animator", "corpus")}
    found = Inputs({"animator": make_animator()}, folders)
    stage, workspace = LatentsStage(), Workspace(home / "latents", "cpu", lambda _: None)
    facts = stage.build(found.built)
    assert stage.run(found, workspace, facts) == {"clips": 2, "frames": start, "points": GROUPS * POINTS}
    return Inputs(found.built, {**folders, "latents": home / "latents"})


def control_of(inputs: Inputs, frames: Tensor) -> Tensor:
    """Return the control points of some frames, each of its picture alone."""
    pictures, animator = load_pictures(inputs, "cpu"), inputs.built["animator"]
    with torch.no_grad():
        each = [
            animator.control(pictures.pictures(f[None]), pictures.pose[f[None]], pictures.valid[f[None]])
            for f in frames
        ]
    return torch.cat([control.points for control in each]).flatten(1, 2)


def test_every_frame_has_the_control_points_of_its_picture(inputs: Inputs) -> None:
    latents = inputs.arrays("latents")
    some = torch.tensor([0, 15, 16, 99, 100, 189])
    assert torch.allclose(latents["points"][some], control_of(inputs, some), atol=1e-6)
    assert latents["points"].shape == (sum(FRAMES.values()), GROUPS * POINTS, 2)
    assert latents["valid"].all(), "what is found in pictures is found in all of them"
    assert inputs.about("latents") == inputs.about("animator")


def test_they_are_standardised_by_the_training_split(inputs: Inputs) -> None:
    latents = inputs.arrays("latents")
    own = latents["points"][: FRAMES["train"]].double()
    assert torch.allclose(latents["mean"], own.mean(0).float(), atol=1e-6)
    assert torch.allclose(latents["std"], own.std(0, correction=0).clamp(min=STD_FLOOR).float(), atol=1e-6)


def test_a_window_holds_the_control_points_of_its_frames_after_those_of_its_source(inputs: Inputs) -> None:
    latents = inputs.arrays("latents")
    windows = load_windows(inputs, "test", "cpu", CONTROL_POINTS)
    batch = windows.batch(torch.tensor([0]))
    first = FRAMES["train"] + 1
    assert windows.starts.tolist() == [first], "the same windows as of landmarks"

    def placed(motion: Tensor) -> Tensor:
        return motion[0] * latents["std"] + latents["mean"]

    frames = torch.arange(first, first + WINDOW_FRAMES)
    assert torch.allclose(placed(batch.motion), control_of(inputs, frames), atol=1e-5)
    source = control_of(inputs, torch.tensor([first - 1]))
    assert torch.allclose(placed(batch.prefix), source.expand_as(batch.prefix[0]), atol=1e-5)
    assert batch.valid.all() and batch.prefix_valid.all()


def test_still_pictures_stay_finite() -> None:
    """S2G's choice among candidates divides by a speed, which is 0 where nothing moves."""
    still, span = torch.full((50, 4, 2), 0.3), PictureSpan("a", 0, "train", 0, 50, (0.0, 0.0), 1.0)
    mean, std = training_moments(still, torch.ones(50, 4, dtype=torch.bool), [span])
    assert torch.equal(std, torch.full((4, 2), STD_FLOOR)) and torch.allclose(mean, still[0])


def test_the_points_of_a_recording_drive_as_its_pictures_do(inputs: Inputs) -> None:
    pictures, animator = load_pictures(inputs, "cpu"), inputs.built["animator"]
    start = FRAMES["train"] + 1
    points = inputs.arrays("latents")["points"][start : start + WINDOW_FRAMES]
    driven, wanted = (
        torch.cat([a.picture for a in animate(animator, source_of(pictures, start), controls, "cpu")])
        for controls in (
            controls_of_points(animator, points, "cpu"),
            controls_of_frames(animator, pictures, start),
        )
    )
    assert driven.shape == (WINDOW_FRAMES, 3, SIZE, SIZE) and torch.allclose(driven, wanted, atol=1e-5)


def test_generated_points_go_on_from_the_source_s_whatever_the_batch(inputs: Inputs) -> None:
    windows = load_windows(inputs, "train", "cpu", CONTROL_POINTS)
    batch = windows.batch(torch.tensor([0, 1]))
    small = {"width": 16, "layers": 1, "heads": 2, "feedforward": 16, "speech_layers": 1}
    torch.manual_seed(0)
    windows.speech = torch.randn(len(windows.speech), 3)
    generator = DiffusionGenerator(3, 1, (GROUPS * POINTS,), **small).eval()  # type: ignore[arg-type]

    def sample(index: list[int]) -> Tensor:
        inference = Inference(sampler=DDIM(3, 1.0, 2.0), noise=Noise([(0, number) for number in index]))
        return generator.sample(windows.batch(torch.tensor(index)), inference)

    # What has learned nothing stays where the control points of the source picture are.
    assert torch.allclose(sample([0, 1]), batch.prefix[:, -1:].expand_as(batch.motion), atol=1e-5)
    torch.nn.init.normal_(generator.denoiser.outward.weight, std=0.1)
    both = sample([0, 1])
    assert torch.allclose(both, torch.cat([sample([0]), sample([1])]), atol=1e-5)
    assert both.diff(dim=1).abs().mean() > 0.01


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{space: control_points, distillation: none}", "choose keypoints: unsupervised"),
        ("{keypoints: unsupervised, refiner: none}", "space: control_points"),
        ("{space: control_points, keypoints: unsupervised, distillation: none}", "refiner: unet"),
        ("{space: control_points, keypoints: unsupervised, refiner: none}", "distillation: none"),
    ],
)
def test_what_does_not_go_together_is_refused_with_what_does(tmp_path: Path, row: str, said: str) -> None:
    text = "name: space\nconfig: [gin/realistic_gesture.gin]\nscale: tiny\nseeds: [0]\n"
    (tmp_path / "space.yaml").write_text(
        text + f"targets: {{v: [video_scores]}}\npanels:\n  v:\n    row: {row}\n"
    )
    with pytest.raises(InputError, match=said):
        make_plan(read_sweep(tmp_path / "space.yaml", Overrides()))


@pytest.mark.parametrize(
    ("cls", "keypoints"), [(EdgeThinPlateAnimator, "unsupervised"), (ThinPlateAnimator, "pose2d")]
)
def test_an_animator_that_reads_poses_is_not_driven_by_points(
    cls: type[ThinPlateAnimator], keypoints: str
) -> None:
    animator = make_animator(cls, keypoints)
    with pytest.raises(InputError, match="keypoints: unsupervised with animator: tps"):
        LatentsStage().build({"animator": animator})
    with pytest.raises(InputError, match="reads poses"):
        animator.control_of(torch.zeros(1, animator.control_points, 2))


def test_motion_metrics_are_of_landmarks(tmp_path: Path) -> None:
    text = (
        "name: space\nconfig: [gin/realistic_gesture.gin]\nscale: tiny\nseeds: [0]\npanels:\n  v:\n    row: "
    )
    row = "{space: control_points, keypoints: unsupervised, quantizer: none, generator: lstm}\n"
    (tmp_path / "space.yaml").write_text(text + row)
    with pytest.raises(InputError, match="video_scores"):
        make_plan(read_sweep(tmp_path / "space.yaml", Overrides()))


@pytest.mark.parametrize(
    "generator",
    [
        "quantizer: none, generator: diffusion",
        "quantizer: none, generator: regression",
        "distillation: none",
        "distillation: none, quantizer: vq, residual: none, generator: causal, decode: left_to_right",
    ],
)
def test_generators_with_tokens_and_without_learn_control_points(tmp_path: Path, generator: str) -> None:
    row = f"{{space: control_points, keypoints: unsupervised, refiner: none, {generator}}}"
    text = "name: space\nconfig: [gin/realistic_gesture.gin, gin/baselines.gin]\nscale: tiny\nseeds: [0]\n"
    (tmp_path / "space.yaml").write_text(f"{text}targets: {{v: [video]}}\npanels:\n  v:\n    row: {row}\n")
    plan = make_plan(read_sweep(tmp_path / "space.yaml", Overrides()))
    tasks = {task.stage: task for task in plan.tasks.values()}
    learning = {"tokenizer", "generator", "residual", "motion"} & tasks.keys()
    assert all("latents" in tasks[stage].parents for stage in learning)
    assert "latents" not in tasks["speech"].parents and set(tasks["latents"].parents) == {
        "frames",
        "animator",
    }
