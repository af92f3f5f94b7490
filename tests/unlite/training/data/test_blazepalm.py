"""JSON beside each picture."""

from pathlib import Path
from typing import Any

import pytest

from tests.unlite.training.data.sets import box, by_name, picture, problems, text, written
from unlite.training.data import read_dataset

pytestmark = pytest.mark.one_setting

POINTS = [[number / 10, 0.5] for number in range(7)]
PALM: dict[str, Any] = {"label": "palm", "bounding_box": [0.1, 0.1, 0.6, 0.6], "key_points": POINTS}


@pytest.mark.parametrize("points", [POINTS, [share for point in POINTS for share in point]])
@pytest.mark.parametrize("several", [False, True])
def test_one_object_or_several_and_points_in_pairs_or_flat(tmp_path: Path, points: Any, *, several: bool) -> None:
    palm = {**PALM, "key_points": points}
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png")
    written(tmp_path / "a.json", [palm] if several else palm)
    written(tmp_path / "b.json", [])
    dataset = read_dataset(tmp_path)
    assert (dataset.form, dataset.labels, dataset.problems) == ("blazepalm", ("palm",), ())
    assert box(dataset, "a.png") == (0.1, 0.1, 0.5, 0.5)
    assert by_name(dataset)["a.png"][0].keypoints_xy == tuple(map(tuple, POINTS))
    assert by_name(dataset)["b.png"] == ()


def test_folders_say_the_split(tmp_path: Path) -> None:
    for side in ("train", "val"):
        picture(tmp_path / side / "a.png")
        written(tmp_path / side / "a.json", PALM)
    assert [example.split for example in read_dataset(tmp_path).examples] == ["train", "val"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (3, "is no object: 3"),
        ({**PALM, "label": None}, "label is None"),
        ({**PALM, "label": ""}, "label is ''"),
        ({**PALM, "bounding_box": None}, "has no bounding_box"),
        ({**PALM, "bounding_box": [0, 0, 1]}, "bounding_box has 3 numbers instead of 4"),
        ({**PALM, "bounding_box": [0.6, 0.1, 0.1, 0.6]}, "the box is inverted"),
        ({**PALM, "bounding_box": [10, 10, 60, 60]}, "the box is outside the picture"),
        ({**PALM, "key_points": POINTS[:6]}, "key_points has 12 numbers instead of 14"),
        ({**PALM, "key_points": [[1, 2, 3]]}, "a key point has 3 numbers instead of 2"),
        ({**PALM, "key_points": {}}, None),
        ({**PALM, "key_points": "many"}, "key_points is no list"),
    ],
)
def test_broken_objects_are_left_out_and_listed_by_line(tmp_path: Path, content: Any, message: str | None) -> None:
    picture(tmp_path / "a.png")
    written(tmp_path / "a.json", [content, PALM])
    dataset = read_dataset(tmp_path)
    assert len(by_name(dataset)["a.png"]) == (2 if message is None else 1)
    if message is not None:
        assert problems(dataset)[0][:2] == ("a.json", 2)
        assert problems(dataset)[0][2].startswith(message)


def test_files_that_are_missing_or_no_json(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        picture(tmp_path / f"{name}.png")
    written(tmp_path / "a.json", PALM)
    text(tmp_path / "b.json", '{"label":\n"palm"')
    written(tmp_path / "d.json", PALM)
    dataset = read_dataset(tmp_path)
    assert list(by_name(dataset)) == ["a.png"]
    found = problems(dataset)
    assert found[0][:2] == ("b.json", 2)
    assert found[1] == ("d.json", 0, "no picture of this name lies beside it")
    assert [name for name, *_ in found[2:]] == ["b.png", "c.png"]
