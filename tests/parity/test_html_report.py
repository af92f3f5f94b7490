"""The HTML report, opened in a real browser."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from converter.errors import OutputNotWritten
from parity.html_report import write_html
from tests.browser import browser

HOSTILE = "</script><script>document.title = 'broken'</script>;/conv2d \"Ü\""
MB = 1_000_000


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def statistics(error: float | None, verdict: str = "ok") -> dict[str, Any]:
    return {
        "verdict": verdict,
        "max_abs": error,
        "mean_abs": error,
        "relative": error,
        "cosine": None if error is None else 1.0,
        "share_out": 0.0,
        "non_finite": 0 if error is not None else 3,
    }


def a_report(*, ok: bool = False, tensors: int = 12) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {
            "index": index,
            "tensor": f"conv2d_{index}/BiasAdd",
            "op": f"op #{index} CONV_2D",
            "layer": f"conv2d_{index}",
            "shape": [1, 8, 8, 3],
            "span": 1.0,
            "spread": 1e-7,
            "limit": 2e-6,
            "chained_limit": 4e-6,
            "chained": statistics(0.0 if ok or index < 5 else 0.5, "ok" if ok or index < 5 else "differs"),
            "isolated": statistics(0.3, "differs") if index == 5 and not ok else statistics(0.0),
        }
        for index in range(tensors)
    ]
    guilty = {"layer": "conv2d_5", "tensor": "conv2d_5/BiasAdd", "op": "op #5", "mode": "isolated"}
    guilty["why"] = "strides differ"
    if not ok:
        rows[7]["tensor"], rows[7]["layer"] = HOSTILE, HOSTILE
        rows[8]["chained"], rows[8]["isolated"] = statistics(None, "not finite"), None
    return {
        "model": "original<b>",
        "candidate": "mine",
        "ok": ok,
        "inputs": 2,
        "guilty": None if ok else guilty,
        "findings": [] if ok else [{"layer": "conv2d_5", "op": "op #5", "message": "conv2d_5: strides is (1, 1) <i>"}],
        "tensors": rows,
        "notes": ["not compared: <u>nothing</u>"],
    }


def maps_of(report: dict[str, Any], size: int = 8) -> dict[str, Any]:
    maps = np.linspace(0, 1, size * size, dtype=np.float32).reshape(size, size)
    return {row["tensor"]: {"chained": maps.copy(), "isolated": maps * 2} for row in report["tensors"]}


def open_page(chrome: Chrome, path: Path, fragment: str = "") -> None:
    chrome.get("about:blank")
    severe(chrome)  # forgets what other pages said
    chrome.get(path.as_uri() + fragment)
    ready = "return document.documentElement.dataset.ready === 'yes'"
    WebDriverWait(chrome, 30).until(lambda driver: driver.execute_script(ready), f"{severe(chrome)}")
    assert severe(chrome) == []


def severe(chrome: Any) -> list[Any]:
    """What the console has to complain about since the last call; selenium has no types for it."""
    return [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]


def text(chrome: Chrome, selector: str) -> str:
    return str(chrome.find_element(By.CSS_SELECTOR, selector).text)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "parity.html"
    report = a_report()
    maps = maps_of(report)
    maps["conv2d_3/BiasAdd"]["isolated"][0, 0] = np.nan
    write_html(report, maps, path)
    return path


def test_headline_names_the_layer_and_the_reason(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page)
    assert "conv2d_5 is wrong" in text(chrome, "#verdict")
    assert "strides differ" in text(chrome, "#verdict")
    assert "conv2d_5: strides is (1, 1) <i>" in text(chrome, "#findings")
    assert text(chrome, "#chosen-title") == "conv2d_5"  # the guilty one is chosen at first


def test_plot_has_both_modes(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page)
    traces = chrome.execute_script("return document.getElementById('depth').data.map(t => [t.meta, t.y])")
    points = {meta: values for meta, values in traces if meta}
    assert set(points) == {"chained", "isolated"}
    assert len(points["chained"]) == len(points["isolated"]) == 12
    assert points["isolated"][5] == pytest.approx(0.3)
    assert points["isolated"][8] is None  # not run
    assert points["chained"][8] > max(value for place, value in enumerate(points["chained"]) if place != 8)
    assert min(value for value in points["chained"] if value) > 0  # zero has a place on a logarithmic axis


def test_hover_shows_the_layer(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page)
    chrome.execute_script("Plotly.Fx.hover('depth', [{curveNumber: 1, pointNumber: 5}])")
    assert "conv2d_5" in text(chrome, "#depth .hoverlayer")


def test_click_on_a_point_chooses_it(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page)
    chrome.execute_script("document.getElementById('depth').emit('plotly_click', {points: [{pointIndex: 9}]})")
    assert text(chrome, "#chosen-title") == "conv2d_9"


def test_click_on_a_row_shows_its_difference_in_both_modes(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page)
    chrome.find_elements(By.CSS_SELECTOR, "#rows tr")[2].click()
    assert "conv2d_2/BiasAdd" in text(chrome, "#statistics")
    assert chrome.execute_script("return document.getElementById('map').data[0].z[7][7]") == 2
    chrome.find_element(By.CSS_SELECTOR, "input[value=chained]").click()
    assert chrome.execute_script("return document.getElementById('map').data[0].z[7][7]") == 1
    assert chrome.execute_script("return location.hash") == "#tensor=conv2d_2%2FBiasAdd"


def test_filter_hides_rows(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page)
    chrome.find_element(By.ID, "filter").send_keys("op #11 ")
    shown = [row for row in chrome.find_elements(By.CSS_SELECTOR, "#rows tr") if row.is_displayed()]
    assert len(shown) == 1


def test_hostile_name_is_only_text(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page)
    chrome.find_elements(By.CSS_SELECTOR, "#rows tr")[7].click()
    assert text(chrome, "#chosen-title") == HOSTILE
    assert chrome.title == "mine against original<b>"


def test_hash_chooses_a_tensor_and_nan_is_no_obstacle(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page, "#tensor=conv2d_3%2FBiasAdd")
    assert text(chrome, "#chosen-title") == "conv2d_3"
    assert chrome.execute_script("return document.getElementById('map').data[0].z[0][0]") is None


def test_malformed_hash_is_no_obstacle(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page, "#tensor=%")
    assert text(chrome, "#chosen-title") == "conv2d_5"


def test_error_where_the_original_is_zero_is_drawn_as_an_error(chrome: Chrome, tmp_path: Path) -> None:
    report = a_report()
    report["tensors"][9].update(span=0.0, chained=statistics(0.5, "differs") | {"relative": None})
    write_html(report, {}, tmp_path / "zero.html")
    open_page(chrome, tmp_path / "zero.html")
    assert chrome.execute_script("return document.getElementById('depth').data[0].y[9]") == 0.5


def test_what_cannot_be_measured_is_above_all_and_the_worst(chrome: Chrome, tmp_path: Path) -> None:
    report = a_report() | {"guilty": None}
    report["tensors"][10]["chained"] = statistics(500.0, "differs")
    write_html(report, {}, tmp_path / "worst.html")
    open_page(chrome, tmp_path / "worst.html")
    trace = chrome.execute_script("return document.getElementById('depth').data[0]")
    assert trace["y"][8] > trace["y"][10] == 500
    assert [trace["marker"]["symbol"][place] for place in (0, 8, 10)] == ["circle", "triangle-up", "x"]
    assert text(chrome, "#chosen-title") == "conv2d_8"


def test_both_tolerances_are_drawn(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page)
    lines = chrome.execute_script("return document.getElementById('depth').data.slice(2).map(line => line.y[0])")
    assert lines == pytest.approx([2e-6, 4e-6])


def test_enter_chooses_a_row(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page)
    chrome.find_elements(By.CSS_SELECTOR, "#rows tr")[1].send_keys(Keys.ENTER)
    assert text(chrome, "#chosen-title") == "conv2d_1"


def test_agreement_is_green(chrome: Chrome, tmp_path: Path) -> None:
    write_html(a_report(ok=True), {}, tmp_path / "ok.html")
    open_page(chrome, tmp_path / "ok.html")
    assert chrome.find_element(By.ID, "verdict").get_attribute("class") == "verdict ok"
    assert text(chrome, "#verdict").startswith("Same: mine computes what original<b> computes")
    assert text(chrome, "#map") == "No difference to show."


def test_page_needs_no_network_and_stays_small(chrome: Chrome, tmp_path: Path) -> None:
    report = a_report(tensors=400)
    noise = np.random.default_rng(0).random((128, 128), dtype=np.float32)  # what compresses least
    write_html(
        report, {tensor: {"chained": noise, "isolated": noise.T} for tensor in maps_of(report)}, tmp_path / "big.html"
    )
    assert (tmp_path / "big.html").stat().st_size < 6 * MB
    open_page(chrome, tmp_path / "big.html")
    fetched = chrome.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in fetched if not name.startswith(("data:", "blob:"))] == []


def test_unwritable_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritten, match=r"report\.html"):
        write_html(a_report(), {}, tmp_path / "report.txt")
    assert list(tmp_path.iterdir()) == []


def test_import_is_light() -> None:
    code = "import sys, parity.html_report; assert not {'plotly', 'jinja2', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
