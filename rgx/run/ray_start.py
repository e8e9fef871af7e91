"""Starting Ray here, or joining a cluster: which one, and what is told where that fails."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.methods import Package

SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ctrl-C must stop at once: there is no experiment state to save, only the store.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    # Tune's own cap counts all needs together: many waiting for a GPU would keep a CPU idle.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
LET_CHILDREN_LIVE = {"RAY_kill_child_processes_on_worker_exit": "false"}
"""A stage whose worker ends saves what it has, and then ends by itself."""
PACK_FOR_UV = "RAY_ENABLE_UV_RUN_RUNTIME_ENV"
"""Under `uv run` Ray would copy the working folder, with any store in it, to workers that have it already."""
HERE = "local"
ADDRESS = "RAY_ADDRESS"
ANSWER_S = 5.0
"""How long an address may take to answer, and then a cluster to let a driver in."""
LONGEST_FOLDER = 36
"""What a socket's path of 107 letters leaves for the folder that Ray's own names follow."""
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""What opens HTTP/2, which Ray's nodes speak: the preface and empty settings."""
SETTINGS_FRAME = 4
SLOW = ("timed out", "too long", "overloaded")
"""Words of Ray where a machine was busy, so that trying again may help."""
TOKEN_PLACES = "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token"

Say = Callable[[str], None]


def look_for_ray(address: str | None, say: Say) -> None:
    """Tell which cluster will be joined, if any; raises InputError where none can be, without importing Ray.

    address: host:port, `auto` for the cluster of this machine, or `local` to start one here; without one,
    RAY_ADDRESS is joined where it is set.
    """
    place, where = _asked(address)
    if where == HERE:
        return
    say(f"joins the Ray cluster of {place} (--address {HERE} starts one here)")
    if target := _of_this_machine() if where == "auto" else where:
        check_address(target, place)


def start_ray(address: str | None, methods: Iterable[Package] = (), say: Say = lambda line: None) -> int:
    """Start Ray here or join the cluster at an address, quietly, and return the number of CPUs.

    address: as above; methods: those that a cluster's nodes need. Raises InputError with Ray's reason.
    """
    os.environ.update(SETTINGS | LET_CHILDREN_LIVE)
    # Ray reads it once, when it is imported; who wants the copy may say so.
    os.environ.setdefault(PACK_FOR_UV, "0")
    import ray

    place, where = _asked(address)
    if ray.is_initialized():
        say(f"uses the Ray that this process has joined, {ray.get_runtime_context().gcs_address}")
    elif where == HERE:
        _start_here()
    else:
        _join(where, place, methods)
    return int(ray.cluster_resources().get("CPU", 1))


def environment_of(methods: Iterable[Package]) -> dict[str, Any]:
    """Return Ray's runtime environment for the nodes of a cluster: methods, for those without their folders.

    What is rgx's own, a node has with rgx; code of another digest a worker refuses.
    """
    tops = {Path(method.folder, method.name.partition(".")[0]) for method in methods}
    modules = sorted(str(top) for top in tops if top.name != "rgx")
    # An empty list of modules kills the workers of joined nodes without a word.
    return {"env_vars": LET_CHILDREN_LIVE, **({"py_modules": modules} if modules else {})}


def check_address(address: str, place: str) -> None:
    """Raise InputError where no Ray can be at host:port; place: who names it."""
    wrong = f"{place}: no Ray cluster could be joined there"
    if "://" in address:
        raise InputError(f"{wrong}: expected host:port of its head, not of a dashboard or Ray Client")
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 2**16):
        raise InputError(f"{wrong}: expected host:port, such as 10.0.0.1:6379, or auto")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_S) as connection:
            if not _speaks_http2(connection):
                raise InputError(f"{wrong}: what listens at {address} is not Ray")
    except TimeoutError:
        raise InputError(f"{wrong}: no answer from {address} within {ANSWER_S:g} s") from None
    except OSError as error:
        raise InputError(f"{wrong}: {error.strerror or error} ({address})") from None


def _asked(address: str | None) -> tuple[str, str]:
    """Return which Ray is asked for, as it is told and as it is; to Ray `auto` means RAY_ADDRESS too."""
    named = os.environ.get(ADDRESS)
    if named and address in (None, "auto"):
        return f"{ADDRESS}={named}", named
    return f"--address {address}", address or HERE


def _speaks_http2(connection: socket.socket) -> bool:
    if os.environ.get("RAY_USE_TLS", "0") not in ("0", ""):
        return True  # which one sees only with its certificates
    connection.sendall(HELLO)
    return connection.recv(4)[3:] == bytes([SETTINGS_FRAME])


def _start_here() -> None:
    import ray

    try:
        _take_own_token()
        with _short_folder():
            # Without an address Ray would join whatever cluster was left running on this machine.
            ray.init(HERE, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        # Ray raises a bare Exception where its processes take too long to start.
        reason = _words_of(error)
        again = "the same command may do better when the machine is less busy; "
        advice = again if any(word in reason.lower() for word in SLOW) else ""
        raise InputError(
            f"Ray could not start on this machine: {reason}\n{advice}--engine inline does without Ray"
        ) from None


def _join(address: str, place: str, methods: Iterable[Package]) -> None:
    import ray

    try:
        with _patience(ANSWER_S), _muted():
            ray.init(
                address, log_to_driver=False, logging_level=logging.ERROR,
                runtime_env=environment_of(methods),
            )  # fmt: skip
    except Exception as error:
        reason = _words_of(error)
        if "InvalidAuthToken" in reason or isinstance(error, ray.exceptions.AuthenticationError):
            reason = _about_token(reason)
        raise InputError(f"{place}: no Ray cluster could be joined there: {reason}") from None


def _of_this_machine() -> str:
    """Return the address that `auto` stands for, where it is known: as `ray.init` documents it."""
    file = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), "ray", "ray_current_cluster")
    with contextlib.suppress(OSError):
        return file.read_text().strip()
    return ""


def _about_token(reason: str) -> str:
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        return f"it asks for a token: set RAY_AUTH_MODE=token, with the cluster's in {TOKEN_PLACES}"
    if "InvalidAuthToken" in reason:
        return f"it refuses this token, which Ray reads from {TOKEN_PLACES}"
    return f"RAY_AUTH_MODE is token, and there is none in {TOKEN_PLACES}"


def _take_own_token() -> None:
    """Give the Ray of this process a token of its own, where the user has none.

    Ray would write one to the home folder, which two that start at once do over each other, and which closes
    the clusters that are started there afterwards to whoever joins them without.
    """
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if not named and not Path("~/.ray/auth_token").expanduser().exists():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


@contextlib.contextmanager
def _short_folder() -> Iterator[None]:
    """Have Ray reach a temporary folder of a long name by a short one, as sockets need it."""
    folder = tempfile.gettempdir()
    if os.environ.get("RAY_TMPDIR") or len(folder) <= LONGEST_FOLDER:
        yield
        return
    short = Path(tempfile.mkdtemp(prefix="rgx-", dir="/tmp"))
    link = short / "t"
    link.symlink_to(folder)

    def remove() -> None:
        link.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            short.rmdir()

    atexit.register(remove)
    with _set("RAY_TMPDIR", str(link)):
        yield


@contextlib.contextmanager
def _set(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        os.environ.update({name: before} if before is not None else {})


def _patience(seconds: float) -> contextlib.AbstractContextManager[None]:
    """Have Ray try so long, once a second, where a cluster does not let it in."""
    name = "RAY_gcs_server_port_wait_time_s"
    return contextlib.nullcontext() if name in os.environ else _set(name, f"{seconds:.0f}")


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Keep what Ray's C++ writes to stderr off the terminal: the exception says the same."""
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def _words_of(error: BaseException) -> str:
    """Return all that an error and its causes say, without the frames of a traceback."""
    texts: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause).strip() or type(cause).__name__
        before, frames, trace = text.partition("Traceback (most recent call last):")
        text = before + trace.strip().splitlines()[-1] if frames else text
        texts += [] if any(text in earlier for earlier in texts) else [text]
        cause = cause.__cause__
    return "\n".join(texts)
