"""The page of a training run, opened in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tools.browser import CSS, browser, javascript, open_page, severe, text
from tests.tools.evaluations import a_report, with_every_mistake
from unlite.training.judging.report import Report, write_report

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Chrome"]:
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def opened(chrome: "Chrome", tmp_path: Path) -> "Chrome":
    write_report(a_report(), tmp_path / "page.html")
    open_page(chrome, tmp_path / "page.html")
    return chrome


def test_all_is_drawn(opened: "Chrome") -> None:
    lines = javascript(opened, "document.getElementById('f1').data.map(line => line.name)")
    assert (lines[0], lines[2], len(lines)) == ("fist", "mean", 3)
    suggested = javascript(opened, "document.getElementById('f1').layout.shapes.map(shape => shape.x0)")
    assert suggested == [0.85, 0.5]  # and the one that was used
    assert javascript(opened, "document.getElementById('precision').data.length") == 2
    plots = javascript(
        opened, "[...document.querySelectorAll('#history > div')].map(plot => plot.data.map(line => line.y))"
    )
    assert plots == [[[2, 1], [2.5, None]], [[0.001, 0.0005]], [[0.1, None]]]
    assert javascript(opened, "document.querySelector('#history > div').layout.yaxis.type") == "log"


def test_matrix_has_shares_and_counts(opened: "Chrome") -> None:
    cells = "document.getElementById('confusion').data[0].z"
    assert javascript(opened, cells) == [[0.5, 0.5, 0], [0, 0, 1], [1, 0, 0]]
    opened.find_element(CSS, "input[value=counts]").click()
    assert javascript(opened, cells) == a_report().evaluation.confusion.tolist()
    assert severe(opened) == []


def test_hostile_names_are_only_text(opened: "Chrome") -> None:
    assert opened.title.startswith("gestures </script>")
    assert "document.title = 'broken'" in text(opened, "#classes")
    assert "document.title" in javascript(opened, "document.getElementById('confusion').textContent")
    assert javascript(opened, "document.querySelectorAll('#confusion script').length") == 0


def test_pictures_are_shown(opened: "Chrome") -> None:
    shown = "image.decode().then(() => image.naturalWidth)"
    widths = f"Promise.all([...document.images].map(image => {{ image.loading = 'eager'; return {shown}; }}))"
    assert all(javascript(opened, widths))
    assert javascript(opened, "document.querySelectorAll('.mistakes img').length") == 3


def test_page_fits_a_phone(opened: "Chrome", tmp_path: Path) -> None:
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        open_page(opened, tmp_path / "page.html")
        assert javascript(opened, "document.documentElement.scrollWidth") <= 360
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_dark(opened: "Chrome", tmp_path: Path) -> None:
    ink = "document.getElementById('f1').layout.font.color"
    light = javascript(opened, ink)
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        open_page(opened, tmp_path / "page.html")
        assert javascript(opened, ink) != light
    finally:
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_page_of_an_evaluation_alone(chrome: "Chrome", tmp_path: Path) -> None:
    write_report(Report("alone", with_every_mistake()), tmp_path / "alone.html")
    open_page(chrome, tmp_path / "alone.html")
    assert text(chrome, "h1") == "alone"


def test_page_needs_no_network(opened: "Chrome") -> None:
    fetched = javascript(opened, "performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in fetched if not name.startswith(("data:", "blob:"))] == []
