"""The page of `unlite collect` in a browser, before a camera that plays films of drawn gestures."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageDraw

from tests.tools.browser import CSS, javascript
from tests.tools.films import film

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

LABELS = ("fist", "open", "none")
# Persons who show each label, pictures of each, and how often each is played: Chromium's camera plays 30 pictures a
# second, and the film again and again, of which nothing new is to be kept.
PERSONS, PICTURES, TIMES = 5, 9, 2
# A square in the picture's upper left corner says which label is shown: its side in pixels, and its grey.
MARK, FIRST, STEP = 24, 60, 60
# Seconds that a key is held: less than a label lasts, since the page sees it later.
HELD = 2
PATIENCE = 120  # seconds


def write_film(path: Path) -> None:
    """A film for a camera that is none: each label for three seconds."""
    with path.open("wb") as file:
        for place, label in enumerate(LABELS):
            grey = FIRST + STEP * place
            seeds = range(place * PERSONS, (place + 1) * PERSONS)
            for picture in chain.from_iterable(film(label, PICTURES, seed) for seed in seeds):
                ImageDraw.Draw(picture).rectangle((0, 0, MARK - 1, MARK - 1), fill=(grey, grey, grey))
                for _ in range(TIMES):
                    picture.save(file, "JPEG", quality=90)


def camera(path: Path) -> tuple[str, ...]:
    """Chromium's flags for a camera that plays a film, and that a page may use without being asked for."""
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
    )


@contextmanager
def serving(output: Path) -> Iterator[str]:
    """`unlite collect` in a process of its own; the page's address."""
    log = output.with_suffix(".log")
    command = [
        sys.executable,
        "-m",
        "unlite",
        "collect",
        "--labels",
        ",".join(LABELS),
        "-o",
        str(output),
        "--no-browser",
    ]
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, "COLUMNS": "200"})
    try:
        yield _address(process, log)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0, log.read_text()
    finally:
        process.kill()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + PATIENCE
    while not (found := re.search(r"http://\S+/", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)
    return found[0]


def collect(chrome: "Chrome", wanted: int) -> None:
    """Hold each label's key while the camera shows it, until there are so many pictures of each."""
    from selenium.webdriver.common.action_chains import ActionChains

    until, before = time.monotonic() + PATIENCE, _shown(chrome)
    while any(count < wanted for count in counts(chrome).values()):
        assert time.monotonic() < until, f"{counts(chrome)} pictures after {PATIENCE} s"
        now = _shown(chrome)
        # Only what has just begun lasts long enough.
        if now is not None and now != before and counts(chrome)[LABELS[now]] < wanted:
            key = str(now + 1)
            ActionChains(chrome).key_down(key).perform()
            time.sleep(HELD)
            ActionChains(chrome).key_up(key).perform()
        before = _shown(chrome)


def _shown(chrome: "Chrome") -> int | None:
    """The place of the label that the camera shows; the page shows a mirror of it. None: there is no frame yet."""
    pixel = f"view.getContext('2d').getImageData(view.width - {MARK // 2}, {MARK // 2}, 1, 1).data[0]"
    grey = javascript(chrome, f"((view) => {pixel})(document.querySelector('#view'))")
    place = round((grey - FIRST) / STEP)
    return place if place in range(len(LABELS)) else None


def counts(chrome: "Chrome") -> dict[str, int]:
    """The pictures of each label, as the page's buttons say."""
    return {label: int(chrome.find_element(CSS, f"[data-label={label}] output").text) for label in LABELS}
