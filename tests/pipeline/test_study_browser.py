"""A rater in a browser: from consent to the last answer, with keys only, on a phone, coming back later."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from test_page_browser import CHROMIUM, DRIVER, OPTIONS, PHONE, emulate, until
from test_study_make import STUDY, lay_out, silent
from test_study_server import free_port, server

from rgx.study.answers import read_answers
from rgx.study.kit import Kit, make_kit, open_kit

pytestmark = pytest.mark.slow
FEW = {
    "raters": 2,
    "conditions": {"Recorded": {"folder": "recorded"}, "Beta": {"folder": "b"}},
    "questions": {
        "mos": STUDY["questions"]["mos"] | {"items": 2},
        "sync": STUDY["questions"]["sync"] | {"items": 2, "conditions": []},
    },
    "checks": {"training": 1, "traps": 0, "repeats": 0},
}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Return a study of two sessions with five items each."""
    folder = tmp_path_factory.mktemp("browsed")
    make_kit(lay_out(folder, STUDY | FEW), folder / "store", folder / "out", silent)
    return open_kit(folder / "out")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start a browser that writes down what it asks for and saves files without asking."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, "--lang=en"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def one(driver: Any, selector: str) -> Any:
    """Return the element that a selector finds, or None."""
    return next(iter(driver.find_elements("css selector", selector)), None)


def watch_and_answer(driver: Any, place: int = 3) -> None:
    """Play an item's videos to their end and choose an answer, with the keyboard only."""
    choices = one(driver, "#choices")
    assert choices.get_attribute("disabled") and one(driver, "#next").get_attribute("disabled")
    for button in driver.find_elements("css selector", "button.play"):
        button.send_keys("\ue007")
        video = "return arguments[0].parentElement.querySelector('video').ended"
        until(lambda: driver.execute_script(video, button))  # noqa: B023
    until(lambda: not choices.get_attribute("disabled"))
    radios = choices.find_elements("css selector", "input")
    radios[min(place, len(radios) - 1)].send_keys(" ")
    button = one(driver, "#next")
    until(lambda: button.is_enabled())
    question = one(driver, "#question")
    button.send_keys("\ue007")
    until(lambda: one(driver, "#question") != question)


def asked_for(driver: Any) -> str:
    """Return all addresses the browser asked for and all that it sent since the last look."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [e["params"]["request"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return "\n".join(map(json.dumps, sent))


def test_a_rater_answers_leaves_and_comes_back(kit: Kit, browser: Any) -> None:
    port, token = free_port(), next(iter(kit.items))
    address = f"http://127.0.0.1:{port}/s/{token}"
    emulate(browser, PHONE, "light")
    with server(kit, port):
        browser.get(address)
        assert "Before you begin" in browser.page_source and one(browser, "#choices") is None
        for value, said in (("de", "Bevor Sie beginnen"), ("en", "Before you begin")):
            browser.execute_script(
                "const s = document.getElementById('language'); s.value = arguments[0];"
                "s.dispatchEvent(new Event('change'))", value,
            )  # fmt: skip
            assert said in browser.find_element("css selector", "h1").text
            assert browser.execute_script("return document.documentElement.lang") == value
        one(browser, "#begin").send_keys("\ue007")
        until(lambda: one(browser, "#choices"))
        wide = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0
        browser.execute_script("document.querySelector('video').currentTime = 0.7")
        time.sleep(0.3)
        assert one(browser, "#choices").get_attribute("disabled")
        watch_and_answer(browser)
        watch_and_answer(browser)
        until(lambda: len(read_answers(kit).by_item) == 2)
    watch_and_answer(browser)  # the server is away: kept in the browser
    with server(kit, port):
        browser.get(address)
        until(lambda: len(read_answers(kit).by_item) == 3)
        browser.execute_script("localStorage.clear()")  # another browser, later
        browser.get(address)
        one(browser, "#begin").send_keys("\ue007")
        until(lambda: one(browser, "#choices"))
        assert one(browser, "#progress-text").text == "3 of 5"
        watch_and_answer(browser)
        watch_and_answer(browser, 0)
        until(lambda: "arrived" in one(browser, "#sent").text)
    answers = read_answers(kit)
    assert len(answers.by_item) == 5 and answers.problems == []
    assert all(answer.watched and answer.seconds < 20 for answer in answers.by_item.values())
    network = asked_for(browser)
    assert token in network
    assert not [name for name in ("Recorded", "Beta", "recorded", "mismatch") if name in network]
    severe = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not [message for message in severe if "ERR_CONN" not in message]


def test_a_page_sent_as_a_file_saves_its_answers(kit: Kit, browser: Any, tmp_path: Path) -> None:
    tmp_path.joinpath("saved").mkdir()
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path / "saved")}
    )
    emulate(browser, (1280, 900), "light")
    browser.get((kit.folder / "pages" / "002.html").as_uri())
    one(browser, "#begin").click()
    for place in range(5):
        until(lambda: one(browser, "#choices"))
        watch_and_answer(browser, place)
    one(browser, "#save").click()
    saved = until(lambda: next(iter((tmp_path / "saved").glob("*.json")), None))
    shutil.copy(saved, kit.folder / "answers")
    answers = read_answers(kit)
    own = [answer for (token, _), answer in answers.by_item.items() if token == list(kit.items)[1]]
    assert len(own) == 5 and answers.problems == [] and all(answer.watched for answer in own)
    assert "http" not in asked_for(browser).replace("http://www.w3.org", "")
