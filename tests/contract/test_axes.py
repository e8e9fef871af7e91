"""What every registered variant of an axis must keep to: shapes, gradients, seeds, saving and loading."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from roster import load_roster
from safetensors.torch import load_file, save_file
from torch import nn

from rgx import registry
from rgx.gesture.data.motion_space import LandmarkSpace
from rgx.gesture.data.splits import Interval
from rgx.gesture.generate.base import Decoding, Denoising, Inference
from rgx.gesture.generate.noise import Noise
from rgx.gesture.nn.encoders import SequenceEncoder
from rgx.gesture.skeleton import STREAMS
from rgx.gesture.tokens.parts import OnePart
from rgx.gesture.tokens.tokenizer import Tokenizer
from rgx.gesture.types import PREFIX_FRAMES, PREFIX_TOKENS, SAMPLES_PER_FRAME, Batch, PointFacts

load_roster()
torch.set_num_threads(1)

ELSEWHERE = {"stage", "resources", "corpus", "world", "metric", "judge", "alignment", "training", "trunk"} | {
    "sync_judge",
    "schedule",
    "keep",
    "optimiser",
    "poses",
    "submission",
    "fit",
    "signal",
    "pixels",
}
PICTURES = {"keypoints", "groups", "animator", "augmentation", "edges", "refiner", "discriminator"} | {
    "adversarial",
    "perceptual",
    "picture_loss",
}
"""Held to their contracts in test_picture_axes.py."""
REPORTS = {"caption", "figure", "format"}
"""Held to their contracts in the tests of reports."""
WEIGHTS_NEEDED = {"speech/wavlm", "speech/whisper"}
OUTSIDE = {"generator/external"}
"""Commands of other systems, held to theirs in tests/unit/test_external.py."""
MODULES = {"quantizer", "distillation", "fusion", "style", "residual", "generator"}
PLAIN = {"space", "mask_ratio", "decode", "sampler", "parts", "speech", "audio_init", "split"}
SMALL = {
    "quantizer": {"codes": 8, "layers": 3},
    "speech": {"mels": 16},
    "sampler": {"steps": 4},
    "generator": {"width": 16, "layers": 1, "heads": 2, "feedforward": 16},
}
WIDTH, SPEAKERS, FEATURES, FRAMES, TOKENS = 8, 3, 5, 16, 4
LEVELS = LandmarkSpace().levels(None)
POINTS = sum(LEVELS)
DEVICE = "cpu"
"""Where a contract is kept; tests/gpu holds every variant to its contract on a GPU."""


def variants(*axes):
    """Return the project's own variants; plug-ins of other tests do not count."""
    return [
        pytest.param(v, id=v.key)
        for v in registry.variants()
        if v.axis in axes and v.cls.__module__.startswith("rgx.") and v.key not in WEIGHTS_NEEDED | OUTSIDE
    ]


def recipe(axis, name, **overrides):
    variant = registry.find(axis, name)
    return registry.Recipe(variant, {**variant.parameters, **overrides})


def small(variant):
    wanted = SMALL.get(variant.axis, {})
    return recipe(variant.axis, variant.name, **{k: v for k, v in wanted.items() if k in variant.parameters})


def trunk():
    size = {"width": 16, "layers": 1, "heads": 2, "feedforward": 16, "dropout": 0.1}
    parts = {"fusion": recipe("fusion", "cross_attention"), "style": recipe("style", "adain")}
    return recipe("trunk", "paper", **size, **parts)


def encoders(features=FEATURES):
    return nn.ModuleDict({s: SequenceEncoder(features, WIDTH, 1, 2, 0.0) for s in STREAMS}).to(DEVICE)


def make_batch(points=POINTS):
    draw = torch.Generator().manual_seed(7)
    made = Batch(
        motion=torch.randn(3, FRAMES, points, 2, generator=draw),
        valid=torch.ones(3, FRAMES, points, dtype=torch.bool),
        speech=torch.randn(3, FRAMES, FEATURES, generator=draw),
        beats=torch.zeros(3, FRAMES, dtype=torch.bool),
        prefix=torch.randn(3, PREFIX_FRAMES, points, 2, generator=draw),
        prefix_valid=torch.ones(3, PREFIX_FRAMES, points, dtype=torch.bool),
        speaker=torch.tensor([0, 2, 1]),
        clip=torch.arange(3),
    )
    return Batch(**{name: x.to(DEVICE) for name, x in vars(made).items() if isinstance(x, torch.Tensor)})


def make_tokenizer(parts=None, places=None):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        quantizer = recipe("quantizer", "rvq", codes=8, layers=3)
        parts = parts or recipe("parts", "separate")()
        return Tokenizer(parts, quantizer, WIDTH, 1, places).eval().to(DEVICE)


def features(seed=5):
    drawn = torch.randn(3, TOKENS, WIDTH, generator=torch.Generator().manual_seed(seed))
    return drawn.to(DEVICE).requires_grad_()


def build(variant, seed=0, levels=LEVELS, tokenizer=None):
    """Return a variant built under a seed, with the shapes its axis is given."""
    torch.manual_seed(seed)
    shapes = {
        "quantizer": lambda: (WIDTH,),
        "distillation": lambda: (WIDTH, tuple(STREAMS), WIDTH),
        "fusion": lambda: (WIDTH, 2, 0.1),
        "style": lambda: (WIDTH, SPEAKERS),
        "residual": lambda: (make_tokenizer(), encoders(), SPEAKERS),
        "generator": lambda: (),
    }[variant.axis]()
    made = small(variant)
    if "trunk" in variant.parts:
        made.bound["trunk"] = trunk()
    if "fusion" in variant.parts:
        made.bound["fusion"] = recipe("fusion", "cross_attention")
    if "mask_ratio" in variant.parts:
        made.bound["mask_ratio"] = recipe("mask_ratio", "uniform")()
    if variant.axis == "generator":
        tokenizer, speech = tokenizer or make_tokenizer(), encoders()
        offered = {"tokenizer": tokenizer, "speech": speech, "features": FEATURES, "speakers": SPEAKERS}
        offered["levels"] = levels
        return made.given(**offered).to(DEVICE)
    return made(*shapes).to(DEVICE)


def teacher():
    with torch.random.fork_rng():
        torch.manual_seed(4)
        sizes = {s: 2 * len(points) for s, points in STREAMS.items()}
        made = nn.ModuleDict({s: SequenceEncoder(n, WIDTH, 1, 2, 0.0) for s, n in sizes.items()})
        return made.eval().to(DEVICE)


def run_quantizer(module, x):
    if not module.has_tokens:
        return {}
    found = module(x)
    assert found.output.shape == x.shape
    assert found.codes.shape == (3, TOKENS, module.layers)
    assert found.codes.dtype == torch.long
    assert 0 <= int(found.codes.min()) <= int(found.codes.max()) < module.codes
    assert found.commitment.shape == ()
    for layer in range(module.layers):
        assert module.codebook(layer).shape == (module.codes, WIDTH)
    assert module.lookup(found.codes).shape == x.shape
    if not module.training:
        assert torch.allclose(module.lookup(found.codes), found.output, atol=1e-5)
    return {"output": found.output, "commitment": found.commitment, "codes": found.codes}


def run_distillation(module, x):
    loss = module(x, make_batch(), teacher() if module.needs else None)
    assert loss.shape == ()
    return {"loss": loss}


def run_fusion(module, x):
    memory = features(6).repeat(1, 2, 1)
    fused = module(x, module.read(memory), torch.arange(TOKENS, device=DEVICE))
    assert fused.shape == x.shape
    return {"fused": fused}


def run_style(module, x):
    styled = module(x, make_batch().speaker)
    assert styled.shape == x.shape
    return {"styled": styled}


def run_residual(module, x):
    if not module.present:
        return {}
    tokenizer, batch = make_tokenizer(), make_batch()
    tokens = tokenizer.window_tokens(batch)
    prefix = {s: t[:, :PREFIX_TOKENS] for s, t in tokens.items()}
    base = {s: t[:, PREFIX_TOKENS:, :1] for s, t in tokens.items()}
    full = module.extend(base, prefix, batch, Noise.drawn(3))
    assert all(t.shape == (3, PREFIX_TOKENS + TOKENS, tokenizer.layers) for t in full.values())
    assert all(torch.equal(full[s][:, PREFIX_TOKENS:, :1], base[s]) for s in base)
    assert all(torch.equal(full[s][:, :PREFIX_TOKENS], prefix[s]) for s in base)
    losses = module.losses(batch, tokenizer)
    assert all(v.shape == () for v in losses.values())
    return {**losses, **{f"full_{s}": t for s, t in full.items()}}


def inference(module, tokenizer, noise=None, **settings):
    """Return what a generator may use: of each axis that it reads the first variant that fits."""
    read = {axis: kind for axis, kind in module.reads.items() if axis != "residual"}
    fitting = {
        axis: next(v for v in registry.variants(axis) if issubclass(v.cls, kind))
        for axis, kind in read.items()
    }
    chosen = {}
    for axis, variant in fitting.items():
        recipe = small(variant)
        chosen[axis] = variant.cls(**{**recipe.bound, **settings})
    return Inference(tokenizer, noise=noise, **chosen)


def run_generator(module, x, batch=None, tokenizer=None):
    tokenizer = (tokenizer or make_tokenizer()) if module.needs_tokenizer else None
    batch = batch or make_batch()
    losses = module.losses(batch, tokenizer)
    assert losses
    assert all(v.shape == () for v in losses.values())
    motion = module.sample(batch, inference(module, tokenizer))
    assert motion.shape == batch.motion.shape
    return {**losses, "motion": motion}


RUN = {
    "quantizer": run_quantizer,
    "distillation": run_distillation,
    "fusion": run_fusion,
    "style": run_style,
    "residual": run_residual,
    "generator": run_generator,
}


def run(variant, module, x=None, seed=1):
    torch.manual_seed(seed)
    return RUN[variant.axis](module, features() if x is None else x)


def equal(one, two):
    return one.keys() == two.keys() and all(torch.equal(v, two[k]) for k, v in one.items())


def test_every_axis_has_a_contract():
    found = {v.axis for v in registry.variants() if v.cls.__module__.startswith("rgx.")}
    assert found - ELSEWHERE - PICTURES - REPORTS == MODULES | PLAIN
    assert set(RUN) == MODULES


@pytest.mark.parametrize("variant", variants(*MODULES))
def test_gradients_are_finite_and_reach_the_weights(variant):
    module, x = build(variant).train(), features()
    outputs = run(variant, module, x)
    assert all(v.isfinite().all() for v in outputs.values())
    total = sum((v.square().sum() for v in outputs.values() if v.requires_grad), torch.zeros(()))
    if not total.requires_grad:
        return
    total.backward()
    weights = [p for p in module.parameters() if p.requires_grad]
    gradients = [p.grad for p in weights if p.grad is not None]
    assert bool(gradients) == bool(weights)
    assert all(g.isfinite().all() for g in gradients)
    if variant.axis in ("quantizer", "distillation", "fusion", "style"):
        assert x.grad.isfinite().all()
        assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("variant", variants(*MODULES))
@pytest.mark.parametrize("training", [True, False])
def test_a_seed_decides_everything(variant, training):
    one, two = (run(variant, build(variant).train(training)) for _ in range(2))
    assert equal(one, two)


@pytest.mark.parametrize("variant", variants(*MODULES))
def test_saved_and_loaded_it_is_the_same(variant, tmp_path):
    module = build(variant).train()
    run(variant, module)
    save_file({k: v.contiguous() for k, v in module.state_dict().items()}, tmp_path / "state.safetensors")
    again = build(variant, seed=9)
    again.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert equal(run(variant, module.eval()), run(variant, again.eval()))


def trained_looking(variant):
    """Return a generator whose last layers say something, as once it is trained, and its tokenizer."""
    module = build(variant).eval()
    for weights in module.parameters():
        if not weights.any():
            nn.init.normal_(weights, std=0.1)
    return module, make_tokenizer() if module.needs_tokenizer else None


@pytest.mark.parametrize("variant", variants("generator"))
def test_a_window_s_motion_is_the_same_in_any_batch(variant):
    module, tokenizer = trained_looking(variant)
    batch, seeds = make_batch(), [(5, window) for window in range(3)]
    whole = module.sample(batch, inference(module, tokenizer, Noise(seeds)))
    for window in range(3):
        own = Batch(
            **{n: x[window : window + 1] for n, x in vars(batch).items() if isinstance(x, torch.Tensor)}
        )
        motion = module.sample(own, inference(module, tokenizer, Noise(seeds[window : window + 1])))
        assert torch.allclose(motion[0], whole[window], atol=1e-4)


@pytest.mark.parametrize("variant", [v for v in variants("generator") if v.values[0].name != "regression"])
def test_a_window_goes_on_from_its_source_frame(variant):
    module, tokenizer = trained_looking(variant)
    batch = make_batch()
    batch.prefix[:] = 4.0
    motion = module.sample(batch, inference(module, tokenizer, Noise([(5, window) for window in range(3)])))
    first, steps = (motion[:, 0] - 4.0).abs().mean(), motion.diff(dim=1).abs().mean(dim=(0, 2, 3))
    assert first < 2 * steps.max(), f"frame 0 lies {first:.2f} from the source frame, a step is {steps}"


@pytest.mark.parametrize("variant", variants("generator"))
def test_guidance_of_one_is_one_pass(variant):
    module, tokenizer = trained_looking(variant)
    if not {"decode", "sampler"} & module.reads.keys():
        return
    rows = dict.fromkeys(module.modules(), 0)

    def count(layer, given):
        rows[layer] += given[0].numel()

    for layer in rows:
        if isinstance(layer, nn.Linear):
            layer.register_forward_pre_hook(count)
    passes = []
    for guidance in (1.0, 2.0):
        rows.update(dict.fromkeys(rows, 0))
        module.sample(make_batch(), inference(module, tokenizer, guidance=guidance))
        passes.append(dict(rows))
    # What sees the speech alone may serve both; what is asked step by step sees twice as much.
    assert max(passes[1][layer] / seen for layer, seen in passes[0].items() if seen) == 2


@pytest.mark.parametrize("variant", variants("mask_ratio"))
def test_mask_ratio(variant):
    drawn = []
    for _ in range(2):
        torch.manual_seed(0)
        drawn.append(small(variant)().draw(200))
    assert drawn[0].shape == (200,)
    assert 0 <= float(drawn[0].min()) <= float(drawn[0].max()) <= 1
    assert torch.equal(*drawn)


@pytest.mark.parametrize("variant", variants("decode"))
def test_decode(variant):
    torch.manual_seed(0)
    tokens, masked, logits = torch.full((3, 12), 99), torch.rand(3, 12) < 0.7, torch.randn(3, 12, 6)
    masked[:, 0] = False
    filled = []
    for _ in range(2):
        torch.manual_seed(1)
        turns = torch.arange(12) // 2
        filled.append(
            small(variant)().fill(Decoding(tokens, masked, lambda t, m: logits, Noise.drawn(3), turns))
        )
    assert filled[0].shape == tokens.shape
    assert (filled[0][~masked] == 99).all()
    assert ((filled[0][masked] >= 0) & (filled[0][masked] < 6)).all()
    assert torch.equal(*filled)
    assert (tokens == 99).all()


@pytest.mark.parametrize("variant", variants("sampler"))
def test_sampler(variant):
    def run(seeds):
        straight = Denoising(
            (40,),
            lambda x, time, step: torch.full_like(x, 3.0),
            lambda t: (1 - t, t),
            Noise(seeds),
            torch.device("cpu"),
        )
        return small(variant)().run(straight)

    seeds = [(7, number) for number in range(3)]
    motion = run(seeds)
    assert torch.equal(motion, run(seeds))
    assert torch.equal(motion[1:2], run(seeds[1:2])), "a window's motion is its own"
    assert torch.allclose(motion, torch.full_like(motion, 3.0), atol=1e-5), (
        "what is known for sure is reached"
    )


@pytest.mark.parametrize("variant", variants("parts"))
def test_parts_hold_every_stream_in_order_and_lose_nothing(variant):
    parts = small(variant)()
    held = [m for members in parts.streams.values() for m in members]
    assert list(dict.fromkeys(held)) == list(STREAMS) and parts.over(tuple(STREAMS)) == parts.streams
    tokenizer, batch = Tokenizer(parts, recipe("quantizer", "rvq", codes=8, layers=1), 4, 1), make_batch()
    motion = torch.cat([batch.prefix, batch.motion], dim=1).cpu()
    told = tokenizer.split(motion)
    assert sum(part.shape[-1] for part in told.values()) == tokenizer.coordinates == motion[0, 0].numel()
    again = tokenizer.anchor(tokenizer.merge(told), motion[:, :PREFIX_FRAMES])
    assert torch.allclose(again, motion, atol=1e-5)


@pytest.mark.parametrize("variant", variants("space"))
def test_a_space_divides_all_points_of_a_frame(variant):
    space = variant.cls()
    assert space.parents[0] == "corpus" and set(space.parents) == {"corpus", space.source.stage}
    count = sum(space.levels(PointFacts(7)))
    places = [list(range(count))[place] for place in space.streams(PointFacts(7)).values()]
    assert [point for points in places for point in points] == list(range(count))


def any_space(variant):
    return variant.cls.needs_tokenizer or "levels" in variant.shapes


@pytest.mark.parametrize("variant", [v for v in variants("generator") if any_space(v.values[0])])
def test_a_generator_takes_its_points_from_the_data(variant):
    """Control points are not 123, and say nothing of limbs."""
    tokenizer, batch = make_tokenizer(OnePart("points"), {"points": slice(0, 7)}), make_batch(7)
    module = build(variant, levels=(7,), tokenizer=tokenizer).eval()
    motion = run_generator(module, None, batch, tokenizer)["motion"]
    assert motion.shape == (3, FRAMES, 7, 2) and motion.isfinite().all()


@pytest.mark.parametrize("variant", variants("speech"))
@pytest.mark.parametrize("frames", [50, 100])
def test_speech(variant, frames):
    speech = small(variant)()
    random = np.random.default_rng(0)
    shapes = {"waveform": (frames * SAMPLES_PER_FRAME,), "log_mel": (frames, 64)}
    waveform = (0.1 * random.standard_normal(shapes[speech.heard])).astype(np.float32)
    found = speech.features(waveform, frames)
    assert speech.envelope(waveform, frames).shape == (frames,)
    assert found.shape == (frames, speech.width)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.array_equal(found, small(variant)().features(waveform, frames))
    assert np.isfinite(speech.features(np.zeros_like(waveform), frames)).all()


@pytest.mark.parametrize("variant", variants("split"))
def test_split(variant, tmp_path):
    file = tmp_path / "ids.json"
    file.write_text(json.dumps({"train": list(range(30)), "test": list(range(30, 40))}))
    own = {"file": str(file)} if "file" in variant.parameters else {}
    intervals = [
        Interval(f"cmu{n:04d}", "oliver", f"video{n // 4}", 0.0, 5.0, "test" if n % 5 == 0 else "train")
        for n in range(40)
    ]
    found = variant.cls(**own).assign(intervals)
    assert found.keys() <= {i.name for i in intervals}
    assert {"train", "test"} <= set(found.values()) <= {"train", "dev", "test"}
    assert found == variant.cls(**own).assign(intervals[::-1])


@pytest.mark.parametrize("variant", variants("audio_init"))
def test_audio_init(variant):
    init = small(variant)()
    torch.manual_seed(0)
    own, aligned = encoders(), encoders()
    before = {k: v.clone() for k, v in own.state_dict().items()}
    init.start(own, aligned if "alignment" in init.needs else None)
    wanted = aligned.state_dict() if "alignment" in init.needs else before
    assert equal(own.state_dict(), wanted)
    assert all(a is not b for a, b in zip(own.parameters(), aligned.parameters(), strict=True))
    assert 0 < init.rate <= 1
