"""Each stage in a fresh process of a fork server: isolated, told of when it dies, gone with who asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from little import LITTLE, ROOT
from nodes import wait_for

from rgx.run.fork_server import FORKS, DiedError, ForkServer
from rgx.store.artifacts import read_json, running_folder
from rgx.store.manifests import intact
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FORKS, reason="only Linux forks safely with torch loaded"),
]
ASKER = """\
import json, sys
from rgx.run.fork_server import ForkServer
ForkServer().run(json.loads(sys.stdin.read()))
"""


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    made = ForkServer()
    yield made
    made.process.kill()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a worker is told of the first stage of the little sweep."""
    file = tmp_path_factory.mktemp("fork_server") / "little.yaml"
    file.write_text(LITTLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        plan = make_plan(read_sweep(file, Overrides(only=["3b/baseline"])))
    return next(task for task in plan.tasks.values() if task.stage == "corpus").message()


def asked(corpus: dict[str, Any], store: Path, plugin: str = "") -> dict[str, Any]:
    """Return a request for that stage, which first imports a plugin of this text."""
    task = {**corpus, "plugins": [["planted", plugin]] if plugin else []}
    return {"task": task, "store": str(store), "folder": str(ROOT), "device": "cpu"}


def test_a_stage_is_made_once_and_found_after(
    fork_server: ForkServer, corpus: dict[str, Any], tmp_path: Path
) -> None:
    assert fork_server.run(asked(corpus, tmp_path)) == {"made": "made"}
    assert intact(tmp_path, "corpus", corpus["key"])
    assert fork_server.run(asked(corpus, tmp_path)) == {"made": "found"}


def test_a_stage_meets_nothing_of_the_one_before(
    fork_server: ForkServer, corpus: dict[str, Any], tmp_path: Path
) -> None:
    leave = "import sys, os\nassert not hasattr(sys, 'left'), 'met'\nsys.left = os.environ['LEFT'] = 'left'\n"
    for store in ("one", "two"):
        look = leave + "open('/dev/null').close()\nassert len(os.environ['LEFT']) == 4"
        assert fork_server.run(asked(corpus, tmp_path / store, look)) == {"made": "made"}


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_a_death_is_told_and_the_next_stage_goes_on(
    fork_server: ForkServer, corpus: dict[str, Any], tmp_path: Path, name: str
) -> None:
    die = f"import os, signal\nos.kill(os.getpid(), signal.{name})"
    with pytest.raises(DiedError, match=f"ended by {name}"):
        fork_server.run(asked(corpus, tmp_path, die))
    assert fork_server.run(asked(corpus, tmp_path)) == {"made": "made"}


def test_an_exit_of_its_own_is_a_death_too(
    fork_server: ForkServer, corpus: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(DiedError, match="ended by itself"):
        fork_server.run(asked(corpus, tmp_path, "import os\nos._exit(0)"))


def test_what_a_stage_started_ends_with_it(
    fork_server: ForkServer, corpus: dict[str, Any], tmp_path: Path
) -> None:
    place = tmp_path / "process.txt"
    linger = (
        "import os, pathlib, signal, time\n"
        "left = os.fork()\n"
        "if left == 0:\n"
        "    time.sleep(600)\n"
        "    os._exit(0)\n"
        f"pathlib.Path({str(place)!r}).write_text(str(left))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    with pytest.raises(DiedError):
        fork_server.run(asked(corpus, tmp_path, linger))
    wait_for(lambda: not lives(int(place.read_text())))


def test_an_error_is_told_with_its_reason(
    fork_server: ForkServer, corpus: dict[str, Any], tmp_path: Path
) -> None:
    told = fork_server.run(asked(corpus, tmp_path, "raise ValueError('out of luck')"))
    assert told == {"made": "failed", "reason": "planted.py:1: ValueError: out of luck"}
    failure = read_json(running_folder(tmp_path, "corpus", corpus["key"]) / "failure.json")
    assert failure is not None and failure["reason"] == told["reason"]


def test_a_stage_ends_with_the_process_that_asked(corpus: dict[str, Any], tmp_path: Path) -> None:
    place = tmp_path / "process.txt"
    hang = (
        "import os, pathlib, time\n"
        f"pathlib.Path({str(place)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(600)"
    )
    asker = subprocess.Popen([sys.executable, "-c", ASKER], stdin=subprocess.PIPE, text=True, cwd=ROOT)
    assert asker.stdin is not None
    asker.stdin.write(json.dumps(asked(corpus, tmp_path, hang)))
    asker.stdin.close()
    wait_for(lambda: place.is_file() and place.read_text() != "")
    stage = int(place.read_text())
    assert lives(stage)
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    wait_for(lambda: not lives(stage))


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_sigterm_reaches_the_stage_through_its_fork_server_and_is_told(
    corpus: dict[str, Any], tmp_path: Path
) -> None:
    ask = "import os, signal, time\nos.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(60)"
    fork_server = ForkServer()
    try:
        with pytest.raises(DiedError, match="ended by SIGTERM"):
            fork_server.run(asked(corpus, tmp_path, ask))
        assert not (running_folder(tmp_path, "corpus", corpus["key"]) / "failure.json").exists()
        assert fork_server.run(asked(corpus, tmp_path)) == {"made": "made"}
    finally:
        fork_server.process.kill()
