"""What holds for every form."""

from pathlib import Path

import pytest

from converter.errors import BadData
from tests.unlite.training.data.sets import by_name, coco, picture, problems, text
from unlite.training.data import Annotation, read_dataset

pytestmark = pytest.mark.one_setting


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for name in ("fist/a.png", "palm/b.png", "ok/c.png"):
        picture(tmp_path / name)
    return tmp_path


def test_labels_choose_and_order_classes_and_pictures_stay(three: Path) -> None:
    dataset = read_dataset(three, ("palm", "fist"))
    assert dataset.labels == ("palm", "fist")
    assert by_name(dataset) == {"a.png": (Annotation("fist"),), "b.png": (Annotation("palm"),), "c.png": ()}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("palm", "thumb"), "has no label 'thumb'\nhint: there are: fist, ok, palm"),
        ((), "labels are none"),
        (("palm", "palm"), "one of them twice"),
    ],
)
def test_labels_that_make_no_sense(three: Path, labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadData, match=message):
        read_dataset(three, labels)


def test_a_set_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"no such file or folder: .*gone"):
        read_dataset(tmp_path / "gone")
    with pytest.raises(BadData, match="neither a folder nor a file that describes"):
        read_dataset(picture(tmp_path / "one/a.png"))
    with pytest.raises(BadData, match="no pictures\nhint: what is read: a folder per label"):
        read_dataset(text(tmp_path / "empty/fist/.keep", "").parents[1])
    with pytest.raises(BadData, match="no labels, only pictures"):
        read_dataset(picture(tmp_path / "all/none/a.png").parents[1])
    with pytest.raises(BadData, match=r"no pictures; the first of 1 problems: .*a\.png: lies in no label's folder"):
        read_dataset(tmp_path / "one")


def test_yolo_without_its_yaml(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    text(tmp_path / "labels/a.txt", "0 0.5 0.5 1 1")
    with pytest.raises(BadData, match=r"no data\.yaml"):
        read_dataset(tmp_path)
    for name in ("one", "two"):
        text(tmp_path / f"{name}.yaml", "names: [fist]")
    with pytest.raises(BadData, match=r"several YAML files: one\.yaml, two\.yaml"):
        read_dataset(tmp_path)


def test_a_set_in_which_nothing_is_labelled(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="nothing in any picture"):
        read_dataset(coco(tmp_path / "set.json", []))
    broken = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 1, 1]}
    with pytest.raises(BadData, match=r"nothing in any picture; the first of 1 problems: .*:\d+: id 1: unknown"):
        read_dataset(coco(tmp_path / "set.json", [broken]))


def test_a_label_that_no_picture_shows_is_listed(tmp_path: Path) -> None:
    file = coco(tmp_path / "set.json", [{"id": 1, "image_id": 1, "category_id": 5, "bbox": [1, 1, 9, 9]}])
    dataset = read_dataset(file)
    assert dataset.labels == ("fist", "palm")
    assert problems(dataset) == [("set.json", 0, "no picture shows 'palm'")]


def test_counts_and_folder(three: Path) -> None:
    picture(three / "none/d.png")
    dataset = read_dataset(three)
    assert dataset.folder == three
    assert dataset.counts() == {"fist": {None: 1}, "ok": {None: 1}, "palm": {None: 1}, "": {None: 1}}
