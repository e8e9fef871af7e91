"""Fifty raters at once, whose server is killed meanwhile: what it said it keeps is there, and all arrives."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import raters

from rgx.study.answers import read_answers
from rgx.study.kit import Kit, make_kit, open_kit

pytest.importorskip("starlette", reason="needs the extra study")
pytest.importorskip("uvicorn", reason="needs the extra study")
sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from test_study_make import STUDY, lay_out, silent

RATERS = 50
LITTLE = {
    "raters": RATERS,
    "conditions": {"Recorded": {"folder": "recorded"}, "Beta": {"folder": "b"}},
    "questions": {"mos": STUDY["questions"]["mos"] | {"items": 2}},
    "checks": {"training": 0, "traps": 1, "repeats": 0},
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Return a study of fifty short sessions."""
    folder = tmp_path_factory.mktemp("served")
    make_kit(lay_out(folder, STUDY | LITTLE), folder / "store", folder / "out", silent)
    return open_kit(folder / "out")


@contextlib.contextmanager
def server(kit: Kit, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command until the block ends, from when it answers on."""
    command = [sys.executable, "-m", "rgx", "study", "serve", str(kit.folder), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def post(port: int, token: str, content: Any) -> tuple[int, str]:
    """Return the status and the text of a reply; OSError where nobody answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/s/{token}/answers", json.dumps(content).encode(), method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from None


def test_fifty_at_once_lose_nothing_though_the_server_is_killed(kit: Kit) -> None:
    port, acknowledged = free_port(), set()

    def rate(place: int, token: str) -> None:
        for answer in raters.answers_of(kit, token, place):
            for _ in range(600):
                with contextlib.suppress(OSError):
                    status, text = post(port, token, {"answers": [answer]})
                    assert status == 200, text
                    acknowledged.update((token, item) for item in json.loads(text)["kept"])
                    break
                time.sleep(0.05)

    people = [threading.Thread(target=rate, args=own) for own in enumerate(kit.items)]
    with server(kit, port) as process:
        for person in people:
            person.start()
        while len(acknowledged) < RATERS // 2:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        before = set(acknowledged)
    assert before <= read_answers(kit).by_item.keys()
    with server(kit, port):
        for person in people:
            person.join()
        answers = read_answers(kit)
        assert answers.by_item.keys() == {(t, item) for t, items in kit.items.items() for item in items}
        assert answers.problems == []
        refuses_what_is_none(kit, port)


def refuses_what_is_none(kit: Kit, port: int) -> None:
    """Check that the server says what is wrong, keeps the first of two answers, and gives nothing away."""
    token = next(iter(kit.items))
    name, item = next((name, item) for name, item in kit.items[token].items() if item.role == "proper")
    first = read_answers(kit).by_item[token, name].value
    assert post(port, token, {"answers": [raters.answer(name, 6)]})[0] == 422
    assert post(port, token, {"answers": [raters.answer("none", 3)]})[0] == 422
    assert post(port, "nobody", {"answers": []})[0] == 404
    assert post(port, token, {"answers": [raters.answer(name, 1 + int(first) % 5)]})[0] == 200
    answers = read_answers(kit)
    assert answers.by_item[token, name].value == first
    assert answers.problems == [f"answers.sqlite: item {name} was answered again; the first counts"]
    for path in ("/key.json", "/v/..%2fkey.json", "/s/nobody", "/", "/v/key.json", "/openapi.json"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/s/{token}") as reply:
        page = reply.read().decode()
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert set(data["given"]) == set(kit.items[token])
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{data['items'][0]['videos'][0]}", headers={"Range": "bytes=0-9"}
    )
    with urllib.request.urlopen(request) as reply:
        assert reply.status == 206 and len(reply.read()) == 10
        assert "recorded" not in str(reply.headers).lower()
    assert item.condition not in page


def test_a_port_in_use_is_told_in_a_line_before_any_link(kit: Kit) -> None:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.listen()
        port = own.getsockname()[1]
        command = [sys.executable, "-m", "rgx", "study", "serve", str(kit.folder), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"error: 127.0.0.1, port {port}: Address already in use: give another")
