"""Before anything runs, all that a sweep wants from outside and does not find is told at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
import yaml
from test_videos import index, make_landmarks, make_video
from torch import nn
from weight_files import alexnet_state, dover_shapes, empty, hollow, i3d_shapes, vgg19_state

from rgx.cli import main
from rgx.report.sweeps import check

ROOT = Path(__file__).resolve().parents[2]
PAPER = str(ROOT / "sweeps" / "paper_table3.yaml")
RTMPOSE = "rtmpose-l_simcc-coco-wholebody_pt-aic-coco_270e-256x192-6f206314_20230124.pth"
RTMDET = "rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e.pth"
ABSENT = {
    "corpus.videos.folder = 'data/pats25'": "https://chahuja.com/pats",
    "split.s2g.file = 'data/filtered_intervals.json'": "https://github.com/thuhcsi/S2G-MDDiffusion",
    "speech.wavlm.model = './weights/wavlm-large'": "https://huggingface.co/microsoft/wavlm-large",
    "perceptual.vgg19.weights = 'weights/vgg19-dcbb9e9d.pth'": "models/vgg19-dcbb9e9d.pth",
    "metric.reconstruction_fvd.network = 'weights/i3d_torchscript.pt'": "i3d_torchscript.pt, named by",
    "metric.video_fvd.network = 'weights/i3d_torchscript.pt'": "i3d_torchscript.pt, named by",
    "metric.reconstruction_lpips.backbone = 'weights/alexnet-owt-7be5be79.pth'": "alexnet-owt-7be5be79.pth",
    f"poses.mmpose.checkpoint = 'weights/{RTMPOSE}'": f"rtmposev1/{RTMPOSE} (licence: Apache-2.0)",
    f"poses.mmpose.detector_checkpoint = 'weights/{RTMDET}'": f"rtmpose/{RTMDET} (licence: Apache-2.0)",
    "metric.video_dover_aesthetic.network = 'weights/DOVER.pth'": "DOVER/releases/download/v0.1.0/DOVER.pth",
    "metric.video_dover_technical.network = 'weights/DOVER.pth'": "S-Lab License 1.0, not for commerce",
    "metric.video_dover_aesthetic_raw.network = 'weights/DOVER.pth'": "about 240 MB",
    "metric.video_dover_technical_raw.network = 'weights/DOVER.pth'": "SHA-256 begins with f4a42c0b",
}
"""What the paper's configuration binds, and a piece of where people get it."""


def ran(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run a command in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["rgx", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
        raise SystemExit(0)
    return int(stop.value.code or 0)


def test_all_that_the_papers_configuration_lacks_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ran(monkeypatch, "plan", PAPER) == 2
    told = capsys.readouterr().err.replace("error: ", "")
    assert told.startswith("8 of the files from outside cannot be read, and nothing is fetched for you:\n")
    lines = told.splitlines()
    for bound, whence in ABSENT.items():
        assert [line for line in lines if line.startswith("gin/paper.gin:") and line.endswith(bound)], bound
        assert whence in told
    (place,) = (n for n, line in enumerate(lines) if "perceptual.vgg19.weights" in line)
    assert lines[place].startswith("gin/paper.gin:")
    assert lines[place + 1 : place + 5] == [
        "    weights/vgg19-dcbb9e9d.pth: expected a file of pretrained weights, found no such file",
        "    VGG-19 trained on ImageNet: torchvision's state dict, .pth or .safetensors, of which "
        "`features.*` is read; 548 MiB; SHA-256 begins with dcbb9e9d",
        "    from https://download.pytorch.org/models/vgg19-dcbb9e9d.pth (licence: BSD-3-Clause)",
        "    needed by 3a/Unsup-kp and 7 more",
    ]
    assert told.count("licence") == 9 and told.count("needed by") == 8
    assert not list(tmp_path.iterdir()), "nothing is fetched or made"


class I3D(nn.Module):
    """Called as the published file is."""

    def forward(
        self, x: torch.Tensor, rescale: bool = True, resize: bool = True, return_features: bool = False
    ) -> torch.Tensor:
        return x.new_zeros(1, 400)


def published(folder: Path) -> None:
    """Lay small files in the published layouts where the paper's configuration looks for them."""
    corpus, weights = folder / "data" / "pats25", folder / "weights"
    for place in (corpus / "clips", corpus / "landmarks", weights / "wavlm-large"):
        place.mkdir(parents=True)
    for clip in ("oliver1", "oliver2"):
        make_video(corpus / "clips" / f"{clip}.mp4")
        make_landmarks(corpus / "landmarks" / f"{clip}.npz")
    rows = (f"oliver{n},oliver,dev,oliver{n},talk" for n in (1, 2))
    index(corpus, *rows, head="clip,speaker,split,interval,video")
    (folder / "data/filtered_intervals.json").write_text(json.dumps({"train": [1], "test": [2]}))
    (weights / "wavlm-large/config.json").write_text("{}")
    (weights / "wavlm-large/pytorch_model.bin").write_bytes(b"weights")
    torch.save(hollow(vgg19_state()), weights / "vgg19-dcbb9e9d.pth")
    torch.save(hollow(alexnet_state()), weights / "alexnet-owt-7be5be79.pth")
    torch.jit.save(torch.jit.script(I3D()), weights / "i3d_torchscript.pt")
    torch.save(empty(dover_shapes()), weights / "DOVER.pth")
    for name in (RTMPOSE, RTMDET):
        (weights / name).write_bytes(b"weights")


def test_with_files_in_the_published_layouts_the_paper_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    published(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert ran(monkeypatch, "plan", PAPER, "--json") == 0, capsys.readouterr().err
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["rows"]) == 24
    # Of I3D's two files the other is as good.
    torch.save(empty(i3d_shapes()), tmp_path / "weights/i3d_torchscript.pt")
    assert ran(monkeypatch, "plan", PAPER, "--only", "3d/+ heatmap") == 0, capsys.readouterr().err
    # One that was there and is another file is told with the rest.
    (tmp_path / "weights/vgg19-dcbb9e9d.pth").write_text("an error page")
    (tmp_path / "weights/DOVER.pth").unlink()
    assert ran(monkeypatch, "plan", PAPER, "--only", "3d/+ heatmap") == 2
    told = capsys.readouterr().err
    assert "2 of the files from outside" in told
    assert "vgg19-dcbb9e9d.pth: expected plain tensors" in told
    assert "DOVER.pth: expected a file of pretrained weights, found no such file" in told


def test_the_papers_report_is_of_its_sweep() -> None:
    check(ROOT / "reports" / "paper_table3.yaml", None)
    columns = (ROOT / "reports" / "paper_table3.yaml").read_text()
    assert "_random" not in columns and "video_fvd" in columns


def test_the_papers_rows_are_those_of_the_shipped_table() -> None:
    paper, shipped = (
        yaml.safe_load((ROOT / f"sweeps/{name}.yaml").read_text())
        for name in ("paper_table3", "ablation_table3")
    )
    for panel, rows in paper["panels"].items():
        assert {name: shipped["panels"][panel][name] for name in rows} == rows
    published = yaml.safe_load((ROOT / "reports/published/table3.yaml").read_text())["panels"]
    assert {p: list(rows) for p, rows in paper["panels"].items()} == {
        p: list(published[p]["rows"]) for p in published
    }


OWN = '''\
from typing import Annotated

import rgx
from rgx.gesture.generate.mask_ratio import MaskRatio
from rgx.registry import Outside, Place

TABLE = Outside("a table of ratios", "one number a line", "https://example.org/ratios", "CC0-1.0", "1 kB")


@rgx.register("mask_ratio", "listed", label="Listed")
class Listed(MaskRatio):
    """Ratios from a file."""

    def __init__(self, table: Annotated[Place, TABLE] = "ratios.txt") -> None:
        self.table = table

    def draw(self, count):
        raise NotImplementedError
'''
SWEEP = """\
name: own
config: [gin/realistic_gesture.gin]
scale: tiny
targets: {p: [generator]}
panels:
  p:
    listed: {mask_ratio: listed}
    usual: {}
"""


WRONG = """\
name: wrong
config: [gin/realistic_gesture.gin]
scale: tiny
targets: {p: [animator]}
panels:
  p:
    lacks: {perceptual: {vgg19: {weights: absent.pth}}}
    wrong: {refiner: unet}
"""


def test_a_variant_of_ones_own_says_where_its_file_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "own.yaml").write_text(SWEEP)
    monkeypatch.chdir(tmp_path)
    assert ran(monkeypatch, "variants", "mask_ratio", "--import", "own.py") == 0
    whence = (
        "a table of ratios: one number a line; 1 kB",
        "from https://example.org/ratios (licence: CC0-1.0)",
    )
    assert f"table: {' '.join(whence)}" in capsys.readouterr().out
    asked = ("plan", str(tmp_path / "own.yaml"), "--import", "own.py")
    assert ran(monkeypatch, *asked) == 2
    told = capsys.readouterr().err.replace("error: ", "").splitlines()
    assert told[1:] == [
        "mask_ratio.listed.table = 'ratios.txt' (its default)",
        "    ratios.txt: no such file or folder",
        *(f"    {line}" for line in whence),
        "    needed by p/listed",
    ]
    assert ran(monkeypatch, *asked, "--bind", "judge/training.adamw.steps = 0", "--only", "p/listed") == 2
    (tmp_path / "ratios.txt").write_text("0.5\n")
    assert ran(monkeypatch, *asked) == 0


def test_what_else_is_wrong_with_a_row_is_told_beside_what_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.yaml").write_text(WRONG)
    assert ran(monkeypatch, "plan", "wrong.yaml") == 2
    told = capsys.readouterr().err
    assert "perceptual.vgg19.weights = 'absent.pth'" in told and "needed by p/lacks" in told
    assert "p/wrong" in told and "nothing in this cell reads" in told
