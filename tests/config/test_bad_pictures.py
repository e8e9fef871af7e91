"""What the image half refuses before anything runs: one message, exit 2, no store."""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from jpeg_video import write_jpegs
from weight_files import alexnet_state, hollow, linear_state, vgg19_state

from rgx.cli import main

ROOT = Path(__file__).resolve().parents[2]
HEAD = "name: bad\nconfig: [gin/realistic_gesture.gin]\nscale: tiny\n"
TARGETS = "targets:\n  p: [reconstruction_scores]\n"
GOOD = HEAD + TARGETS + "panels:\n  p:\n    row: {}\n"
Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    monkeypatch.chdir(ROOT)
    run = lambda *given: pytest.fail("the sweep was not refused")  # noqa: E731
    monkeypatch.setattr("rgx.run.invocation.ENGINES", {"inline": run, "ray": run})

    def run(text: str, *options: str) -> str:
        (tmp_path / "bad.yaml").write_text(text)
        arguments = ["sweep", str(tmp_path / "bad.yaml"), "--store", str(tmp_path / "store"), *options]
        monkeypatch.setattr(sys, "argv", ["rgx", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        told = capsys.readouterr().err
        assert stop.value.code == 2, told
        assert "Traceback" not in told and told.startswith("error: ")
        assert not (tmp_path / "store").exists()
        return told

    return run


def test_targets(refused: Refused) -> None:
    told = refused(GOOD.replace("p: [recon", "q: [recon"))
    assert "bad.yaml:5: targets: no panel 'q'" in told
    told = refused(GOOD.replace("[reconstruction_scores]", "[reconstruction_score]"))
    assert "bad.yaml:5" in told and "did you mean 'reconstruction_scores'" in told
    assert "bad.yaml:5" in refused(GOOD.replace("[reconstruction_scores]", "[]"))
    told = refused(GOOD.replace("p: [recon", "p/raw: [recon"))
    assert "bad.yaml:5: targets: no row 'p/raw'; did you mean 'p/row'?" in told.replace(": did", "; did")


@pytest.mark.parametrize("size", ["0", "100"])
def test_size(refused: Refused, size: str) -> None:
    told = refused(GOOD, "--bind", f"stage.frames.size_px = {size}")
    assert f"stage.frames.size_px = {size}: expected a multiple of 32" in told


def test_a_binding_of_the_image_half_in_a_row_of_the_motion_half(refused: Refused) -> None:
    told = refused(GOOD.replace(TARGETS, "").replace("row: {}", "row: {refiner: unet}"))
    assert "bad.yaml" in told and "nothing in this cell reads" in told


VGG = ("--bind", "PERCEPTUAL = @perceptual.vgg19()", "--bind")


def test_weights_that_are_not_there(refused: Refused) -> None:
    told = refused(GOOD, *VGG[:2])
    assert "perceptual.vgg19.weights" in told and "random_features" in told
    assert "absent.pth" in refused(GOOD, *VGG, "perceptual.vgg19.weights = 'absent.pth'")


class Evil:
    """What unpickling would run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return (Path.touch, (self.mark,))


PLACES = {
    "perceptual.vgg19.weights": ("PERCEPTUAL = @perceptual.vgg19()", "reconstruction_scores"),
    "metric.reconstruction_lpips.backbone": (
        "stage.reconstruction_scores.metrics = [@metric.reconstruction_lpips()]",
        "reconstruction_scores",
    ),
    "metric.reconstruction_lpips.linear": (
        "stage.reconstruction_scores.metrics = [@metric.reconstruction_lpips()]",
        "reconstruction_scores",
    ),
    "metric.reconstruction_fvd.network": (
        "stage.reconstruction_scores.metrics = [@metric.reconstruction_fvd()]",
        "reconstruction_scores",
    ),
    "metric.video_fvd.network": ("stage.video_scores.metrics = [@metric.video_fvd()]", "video_scores"),
    "metric.video_dover_aesthetic.network": (
        "stage.video_scores.metrics = [@metric.video_dover_aesthetic()]",
        "video_scores",
    ),
}
"""Where weights are bound, what reads them, and the stage that does."""


QUICK = (
    "perceptual.vgg19.weights",
    "metric.reconstruction_lpips.linear",
    "metric.reconstruction_fvd.network",
)


@pytest.mark.parametrize(
    "place", [pytest.param(place, marks=[] if place in QUICK else pytest.mark.slow) for place in PLACES]
)
def test_weights_that_are_something_else(refused: Refused, tmp_path: Path, place: str) -> None:
    path, mark = tmp_path / "weights.pth", tmp_path / "ran"
    reader, target = PLACES[place]
    binds = ["--bind", reader, "--bind", f"{place} = '{path}'"]
    if place.endswith("linear"):
        torch.save(hollow(alexnet_state()), tmp_path / "alexnet.pth")
        binds += ["--bind", f"metric.reconstruction_lpips.backbone = '{tmp_path / 'alexnet.pth'}'"]

    def told() -> str:
        said = refused(GOOD.replace("reconstruction_scores", target), *binds)
        assert said.count("weights.pth: expected") == 1, said
        return said

    def torch_pickle() -> None:
        torch.save({"features.0.weight": Evil(mark)}, path)

    for write in (torch_pickle, lambda: path.write_bytes(pickle.dumps(Evil(mark)))):
        write()
        told()
        assert not mark.exists()
    path.write_text("not weights")
    told()
    path.write_bytes(b"")
    told()
    path.unlink()
    assert "found no such file" in told()
    path.mkdir()
    assert "found a folder" in told()


@pytest.mark.parametrize("place", list(PLACES)[:3])
def test_weights_of_another_shape(refused: Refused, tmp_path: Path, place: str) -> None:
    files = {"vgg19": vgg19_state, "alexnet": alexnet_state, "linear": linear_state}
    name, key, wrong = {
        "weights": ("vgg19", "features.10.weight", (256, 128, 5, 5)),
        "backbone": ("alexnet", "features.0.weight", (64, 3, 3, 3)),
        "linear": ("linear", "lin4.model.1.weight", (1, 512, 1, 1)),
    }[place.rsplit(".", 1)[1]]
    torch.save(hollow(files[name]() | {key: torch.zeros(wrong)}), tmp_path / f"{name}.pth")
    binds = ["--bind", PLACES[place][0], "--bind", f"{place} = '{tmp_path / name}.pth'"]
    if name == "linear":
        torch.save(hollow(alexnet_state()), tmp_path / "alexnet.pth")
        binds += ["--bind", f"metric.reconstruction_lpips.backbone = '{tmp_path / 'alexnet.pth'}'"]
    assert f"{name}.pth: '{key}' has shape {wrong}, expected (" in refused(GOOD, *binds)


def test_a_metric_without_its_weights_names_its_stand_in(refused: Refused) -> None:
    bind = "stage.reconstruction_scores.metrics = [@metric.reconstruction_lpips()]"
    assert "reconstruction_lpips_random" in refused(GOOD, "--bind", bind)


def write_corpus(folder: Path, width: int, height: int, frames: int = 90, place: float = 1.0) -> None:
    """Leave a corpus of two clips, black and silent. place: what the points are multiplied by."""
    (folder / "clips").mkdir(parents=True)
    (folder / "landmarks").mkdir()
    (folder / "index.csv").write_text("clip,speaker,split\na,one,train\nb,one,test\n")
    rng = np.random.default_rng(0)
    for name in "ab":
        with av.open(str(folder / "clips" / f"{name}.mp4"), "w") as container:
            video = container.add_stream("libx264", rate=25)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            audio = container.add_stream("aac", rate=16000, layout="mono")
            for _ in range(frames):
                frame = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24")
                container.mux(video.encode(frame))
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 640 * frames), np.float32), "flt", "mono")
            sound.sample_rate = 16000
            container.mux(audio.encode(sound))
            container.mux([*video.encode(None), *audio.encode(None)])
        shapes = {"pose": (33, 3), "face": (468, 2), "left_hand": (21, 2), "right_hand": (21, 2)}
        points = {key: place * rng.uniform(0.3, 0.7, (frames, *shape)) for key, shape in shapes.items()}
        points["pose"][..., 2] = 1
        np.savez(folder / "landmarks" / f"{name}.npz", **points)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"frames": 80}, "no clip of split 'test' has at least 81 frames"),
        ({"place": 640.0}, "b.npz: every point lies outside the picture in every frame"),
        ({"place": math.nan}, "b.npz: no point is found in any frame"),
    ],
)
def test_clips_of_no_use(refused: Refused, tmp_path: Path, made: dict[str, Any], words: str) -> None:
    write_corpus(tmp_path / "useless", 64, 64, **made)
    bind = f"corpus.videos.folder = '{tmp_path / 'useless'}'"
    assert words in refused(GOOD, "--set", "corpus=videos", "--bind", bind)


def test_pictures_that_are_not_square(refused: Refused, tmp_path: Path) -> None:
    write_corpus(tmp_path / "wide", 96, 64)
    bind = f"corpus.videos.folder = '{tmp_path / 'wide'}'"
    told = refused(GOOD, "--set", "corpus=videos", "--bind", bind)
    assert "a.mp4" in told and "b.mp4" in told and "square" in told


def test_pictures_that_change_size_within_a_file(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "changing"
    write_corpus(folder, 64, 64)
    write_jpegs(folder / "clips" / "b.mp4", *[64] * 60, *[96] * 30)
    bind = f"corpus.videos.folder = '{folder}'"
    told = refused(GOOD, "--set", "corpus=videos", "--bind", bind)
    assert "index.csv line 3" in told and "from 64×64 px to 96×96 px at 2.40 s" in told
    assert "a.mp4" not in told


@pytest.mark.parametrize("missing", ["VIDEO_ENCODER", "AUDIO_ENCODER"])
def test_a_missing_encoder(refused: Refused, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(f"rgx.gesture.video.files.{missing}", "h26x")
    told = refused(GOOD.replace("[reconstruction_scores]", "[video_scores]"))
    assert "p/row" in told and "has no encoder 'h26x'" in told


def test_a_store_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "good.yaml").write_text(GOOD)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        sys,
        "argv",
        ["rgx", "sweep", str(tmp_path / "good.yaml"), "--store", str(tmp_path / "file" / "store")],
    )
    with pytest.raises(SystemExit) as stop:
        main()
    told = capsys.readouterr().err
    assert stop.value.code == 2 and told.startswith("error: ") and "file/store" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "good.yaml"]


def test_a_report_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reports").mkdir()
    report = tmp_path / "reports" / "none.yaml"
    report.write_text("sweep: none.yaml\npanels:\n  p: {caption: P., columns: [fgd]}\n")
    (tmp_path / "store" / "sweeps").mkdir(parents=True)
    (tmp_path / "store" / "sweeps" / "none.json").write_text('{"name": "none", "seeds": [0], "rows": []}')
    (tmp_path / "file").write_text("x")
    options = ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "file" / "out")]
    monkeypatch.setattr(sys, "argv", ["rgx", "report", str(report), *options])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "cannot be written" in capsys.readouterr().err
