"""Speech of any length, rate and format to motion and to video; and what is no speech, or no portrait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from little import command
from PIL import Image
from safetensors.torch import load_file
from scipy.io import wavfile
from torch import Tensor

import rgx
from rgx.errors import InputError
from rgx.gesture.animate.base import Animated, Animator, Control
from rgx.gesture.model.fading import OVERLAP_FRAMES, fade_windows
from rgx.gesture.model.gesture_model import GestureModel
from rgx.gesture.model.listening import STEP_FRAMES, window_features
from rgx.gesture.model.portrait import Portrait, portrait_of, read_portrait
from rgx.gesture.model.sound_blocks import Waveform, open_sound
from rgx.gesture.poses.files import read_keypoints
from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.rendering import Renderer
from rgx.gesture.skeleton import KEPT, POINTS
from rgx.gesture.speech.base import Speech
from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, WINDOW_FRAMES, Batch
from rgx.gesture.video.files import write_mp4
from rgx.store.artifacts import artifact_folder
from rgx.store.runs import read_run


@pytest.fixture(scope="module")
def spoken(finished: Path) -> np.ndarray:
    """Four seconds of a test clip's speech."""
    corpus = artifact_folder(finished, "corpus", read_run(finished, "little").rows[0].stages["corpus"])
    return load_file(corpus / "arrays.safetensors")["waveform"][-4 * SAMPLE_RATE_HZ :].numpy()


def resampled(waveform: np.ndarray, rate_hz: int) -> np.ndarray:
    at = np.arange(len(waveform) * rate_hz // SAMPLE_RATE_HZ) * SAMPLE_RATE_HZ / rate_hz
    return np.interp(at, np.arange(len(waveform)), waveform).astype(np.float32)


def eight_bit(waveform: np.ndarray) -> np.ndarray:
    return (waveform * 127 + 128).astype(np.uint8)


class TestSound:
    @pytest.mark.parametrize(
        ("rate_hz", "prepare"),
        [
            (8_000, eight_bit),
            (96_000, lambda w: w),
            (48_000, lambda w: np.repeat((w[:, None] * 32767).astype(np.int16), 6, axis=1)),
        ],
        ids=["8 bit", "96 kHz", "6 channels"],
    )
    def test_any_rate_depth_and_channels_are_the_same_speech(
        self, spoken: np.ndarray, tmp_path: Path, rate_hz: int, prepare: Any
    ) -> None:
        wavfile.write(tmp_path / "a.wav", rate_hz, prepare(resampled(spoken, rate_hz)))
        sound = open_sound(tmp_path / "a.wav")
        heard = np.concatenate(list(sound.blocks()))
        assert abs(sound.samples - len(spoken)) < 64 and sound.frames in (100, 101)
        assert np.corrcoef(heard[: len(spoken) - 64], spoken[: len(spoken) - 64])[0, 1] > 0.9

    def test_music_is_sound(self) -> None:
        time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        chord = sum(np.sin(2 * np.pi * f * time_s) for f in (220, 277, 330)) / 4
        assert open_sound(chord).frames == 25

    def test_the_pieces_by_frame_are_the_sound_with_silence_after_it(self, spoken: np.ndarray) -> None:
        waveform = spoken[: 3 * SAMPLES_PER_FRAME * 10 + 17]
        pieces = list(Waveform(waveform, len(waveform), 1.0).by_frame())
        assert len(pieces) == 31 and {len(piece) for piece in pieces} == {SAMPLES_PER_FRAME}
        assert np.array_equal(np.concatenate(pieces)[: len(waveform)], waveform)
        assert not np.concatenate(pieces)[len(waveform) :].any()


class FirstSample(Speech):
    """Hears the first sample of each frame."""

    @property
    def width(self) -> int:
        return 1

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        assert len(waveform) == frames * SAMPLES_PER_FRAME
        return waveform[::SAMPLES_PER_FRAME, None].copy()


@pytest.mark.parametrize("frames", [20, WINDOW_FRAMES, WINDOW_FRAMES + 1, 2000])
def test_windows_hear_every_frame_in_its_place(frames: int) -> None:
    waveform = np.repeat(np.arange(1, frames + 1, dtype=np.float32), SAMPLES_PER_FRAME)
    sound = Waveform(waveform, len(waveform), float(frames))
    windows = list(window_features(sound, FirstSample(), torch.tensor([1.0]), torch.tensor([2.0])))
    assert len(windows) == 1 + max(0, -(-(frames - WINDOW_FRAMES) // STEP_FRAMES))
    for number, window in enumerate(windows):
        first = number * STEP_FRAMES
        samples = [frame + 1 if frame < frames else 0 for frame in range(first, first + WINDOW_FRAMES)]
        # In a long file, what is far below its loudest is silent.
        if frames < 1000 or first > frames // 50:
            assert (window[0, :, 0] * 2 + 1).tolist() == samples


def test_windows_fade_into_one_another() -> None:
    blank = torch.zeros(1, WINDOW_FRAMES, 1, 2)
    seen = torch.ones(1, WINDOW_FRAMES, 1, dtype=torch.bool)
    start = Batch(blank, seen, blank[..., 0], blank[..., 0, 0], blank[:, :8] - 1, seen[:, :8], seen, seen)
    prefixes = []

    def sample(batch: Batch, number: int) -> Tensor:
        prefixes.append(batch.prefix[0, :, 0, 0].tolist())
        return blank + number

    motion = torch.cat(list(fade_windows([blank[..., 0]] * 3, start, sample)), dim=1)[0, :, 0, 0]
    assert len(motion) == 3 * STEP_FRAMES + OVERLAP_FRAMES and (motion.diff() <= 1 / 9 + 1e-6).all()
    fade = [j / (OVERLAP_FRAMES + 1) for j in range(1, OVERLAP_FRAMES + 1)]
    assert motion[STEP_FRAMES : STEP_FRAMES + OVERLAP_FRAMES].tolist() == pytest.approx(fade)
    assert prefixes == [[-1.0] * 8, [0.0] * 8, [1.0] * 8]


class TestMotion:
    def test_a_performance_is_what_is_generated_and_follows_its_seed(
        self, model: GestureModel, spoken: np.ndarray
    ) -> None:
        motions = [model.generate(spoken, seed=seed).points for seed in (0, 0, 1)]
        assert motions[0].shape == (100, len(KEPT), 2)
        assert torch.equal(motions[0], motions[1]) and not torch.equal(motions[0], motions[2])
        streamed = torch.cat(list(model.begin(spoken).motion()))
        assert torch.equal(streamed, motions[0])

    def test_it_begins_where_the_speaker_rests(self, model: GestureModel, spoken: np.ndarray) -> None:
        for number, name in enumerate(model.speakers):
            first = model.generate(spoken, speaker=name).points[0]
            # A frame after it: what its tokens miss of the one before is added.
            assert (first - model.rest).abs().mean((1, 2)).argmin() == number
            assert (first - model.rest[number]).abs().max() < 0.1

    def test_tokens_are_of_every_four_frames(self, model: GestureModel, spoken: np.ndarray) -> None:
        tokens = model.generate(spoken[: 3 * SAMPLE_RATE_HZ + 1]).tokens()
        assert {stream: codes.shape[0] for stream, codes in tokens.items()} == {"face": 19, "body": 19}

    def test_steps_are_those_asked_for(self, model: GestureModel, spoken: np.ndarray) -> None:
        assert model.begin(spoken, steps=2).inference.decode.steps == 2  # type: ignore[union-attr]
        with pytest.raises(InputError, match="expected steps >= 1"):
            model.begin(spoken, steps=0)

    def test_steps_that_a_generator_does_not_take_are_refused(
        self, finished: Path, spoken: np.ndarray
    ) -> None:
        baseline = rgx.load("little:3b/baseline", GestureModel, store=finished, device="cpu")
        with pytest.raises(InputError, match="generator/regression takes no number of steps"):
            baseline.begin(spoken, steps=3)
        with pytest.raises(InputError, match="it has no tokens"):
            baseline.generate(spoken).tokens()


class Tinted(Animator):
    """Shows the source, and with it how far to the right the pose is."""

    driven_by_pose = True

    def losses(self, *_: Any) -> dict[str, Tensor]:  # type: ignore[override]
        return {}

    def begin(self, picture: Tensor, pose: Tensor, valid: Tensor) -> Tensor:
        return picture

    def control(self, picture: Tensor | None, pose: Tensor, valid: Tensor) -> Control:
        return Control(pose[:, None], valid[:, None], (pose, valid))

    def animate(self, source: Tensor, control: Control) -> Animated:
        assert control.pose is not None and control.pose[1].all()
        shown = source * control.pose[0].mean((1, 2)).clamp(0.2, 1)[:, None, None, None]
        return Animated(shown, shown[:, :1])


def person(x: float = 16.0, size_px: int = 32) -> np.ndarray:
    """A person whose 133 points are all seen, shoulders 8 px wide."""
    points = np.tile(np.array([[x, 12.0, 1.0]], np.float32), (POINTS, 1))
    points[5, 0], points[6, 0] = x + 4, x - 4
    return points


@pytest.fixture
def portrait(tmp_path: Path) -> tuple[Path, Path]:
    Image.new("RGB", (32, 32), (200, 100, 50)).save(tmp_path / "p.png")
    write_own_npz(tmp_path / "p.npz", person()[None], 32, 32)
    return tmp_path / "p.png", tmp_path / "p.npz"


class TestPortrait:
    def test_its_points_are_placed_where_they_were(self) -> None:
        shown = portrait_of(np.zeros((32, 32, 3), np.uint8), person(), "here")
        pose = shown.place(shown.points)
        assert ((pose + 1) * 16).numpy() == pytest.approx(person()[list(KEPT), :2], abs=1e-4)
        assert shown.valid.all() and shown.scale == pytest.approx(0.5)

    def test_it_is_what_moves(
        self, model: GestureModel, spoken: np.ndarray, portrait: tuple[Path, Path]
    ) -> None:
        shown = read_portrait(*portrait)
        with pytest.raises(InputError, match="no animator, so no picture moves"):
            next(model.begin(spoken, portrait=shown).pictures())
        frames = list(film_of(model, spoken, shown))
        assert len(frames) == 100 and {frame.shape for frame in frames} == {(32, 32, 3)}
        ratios = [frame[0, 0] / np.array([200, 100, 50]) for frame in frames]
        assert all(np.ptp(ratio) < 0.05 for ratio in ratios)

    def test_what_it_does_not_show_is_as_the_speaker_rests(self, model: GestureModel) -> None:
        points = person()
        points[91:112, 2] = 0
        shown = portrait_of(np.zeros((32, 32, 3), np.uint8), points, "here")
        start, valid = model.start(shown, 1)
        raw = start * model.normal.motion_std + model.normal.motion_mean
        hand = [KEPT.index(point) for point in range(91, 112)]
        assert not valid[hand].any() and torch.allclose(raw[hand], model.rest[1][hand], atol=1e-5)

    @pytest.mark.parametrize(
        ("people", "message"),
        [
            ([], "nobody in the portrait, expected one person"),
            ([person(8.0), person(24.0)], "2 people in the portrait, expected one person"),
        ],
    )
    def test_nobody_and_two_people_are_refused(
        self, portrait: tuple[Path, Path], tmp_path: Path, people: list[np.ndarray], message: str
    ) -> None:
        source = tmp_path / "people.py"
        listed = [points.tolist() for points in people]
        source.write_text(FINDER.format(people=listed))
        with pytest.raises(InputError, match=message), pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            read_portrait(portrait[0], poses=f"those_{len(people)}", imports=["people"])

    def test_a_picture_that_is_not_square_or_none_is_refused(self, tmp_path: Path) -> None:
        Image.new("RGB", (32, 24)).save(tmp_path / "wide.png")
        with pytest.raises(InputError, match="a picture of 32×24 px, expected a square one"):
            read_portrait(tmp_path / "wide.png")
        (tmp_path / "text.png").write_text("no picture")
        with pytest.raises(InputError, match="unreadable as a picture"):
            read_portrait(tmp_path / "text.png")

    def test_unseen_shoulders_and_tracks_are_refused(self, portrait: tuple[Path, Path]) -> None:
        points = person()
        points[5, 2] = 0
        write_own_npz(portrait[1], points[None], 32, 32)
        with pytest.raises(InputError, match="expected a picture of the upper body"):
            read_portrait(*portrait)
        write_own_npz(portrait[1], np.stack([person()] * 3), 32, 32)
        with pytest.raises(InputError, match="keypoints of 3 pictures, expected one picture's"):
            read_portrait(*portrait)


def film_of(model: GestureModel, spoken: np.ndarray, shown: Portrait) -> Iterator[np.ndarray]:
    """Yield the film of a portrait by a model that is given an animator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "renderer", Renderer(Tinted(), None, "cpu"))
        patch.setattr(model, "size_px", 32)
        yield from model.begin(spoken, portrait=shown).pictures()


FINDER = """
import numpy as np
from rgx import register
from rgx.gesture.poses.base import Extractor

PEOPLE = np.array({people}, np.float32).reshape(-1, 133, 3)


@register("poses", f"those_{{len(PEOPLE)}}")
class Those(Extractor):
    def track(self, frames):
        for frame in frames:
            yield PEOPLE
"""


class TestCommand:
    def test_keypoints_are_what_other_commands_read(
        self, model: GestureModel, model_folder: Path, spoken: np.ndarray, tmp_path: Path
    ) -> None:
        wavfile.write(tmp_path / "a.wav", SAMPLE_RATE_HZ, spoken)
        out = tmp_path / "a.npz"
        told = [
            "--speech",
            str(tmp_path / "a.wav"),
            "--out",
            str(out),
            "--speaker",
            "puppet_b",
            "--seed",
            "4",
        ]
        assert command("generate", "--model", str(model_folder), *told) == 0
        people = read_keypoints(out, 256, 256)[:, 0]
        performance = model.begin(tmp_path / "a.wav", "puppet_b", seed=4)
        poses = torch.cat(list(performance.poses()))
        assert people[:, list(KEPT), :2] == pytest.approx(((poses + 1) * 128).numpy(), abs=1e-4)
        assert people[..., 2].sum(1).tolist() == [len(KEPT)] * 100
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "a.wav"]

    def test_a_film_has_its_frames_and_its_speech(
        self, model_folder: Path, spoken: np.ndarray, tmp_path: Path
    ) -> None:
        wavfile.write(tmp_path / "a.wav", SAMPLE_RATE_HZ, spoken[: SAMPLE_RATE_HZ * 2])
        out = tmp_path / "a.mp4"
        told = ["--speech", str(tmp_path / "a.wav"), "--out", str(out), "--steps", "1"]
        assert command("generate", "--model", str(model_folder), *told) == 0
        with av.open(str(out)) as film:
            frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert len(frames) == 50 and frames[0].shape == (256, 256, 3) and frames[0].max() > 150
        sound = np.concatenate(list(open_sound(out).blocks()))[: len(spoken) // 2]
        assert np.corrcoef(sound, spoken[: len(sound)])[0, 1] > 0.8
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "a.wav"]

    @pytest.mark.parametrize(
        ("content", "options", "message"),
        [
            (np.zeros(32_000, np.float32), [], "silence from beginning to end"),
            ("spoken", ["--length", "0.2"], "0.20 s of sound, expected at least 0.5 s of speech"),
            ("nan", [], "a sample that is no finite number at 1."),
            ("text", [], "unreadable as sound"),
            (None, [], "no such file; expected speech"),
            (
                "spoken",
                ["--speaker", "puppet_c"],
                "no speaker 'puppet_c' in this model: did you mean 'puppet_",
            ),
            ("spoken", ["--out", "a.avi"], "files of '.avi': choose one of: .mp4, .npz"),
            ("spoken", ["--out", "nowhere/a.mp4"], "there is no folder"),
            ("spoken", ["--portrait-keypoints", "p.npz"], "expected --portrait with it"),
        ],
        ids=["silence", "0.2 s", "NaN", "text", "absent", "speaker", "suffix", "folder", "keypoints"],
    )
    def test_what_is_wrong_is_one_line_and_leaves_nothing(
        self, model_folder: Path, spoken: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str],
        content: Any, options: list[str], message: str,
    ) -> None:  # fmt: skip
        speech, out = tmp_path / "a.wav", str(tmp_path / "a.npz")
        if options[:1] == ["--length"]:
            content, options = spoken[: round(float(options[1]) * SAMPLE_RATE_HZ)], []
        if options[:1] == ["--out"]:
            out, options = str(tmp_path / options[1]), []
        if isinstance(content, str) and content == "text":
            speech.write_text("This is no sound. " * 50)
        elif content is not None:
            samples = spoken.copy() if isinstance(content, str) else content
            samples[20_000 if isinstance(content, str) and content == "nan" else len(samples) :][:1] = np.nan
            wavfile.write(speech, SAMPLE_RATE_HZ, samples)
        before = sorted(tmp_path.iterdir())
        told = ["--speech", str(speech), "--out", out, *options]
        assert command("generate", "--model", str(model_folder), *told) == 2
        errors = capsys.readouterr().err.splitlines()
        assert len(errors) == 1 and errors[0].startswith("error: ") and message in errors[0]
        assert sorted(tmp_path.iterdir()) == before

    def test_a_film_that_breaks_off_leaves_nothing(self, spoken: np.ndarray, tmp_path: Path) -> None:
        def frames() -> Iterator[np.ndarray]:
            yield np.zeros((32, 32, 3), np.uint8)
            raise InputError("no more")

        with pytest.raises(InputError, match="no more"):
            write_mp4(tmp_path / "a.mp4", frames(), open_sound(spoken).by_frame())
        assert not list(tmp_path.iterdir())


def test_speech_in_pieces_is_written_as_speech_in_one(spoken: np.ndarray, tmp_path: Path) -> None:
    frames = [np.full((32, 32, 3), shade, np.uint8) for shade in range(20)]
    write_mp4(tmp_path / "one.mp4", frames, spoken)
    write_mp4(tmp_path / "pieces.mp4", frames, open_sound(spoken).by_frame())
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "pieces.mp4").read_bytes()
