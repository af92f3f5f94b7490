"""A real browser without a window, for pages that unlite writes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium import webdriver

# As selenium's By has it, which is not installed where these tests are only collected.
CSS, ID = "css selector", "id"
# The background services would look for the network at every start.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1600",
)


@contextmanager
def browser(profile: Path, *flags: str) -> Iterator["webdriver.Chrome"]:
    """Chromium with an empty profile, and more flags; where there is none, the test fails and says how to get it."""
    programs = _find()
    if programs is None:
        pytest.fail("no chromium and chromedriver here: apt-get install chromium chromium-driver", pytrace=False)
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = programs[0]
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, *flags, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(executable_path=programs[1]))
    try:
        yield driver
    finally:
        driver.quit()


def _find() -> tuple[str, str] | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((path for path in map(shutil.which, names) if path), None)
    driver = shutil.which("chromedriver")
    return (program, driver) if program and driver else None


def open_page(chrome: "webdriver.Chrome", path: Path, fragment: str = "") -> None:
    open_address(chrome, path.as_uri() + fragment)


def open_address(chrome: "webdriver.Chrome", address: str) -> None:
    """Open it, and wait until the page says that it is ready."""
    from selenium.webdriver.support.ui import WebDriverWait

    chrome.get("about:blank")
    severe(chrome)  # forgets what other pages said
    chrome.get(address)
    ready = "return document.documentElement.dataset.ready === 'yes'"
    WebDriverWait(chrome, 30).until(lambda driver: driver.execute_script(ready), f"{severe(chrome)}")
    assert severe(chrome) == []


def severe(chrome: Any) -> list[Any]:
    """What the console has to complain about since the last call; selenium has no types for it."""
    return [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]


def text(chrome: "webdriver.Chrome", selector: str) -> str:
    return str(chrome.find_element(CSS, selector).text)


def javascript(chrome: "webdriver.Chrome", expression: str) -> Any:
    return chrome.execute_script(f"return {expression}")
