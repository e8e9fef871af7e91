from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from little import command

from rgx.errors import InputError
from rgx.inspect.bundle import export
from rgx.inspect.verify import choose_cell, describe, received, verify
from rgx.store.artifacts import artifact_folder, write_json
from rgx.store.records import SweepRow
from rgx.store.runs import read_run

ADDRESS = "little:3b/+distill"


def cell(store: Path) -> SweepRow:
    return choose_cell(ADDRESS, "", None, store)


def tree(store: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in store.rglob("*") if p.is_file()}


def test_a_number_made_again_is_the_same_and_the_store_is_only_read(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(finished)
    assert command("verify", ADDRESS, "--column", "fgd", "--store", str(finished)) == 0
    said = capsys.readouterr().out
    number = next(line for line in said.splitlines() if " fgd " in line).split()
    assert number[2] == number[3] and number[-1] == "same"
    assert "different" not in said and "jerk" not in said
    assert tree(finished) == before


def test_a_bundle_is_all_that_is_needed_to_make_a_number_again_from_training_on(
    finished: Path, tmp_path: Path
) -> None:
    file = tmp_path / "row.tar"
    export(ADDRESS, file, finished)
    with received(str(file), tmp_path / "none") as (address, store):
        row = choose_cell(address, "", None, store)
        comparisons = verify(row, store, "fgd", "residual")
    assert [c.stage for c in comparisons] == ["residual", "motion", "motion_scores"]
    assert all(c.same for c in comparisons), list(describe(comparisons))


def test_a_weight_with_one_byte_changed_is_refused_by_the_name_of_its_file(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(finished, store)
    weights = artifact_folder(store, "judge", cell(store).stages["judge"]) / "network.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert command("verify", ADDRESS, "--column", "fgd", "--store", str(store)) == 2
    said = capsys.readouterr().err
    assert "network.safetensors" in said and "judge/" in said and "Traceback" not in said


def rewrite(store: Path, **entries: Any) -> None:
    """Have the manifest of the cell's scores say something else."""
    path = artifact_folder(store, "motion_scores", cell(store).stages["motion_scores"]) / "manifest.json"
    write_json(path, {**json.loads(path.read_text()), **entries})


def test_a_number_that_was_edited_is_different_and_the_code_and_versions_that_differ_are_named(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(finished, store)
    folder = artifact_folder(store, "motion_scores", cell(store).stages["motion_scores"])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["outputs"]["scores"]["fgd"] += 1e-12
    manifest["software"]["torch"] = "1.0"
    name = next(module for module in manifest["code"]["modules"] if module.endswith("metrics.fgd"))
    manifest["code"]["modules"][name] = "0" * 64
    rewrite(store, **manifest)
    assert command("verify", ADDRESS, "--column", "fgd", "--store", str(store)) == 1
    said = capsys.readouterr().out
    assert f"edited code: {name}" in said and "torch 1.0 made it" in said
    assert "motion_scores" in said and "different" in said


def test_what_is_asked_wrongly_ends_in_a_line(finished: Path, tmp_path: Path) -> None:
    row = cell(finished)
    for arguments, words in (
        (("fgdd", None), "fgd"),
        (("fgd", "generater"), "generator"),
    ):
        with pytest.raises(InputError, match=words):
            verify(row, finished, *arguments)
    with pytest.raises(InputError, match="by --column; 'fgd' is left over"):
        choose_cell(f"{ADDRESS}/fgd", "", None, finished)
    (tmp_path / "no.tar").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"no\.tar"), received(str(tmp_path / "no.tar"), tmp_path):
        pass
    partial = tmp_path / "store"
    shutil.copytree(finished, partial)
    shutil.rmtree(artifact_folder(partial, "motion", row.stages["motion"]))
    with pytest.raises(InputError, match="motion/"):
        verify(row, partial, "fgd")
    assert len(read_run(finished, "little").rows) == 2
