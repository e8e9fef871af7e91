"""The page in a browser, opened as a file: it sorts, filters, plays, fits a phone, asks nobody anything."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import FIGURES, OURS, make

from rgx.gesture.video.files import write_mp4
from rgx.report.gather import gather
from rgx.report.render import render

pytestmark = pytest.mark.slow
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
OPTIONS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--autoplay-policy=no-user-gesture-required", "--mute-audio",
]  # fmt: skip
WIDE, PHONE = (1280, 900), (360, 740)


def film(path: Path) -> None:
    """Write two seconds of H.264 with sound."""
    shade = np.arange(64, dtype=np.uint8)[None, :, None] * np.ones((64, 1, 3), np.uint8)
    waveform = np.sin(np.arange(32_000) / 20).astype(np.float32) * 0.1
    write_mp4(path, (shade + np.uint8(n) for n in range(50)), waveform)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str, list[str]]:
    """Return the report's table, its page's address and the order of its rows."""
    root = tmp_path_factory.mktemp("browser")
    report, store = make(root, write=film, figures=FIGURES)
    render(report, store, root / "out")
    (table,) = gather(report, store).panels
    address = (root / "out" / "made" / "index.html").as_uri()
    return table, address, [table.label(row) for row in table.rows]


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    """Start a browser that writes down what it asks for and what it complains of."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(started: Any) -> Iterator[Any]:
    """Give the browser at a wide screen in light colours; fails for a complaint or a request to a network."""
    emulate(started, WIDE, "light")
    yield started
    assert [entry for entry in started.get_log("browser") if entry["level"] != "INFO"] == []
    events = [json.loads(entry["message"])["message"] for entry in started.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    # The pictures on a video's controls are the browser's own data.
    assert asked and [url for url in asked if not url.startswith(("file:", "data:image/svg"))] == []


def emulate(driver: Any, size: tuple[int, int], scheme: str) -> None:
    """Set the size of the screen in px and the system's colours."""
    screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size is PHONE}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def until(found: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until something is true, and return it."""
    end = time.monotonic() + seconds
    while not (held := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return held


def labels(driver: Any) -> list[str]:
    """Return the labels of the rows shown, from the top."""
    script = (
        "return [...document.querySelectorAll('tbody.rows tr')].filter(row => row.offsetParent !== null)"
        ".map(row => row.cells[0].firstChild.textContent)"
    )
    return list(driver.execute_script(script))


def paper(driver: Any) -> int:
    """Return how light the page's background is, from 0 to 255."""
    colour = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    return max(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))


def test_a_click_or_a_key_sorts(browser: Any, page: tuple[Any, str, list[str]]) -> None:
    table, address, original = page
    browser.get(address)
    assert labels(browser) == original
    for place, column in enumerate(table.columns):
        means = {table.label(row): cells[column].mean for row, cells in table.rows.items()}
        measured = [label for label in original if means[label] is not None]
        holes = [label for label in original if means[label] is None]
        up = sorted(measured, key=lambda label: means[label])
        head = browser.find_elements("css selector", "table.results thead th[aria-sort]")[place + 1]
        button = head.find_element("tag name", "button")
        press = [button.click, lambda: button.send_keys("\ue007"), lambda: button.send_keys(" ")]  # noqa: B023
        expected = [("ascending", up + holes), ("descending", up[::-1] + holes), ("none", original)]
        for act, (direction, order) in zip(press, expected, strict=True):
            act()
            assert head.get_attribute("aria-sort") == direction
            assert labels(browser) == order
        as_text = sorted(measured, key=lambda label: str(means[label]))
        assert up != as_text or column != "fgd"


def test_a_filter_hides_the_other_rows(browser: Any, page: tuple[Any, str, list[str]]) -> None:
    _, address, original = page
    browser.get(address)
    browser.find_element("css selector", "body").send_keys("/")
    box = browser.switch_to.active_element
    box.send_keys("3b DISTILL")
    assert labels(browser) == [f"{OURS} (ours)"]
    assert browser.find_element("id", "found").text == f"1 of {len(original)} rows"
    box.send_keys(" nothing")
    assert labels(browser) == []
    box.clear()
    box.send_keys(" ")
    assert labels(browser) == original


def test_light_dark_and_a_choice_that_is_remembered(browser: Any, page: tuple[Any, str, list[str]]) -> None:
    _, address, _ = page
    browser.get(address)
    assert paper(browser) > 240
    emulate(browser, WIDE, "dark")
    assert paper(browser) < 40
    switch = browser.find_element("css selector", "[data-theme-switch]")
    switch.click()
    assert switch.get_attribute("aria-label") == "Colours: light" and paper(browser) > 240
    browser.refresh()
    assert paper(browser) > 240
    emulate(browser, WIDE, "light")
    switch = browser.find_element("css selector", "[data-theme-switch]")
    switch.click()
    assert paper(browser) < 40
    switch.click()
    assert switch.get_attribute("aria-label") == "Colours: as the system" and paper(browser) > 240


def test_a_phone_scrolls_tables_and_not_the_page(browser: Any, page: tuple[Any, str, list[str]]) -> None:
    _, address, _ = page
    emulate(browser, PHONE, "light")
    for name in ("index.html", "provenance.html"):
        browser.get(address.replace("index.html", name))
        browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
        assert browser.execute_script("return innerWidth") == PHONE[0]
        assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE[0]
        wide = (
            "return [...document.querySelectorAll('.scroll')].some(box => box.scrollWidth > box.clientWidth)"
        )
        assert browser.execute_script(wide)


def test_a_video_plays(browser: Any, page: tuple[Any, str, list[str]]) -> None:
    _, address, _ = page
    browser.get(address)
    video = browser.find_element("tag name", "video")
    browser.execute_script("arguments[0].scrollIntoView()", video)
    # Its poster is shown as high as the video will be, and nothing of the video is loaded until it plays.
    until(lambda: video.rect["height"] == pytest.approx(video.rect["width"], abs=1))
    assert video.get_property("readyState") == 0
    browser.execute_script("arguments[0].play()", video)
    until(lambda: video.get_property("readyState") >= 1)
    assert video.get_property("videoWidth") == 64 and video.get_property("duration") > 1.9
    until(lambda: video.get_property("currentTime") > 0.2)
    assert video.get_property("error") is None


def test_a_number_leads_to_where_it_came_from_and_back(
    browser: Any, page: tuple[Any, str, list[str]]
) -> None:
    table, address, _ = page
    browser.get(address)
    number = browser.find_element("css selector", "tr.ours a.number")
    number.click()
    until(lambda: "provenance.html#from-3b-" in browser.current_url)
    origin = browser.find_element("css selector", f"#{browser.current_url.rpartition('#')[2]}")
    assert until(lambda: origin.get_attribute("open"))
    place = "return arguments[0].getBoundingClientRect().top"
    until(lambda: -1 <= browser.execute_script(place, origin) < WIDE[1] - 100)
    assert origin.find_element("tag name", "summary").text.startswith(table.label(OURS))
    origin.find_element("link text", "The row in its table").click()
    until(lambda: "index.html#row-3b-" in browser.current_url)
    assert browser.find_element("css selector", "tr:target th").text.startswith(table.label(OURS))


def test_a_table_is_copied_as_it_is_in_its_file(browser: Any, page: tuple[Any, str, list[str]]) -> None:
    _, address, _ = page
    browser.get(address)
    # A headless browser has no clipboard to read; what the page gives to it is what is looked at.
    browser.execute_script(
        "Object.defineProperty(navigator, 'clipboard',"
        "{value: {writeText: async (text) => { window.copied = text; }}})"
    )
    browser.find_element("css selector", "[data-copy='tex-3b']").click()
    tex = (Path(address.removeprefix("file://")).parent / "3b.tex").read_text(encoding="utf-8")
    assert until(lambda: browser.execute_script("return window.copied")) == tex
    assert browser.find_element("css selector", "[data-copy='tex-3b']").text.startswith("Copied")


def test_pictures_are_shown(browser: Any, page: tuple[Any, str, list[str]]) -> None:
    _, address, _ = page
    browser.get(address)
    for image in browser.find_elements("tag name", "img"):
        browser.execute_script("arguments[0].scrollIntoView()", image)
        until(lambda: image.get_property("complete") and image.get_property("naturalWidth") > 0)  # noqa: B023


def test_sorting_takes_heads_over_rows_away_and_brings_them_back(browser: Any, tmp_path: Path) -> None:
    panel = {
        "order": "as_swept",
        "sections": {"Ours": [OURS], "Earlier work": ["base_line", "+RVQ"]},
        "groups": {"Both": ["diversity", "pcm"]},
    }
    report, store = make(tmp_path, ["base_line", "+RVQ", OURS], panel=panel)
    render(report, store, tmp_path / "out")
    (table,) = gather(report, store).panels
    ours, base, rvq = (table.label(row) for row in table.rows)
    browser.get((tmp_path / "out" / "made" / "index.html").as_uri())
    whole = ["Ours", ours, "Earlier work", base, rvq]
    assert labels(browser) == whole
    button = browser.find_elements("css selector", "table.results thead th[aria-sort] button")[-1]
    means = {table.label(row): cells["pcm"].mean for row, cells in table.rows.items()}
    up = sorted(means, key=lambda label: means[label])
    for expected in (up, up[::-1], whole):
        button.click()
        assert labels(browser) == expected
