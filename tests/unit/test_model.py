"""A trained cell outside its store: what is in its folder, and that it is what was trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from little import ROOT, command, manifests
from safetensors.torch import load_file, save_file

import rgx
from rgx.errors import InputError
from rgx.gesture.data.reading import load_windows
from rgx.gesture.generate.base import Inference
from rgx.gesture.generate.noise import Noise
from rgx.gesture.model.gesture_model import GestureModel
from rgx.gesture.model.product import rest_frames
from rgx.methods import find_package, product_of
from rgx.model.base import LoadedModel
from rgx.model.folder import ABOUT, FORMAT
from rgx.model.packing import pack
from rgx.model.rebuilding import rebuild
from rgx.run.worker import seed_all, seed_of
from rgx.store.artifacts import artifact_folder
from rgx.store.runs import read_run
from rgx.store.workspace import Inputs

CELL = "little:3b/+distill"


@pytest.fixture(scope="module")
def folder(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "distill"
    assert command("bundle", CELL, "--out", str(out), "--store", str(finished)) == 0
    return out


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def test_a_loaded_cell_makes_the_motion_that_its_store_holds(finished: Path, folder: Path) -> None:
    (row,) = (row for row in read_run(finished, "little").rows if row.row == "+distill")
    folders = {stage: artifact_folder(finished, stage, key) for stage, key in row.stages.items()}
    windows = load_windows(Inputs({}, folders), "test", "cpu")
    seed_all(seed_of(json.loads((folders["motion"] / "manifest.json").read_text())))
    seed = int(torch.randint(2**31, ()))
    noise = Noise([(seed, window) for window in range(len(windows))])
    model = rgx.load(folder, GestureModel, device="cpu")
    inference = Inference(model.tokenizer, residual=model.residual, noise=noise, **model.axes)
    motion = model.generator.sample(windows.batch(torch.arange(len(windows))), inference)
    expected = load_file(folders["motion"] / "arrays.safetensors")["motion"]
    assert torch.equal(motion * model.normal.motion_std + model.normal.motion_mean, expected)
    assert model.speakers == ("puppet_a", "puppet_b") and not model.notes


def test_a_cell_is_loaded_from_its_store_as_from_its_folder(finished: Path, folder: Path) -> None:
    both = [rgx.load(CELL, GestureModel, store=finished), rgx.load(folder, GestureModel)]
    weights = [model.generator.state_dict() for model in both]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_folder_holds_what_the_issue_asks_of_it_and_no_recording(finished: Path, folder: Path) -> None:
    about = json.loads((folder / ABOUT).read_text())
    assert {p.name for p in folder.iterdir()} == about["files"].keys() | {ABOUT}
    assert {"config.gin", "skeleton.json", "speakers.json", "normalisation.safetensors"} <= about[
        "files"
    ].keys()
    assert about["stages"]["generator"]["code"]["digest"]
    assert sum(p.stat().st_size for p in folder.iterdir()) < 10_000_000
    card = (folder / "README.md").read_text()
    fgd = next(m["outputs"]["scores"]["fgd"] for m in manifests(finished).values()
               if m["stage"] == "motion_scores" and m["row"] == "3b/+distill")  # fmt: skip
    assert f"| FGD | {fgd:.3f} | test |" in card and "## Licence" in card and "puppet_a" in card
    assert oct((folder / ABOUT).stat().st_mode)[-3:] == "644"


def test_every_stage_of_a_store_is_rebuilt_from_its_record(finished: Path, folder: Path) -> None:
    for name, manifest in manifests(finished).items():
        assert rebuild(manifest["record"]).record == manifest["record"], name


def test_a_record_of_a_newer_version_or_with_an_unknown_argument_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"decode/iterative is of version 9, this code has version 1"):
        rebuild({"variant": "decode/iterative", "variant_version": 9})
    with pytest.raises(InputError, match=r"takes no 'stepps' here: did you mean 'steps'\?"):
        rebuild({"variant": "decode/iterative", "stepps": 3})


def test_nothing_is_overwritten_and_nothing_is_half_there(
    finished: Path, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="is already there; give another name"):
        pack(CELL, folder, finished)
    (row,) = (row for row in read_run(finished, "little").rows if row.row == "+distill")
    store = Path(shutil.copytree(finished, tmp_path / "store"))
    weights = artifact_folder(store, "generator", row.stages["generator"]) / "network.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"network\.safetensors is not what its checksum says"):
        pack(CELL, tmp_path / "out", store)
    assert [p.name for p in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize(
    ("address", "seed", "message"),
    [
        ("little:3b/+distil", None, "did you mean '\\+distill'"),
        ("little:3b/+distill", 5, "no seed 5; its seeds are 0"),
        ("nothing:3b/+distill", None, "no sweep 'nothing' has run"),
        ("little", None, "expected SWEEP:PANEL/ROW"),
    ],
)
def test_a_cell_that_is_none_is_refused(
    finished: Path, tmp_path: Path, address: str, seed: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        pack(address, tmp_path / "out", finished, seed)
    assert not list(tmp_path.iterdir())


def test_a_changed_weight_file_is_refused(copied: Path) -> None:
    weights = load_file(copied / "generator.safetensors")
    name = next(iter(weights))
    save_file(weights | {name: weights[name] + 1e-3}, copied / "generator.safetensors")
    with pytest.raises(InputError, match=r"generator\.safetensors: its checksum is not that in model\.json"):
        rgx.load(copied)


def test_a_missing_file_is_refused(copied: Path) -> None:
    (copied / "tokenizer.safetensors").unlink()
    with pytest.raises(InputError, match=r"tokenizer\.safetensors: not there, and model\.json names it"):
        rgx.load(copied)


def test_a_folder_of_a_newer_format_is_refused(copied: Path) -> None:
    about = json.loads((copied / ABOUT).read_text())
    (copied / ABOUT).write_text(json.dumps(about | {"format": FORMAT + 1, "rgx": "9.0"}))
    with pytest.raises(InputError, match=r"a model of format 2, this rgx reads 1 and below: .*\(9\.0\)"):
        rgx.load(copied)


def test_a_configuration_that_was_not_trained_is_refused(copied: Path) -> None:
    about = json.loads((copied / ABOUT).read_text())
    about["stages"]["motion"]["record"]["decode"]["steps"] = 50
    (copied / ABOUT).write_text(json.dumps(about))
    with pytest.raises(InputError, match="stage motion: its identity is no part of its record"):
        rgx.load(copied)


def test_what_is_no_model_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model.json in it that can be read"):
        rgx.load(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        rgx.load(tmp_path / "model")


def test_code_that_changed_since_is_told(copied: Path) -> None:
    about = json.loads((copied / ABOUT).read_text())
    about["stages"]["generator"]["code"]["modules"]["rgx.gesture.generate.masked"] = "0" * 64
    (copied / ABOUT).write_text(json.dumps(about))
    assert rgx.load(copied).notes == (
        "made by other code: generator; changed since: rgx.gesture.generate.masked",
    )


def test_a_model_of_another_kind_is_refused(folder: Path) -> None:
    class OtherModel(LoadedModel):
        """Of another method."""

    with pytest.raises(InputError, match=r"a GestureModel of rgx\.gesture, expected a OtherModel"):
        rgx.load(folder, OtherModel)


def test_a_method_that_says_nothing_of_models_is_told() -> None:
    package = find_package("digits", ROOT / "examples/digits/sweeps", "here")
    with pytest.raises(InputError, match=r"METHOD\.model names no module"):
        product_of(package)


def test_a_speaker_rests_in_the_frame_nearest_to_their_mean() -> None:
    motion = torch.tensor([0.0, 1.0, 5.0, 9.0, 2.0]).reshape(5, 1, 1).expand(5, 2, 2).clone()
    valid = torch.ones(5, 2, dtype=torch.bool)
    spans = [{"split": "train", "speaker": 0, "start": 0, "frames": 3},
             {"split": "test", "speaker": 0, "start": 3, "frames": 1},
             {"split": "train", "speaker": 1, "start": 4, "frames": 1}]  # fmt: skip
    valid[1, 1] = False  # nearest to the mean of 2, but for what is not seen there
    assert rest_frames(motion, valid, spans, 2)[:, 0, 0].tolist() == [0.0, 2.0]
