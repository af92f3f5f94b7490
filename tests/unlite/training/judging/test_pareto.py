"""What designs are worth beside what they cost."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from converter.errors import OutputNotWritten
from unlite.training.judging.pareto import Worth, front, write_pareto

pytestmark = pytest.mark.one_setting

ROWS = [
    Worth("joint", 7, 9.0, 0.61),
    Worth("gated", 7, 9.5, 0.60),
    Worth("tower", 7, 10.0, 0.93),
    Worth("two_stage", 7, 20.0, 0.93),
    Worth("$wide$", 7, 30.0, 0.98),
]


def names(rows: list[Worth]) -> list[str]:
    return [row.design for row in rows]


def test_front_has_what_none_beats() -> None:
    assert names(front(ROWS)) == names(front(ROWS[::-1])) == ["joint", "tower", "$wide$"]


def test_of_equal_cost_the_worthier_is_in_front() -> None:
    assert names(front([Worth("a", 7, 1, 0.5), Worth("b", 7, 1, 0.6)])) == ["b"]


def test_what_is_never_worth_anything_is_in_front_of_nothing() -> None:
    assert front([]) == []


def labels(path: Path) -> set[str | None]:
    root = ElementTree.parse(path).getroot()  # noqa: S314 - written by the caller
    return {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}


def test_drawing_names_every_design_and_is_the_same_again(tmp_path: Path) -> None:
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for path in (first, second):
        write_pareto(ROWS, path, worth="accuracy", title="$palm$")
    assert first.read_bytes() == second.read_bytes()
    assert labels(first) >= {*names(ROWS), "ms per picture", "accuracy", "$palm$"}


def test_drawing_tells_numbers_of_classes_apart(tmp_path: Path) -> None:
    write_pareto([ROWS[0], Worth("joint", 20, 9.4, 0.5)], tmp_path / "two.svg")
    assert labels(tmp_path / "two.svg") >= {"joint, 7 classes", "joint, 20 classes", "mAP@0.5"}


def test_drawing_is_an_svg(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritten, match=r"does not end in \.svg"):
        write_pareto(ROWS, tmp_path / "two.png")
