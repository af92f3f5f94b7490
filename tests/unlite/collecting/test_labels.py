"""Which names a label and a person may have."""

import pytest

from converter.errors import BadData
from unlite.collecting.labels import LONGEST, MOST, check_labels, check_person

pytestmark = pytest.mark.one_setting


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("", "without a name"),
        ("  ", "without a name"),
        ("a/b", "'/'"),
        ("a\\b", "cannot be a folder"),
        ("..", "dot"),
        (".hidden", "dot"),
        ("ends.", "dot"),
        ("<b>fist</b>", "cannot be a folder"),
        ("a\x00b", "cannot be a folder"),
        ("a\nb", "cannot be a folder"),
        ("a\u202eb", "cannot be a folder"),  # turns what follows around
        ("x" * (LONGEST + 1), f"at most {LONGEST}"),
        ("train", "a side of a split"),
        ("Test", "a side of a split"),
    ],
)
def test_name_that_could_do_harm_is_refused(label: str, reason: str) -> None:
    with pytest.raises(BadData, match=reason):
        check_labels(["fist", label])


@pytest.mark.parametrize("label", ["fist", "thumbs up", "人差し指", "o'key", "5", "x" * LONGEST, "über", "a&b"])
def test_any_other_name_is_kept(label: str) -> None:
    assert check_labels([f" {label} "]) == (label,)


def test_names_are_normalized_so_that_one_label_is_one_folder() -> None:
    assert check_labels(["u\u0308ber"]) == ("über",)
    for twins in (["über", "u\u0308ber"], ["Fist", "fist"], ["fist", "palm", "fist"]):
        with pytest.raises(BadData, match="would be one folder"):
            check_labels(twins)


@pytest.mark.parametrize("labels", [[], [f"label {number}" for number in range(MOST + 1)]])
def test_there_are_some_and_not_too_many(labels: list[str]) -> None:
    with pytest.raises(BadData, match=f"1 to {MOST}"):
        check_labels(labels)


def test_person_may_be_nobody() -> None:
    assert check_person("  ") == ""
    assert check_person(" anna ") == "anna"
    with pytest.raises(BadData, match="person"):
        check_person("../anna")
