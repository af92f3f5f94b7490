"""The screenshots and figures of `docs/collect.md`: `tox exec -e browser -- python -m benchmarks.collect_page`.

Needs Chromium, whose camera plays films of hands that code has drawn.
"""

import io
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from benchmarks.pages.machine import machine
from benchmarks.pages.page import DOCS, filled, table
from converter.files import whole_file
from tests.tools.browser import CSS, browser, javascript, open_address, text
from tests.tools.collecting import camera, collect, serving, write_film

if TYPE_CHECKING:
    from collections.abc import Callable

    from selenium.webdriver import Chrome

WANTED = 12  # pictures of each label
SECONDS = 8  # that are measured
LAPTOP, PHONE = (1280, 900), (400, 860)
QUALITY = 75
PATIENCE = 600  # seconds


def wait(until: "Callable[[], object]") -> None:
    """Until something holds."""
    end = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.2)


def shoot(chrome: "Chrome", name: str, section: str = "show") -> None:
    """What is seen, with a section at the top."""
    chrome.execute_script(f"document.getElementById('{section}').scrollIntoView()")
    time.sleep(1)
    shot = Image.open(io.BytesIO(chrome.get_screenshot_as_png())).convert("RGB")
    shot.save(DOCS / f"collect-{name}.jpg", quality=QUALITY, optimize=True)


def measured(chrome: "Chrome", doing: str) -> list[str]:
    """A row of the table: what the page measures over the next seconds."""
    chrome.execute_script("window.collecting.forget()")
    time.sleep(SECONDS)
    found = javascript(chrome, "window.collecting.measured()")
    return [
        doing,
        f"{found['perSecond']:.0f}",
        f"{found['median']:.0f}",
        f"{found['worst5']:.0f}",
        str(found["frames"]),
    ]


def walk(chrome: "Chrome", address: str) -> list[list[str]]:
    """Collect, train, try; a screenshot of each, and what was measured."""
    chrome.set_window_size(*LAPTOP)
    open_address(chrome, address)
    wait(lambda: javascript(chrome, "window.collecting.measured()"))
    rows = [measured(chrome, "looking")]
    collect(chrome, WANTED)
    time.sleep(2)
    shoot(chrome, "show")
    chrome.find_element(CSS, "#quick").click()
    wait(lambda: "pass 5/6" in text(chrome, "#progress"))
    rows.append(measured(chrome, "looking, while it trains"))
    shoot(chrome, "train", "training")
    wait(lambda: "in" in text(chrome, "#progress") and "trained" in text(chrome, "#progress"))
    chrome.find_element(CSS, "#try").click()
    rows.append(measured(chrome, "trying"))
    wait(lambda: "open" in javascript(chrome, "document.getElementById('view').ariaLabel"))
    shoot(chrome, "try")
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    sizes = {"width": PHONE[0], "height": PHONE[1], "deviceScaleFactor": 1, "mobile": True}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
    shoot(chrome, "phone")
    return rows


def main() -> None:
    """Write them."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder, "film.mjpeg")
        write_film(film)
        with serving(Path(folder, "gestures")) as address, browser(Path(folder, "profile"), *camera(film)) as chrome:
            rows = walk(chrome, address)
    columns = ["what it does", "#frames a second", "#median, ms", "#95%, ms", "#frames"]
    part = f"{table(columns, rows)}\n\nMeasured by `python -m benchmarks.collect_page`: {machine()}."
    page = DOCS / "collect.md"
    with whole_file(page) as whole:
        whole.write_text(filled(page.read_text(encoding="utf-8"), "speed", part), encoding="utf-8")


if __name__ == "__main__":
    main()
