"""Scripted raters in headless Chromium answer a study that is being served: `rgx study serve DIR` beside it.

`python benchmarks/study_browsers.py DIR [--address http://127.0.0.1:8000] [--at-once 2]` plays every video to
its end, obeys traps, and rates conditions as `LIKED` has them, which only the key tells it.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from rgx.study.kit import Kit, open_kit
from rgx.study.sessions import TRAP, Item

LIKED = {"Recording": 4.3, "Ours": 3.4, "Skeleton": 3.2, "UNet": 3.0, "Unrefined": 2.7}
LIKED |= {"Shuffled": 1.6, "Frozen": 1.8}
DEVIATION, SURE = 0.7, 0.7
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"),
    *("--lang=en", "--autoplay-policy=no-user-gesture-required"),
)
PATIENCE_S = 120
THOUGHT_S = 0.7
"""Before an answer; who takes none is left out as too fast."""


def place_of_answer(item: Item, liked: Mapping[str, float], random: np.random.Generator) -> int:
    """Return which of the answers on the page is chosen."""
    if item.role == TRAP and item.wanted:
        return item.wanted[0] - 1
    if item.other:
        first = (random.random() < SURE) != item.swapped
        return 0 if first else 1
    return int(np.clip(np.rint(liked.get(item.condition, 3.0) + random.normal(0, DEVIATION)), 1, 5)) - 1


def rate(kit: Kit, token: str, address: str, seed: int) -> int:
    """Answer what is left of a session; returns how many items that were."""
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in OPTIONS:
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    random, answered = np.random.default_rng(seed), 0

    def until(condition: Any) -> Any:
        return WebDriverWait(driver, PATIENCE_S, 0.05).until(lambda _: condition())

    try:
        driver.get(f"{address}/s/{token}")
        driver.find_element("id", "begin").click()
        done = int(driver.find_element("id", "progress-text").text.split(" of ")[0])
        for item in list(kit.items[token].values())[done:]:
            for button in driver.find_elements("css selector", "button.play"):
                button.click()
                ended = "return arguments[0].parentElement.querySelector('video').ended"
                until(lambda b=button, s=ended: driver.execute_script(s, b))
            until(lambda: driver.find_element("id", "choices").is_enabled())
            place = place_of_answer(item, LIKED, random)
            time.sleep(THOUGHT_S)
            driver.find_elements("css selector", "#choices input")[place].click()
            driver.find_element("id", "next").click()
            answered += 1
        until(lambda: "arrived" in driver.find_element("id", "sent").text)
    finally:
        driver.quit()
    return answered


def main() -> None:
    """Rate every session of a study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--at-once", type=int, default=2)
    asked = parser.parse_args()
    kit = open_kit(asked.folder)
    with ThreadPoolExecutor(asked.at_once) as pool:
        counts = pool.map(lambda own: rate(kit, own[1], asked.address, own[0]), enumerate(kit.items))
        for number, count in enumerate(counts, 1):
            print(f"rater {number}: {count} items", flush=True)


if __name__ == "__main__":
    main()
