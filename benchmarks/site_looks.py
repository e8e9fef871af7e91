"""How the site weighs and what axe-core finds on it: `make looks`, or with `--site DIR` another one.

Fetches axe-core (MPL-2.0) by npm into a temporary folder, opens pages in headless Chromium, light, dark and
on a phone, and prints weight and findings. `--screens DIR` keeps pictures; `--fail` ends with 1 at a serious
finding.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    *("index.html", "first.html", "mistakes.html", "tables.html"),
    *("reference/commands.html", "reference/files.html"),
)
SCREENS = {"light": (1280, 900, "light"), "dark": (1280, 900, "dark"), "phone": (390, 800, "light")}
SERIOUS = {"serious", "critical"}
ASK = "const done = arguments[0]; axe.run().then(found => done(found.violations), () => done(null));"
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


def fetch_axe(folder: Path) -> str:
    """Return axe-core's script, as npm has it."""
    subprocess.run(["npm", "pack", "--silent", "axe-core@4"], cwd=folder, check=True, capture_output=True)
    [archive] = folder.glob("axe-core-*.tgz")
    shutil.unpack_archive(archive, folder, filter="data")
    return (folder / "package/axe.min.js").read_text(encoding="utf-8")


def start() -> Any:
    """Return a headless Chromium."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for option in OPTIONS:
        options.add_argument(option)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def look(browser: Any, page: Path, screen: str, axe: str) -> list[dict[str, Any]]:
    """Open a page on a screen and return what axe-core has against it."""
    width, height, scheme = SCREENS[screen]
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page.resolve().as_uri())
    browser.execute_script("localStorage.clear()")  # where the theme keeps the colours of the page before
    browser.refresh()
    browser.execute_script(axe)
    findings: list[dict[str, Any]] = browser.execute_async_script(ASK)
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", type=Path, default=ROOT / "site")
    parser.add_argument("--pages", nargs="*", default=PAGES)
    parser.add_argument("--screens", type=Path)
    parser.add_argument("--fail", action="store_true")
    asked = parser.parse_args()
    sizes = {path: path.stat().st_size for path in asked.site.rglob("*") if path.is_file()}
    print(f"{sum(sizes.values()) / 2**20:.1f} MiB in {len(sizes)} files")
    serious = 0
    with tempfile.TemporaryDirectory() as temporary:
        axe, browser = fetch_axe(Path(temporary)), start()
        try:
            for name in asked.pages:
                page = asked.site / name
                print(f"{name}: {page.stat().st_size / 1024:.0f} KiB")
                for screen in SCREENS:
                    for finding in look(browser, page, screen, axe):
                        serious += finding["impact"] in SERIOUS
                        nodes = finding["nodes"]
                        where = " ".join(nodes[0]["target"][:1]) if nodes else ""
                        what = f"{finding['impact']}: {finding['id']}"
                        print(f"  {screen}: {what}, {len(nodes)} times: {where}")
                    if asked.screens:
                        asked.screens.mkdir(parents=True, exist_ok=True)
                        browser.save_screenshot(str(asked.screens / f"{Path(name).stem}-{screen}.png"))
        finally:
            browser.quit()
    print(f"{serious} serious findings")
    if asked.fail and serious:
        sys.exit(1)


if __name__ == "__main__":
    main()
