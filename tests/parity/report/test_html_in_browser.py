"""The HTML report, opened in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from parity.report.html import write_html
from tests.tools.browser import CSS, ID, browser, javascript, open_page, text
from tests.tools.html_pages import HOSTILE, a_report, maps_of, statistics

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Chrome"]:
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "parity.html"
    report = a_report()
    maps = maps_of(report)
    maps["conv2d_3/BiasAdd"]["isolated"][0, 0] = np.nan
    write_html(report, maps, path)
    return path


@pytest.fixture
def opened(chrome: "Chrome", page: Path) -> "Chrome":
    open_page(chrome, page)
    return chrome


def test_headline_names_the_layer_and_the_reason(opened: "Chrome") -> None:
    assert "conv2d_5 is wrong" in text(opened, "#verdict")
    assert "strides differ" in text(opened, "#verdict")
    assert "conv2d_5: strides is (1, 1) <i>" in text(opened, "#findings")
    assert text(opened, "#chosen-title") == "conv2d_5"  # the guilty one is chosen at first


def test_plot_has_both_modes(opened: "Chrome") -> None:
    traces = javascript(opened, "document.getElementById('depth').data.map(t => [t.meta, t.y])")
    points = {meta: values for meta, values in traces if meta}
    assert set(points) == {"chained", "isolated"}
    assert len(points["chained"]) == len(points["isolated"]) == 12
    assert points["isolated"][5] == pytest.approx(0.3)
    assert points["isolated"][8] is None  # not run
    assert points["chained"][8] > max(value for place, value in enumerate(points["chained"]) if place != 8)
    assert min(value for value in points["chained"] if value) > 0  # zero has a place on a logarithmic axis


def test_hover_shows_the_layer(opened: "Chrome") -> None:
    opened.execute_script("Plotly.Fx.hover('depth', [{curveNumber: 1, pointNumber: 5}])")
    assert "conv2d_5" in text(opened, "#depth .hoverlayer")


def test_click_on_a_point_chooses_it(opened: "Chrome") -> None:
    opened.execute_script("document.getElementById('depth').emit('plotly_click', {points: [{pointIndex: 9}]})")
    assert text(opened, "#chosen-title") == "conv2d_9"


def test_click_on_a_row_shows_its_difference_in_both_modes(opened: "Chrome") -> None:
    opened.find_elements(CSS, "#rows tr")[2].click()
    assert "conv2d_2/BiasAdd" in text(opened, "#statistics")
    assert javascript(opened, "document.getElementById('map').data[0].z[7][7]") == 2
    opened.find_element(CSS, "input[value=chained]").click()
    assert javascript(opened, "document.getElementById('map').data[0].z[7][7]") == 1
    assert javascript(opened, "location.hash") == "#tensor=conv2d_2%2FBiasAdd"


def test_filter_hides_rows(opened: "Chrome") -> None:
    opened.find_element(ID, "filter").send_keys("op #11 ")
    shown = [row for row in opened.find_elements(CSS, "#rows tr") if row.is_displayed()]
    assert len(shown) == 1


def test_hostile_name_is_only_text(opened: "Chrome") -> None:
    opened.find_elements(CSS, "#rows tr")[7].click()
    assert text(opened, "#chosen-title") == HOSTILE
    assert opened.title == "mine against original<b>"


def test_hash_chooses_a_tensor_and_nan_is_no_obstacle(chrome: "Chrome", page: Path) -> None:
    open_page(chrome, page, "#tensor=conv2d_3%2FBiasAdd")
    assert text(chrome, "#chosen-title") == "conv2d_3"
    assert javascript(chrome, "document.getElementById('map').data[0].z[0][0]") is None


def test_malformed_hash_is_no_obstacle(chrome: "Chrome", page: Path) -> None:
    open_page(chrome, page, "#tensor=%")
    assert text(chrome, "#chosen-title") == "conv2d_5"


def test_error_where_the_original_is_zero_is_drawn_as_an_error(chrome: "Chrome", tmp_path: Path) -> None:
    report = a_report()
    report["tensors"][9].update(span=0.0, chained=statistics(0.5, "differs") | {"relative": None})
    write_html(report, {}, tmp_path / "zero.html")
    open_page(chrome, tmp_path / "zero.html")
    assert javascript(chrome, "document.getElementById('depth').data[0].y[9]") == 0.5


def test_what_cannot_be_measured_is_above_all_and_the_worst(chrome: "Chrome", tmp_path: Path) -> None:
    report = a_report() | {"guilty": None}
    report["tensors"][10]["chained"] = statistics(500.0, "differs")
    write_html(report, {}, tmp_path / "worst.html")
    open_page(chrome, tmp_path / "worst.html")
    trace = javascript(chrome, "document.getElementById('depth').data[0]")
    assert trace["y"][8] > trace["y"][10] == 500
    assert [trace["marker"]["symbol"][place] for place in (0, 8, 10)] == ["circle", "triangle-up", "x"]
    assert text(chrome, "#chosen-title") == "conv2d_8"


def test_both_tolerances_are_drawn(opened: "Chrome") -> None:
    lines = javascript(opened, "document.getElementById('depth').data.slice(2).map(line => line.y[0])")
    assert lines == pytest.approx([2e-6, 4e-6])


def test_enter_chooses_a_row(chrome: "Chrome", page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(chrome, page)
    chrome.find_elements(CSS, "#rows tr")[1].send_keys(Keys.ENTER)
    assert text(chrome, "#chosen-title") == "conv2d_1"


def test_agreement_is_green(chrome: "Chrome", tmp_path: Path) -> None:
    write_html(a_report(ok=True), {}, tmp_path / "ok.html")
    open_page(chrome, tmp_path / "ok.html")
    assert chrome.find_element(ID, "verdict").get_attribute("class") == "verdict ok"
    assert text(chrome, "#verdict").startswith("Same: mine computes what original<b> computes")
    assert text(chrome, "#map") == "No difference to show."


def test_page_needs_no_network(opened: "Chrome") -> None:
    fetched = javascript(opened, "performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in fetched if not name.startswith(("data:", "blob:"))] == []
