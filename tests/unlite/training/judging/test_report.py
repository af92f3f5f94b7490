"""The page of a training run as a file, its drawing of mistakes, and the same numbers as text."""

import base64
import gzip
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converter.errors import OutputNotWritten
from parity.report.text import make_console
from tests.tools.evaluations import LEFT, RIGHT, a_report, found, picture, truth, with_every_mistake
from tests.tools.html_pages import HOSTILE
from unlite.detection.drawing import BOX
from unlite.training.judging.evaluate import evaluate
from unlite.training.judging.report import THUMBNAILS, TRUTH, Report, drawn, write_report
from unlite.training.judging.text import show_evaluation

pytestmark = pytest.mark.one_setting

MB = 1_000_000


def written(folder: Path, report: Report) -> str:
    write_report(report, folder / "page.html")
    return (folder / "page.html").read_text("utf-8")


def packed(page: str) -> Any:
    (found,) = re.findall('id="data">([^<]*)</script>', page)
    return json.loads(gzip.decompress(base64.b64decode(found)))


def pictures(page: str) -> list[Image.Image]:
    letters = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in letters]


def test_page_has_every_section(tmp_path: Path) -> None:
    page = written(tmp_path, a_report())
    assert page.startswith("<!doctype html>")
    for part in ("summary", "classes", "f1", "precision", "confusion", "history", "mosaic", "objects"):
        assert f'id="{part}"' in page
    for part in ("problems", "boxes", "costs", "command", "settings"):
        assert f'id="{part}"' in page
    assert "0.5123" in page  # the overlap, rounded
    assert not re.findall(r"(?:src|href)=\"(?!data:image/jpeg;base64,)", page)


def test_page_of_an_evaluation_alone(tmp_path: Path) -> None:
    page = written(tmp_path, Report("only this", with_every_mistake(["fist", "palm"])))
    assert "only this" in page
    assert "<img" not in page
    assert not any(f'id="{part}"' in page for part in ("history", "mosaic", "objects", "problems", "boxes", "costs"))


def test_names_are_only_text(tmp_path: Path) -> None:
    page = written(tmp_path, a_report())
    assert not any(
        part in page for part in (HOSTILE, "<b>labels", "<b>conv", "<b>neither", "data <b>", "b<i>.jpg", "<b>map")
    )
    assert page.count("document.title = &#39;broken&#39;") >= 6


def test_every_mistake_is_shown(tmp_path: Path) -> None:
    report = a_report()
    page = written(tmp_path, report)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, flags=re.DOTALL)
    assert len(captions) == len(report.evaluation.mistakes) == 3
    for caption, mistake in zip(captions, report.evaluation.mistakes, strict=True):
        assert f"{mistake.score:.2f}" in caption
        assert report.names[mistake.picture].replace("<i>", "&lt;i&gt;") in caption
    assert len(pictures(page)) == 3 + 2
    assert len(pictures(written(tmp_path, replace(report, mosaic=())))) == 3
    assert re.findall("<h3>(.*?)</h3>", page) == ["confused: 1", "nothing there: 1", "missed: 1"]


def test_no_more_mistakes_than_one_looks_at(tmp_path: Path) -> None:
    many = evaluate([found((*LEFT, 0.9, 1))] * 60, [truth((*LEFT, 0))] * 60, ["fist", "palm"])
    page = written(tmp_path, Report("many", many, picture=lambda _: picture(1)))
    assert len(pictures(page)) == THUMBNAILS["confused"]
    assert f"confused: 60, of which {THUMBNAILS['confused']} are shown" in page
    assert sum(THUMBNAILS.values()) == 40


def test_no_mistakes(tmp_path: Path) -> None:
    right = evaluate([found((*LEFT, 0.9, 0))], [truth((*LEFT, 0))], ["fist"])
    page = written(tmp_path, Report("right", right))
    assert re.findall("<h3>(.*?)</h3>", page) == ["confused: 0", "nothing there: 0", "missed: 0"]
    assert "<figure>" not in page


def test_curves_are_in_the_page(tmp_path: Path) -> None:
    report = a_report()
    data = packed(written(tmp_path, report))
    assert data["confusion"] == report.evaluation.confusion.tolist()
    assert data["mean_f1"] == report.evaluation.mean_f1.tolist()
    assert len(data["precision"]) == 2
    assert len(data["precision"][0]) == 101
    assert data["history"] == {
        "epoch": [0, 1],
        "loss": [2, 1],
        "val_loss": [2.5, None],
        "learning_rate": [0.001, 0.0005],
        "seconds": [3, 3],
        "<b>map": [0.1, None],
    }


def test_page_stays_small(tmp_path: Path) -> None:
    many = evaluate([found((*LEFT, 0.9, 1))] * 60, [truth((*LEFT, 0))] * 60, ["fist", "palm"])
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)
    assert len(written(tmp_path, Report("many", many, picture=lambda _: noise))) < 6 * MB


def test_unwritable_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritten, match=r"report\.html"):
        write_report(a_report(), tmp_path / "report.txt")
    assert list(tmp_path.iterdir()) == []


def count(image: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(image) == colour).all(axis=-1).sum())


def test_drawing_shows_both_boxes_and_not_the_rest() -> None:
    by_kind = {mistake.kind: mistake for mistake in with_every_mistake().mistakes}
    grey = np.full((400, 400, 3), 99, np.uint8)
    grey[:, 399] = 7  # far from what is drawn
    shown = {kind: drawn(grey, mistake) for kind, mistake in by_kind.items()}
    there, said = ({kind: count(image, colour) > 0 for kind, image in shown.items()} for colour in (TRUTH, BOX))
    assert said == {"confused": True, "nothing there": True, "missed": False}
    assert there == {"confused": False, "nothing there": False, "missed": True}  # red lies on the same green
    assert count(shown["confused"], (7, 7, 7)) == 0
    assert max(shown["confused"].size) == 320


@pytest.mark.parametrize("box", [(-0.5, -0.5, 3, 3), (0.999, 0.999, 0.5, 0.5), (2, 2, 1, 1), (0.5, 0.5, 1e-6, 1e-6)])
def test_drawing_of_a_box_that_is_outside(box: tuple[float, float, float, float]) -> None:
    mistake = replace(with_every_mistake().mistakes[0], truth_box=box, found_box=RIGHT)
    assert max(drawn(np.zeros((48, 64, 3), np.uint8), mistake).size) == 320
    lone = replace(mistake, found_box=None)
    assert max(drawn(np.zeros((48, 64, 3), np.uint8), lone).size) == 320


def test_text_has_every_class_and_the_threshold() -> None:
    with io.StringIO() as text:
        show_evaluation(with_every_mistake(["fist", "palm"]), make_console(text))
        lines = text.getvalue().splitlines()
    assert lines[0].split() == ["class", "objects", "found", "AP50", "precision", "recall", "F1"]
    assert [line.split()[:3] for line in lines[1:3]] == [["fist", "2", "2"], ["palm", "1", "1"]]
    assert "at threshold 0.50 (these pictures suggest 0.85) right class in the right place 0.333" in lines[3]


def test_text_tells_what_was_left_out_and_whose_threshold_it_is() -> None:
    made = evaluate([found((*LEFT, np.nan, 0), (*LEFT, 0.9, 0))], [truth((*LEFT, 0))], ["fist"], threshold=0.3)
    with io.StringIO() as text:
        show_evaluation(made, make_console(text))
        assert "1 detections had no finite score" in text.getvalue()
        assert "at threshold 0.30 (these pictures suggest 0.45)" in text.getvalue()
