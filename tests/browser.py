"""A real browser without a window, for pages that unlite writes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

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
PACKAGES = ("chromium", "chromium-driver")


@contextmanager
def browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """Chromium with an empty profile; installed first where that is allowed, else the test fails and says how."""
    programs = _find() or _install()
    if programs is None:
        pytest.fail("no chromium and chromedriver here: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = programs[0]
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
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


def _install() -> tuple[str, str] | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        if subprocess.run(["apt-get", *command], check=False, env=environment).returncode:  # noqa: S607
            return None
    return _find()
