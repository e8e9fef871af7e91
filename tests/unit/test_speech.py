"""Speech features: exact frame counts, planted onsets and tones, silence, and the WavLM path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rgx.errors import InputError
from rgx.registry import find
from rgx.speech import beats, mel_beat, s2g35, wavlm
from rgx.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

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
    for marks in (beats.beat_frames(track, frames), beats.onset_frames(track, frames)):
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
    found = np.flatnonzero(beats.onset_frames(track, 250))
    distance = np.abs(found[:, None] - planted)
    assert len(found) == len(planted)
    assert distance.min(axis=0).max() <= 1 and distance.min(axis=1).max() <= 1


def test_beats_lie_on_a_regular_click_track():
    track, planted = clicks(500, every=12)
    found = np.flatnonzero(beats.beat_frames(track, 500))
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
    assert not beats.onset_frames(silent, frames).any() and not beats.beat_frames(silent, frames).any()
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
    np.testing.assert_array_equal(values[:, 33], beats.beat_frames(track, 250))


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


@pytest.mark.parametrize("frames", [75, 101, 130])
def test_wavlm_in_chunks_stays_near_the_whole_clip(folder, frames):
    track = noise(frames)
    whole = loaded(folder).features(track, frames)
    parts = loaded(folder, chunk_s=1.0).features(track, frames)
    assert parts.shape == whole.shape
    assert np.abs(parts - whole).mean() < 0.05 * whole[:, :32].std()


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


def test_wavlm_without_transformers_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(InputError, match=r"rgx\[wavlm\]"):
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
    share = beats.onset_frames(track, frames).mean()
    assert 0.05 < share < 0.4
    for made in (mel_beat.MelBeat(), s2g35.S2G35()):
        values = made.features(track, frames)
        assert values.shape == (frames, made.width) and np.isfinite(values).all()
