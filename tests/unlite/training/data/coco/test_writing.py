"""COCO as it is written: what it says, how it is rounded, and who can read it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO

from converter.errors import BadData
from tests.unlite.training.data.sets import by_name, picture
from unlite.training.data import read_dataset
from unlite.training.data.coco.writing import CocoObject, CocoPicture, as_text, document

pytestmark = pytest.mark.one_setting

FIST = CocoObject("fist", (0.1, 0.2, 0.5, 0.25), ((0.1, 0.2), (1 / 3, 0.5)), 0.987654)
PALM = CocoObject("palm", (0.25, 0.5, 0.5, 0.5))
HALF = CocoObject("fist", (0.0, 0.0, 1.0, 1.0), (None, (0.5, 0.5)))
ANNA: dict[str, Any] = {"date_captured": "2026-11-30T10:00:00", "source": "camera", "person": "anna", "take": "3"}
PICTURES = (
    CocoPicture("fist/anna/1.png", 200, 100, (FIST, PALM), ANNA),
    CocoPicture("none/2.png", 64, 48),
    CocoPicture("3.png", 10, 30, (HALF,)),
)
LABELS, POINTS = ("ok", "fist", "palm"), ("wrist", "thumb")


def made(folder: Path) -> Path:
    for each in PICTURES:
        picture(folder / each.file_name, (each.width, each.height))
    (folder / "set.json").write_text(as_text(document(PICTURES, LABELS, POINTS, info={"description": "hands"})))
    return folder / "set.json"


def test_records() -> None:
    assert document(PICTURES, LABELS, POINTS, info={"description": "hands"}, supercategory="hand") == {
        "info": {"description": "hands"},
        "images": [
            {"id": 1, "file_name": "fist/anna/1.png", "width": 200, "height": 100, **ANNA},
            {"id": 2, "file_name": "none/2.png", "width": 64, "height": 48},
            {"id": 3, "file_name": "3.png", "width": 10, "height": 30},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 2,
                "bbox": [20, 20, 100, 25],
                "area": 2500,
                "iscrowd": 0,
                "keypoints": [20, 20, 2, 66.67, 50, 2],
                "num_keypoints": 2,
                "score": 0.9877,
            },
            {
                "id": 2,
                "image_id": 1,
                "category_id": 3,
                "bbox": [50, 50, 100, 50],
                "area": 5000,
                "iscrowd": 0,
                "keypoints": [0] * 6,
                "num_keypoints": 0,
            },
            {
                "id": 3,
                "image_id": 3,
                "category_id": 2,
                "bbox": [0, 0, 10, 30],
                "area": 300,
                "iscrowd": 0,
                "keypoints": [0, 0, 0, 5, 15, 2],
                "num_keypoints": 1,
            },
        ],
        "categories": [
            {"id": number, "name": label, "supercategory": "hand", "keypoints": list(POINTS)}
            for number, label in enumerate(LABELS, 1)
        ],
    }


def test_without_keypoints_there_are_none() -> None:
    plain = document([CocoPicture("1.png", 200, 100, (PALM,))], ["palm"])
    assert list(plain) == ["images", "annotations", "categories"]
    assert plain["categories"] == [{"id": 1, "name": "palm"}]
    assert not {"keypoints", "num_keypoints", "score"} & set(plain["annotations"][0])


def test_text_has_a_record_a_line(tmp_path: Path) -> None:
    file = made(tmp_path)
    lines = file.read_text().splitlines()
    assert json.loads(file.read_text()) == document(PICTURES, LABELS, POINTS, info={"description": "hands"})
    assert sum(line.startswith('{"id": ') for line in lines) == 3 + 3 + 3
    assert as_text(document([], [])).splitlines()[1:3] == ['"images": [', ""]
    assert json.loads(as_text(document([], []))) == {"images": [], "annotations": [], "categories": []}


def test_our_reader_understands_it(tmp_path: Path) -> None:
    dataset = read_dataset(made(tmp_path))
    assert dataset.labels == LABELS
    assert [problem.text for problem in dataset.problems] == ["no picture shows 'ok'"]
    fist, palm = by_name(dataset)["1.png"]
    assert fist.box_xywh == pytest.approx(FIST.box_xywh)
    np.testing.assert_allclose(fist.keypoints_xy, ((0.1, 0.2), (1 / 3, 0.5)), atol=1e-4)
    assert (palm.label, palm.keypoints_xy) == ("palm", ())
    assert by_name(dataset)["2.png"] == ()


def test_coco_tools_understand_it(tmp_path: Path) -> None:
    coco = COCO(str(made(tmp_path)))
    assert coco.getImgIds() == [1, 2, 3]
    assert [each["name"] for each in coco.loadCats(coco.getCatIds())] == list(LABELS)
    assert coco.getAnnIds(catIds=coco.getCatIds(catNms=["fist"])) == [1, 3]
    assert coco.loadAnns([1])[0]["num_keypoints"] == 2


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (CocoObject("spock", PALM.box_xywh), "1.png shows 'spock', which is none of 'ok', 'fist', 'palm'"),
        (CocoObject("fist", PALM.box_xywh, ((0, 0),)), "'fist' in 1.png has 1 keypoints instead of 2"),
    ],
)
def test_what_the_document_cannot_say(thing: CocoObject, message: str) -> None:
    with pytest.raises(BadData, match=message):
        document([CocoPicture("1.png", 200, 100, (thing,))], LABELS, POINTS)
