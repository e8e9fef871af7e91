"""The live page beside a store: its facts, its orders, and the page in a browser while a stage runs."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from little import ROOT
from served import served
from test_page_browser import PHONE, WIDE, emulate, started, until  # noqa: F401

from rgx.errors import InputError
from rgx.live.artifact_view import MOST_POINTS, curve
from rgx.live.orders import CANCELLED, cancel
from rgx.live.overview import Overview
from rgx.live.serving import make_live
from rgx.store.artifacts import running_folder
from rgx.store.keys import short
from rgx.store.manifests import Manifests
from rgx.store.runs import read_run

HOLDER = """
import sys, time
from pathlib import Path
from rgx.store.lease import Lease
with Lease(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
"""A process that holds a stage's lease, and does nothing that would save it from SIGTERM."""


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "store", symlinks=True))


@pytest.fixture
def running(store: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Put the residual generator under way again; gives the process that holds it, and its key."""
    key = short(Overview(store).artifacts("little", "residual")[0]["key"])
    folder = running_folder(store, "residual", key)
    shutil.move(store / "residual" / key, folder)
    (folder / "manifest.json").unlink()
    (folder / "log.txt").write_text(f"{time.strftime('%Y-%m-%d %H:%M:%S')} start residual\n")
    (folder / "progress.json").write_text(json.dumps({"done": 1, "total": 3, "values": {"loss": 2.0}}))
    # As it stands while a line is being written.
    (folder / "curve.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.5}\n{"step": 3, "lo')
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process, key
    process.kill()
    process.wait()


@pytest.fixture
def address(store: Path) -> Iterator[str]:
    sweep = store.parent / "little.yaml"
    report = store.parent / "reports" / "little.yaml"
    report.parent.mkdir()
    sweep.write_text("name: little\n")
    panel = "  3b: {caption: Rows., columns: [fgd, pcm], ours: +distill}\n"
    report.write_text(f"sweep: little.yaml\npanels:\n{panel}")
    with served(make_live(store, [sweep])) as address:
        yield address


def reply(address: str, method: str = "GET", **headers: str) -> tuple[int, Any, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, method=method, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read()), answer.headers["etag"]
    except urllib.error.HTTPError as error:
        body = error.read()
        return error.code, json.loads(body) if body.startswith(b"{") else body, error.headers["etag"] or ""


def test_a_finished_sweep_is_whole_and_knows_what_its_stages_are_made_of(finished: Path) -> None:
    now = Overview(finished).now()
    (sweep,) = now["sweeps"]
    assert now["running"] == [] and sweep["cells_done"] == sweep["cells"] == 2
    assert all(stage["done"] == stage["total"] > 0 for stage in sweep["stages"])
    after = {stage["stage"]: set(stage["after"]) for stage in sweep["stages"]}
    assert after["corpus"] == set() and {"corpus", "tokenizer"} <= after["generator"]
    keys = {short(row.stages["generator"]) for row in read_run(finished, "little").rows}
    artifacts = Overview(finished).artifacts("little", "generator")
    assert {each["key"] for each in artifacts} == keys and {each["state"] for each in artifacts} == {
        "finished"
    }


def test_what_runs_is_told_and_ends_when_asked(
    store: Path, running: tuple[subprocess.Popen[str], str]
) -> None:
    process, key = running
    (under_way,) = Overview(store).now()["running"]
    assert (under_way["stage"], under_way["done"], under_way["total"]) == ("residual", 1, 3)
    assert under_way["held"] and under_way["rows"] == ["little:3b/+distill"]
    cancel(store, "residual", key)
    assert process.wait(20) == -signal.SIGTERM
    with pytest.raises(InputError, match="does not run on this machine"):
        cancel(store, "residual", key)
    # What is found so has failed for a sweep, which does not begin it again by itself.
    (ended,) = Overview(store).now()["running"]
    assert not ended["held"] and ended["state"] == f"failed: {CANCELLED}"


def test_the_lease_of_a_number_that_is_another_process_now_is_nobodys(
    store: Path, running: tuple[subprocess.Popen[str], str]
) -> None:
    process, key = running
    path = running_folder(store, "residual", key) / "lease.json"
    lease = json.loads(path.read_text())
    path.write_text(json.dumps(lease | {"started": "1"}))
    with pytest.raises(InputError, match="does not run"):
        cancel(store, "residual", key)
    assert process.poll() is None


def test_a_curve_is_thinned_to_what_a_screen_shows_and_keeps_its_ends(tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    path.write_text("".join(json.dumps({"step": n, "loss": 1 / n}) + "\n" for n in range(1, 10_001)))
    points = curve(path)["loss"]
    assert len(points) <= MOST_POINTS + 1
    assert points[0] == (1.0, 1.0) and points[-1] == (10_000.0, 1e-4)
    path.write_text('{"step": 1, "loss": NaN}\n[]\n{"loss": 1}\n\n{"step": 2, "dev": 3}\n')
    assert curve(path) == {"dev": [(2.0, 3.0)]} and curve(tmp_path / "none") == {}


def test_what_has_not_changed_is_not_sent_again(address: str) -> None:
    status, _, tag = reply(f"{address}/state")
    assert status == 200
    assert reply(f"{address}/state", if_none_match=tag)[:2] == (304, b"")


def test_orders_come_from_the_page_alone(
    address: str, store: Path, running: tuple[subprocess.Popen[str], str]
) -> None:
    process, key = running
    order = f"{address}/cancel/residual/{key}"
    assert reply(order, "POST")[0] == 403 and reply(order)[0] == 405
    assert reply(f"{address}/state", host="elsewhere.example")[0] == 400
    assert process.poll() is None
    with urllib.request.urlopen(address) as answer:
        token = json.loads(answer.read().decode().partition('id="facts">')[2].partition("</script>")[0])[
            "token"
        ]
    status, said, _ = reply(f"{address}/rerun/residual/{key}", "POST", x_token=token)
    assert status == 409 and "cancel it first" in said["error"]
    for wrong in ("..%2Frunning/0123456789abcdef", "residual/0123", "none/0123456789abcdef"):
        assert reply(f"{address}/artifact/{wrong}")[0] == 404
    judge = Overview(store).artifacts("little", "judge")[0]["key"]
    assert reply(order, "POST", x_token=token)[0] == 202
    assert process.wait(20) == -signal.SIGTERM
    assert Manifests(store).has("judge", judge)


def test_a_store_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no store"):
        make_live(tmp_path / "none")


@pytest.mark.slow
def test_the_page_follows_a_store(
    started: Any,  # noqa: F811
    address: str,
    store: Path,
    running: tuple[subprocess.Popen[str], str],
) -> None:
    process, _ = running

    def text(selector: str) -> str:
        return " ".join(element.text for element in started.find_elements("css selector", selector))

    started.get_log("browser")
    emulate(started, PHONE, "dark")
    started.get(address)
    until(lambda: "1 running" in text("#sum"))
    assert started.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0
    assert "1/3" in text("#running .card") and "of 2 cells" in text(".sweep")
    emulate(started, WIDE, "light")
    started.find_element("css selector", ".sweep details summary").click()
    until(lambda: "FGD" in text(".tables table thead"))
    assert "+distill" in text(".tables table")
    started.find_element("css selector", "#running button").click()
    until(lambda: started.find_element("id", "detail").is_displayed())
    assert "loss 1.500 at step 2" in text("#curves figcaption") and "start residual" in text("#log")
    assert started.find_element("id", "cancel").is_displayed()
    assert not started.find_element("id", "rerun").is_displayed()
    started.find_element("id", "cancel").click()
    started.switch_to.alert.accept()
    assert process.wait(20) == -signal.SIGTERM
    until(lambda: "0 running" in text("#sum") and started.find_element("id", "rerun").is_displayed())
    started.find_element("id", "close").click()
    until(lambda: CANCELLED in text("#running .card"))
    unlabelled = (
        "return [...document.querySelectorAll('button, progress, table, [tabindex]')]"
        ".filter(e => !(e.ariaLabel || e.textContent.trim())).length"
    )
    assert started.execute_script(unlabelled) == 0
    assert [entry["message"] for entry in started.get_log("browser") if entry["level"] == "SEVERE"] == []
