"""Which Ray a sweep runs on: a wrong address, a wrong token, a long folder and `uv run` are each met once."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from little import ONE_WORKER, ROOT, manifests
from nodes import OURS, TOKEN, Cluster, Run, cluster, free_port

from rgx.errors import InputError
from rgx.run.ray_start import check_address

pytestmark = pytest.mark.xdist_group("ray clusters")
DRAWN = """\
name: drawn
config: [gin/realistic_gesture.gin]
scale: tiny
bind:
  corpus.puppets.speakers: 1
  corpus.puppets.train_clips: 1
  corpus.puppets.test_clips: 1
  corpus.puppets.dev_clips: 0
  corpus.puppets.clip_s: 4.0
targets: {p: [frames]}
panels: {p: {a: {}}}
"""
UNTOLD = dict.fromkeys(("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"), "")
"""Ray takes what is empty for what is not there."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}


def start(folder: Path, *options: str, **environment: str) -> Run:
    """Sweep two short stages, with a home folder of their own."""
    file = folder / "drawn.yaml"
    file.write_text(DRAWN)
    (folder / "home").mkdir(exist_ok=True)
    everything = {**UNTOLD, **ONE_WORKER, **QUIET, "HOME": str(folder / "home"), **environment}
    return Run(file, folder / "store", *options, environment=everything)


@pytest.fixture
def closed() -> str:
    """An address that was just listened at, and is no longer."""
    return f"127.0.0.1:{free_port()}"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["--address", "RAY_ADDRESS"])
def test_a_closed_port_is_told_in_one_line_within_ten_seconds(tmp_path: Path, closed: str, way: str) -> None:
    began = time.monotonic()
    run = start(tmp_path, way, closed) if way == "--address" else start(tmp_path, RAY_ADDRESS=closed)
    assert run.wait(60) == 2
    assert time.monotonic() - began < 10 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    where = f"--address {closed}" if way == "--address" else f"RAY_ADDRESS={closed}"
    assert run.printed.read_text().splitlines() == [
        f"joins the Ray cluster of {where} (--address local starts one here)",
        f"error: {where}: no Ray cluster could be joined there: Connection refused ({closed})",
    ]
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_an_address_for_another_engine_is_refused(tmp_path: Path, closed: str) -> None:
    run = start(tmp_path, "--address", closed, "--engine", "inline")
    assert run.wait(60) == 2
    assert run.text == f"error: --address {closed} needs --engine ray"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("head", "expected host:port, such as 10.0.0.1:6379, or auto"),
        ("head:http", "expected host:port, such as 10.0.0.1:6379, or auto"),
        ("http://127.0.0.1:8265", "expected host:port of its head, not of a dashboard or Ray Client"),
        ("no.such.machine.invalid:6379", r"no.such.machine.invalid:6379"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(address: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"--address.*: no Ray cluster could be joined there: .*{reason}"):
        check_address(address, f"--address {address}")


def test_another_server_is_not_taken_for_ray() -> None:
    server = HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(InputError, match="is not Ray"):
        check_address(f"127.0.0.1:{server.server_port}", "--address")
    server.shutdown()


def test_one_that_never_answers_is_given_five_seconds() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(InputError, match="no answer from .* within 5 s"):
            check_address(f"127.0.0.1:{silent.getsockname()[1]}", "--address")
        assert time.monotonic() - began < 8


@pytest.mark.slow
def test_two_nodes_let_in_who_has_their_token(tmp_path: Path, nodes: Cluster) -> None:
    run = start(tmp_path, RAY_ADDRESS=nodes.address, **OURS)
    assert run.wait() == 0, run.text
    assert f"joins the Ray cluster of RAY_ADDRESS={nodes.address}" in run.text
    assert sorted(m["stage"] for m in manifests(tmp_path / "store").values()) == ["corpus", "frames"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({**OURS, "RAY_AUTH_TOKEN": secrets.token_hex(32)}, "it refuses this token, which Ray reads from"),
        (
            {"RAY_AUTH_MODE": "disabled"},
            "it asks for a token: set RAY_AUTH_MODE=token, with the cluster's in",
        ),
        ({"RAY_AUTH_MODE": "token"}, "RAY_AUTH_MODE is token, and there is none in"),
    ],
)
def test_a_wrong_token_is_refused_in_one_line(
    tmp_path: Path, nodes: Cluster, environment: Mapping[str, str], reason: str
) -> None:
    run = start(tmp_path, "--address", nodes.address, **environment)
    assert run.wait(60) == 2
    printed = run.printed.read_text().splitlines()
    assert [line for line in printed[1:] if not line.startswith("too little data")] == [
        f"error: --address {nodes.address}: no Ray cluster could be joined there: {reason} "
        "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token"
    ]


@pytest.mark.slow
def test_without_tokens_all_works_too(tmp_path: Path) -> None:
    off = {**UNTOLD, **QUIET, "RAY_AUTH_MODE": "disabled"}
    with cluster(0, off) as open_to_all:
        open_to_all.wait(1)
        run = start(tmp_path, "--address", open_to_all.address, RAY_AUTH_MODE="disabled")
        assert run.wait() == 0, run.text


@contextlib.contextmanager
def long_folder() -> Iterator[Path]:
    """Make a folder whose path has 120 letters."""
    top = Path(tempfile.mkdtemp(prefix="rgx-", dir="/tmp"))
    deep = top / ("x" * (119 - len(str(top))))
    deep.mkdir()
    assert len(str(deep)) == 120
    yield deep
    shutil.rmtree(top)


def started_by_uv_run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Sweep below a process that looks like `uv run`, in a folder larger than the 512 MiB that Ray packs."""
    with (folder / "store_like.bin").open("wb") as large:
        large.truncate(650_000_000)
    (folder / "drawn.yaml").write_text(DRAWN)
    command = [sys.executable, "-m", "rgx", "sweep", "drawn.yaml", "--no-report", "--store", "store"]
    (folder / "run").write_text(f"import subprocess, sys\nsys.exit(subprocess.call({[*command, *options]}))")
    return subprocess.run(
        ["uv", "run"], executable=sys.executable, cwd=folder, capture_output=True, text=True, timeout=300,
        env={**os.environ, **ONE_WORKER, **QUIET, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


@dataclass
class Alone:
    """What a sweep on a Ray of its own said and left: in its folder and in its temporary one."""

    text: str
    folder: Path
    temporary: Path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    """One sweep with all that stands in a Ray's way: `uv run`, a long temporary folder, another's address."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "home").mkdir()
    closed = {"RAY_ADDRESS": f"127.0.0.1:{free_port()}"}
    with long_folder() as temporary:
        own = {"HOME": str(folder / "home"), "TMPDIR": str(temporary)}
        done = started_by_uv_run(folder, "--address", "local", **{**UNTOLD, **closed, **own})
        assert done.returncode == 0, done.stdout + done.stderr
        yield Alone(done.stdout + done.stderr, folder, temporary)


@pytest.mark.slow
def test_a_ray_of_its_own_is_closed_to_others_and_leaves_no_token_behind(alone: Alone) -> None:
    """As Ray does by itself where nothing is set, and without a word of a cluster."""
    assert "cluster" not in alone.text
    assert not (alone.folder / "home" / ".ray").exists()


@pytest.mark.slow
def test_a_long_temporary_folder_is_used_by_a_short_name(alone: Alone) -> None:
    assert list((alone.temporary / "ray").glob("session_*"))
    links = [link for link in Path("/tmp").glob("rgx-*/t") if link.is_symlink()]
    assert alone.temporary not in [link.readlink() for link in links]


@pytest.mark.slow
def test_a_sweep_started_by_uv_run_packs_nothing(alone: Alone) -> None:
    assert len(manifests(alone.folder / "store")) == 2


@pytest.mark.slow
def test_all_that_ray_says_is_shown_and_no_advice_that_cannot_help(tmp_path: Path) -> None:
    with long_folder() as temporary:
        run = start(tmp_path, RAY_TMPDIR=str(temporary))
        assert run.wait(60) == 2
    assert "error: Ray could not start on this machine: " in run.text
    assert "AF_UNIX path length cannot exceed 107 bytes" in run.text
    assert run.text.endswith("--engine inline does without Ray")
    assert "same command" not in run.text and "Traceback" not in run.text


@pytest.mark.slow
def test_as_asked_it_packs_and_what_ray_says_of_it_is_told_whole(tmp_path: Path) -> None:
    done = started_by_uv_run(tmp_path, **TOKEN, RAY_ENABLE_UV_RUN_RUNTIME_ENV="1")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Failed to set up runtime environment." in done.stderr
    assert "exceeds the maximum size of 512.00MiB" in done.stderr
    assert "same command" not in done.stderr and "Traceback" not in done.stderr
