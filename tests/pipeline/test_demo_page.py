"""The page to play with, in a browser: speech to a film, a painted span made anew, and what is wrong."""

from __future__ import annotations

import json
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from roster import load_roster
from safetensors.torch import load_file
from scipy.io import wavfile

import rgx
from rgx.errors import InputError
from rgx.gesture.demo.playing import HOST, make_player
from rgx.gesture.demo.workshop import Workshop
from rgx.gesture.model.gesture_model import GestureModel
from rgx.gesture.types import SAMPLE_RATE_HZ
from rgx.local_server import open_port
from rgx.store.artifacts import artifact_folder
from rgx.store.runs import read_run

pytest.importorskip("starlette", reason="needs the extra study")
pytest.importorskip("uvicorn", reason="needs the extra study")
sys.path.insert(0, str(Path(__file__).parent))
from served import served
from test_page_browser import CHROMIUM, DRIVER, OPTIONS, PHONE, emulate, until

pytestmark = pytest.mark.slow
MICROPHONE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


@pytest.fixture(scope="module")
def workshop(finished: Path) -> Iterator[Workshop]:
    """The tiny model with a folder of its own."""
    load_roster()
    model = rgx.load("little:3b/+distill", GestureModel, store=finished, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        yield Workshop(model, Path(folder))


@pytest.fixture(scope="module")
def address(workshop: Workshop) -> Iterator[str]:
    with served(make_player(workshop)) as address:
        yield address


@pytest.fixture(scope="module")
def speech(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a clip's speech, beside a file of text that says it is one."""
    corpus = artifact_folder(finished, "corpus", read_run(finished, "little").rows[0].stages["corpus"])
    waveform = load_file(corpus / "arrays.safetensors")["waveform"][-2 * SAMPLE_RATE_HZ :].numpy()
    folder = tmp_path_factory.mktemp("speech")
    wavfile.write(folder / "a.wav", SAMPLE_RATE_HZ, waveform)
    (folder / "text.wav").write_text("This is no sound. " * 50)
    return folder / "a.wav"


def reply(address: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Return a reply's status, and its content or what is wrong; body: a message that goes along."""
    request = urllib.request.Request(address, None if body is None else json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        return error.code, json.loads(text)["error"] if text.startswith("{") else text


def test_what_is_wrong_is_one_line_and_nothing_of_it_stays(address: str, workshop: Workshop) -> None:
    assert reply(f"{address}/work", {}) == (422, "no speech: choose a file, or record some")
    assert reply(f"{address}/work", {"speech": "none"}) == (
        422,
        "that speech is no more there: bring it again",
    )
    status, text = reply(f"{address}/work", {"speech": "none", "stepps": 3})
    assert status == 422 and "stepps" in text and "\n" not in text
    assert reply(f"{address}/work", {}, origin="http://elsewhere.example")[0] == 403
    assert reply(f"{address}/work", host="elsewhere.example")[0] == 400
    assert reply(f"{address}/takes/none.mp4")[0] == 404
    with pytest.raises(InputError, match="give another, or port 0 for any that is free"):
        open_port(HOST, int(address.rsplit(":", 1)[1]))
    assert not list(workshop.folder.iterdir()) and workshop.work is None


@pytest.fixture
def browser() -> Iterator[Any]:
    """Start a browser with a microphone that beeps."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, *MICROPHONE):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def test_a_film_is_made_and_a_span_of_it_made_anew(
    address: str, browser: Any, workshop: Workshop, speech: Path
) -> None:
    def at(name: str) -> Any:
        return browser.find_element("id", name)

    emulate(browser, PHONE, "dark")
    browser.get(address)
    assert browser.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0
    assert "no animator, so no picture moves" in at("no-portrait").text
    unlabelled = (
        "return [...document.querySelectorAll('input, select')].filter((x) => !x.labels.length).length"
    )
    assert browser.execute_script(unlabelled) == 0
    at("generate").send_keys("\ue007")
    until(lambda: at("error").text == "no speech: choose a file, or record some")

    at("speech").send_keys(str(speech.with_name("text.wav")))
    at("generate").send_keys("\ue007")
    until(lambda: at("error").text.startswith("text.wav: unreadable as sound"))

    at("speech").send_keys(str(speech))
    at("speaker").send_keys("puppet_b")
    at("generate").send_keys("\ue007")
    until(lambda: at("state").text == "Done.")
    (first,) = workshop.takes.values()
    assert at("error").text == "" and first.label == "puppet_b, seed 0"
    until(lambda: browser.execute_script("return document.getElementById('film').readyState >= 2"))
    assert browser.execute_script("return document.getElementById('film').duration") == pytest.approx(
        2, abs=0.1
    )

    paint(browser, 0.25, 0.75)
    assert [float(at(name).get_attribute("value")) for name in ("begin", "end")] == pytest.approx(
        [0.5, 1.5], abs=0.05
    )
    at("end").send_keys("\ue012")  # the arrow to the left: a frame less
    begin, end = (round(float(at(name).get_attribute("value")) * 25) for name in ("begin", "end"))
    at("seed").send_keys("7")
    at("again").send_keys("\ue007")
    until(lambda: at("state").text == "Done." and len(workshop.takes) == 2)
    second = list(workshop.takes.values())[1]
    changed = (first.motion.points != second.motion.points).flatten(1).any(1)
    assert set(np.flatnonzero(changed)) == set(range(begin, end)), second.label

    at("record").send_keys("\ue007")
    until(lambda: at("record").text == "Stop recording")
    browser.execute_async_script("setTimeout(arguments[0], 1200)")
    at("record").send_keys("\ue007")
    until(lambda: "Recorded" in at("recorded").text)
    at("generate").send_keys("\ue007")
    until(lambda: at("error").text or len(workshop.takes) == 3)
    assert at("error").text == "" and list(workshop.takes.values())[2].seconds > 0.5
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in sent if e["method"] == "Network.requestWillBeSent"]
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    severe = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not [message for message in severe if "status of 422" not in message]


def paint(browser: Any, first: float, last: float) -> None:
    """Drag over a share of the timeline."""
    from selenium.webdriver import ActionChains

    line = browser.find_element("id", "timeline")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", line)
    width = line.size["width"]
    start, way = round((first - 0.5) * width), round((last - first) * width)
    ActionChains(browser, duration=20).move_to_element_with_offset(
        line, start, 0
    ).click_and_hold().move_by_offset(way, 0).release().perform()
