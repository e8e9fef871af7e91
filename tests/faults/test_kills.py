"""Drivers, workers and nodes killed at random: nothing is done twice, no half stands, no bit differs.

Between a kill and the rerun the body of a user's own variant is edited now and then: no artifact is half of
one body and half of the other.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from little import LITTLE, copy_row, manifests, results
from nodes import TOKEN, Cluster, Run, cluster, kill, leases, working

from rgx.store.manifests import damage

pytestmark = pytest.mark.xdist_group("ray")
KILLS = int(os.environ.get("RGX_KILLS", "3"))
SEED = os.environ.get("RGX_KILL_SEED", "0")


class Inline:
    """Everything in the driver's process."""

    options, share = ("--engine", "inline"), 0.2
    environment: Mapping[str, str] = TOKEN

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.kinds: dict[str, Callable[[Run], bool]] = {"driver": self.driver}

    def driver(self, run: Run) -> bool:
        """Kill the driver."""
        run.die()
        return True


class Local(Inline):
    """A Ray of the driver's own on this machine."""

    options, share = (), 0.4

    def __init__(self, draw: random.Random) -> None:
        super().__init__(draw)
        self.kinds["worker"] = self.worker

    def worker(self, run: Run) -> bool:
        """Kill one of the processes that run stages, where there is one."""
        found = [process for root in self.roots(run) for process in working(root)]
        kill(*self.draw.sample(found, min(1, len(found))))
        return bool(found)

    def roots(self, run: Run) -> list[int]:
        """Return the processes that workers descend from."""
        return [run.process.pid]


class Joined(Local):
    """A head with nodes that joined it, one of which dies now and then and another joins."""

    def __init__(self, draw: random.Random, nodes: Cluster) -> None:
        super().__init__(draw)
        self.nodes, self.options = nodes, ("--address", nodes.address)
        self.kinds["node"] = self.node

    def roots(self, run: Run) -> list[int]:
        return [node.process.pid for node in self.nodes.nodes]

    def node(self, run: Run) -> bool:
        """Kill a node that is no head and has begun to work."""
        found = [node for node in self.nodes.nodes[1:] if node.workers()]
        for node in found[:1]:
            node.die()
            self.nodes.nodes.remove(node)
            self.nodes.join()
        return bool(found)


@contextlib.contextmanager
def joined(draw: random.Random) -> Iterator[Joined]:
    with cluster(1) as nodes:
        nodes.wait(2)
        yield Joined(draw, nodes)


ENGINES: dict[str, Callable[[random.Random], Any]] = {
    "inline": lambda draw: contextlib.nullcontext(Inline(draw)),
    "ray": lambda draw: contextlib.nullcontext(Local(draw)),
    "cluster": joined,
}
LONGEST_S = {True: 8.0, False: 1.0}
"""How long to wait for the moment of a kill, in s: after the run began, or after a stage was finished."""
EXCUSED = ("died 3 times", "Ray could not start on this machine")
"""A sweep that ended otherwise than well although its driver was not killed; the next one goes on."""
EDITS = 0.4
"""The share of kills between which and the rerun the variant is edited."""
PLUGIN = """\
import time

from rgx.gesture.tokens.base import Distillation
from rgx.registry import register


@register("distillation", "edited_for_a_test")
class Edited(Distillation):
    "A loss whose body is edited."

    def __init__(self, width: int, members: tuple[str, ...], teacher_width: int) -> None:
        super().__init__()

    def forward(self, quantized, batch, teacher):
        time.sleep(0.3)
        return BODY
"""
BODIES = ("quantized.pow(2).mean()", "2 * quantized.abs().mean()")
SWEEP = LITTLE.replace("+distill: {}", "+distill: {distillation: edited_for_a_test}").replace(
    "tokenizer/training.adamw.steps: 3", "tokenizer/training.adamw.steps: 7"
)
OPTIONS = ("--import", "edited_for_a_test.py")
FEW = ("inline", "cluster")
"""Where only a few are killed, not on one machine's Ray: a cluster has all its kinds of deaths."""
USUAL = ENGINES if "RGX_KILLS" in os.environ else FEW
CHOSEN = os.environ.get("RGX_KILL_ENGINES", ",".join(USUAL)).split(",")


def edit(folder: Path, body: str) -> None:
    """Give the user's variant a body."""
    (folder / "edited_for_a_test.py").write_text(PLUGIN.replace("BODY", body))


@pytest.fixture(scope="module")
def undisturbed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a sweep leaves that nobody disturbs, by the digest of the code that its tokenizer is made by."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "little.yaml").write_text(SWEEP)
    wholes = {}
    for number, body in enumerate(BODIES):
        edit(folder, body)
        store = copy_row(finished, folder / f"store{number}", "baseline")
        run = Run(folder / "little.yaml", store, *OPTIONS, "--engine", "inline")
        assert run.wait() == 0, run.text
        wholes[tokenizer_of(store)["code"]["digest"]] = everything(store)
    assert len(wholes) == len(BODIES)
    return wholes


def tokenizer_of(store: Path) -> dict[str, Any]:
    """Return the manifest of the one stage that the user's variant is part of."""
    (manifest,) = (m for m in manifests(store).values() if "edited_for_a_test" in m["code"]["modules"])
    assert manifest["stage"] == "tokenizer"
    return manifest


def everything(store: Path) -> dict[str, Any]:
    """Return what must be the same to the last bit, and the names of all files."""
    names = {name: sorted(manifest["files"]) for name, manifest in manifests(store).items()}
    return {name: (facts, names[name]) for name, facts in results(store).items()}


def look(store: Path, made: dict[str, float]) -> None:
    """Check that nothing finished was made again, and that what stands is whole and of one code."""
    for name, manifest in manifests(store).items():
        assert made.setdefault(name, manifest["started"]) == manifest["started"], f"{name} was made twice"
        assert not damage(store, manifest["stage"], manifest["key"]), name
        codes = {segment["code"] for segment in manifest.get("segments", [])}
        assert codes <= {manifest["code"]["digest"]}, f"{name} is half of other code"


def begin(finished: Path, store: Path) -> Path:
    """Return a store; where few kills are drawn, one row is in it already, and they fall into the other."""
    return store if "RGX_KILLS" in os.environ else copy_row(finished, store, "baseline")


def finished_count(store: Path) -> int:
    """Return how many stages are finished, of a run that goes on."""
    return len(list(store.glob("*/*/manifest.json")))


def disturb(engine: Inline, run: Run, store: Path, stages: int) -> str:
    """Kill something at a random moment and return what, or nothing when the run was over before.

    One moment in five is while the run still starts; the others are as likely in each stage not yet made,
    however fast the machine is.
    """
    kind, early = engine.draw.choice(list(engine.kinds)), engine.draw.random() < 0.2
    whole = engine.draw.randrange(min(finished_count(store), stages - 1), stages)
    while run.process.poll() is None and not (early or (leases(store) and finished_count(store) >= whole)):
        time.sleep(0.1)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.process.wait(engine.draw.uniform(0.0, LONGEST_S[early]))
    while run.process.poll() is None:
        if engine.kinds[kind](run):
            return kind
        time.sleep(0.2)
    return ""


def cut(engine: Inline, run: Run, store: Path) -> str:
    """Kill the driver while the user's variant trains and has a checkpoint, if that comes to pass."""
    while run.process.poll() is None:
        if list((store / "running").glob("tokenizer-*/checkpoint.safetensors")):
            engine.driver(run)
            return "driver"
        time.sleep(0.05)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOSEN)
def test_a_sweep_killed_again_and_again_ends_as_if_it_never_was(
    finished: Path, undisturbed: dict[str, dict[str, Any]], tmp_path: Path, name: str
) -> None:
    (tmp_path / "little.yaml").write_text(SWEEP)
    edit(tmp_path, BODIES[0])
    began, draw, tally = time.monotonic(), random.Random(f"{name}{SEED}"), Counter[str]()
    whole = edits = begun_anew = 0
    made: dict[str, float] = {}
    stages = len(next(iter(undisturbed.values())))
    store = begin(finished, tmp_path / "store0")
    with ENGINES[name](draw) as engine:
        count, run = max(1, round(engine.share * KILLS)), None
        while True:
            run = run or Run(
                tmp_path / "little.yaml", store, *OPTIONS, *engine.options, environment=engine.environment
            )
            enough = tally.total() >= count and edits >= math.ceil(EDITS * count)
            aimed = edits < math.ceil(EDITS * count) and draw.random() < 0.5
            kind = "" if enough else cut(engine, run, store) if aimed else disturb(engine, run, store, stages)
            tally.update([kind] if kind else [])
            if run.process.poll() is None and not enough:
                continue
            code = run.wait(900)
            run.die()
            assert kind == "driver" or code == 0 or any(words in run.text for words in EXCUSED), run.text
            look(store, made)
            run = None
            if code == 0 and kind != "driver":
                tokenizer = tokenizer_of(store)
                assert everything(store) == undisturbed[tokenizer["code"]["digest"]]
                assert not list((store / "running").iterdir())
                begun_anew += any("begins anew" in note for note in tokenizer.get("notes", []))
                shutil.rmtree(store)
                whole += 1
                store = begin(finished, tmp_path / f"store{whole}")
                made.clear()
                if enough:
                    break
            elif kind == "driver" and edits < math.ceil(EDITS * count):
                edits += 1
                edit(tmp_path, BODIES[edits % len(BODIES)])
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(tally.items()))
    print(
        f"\n{name}: killed {kinds}; {edits} edits before a rerun, {begun_anew} tokenizers begun anew; "
        f"{whole} sweeps whole, {time.monotonic() - began:.0f} s"
    )
