"""The stages of a system without poses: what they read, and that they leave what stage `video` leaves."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from roster import load_roster
from safetensors.torch import save_file

from rgx.errors import InputError
from rgx.gesture.data.picture_file import NAME, PictureWriter
from rgx.gesture.data.picture_pairs import PictureSpan
from rgx.gesture.data.pixel_windows import PixelWindows
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.generate.samplers import DDIM, Euler
from rgx.gesture.stages.pixel_generator import PixelsStage
from rgx.gesture.stages.pixel_video import PixelVideoStage
from rgx.gesture.stages.pixel_video_scores import PixelVideoScoresStage
from rgx.gesture.types import SAMPLES_PER_FRAME, CorpusFacts, PictureFacts, WindowFacts
from rgx.registry import Recipe, find, make
from rgx.store.workspace import Inputs, Workspace
from rgx.train.optimiser import AdamW

load_roster()
SIZE, SMALL = 8, 4
CLIPS = (("train", 101), ("test", 170), ("test", 90), ("dev", 85))
FACTS = CorpusFacts(("a",), {"train": 1, "test": 2, "dev": 1}, "f", frames={"test": (170, 90)})


def recipe(name: str = "coupled_unet") -> Recipe[Any]:
    small = {
        "size_px": SMALL,
        "every": 20,
        "width": 4,
        "multiples": (1, 1, 1),
        "blocks": 1,
        "windows": (1, 2),
    }
    variant = find("pixels", name)
    built = make(variant, {**variant.parameters, **small, "heads": 1, "dropout": 0.0})
    assert isinstance(built, Recipe)
    return built


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of noise, seen and heard, as its stages leave it."""
    home, random = tmp_path_factory.mktemp("pixels"), np.random.default_rng(0)
    spans, start = [], 0
    for number, (split, frames) in enumerate(CLIPS):
        spans.append(PictureSpan(f"clip{number}", 0, split, start, frames, (0.0, 0.0), 1.0))
        start += frames
    for name in ("corpus", "frames"):
        (home / name).mkdir()
    with PictureWriter(home / "frames" / NAME) as file:
        file.add(random.integers(0, 256, (start, SIZE, SIZE, 3), np.uint8))
    pose, valid = torch.zeros(start, 123, 2), torch.ones(start, 123, dtype=torch.bool)
    save_file(
        {"pose": pose, "valid": valid, "ends": torch.tensor(file.ends)}, home / "frames/arrays.safetensors"
    )
    about = {"spans": [asdict(span) for span in spans], "size_px": SIZE}
    (home / "frames" / "about.json").write_text(json.dumps(about))
    waveform = torch.from_numpy(random.standard_normal(start * SAMPLES_PER_FRAME).astype(np.float32))
    save_file({"waveform": waveform}, home / "corpus" / "arrays.safetensors")
    return home


def inputs_of(home: Path, **more: Any) -> Inputs:
    folders = {path.name: path for path in home.iterdir()}
    return Inputs({"frames": PictureFacts(SIZE, FACTS), "corpus": FACTS, **more}, folders)


def place(folder: Path) -> Workspace:
    return Workspace(folder, "cpu", lambda said: None)


def test_a_window_is_its_pictures_in_even_steps_from_the_source_picture_and_all_it_sounds(home: Path) -> None:
    inputs = inputs_of(home)
    pictures, waveform = load_pictures(inputs, "cpu"), inputs.arrays("corpus")["waveform"]
    windows = PixelWindows(pictures, waveform, "test", SMALL, 20)
    assert windows.starts.tolist() == [102, 112, 122, 132, 142, 152, 162, 172, 182, 272]
    batch = windows.batch(torch.tensor([2, 9]))
    for row, start in enumerate((122, 272)):
        shown = pictures.frames[np.array([start - 1, *range(start + 19, start + 80, 20)])]
        means = shown.reshape(5, SMALL, 2, SMALL, 2, 3).mean((2, 4)) / 127.5 - 1
        expected = torch.from_numpy(means).permute(3, 0, 1, 2).float()
        assert torch.allclose(batch.source[row], expected[:, 0], atol=1e-5)
        assert torch.allclose(batch.video[row], expected[:, 1:], atol=1e-5)
        assert torch.equal(batch.sound[row], waveform[start * 640 : start * 640 + 51_200])
    assert windows.spread(3).tolist() == [0, 4, 9] and len(windows.spread(99)) == 10
    assert len(PixelWindows(pictures, waveform, "other", SMALL, 20).spread(4)) == 0


def test_what_is_trained_makes_what_stage_video_leaves_whatever_the_batch(home: Path, tmp_path: Path) -> None:
    training = AdamW(steps=2, batch=2, learning_rate=1e-3, average=0.9, validate_every=1.0)
    stage = PixelsStage(recipe(), training)
    inputs, facts = inputs_of(home), {"corpus": FACTS, "frames": PictureFacts(SIZE, FACTS)}
    torch.manual_seed(0)
    network = stage.build(facts)
    outputs = stage.run(inputs, place(tmp_path / "pixels"), network)
    assert outputs["parameters"] > 1000 and outputs["dev_loss"] > 0
    assert (tmp_path / "pixels" / "network.safetensors").is_file()
    frames = []
    for size in (1, 3):
        video = PixelVideoStage(recipe(), DDIM(2), windows_per_clip=2, batch=size, shown=1)
        torch.manual_seed(1)
        folder = tmp_path / f"video{size}"
        built = video.build(facts)
        assert built == WindowFacts("test", 3)
        video.run(inputs_of(home, pixels=network.eval()), place(folder), built)
        frames.append(np.load(folder / "frames.npy"))
    assert frames[0].shape == (3, 80, SIZE, SIZE, 3) and frames[0].dtype == np.uint8
    assert np.abs(frames[0].astype(int) - frames[1]).max() <= 1
    about = json.loads((folder / "about.json").read_text())
    assert about["starts"] == [102, 182, 272] and about["notes"] == [
        "made at 4 px and 1.25 Hz without a pose, and enlarged"
    ]
    assert sorted(path.name for path in folder.glob("*.mp4")) == [
        *("0000.mp4", "0000_beside.mp4", "0001.mp4", "0002.mp4")
    ]
    folders = {"frames": home / "frames", "pixel_video": folder}
    scored = Inputs({"frames": PictureFacts(SIZE, FACTS)}, folders)
    metrics = (make(find("metric", "video_sharpness"), {}),)
    scores = PixelVideoScoresStage(metrics).run(scored, place(tmp_path / "scores"), None)
    assert scores["windows"] == 3 and scores["notes"] == about["notes"]
    assert isinstance(scores["scores"]["video_sharpness"], float)


def test_what_does_not_fit_is_refused() -> None:
    silent = CorpusFacts(("a",), {"train": 1}, "f", heard="log_mel")
    with pytest.raises(InputError, match="hears the waveform; the corpus holds speech as log_mel"):
        PixelsStage(recipe(), AdamW()).build({"corpus": silent, "frames": PictureFacts(SIZE, silent)})
    with pytest.raises(
        InputError, match="coupled_unet cannot use this sampler; choose sampler: ancestral or ddim"
    ):
        PixelVideoStage(recipe(), Euler())
    with pytest.raises(InputError, match="always hears the speech.*expected sampler.guidance = 1, found 2.0"):
        PixelVideoStage(recipe(), DDIM(guidance=2.0))
    with pytest.raises(InputError, match="windows_per_clip and batch from 1"):
        PixelVideoStage(recipe(), windows_per_clip=0)
