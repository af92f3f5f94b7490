"""A data set of drawn hands."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converter.errors import BadData
from tests.tools import models
from unlite.detection.finder import Finder, load_finder
from unlite.detection.gestures import GESTURES
from unlite.detection.pipeline import intersection_over_union
from unlite.training.drawn.sets import COCO, NONE, Drawn, DrawnPicture, Studio, drawn_set

pytestmark = pytest.mark.one_setting

TWO = Drawn(("fist", "ok"), persons=3, others=0.5, coco=True)
EACH = 12
FOUND = 0.8  # of these few, at the picture's own scale
# The second ones of a set.
IMAGE = '{"id": 2, "file_name": "fist/person_02/0001.jpg", "width": 73, "height": 97}'
ANNOTATION = (
    '{"id": 2, "image_id": 2, "category_id": 1, "bbox": [31.39, 38.35, 19.5, 19.5], "area": 380.25, "iscrowd": 0, '
    '"keypoints": [47.52, 57.52, 2.0, 33.77, 40.78, 2.0, 38.65, 39.25, 2.0, 43.61, 38.69, 2.0, 48.5, 38.68, 2.0, '
    '40.61, 54.98, 2.0, 33.94, 52.36, 2.0], "num_keypoints": 7}'
)


@cache
def palm_detector() -> Finder:
    return load_finder(models.path("palm_detection_full"))


def is_found(made: DrawnPicture) -> bool:
    left, top, width, height = made.places[0].palm_xywh
    palm = np.array([left, top, left + width, top + height])
    found = palm_detector()(np.asarray(made.picture))
    return bool(intersection_over_union(palm, found.corners()).max(initial=0) > 0.5)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_a_folder_per_label_and_one_per_person(tmp_path: Path) -> None:
    dataset = drawn_set(tmp_path, 4, drawn=replace(TWO, coco=False), size=96)
    assert sorted(content(tmp_path)) == [
        f"{label}/person_{number % 3 + 1:02}/{number:04}.jpg"
        for label in ("fist", NONE, "ok")
        for number in (0, 3, 1, 2)
    ]
    assert dataset.labels == ("fist", "ok")
    assert dataset.form == "folders"
    assert {example.path for example in dataset.examples} == set(tmp_path.rglob("*.jpg"))
    for example in dataset.examples:
        label, group = example.path.relative_to(tmp_path).parts[:2]
        assert example.group == group
        assert [each.label for each in example.annotations[:1]] == ([] if label == NONE else [label])
        with Image.open(example.path) as picture:
            assert max(picture.size) == 96


def test_coco_file_says_the_same(tmp_path: Path) -> None:
    dataset = drawn_set(tmp_path, 4, drawn=TWO, size=96)
    stored = json.loads((tmp_path / COCO).read_text())
    names = {category["id"]: category["name"] for category in stored["categories"]}
    assert tuple(names.values()) == dataset.labels
    for image, example in zip(stored["images"], dataset.examples, strict=True):
        with Image.open(tmp_path / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])
        rows = [row for row in stored["annotations"] if row["image_id"] == image["id"]]
        size = np.array([image["width"], image["height"]])
        for row, each in zip(rows, example.annotations, strict=True):
            assert each.box_xywh is not None
            assert names[row["category_id"]] == each.label
            np.testing.assert_allclose(row["bbox"] / np.tile(size, 2), each.box_xywh, atol=1e-4)
            x_y_visible = np.array(row["keypoints"]).reshape(7, 3)
            np.testing.assert_allclose(x_y_visible[:, :2] / size, each.keypoints_xy, atol=1e-4)
            assert (x_y_visible[:, 2] == 2).all()
    assert len({row["id"] for row in stored["annotations"]}) == len(stored["annotations"]) > 8  # others' hands too


def test_text_of_the_coco_file_stays(tmp_path: Path) -> None:
    """What one writes about a seed holds for others."""
    drawn_set(tmp_path, 3, 1, 97, replace(TWO, others=0.2))
    text = (tmp_path / COCO).read_text()
    stored = json.loads(text)
    assert text == json.dumps(stored, indent=1)
    assert list(stored) == ["images", "annotations", "categories"]
    assert json.dumps(stored["images"][1]) == IMAGE
    assert json.dumps(stored["annotations"][1]) == ANNOTATION


def test_same_seed_same_bytes_in_another_process(tmp_path: Path) -> None:
    drawn_set(tmp_path / "a", 3, seed=7, size=96, drawn=TWO)
    script = (
        "import sys; from pathlib import Path; from unlite.training.drawn.sets import Drawn, drawn_set\n"
        "drawn_set(Path(sys.argv[1]), 3, 7, 96, Drawn(('fist', 'ok'), persons=3, others=0.5, coco=True))"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "b")], check=True, env=os.environ | {"PYTHONHASHSEED": "5"}
    )
    drawn_set(tmp_path / "c", 3, seed=8, size=96, drawn=TWO)
    first, second, third = (content(tmp_path / name) for name in "abc")
    assert first == second
    assert not set(first.values()) & set(third.values())


def test_random_numbers_are_those_of_any_numpy() -> None:
    """What one writes about a seed holds for others."""
    (hand, *_) = Studio(0, 256, Drawn()).picture("point", 0).hands
    assert [round(value, 4) for value in (hand.scale, *hand.centre, hand.degrees)] == [0.3257, 0.646, 0.5739, -2.9369]


def test_a_picture_depends_on_its_own_number_alone() -> None:
    """Fewer gestures or pictures: the others stay as they are."""
    alone = Studio(3, 96, Drawn(("call",), others=0)).picture("call", 5)
    assert alone.picture.tobytes() == Studio(3, 96, Drawn(others=0)).picture("call", 5).picture.tobytes()


def test_people_differ_and_stay_themselves() -> None:
    studio = Studio(0, 96, Drawn(persons=9))
    people = [studio.person(number) for number in range(9)]
    assert len(set(people)) == 9
    light = [sum(person.skin) for person in people]
    assert max(light) > 2 * min(light)
    assert studio.picture("fist", 2).hands[0].person == studio.picture("open", 11).hands[0].person == people[2]


@pytest.mark.parametrize("boxes", ["palm", "hand"])
def test_boxes_are_in_the_picture(boxes: str, tmp_path: Path) -> None:
    dataset = drawn_set(tmp_path, 6, size=64, drawn=Drawn(others=0.5, boxes="palm" if boxes == "palm" else "hand"))
    annotations = [each for example in dataset.examples for each in example.annotations]
    xywh = np.array([each.box_xywh for each in annotations])
    keypoints = np.array([each.keypoints_xy for each in annotations])
    assert xywh.min() >= 0
    assert (xywh[:, 2:] > 0.03).all()
    assert (xywh[:, :2] + xywh[:, 2:]).max() <= 1
    assert keypoints.shape[1:] == (7, 2)
    assert ((keypoints >= 0) & (keypoints <= 1)).all()


def test_whole_hands_are_another_convention() -> None:
    """What `Whose boxes` is about: the palm is inside, and overlaps by far less than half."""
    places = [Studio(0, 96, Drawn(others=0)).picture("open", number).places[0] for number in range(5)]
    ratios = [np.prod(place.palm_xywh[2:]) / np.prod(place.hand_xywh[2:]) for place in places]
    assert max(ratios) < 0.5


def test_other_peoples_hands_leave_the_palm_free() -> None:
    studio = Studio(0, 96, Drawn(others=1.0))
    made = [studio.picture("victory", number) for number in range(40)]
    crowded = [each for each in made if len(each.hands) == 2]
    assert len(crowded) > 25
    for each in crowded:
        first, second = each.hands
        assert second.gesture != "victory"
        assert second.person != first.person
        assert second.scale < first.scale
    assert all(len(studio.picture(NONE, number).hands) == 0 for number in range(5))


@pytest.mark.parametrize("gesture", GESTURES)
def test_detector_finds_the_palms(gesture: str) -> None:
    studio = Studio(0, 256, Drawn(others=0))
    assert np.mean([is_found(studio.picture(gesture, number)) for number in range(EACH)]) >= FOUND


def test_detector_finds_little_where_no_hands_are() -> None:
    studio = Studio(0, 256, Drawn())
    pictures = [np.asarray(studio.picture(NONE, number).picture) for number in range(EACH)]
    assert sum(len(palm_detector()(picture)) > 0 for picture in pictures) <= EACH // 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pictures_per_label": 0}, "pictures_per_label=0"),
        ({"size": 20}, "size=20"),
        ({"seed": -1}, "seed=-1"),
        ({"drawn": Drawn(("fist", "spock"))}, "'spock'"),
        ({"drawn": Drawn(())}, "no gestures"),
        ({"drawn": Drawn(persons=0)}, "persons=0"),
    ],
)
def test_what_makes_no_sense(changes: dict[str, object], says: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=says):
        drawn_set(**({"folder": tmp_path / "new", "pictures_per_label": 1} | changes))  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.jpg").touch()
    for folder in (tmp_path, tmp_path / "mine.jpg"):
        with pytest.raises(BadData, match="not an empty folder"):
            drawn_set(folder, 1)
