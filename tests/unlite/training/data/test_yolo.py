"""YOLO's data.yaml."""

from pathlib import Path

import pytest

from converter.errors import BadData
from tests.unlite.training.data.sets import box, by_name, picture, problems, text
from unlite.training.data import read_dataset

pytestmark = pytest.mark.one_setting

YAML = "train: images/train\nval: images/val\nnames: [fist, palm]\n"
FIST = "0 0.35 0.35 0.5 0.5"


def one(folder: Path, line: str, yaml: str = YAML) -> Path:
    """A set with a picture that is as it should be, and one of which something else is said."""
    for name in ("train/a", "val/b"):
        picture(folder / f"images/{name}.png")
    text(folder / "labels/train/a.txt", f"{FIST}\n1 0.5 0.5 0.2 0.2\n")
    text(folder / "labels/val/b.txt", f"\n{line}\n")
    return text(folder / "data.yaml", yaml)


@pytest.mark.parametrize(
    "names", ["[fist, palm]", "{1: palm, 0: fist}", "{'0': fist, '1': palm}", "\n  0: fist\n  1: palm"]
)
def test_names_splits_and_boxes(tmp_path: Path, names: str) -> None:
    file = one(tmp_path, FIST, f"train: images/train\nval: images/val\nnames: {names}\n")
    for dataset in (read_dataset(tmp_path), read_dataset(file)):
        assert (dataset.form, dataset.labels, dataset.problems) == ("yolo", ("fist", "palm"), ())
        assert [example.split for example in dataset.examples] == ["train", "val"]
        assert [annotation.label for annotation in by_name(dataset)["a.png"]] == ["fist", "palm"]
        assert box(dataset, "b.png") == (0.1, 0.1, 0.5, 0.5)


def test_a_missing_or_empty_text_is_a_picture_without_objects(tmp_path: Path) -> None:
    one(tmp_path, "")
    picture(tmp_path / "images/val/c.png")
    dataset = read_dataset(tmp_path)
    assert by_name(dataset)["b.png"] == by_name(dataset)["c.png"] == ()
    assert dataset.problems == ()


def test_folders_lists_and_text_files(tmp_path: Path) -> None:
    yaml = "path: pictures\ntrain: [one/images, two/images]\nval: val.txt\ntest: gone\nnames: [fist]\n"
    for name in ("one/images/a.png", "two/images/b.png", "three/images/c.png"):
        picture(tmp_path / "pictures" / name)
        text(tmp_path / "pictures" / name.replace("images", "labels").replace(".png", ".txt"), FIST)
    text(tmp_path / "pictures/val.txt", "./three/images/c.png\n\nthree/images/gone.png\none/images/a.png\n")
    text(tmp_path / "data.yaml", yaml)
    dataset = read_dataset(tmp_path)
    assert {example.path.name: example.split for example in dataset.examples} == {
        "a.png": "train",
        "b.png": "train",
        "c.png": "val",
    }
    assert [len(said) for said in by_name(dataset).values()] == [1, 1, 1]
    a = tmp_path / "pictures/one/images/a.png"
    assert problems(dataset) == [
        ("val.txt", 3, "no such picture: 'three/images/gone.png'"),
        ("data.yaml", 3, f"val: 1 pictures are in train already and stay there: {a}, …"),
        ("data.yaml", 4, "test: no such file or folder: gone"),
    ]


def test_roboflow_says_one_folder_too_high(tmp_path: Path) -> None:
    for side in ("train", "valid"):
        picture(tmp_path / "set" / side / "images/a.png")
        text(tmp_path / "set" / side / "labels/a.txt", FIST)
    text(tmp_path / "set/data.yaml", "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['fist']\n")
    dataset = read_dataset(tmp_path / "set")
    assert [(example.split, len(example.annotations)) for example in dataset.examples] == [("train", 1), ("val", 1)]


def test_without_a_split_the_pictures_are_in_images(tmp_path: Path) -> None:
    """As supervision writes it."""
    picture(tmp_path / "images/a.jpg")
    text(tmp_path / "labels/a.txt", "1 0.22500 0.50000 0.25000 0.50000")
    text(tmp_path / "data.yaml", "nc: 2\nnames: [fist, palm]\n")
    dataset = read_dataset(tmp_path)
    assert box(dataset, "a.jpg") == (0.1, 0.25, 0.25, 0.5)
    assert dataset.examples[0].split is None


def test_polygons_become_boxes_and_scores_are_nothing(tmp_path: Path) -> None:
    one(tmp_path, "1 0.1 0.3 0.6 0.1 0.4 0.6\n0 0.35 0.35 0.5 0.5 0.9")
    dataset = read_dataset(tmp_path)
    assert [said.box_xywh for said in by_name(dataset)["b.png"]] == [pytest.approx((0.1, 0.1, 0.5, 0.5))] * 2


@pytest.mark.parametrize(
    ("shape", "points", "expected"),
    [
        ("[2, 2]", "0.1 0.2 0.3 0.4", ((0.1, 0.2), (0.3, 0.4))),
        ("[2, 3]", "0.1 0.2 1 0.3 0.4 2", ((0.1, 0.2), (0.3, 0.4))),
        ("[2, 3]", "0.1 0.2 1 0 0 0", ()),
        ("[2, 2]", "0.1 0.2 -1 -1", ()),
    ],
)
def test_keypoints(tmp_path: Path, shape: str, points: str, expected: tuple[tuple[float, float], ...]) -> None:
    one(tmp_path, f"{FIST} {points}", f"{YAML}kpt_shape: {shape}\n")
    dataset = read_dataset(tmp_path)
    assert by_name(dataset)["b.png"][0].keypoints_xy == expected
    assert box(dataset, "b.png") == (0.1, 0.1, 0.5, 0.5)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 0.5 0.5 0.2 0.2", "class 2 is unknown; data.yaml names 2, from 0 on"),
        ("nan 0.5 0.5 0.2 0.2", "class nan is unknown"),
        ("0.5 0.5 0.5 0.2 0.2", "class 0.5 is unknown"),
        ("0 0.5 0.5 0.2", "4 numbers are neither a box, nor a polygon, nor what kpt_shape says"),
        ("0 0.1 0.3 0.6 0.1 0.4 0.6 0.3", "8 numbers are neither a box"),
        ("fist 0.5 0.5 0.2 0.2", "the line is not made of numbers"),
        ("0 0.5 0.5 nan 0.2", "the box is not finite"),
        ("0 0.5 0.5 -0.2 0.2", "the box is inverted"),
        ("0 0.5 0.5 0 0.2", "the box is empty"),
        ("0 1.5 0.5 0.2 0.2", "the box is outside the picture"),
        ("0 120 50 100 40", "the box is outside the picture"),
        ("0 0.5 0.5 100 40", "the box is larger than the picture (in another unit?)"),
    ],
)
def test_broken_lines_are_left_out_and_listed(tmp_path: Path, line: str, message: str) -> None:
    one(tmp_path, f"{line}\n{FIST}")
    dataset = read_dataset(tmp_path)
    assert len(by_name(dataset)["b.png"]) == 1
    assert problems(dataset)[0][:2] == ("b.txt", 2)
    assert problems(dataset)[0][2].startswith(message)


def test_text_that_is_none_or_belongs_to_no_picture(tmp_path: Path) -> None:
    one(tmp_path, FIST)
    (tmp_path / "labels/val/b.txt").write_bytes(b"\xff\xfe")
    text(tmp_path / "labels/val/c.txt", FIST)
    text(tmp_path / "labels/val/classes.txt", "fist")
    dataset = read_dataset(tmp_path)
    assert problems(dataset) == [("b.txt", 0, "is not text in UTF-8"), ("c.txt", 0, "no picture belongs to it")]


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("train: images/train\nnames: [fist", r"data.yaml:\d: is no YAML"),
        ("train: images/train\n", "names is neither a list of classes"),
        ("names: {0: fist, 2: palm}\n", "names is neither a list of classes nor a table from 0 on"),
        ("- names", "names is neither"),
        (YAML + "kpt_shape: 7\n", "kpt_shape is no list: 7"),
        (YAML + "kpt_shape: [7, 4]\n", "kpt_shape is .7, 4."),
        ("train: gone\nnames: [fist]\n", "no pictures; the first of 1 problems: .*data.yaml:1: train: no such file"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, yaml: str, message: str) -> None:
    one(tmp_path, FIST, yaml)
    with pytest.raises(BadData, match=message):
        read_dataset(tmp_path)
