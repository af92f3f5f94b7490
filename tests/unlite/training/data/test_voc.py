"""Pascal VOC."""

from pathlib import Path

import pytest
from PIL import Image

from tests.unlite.training.data.sets import box, by_name, picture, problems, text, voc
from unlite.training.data import read_dataset

pytestmark = pytest.mark.one_setting


def test_xml_beside_pictures(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png")
    text(tmp_path / "a.xml", voc("fist", 21, 11, 120, 60))
    text(tmp_path / "b.xml", "<annotation><size/></annotation>")
    dataset = read_dataset(tmp_path)
    assert (dataset.form, dataset.labels, dataset.problems) == ("voc", ("fist",), ())
    assert box(dataset, "a.png") == (0.1, 0.1, 0.5, 0.5)
    assert by_name(dataset)["b.png"] == ()


@pytest.mark.parametrize("first", [0, 1])
def test_a_box_over_all_counts_from_one_or_from_zero(tmp_path: Path, first: int) -> None:
    picture(tmp_path / "a.png")
    text(tmp_path / "a.xml", voc("fist", first, first, 200, 100))
    dataset = read_dataset(tmp_path)
    assert (box(dataset, "a.png"), dataset.problems) == ((0, 0, 1, 1), ())


def test_vocs_own_layout(tmp_path: Path) -> None:
    for name in "abc":
        picture(tmp_path / f"JPEGImages/{name}.jpg")
        text(tmp_path / f"Annotations/{name}.xml", voc("fist", 21, 11, 120, 60, filename=f"{name}.jpg"))
    picture(tmp_path / "SegmentationClass/a.png")
    for side, names in (("train", "a\n\ngone\n"), ("val", "b\na\n"), ("trainval", "a\nb\n")):
        text(tmp_path / f"ImageSets/Main/{side}.txt", names)
    dataset = read_dataset(tmp_path)
    assert {example.path.name: example.split for example in dataset.examples} == {
        "a.jpg": "train",
        "b.jpg": "val",
        "c.jpg": None,
    }
    assert problems(dataset) == [("train.txt", 3, "no XML is called 'gone'"), ("val.txt", 2, "'a' is in train already")]


def test_roboflows_layout(tmp_path: Path) -> None:
    for side in ("train", "valid"):
        picture(tmp_path / side / "a.png")
        text(tmp_path / side / "a.xml", voc("fist", 21, 11, 120, 60))
    assert [example.split for example in read_dataset(tmp_path).examples] == ["train", "val"]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (voc("fist", 21, 11, 10, 60), 4, "the box is inverted"),
        (voc("fist", 21, 11, "nan", 60), 4, "the box is not finite"),
        (voc("fist", 21, 11, "wide", 60), 4, "xmax is no number: 'wide'"),
        (voc("fist", 21, 11, "", 60), 4, "has no xmax"),
        (voc("", 21, 11, 120, 60), 4, "has no name"),
        (voc("fist", 1, 1, 2, 2).replace("bndbox", "polygon"), 4, "has no bndbox"),
        ("<annotation>\n<object>\n</annotation>", 3, "is no XML: mismatched tag"),
        ("<svg/>", 1, "is no annotation of Pascal VOC but <svg>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', 0, "declares entities, which are not read"),
        (voc("fist", 21, 11, 120, 60, size=None), 0, "nothing says how large broken.png is, and it cannot be opened"),
    ],
)
def test_broken_records_are_left_out_and_listed_by_line(tmp_path: Path, content: str, line: int, message: str) -> None:
    picture(tmp_path / "good.png")
    text(tmp_path / "good.xml", voc("fist", 21, 11, 120, 60))
    text(tmp_path / "broken.png", "no picture")
    text(tmp_path / "broken.xml", content)
    dataset = read_dataset(tmp_path)
    assert len(by_name(dataset)["good.png"]) == 1
    assert not by_name(dataset).get("broken.png")
    assert problems(dataset)[0][:2] == ("broken.xml", line)
    assert problems(dataset)[0][2].startswith(message)


def test_missing_pictures_and_missing_xml(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png")
    text(tmp_path / "a.xml", voc("fist", 21, 11, 120, 60))
    text(tmp_path / "c.xml", voc("fist", 21, 11, 120, 60, filename="gone.png"))
    text(tmp_path / "d.xml", voc("fist", 21, 11, 120, 60, filename="a.png"))
    dataset = read_dataset(tmp_path)
    assert list(by_name(dataset)) == ["a.png"]
    assert problems(dataset) == [
        ("c.xml", 2, "no such picture: 'gone.png'"),
        ("d.xml", 0, f"{tmp_path / 'a.png'} has an XML already"),
        ("b.png", 0, "has no XML, so that nobody says what is in it; left out"),
    ]


def test_a_picture_that_lies_on_its_side_is_measured_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 200)).save(tmp_path / "a.jpg", exif=exif)
    text(tmp_path / "a.xml", voc("fist", 21, 11, 120, 60, size=None))
    assert box(read_dataset(tmp_path), "a.jpg") == (0.1, 0.1, 0.5, 0.5)
