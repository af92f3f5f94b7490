"""Splits: stratified, by group, the same everywhere, and never with near-copies on both sides."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from converter.errors import BadData
from tests.unlite.training.data.test_copies import hands, saved
from unlite.detection.drawn import draw
from unlite.training.data import Annotation, Dataset, Example, Problem, Split, split, splitting

pytestmark = pytest.mark.one_setting


def dataset(root: Path, names: Iterable[str]) -> Dataset:
    """Files that need not exist: `label/group/name`, or `label/name`; "none" is no label."""
    examples = []
    for name in names:
        label, *group, _ = name.split("/")
        annotations = () if label == "none" else (Annotation(label),)
        examples.append(Example(root / name, annotations, None, group[0] if group else ""))
    labels = sorted({label for example in examples for label in example.labels})
    return Dataset(tuple(labels), tuple(examples))


def many(root: Path = Path("set")) -> Dataset:
    counts = {"fist": 50, "palm": 20, "ok": 5, "none": 10}
    return dataset(root, [f"{label}/{n}.jpg" for label, count in counts.items() for n in range(count)])


def sides(made: Dataset) -> dict[str, Split | None]:
    return {
        example.path.relative_to(made.folder.relative_to(Path.cwd())).as_posix(): example.split
        for example in made.examples
    }


def test_each_label_gets_its_share() -> None:
    counts = split(many()).counts()
    assert {label: (count["train"], count["val"]) for label, count in counts.items()} == {
        "fist": (40, 10),
        "ok": (4, 1),
        "palm": (16, 4),
        "": (8, 2),
    }


# Of another machine, another Python, another year: what must stay.
PINNED = ["fist/1.jpg", "palm/1.jpg"]


def test_it_depends_on_names_alone() -> None:
    made = sides(split(many()))
    assert made == sides(split(many(Path("elsewhere/of/all"))))
    given = many()
    assert made == sides(split(replace(given, examples=given.examples[::-1])))
    assert made != sides(split(many(), seed=1))
    few = split(dataset(Path("set"), [f"{label}/{n}.jpg" for label in ("fist", "palm") for n in range(5)]))
    assert sorted(name for name, side in sides(few).items() if side == "val") == PINNED


def test_letters_are_the_same_however_a_file_system_composes_them() -> None:
    names = [f"{label}/{letter}.jpg" for label in ("fist", "palm") for letter in "ÄÖÜßéñô"]
    composed, decomposed = (
        [
            example.split
            for example in split(dataset(Path("set"), [unicodedata.normalize(form, n) for n in names])).examples
        ]
        for form in ("NFC", "NFD")
    )
    assert composed == decomposed


def of_groups(made: Dataset) -> dict[str, set[Split | None]]:
    found = defaultdict(set)
    for example in made.examples:
        found[example.group].add(example.split)
    return found


def test_groups_stay_whole_across_labels() -> None:
    persons = [f"{label}/person{n}/{k}.jpg" for label in ("fist", "palm") for n in range(10) for k in range(3)]
    made = split(dataset(Path("set"), persons))
    assert all(len(found) == 1 for found in of_groups(made).values())
    assert {label: count["val"] for label, count in made.counts().items() if label} == {"fist": 6, "palm": 6}


def test_a_large_group_is_trained_on() -> None:
    names = [
        f"{label}/{who}/{n}.jpg" for label in ("fist", "palm") for who, k in (("anna", 9), ("ben", 1)) for n in range(k)
    ]
    assert of_groups(split(dataset(Path("set"), names))) == {"anna": {"train"}, "ben": {"val"}}


@pytest.mark.parametrize("seed", range(20))
def test_every_label_of_several_groups_is_on_both_sides(seed: int) -> None:
    """Also the rare ones, whose share is less than half a picture."""
    names = [*(f"fist/f{n}/{k}.jpg" for n in range(30) for k in range(4)), "palm/f1/x.jpg", "palm/f2/y.jpg"]
    made = split(dataset(Path("set"), names), share=0.1, seed=seed)
    assert all(made.counts()[label][side] for label in ("fist", "palm") for side in splitting.SIDES[:2])
    assert made.problems == ()


def test_a_label_of_one_group_is_on_one_side_and_listed() -> None:
    names = [*(f"fist/{n}/a.jpg" for n in range(5)), "palm/anna/a.jpg", "palm/anna/b.jpg"]
    made = split(dataset(Path("set"), names))
    assert made.counts()["palm"] == {"train": 2}
    assert [problem.text for problem in made.problems] == [f"no picture of val shows 'palm': {splitting.MORE}"]


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(BadData, match=r"no picture is left for val.*\nhint: take pictures of more persons"):
        split(dataset(Path("set"), ["fist/anna/a.jpg", "palm/anna/b.jpg"]))


@pytest.mark.parametrize("pattern", [r"(p\d+)_", r"p\d+"])
def test_a_pattern_names_groups(pattern: str) -> None:
    names = [f"{label}/p{n}_{k}.jpg" for label in ("fist", "palm") for n in range(10) for k in range(2)]
    found = of_groups(split(dataset(Path("set"), names), group=pattern))
    assert sorted(found) == sorted(f"p{n}" for n in range(10))
    assert all(len(sides) == 1 for sides in found.values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"group": "("}, "is no regular expression"),
        ({"group": "person"}, "fits no picture's path\nhint: one of them: fist/0.jpg"),
        ({"share": 0}, "share=0 for validation"),
        ({"share": 1.0}, "share=1.0 for validation"),
        ({"share": float("nan")}, "share=nan for validation"),
    ],
)
def test_arguments_that_make_no_sense(settings: dict[str, float | str], message: str) -> None:
    with pytest.raises(BadData, match=message):
        split(many(), **settings)  # type: ignore[arg-type]
    with pytest.raises(BadData, match="without pictures"):
        split(Dataset((), ()))


def given(made: Dataset, *pairs: Split | None) -> Dataset:
    examples = [replace(example, split=side) for example, side in zip(made.examples, pairs, strict=True)]
    return replace(made, examples=tuple(examples))


def test_a_given_split_stays() -> None:
    three = dataset(Path("set"), ["fist/a.jpg", "fist/b.jpg", "fist/c.jpg", "fist/d.jpg"])
    made = split(given(three, "val", "train", None, "test"))
    assert [example.split for example in made.examples] == ["val", "train", "train", "test"]


def test_without_val_a_part_of_train_becomes_it() -> None:
    order: list[Split] = ["test", "test", "test", "test", "test", "train", "train", "train", "train", "train"]
    ten = dataset(Path("set"), [f"fist/{n}.jpg" for n in range(10)])
    made = split(given(ten, *order))
    assert [example.split for example in made.examples[:5]] == ["test"] * 5
    assert sorted(str(example.split) for example in made.examples[5:]) == ["train"] * 4 + ["val"]


def test_a_given_split_that_trains_on_nothing() -> None:
    two = dataset(Path("set"), ["fist/a.jpg", "fist/b.jpg"])
    with pytest.raises(BadData, match="no picture is left for train"):
        split(given(two, "val", "test"))


def test_what_a_given_split_does_with_groups_and_labels_is_listed() -> None:
    made = dataset(Path("set"), ["fist/anna/a.jpg", "fist/anna/b.jpg", "palm/ben/c.jpg"])
    assert [problem.text for problem in split(given(made, "train", "val", "val")).problems] == [
        f"no picture of train shows 'palm': {splitting.MORE}",
        "the given split has group 'anna' on more than one side",
    ]


def drawn(root: Path, copies: int) -> Dataset:
    """Ten pictures of each of two labels, with so many copies of each."""
    examples = []
    for number, hand in enumerate(hands(20)):
        picture = draw(96, 96, (hand,), (number * 12, 220 - number * 10, 120))
        for copy in range(copies):
            path = saved(root / f"{number}_{copy}.jpg", picture, quality=90 - 20 * copy).path
            examples.append(Example(path, (Annotation(("fist", "palm")[number % 2]),)))
    return Dataset(("fist", "palm"), tuple(examples))


def test_near_copies_are_on_the_same_side(tmp_path: Path) -> None:
    made = split(drawn(tmp_path, 3))
    by_number = defaultdict(set)
    for example in made.examples:
        by_number[example.path.name.split("_")[0]].add(example.split)
    assert all(len(found) == 1 for found in by_number.values())
    assert {label: count["val"] for label, count in made.counts().items() if label} == {"fist": 6, "palm": 6}


def test_near_copies_across_a_given_split_leave_the_later_side(tmp_path: Path) -> None:
    before = drawn(tmp_path, 2)
    quads: list[Split] = ["train", "train", "train", "train", "val", "val", "val", "val"]
    order: list[Split] = ["train", "val", "val", "test", *quads * 4, "train", "train", "val", "val"]
    made = split(given(before, *order))
    assert [
        example.path.name for example in before.examples if example.path not in {e.path for e in made.examples}
    ] == [
        "0_1.jpg",
        "1_1.jpg",
    ]
    assert made.problems == (
        Problem(tmp_path / "0_1.jpg", 0, f"is nearly the same picture as {tmp_path / '0_0.jpg'}; left out of val"),
        Problem(tmp_path / "1_1.jpg", 0, f"is nearly the same picture as {tmp_path / '1_0.jpg'}; left out of test"),
    )


def test_a_given_split_of_copies_alone(tmp_path: Path) -> None:
    order: list[Split] = ["train", "val"] * 20
    with pytest.raises(BadData, match="every picture of val is nearly the same as one that is elsewhere"):
        split(given(drawn(tmp_path, 2), *order))
