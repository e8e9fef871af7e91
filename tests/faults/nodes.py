"""Ray nodes as processes of their own, sweeps that join them, and ways to kill either."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from little import ONE_WORKER, ROOT
from nursery import Started

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
"""Only who was given the token may join the cluster of a test."""
OURS = {**TOKEN, **ONE_WORKER, "RAY_USAGE_STATS_ENABLED": "0"}


def free_port() -> int:
    """Return a port that nothing listened on a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def processes() -> dict[int, tuple[int, str]]:
    """Return the parent and the command line of every process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found[int(folder.name)] = parent, command
    return found


def family(pid: int) -> dict[int, str]:
    """Return a process and all its descendants, with their command lines."""
    every = processes()
    found = {pid: every[pid][1]} if pid in every else {}
    grown = True
    while grown:
        children = {p: c for p, (parent, c) in every.items() if parent in found and p not in found}
        found |= children
        grown = bool(children)
    return found


def kill(*pids: int) -> None:
    """Kill processes that may be gone already."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def working(root: int) -> list[int]:
    """Return the processes below one that run stages: Ray's workers, their nurseries and those of stages."""
    names = ("ray::ImplicitFunc", "rgx.run.fork_server")
    return [p for p, command in family(root).items() if any(name in command for name in names)]


class Node:
    """A Ray node; the first of a cluster is its head.

    custom: its own resources, as JSON; environment: what differs from this process'; within: a command that
    starts it.
    """

    def __init__(
        self,
        folder: Path,
        address: str = "",
        custom: str = "{}",
        environment: Mapping[str, str] = OURS,
        within: Sequence[str] = (),
    ) -> None:
        self.port, self.custom, self.environment, self.within = free_port(), custom, environment, within
        self.address = address or f"127.0.0.1:{self.port}"
        joined = [f"--address={address}"]
        head = ["--head", f"--port={self.port}", f"--temp-dir={folder}", "--include-dashboard=false"]
        command = [
            *within, str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=1",
            "--num-gpus=0", f"--resources={custom}", "--object-store-memory=100000000", "--min-worker-port=0",
            "--max-worker-port=0", "--node-ip-address=127.0.0.1", *(joined if address else head),
        ]  # fmt: skip
        self.folder = folder
        with (folder / f"node-{self.port}.txt").open("w") as out:
            self.process = subprocess.Popen(
                command, cwd=folder, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, **environment}, start_new_session=True,
            )  # fmt: skip

    def die(self) -> None:
        """Kill the raylet, the workers and all else of the node at once."""
        kill(*family(self.process.pid))
        self.process.wait()

    def workers(self) -> list[int]:
        """Return the processes that run stages."""
        return working(self.process.pid)


class Cluster:
    """A head and nodes that joined it, each with one processor."""

    def __init__(self, environment: Mapping[str, str] = OURS) -> None:
        self.environment = environment
        # Ray's sockets lie there, and their paths may be no longer than 107 letters.
        self.folder = Path(tempfile.mkdtemp(prefix="rgx-", dir="/tmp"))
        self.nodes = [Node(self.folder, environment=environment)]
        self.address = self.nodes[0].address
        wait_for(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.nodes[0].port)) == 0

    def join(self, custom: str = "{}", within: Sequence[str] = ()) -> Node:
        """Add a node."""
        self.nodes.append(Node(self.folder, self.address, custom, self.environment, within))
        return self.nodes[-1]

    @contextlib.contextmanager
    def joined_by(self, custom: str, within: Sequence[str] = ()) -> Iterator[Node]:
        """Add a node for a while."""
        node = self.join(custom, within)
        try:
            self.wait(len(self.nodes))
            yield node
        finally:
            self.nodes.pop().die()

    def again(self, node: Node) -> Node:
        """Start a node anew."""
        return Node(self.folder, self.address, node.custom, node.environment, node.within)

    def told(self) -> str:
        """Return what the nodes printed."""
        return "\n".join(path.read_text() for path in self.folder.glob("node-*.txt"))

    def wait(self, count: int, longest_s: float = 60.0) -> None:
        """Wait until so many nodes are there."""
        code = (
            "import ray, sys, time\n"
            f"until = time.monotonic() + {longest_s}\n"
            f"ray.init(address={self.address!r}, log_to_driver=False, logging_level='ERROR')\n"
            f"while sum(n['Alive'] for n in ray.nodes()) < {count}:\n"
            "    assert time.monotonic() < until, ray.nodes()\n"
            "    time.sleep(0.2)\n"
        )
        for _ in range(10):
            assert self.nodes[0].process.poll() is None, self.told()
            # Ray gives a node half a minute to start; a machine with other work may need more.
            self.nodes = [n if n.process.poll() is None else self.again(n) for n in self.nodes]
            look = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, env={**os.environ, **self.environment}
            )
            if look.returncode == 0:
                return
            time.sleep(1.0)
        raise AssertionError(f"no {count} nodes at {self.address}")


@contextlib.contextmanager
def cluster(nodes: int, environment: Mapping[str, str] = OURS) -> Iterator[Cluster]:
    """Start a head and so many nodes, and end them all."""
    made = Cluster(environment)
    try:
        for _ in range(nodes):
            made.join()
        yield made
    finally:
        for node in reversed(made.nodes):
            node.die()
        shutil.rmtree(made.folder, ignore_errors=True)


class Run:
    """`rgx sweep` as a process; what it prints is kept in a file.

    environment: what differs from this process'; folder: where it runs.
    """

    def __init__(
        self,
        file: Path,
        store: Path,
        *options: str,
        environment: Mapping[str, str] = OURS,
        folder: Path = ROOT,
    ) -> None:
        self.printed = file.with_name(f"printed-{time.monotonic_ns()}.txt")
        self.printed.touch()
        command = ["sweep", str(file), "--no-report", "--store", str(store), *options]
        self.process = Started(command, folder, {**os.environ, **environment}, self.printed)

    @property
    def text(self) -> str:
        """What it has printed, in one line."""
        return " ".join(self.printed.read_text().split())

    def wait(self, longest_s: float = 300.0) -> int:
        """Return its exit code."""
        return self.process.wait(longest_s)

    def die(self) -> None:
        """Kill it and all that it started."""
        kill(self.process.pid)
        self.process.wait()


def leases(store: Path) -> dict[str, dict[str, object]]:
    """Return who holds which stage's lease."""
    found = {}
    for path in (store / "running").glob("*/lease.json"):
        with contextlib.suppress(OSError, json.JSONDecodeError):
            found[path.parent.name] = json.loads(path.read_text())
    return found


def wait_for(happened: Callable[[], object], longest_s: float = 300.0, every_s: float = 0.2) -> None:
    """Wait until a function returns something true."""
    until = time.monotonic() + longest_s
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(every_s)
