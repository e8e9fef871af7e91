"""What an argument of a variant is: a hyper-parameter, a required part or a shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol

import gin
import pytest
from roster import load_roster
from torch import nn

from rgx import registry
from rgx.bindings import Text
from rgx.config import plan_cell
from rgx.errors import InputError
from rgx.registry import Part, Recipe, find, register, variants

AXIS, BASES = "parts_test", "parts_test_base"
LEARNT = ("tokenizer", "speech", "speakers")
SHAPES = {
    "alignment/contrastive": ["features"],
    "alignment/chronological": ["features"],
    **{f"animator/{name}": ["size_px"] for name in ("tps", "edge_tps", "external")},
    **{f"discriminator/{name}": ["map_channels"] for name in ("patch", "s2g")},
    **{f"edges/{name}": ["size_px"] for name in ("scaled", "weighted")},
    **{key: ["width", "members", "teacher_width"] for key in ("distillation/cosine", "distillation/none")},
    **{key: ["width", "heads", "dropout"] for key in ("fusion/concat", "fusion/cross_attention")},
    **{f"generator/{name}": [*LEARNT] for name in ("masked", "causal")},
    "generator/angie": ["tokenizer", "speech", "features", "speakers"],
    "generator/regression": [*LEARNT, "levels"],
    **{f"generator/{name}": ["features", "speakers", "levels"] for name in ("diffusion", "lstm")},
    "generator/flow": ["tokenizer", "features", "speakers"],
    "generator/masked_motion": ["tokenizer", "features", "speakers", "levels"],
    "generator/external": ["heard"],
    **{f"pixels/{name}": ["picture_px"] for name in ("coupled_unet", "coupled_unet_joint")},
    "judge/autoencoder": ["points_width"],
    **{f"keypoints/{name}": ["size_px"] for name in ("pose2d", "pose2d_flexible", "regions", "unsupervised")},
    **{f"quantizer/{name}": ["width"] for name in ("fsq", "none", "rvq", "vq")},
    **{f"refiner/{name}": ["size_px"] for name in ("edge_heatmap", "none", "s2g", "skeleton", "unet")},
    **{key: [*LEARNT] for key in ("residual/none", "residual/prefix_token", "residual/transformer")},
    **{f"style/{name}": ["width", "speakers"] for name in ("adain", "conditional_layer_norm", "none")},
    "sync_judge/local": ["features", "points_width"],
    **{key: ["content", "speakers"] for key in ("trunk/paper", "trunk/letter", "trunk/transformer")},
}
PARTS = {
    **{f"animator/{name}": ["keypoints"] for name in ("tps", "edge_tps")},
    **{f"keypoints/{name}": ["groups"] for name in ("pose2d", "pose2d_flexible")},
    "corpus/pats": ["split"],
    **{f"corpus/{name}": ["world"] for name in ("puppets", "puppets_uncoupled")},
    **{f"generator/{name}": ["fusion"] for name in ("angie", "causal")},
    "refiner/edge_heatmap": ["edges"],
    "generator/masked": ["trunk", "mask_ratio"],
    "generator/masked_motion": ["mask_ratio"],
    "generator/regression": ["trunk"],
    **{f"residual/{name}": ["trunk"] for name in ("prefix_token", "transformer")},
    **{f"trunk/{name}": ["fusion", "style"] for name in ("paper", "letter", "transformer")},
    "metric/video_hand_confidence": ["poses"],
    "stage/alignment": ["alignment", "training"],
    "stage/animator": ["animator", "perceptual", "augmentation", "training"],
    "stage/corpus": ["corpus"],
    "stage/frames": ["corpus"],
    "stage/generator": ["generator", "quantizer", "alignment", "audio_init", "training"],
    "stage/judge": ["judge", "training"],
    "stage/pose_net": ["augmentation", "training"],
    **{key: ["poses"] for key in ("stage/tracked", "stage/tracked_recording")},
    "stage/pixels": ["pixels", "training"],
    "stage/pixel_video": ["pixels"],
    "stage/pixel_video_scores": ["metrics"],
    "stage/motion": ["generator", "quantizer", "residual", "decode"],
    "stage/reconstruction_scores": ["refiner", "metrics"],
    "stage/refiner": [
        *("refiner", "discriminator", "adversarial", "perceptual", "augmentation", "losses"),
        *("training", "discriminator_training"),
    ],
    "stage/residual": ["residual", "alignment", "audio_init", "training"],
    "stage/speech": ["speech"],
    "stage/sync_judge": ["sync_judge", "speech", "training"],
    "stage/tokenizer": ["parts", "quantizer", "distillation", "training"],
    "stage/video": ["refiner"],
    **{key: ["submission"] for key in ("stage/submission", "stage/submission_video")},
    **{
        f"stage/{name}": ["metrics"]
        for name in (
            *("motion_scores", "video_scores", "submission_scores", "submission_video_scores"),
            *("tracked_scores", "tracked_floor"),
        )
    },
}


class Base(nn.Module):
    """What variants of the test's base axis are."""


class Ratio:
    """What whole variants of the test's base axis are."""


class Apart:
    """What variants of another axis of the test's are."""


class Asked(Protocol):
    """What a network given as a shape must have."""

    width: int


@pytest.fixture(scope="module", autouse=True)
def trial_axes() -> Iterator[None]:
    load_roster()
    before = dict(registry._roster)

    @register(BASES, "one")
    class One(Base):
        """Waits for its width."""

        def __init__(self, width: int) -> None:
            super().__init__()

    @register(BASES, "half")
    class Half(Ratio):
        """Waits for nothing."""

    @register(AXIS, "mixed")
    class Mixed:
        """Parts and shapes in any order."""

        def __init__(
            self,
            part: Recipe[Base],
            width: int,
            network: Base,
            module: nn.Module,
            asked: Asked | None,
            ratio: Part[Ratio],
            several: tuple[Recipe[Base], ...],
            rate: float = 0.5,
        ) -> None:
            self.part, self.width, self.network, self.ratio = part, width, network, ratio

    @register("stage", "parts_test")
    class Node:
        """A stage is given nothing, so all it lacks are parts."""

        def __init__(self, base: Recipe[Base], ratio: Ratio, steps: int, any_of: tuple[Ratio, ...]) -> None:
            self.steps = steps

    yield
    registry._roster.clear()
    registry._roster.update(before)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Take what a test registers off the roster after it."""
    before = dict(registry._roster)
    yield
    registry._roster.clear()
    registry._roster.update(before)


def make(selector: str, **given: Any) -> Any:
    return gin.get_configurable(selector)(**given)


def one() -> Any:
    return make(f"{BASES}.one")


def half() -> Any:
    return make(f"{BASES}.half")


def test_shapes_and_parts_of_every_shipped_variant() -> None:
    own = [v for v in variants() if v.cls.__module__.startswith("rgx.")]
    assert {v.key: v.shapes for v in own if v.shapes} == SHAPES
    assert {v.key: v.parts for v in own if v.parts} == PARTS


def test_only_the_annotation_makes_a_part() -> None:
    mixed = find(AXIS, "mixed")
    assert mixed.parts == ["part", "ratio", "several"]
    assert mixed.shapes == ["width", "network", "module", "asked"]
    assert mixed.parameters == {"rate": 0.5}
    assert mixed.bindable == ["part", "ratio", "several", "rate"]


def test_a_stage_has_no_shapes() -> None:
    node = find("stage", "parts_test")
    assert (node.parts, node.shapes) == (["base", "ratio", "steps", "any_of"], [])


def test_shapes_are_given_by_place_wherever_parts_stand() -> None:
    recipe = make(f"{AXIS}.mixed", part=one(), ratio=half(), several=(one(),))
    network = Base()
    mixed = recipe(3, network, nn.Identity(), asked=None)
    assert (mixed.width, mixed.network) == (3, network)
    assert mixed.record["part"] == {"variant": f"{BASES}/one"}
    assert mixed.record["several"] == [{"variant": f"{BASES}/one"}]
    assert set(mixed.record) == {"variant", "part", "ratio", "several", "rate"}
    with pytest.raises(TypeError, match=r"4 shapes \(width, network, module, asked\), found 5"):
        recipe(3, network, nn.Identity(), None, 5)


def test_every_missing_part_is_named_with_the_variants_that_fit() -> None:
    with pytest.raises(InputError) as refused:
        make("stage.parts_test", ratio=half())
    told = str(refused.value).splitlines()[0]
    assert f"stage.parts_test needs 'base': bind stage.parts_test.base = @{BASES}.NAME() (NAME: one)" in told
    assert "'steps': bind stage.parts_test.steps = <a whole number>" in told
    assert f"stage.parts_test.any_of = (@{BASES}.NAME(), …) (NAME: half)" in told
    assert "'ratio'" not in told


def test_a_variant_of_ones_own_is_offered() -> None:
    @register("parts_test_users", "third")
    class Third(Ratio):
        """A user's, on another axis."""

    with pytest.raises(InputError, match=rf"@NAME\(\) \(NAME: {BASES}\.half, parts_test_users\.third\)"):
        make("stage.parts_test", base=one(), steps=1, any_of=(half(),))


def test_a_shape_is_no_part_whatever_is_registered() -> None:
    @register("parts_test_networks", "whole")
    class Whole(Base):
        """A whole variant of the class that `mixed` is given a network of."""

    assert find(AXIS, "mixed").shapes == ["width", "network", "module", "asked"]


def test_no_part_of_several_is_as_good_as_none() -> None:
    given = {"base": one(), "ratio": half(), "steps": 1}
    with pytest.raises(InputError, match=r"any_of = \(\): expected \(@\w+\.NAME\(\), …\) .*; found none"):
        make("stage.parts_test", **given, any_of=())
    assert make("stage.parts_test", **given, any_of=[half()]).steps == 1


@pytest.mark.parametrize("wrong", [None, 3, "@parts_test_base.half()", (1,)])
def test_a_part_of_another_kind_is_refused_with_what_fits(wrong: Any) -> None:
    expected = rf"ratio = {re.escape(repr(wrong))}: expected @{BASES}\.NAME\(\) \(NAME: half\); found"
    with pytest.raises(InputError, match=expected):
        make("stage.parts_test", base=one(), ratio=wrong, steps=1, any_of=(half(),))


def test_a_recipe_where_a_whole_variant_belongs_says_what_it_waits_for() -> None:
    with pytest.raises(InputError, match="found a variant that waits for width"):
        make("stage.parts_test", base=one(), ratio=one(), steps=1, any_of=(half(),))


def test_an_annotation_that_cannot_be_resolved_is_told() -> None:
    @register(AXIS, "lost")
    class Lost:
        """Names a class that nobody has."""

        def __init__(self, part: Absent, rate: float = 0.5) -> None: ...  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(InputError, match=rf"{AXIS}/lost: an annotation of .*Lost cannot be resolved.*Absent"):
        make(f"{AXIS}.lost")


def refused(gin_text: str, stage: str) -> str:
    with pytest.raises(InputError) as told:
        plan_cell([Text(gin_text, "own.gin")], (stage,))
    return str(told.value)


def test_the_place_is_where_other_bindings_of_the_stage_stand() -> None:
    told = refused("\nstage.frames.size_px = 64\n", "frames")
    assert told.startswith(
        "own.gin:2: stage.frames needs 'corpus': bind stage.frames.corpus = @corpus.NAME()"
    )
    assert all(name in told for name in ("pats", "puppets", "videos"))


def test_the_place_is_the_line_that_asks_for_an_incomplete_variant() -> None:
    text = """
        GENERATOR = @generator.masked()
        stage.generator.generator = %GENERATOR
        stage.generator.quantizer = @quantizer.rvq()
        generator.masked.trunk = @small/trunk.transformer()
        generator.masked.mask_ratio = @mask_ratio.cosine()
        trunk.transformer.width = 8
    """
    lines = "\n".join(line.strip() for line in text.splitlines())
    assert refused(lines, "generator").startswith("own.gin:5: trunk.transformer needs 'fusion': bind ")


def test_a_shape_cannot_be_bound() -> None:
    told = refused("quantizer.rvq.width = 8\n", "tokenizer")
    assert told.startswith("own.gin:1: quantizer.rvq is given 'width' by the program")


def test_nothing_bound_at_all_has_no_place() -> None:
    assert refused("", "corpus").startswith(
        "stage.corpus needs 'corpus': bind stage.corpus.corpus = @corpus."
    )


def test_variants_that_do_not_fit_as_they_come_are_offered_apart() -> None:
    @register("parts_test_apart", "whole")
    class Whole(Apart):
        """Waits for nothing."""

    @register("parts_test_apart", "waiting")
    class Waiting(Apart):
        """Waits for its width."""

        def __init__(self, width: int) -> None: ...

    @register("parts_test_user", "user")
    class User:
        """Wants one that waits, and one that does not."""

        def __init__(self, waiting: Recipe[Apart], whole: Part[Apart]) -> None: ...

    with pytest.raises(InputError) as told:
        make("parts_test_user.user")
    assert "NAME: waiting; not those that wait for nothing: whole)" in str(told.value)
    assert "NAME: whole; not those that wait for shapes: waiting)" in str(told.value)
