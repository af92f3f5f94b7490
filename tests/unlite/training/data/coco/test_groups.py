"""Pictures of one person, one sitting, one press of a key: what a split keeps together."""

from pathlib import Path
from typing import Any

import pytest

from tests.unlite.training.data.sets import picture, written
from unlite.training.data import Dataset, read_dataset, split
from unlite.training.data.coco.groups import marks_in

pytestmark = pytest.mark.one_setting

LABELS = ("fist", "palm")
BOX = [20, 10, 100, 50]


def collected(root: Path, *shown: tuple[str, dict[str, Any]], name: str = "annotations.json") -> Path:
    """Pictures 0.png, 1.png … of what is shown, each with more members of its record; `none` is nothing."""
    images, annotations = [], []
    for number, (label, members) in enumerate(shown):
        path = picture(root / label / f"{number}.png")
        file_name = path.relative_to(root).as_posix()
        images.append({"id": number, "file_name": file_name, "width": 200, "height": 100, **members})
        if label in LABELS:
            category = LABELS.index(label) + 1
            annotations.append({"id": number, "image_id": number, "category_id": category, "bbox": BOX})
    categories = [{"id": number, "name": label} for number, label in enumerate(LABELS, 1)]
    return written(root / name, {"images": images, "annotations": annotations, "categories": categories})


def groups(dataset: Dataset) -> dict[str, str]:
    """Name of a picture → its group."""
    return {example.path.stem: example.group for example in dataset.examples}


def by(root: Path, *shown: tuple[str, dict[str, Any]]) -> list[str]:
    """The groups of pictures, in their order."""
    collected(root, *shown)
    return [group for _, group in sorted(groups(read_dataset(root)).items())]


ANNA, BERT = ({"person": name, "session": f"with {name}", "take": 1} for name in ("anna", "bert"))


def test_persons_are_groups_where_each_label_has_two(tmp_path: Path) -> None:
    shown = [(label, who) for label in LABELS for who in (ANNA, BERT)]
    assert by(tmp_path, *shown) == ["anna", "bert", "anna", "bert"]


def test_sessions_are_where_a_label_is_of_one_person(tmp_path: Path) -> None:
    again = {**ANNA, "session": "later"}
    shown = [("fist", ANNA), ("fist", BERT), ("palm", ANNA), ("palm", again)]
    assert by(tmp_path, *shown) == ["with anna", "with bert", "with anna", "later"]


def test_takes_are_where_a_label_is_of_one_session_and_count_in_each_anew(tmp_path: Path) -> None:
    shown = [("fist", ANNA), ("fist", BERT), ("palm", ANNA), ("palm", {**ANNA, "take": 2})]
    assert by(tmp_path, *shown) == ["with anna/1", "with bert/1", "with anna/1", "with anna/2"]


def test_there_are_none_where_a_label_is_of_one_take(tmp_path: Path) -> None:
    assert by(tmp_path, ("fist", ANNA), ("fist", BERT), ("palm", ANNA), ("palm", ANNA)) == [""] * 4


def test_who_has_no_person_is_grouped_by_session_or_take(tmp_path: Path) -> None:
    others: list[dict[str, Any]] = [{"session": "s", "take": 5}, {"take": "7"}, {}, {"person": ""}]
    shown = [("fist", ANNA), ("palm", BERT), *(("fist", other) for other in others), ("palm", {})]
    assert by(tmp_path, *shown) == ["anna", "bert", "s", "7", "", "", ""]


def test_two_pictures_without_a_group_can_be_on_two_sides(tmp_path: Path) -> None:
    assert by(tmp_path, ("fist", ANNA), ("fist", {}), ("palm", {}), ("palm", {})) == ["anna", "", "", ""]


def test_what_is_nothing_a_single_picture_and_one_for_testing_have_no_say(tmp_path: Path) -> None:
    shown = [("fist", ANNA), ("fist", BERT), ("palm", ANNA), ("none", BERT), ("none", BERT)]
    assert by(tmp_path / "one", *shown) == ["anna", "bert", "anna", "bert", "bert"]
    root = tmp_path / "sides"
    collected(root / "train", ("fist", ANNA), ("fist", {**ANNA, "session": "later"}), name="train.json")
    collected(root / "test", ("fist", BERT), ("fist", BERT), name="test.json")
    for side in ("train", "test"):
        (root / side / f"{side}.json").rename(root / f"{side}.json")
    read = read_dataset(root)
    assert [example.group for example in read.of("train")] == ["with anna", "later"]  # bert is not there to be split


def test_a_split_keeps_groups_whole_unless_another_group_is_asked_for(tmp_path: Path) -> None:
    people = [{"person": str(number)} for number in range(10)]
    collected(tmp_path, *((label, who) for who in people for label in LABELS))
    dataset = read_dataset(tmp_path)
    for path in tmp_path.rglob("*.png"):
        path.unlink()  # they are all the same, and would be kept together for that
    sides = {(example.group, example.split) for example in split(dataset).examples}
    assert len(sides) == len(people)
    assert sum(side == "val" for _, side in sides) == 2
    named = split(dataset, group=r"\d+")
    assert len({(example.group, example.split) for example in named.examples}) == 2 * len(people)


def test_only_text_and_numbers_are_marks() -> None:
    image = {"person": ["anna"], "session": None, "take": 3, "date_captured": "2026-11-30"}
    assert marks_in(image) == {"take": "3"}


def test_pictures_of_none_show_nothing(tmp_path: Path) -> None:
    dataset = read_dataset(collected(tmp_path, ("fist", {}), ("palm", {}), ("none", {})))
    assert [example.annotations == () for example in dataset.examples] == [False, False, True]
    assert dataset.labels == LABELS
