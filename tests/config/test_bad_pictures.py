"""What the image half refuses before anything runs: one message, exit 2, no store."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

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
    monkeypatch.setattr("rgx.sweep.run.ENGINES", {"inline": run, "ray": run})

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
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return (Path("evil_ran").write_text, ("x",))


def test_weights_that_are_something_else(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    bind = f"perceptual.vgg19.weights = '{path}'"
    path.write_bytes(pickle.dumps(Evil()))
    assert "weights.pth" in refused(GOOD, *VGG, bind)
    assert not (ROOT / "evil_ran").exists()
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    assert "features.0.bias" in refused(GOOD, *VGG, bind)
    path.write_text("not weights")
    assert "weights.pth" in refused(GOOD, *VGG, bind)


def test_a_metric_without_its_weights_names_its_stand_in(refused: Refused) -> None:
    bind = "stage.reconstruction_scores.metrics = [@metric.reconstruction_lpips()]"
    assert "reconstruction_lpips_random" in refused(GOOD, "--bind", bind)


def write_corpus(folder: Path, width: int, height: int) -> None:
    """Leave a corpus of two clips whose pictures are not square."""
    (folder / "clips").mkdir(parents=True)
    (folder / "landmarks").mkdir()
    (folder / "index.csv").write_text("clip,speaker,split\na,one,train\nb,one,test\n")
    rng = np.random.default_rng(0)
    for name in "ab":
        with av.open(str(folder / "clips" / f"{name}.mp4"), "w") as container:
            video = container.add_stream("libx264", rate=25)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            audio = container.add_stream("aac", rate=16000, layout="mono")
            for _ in range(90):
                frame = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24")
                container.mux(video.encode(frame))
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 57600), np.float32), "flt", "mono")
            sound.sample_rate = 16000
            container.mux(audio.encode(sound))
            container.mux([*video.encode(None), *audio.encode(None)])
        pose = rng.uniform(0.3, 0.7, (90, 33, 3))
        pose[..., 2] = 1
        np.savez(
            folder / "landmarks" / f"{name}.npz",
            pose=pose,
            face=rng.uniform(0.3, 0.7, (90, 468, 2)),
            left_hand=rng.uniform(0.3, 0.7, (90, 21, 2)),
            right_hand=rng.uniform(0.3, 0.7, (90, 21, 2)),
        )


def test_pictures_that_are_not_square(refused: Refused, tmp_path: Path) -> None:
    write_corpus(tmp_path / "wide", 96, 64)
    bind = f"corpus.videos.folder = '{tmp_path / 'wide'}'"
    told = refused(GOOD, "--set", "corpus=videos", "--bind", bind)
    assert "a.mp4" in told and "b.mp4" in told and "square" in told


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
