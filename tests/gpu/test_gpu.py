"""What a GPU must give: every variant's numbers as on the CPU, whole cells, what is resumed, who holds it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from contract import test_axes as motion
from contract import test_picture_axes as pictures
from little import ROOT, command, manifests
from torch import nn

from rgx.gesture.speech.wavlm import WavLM
from rgx.run.fork_server import ForkServer
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
TOLERANCE = {"rtol": 2e-3, "atol": 2e-4}
"""float32 sums in another order, through some tens of layers and, of the gradients, back."""
CELLS = ("3a/full-model", "3b/+distill")
SCORED = {"motion_scores", "reconstruction_scores"}
LITTLE = {
    "training.adamw.checkpoint_every": 2,
    "training.adamw.batch": 4,
    "corpus.puppets.speakers": 2,
    "corpus.puppets.train_clips": 4,
    "corpus.puppets.test_clips": 2,
    "corpus.puppets.dev_clips": 1,
    "corpus.puppets.clip_s": 4.0,
    **{
        f"{stage}/training.adamw.steps": 4
        for stage in ("judge", "alignment", "tokenizer", "generator", "residual", "animator", "refiner")
    },
}


@pytest.fixture
def exact(monkeypatch):
    """Both devices multiply in whole float32 and draw tokens from the same stream."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    drawn = torch.multinomial
    monkeypatch.setattr(torch, "multinomial", lambda odds, n: drawn(odds.double().cpu(), n).to(odds.device))


def computed(suite, variant, device, monkeypatch):
    """Return what a variant without dropout gives on a device, and the gradient of each of its weights."""
    monkeypatch.setattr(suite, "DEVICE", device)
    module = suite.build(variant).eval()
    found = suite.run(variant, module)
    assert {v.device.type for v in found.values()} <= {device}
    total = sum((v.square().sum() for v in found.values() if v.requires_grad), torch.zeros((), device=device))
    if total.requires_grad:
        total.backward()
    weights = {f"d {n}": p.grad for n, p in module.named_parameters() if p.grad is not None}
    return {name: value.detach().cpu() for name, value in {**found, **weights}.items()}


@pytest.mark.parametrize("variant", motion.variants(*motion.MODULES))
def test_a_variant_of_the_motion_half_gives_what_it_gives_on_a_cpu(variant, exact, monkeypatch):
    agree(*(computed(motion, variant, device, monkeypatch) for device in ("cpu", "cuda")))


@pytest.mark.parametrize("variant", pictures.variants(*pictures.NETWORKS))
def test_a_variant_of_the_picture_half_gives_what_it_gives_on_a_cpu(variant, exact, monkeypatch):
    agree(*(computed(pictures, variant, device, monkeypatch) for device in ("cpu", "cuda")))


def agree(one, two):
    assert one.keys() == two.keys()
    for name in one:
        # A gradient is judged by its own size: its smallest entries are the difference of large ones.
        size = one[name].abs().max().item() if name.startswith("d ") else 1.0
        allowed = {**TOLERANCE, "atol": TOLERANCE["atol"] * max(size, 1.0)}
        torch.testing.assert_close(two[name], one[name], msg=lambda m, n=name: f"{n}: {m}", **allowed)


def sweep(store: Path, engine: str, *options: str) -> int:
    bindings = [x for name, value in LITTLE.items() for x in ("--bind", f"{name} = {value}")]
    rows = [x for cell in CELLS for x in ("--only", cell)]
    file = str(ROOT / "sweeps/ablation_table3.yaml")
    asked = ["--store", str(store), "--engine", engine, "--scale", "tiny", "--no-report"]
    return command("sweep", file, *rows, *bindings, *asked, *options)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = tmp_path_factory.mktemp("undisturbed")
    assert sweep(store, "inline") == 0
    return store


def scores(store):
    made = {name: found["outputs"].get("scores") for name, found in manifests(store).items()}
    return {name: found for name, found in made.items() if found}


def numbers(value):
    if isinstance(value, dict):
        return [x for inner in value.values() for x in numbers(inner)]
    if isinstance(value, list):
        return [x for inner in value for x in numbers(inner)]
    return [float(value)] if isinstance(value, int | float) else []


def gpu():
    return torch.cuda.get_device_name()


def gpus(store):
    return {made["stage"]: made["gpu"] for made in manifests(store).values()}


def test_whole_cells_train_and_score_on_a_gpu(undisturbed):
    found = scores(undisturbed)
    assert {name.split("/")[0] for name in found} == SCORED
    assert all(math.isfinite(x) for x in numbers(found))
    there = gpus(undisturbed)
    assert {there[stage] for stage in ("judge", "generator", "animator", "refiner")} == {gpu()}
    assert {there[stage] for stage in ("corpus", "speech", "frames", "motion_scores")} == {""}


def test_a_stage_says_what_it_held_of_the_gpu_s_memory(undisturbed):
    card = torch.cuda.get_device_properties(0).total_memory
    for made in manifests(undisturbed).values():
        assert bool(made["gpu"]) == ("gpu_memory" in made), made["stage"]
        if made["gpu"]:
            memory = made["gpu_memory"]
            assert 0 < memory["peak_bytes"] < memory["card_bytes"] == card, made["stage"]


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_share_a_training(undisturbed, tmp_path):
    """Dropout is each GPU's own, so that losses are near and no more."""
    shared = ("tokenizer", "generator", "refiner")
    bindings = [x for stage in shared for x in ("--bind", f"{stage}/resources.stage.gpus = 2")]
    assert sweep(tmp_path / "store", "inline", *bindings) == 0
    made, alone = (
        {one["stage"]: one for one in manifests(store).values()}
        for store in (tmp_path / "store", undisturbed)
    )
    for stage in shared:
        assert made[stage]["gpu"] == f"2 × {gpu()}" and made[stage]["key"] == alone[stage]["key"]
    one, two = (manifest["generator"]["outputs"]["tokens"] for manifest in (alone, made))
    assert two == pytest.approx(one, rel=0.05)


def test_ray_lends_the_gpu_to_the_same_stages_and_their_scores_agree(undisturbed, tmp_path):
    """Sums of a GPU are not ordered, so a few steps of training differ in their last digits only."""
    assert sweep(tmp_path / "store", "ray") == 0
    assert gpus(tmp_path / "store") == gpus(undisturbed)
    one, two = scores(undisturbed), scores(tmp_path / "store")
    assert one.keys() == two.keys()
    for name in one:
        assert numbers(two[name]) == pytest.approx(numbers(one[name]), rel=0.05, abs=0.05), name


def test_wavlm_in_half_precision_is_near_what_a_cpu_hears(tmp_path):
    import transformers  # a second, which every process of the tests would wait for

    config = transformers.WavLMConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        feat_extract_norm="layer", do_stable_layer_norm=True,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.WavLMModel(config).save_pretrained(tmp_path, safe_serialization=True)
    draw = np.random.default_rng(0)
    clips = [(0.1 * draw.standard_normal(n * 640).astype(np.float32), n) for n in (50, 80, 31, 250)]
    heard = {}
    for device in ("cpu", "cuda"):
        speech = WavLM(model=str(tmp_path), features_width=64, chunk_s=4.0)
        speech.prepare(device)
        heard[device] = np.concatenate(speech.features_of(clips))[:, :64]
    error = np.abs(heard["cuda"] - heard["cpu"])
    assert 0 < error.max() < 0.05 * heard["cpu"].std()


class StoppedError(Exception):
    pass


class Kept:
    """A keeper that holds its checkpoint in memory, on the CPU, as a file would."""

    state = None

    def load_checkpoint(self):
        return self.state

    def checkpoint_due(self):
        return False

    def save_checkpoint(self, state):
        self.state = {name: value.detach().cpu().clone() for name, value in state.items()}

    def progress(self, done, total, **values):
        pass

    def append_metrics(self, step, values):
        pass


def trained(keeper, device, stops=None):
    """Train a network with dropout for eight steps, or until it is stopped, and return its weights."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.3), nn.Linear(8, 1)).to(device)
    calls = 0

    def losses():
        nonlocal calls
        calls += 1
        if calls == stops:
            raise StoppedError
        return {"fit": network(torch.randn(4, 8).to(device)).square().mean()}

    fit(network, losses, AdamW(steps=8, batch=4, learning_rate=1e-2, checkpoint_every=3), keeper)
    return {name: value.cpu() for name, value in network.state_dict().items()}


def test_a_training_on_a_gpu_goes_on_as_if_it_had_not_been_stopped():
    keeper, whole = Kept(), trained(Kept(), "cuda")
    with pytest.raises(StoppedError):
        trained(keeper, "cuda", stops=6)
    torch.manual_seed(99)
    resumed = trained(keeper, "cuda")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_a_checkpoint_of_a_gpu_goes_on_on_a_cpu_and_the_other_way():
    for first, second in (("cuda", "cpu"), ("cpu", "cuda")):
        keeper = Kept()
        with pytest.raises(StoppedError):
            trained(keeper, first, stops=6)
        assert all(value.isfinite().all() for value in trained(keeper, second).values())


def test_a_training_on_the_cpu_of_a_machine_with_a_gpu_does_not_wake_it():
    text = "import torch, gpu.test_gpu as t; t.trained(t.Kept(), 'cpu'); print(torch.cuda.is_initialized())"
    run = [sys.executable, "-c", text]
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    found = subprocess.run(run, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths})
    assert found.stdout.split()[-1:] == ["False"], found.stderr


def test_a_process_forked_for_a_stage_can_use_the_gpu_and_so_can_the_next(tmp_path):
    """What is imported before the fork has not woken CUDA, or no child could use it."""
    bindings = [f"{name} = {value}" for name, value in LITTLE.items()]
    own = [line for line in bindings if not line.startswith(("animator", "refiner"))]
    asked = Overrides(only=["3b/+distill"], scale="tiny", bindings=own)
    plan = make_plan(read_sweep(ROOT / "sweeps/ablation_table3.yaml", asked))
    nursery = ForkServer()
    for task in plan.tasks.values():
        if task.stage in ("corpus", "speech", "alignment", "tokenizer"):
            device = "cuda" if task.uses_gpu else "cpu"
            wanted = {"task": task.message(), "store": str(tmp_path), "folder": str(ROOT), "device": device}
            told = nursery.run(wanted)
            assert told == {"made": "made"}, task.stage
    nursery.process.kill()
    there = gpus(tmp_path)
    assert there["corpus"] == "" and there["tokenizer"] == gpu()
