"""What every variant of the image half's axes must keep to: shapes, gradients, seeds, saving and loading."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from roster import load_roster
from safetensors.torch import load_file, save_file

from rgx import registry
from rgx.config import plan_cell
from rgx.errors import InputError
from rgx.gesture.animate.base import Animated, Groups
from rgx.gesture.animate.keypoints import PoseKeypoints
from rgx.gesture.nn.efficientnet_lite0 import PACKAGE
from rgx.gesture.refine.base import Activations, Comparison
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import Pairs
from rgx.sweep.spec import Overrides, read_sweep

load_roster()
torch.set_num_threads(1)

SIZE, BATCH = 32, 2
DEVICE = "cpu"
"""Where a contract is kept; tests/gpu holds every variant to its contract on a GPU."""
LITTLE = {"width": 8, "max_width": 16, "downs": 2, "motion_width": 8, "motion_blocks": 2, "spade_width": 8}
WEIGHTS_NEEDED = {"perceptual/vgg19"}
OUTSIDE = {"animator/external"}
"""Commands of other systems, held to theirs in tests/unit/test_external.py."""
AXES = {
    "groups": {"anatomical", "mixed", "hybrid"},
    "animator": {"tps", "edge_tps", "external"},
    "augmentation": {"none", "flips_and_colour", "as_generated"},
    "keypoints": {"unsupervised", "pose2d", "pose2d_flexible", "regions"},
    "edges": {"weighted", "scaled"},
    "refiner": {"none", "unet", "skeleton", "edge_heatmap", "s2g"},
    "discriminator": {"patch", "s2g"},
    "picture_loss": {"l1", "perceptual", "content", "style", "variation", "holes"},
    "adversarial": {"non_saturating", "hinge", "lsgan"},
    "perceptual": {"vgg19", "efficientnet_lite0", "random_features"},
}
ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ("keypoints", "animator", "edges", "refiner", "discriminator")


def variants(*axes):
    return [
        pytest.param(v, id=v.key)
        for v in registry.variants()
        if v.axis in axes and v.cls.__module__.startswith("rgx.") and v.key not in WEIGHTS_NEEDED | OUTSIDE
    ]


def recipe(variant, **given):
    bound = {n: LITTLE.get(n, d) for n, d in variant.parameters.items()}
    return registry.Recipe(variant, {**bound, **given})


@pytest.mark.parametrize(("scale", "size"), [("tiny", 64), ("small", 128), ("paper", 256)])
def test_a_scale_says_how_large_pictures_are(scale, size):
    row = read_sweep(
        ROOT / "sweeps/ablation_table3.yaml", Overrides(scale=scale, only=["3a/full-model"])
    ).rows[0]
    cell = plan_cell(row.texts, ("refiner",))
    assert cell.stages["frames"].size_px == size
    assert cell.built["animator"].size_px == size


def test_the_axes_have_the_variants_of_the_paper():
    found = {
        axis: {v.name for v in registry.variants() if v.axis == axis and v.cls.__module__.startswith("rgx.")}
        for axis in AXES
    }
    assert found == AXES


def anatomical():
    return registry.make(registry.find("groups", "anatomical"), {})


def build(variant, seed=0):
    torch.manual_seed(seed)
    given = {}
    if "keypoints" in variant.parts:
        given["keypoints"] = recipe(registry.find("keypoints", "pose2d"), groups=anatomical())
    if "groups" in variant.parts:
        given["groups"] = anatomical()
    if "edges" in variant.parts:
        given["edges"] = recipe(registry.find("edges", "weighted"))
    shape = 1 if variant.axis == "discriminator" else SIZE
    return recipe(variant, **given)(shape).to(DEVICE)


def features(name="random_features"):
    made = recipe(registry.find("perceptual", name))
    module = made.variant.cls(**made.bound)
    module.prepare(DEVICE)
    return module


def pairs():
    draw = torch.Generator().manual_seed(3)
    pictures = [torch.rand(BATCH, 3, SIZE, SIZE, generator=draw) for _ in range(2)]
    poses = [torch.rand(BATCH, len(KEPT), 2, generator=draw) * 1.6 - 0.8 for _ in range(2)]
    valid = [torch.rand(BATCH, len(KEPT), generator=draw) < 0.9 for _ in range(2)]
    return Pairs(*(tensor.to(DEVICE) for tensor in (*pictures, *poses, *valid)))


def run_keypoints(module):
    batch = pairs()
    points = module(batch.source, batch.source_pose)
    assert points.shape == (BATCH, module.groups, module.points, 2)
    visible = module.visible(batch.source_valid)
    assert visible.shape == points.shape[:-1] and visible.dtype == torch.bool
    assert module.driven_by_pose == (not list(module.parameters()))
    assert module.reads_pose or not module.driven_by_pose
    if module.driven_by_pose:
        assert torch.equal(module(None, batch.source_pose), points)
    return {"points": points, **module.losses(batch.source)}


def run_animator(module):
    batch = pairs()
    losses = module.losses(batch, features(), 10)
    assert losses and all(v.shape == () for v in losses.values())
    source = module.begin(batch.source[:1], batch.source_pose[:1], batch.source_valid[:1])
    control = module.control(batch.driving, batch.driving_pose, batch.driving_valid)
    assert control.points.flatten(1, 2).shape == (BATCH, module.control_points, 2)
    assert control.visible.shape == control.points.shape[:-1] and control.visible.dtype == torch.bool
    made = module.animate(source, control)
    assert isinstance(made, Animated)
    assert made.picture.shape == batch.driving.shape and made.trusted.shape == (BATCH, 1, SIZE, SIZE)
    for values in (made.picture, made.trusted):
        assert 0 <= float(values.detach().min()) <= float(values.detach().max()) <= 1
    if module.reads_pose:
        with pytest.raises(InputError, match="reads poses"):
            module.control_of(control.points.flatten(1, 2))
    else:
        # A source driven by the very points of a driving picture is where that picture drives it.
        seen = module.control(batch.driving, batch.driving_pose, torch.ones_like(batch.driving_valid))
        by_points = module.animate(source, module.control_of(seen.points.flatten(1, 2)))
        assert torch.equal(by_points.picture, module.animate(source, seen).picture)
    return {**losses, "picture": made.picture, "trusted": made.trusted}


def run_edges(module):
    batch = pairs()
    drawn = module(batch.driving_pose, batch.driving_valid, (SIZE, SIZE // 2))
    assert drawn.shape == (BATCH, module.channels, SIZE, SIZE // 2) and float(drawn.detach().min()) >= 0
    drawings, guides = module.guide(batch.driving_pose, batch.driving_valid, [(SIZE, SIZE), (8, 8)])
    assert torch.equal(drawings, guides[0]) and guides[1].shape == (BATCH, module.guide_channels, 8, 8)
    assert all(fact.shape == () for fact in module.learned().values())
    return {"drawn": drawn}


def run_refiner(module):
    batch = pairs()
    trusted = batch.source[:, :1]
    made = module(batch.source, trusted, batch.driving_pose, batch.driving_valid)
    assert made.shape == batch.source.shape
    assert 0 <= float(made.detach().min()) <= float(made.detach().max()) <= 1
    drawn = module.structure(batch.driving_pose, batch.driving_valid, (SIZE, SIZE // 2))
    assert drawn.shape == (BATCH, module.map_channels, SIZE, SIZE // 2)
    refined = module.refine(batch.source, trusted, batch.driving_pose, batch.driving_valid)
    assert torch.equal(refined.picture, made) and torch.equal(refined.trusted, trusted)
    assert refined.painted.shape == made.shape
    drawn_whole = module.structure(batch.driving_pose, batch.driving_valid, (SIZE, SIZE))
    assert torch.equal(refined.structure, drawn_whole)
    if not module.present:
        assert torch.equal(made, batch.source)
        return {}
    return {"made": made, "drawn": drawn}


def run_discriminator(module):
    batch = pairs()
    logits = module(batch.source, batch.source[:, :1])
    assert logits.shape[:2] == (BATCH, 1)
    return {"logits": logits}


RUN = {
    "keypoints": run_keypoints,
    "animator": run_animator,
    "edges": run_edges,
    "refiner": run_refiner,
    "discriminator": run_discriminator,
}


def run(variant, module, seed=1):
    torch.manual_seed(seed)
    return RUN[variant.axis](module)


def equal(one, two):
    return one.keys() == two.keys() and all(torch.equal(v, two[k]) for k, v in one.items())


@pytest.mark.parametrize("variant", variants(*NETWORKS))
def test_gradients_are_finite_and_reach_the_weights(variant):
    module = build(variant).train()
    outputs = run(variant, module)
    total = sum((v.square().sum() for v in outputs.values() if v.requires_grad), torch.zeros(()))
    if not total.requires_grad:
        assert not list(module.parameters())
        return
    total.backward()
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    assert gradients and all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("variant", variants(*NETWORKS))
@pytest.mark.parametrize("training", [True, False])
def test_a_seed_decides_everything(variant, training):
    one, two = (run(variant, build(variant).train(training)) for _ in range(2))
    assert equal(one, two)


@pytest.mark.parametrize("variant", variants(*NETWORKS))
def test_saved_and_loaded_it_is_the_same(variant, tmp_path):
    module = build(variant).train()
    run(variant, module)
    save_file({k: v.contiguous() for k, v in module.state_dict().items()}, tmp_path / "state.safetensors")
    again = build(variant, seed=9)
    again.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert equal(run(variant, module.eval()), run(variant, again.eval()))


@pytest.mark.parametrize("variant", variants("groups"))
def test_groups_of_a_pose_make_keypoints_and_are_always_the_same(variant):
    groups = variant.cls()
    assert isinstance(groups, Groups)
    found = groups.groups()
    assert found == groups.groups() == variant.cls().groups()
    assert len({len(group.members) for group in found}) == 1
    assert {p for group in found for points in group.members for p in points} <= set(KEPT)
    keypoints = PoseKeypoints(SIZE, groups).to(DEVICE)
    run_keypoints(keypoints)
    assert (keypoints.limbs is None) == (not any(group.limb for group in found))
    assert keypoints.limbs is None or len(keypoints.limbs.which) == keypoints.groups


@pytest.mark.parametrize("variant", variants("adversarial"))
def test_each_player_gains_from_winning(variant):
    game = variant.cls()
    low, high = torch.full((2, 1, 3, 3), -0.5), torch.full((2, 1, 3, 3), 0.5)
    assert game.refiner_loss(high) < game.refiner_loss(low)
    assert game.discriminator_loss(high, low) < game.discriminator_loss(low, high)
    logits = low.clone().requires_grad_()
    game.refiner_loss(logits).backward()
    assert (logits.grad < 0).all()


@pytest.mark.parametrize("variant", variants("picture_loss"))
def test_a_picture_loss_is_least_where_nothing_differs_and_leads_there(variant):
    batch, loss, perceptual = pairs(), variant.cls(), features()
    hands = (batch.source[:, :1] > 0.5).float()

    def of(picture):
        comparison = Comparison(picture, picture, batch.driving, batch.source[:, :1], hands)
        return loss(comparison, Activations(comparison, perceptual))

    made = batch.source.clone().requires_grad_()
    far = of(made)
    far.backward()
    assert far.shape == () and made.grad.isfinite().all() and made.grad.abs().sum() > 0
    assert float(of(batch.source - 0.01 * made.grad / made.grad.abs().max())) < float(far.detach())
    # Only total variation asks for something else than the recording.
    assert loss.name == "variation" or float(of(batch.driving)) == 0


@pytest.mark.parametrize("variant", variants("perceptual"))
def test_perceptual_features_are_fixed_and_tell_pictures_apart(variant):
    if variant.name == "efficientnet_lite0" and find_spec(PACKAGE) is None:
        pytest.skip("needs the extra perceptual")
    one, two = features(variant.name), features(variant.name)
    batch = pairs()
    assert all(torch.equal(a, b) for a, b in zip(one(batch.source), two(batch.source), strict=True))
    assert not [p for p in one.parameters() if p.requires_grad]
    assert float(one.distance(batch.source, batch.source)) == 0
    made = batch.source.clone().requires_grad_()
    distance = one.distance(made, batch.driving)
    distance.backward()
    assert float(distance.detach()) > 0 and made.grad.abs().sum() > 0
