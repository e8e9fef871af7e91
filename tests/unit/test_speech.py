"""Speech features: exact frame counts, planted onsets and tones, silence, and the WavLM path."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgx.errors import InputError
from rgx.gesture.speech import beats, mel_beat, s2g35, wavlm
from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.batches import batch_by_length
from rgx.gesture.speech.chunks import chunks
from rgx.gesture.speech.pauses import level_db, pauses_of
from rgx.gesture.stages.speech import SpeechStage
from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from rgx.registry import find
from rgx.store.artifacts import write_json
from rgx.store.kept_rows import KeptRows
from rgx.store.workspace import Inputs, Workspace

pytestmark = pytest.mark.filterwarnings("error::UserWarning:librosa")
SPEECH = Path(__file__).resolve().parents[2].parent / "shared/data/speech"
LENGTHS = [0, 1, 2, 7, 33, 80, 251]


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, frames * SAMPLES_PER_FRAME).astype(np.float32)


def clicks(frames: int, every: int, late: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a click track (S,) and the times of its clicks in frames."""
    samples = np.arange(every, frames - 2, every) * SAMPLES_PER_FRAME + late
    track = noise(frames) * 1e-3
    for sample in samples:
        track[sample : sample + 80] += noise(1, seed=1)[:80] * 5
    return track, samples / SAMPLES_PER_FRAME


def tone(hz: float, frames: int) -> np.ndarray:
    times_s = np.arange(frames * SAMPLES_PER_FRAME) / SAMPLE_RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hz * times_s)).astype(np.float32)


@pytest.mark.parametrize("frames", LENGTHS)
@pytest.mark.parametrize("spare", [-333, 0, 999])
def test_every_length_gives_exactly_t_frames(frames, spare):
    track = np.resize(noise(frames + 1), max(frames * SAMPLES_PER_FRAME + spare, 0))
    assert beats.onset_envelope(track, frames).shape == (frames,)
    for marks in (
        beats.beats_of(beats.onset_envelope(track, frames)),
        beats.onsets_of(beats.onset_envelope(track, frames)),
    ):
        assert marks.shape == (frames,) and marks.dtype == bool
    for made in (mel_beat.MelBeat(), mel_beat.MelBeat(mels=40), s2g35.S2G35()):
        values = made.features(track, frames)
        assert values.shape == (frames, made.width) and values.dtype == np.float32
        assert np.isfinite(values).all()


def test_widths_are_known_without_running():
    assert (mel_beat.MelBeat().width, s2g35.S2G35().width, wavlm.WavLM().width) == (130, 35, 1154)


@pytest.mark.parametrize("late", [0, 160, 320, 480])
def test_onsets_lie_within_one_frame_of_clicks(late):
    track, planted = clicks(250, every=17, late=late)
    found = np.flatnonzero(beats.onsets_of(beats.onset_envelope(track, 250)))
    distance = np.abs(found[:, None] - planted)
    assert len(found) == len(planted)
    assert distance.min(axis=0).max() <= 1 and distance.min(axis=1).max() <= 1


def test_beats_lie_on_a_regular_click_track():
    track, planted = clicks(500, every=12)
    found = np.flatnonzero(beats.beats_of(beats.onset_envelope(track, 500)))
    near = np.abs(found[:, None] - planted).min(axis=1) <= 1
    assert len(found) >= 0.8 * len(planted) and near.mean() >= 0.95


@pytest.mark.parametrize("hz", [150.0, 440.0, 3000.0])
def test_pure_tone_peaks_in_its_mel_band(hz):
    import librosa

    values = mel_beat.log_mel(tone(hz, 50), 50, 128)
    centres_hz = librosa.mel_frequencies(130, fmin=0, fmax=SAMPLE_RATE_HZ / 2)[1:-1]
    assert abs(int(np.median(values.argmax(axis=1))) - int(np.abs(centres_hz - hz).argmin())) <= 1
    assert values.max() == 1 and values.min() >= -1


def test_mel_is_relative_to_the_loudest_frame_of_the_clip():
    quiet, loud = mel_beat.log_mel(noise(40) * 1e-3, 40, 64), mel_beat.log_mel(noise(40), 40, 64)
    np.testing.assert_allclose(quiet, loud, atol=1e-3)
    half = noise(40)
    half[: 20 * SAMPLES_PER_FRAME] *= 0.1
    assert loud[:18].mean() - mel_beat.log_mel(half, 40, 64)[:18].mean() == pytest.approx(20 / 40, abs=0.05)


@pytest.mark.parametrize("frames", [1, 80])
def test_silence_has_no_onset_no_beat_and_no_warning(frames, recwarn):
    silent = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
    assert not beats.onset_envelope(silent, frames).any()
    assert (
        not beats.onsets_of(beats.onset_envelope(silent, frames)).any()
        and not beats.beats_of(beats.onset_envelope(silent, frames)).any()
    )
    values = mel_beat.MelBeat().features(silent, frames)
    assert (values[:, :128] == -1).all() and not values[:, 128:].any()
    baseline = s2g35.S2G35().features(silent, frames)
    assert np.isfinite(baseline).all() and not baseline[:, [0, 33, 34]].any() and not baseline[:, 21:33].any()
    assert not [w for w in recwarn if "librosa" in str(w.filename)]


def test_mel_beat_columns_are_mel_then_envelope_then_beat():
    track, _ = clicks(250, every=12)
    values = mel_beat.MelBeat(mels=32).features(track, 250)
    envelope = beats.onset_envelope(track, 250)
    np.testing.assert_array_equal(values[:, :32], mel_beat.log_mel(track, 250, 32))
    np.testing.assert_allclose(values[:, 32], envelope / envelope.max(), rtol=1e-6)
    np.testing.assert_array_equal(values[:, 33], beats.beats_of(beats.onset_envelope(track, 250)))


def test_s2g35_columns_are_envelope_mfcc_chroma_onset_beat():
    track, planted = clicks(250, every=12)
    values = s2g35.S2G35().features(track, 250)
    onsets, marks = values[:, 33], values[:, 34]
    assert set(np.unique(onsets)) == {0, 1} and set(np.unique(marks)) == {0, 1}
    assert (values[:, 0] >= 0).all() and values[onsets == 1, 0].min() > np.median(values[:, 0])
    found = np.flatnonzero(onsets)
    assert np.abs(found[:, None] - planted).min(axis=0).max() <= 1
    melody = s2g35.S2G35().features(tone(440, 100), 100)
    assert (melody[:, 1:21].mean(axis=0) < -50).sum() >= 1 and (
        melody[10:90, 21:33].argmax(axis=1) == 9
    ).all()
    np.testing.assert_allclose(np.linalg.norm(melody[10:90, 21:33], axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("mels", [0, 257])
def test_unusable_mels_are_refused(mels):
    with pytest.raises(InputError, match="mels"):
        find("speech", "mel_beat").cls(mels=mels)


def test_50_to_25_hz_duplicates_the_last_row_and_interpolates():
    hidden = np.array([[0, 1], [2, 1], [4, 5], [6, 7], [10, 9]], np.float32)
    np.testing.assert_array_equal(wavlm.at_motion_rate(hidden, 3), [[1, 1], [5, 6], [10, 9]])
    torch = pytest.importorskip("torch")
    doubled = torch.from_numpy(np.concatenate([hidden, hidden[-1:]]).T[None])
    asked = torch.nn.functional.interpolate(doubled, size=3, mode="linear", align_corners=False)
    np.testing.assert_allclose(wavlm.at_motion_rate(hidden, 3), asked[0].T.numpy(), rtol=1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random WavLM of 32 units, saved as safetensors."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.WavLMConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
        feat_extract_norm="layer", do_stable_layer_norm=True, vocab_size=8,
    )  # fmt: skip
    place = tmp_path_factory.mktemp("wavlm")
    transformers.WavLMModel(config).save_pretrained(place, safe_serialization=True)
    return place


def loaded(place: Path, **given) -> wavlm.WavLM:
    made = wavlm.WavLM(model=str(place), features_width=32, mels=16, **given)
    made.prepare("cpu")
    return made


@pytest.mark.parametrize("frames", [0, 1, 2, 33, 80])
def test_wavlm_gives_exactly_t_frames_and_the_same_twice(folder, frames):
    track = noise(frames)
    one, two = loaded(folder).features(track, frames), loaded(folder).features(track, frames)
    assert one.shape == (frames, 32 + 16 + 2) and one.dtype == np.float32 and np.isfinite(one).all()
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one[:, 32:], mel_beat.mel_beat_features(track, frames, 16))


def test_wavlm_hidden_states_are_the_models_own(folder):
    import torch

    made, track = loaded(folder), noise(40)
    heard = torch.from_numpy((track - track.mean()) / np.sqrt(track.var() + 1e-7))[None]
    with torch.inference_mode():
        own = made._network(heard).last_hidden_state[0].numpy()
    assert own.shape == (79, 32)
    np.testing.assert_allclose(
        made.features(track, 40)[:, :32], wavlm.at_motion_rate(own, 40), rtol=1e-5, atol=1e-6
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 400), st.integers(0, 200))
def test_chunks_keep_every_row_once_and_know_enough_around_it(steps, core, overlap):
    made = chunks(steps, core, overlap)
    assert [row for piece in made for row in range(piece.first, piece.last)] == list(range(steps))
    assert {piece.length for piece in made} == {min(core + 2 * overlap, steps)}
    for piece in made:
        end = piece.start + piece.length
        assert piece.start >= 0 and end <= steps
        assert piece.first - piece.start >= overlap or piece.start == piece.first == 0
        assert end - piece.last >= overlap or end == piece.last == steps
    assert len(made) <= max(1, -(-(steps - 2 * overlap) // core))


@pytest.fixture(scope="module")
def fading(folder, tmp_path_factory):
    """A random WavLM of the real reach (128 positions) whose attention fades by a factor e in 25 steps."""
    import torch
    from transformers import WavLMConfig, WavLMModel

    torch.manual_seed(1)
    config = WavLMConfig.from_pretrained(folder, num_conv_pos_embeddings=128, num_hidden_layers=4)
    network = WavLMModel(config)
    attention = network.encoder.layers[0].attention
    distance = torch.arange(-800, 801)
    with torch.no_grad():
        buckets = attention._relative_positions_bucket(distance)
        attention.rel_attn_embed.weight[buckets] = -(distance.abs()[:, None] / 25).expand(-1, 4)
    place = tmp_path_factory.mktemp("fading")
    network.save_pretrained(place, safe_serialization=True)
    return place


def swelling(frames: int) -> np.ndarray:
    """Noise that grows tenfold: what is normalised by the chunk and not by the clip comes out differently."""
    return noise(frames) * np.linspace(0.1, 1, frames * SAMPLES_PER_FRAME, dtype=np.float32)


@pytest.mark.slow
def test_chunks_equal_the_whole_clip_and_the_overlap_is_what_it_takes(fading):
    frames = 500
    track = swelling(frames)
    whole = loaded(fading).features(track, frames)[:, :32]

    def error(overlap_s: float) -> float:
        parts = loaded(fading, chunk_s=4.0, overlap_s=overlap_s).features(track, frames)[:, :32]
        return float(np.sqrt(((parts - whole) ** 2).mean(axis=1)).max() / whole.std())

    assert error(0.0) > 0.05
    assert error(1.0) > 10 * error(2.0)
    assert error(2.0) < 2e-3
    assert error(4.0) < 1e-4


class Spy:
    """A network that remembers what it was given."""

    def __init__(self, network, answers=()):
        self.network, self.answers, self.shapes = network, list(answers), []
        self.config, self.device = network.config, network.device

    def __call__(self, sound, attention_mask=None):
        self.shapes.append(tuple(sound.shape))
        made = self.network(sound, attention_mask=attention_mask)
        if self.answers:
            made.last_hidden_state = made.last_hidden_state * self.answers.pop(0)
        return made


def test_what_the_network_is_given_does_not_grow_with_the_clip(folder, monkeypatch):
    monkeypatch.setitem(wavlm.READINGS, "cpu", wavlm.Reading(6.0, 32))
    given = {}
    for frames in (250, 1000):
        made = loaded(folder, chunk_s=1.0, overlap_s=0.5)
        made._network = Spy(made._network)
        made.features(noise(frames), frames)
        given[frames] = made._network.shapes
    assert set(given[250]) | set(given[1000]) <= {(n, 100 * 320 + 80) for n in (1, 2, 3)}
    assert sum(n for n, _ in given[1000]) == 39 and len(given[1000]) == 13


def test_half_precision_is_near_and_what_overflows_is_read_again(folder, monkeypatch):
    track = noise(100)
    whole = loaded(folder, chunk_s=1.0).features(track, 100)
    monkeypatch.setitem(wavlm.READINGS, "cpu", wavlm.Reading(4.0, 16))
    half = loaded(folder, chunk_s=1.0).features(track, 100)
    assert 0 < np.abs(half - whole)[:, :32].max() < 0.02 * whole[:, :32].std()
    made = loaded(folder, chunk_s=1.0)
    made._network = Spy(made._network, answers=[np.inf])
    again = made.features(track, 100)
    np.testing.assert_allclose(again, whole, rtol=1e-4, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 900), max_size=30), st.integers(0, 3000))
def test_batches_hold_every_piece_once_and_no_more_than_there_is_room_for(lengths, most):
    made = batch_by_length(lengths, most)
    assert sorted(i for batch in made for i in batch) == list(range(len(lengths)))
    for batch in made:
        longest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or len(batch) * longest <= most
    for batch, after in pairwise(made):
        assert min(lengths[i] for i in batch) >= max(lengths[i] for i in after)
        assert (len(batch) + 1) * max(lengths[i] for i in batch) > most, "there was room for one more"


def test_clips_read_together_are_what_each_is_alone(fading, monkeypatch):
    clips = [(noise(frames, seed=frames), frames) for frames in (50, 31, 120, 0, 33, 80)]
    alone = [loaded(fading, chunk_s=2.0, overlap_s=0.5).features(*clip) for clip in clips]
    monkeypatch.setitem(wavlm.READINGS, "cpu", wavlm.Reading(9.0, 32))
    made = loaded(fading, chunk_s=2.0, overlap_s=0.5)
    made._network = Spy(made._network)
    together = made.features_of(clips)
    assert sum(n for n, _ in made._network.shapes) == 7 and len(made._network.shapes) == 3
    for one, two in zip(together, alone, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def test_a_model_that_normalises_over_time_reads_clips_one_by_one(folder, tmp_path, monkeypatch):
    from transformers import WavLMConfig, WavLMModel

    config = WavLMConfig.from_pretrained(folder, feat_extract_norm="group", do_stable_layer_norm=False)
    WavLMModel(config).save_pretrained(tmp_path, safe_serialization=True)
    clips = [(noise(frames, seed=frames), frames) for frames in (50, 31)]
    alone = [loaded(tmp_path).features(*clip) for clip in clips]
    monkeypatch.setitem(wavlm.READINGS, "cpu", wavlm.Reading(9.0, 32))
    for one, two in zip(loaded(tmp_path).features_of(clips), alone, strict=True):
        np.testing.assert_array_equal(one, two)


def test_group_norm_over_time_is_never_cut_in_chunks(folder, tmp_path):
    import torch
    from transformers import WavLMConfig, WavLMModel

    config = WavLMConfig.from_pretrained(folder, feat_extract_norm="group", do_stable_layer_norm=False)
    WavLMModel(config).save_pretrained(tmp_path, safe_serialization=True)
    track = noise(75)
    made = loaded(tmp_path, chunk_s=1.0, overlap_s=1.0)
    with torch.inference_mode():
        # Up to the last sample a step sees: normalisation over time notices a few more.
        own = made._network(torch.from_numpy(track[:-240])[None]).last_hidden_state[0].numpy()
    np.testing.assert_allclose(
        made.features(track, 75)[:, :32], wavlm.at_motion_rate(own, 75), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(InputError, match="feat_extract_norm = group.*one of 4 s.*chunks of 3 s"):
        made.features(noise(100), 100)


def test_wavlm_names_what_is_wrong(folder, tmp_path):
    with pytest.raises(InputError, match="hidden_size is 32, but features_width = 1024"):
        wavlm.WavLM(model=str(folder)).prepare("cpu")
    missing = wavlm.WavLM(model=str(tmp_path / "nowhere"))
    for call in (missing.fingerprint, lambda: missing.prepare("cpu")):
        with pytest.raises(InputError, match="nowhere.*found neither"):
            call()
    with pytest.raises(InputError, match="tried the folder"):
        wavlm.WavLM(model=str(tmp_path)).prepare("cpu")
    with pytest.raises(InputError, match="config.json"):
        wavlm.WavLM(model=str(tmp_path)).fingerprint()
    with pytest.raises(InputError, match="overlap_s = -1"):
        wavlm.WavLM(overlap_s=-1.0)
    with pytest.raises(InputError, match="chunk_s"):
        wavlm.WavLM(chunk_s=0.0)
    with pytest.raises(RuntimeError, match="prepare"):
        wavlm.WavLM().features(noise(4), 4)


def test_wavlm_refuses_absent_or_broken_weights(folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights[next(name for name in weights if "q_proj.weight" in name)]
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="1 weights of a WavLM are absent, such as .*q_proj"):
        wavlm.WavLM(model=str(tmp_path), features_width=32).prepare("cpu")
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="could be read"):
        wavlm.WavLM(model=str(tmp_path), features_width=32).prepare("cpu")


def published(folder: Path, place: Path, prefix: str = "") -> Path:
    """Return a folder as the hub has the model: pickled, with the older names of weight normalisation."""
    from safetensors.torch import load_file
    from torch import save

    older = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    state = load_file(folder / "model.safetensors")
    for new, old in older.items():
        state = {name.replace(new, old): weight for name, weight in state.items()}
    save({prefix + name: weight for name, weight in state.items()}, place / "pytorch_model.bin")
    (place / "config.json").write_bytes((folder / "config.json").read_bytes())
    return place


@pytest.mark.parametrize("prefix", ["", "wavlm."])
def test_wavlm_reads_a_pickled_folder_as_it_is_published(folder, tmp_path, prefix):
    pickled = published(folder, tmp_path, prefix)
    track = noise(33)
    np.testing.assert_array_equal(loaded(pickled).features(track, 33), loaded(folder).features(track, 33))
    before = wavlm.WavLM(model=str(pickled)).fingerprint()
    weights = pickled / "pytorch_model.bin"
    weights.write_bytes(weights.read_bytes() + b"0")
    assert wavlm.WavLM(model=str(pickled)).fingerprint() != before


class Exploit:
    def __reduce__(self):
        return (print, ("code of a weights file has run",))


def test_wavlm_runs_no_code_that_a_pickled_folder_brings(folder, tmp_path, capfd):
    import torch

    published(folder, tmp_path)
    torch.save({"feature_extractor": Exploit()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="not of plain tensors only") as told:
        wavlm.WavLM(model=str(tmp_path), features_width=32).prepare("cpu")
    assert "weights_only" not in str(told.value)
    (tmp_path / "pytorch_model.bin").write_bytes(b"broken")
    with pytest.raises(InputError, match="not of plain tensors only"):
        wavlm.WavLM(model=str(tmp_path), features_width=32).prepare("cpu")
    assert "code of a weights file has run" not in capfd.readouterr().out


def test_wavlm_without_transformers_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(InputError, match=r"rgx-experiments\[wavlm\]"):
        wavlm.WavLM(model=str(folder)).prepare("cpu")


def test_wavlm_fingerprint_follows_the_weights_and_not_the_place(folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    made, moved = wavlm.WavLM(model=str(folder)), wavlm.WavLM(model=str(copy))
    assert made.fingerprint() == moved.fingerprint()
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    assert made.fingerprint() != moved.fingerprint()
    assert wavlm.WavLM().fingerprint() == "microsoft/wavlm-large"


@pytest.mark.skipif(not SPEECH.is_dir(), reason="needs ../shared/data/speech")
def test_real_speech_has_onsets_and_finite_features():
    import librosa

    soundfile = pytest.importorskip("soundfile")
    track, rate_hz = soundfile.read(SPEECH / "jfk.flac", dtype="float32", always_2d=True)
    track = librosa.resample(track.mean(axis=1), orig_sr=rate_hz, target_sr=SAMPLE_RATE_HZ)
    frames = len(track) // SAMPLES_PER_FRAME
    share = beats.onsets_of(beats.onset_envelope(track, frames)).mean()
    assert 0.05 < share < 0.4
    for made in (mel_beat.MelBeat(), s2g35.S2G35()):
        values = made.features(track, frames)
        assert values.shape == (frames, made.width) and np.isfinite(values).all()


class Loud(Speech):
    """Loudness and length of a frame; remembers what it was asked and stops where it is told to."""

    width = 2

    def __init__(self, stop: int | None = None) -> None:
        self.stop, self.asked = stop, []

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        if self.stop is not None and len(self.asked) == self.stop:
            raise KeyboardInterrupt
        self.asked.append(frames)
        frame = waveform.reshape(frames, SAMPLES_PER_FRAME)
        return np.stack([np.abs(frame).mean(axis=1), np.full(frames, frames)], axis=1).astype(np.float32)


class Pairwise(Loud):
    """Reads clips of up to 5 s together; what it finds tells which clips it was given with."""

    together_s = 5.0

    def features_of(self, clips):
        found = super().features_of(clips)
        return [rows + len(clips) for rows in found]


CLIPS = [40, 81, 33, 120, 90]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A corpus artifact of five clips, the last one of the test split."""
    import torch
    from safetensors.torch import save_file

    place = tmp_path_factory.mktemp("corpus")
    starts = np.cumsum([0, *CLIPS])
    spans = [
        {"start": int(start), "frames": frames, "split": "test" if frames == 90 else "train"}
        for start, frames in zip(starts, CLIPS, strict=False)
    ]
    waveform = noise(int(starts[-1]))
    waveform[60 * SAMPLES_PER_FRAME : 80 * SAMPLES_PER_FRAME] *= 1e-3
    save_file({"waveform": torch.from_numpy(waveform)}, place / "arrays.safetensors")
    write_json(place / "about.json", {"spans": spans})
    return place


def run_stage(corpus: Path, folder: Path, speech: Speech, told: list[int] | None = None) -> dict:
    from safetensors.numpy import load_file

    workspace = Workspace(folder, "cpu", lambda progress: (told or []).append(progress["done"]))
    SpeechStage(speech).run(Inputs({}, {"corpus": corpus}), workspace, speech)
    return load_file(folder / "arrays.safetensors")


def test_the_speech_stage_is_each_clip_alone_and_the_training_splits_moments(recorded, tmp_path):
    from safetensors.numpy import load_file

    made = run_stage(recorded, tmp_path, Loud())
    sound, first = load_file(recorded / "arrays.safetensors")["waveform"], 0
    features, marks, paused = [], [], []
    for frames in CLIPS:
        clip = sound[first * SAMPLES_PER_FRAME : (first + frames) * SAMPLES_PER_FRAME]
        features.append(Loud().features(clip, frames))
        marks.append(
            (
                beats.beats_of(beats.onset_envelope(clip, frames)),
                beats.onsets_of(beats.onset_envelope(clip, frames)),
            )
        )
        paused.append(pauses_of(level_db(clip, frames), 0.35, 5))
        first += frames
    np.testing.assert_array_equal(made["pauses"], np.concatenate(paused))
    np.testing.assert_array_equal(made["features"], np.concatenate(features))
    np.testing.assert_array_equal(made["beats"], np.concatenate([beat for beat, _ in marks]))
    np.testing.assert_array_equal(made["onsets"], np.concatenate([onset for _, onset in marks]))
    train = np.concatenate(features[:-1])
    np.testing.assert_array_equal(made["mean"], train.mean(0))
    np.testing.assert_array_equal(made["std"], train.std(0).clip(min=1e-3))
    assert made["beats"].dtype == bool and made["onsets"].any()
    assert 18 <= made["pauses"].sum() <= 20 and made["pauses"][62:78].all()


@pytest.mark.parametrize("stop", range(len(CLIPS)))
def test_a_killed_speech_stage_goes_on_at_its_clip(recorded, tmp_path, monkeypatch, stop):
    whole = run_stage(recorded, tmp_path / "whole", Loud())
    monkeypatch.setattr("rgx.store.kept_rows.KEEP_EVERY_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        run_stage(recorded, tmp_path / "killed", Loud(stop))
    again = Loud()
    made = run_stage(recorded, tmp_path / "killed", again)
    assert again.asked == CLIPS[stop:]
    assert made.keys() == whole.keys()
    for name in whole:
        np.testing.assert_array_equal(made[name], whole[name])


def test_clips_are_read_in_groups_that_a_kill_does_not_change(recorded, tmp_path, monkeypatch):
    whole = run_stage(recorded, tmp_path / "whole", Pairwise())
    clips = np.repeat([2, 2, 1, 1, 1], CLIPS), np.repeat(CLIPS, CLIPS)
    np.testing.assert_array_equal(whole["features"][:, 1], clips[0] + clips[1])
    monkeypatch.setattr("rgx.store.kept_rows.KEEP_EVERY_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        run_stage(recorded, tmp_path / "killed", Pairwise(3))
    again = Pairwise()
    made = run_stage(recorded, tmp_path / "killed", again)
    assert again.asked == CLIPS[3:]
    for name in whole:
        np.testing.assert_array_equal(made[name], whole[name])


def test_rows_of_another_shape_are_not_gone_on_with(tmp_path):
    rows = KeptRows(tmp_path, 4, 2)
    rows.put(0, np.ones((3, 2), np.float32))
    assert KeptRows(tmp_path, 4, 2).parts == 0, "not kept yet"
    rows = KeptRows(tmp_path, 4, 2)
    rows.put(0, np.ones((3, 2), np.float32))
    rows.keep()
    again = KeptRows(tmp_path, 4, 2)
    assert again.parts == 1 and again.array[:3].all() and not again.array[3:].any()
    other = KeptRows(tmp_path, 4, 3)
    assert other.parts == 0 and not other.array.any()
