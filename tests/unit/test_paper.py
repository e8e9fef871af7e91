"""What the paper says of itself in numbers and parts, held against the code and what it ships."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from roster import load_roster
from torch import nn
from torch.nn import functional as F

from rgx.bindings import variants_in
from rgx.config import build_cell, configure_cell
from rgx.gesture.align.contrastive import ContrastiveAlignment, span_mask
from rgx.gesture.data.pats import Pats
from rgx.gesture.data.splits import RandomSplit, TableSplit
from rgx.gesture.data.windows import Windows
from rgx.gesture.generate.base import Decoding, Filling, Inference
from rgx.gesture.skeleton import KEPT, STREAMS, edges, stream_slice
from rgx.gesture.tokens.distillation import CosineDistillation
from rgx.gesture.tokens.parts import SeparateParts
from rgx.gesture.tokens.tokenizer import Tokenizer
from rgx.gesture.types import FPS, FRAMES_PER_TOKEN, SAMPLE_RATE_HZ, WINDOW_FRAMES, Batch, ClipSpan
from rgx.registry import Recipe, find
from rgx.sweep.spec import Overrides, read_sweep

load_roster()
torch.set_num_threads(1)
ROOT = Path(__file__).resolve().parents[2]
PAPER = ROOT.parent / "shared/paper/realistic_gesture.md"


def motion(windows: int = 2, frames: int = 80) -> torch.Tensor:
    return torch.randn(windows, frames, len(KEPT), 2, generator=torch.Generator().manual_seed(0))


class Heard:
    """Of a batch of windows what these parts read."""

    def __init__(self, windows: int = 3, frames: int = 80, features: int = 5) -> None:
        draw = torch.Generator().manual_seed(1)
        self.motion = motion(windows, frames)
        self.valid = torch.ones(self.motion.shape[:3], dtype=torch.bool)
        self.prefix = self.motion[:, :8].flip(1)
        self.prefix_valid = self.valid[:, :8]
        self.speech = torch.randn(windows, frames, features, generator=draw)
        self.beats = torch.rand(windows, frames, generator=draw) < 0.1


def steps_of(batch: Heard, stream: str) -> torch.Tensor:
    """Return how far each coordinate has come in a frame, the first from the source frame: (B, T, C)."""
    whole = torch.cat([batch.prefix[:, -1:], batch.motion], dim=1)[:, :, stream_slice(stream)].flatten(2)
    return whole[:, 1:] - whole[:, :-1]


def small_alignment(**given: Any) -> ContrastiveAlignment:
    torch.manual_seed(0)
    return ContrastiveAlignment(5, width=8, layers=1, heads=2, dropout=0.0, **given).eval()


def test_a_motion_is_68_points_of_the_face_and_55_of_the_body_with_both_hands() -> None:
    assert {stream: len(points) for stream, points in STREAMS.items()} == {"face": 68, "body": 13 + 2 * 21}
    assert len(KEPT) == 123


def test_rates_and_lengths() -> None:
    assert (FPS, SAMPLE_RATE_HZ, WINDOW_FRAMES, FRAMES_PER_TOKEN) == (25, 16_000, 80, 4)


def test_the_four_speakers_are_the_papers() -> None:
    # Kubinec is PATS' `chemistry`.
    assert set(Pats(split=TableSplit()).speakers) == {"noah", "chemistry", "oliver", "seth"}
    assert RandomSplit().test_share == 0.1


def test_four_encoders_share_nothing() -> None:
    align = small_alignment()
    encoders = [getattr(align, side)[stream] for side in ("speech", "gesture") for stream in STREAMS]
    owned = [parameter.data_ptr() for encoder in encoders for parameter in encoder.parameters()]
    assert len(encoders) == 4 and len(set(owned)) == len(owned)
    terms = align.losses(Heard())  # type: ignore[arg-type]
    for stream in STREAMS:
        gradients = torch.autograd.grad(
            terms[f"contrastive_{stream}"], list(align.parameters()), allow_unused=True, retain_graph=True
        )
        names = [n for (n, _), g in zip(align.named_parameters(), gradients, strict=True) if g is not None]
        other = f".{next(iter(set(STREAMS) - {stream}))}"
        assert names and not [name for name in names if other in name]


def test_an_embedding_is_the_mean_over_time_of_its_encoders_sequence() -> None:
    align, batch = small_alignment(), Heard()
    z_s, z_g = align.embed(batch, "body")  # type: ignore[arg-type]
    own = steps_of(batch, "body")
    for z, sequence in ((z_s, align.speech["body"](batch.speech)), (z_g, align.gesture["body"](own))):
        assert torch.allclose(z, F.normalize(sequence.mean(1), dim=-1), atol=1e-6)


def test_thirty_percent_are_hidden_and_the_temperature_is_a_tenth() -> None:
    parameters = find("alignment", "contrastive").parameters
    assert parameters["masked_share"] == 0.3 and parameters["temperature"] == 0.1
    assert span_mask(50, 80, 0.3, 8, torch.device("cpu")).float().mean() == pytest.approx(0.3)


def test_beats_are_told_from_the_gesture_embedding_by_one_linear_layer() -> None:
    align, batch = small_alignment(masked_share=0.0, beat_weight=1.0, beat_positive=3.0), Heard()
    terms = align.losses(batch)  # type: ignore[arg-type]
    for stream in STREAMS:
        assert type(align.beat[stream]) is nn.Linear
        sequence = align.gesture[stream](steps_of(batch, stream))
        logits = align.beat[stream](sequence).flatten(1)
        likely = F.logsigmoid(torch.where(batch.beats, logits, -logits))
        by_hand = -(likely * torch.where(batch.beats, 3.0, 1.0)).mean()
        assert float(terms[f"beat_{stream}"].detach()) == pytest.approx(float(by_hand.detach()), rel=1e-5)


def test_distillation_is_eq_2_by_hand_and_teaches_no_teacher() -> None:
    torch.manual_seed(0)
    distillation, batch = CosineDistillation(6, ("face",), 8, weight=0.7), Heard(2)
    teacher = nn.ModuleDict({"face": small_alignment().gesture["face"]})
    quantized = torch.randn(2, 20, 6, requires_grad=True)
    loss = distillation(quantized, batch, teacher)  # type: ignore[arg-type]
    target = teacher["face"](steps_of(batch, "face")).detach()
    projected = quantized @ distillation.projection.weight.T + distillation.projection.bias
    projected = projected.detach()
    cosines = [
        float(projected[b, n] @ target[b, n] / (projected[b, n].norm() * target[b, n].norm()))
        for b in range(2)
        for n in range(20)
    ]
    assert float(loss.detach()) == pytest.approx(0.7 * (1 - sum(cosines) / 40), rel=1e-5)
    loss.backward()
    assert quantized.grad is not None and quantized.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_face_and_body_have_codecs_of_their_own() -> None:
    torch.manual_seed(0)
    rvq = find("quantizer", "rvq")
    tokenizer = Tokenizer(SeparateParts(), Recipe(rvq, {**rvq.parameters, "codes": 16}), 8, 1).eval()
    moved = motion()
    moved[:, :, stream_slice("face")] += 1
    before, after = tokenizer.tokens(motion()), tokenizer.tokens(moved)
    assert torch.equal(before["body"], after["body"]) and not torch.equal(before["face"], after["face"])
    assert {codes.shape for codes in before.values()} == {(2, WINDOW_FRAMES // FRAMES_PER_TOKEN, 4)}


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    """The networks of the shipped full model, untrained and at a small size."""
    asked = Overrides(scale="tiny", only=["3b/+distill"])
    (row,) = read_sweep(ROOT / "sweeps/ablation_table3.yaml", asked).rows
    torch.manual_seed(0)
    return build_cell(row.texts, ("motion",)).built


def windows_of(features: int) -> Batch:
    """Return two windows as training draws them."""
    frames, draw = 2 * 120, torch.Generator().manual_seed(2)
    spans = [ClipSpan(f"clip{n}", n, "train", 120 * n, 120, (0.0, 0.0), 1.0) for n in range(2)]
    values = (
        torch.randn(frames, len(KEPT), 2, generator=draw),
        torch.ones(frames, len(KEPT), dtype=torch.bool),
    )
    heard = torch.randn(frames, features, generator=draw), torch.zeros(frames, dtype=torch.bool)
    return Windows(spans, "train", *values, *heard).draw(2)


def test_what_the_body_does_is_predicted_from_the_face_too(built: dict[str, Any]) -> None:
    generator = built["generator"].eval()
    batch = windows_of(built["speech"].width)
    memory, speaker = generator.trunk.read(generator.content(batch)), torch.tensor([0, 1])
    size = built["tokenizer"].window_tokens(batch)["face"].shape[1]
    tokens, nothing = torch.zeros(2, 2 * size, dtype=torch.long), torch.zeros(2, 2 * size, dtype=torch.bool)
    other = tokens.clone()
    other[:, 5] = 1
    before, after = (generator.predict(x, nothing, memory, speaker) for x in (tokens, other))
    assert generator.streams == ("face", "body")
    assert (before[:, size:] - after[:, size:]).abs().max() > 1e-6


def test_speech_is_key_and_value_and_gesture_the_query(built: dict[str, Any]) -> None:
    generator = built["generator"].eval()
    fusion, width = generator.trunk.blocks[0].fusion, generator.trunk.width
    draw = torch.Generator().manual_seed(3)
    x, memory = (torch.randn(2, n, width, generator=draw) for n in (6, 20))
    place = torch.arange(6)
    before = fusion(x, fusion.read(memory), place)
    # A query sees all of speech and no other query; keys with their values have no order.
    shuffled = fusion(x, fusion.read(memory[:, torch.randperm(20, generator=draw)]), place)
    assert torch.allclose(shuffled, before, atol=1e-5)
    louder = memory.clone()
    louder[:, 13] += 1
    assert ((fusion(x, fusion.read(louder), place) - before).abs().amax(-1) > 1e-5).all()
    other = x.clone()
    other[:, 2] += torch.randn(2, width, generator=draw)
    changed = (fusion(other, fusion.read(memory), place) - before).abs().amax(-1) > 1e-5
    assert changed.nonzero()[:, 1].tolist() == [2, 2]


def test_a_block_takes_in_speech_then_feeds_forward_then_styles(built: dict[str, Any]) -> None:
    generator = built["generator"].eval()
    batch, called = windows_of(built["speech"].width), []
    hooks = [
        getattr(block, name).register_forward_hook(lambda *_, call=(number, name): called.append(call))
        for number, block in enumerate(generator.trunk.blocks)
        for name in ("fusion", "feed", "style")
    ]
    tokens = torch.cat([codes[..., 0] for codes in built["tokenizer"].window_tokens(batch).values()], dim=1)
    memory = generator.trunk.read(generator.content(batch))
    generator.predict(tokens, tokens < 0, memory, batch.speaker)
    for hook in hooks:
        hook.remove()
    blocks = range(len(generator.trunk.blocks))
    assert called == [(number, name) for number in blocks for name in ("fusion", "feed", "style")]


class FirstPass(Filling):
    """Fills with zeros, and keeps what it was asked to fill."""

    def fill(self, decoding: Decoding) -> torch.Tensor:
        self.asked = decoding
        return decoding.tokens.masked_fill(decoding.masked, 0)


def test_at_first_all_is_masked_but_what_the_source_frame_gives(built: dict[str, Any]) -> None:
    generator, tokenizer = built["generator"].eval(), built["tokenizer"].eval()
    batch, decode = windows_of(built["speech"].width), FirstPass()
    generator.sample(batch, Inference(tokenizer, decode))
    true = tokenizer.window_tokens(batch)
    given = true["face"].shape[1] - WINDOW_FRAMES // FRAMES_PER_TOKEN
    assert given > 0
    parts = (x.chunk(len(generator.streams), dim=1) for x in (decode.asked.tokens, decode.asked.masked))
    for stream, tokens, masked in zip(generator.streams, *parts, strict=True):
        assert not masked[:, :given].any() and masked[:, given:].all()
        assert torch.equal(tokens[:, :given], true[stream][:, :given, 0])


def test_the_residual_generator_is_built_as_the_masked_one(built: dict[str, Any]) -> None:
    generator, residual = built["generator"], built["residual"]
    shapes = [
        {name: tuple(value.shape) for name, value in network.trunk.blocks.named_parameters()}
        for network in (generator, residual)
    ]
    assert type(residual.trunk) is type(generator.trunk) and shapes[0] == shapes[1]
    for stream in residual.streams:
        tables = list(residual.embedding[stream])
        assert len(tables) == built["tokenizer"].layers - 1
        assert len({table.weight.data_ptr() for table in tables}) == len(tables)


def test_embeddings_of_the_layers_below_are_summed(built: dict[str, Any]) -> None:
    residual = built["residual"].eval()
    batch = windows_of(built["speech"].width)
    memory = residual.trunk.read(residual.content(batch))
    true = built["tokenizer"].window_tokens(batch)
    tokens = {s: torch.zeros_like(true[s][..., :2]) for s in residual.streams}
    read: list[torch.Tensor] = []
    hook = residual.trunk.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    changed = {s: t.clone() for s, t in tokens.items()}
    changed["face"][0, 4, 1] = 3
    for codes in (tokens, changed):
        residual.predict(codes, 2, memory, torch.tensor([0, 1]))
    hook.remove()
    table = residual.embedding["face"][1].weight
    moved = (read[1] - read[0]).abs().sum(-1).nonzero()
    assert len(moved) == 1 and int(moved[0, 0]) == 0
    assert torch.allclose((read[1] - read[0])[tuple(moved[0])], table[3] - table[0], atol=1e-6)


def test_one_random_residual_layer_is_learned_in_a_step(
    built: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    residual, predict, learned = built["residual"], built["residual"].predict, []

    def noted(tokens: dict[str, torch.Tensor], layer: int, *rest: Any) -> dict[str, torch.Tensor]:
        learned.append(layer)
        assert {codes.shape[-1] >= layer for codes in tokens.values()} == {True}
        return predict(tokens, layer, *rest)

    monkeypatch.setattr(residual, "predict", noted)
    batch = windows_of(built["speech"].width)
    torch.manual_seed(0)
    for _ in range(24):
        residual.losses(batch, built["tokenizer"])
    counts = [learned.count(layer) for layer in range(1, built["tokenizer"].layers)]
    assert len(learned) == 24 == sum(counts) and min(counts) > 3


def outputs(store: Path, stage: str) -> list[dict[str, Any]]:
    """Return what the manifests of a stage say it left."""
    return [json.loads(path.read_text())["outputs"] for path in store.glob(f"{stage}/*/manifest.json")]


def test_the_tokenizer_is_trained_on_the_three_terms_of_eq_3(finished: Path) -> None:
    (values,) = outputs(finished, "tokenizer")
    for stream in STREAMS:
        assert {"position", f"commitment_{stream}", f"distillation_{stream}"} <= values.keys()
    assert find("stage", "tokenizer").parameters["commitment"] == 0.02


def test_the_masked_generator_is_trained_on_tokens_velocity_and_acceleration(finished: Path) -> None:
    terms = {"tokens", "position", "velocity", "acceleration"}
    assert [values for values in outputs(finished, "generator") if terms <= values.keys()]


def test_links_are_those_of_joints_fingers_and_face_contours_only() -> None:
    links = edges()
    parts = [range(17), range(23, 91), range(91, 112), range(112, 133)]
    assert all(any(a in part and b in part for part in parts) for a, b in links)
    assert len(set(map(frozenset, links))) == len(links) < len(KEPT) * (len(KEPT) - 1) / 2 / 50
    # A finger is a chain of four links from the wrist.
    assert sum(a in parts[2] for a, _ in links) == 20


SHIPPED = read_sweep(ROOT / "sweeps/paper_table3.yaml")


def made_of(key: str) -> dict[str, Any]:
    """Return the records of a row's stages, by name, of the paper's own sweep; no file is looked at."""
    (row,) = (row for row in SHIPPED.rows if row.key == key)
    return {name: stage.record for name, stage in configure_cell(row.texts, row.targets).stages.items()}


def within(record: Any, argument: str) -> Any:
    """Return the first value bound to an argument anywhere in a record."""
    if isinstance(record, dict):
        if argument in record:
            return record[argument]
        record = list(record.values())
    inner = (within(value, argument) for value in record) if isinstance(record, list) else ()
    return next((value for value in inner if value is not None), None)


def test_the_papers_configuration_has_the_papers_parts() -> None:
    stages = made_of("3b/+distill") | made_of("3d/+ heatmap")
    chosen = {key for record in stages.values() for key in variants_in(record)}
    assert {
        *("corpus/videos", "speech/wavlm", "alignment/contrastive", "parts/separate", "quantizer/rvq"),
        *("distillation/cosine", "generator/masked", "fusion/cross_attention", "style/adain"),
        *("audio_init/aligned", "mask_ratio/uniform", "decode/iterative", "judge/autoencoder"),
        *("keypoints/pose2d", "animator/tps", "refiner/edge_heatmap", "edges/weighted"),
        "discriminator/patch",
        *("perceptual/vgg19", "metric/video_fvd", "metric/reconstruction_lpips"),
        *("metric/video_dover_aesthetic", "metric/video_dover_technical"),
    } <= chosen
    assert not {key for key in chosen if "random" in key}, "a stand-in"
    assert stages["speech"]["speech"]["features_width"] == 1024 and stages["frames"]["size_px"] == 256
    assert within(stages["motion"]["decode"], "steps") == 5
    assert (within(stages["generator"], "low"), within(stages["generator"], "high")) == (0.5, 1.0)


WITHOUT: dict[str, tuple[str, str, str]] = {
    "3a/Unsup-kp": ("reconstruction", "keypoints/unsupervised", "keypoints/pose2d"),
    "3a/+ flex kp": ("animator", "keypoints/pose2d_flexible", "keypoints/pose2d"),
    "3b/baseline": ("generator", "generator/regression", "generator/masked"),
    "3b/+RVQ": ("tokenizer", "parts/joint", "parts/separate"),
    "3b/+separate": ("tokenizer", "distillation/none", "distillation/cosine"),
    "3c/w/o res": ("motion", "residual/none", "residual/transformer"),
    "3c/concat": ("generator", "fusion/concat", "fusion/cross_attention"),
    "3c/w/o align": ("generator", "audio_init/random", "audio_init/aligned"),
    "3d/w/o refine": ("video", "refiner/none", "refiner/edge_heatmap"),
    "3d/+ UNet": ("refiner", "refiner/unet", "refiner/edge_heatmap"),
    "3d/+ skeleton": ("refiner", "refiner/skeleton", "refiner/edge_heatmap"),
}
"""Row → a stage, what it has there, and what the full model has in its place."""


@pytest.mark.parametrize("row", WITHOUT)
def test_a_row_of_table_3_lacks_what_the_paper_takes_away(row: str) -> None:
    stage, chosen, instead = WITHOUT[row]
    records = made_of(row)
    keys = set(variants_in(records["animator" if stage == "reconstruction" else stage]))
    assert chosen in keys and instead not in keys


@pytest.mark.parametrize(("row", "low"), [("Uni. 0-1", 0.0), ("Uni. .3-1", 0.3), ("Uni. .7-1", 0.7)])
def test_rows_of_table_3e_mask_other_shares(row: str, low: float) -> None:
    record = made_of(f"3e/{row}")["generator"]
    assert (within(record, "low"), within(record, "high")) == (low, 1.0)


@pytest.mark.parametrize("steps", [10, 15, 20])
def test_rows_of_table_3f_decode_in_other_steps(steps: int) -> None:
    assert within(made_of(f"3f/{steps} iter.")["motion"]["decode"], "steps") == steps


@pytest.mark.parametrize("row", ["Unsup-kp", "2D-pose", "+ flex kp"])
def test_the_first_three_rows_of_table_3a_have_no_refinement(row: str) -> None:
    records = made_of(f"3a/{row}")
    chosen = {key for record in records.values() for key in variants_in(record)}
    assert "refiner/none" in chosen and "refiner" not in records
    assert "refiner" in made_of("3a/full-model")


def test_self_reconstruction_and_speech_driven_video_are_two_ends_of_the_pipeline() -> None:
    assert "generator" not in made_of("3a/full-model")
    assert {"generator", "refiner", "video"} <= made_of("3d/+ heatmap").keys()


def numbers(line: str) -> list[float]:
    """Return the numbers of a line of the paper's text."""
    return [float(number) for number in re.findall(r"\d+\.\d+", line)]


@pytest.mark.parametrize(("table", "panel"), [("table1", "main"), ("table2", "user_study")])
def test_published_numbers_are_those_of_the_papers_tables(table: str, panel: str) -> None:
    if not PAPER.is_file():
        pytest.skip("needs ../shared/paper")
    lines = PAPER.read_text(encoding="utf-8").splitlines()
    rows = yaml.safe_load((ROOT / f"reports/published/{table}.yaml").read_text())["panels"][panel]["rows"]
    names = {"Ground Truth": "Ground Truth (GT)"}
    for row, values in rows.items():
        published = [value for value in values.values() if value is not None]
        printed = [numbers(line) for line in lines if line.strip("|\t ").startswith(names.get(row, row))]
        assert published in printed, f"{row}: {published}"


def test_published_numbers_of_table_3_stand_in_the_papers_text() -> None:
    if not PAPER.is_file():
        pytest.skip("needs ../shared/paper")
    printed = set(numbers(PAPER.read_text(encoding="utf-8")))
    panels = yaml.safe_load((ROOT / "reports/published/table3.yaml").read_text())["panels"]
    # Of 3d's FVD the extraction parts the last digit; three numbers it misreads, as the file's notes say.
    values = {
        value
        for panel in panels.values()
        for row in panel["rows"].values()
        for metric, value in row.items()
        if metric != "video_fvd"
    }
    assert len(values) > 40 and values - printed == {377.14, 6.713, 21.473}


def test_the_speaker_enters_by_an_mlp(built: dict[str, Any]) -> None:
    for block in built["generator"].trunk.blocks:
        layers = list(block.style.modulation)
        assert isinstance(layers[0], nn.Embedding) and sum(type(layer) is nn.Linear for layer in layers) == 2


def test_a_random_audio_encoder_learns_at_the_whole_rate() -> None:
    rates = {name: find("audio_init", name).parameters["rate"] for name in ("aligned", "random")}
    assert rates == {"aligned": 0.1, "random": 1.0}
