"""The image half end to end on a very small corpus: from keypoints to scores, videos and strips."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from little import command as rgx
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from weight_files import alexnet_state, linear_state, vgg19_state

from rgx.gesture.types import WINDOW_FRAMES
from rgx.report.formats.markdown import markdown
from rgx.report.gather import gather
from rgx.store.runs import read_run, run_names

pytestmark = pytest.mark.slow
SWEEP = """\
name: pictures
config: [gin/realistic_gesture.gin]
scale: tiny
bind:
  stage.frames.size_px: 32
  training.adamw.batch: 4
  judge/training.adamw.steps: 2
  sync_judge/training.adamw.steps: 2
  alignment/training.adamw.steps: 2
  tokenizer/training.adamw.steps: 2
  generator/training.adamw.steps: 2
  residual/training.adamw.steps: 2
  animator/training.adamw.steps: 2
  refiner/training.adamw.steps: 2
  stage.animation.windows_per_clip: 1
  stage.reconstruction.windows_per_clip: 1
  corpus.puppets.speakers: 2
  corpus.puppets.train_clips: 1
  corpus.puppets.test_clips: 1
  corpus.puppets.dev_clips: 1
  corpus.puppets.clip_s: 4.0
targets:
  3a: [reconstruction_scores]
  3d: [video_scores, reconstruction_scores]
panels:
  3a:
    Unsup-kp: {keypoints: unsupervised, refiner: none}
    2D-pose: {refiner: none}
    full-model: {}
  3b:
    +distill: {}
  3d:
    w/o refine: {refiner: none}
    + heatmap: {}
    points: {space: control_points, keypoints: unsupervised, refiner: none, quantizer: none, generator: lstm}
"""
PARTS = """\
name: parts
config: [gin/realistic_gesture.gin, gin/baselines.gin]
scale: tiny
bind:
  stage.frames.size_px: 32
  training.adamw.batch: 4
  judge/training.adamw.steps: 2
  sync_judge/training.adamw.steps: 2
  generator/training.adamw.steps: 2
  animator/training.adamw.steps: 2
  refiner/training.adamw.steps: 2
  stage.animation.windows_per_clip: 1
  corpus.puppets.speakers: 2
  corpus.puppets.train_clips: 1
  corpus.puppets.test_clips: 1
  corpus.puppets.dev_clips: 1
  corpus.puppets.clip_s: 4.0
targets:
  parts: [motion_scores, video_scores]
panels:
  parts:
    Exchanged: {quantizer: none, generator: diffusion, sampler: ddim, groups: mixed, refiner: unet}
    Still: {quantizer: none, generator: {external: SYSTEM}, animator: {external: SYSTEM}, refiner: none}
""".replace(
    "SYSTEM",
    '{command: ["{python}", "{adapter}", "{inputs}", "{outputs}"], revision: still 1, licence: MIT, '
    "adapter: examples/external/still.py}",
)
"""A generator, an animator and a refiner of different systems in one row, and a system outside rgx."""
REPORT = """\
sweep: sweeps/pictures.yaml
panels:
  3a:
    caption: Keypoints.
    columns: [reconstruction_psnr, reconstruction_fvd_lite0]
    pictures: reconstruction_scores
  3d:
    caption: Refinement.
    columns: [video_fvd_lite0, reconstruction_hand_psnr]
    pictures: video
figures:
  words: {kind: strips, panel: 3d, above: words, hands: false}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    threads = torch.get_num_threads()
    home = tmp_path_factory.mktemp("pictures")
    for folder, text in (("sweeps", SWEEP), ("reports", REPORT)):
        (home / folder).mkdir()
        (home / folder / "pictures.yaml").write_text(text)
    sweep = str(home / "sweeps" / "pictures.yaml")
    assert rgx("sweep", sweep, "--store", str(home / "store"), "--engine", "inline", "--no-report") == 0
    torch.set_num_threads(threads)
    return home


@pytest.fixture(scope="module")
def parts(home: Path) -> dict[str, dict[str, Path]]:
    """The artifacts of each row of PARTS."""
    threads = torch.get_num_threads()
    (home / "sweeps" / "parts.yaml").write_text(PARTS)
    sweep = str(home / "sweeps" / "parts.yaml")
    assert rgx("sweep", sweep, "--store", str(home / "store"), "--engine", "inline", "--no-report") == 0
    torch.set_num_threads(threads)
    return cells(home, "parts")


def cells(home: Path, sweep: str = "pictures") -> dict[str, dict[str, Path]]:
    record = read_run(home / "store", sweep).model_dump()
    return {
        f"{row['panel']}/{row['row']}": {
            stage: home / "store" / stage / key[:16] for stage, key in row["stages"].items()
        }
        for row in record["rows"]
    }


def outputs(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "manifest.json").read_text())["outputs"]
    assert isinstance(found, dict)
    return found


def test_a_panel_ends_where_its_targets_say(home: Path) -> None:
    found = cells(home)
    assert "motion" not in found["3a/full-model"] and "reconstruction_scores" in found["3a/full-model"]
    assert "frames" not in found["3b/+distill"] and "motion_scores" in found["3b/+distill"]
    assert found["3d/+ heatmap"]["motion"] == found["3b/+distill"]["motion"]
    assert found["3d/+ heatmap"]["refiner"] == found["3a/full-model"]["refiner"]
    assert found["3d/w/o refine"]["animator"] == found["3a/2D-pose"]["animator"]
    assert "refiner" not in found["3d/w/o refine"]


def test_control_points_are_generated_and_drive_what_is_shown(home: Path) -> None:
    row, landmarks = cells(home)["3d/points"], cells(home)["3d/w/o refine"]
    assert row["animator"] == cells(home)["3a/Unsup-kp"]["animator"] and "tokenizer" not in row
    found, made = (load_file(row[stage] / "arrays.safetensors") for stage in ("latents", "motion"))
    about = json.loads((row["video"] / "about.json").read_text())
    assert about["starts"] == json.loads((landmarks["video"] / "about.json").read_text())["starts"]
    starts = json.loads((row["animation"] / "about.json").read_text())["starts"]
    assert made["points"].shape[1:] == (WINDOW_FRAMES, *found["points"].shape[1:]) and "motion" not in made
    # Speech is heard from a window's first frame, which goes on from the source picture's points:
    # S2G-Diffusion's public inference leaves out 3.2 s of it.
    first = (made["points"][0, 0] - found["points"][starts[0] - 1]).abs() / found["std"]
    assert starts[0] == 1 + next(
        span["start"]
        for span in json.loads((row["corpus"] / "about.json").read_text())["spans"]
        if span["split"] == "test"
    )
    assert first.max() < 1
    drove = load_file(row["animation"] / "arrays.safetensors")
    assert torch.equal(drove["points"][0], made["points"][0]) and "pose" not in drove
    assert np.load(row["video"] / "frames.npy").shape[1:] == (WINDOW_FRAMES, 32, 32, 3)
    assert isinstance(outputs(row["video_scores"])["scores"]["video_flicker"], float)


def test_pictures_hold_the_poses_they_show(home: Path) -> None:
    folder = cells(home)["3a/2D-pose"]["frames"]
    arrays, about = load_file(folder / "arrays.safetensors"), json.loads((folder / "about.json").read_text())
    from rgx.gesture.data.lively_world import LivelyWorld
    from rgx.gesture.data.picture_file import PictureFile
    from rgx.gesture.data.puppets import Puppets

    frames = PictureFile(folder / "frames.bin", arrays["ends"].numpy(), 32)
    assert frames.shape == (600, 32, 32, 3) and len(arrays["pose"]) == 600
    puppets = Puppets(LivelyWorld(), speakers=2, train_clips=1, dev_clips=1, test_clips=1, clip_s=4.0)
    assert np.array_equal(np.concatenate([footage.frames for footage in puppets.footage(32)]), frames[:])
    clip = next(iter(puppets.clips()))
    assert about["spans"][0]["name"] == clip.name
    words = dict(map(tuple, about["words"][clip.name]))
    assert set(clip.planted["word_frames"].tolist()) <= set(words.values()) and all(words)
    from rgx.gesture.skeleton import KEPT

    expected = torch.from_numpy(clip.keypoints[:, KEPT]) / 128 - 1
    seen = torch.from_numpy(clip.valid[:, KEPT])
    assert (arrays["pose"][:100] - expected)[seen].abs().max() < 1e-4


def test_videos_play_with_their_speech(home: Path) -> None:
    folder = cells(home)["3d/+ heatmap"]["video"]
    frames = np.load(folder / "frames.npy")
    assert frames.shape == (2, WINDOW_FRAMES, 32, 32, 3)
    for name, width in (("0000.mp4", 32), ("0000_beside.mp4", 64)):
        with av.open(str(folder / name)) as video:
            shown = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
            assert video.streams.audio and video.streams.video[0].average_rate == 25
            assert len(shown) == WINDOW_FRAMES and shown[0].shape[1] >= width
    with av.open(str(folder / "0000.mp4")) as video:
        first = next(video.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(first.astype(float) - frames[0, 0]).mean() < 12


def test_scores_say_how_they_were_made(home: Path) -> None:
    found = outputs(cells(home)["3d/+ heatmap"]["video_scores"])
    assert found["metrics"]["video_fvd_lite0"]["stand_in"]
    assert "speech-driven" in found["metrics"]["video_fvd_lite0"]["protocol"]
    assert "2 windows of 80 frames, 32 px" in found["metrics"]["video_fvd_lite0"]["protocol"]
    assert any("EfficientNet-lite0" in note for note in found["notes"])
    found = outputs(cells(home)["3a/full-model"]["reconstruction_scores"])
    assert all("self-reconstruction" in m["protocol"] for m in found["metrics"].values())


def test_parts_of_different_systems_go_together_in_one_row(
    home: Path, parts: dict[str, dict[str, Path]]
) -> None:
    row, ours = parts["parts/Exchanged"], cells(home)["3d/+ heatmap"]
    records = {
        stage: json.loads((row[stage] / "manifest.json").read_text())["record"]
        for stage in ("generator", "animator", "refiner")
    }
    assert records["generator"]["generator"]["variant"] == "generator/diffusion"
    assert records["animator"]["animator"]["keypoints"]["groups"]["variant"] == "groups/mixed"
    assert records["refiner"]["refiner"]["variant"] == "refiner/unet"
    assert "tokenizer" not in row and row["frames"] == ours["frames"]
    assert np.load(row["video"] / "frames.npy").shape == np.load(ours["video"] / "frames.npy").shape
    assert outputs(row["video_scores"])["windows"] == 2


def test_a_system_outside_is_a_row_and_the_table_says_which(
    home: Path, parts: dict[str, dict[str, Path]]
) -> None:
    row = parts["parts/Still"]
    motion = load_file(row["motion"] / "arrays.safetensors")["motion"]
    corpus = load_file(row["corpus"] / "arrays.safetensors")
    spans = json.loads((row["corpus"] / "about.json").read_text())["spans"]
    first = next(span["start"] for span in spans if span["split"] == "test")
    known = corpus["valid"][first]
    assert (motion == motion[:, :1]).all()
    assert (motion[0, 0] - corpus["motion"][first])[known].abs().max() < 1e-4, "its condition frame"
    frames = np.load(row["video"] / "frames.npy")
    assert (frames == frames[:, :1]).all() and not list(row["motion"].glob(".*"))
    record = json.loads((row["animator"] / "manifest.json").read_text())["record"]["animator"]
    assert (record["revision"], record["licence"]) == ("still 1", "MIT")
    report = home / "reports" / "parts.yaml"
    columns = "columns: [jerk, video_flicker]"
    report.write_text(f"sweep: sweeps/parts.yaml\npanels:\n  parts: {{caption: Parts., {columns}}}\n")
    (table,) = gather(report, home / "store").panels
    text = markdown(table)
    assert "animator/external is still 1 (licence: MIT), by its own command" in text
    assert "generator/external is still 1 (licence: MIT), by its own command" in text


def test_a_command_that_fails_is_told_with_its_last_words(
    home: Path, parts: dict[str, dict[str, Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = """{command: ["{python}", "-c", "import sys; sys.exit('no weights at {inputs} {outputs}')"], """
    row = f"    Ends: {{quantizer: none, generator: {{external: {system}revision: r, licence: MIT}}}}}}\n"
    (tmp_path / "parts.yaml").write_text(PARTS.replace("name: parts", "name: ends") + row)
    options = ["--store", str(home / "store"), "--engine", "inline", "--no-report"]
    assert rgx("sweep", str(tmp_path / "parts.yaml"), *options) == 1
    printed = "".join(capsys.readouterr())
    assert "generator.external: the command ended with exit code 1, after 0 answers" in printed
    assert "no weights at" in printed and "Traceback" not in printed


def test_the_report_shows_strips_and_says_what_stood_in(home: Path) -> None:
    out = home / "build"
    report = str(home / "reports" / "pictures.yaml")
    assert rgx("report", report, "--store", str(home / "store"), "--out", str(out)) == 0
    files = {path.name for path in (out / "pictures").iterdir()}
    assert {"3a-pictures.pdf", "3a-pictures.png", "3d-pictures.pdf", "words.pdf"} <= files
    with Image.open(out / "pictures" / "3a-pictures.png") as page:
        assert page.height > (1 + 3) * 1.5 * 96, "the recording once, and each row, with hands"
    films = [path for path in (out / "pictures" / "videos").iterdir() if path.name.startswith("rows-")]
    assert sorted(path.suffix for path in films) == [".jpg", ".jpg", ".mp4", ".mp4"]
    text = (out / "pictures" / "3d.md").read_text()
    assert "†" in text and "EfficientNet-lite0" in text
    assert "3d-pictures.png" in (out / "pictures" / "index.md").read_text()


class I3D(nn.Module):
    """I3D's signature and its 400 logits, with something of the video in two of them."""

    def forward(
        self, x: Tensor, rescale: bool = True, resize: bool = True, return_features: bool = False
    ) -> Tensor:
        found = torch.zeros(1, 400)
        found[0, 0], found[0, 1] = x.mean(), x.std()
        return found


class Dover(nn.Module):
    """Two scores of the two views, aesthetic first."""

    def forward(self, aesthetic: Tensor, technical: Tensor) -> tuple[Tensor, Tensor]:
        return aesthetic.mean() * 0.01, technical.mean() * 0.01


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the names and shapes of the published weights."""
    folder = tmp_path_factory.mktemp("weights")
    for name, state in (("vgg19", vgg19_state()), ("alexnet", alexnet_state()), ("alex", linear_state())):
        torch.save(state, folder / f"{name}.pth")
    for name, network in (("i3d", I3D()), ("dover", Dover())):
        torch.jit.save(torch.jit.script(network), folder / f"{name}.pt")
    return folder


def weighted(home: Path, weights: Path, *more: str) -> int:
    """Sweep two rows whose losses and scores read the weights, bound on the command line."""
    sweep = home / "sweeps" / "weighted.yaml"
    rows = "panels:\n  3a:\n    full-model: {}\n  3d:\n    + heatmap: {}\n"
    head = SWEEP.replace("name: pictures", "name: weighted").split("panels:")[0]
    sweep.write_text(re.sub(r".*judge/training.*\n", "", head) + rows)  # no row has a judge
    bindings = [
        "PERCEPTUAL = @perceptual.vgg19()",
        f"perceptual.vgg19.weights = '{weights / 'vgg19.pth'}'",
        "stage.reconstruction_scores.metrics = "
        "[@metric.reconstruction_lpips(), @metric.reconstruction_fvd()]",
        f"metric.reconstruction_lpips.backbone = '{weights / 'alexnet.pth'}'",
        f"metric.reconstruction_lpips.linear = '{weights / 'alex.pth'}'",
        f"metric.reconstruction_fvd.network = '{weights / 'i3d.pt'}'",
        "stage.video_scores.metrics = [@metric.video_fvd(), @metric.video_dover_aesthetic()]",
        f"metric.video_fvd.network = '{weights / 'i3d.pt'}'",
        f"metric.video_dover_aesthetic.network = '{weights / 'dover.pt'}'",
    ]
    binds = [part for binding in bindings for part in ("--bind", binding)]
    options = ["--store", str(home / "store"), "--engine", "inline", "--no-report", *more]
    return rgx("sweep", str(sweep), *options, *binds)


def weighted_run(home: Path) -> str:
    """Return the name that the run with those bindings stands under."""
    (name,) = (name for name in run_names(home / "store") if name.startswith("weighted@"))
    return name


def test_weights_of_ones_own_reach_the_columns_and_footnotes(
    home: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    assert weighted(home, weights) == 0
    torch.set_num_threads(threads)
    keys = read_run(home / "store", weighted_run(home)).model_dump()
    report = home / "reports" / "weighted.yaml"
    report.write_text(
        "sweep: sweeps/weighted.yaml\npanels:\n"
        "  3a: {caption: A., columns: [reconstruction_lpips, reconstruction_fvd]}\n"
        "  3d: {caption: D., columns: [video_fvd, video_dover_aesthetic, reconstruction_lpips]}\n"
    )
    out = home / "weighted"
    words = ["report", str(report), "--store", str(home / "store"), "--out", str(out)]
    assert rgx(*words) == 2, "the sweep as written has not run"
    assert rgx(*words, "--run", weighted_run(home)) == 0
    for panel, heads, said in (
        (
            *("3a", ("LPIPS ↓", "FVD ↓")),
            ("LPIPS v0.1 in AlexNet", "I3D-K400", "I3D as TorchScript", "2 windows of 80 frames, 32 px"),
        ),
        (
            *("3d", ("FVD ↓", "VQA_A ↑", "LPIPS ↓")),
            ("speech-driven", "self-reconstruction", "DOVER", "weights as TorchScript", "resized"),
        ),
    ):
        text = (out / weighted_run(home) / f"{panel}.md").read_text()
        head = next(line for line in text.splitlines() if line.startswith("|"))
        assert all(each in head.replace("\\", "") for each in heads), head
        assert all(each in text for each in said), text
        assert "†" not in text and "random features" not in text and "-random" not in text
    # The same bindings find everything made; another file of the same shapes is another network.
    assert weighted(home, weights) == 0
    assert read_run(home / "store", weighted_run(home)).model_dump()["rows"] == keys["rows"]
    torch.save(linear_state() | {"lin0.model.1.weight": torch.ones(1, 64, 1, 1)}, weights / "alex.pth")
    assert weighted(home, weights) == 0
    again = read_run(home / "store", weighted_run(home)).model_dump()["rows"]
    changed = {
        stage for old, new in zip(keys["rows"], again, strict=True) for stage in old["stages"]
        if old["stages"][stage] != new["stages"][stage]
    }  # fmt: skip
    assert changed == {"reconstruction_scores"}


def test_generated_poses_cannot_drive_unsupervised_keypoints(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = SWEEP + "    found: {keypoints: unsupervised}\n"
    (tmp_path / "bad.yaml").write_text(row)
    assert rgx("sweep", str(tmp_path / "bad.yaml"), "--store", str(tmp_path / "store")) == 2
    told = capsys.readouterr().err
    assert "3d/found" in told and "cannot drive" in told
    assert not (tmp_path / "store").exists()


def test_a_report_stands_until_a_number_or_its_definition_changes(home: Path, tmp_path: Path) -> None:
    from rgx.report.gather import gather
    from rgx.report.render import stands, write

    report = home / "reports" / "pictures.yaml"
    assert not stands(gather(report, home / "store"), tmp_path)
    write(gather(report, home / "store"), tmp_path)
    assert stands(gather(report, home / "store"), tmp_path)
    (tmp_path / "pictures" / "3a.tex").unlink()
    assert not stands(gather(report, home / "store"), tmp_path)
    write(gather(report, home / "store"), tmp_path)
    (tmp_path / "reports").mkdir()
    other = tmp_path / "reports" / "pictures.yaml"
    other.write_text(report.read_text().replace("Keypoints.", "Other words."))
    assert not stands(gather(other, home / "store"), tmp_path)
