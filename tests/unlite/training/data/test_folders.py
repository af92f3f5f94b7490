"""A folder per label."""

from pathlib import Path

import pytest

from converter.errors import BadData
from tests.unlite.training.data.sets import by_name, picture, problems, text
from unlite.training.data import Annotation, read_dataset

pytestmark = pytest.mark.one_setting


@pytest.mark.parametrize("nothing", ["none", "None", "background", "nothing", "negative", "negatives"])
def test_folders_are_labels_and_some_are_none(tmp_path: Path, nothing: str) -> None:
    for name in ("palm/a.png", "fist/b.JPG", f"{nothing}/c.png"):
        picture(tmp_path / name)
    dataset = read_dataset(tmp_path)
    assert (dataset.labels, dataset.form, dataset.problems) == (("fist", "palm"), "folders", ())
    assert by_name(dataset) == {"a.png": (Annotation("palm"),), "b.JPG": (Annotation("fist"),), "c.png": ()}
    assert {example.split for example in dataset.examples} == {None}


def test_folders_in_a_label_are_groups(tmp_path: Path) -> None:
    for name in ("palm/anna/a.png", "palm/ben/day 2/b.png", "fist/anna/c.png", "fist/d.png"):
        picture(tmp_path / name)
    groups = {example.path.name: example.group for example in read_dataset(tmp_path).examples}
    assert groups == {"a.png": "anna", "b.png": "ben", "c.png": "anna", "d.png": ""}


@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
def test_folders_above_labels_are_a_split(tmp_path: Path, val: str) -> None:
    for name in ("train/palm/anna/a.png", "train/fist/b.png", f"{val}/palm/c.png", "test/none/d.png"):
        picture(tmp_path / name)
    dataset = read_dataset(tmp_path)
    assert dataset.labels == ("fist", "palm")
    assert {example.path.name: (example.split, example.group) for example in dataset.examples} == {
        "a.png": ("train", "anna"),
        "b.png": ("train", ""),
        "c.png": ("val", ""),
        "d.png": ("test", ""),
    }


def test_a_label_may_be_called_test(tmp_path: Path) -> None:
    for name in ("palm/a.png", "test/b.png"):
        picture(tmp_path / name)
    assert read_dataset(tmp_path).labels == ("palm", "test")


def test_what_is_no_picture_or_lies_elsewhere_is_listed(tmp_path: Path) -> None:
    for name in ("palm/a.png", "none/b.png", "stray.png"):
        picture(tmp_path / name)
    for name in ("palm/c.mp4", "palm/d.heic", "palm/Thumbs.db", "palm/.hidden", "README.md"):
        text(tmp_path / name, "")
    assert problems(read_dataset(tmp_path)) == [
        ("c.mp4", 0, "is a video; save the frames that show the label as pictures"),
        ("d.heic", 0, ".heic is not read as a picture"),
        ("stray.png", 0, "lies in no label's folder"),
    ]


def test_a_folder_beside_the_split_is_listed(tmp_path: Path) -> None:
    for name in ("train/palm/a.png", "val/none/b.png", "raw/palm/c.png"):
        picture(tmp_path / name)
    dataset = read_dataset(tmp_path)
    assert sorted(by_name(dataset)) == ["a.png", "b.png"]
    assert problems(dataset) == [("raw", 0, "lies beside the folders of the split; not read")]


def test_one_label_alone_teaches_nothing(tmp_path: Path) -> None:
    picture(tmp_path / "palm/a.png")
    with pytest.raises(BadData, match=r"every picture shows 'palm'.*\n.*called none or background"):
        read_dataset(tmp_path)
    picture(tmp_path / "none/b.png")
    assert read_dataset(tmp_path).labels == ("palm",)
