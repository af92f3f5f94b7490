"""COCO JSON, and Roboflow's layout of it."""

from pathlib import Path
from typing import Any

import pytest

from converter.errors import BadData
from tests.unlite.training.data.sets import box, by_name, coco, picture, problems, text, written
from unlite.training.data import read_dataset

pytestmark = pytest.mark.one_setting

FIST: dict[str, Any] = {"id": 1, "image_id": 1, "category_id": 5, "bbox": [20, 10, 100, 50]}


def line_of(file: Path, words: str) -> int:
    return next(n for n, line in enumerate(file.read_text().splitlines(), start=1) if words in line)


def test_boxes_keypoints_and_pictures_without_objects(tmp_path: Path) -> None:
    hand = {**FIST, "id": 2, "category_id": 7, "keypoints": [20, 10, 2, 100, 50, 1], "iscrowd": 0}
    file = coco(tmp_path / "set.json", [FIST, hand, {**FIST, "iscrowd": 1}])
    for dataset in (read_dataset(file), read_dataset(tmp_path)):
        assert (dataset.form, dataset.labels, dataset.problems) == ("coco", ("fist", "palm"), ())
        fist, palm = by_name(dataset)["a.png"]
        assert fist.box_xywh == pytest.approx((0.1, 0.1, 0.5, 0.5))
        assert (fist.label, palm.label, palm.keypoints_xy) == ("fist", "palm", ((0.1, 0.1), (0.5, 0.5)))
        assert by_name(dataset)["b.png"] == ()


def test_with_a_keypoint_that_is_not_labelled_there_are_none(tmp_path: Path) -> None:
    file = coco(tmp_path / "set.json", [{**FIST, "keypoints": [0, 0, 0, 100, 50, 2]}])
    (fist,) = by_name(read_dataset(file))["a.png"]
    assert fist.keypoints_xy == ()
    assert fist.box_xywh is not None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"category_id": 6}, "unknown category_id 6"),
        ({"category_id": [5]}, "unknown category_id [5]"),
        ({"image_id": 9}, "image_id 9 is no image of this file"),
        ({"image_id": None}, "has no image_id"),
        ({"bbox": None}, "has no bbox"),
        ({"bbox": 3}, "bbox is no list: 3"),
        ({"bbox": [1, 2, 3]}, "bbox has 3 numbers instead of 4"),
        ({"bbox": [1, 2, 3, "wide"]}, "bbox is not made of numbers: [1, 2, 3, 'wide']"),
        ({"bbox": [20, 10, float("nan"), 50]}, "the box is not finite"),
        ({"bbox": [20, 10, float("inf"), 50]}, "the box is not finite"),
        ({"bbox": [20, 10, -5, 50]}, "the box is inverted"),
        ({"bbox": [20, 10, 0, 50]}, "the box is empty"),
        ({"bbox": [200, 10, 20, 50]}, "the box is outside the picture"),
        ({"bbox": [20, 10, 2000, 50]}, "the box is larger than the picture (in another unit?)"),
        ({"keypoints": [1, 2]}, "keypoints has 2 numbers; x, y and v of each are expected"),
        ({"keypoints": [20, float("nan"), 2]}, "keypoint 0 is far outside the picture"),
        ({"keypoints": [20, 900, 2]}, "keypoint 0 is far outside the picture"),
    ],
)
def test_broken_annotations_are_left_out_and_listed_by_line(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    file = coco(tmp_path / "set.json", [{**FIST, "id": 77, **change}, FIST])
    dataset = read_dataset(file)
    assert sum(map(len, by_name(dataset).values())) == 1
    problem = dataset.problems[0]
    assert (problem.file, problem.line) == (file, line_of(file, '"id": 77') - 1)
    assert problem.text.startswith(f"id 77: {text}")


def test_a_box_that_reaches_outside_is_clipped(tmp_path: Path) -> None:
    file = coco(tmp_path / "set.json", [{**FIST, "bbox": [-20, 10, 100, 50]}, {**FIST, "bbox": [-1, 10, 100, 50]}])
    dataset = read_dataset(file)
    assert [annotation.box_xywh for annotation in by_name(dataset)["a.png"]] == [
        pytest.approx((0, 0.1, 0.4, 0.5)),
        pytest.approx((0, 0.1, 0.495, 0.5)),
    ]
    assert [problem.text for problem in dataset.problems[:-1]] == [
        "id 1: the box reaches outside the picture by 10%; clipped"
    ]


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ({"id": 3, "file_name": "gone.png"}, "id 3: no such picture: 'gone.png'"),
        ({"id": 3}, "id 3: has no file_name"),
        ({"file_name": "a.png"}, "has no id"),
        ({"id": 1, "file_name": "b.png"}, "id 1: another image has this id (line 3)"),
        ("a.png", "is no object: 'a.png'"),
    ],
)
def test_broken_images_are_left_out_and_listed_by_line(tmp_path: Path, image: Any, text: str) -> None:
    images = [{"id": 1, "file_name": "a.png"}, image]
    file = coco(tmp_path / "set.json", [FIST, {**FIST, "image_id": 3}] if "3" in text else [FIST], images=images)
    dataset = read_dataset(file)
    assert list(by_name(dataset)) == ["a.png"]
    assert problems(dataset)[0] == (file.name, 7, text)


def test_without_width_and_height_the_picture_is_asked(tmp_path: Path) -> None:
    text(tmp_path / "c.png", "no picture")
    images = [{"id": 1, "file_name": "a.png", "width": 0}, {"id": 2, "file_name": "c.png"}]
    dataset = read_dataset(coco(tmp_path / "set.json", [FIST], images=images))
    assert box(dataset, "a.png") == (0.1, 0.1, 0.5, 0.5)
    assert problems(dataset)[0][2] == "id 2: nothing says how large c.png is, and it cannot be opened"


def test_roboflows_layout(tmp_path: Path) -> None:
    categories = [
        {"id": 0, "name": "hands", "supercategory": "none"},
        {"id": 1, "name": "fist", "supercategory": "hands"},
        {"id": 2, "name": "palm", "supercategory": "hands"},
    ]
    labelled = [{**FIST, "category_id": 1}, {**FIST, "category_id": 2, "image_id": 2}]
    for side in ("train", "valid", "test"):
        coco(tmp_path / side / "_annotations.coco.json", labelled, categories=categories)
    dataset = read_dataset(tmp_path)
    assert (dataset.form, dataset.labels, dataset.problems) == ("coco", ("fist", "palm"), ())
    assert [example.split for example in dataset.examples] == ["test"] * 2 + ["train"] * 2 + ["val"] * 2


def test_annotations_of_each_side_in_a_folder(tmp_path: Path) -> None:
    for side in ("train", "val"):
        picture(tmp_path / side / "a.png")
        images = [{"id": 1, "file_name": "a.png", "width": 200, "height": 100}]
        content = {"images": images, "annotations": [FIST], "categories": [{"id": 5, "name": "fist"}]}
        written(tmp_path / f"annotations/instances_{side}2017.json", content)
    written(tmp_path / "annotations/captions_train2017.json", {"images": images, "annotations": []})
    dataset = read_dataset(tmp_path)
    assert [(example.path, example.split) for example in dataset.examples] == [
        (tmp_path / "train/a.png", "train"),
        (tmp_path / "val/a.png", "val"),
    ]
    assert problems(dataset) == [("captions_train2017.json", 0, "has no images or no categories; not read")]


def test_a_picture_counts_once(tmp_path: Path) -> None:
    coco(tmp_path / "one.json", [FIST])
    coco(tmp_path / "two.json", [FIST, FIST])
    dataset = read_dataset(tmp_path)
    assert len(by_name(dataset)["a.png"]) == 1
    assert problems(dataset)[0][0] == "two.json"
    assert problems(dataset)[0][2].startswith("2 of its pictures are in another file as well")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [\n{"id": 1},\n{"id": ]}', "json:3: is no JSON"),
        ('{"images": [\n{"id": 1}\n{"id": 2}]}', "json:3: is no JSON: , or ] is missing"),
        ('{"images"\n', "json:2: is no JSON: : is missing"),
        ("[1]", "is not an object of JSON"),
        ("", "is not an object of JSON"),
        ('{"images": [], "annotations": [], "categories": []}', "no pictures"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(BadData, match=message):
        read_dataset(text(tmp_path / "set.json", content))


def test_json_in_one_line_is_told_by_id(tmp_path: Path) -> None:
    file = coco(tmp_path / "set.json", [FIST, {**FIST, "id": 12, "category_id": 1}])
    file.write_text(file.read_text().replace("\n", " "))
    assert problems(read_dataset(file))[0] == ("set.json", 1, "id 12: unknown category_id 1")


def hands(root: Path, *names: str) -> Path:
    """A file at the root of pictures in folders below it."""
    images = [{"id": at, "file_name": name, "width": 200, "height": 100} for at, name in enumerate(names, 1)]
    for name in names:
        picture(root / name)
    return written(
        root / "annotations.json",
        {"images": images, "annotations": [FIST], "categories": [{"id": 5, "name": "fist"}]},
    )


def test_pictures_without_a_record_are_listed_by_folder(tmp_path: Path) -> None:
    hands(tmp_path, "fist/anna/1.jpg", "none/1.jpg")
    for name in ("fist/anna/2.jpg", "fist/bert/1.jpg", "fist/bert/2.jpg", "fist/bert/3.jpg"):
        picture(tmp_path / name)
    dataset = read_dataset(tmp_path)
    assert (dataset.form, len(dataset.examples)) == ("coco", 2)
    assert [(problem.file.relative_to(tmp_path).as_posix(), problem.text) for problem in dataset.problems] == [
        ("fist/anna/2.jpg", "has no record that was read, and is left out"),
        ("fist/bert", "3 pictures have no record that was read, and are left out; the first: 1.jpg"),
    ]


def test_beside_a_file_that_was_named_only_pictures_near_its_own_are_listed(tmp_path: Path) -> None:
    file = hands(tmp_path, "found/fist/1.jpg", "found/none/1.jpg")
    for name in ("found/palm/1.jpg", "holidays/1.jpg"):
        picture(tmp_path / name)
    assert problems(read_dataset(file)) == [("1.jpg", 0, "has no record that was read, and is left out")]
    assert [name for name, _, _ in problems(read_dataset(tmp_path))] == ["1.jpg", "1.jpg"]


def test_records_that_lead_to_a_picture_by_another_way_are_its_records(tmp_path: Path) -> None:
    root = tmp_path / "set"
    hands(root, "images/1.jpg")
    (tmp_path / "link").symlink_to(root)
    for name in ("annotations/../images/1.jpg", str(root / "images/1.jpg"), str(tmp_path / "link/images/1.jpg")):
        (root / "annotations").mkdir(exist_ok=True)
        text = (root / "annotations.json").read_text()
        (root / "annotations.json").write_text(text.replace('"images/1.jpg"', f'"{name}"'))
        for given in (root, tmp_path / "link"):
            assert read_dataset(given).problems == ()
        (root / "annotations.json").write_text(text)
