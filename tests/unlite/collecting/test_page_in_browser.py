"""The page of `unlite collect` in a real browser, whose camera plays drawn gestures; tests go on from each other."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from converter.detectors.labels import read_labels
from tests.tools.browser import CSS, browser, javascript, open_address, severe, text
from tests.tools.collecting import LABELS, PATIENCE, camera, collect, counts, serving, write_film

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.browser

WANTED = 12  # pictures of each label
TRAINING = 600  # seconds, at most
# The narrowest of which a browser with a window makes a page, in pixels; phones of today have 360 and more.
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("collected") / "gestures"


@pytest.fixture(scope="module")
def address(data: Path) -> Iterator[str]:
    with serving(data) as found:
        yield found


@pytest.fixture(scope="module")
def chrome(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Chrome"]:
    """The page, after somebody has shown every label to the camera."""
    film = tmp_path_factory.mktemp("film") / "film.mjpeg"
    write_film(film)
    with browser(tmp_path_factory.mktemp("profile"), *camera(film)) as driver:
        open_address(driver, address)
        wait(driver, lambda: javascript(driver, "window.collecting.measured()"), "frames of the camera")
        collect(driver, WANTED)
        yield driver
        assert severe(driver) == []


def test_what_is_shown_is_kept_with_boxes_under_its_label(chrome: "Chrome", data: Path) -> None:
    assert on_disk(data) == counts(chrome)
    written = json.loads((data / "annotations.json").read_text())
    names = {category["id"]: category["name"] for category in written["categories"]}
    folders = {picture["id"]: picture["file_name"].split("/")[0] for picture in written["images"]}
    assert {(names[each["category_id"]], folders[each["image_id"]]) for each in written["annotations"]} == {
        ("fist", "fist"),
        ("open", "open"),
    }


def test_copies_are_dropped_and_counted(chrome: "Chrome") -> None:
    assert "nearly the same" in text(chrome, "#saved")  # the film shows each picture twice


def test_pictures_are_struck_out_and_brought_back(chrome: "Chrome", data: Path) -> None:
    before = choose(chrome, "fist", 2)
    press(chrome, "#strike")
    wait(chrome, lambda: counts(chrome)["fist"] == before["fist"] - 2, "two fewer")
    assert on_disk(data) == {**before, "fist": before["fist"] - 2}
    press(chrome, "#undo")
    wait(chrome, lambda: counts(chrome) == before, "both of them again")
    assert on_disk(data) == before


def test_a_picture_is_moved_to_another_label_and_back(chrome: "Chrome", data: Path) -> None:
    from selenium.webdriver.support.select import Select

    before = choose(chrome, "fist", 1)
    moved = str(tiles(chrome)[0].get_attribute("value"))
    Select(chrome.find_element(CSS, "#move")).select_by_value("open")
    wait(chrome, lambda: counts(chrome)["open"] == before["open"] + 1, "one more")
    assert on_disk(data) == {**before, "fist": before["fist"] - 1, "open": before["open"] + 1}
    choose(chrome, "open", 1)
    assert tiles(chrome)[0].get_attribute("value") == moved  # the latest first
    Select(chrome.find_element(CSS, "#move")).select_by_value("fist")
    wait(chrome, lambda: counts(chrome) == before, "as it was")


def test_the_whole_way_to_a_file_that_names_the_gestures(chrome: "Chrome", data: Path) -> None:
    press(chrome, "#quick")
    wait(chrome, lambda: "pass" in text(chrome, "#progress"), "progress")
    wait(chrome, lambda: state(chrome) != "running", "the end of training", TRAINING)
    assert state(chrome) == "done", text(chrome, "#progress")
    assert len(javascript(chrome, "document.querySelector('#curves').data[0].y")) >= 3  # epochs
    assert "held out" in text(chrome, "#result")

    press(chrome, "#try")
    for label in ("fist", "open"):
        wait(chrome, partial(is_named, chrome, label), f"{label} on the camera")
    press(chrome, "#try")

    press(chrome, "#export")
    wait(chrome, lambda: "gestures.tflite" in text(chrome, "#exported"), "the exported file")
    labels = read_labels(data.with_suffix(".tflite"))
    assert labels is not None
    assert labels.names == ("fist", "open")


def test_report_opens_and_its_scripts_run(chrome: "Chrome", address: str) -> None:
    link = chrome.find_element(CSS, "#result a")
    assert link.get_attribute("href") == f"{address}report"
    chrome.switch_to.new_window("tab")
    open_address(chrome, f"{address}report")
    assert javascript(chrome, "document.querySelectorAll('.js-plotly-plot').length") > 0
    # What a report says of somebody's data may do nothing to what was collected.
    assert javascript(chrome, "window.origin") == "null"
    chrome.close()
    chrome.switch_to.window(chrome.window_handles[0])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_out_of_sight_and_all_can_be_read(chrome: "Chrome", scheme: str) -> None:
    colours = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", colours)
    try:
        wide = "document.documentElement.scrollWidth"
        wait(chrome, lambda: javascript(chrome, wide) <= PHONE["width"], "no wider than the phone")
        assert javascript(chrome, OVERLAPS) == []
        ink, paper = (
            javascript(chrome, f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor")
        )
        assert contrast(ink, paper) > 7  # WCAG 2.2, level AAA
        wait(chrome, lambda: javascript(chrome, DRAWN) == ink, "curves in the same colour")
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_without_a_camera_the_page_says_what_to_do(address: str, tmp_path: Path) -> None:
    with browser(tmp_path) as driver:
        open_address(driver, address)
        wait(driver, lambda: text(driver, "#no-camera"), "the notice")
        assert "There is no camera" in text(driver, "#no-camera")
        assert "unlite collect --label" in text(driver, "#no-camera")


# What lies over something else on the page, and what colour the curves' words have.
OVERLAPS = """((all) => all.flatMap((one, place) => all.slice(place + 1).filter((other) => {
    const [a, b] = [one, other].map((each) => each.getBoundingClientRect());
    return !one.contains(other) && a.height && b.height
        && a.bottom > b.top + 1 && a.top + 1 < b.bottom && a.right > b.left + 1 && a.left + 1 < b.right;
}).map((other) => `${one.id || one.tagName} and ${other.id || other.tagName}`))
)([...document.querySelectorAll('section, section > *, #curves .svg-container')])"""
DRAWN = "getComputedStyle(document.querySelector('#curves .xtitle')).fill"


def is_named(chrome: "Chrome", label: str) -> bool:
    """Whether the trained model has just called something so."""
    seen = javascript(chrome, "document.querySelector('#view').ariaLabel")
    return re.search(rf"\b{label} [01]\.\d\d", seen) is not None


def on_disk(data: Path) -> dict[str, int]:
    return {label: len(list((data / label).glob("*.jpg"))) for label in LABELS}


def choose(chrome: "Chrome", label: str, count: int) -> dict[str, int]:
    """Choose the latest pictures of a label; how many there are of each."""
    press(chrome, f"#filters [data-filter={label}]")
    wait(chrome, lambda: len(tiles(chrome)) == counts(chrome)[label], f"all of {label}")
    for tile in tiles(chrome)[:count]:
        tile.click()
    return counts(chrome)


def tiles(chrome: "Chrome") -> list["WebElement"]:
    return chrome.find_elements(CSS, ".tile input")


def press(chrome: "Chrome", selector: str) -> None:
    chrome.find_element(CSS, selector).click()


def state(chrome: "Chrome") -> str | None:
    return chrome.find_element(CSS, "#progress").get_attribute("data-state")


def wait(chrome: "Chrome", until: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.support.ui import WebDriverWait

    # The page changes while it is looked at.
    waiting = WebDriverWait(chrome, seconds, poll_frequency=0.2, ignored_exceptions=[StaleElementReferenceException])
    waiting.until(lambda _: until(), f"{what} {text(chrome, '#notice')}")


def contrast(one: str, other: str) -> float:
    """Of two colours `rgb(r, g, b)`, as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        shares = [int(part) / 255 for part in colour[4:-1].split(",")]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)
