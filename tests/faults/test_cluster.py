"""Sweeps on Ray nodes in processes of their own: joined, placed, and going on when one dies."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from little import LITTLE, ROOT, copy_row, manifests, results
from nodes import Cluster, Run, leases, wait_for

PLUGIN = """\
import os, pathlib, time
import torch
from rgx.gesture.generate.base import MaskRatio
from rgx.registry import register

@register("mask_ratio", "told_for_a_test")
class Told(MaskRatio):
    "Tells where it was drawn from."

    def __init__(self, ratio: float = 0.75) -> None:
        self.ratio = ratio

    def draw(self, count):
        above = [os.getpid()]
        while above[-1] > 1:
            told = pathlib.Path(f"/proc/{above[-1]}/stat").read_text()
            above.append(int(told.rpartition(")")[2].split()[1]))
        (pathlib.Path("FOLDER") / "drawn.txt").write_text(" ".join(map(str, above)))
        time.sleep(0.5)  # so that a node can be seen at work
        return torch.full((count,), self.ratio)
"""
pytestmark = pytest.mark.xdist_group("ray clusters")
ROW = ("--only", "3b/+distill", "--import", "told_for_a_test.py", "--set", "mask_ratio=told_for_a_test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cluster")
    (made / "little.yaml").write_text(LITTLE)
    (made / "told_for_a_test.py").write_text(PLUGIN.replace("FOLDER", str(made)))
    return made


@pytest.fixture(scope="module")
def undisturbed(finished: Path, folder: Path) -> dict[str, Any]:
    copy_row(finished, folder / "undisturbed", "+distill", "generator", "motion", "motion_scores")
    run = Run(folder / "little.yaml", folder / "undisturbed", *ROW, "--engine", "inline")
    assert run.wait() == 0, run.text
    return results(folder / "undisturbed")


@pytest.mark.slow
def test_a_joined_node_gets_what_only_it_can_do_and_the_users_own_variant(
    folder: Path, undisturbed: dict[str, Any], nodes: Cluster
) -> None:
    run = Run(
        folder / "little.yaml", folder / "store", *ROW, "--address", nodes.address,
        "--bind", "generator/resources.stage.custom = {'special': 1}",
    )  # fmt: skip
    assert run.wait() == 0, run.text
    assert results(folder / "store") == undisturbed
    assert str(nodes.nodes[1].process.pid) in (folder / "drawn.txt").read_text().split()


@pytest.mark.slow
def test_a_node_that_dies_loses_nothing(folder: Path, undisturbed: dict[str, Any], nodes: Cluster) -> None:
    store = folder / "again"
    run = Run(folder / "little.yaml", store, *ROW, "--address", nodes.address)
    node = nodes.nodes[1]

    def works() -> bool:
        holders = {held.get("pid") for held in leases(store).values()}
        return bool(holders) and not holders.isdisjoint(node.workers())

    wait_for(works, every_s=0.02)  # a stage takes less than a second
    before = {name: made["started"] for name, made in manifests(store).items()}
    killed = time.monotonic()
    node.die()
    assert run.wait() == 0, run.text
    assert results(store) == undisturbed
    assert {name: made["started"] for name, made in manifests(store).items() if name in before} == before
    assert "died or left the cluster" in run.text or "killed without a word" in run.text, run.text
    print(f"\nfrom the node's death to the end of the sweep: {time.monotonic() - killed:.0f} s")


@pytest.fixture
def other_code(tmp_path: Path) -> list[str]:
    """A command that starts what is given to it where rgx is another copy, whose loss is nothing at all."""
    other = tmp_path / "rgx"
    shutil.copytree(ROOT / "rgx", other, ignore=shutil.ignore_patterns("__pycache__"))
    players = other / "train" / "players.py"
    players.write_text(players.read_text().replace("total.backward()", "(0 * total).backward()"))
    assert "(0 * total).backward()" in players.read_text()
    command = ["unshare", "--mount", "sh", "-c", f'mount --bind {other} {ROOT / "rgx"} && exec "$@"', "sh"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount a folder for one process")
    return command


@pytest.mark.slow
def test_a_node_with_other_code_refuses_and_commits_nothing(
    folder: Path, finished: Path, nodes: Cluster, other_code: list[str]
) -> None:
    """It would store a number of no loss under the key of the loss that was planned."""
    store = copy_row(finished, folder / "refused", "+distill", "generator", "motion", "motion_scores")
    before = sorted(manifests(store))
    with nodes.joined_by('{"other": 1}', other_code):
        run = Run(
            folder / "little.yaml", store, *ROW, "--address", nodes.address,
            "--bind", "generator/resources.stage.custom = {'other': 1}",
        )  # fmt: skip
        assert run.wait() == 1, run.text
    node = f"node {socket.gethostname()} has other code than the sweep was planned with, in {ROOT}"
    assert f"{node}: rgx.train.players; every node needs" in run.text
    assert "0 stages run" in run.text and "2 blocked" in run.text and "Traceback" not in run.text
    assert sorted(manifests(store)) == before
