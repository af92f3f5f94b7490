"""The HTML report as a file; what a browser makes of it is in `test_html_in_browser.py`."""

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.errors import OutputNotWritten
from parity.report.html import write_html
from tests.tools.browser import browser
from tests.tools.html_pages import HOSTILE, a_report, maps_of

MB = 1_000_000


def written(folder: Path, report: dict[str, Any], maps: dict[str, Any]) -> str:
    write_html(report, maps, folder / "page.html")
    return (folder / "page.html").read_text("utf-8")


def unpacked(page: str, name: str) -> str:
    """What is packed into one of the page's elements."""
    (found,) = re.findall(f'id="{name}">([^<]*)</script>', page)
    return gzip.decompress(base64.b64decode(found)).decode()


def test_page_has_everything_in_it(tmp_path: Path) -> None:
    report = a_report()
    page = written(tmp_path, report, maps_of(report))
    assert page.startswith("<!doctype html>")
    assert "strides differ" in page
    data = json.loads(unpacked(page, "data"))
    assert [row["tensor"] for row in data["tensors"]] == [row["tensor"] for row in report["tensors"]]
    assert set(data["maps"]) == {row["tensor"] for row in report["tensors"]}
    assert "plotly.js v" in unpacked(page, "plotly")[:200]
    assert re.findall(r"(?:src|href)=", page) == []


def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    page = written(tmp_path, a_report() | {"candidate": HOSTILE}, {})
    assert "document.title = &#39;broken&#39;" in page
    assert not any(part in page for part in (HOSTILE, "original<b>", "(1, 1) <i>", "<u>"))


def test_page_stays_small(tmp_path: Path) -> None:
    report = a_report(tensors=400)
    noise = np.random.default_rng(0).random((128, 128), dtype=np.float32)  # what compresses least
    page = written(tmp_path, report, {tensor: {"chained": noise, "isolated": noise.T} for tensor in maps_of(report)})
    assert len(page) < 6 * MB


def test_unwritable_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritten, match=r"report\.html"):
        write_html(a_report(), {}, tmp_path / "report.txt")
    assert list(tmp_path.iterdir()) == []


def test_import_is_light() -> None:
    code = "import sys, parity.report.html; assert not {'plotly', 'jinja2', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_browser_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium chromium-driver"), browser(tmp_path):
        pass
