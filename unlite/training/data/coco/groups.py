"""What must not be on both sides of a split, as the images of COCO files say it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from unlite.training.data.records import Example

# What pictures have in common, from what binds most to what binds least: whose they are; a sitting before the camera;
# one press of a key in it, after which pictures are taken.
MARKS = ("person", "session", "take")


def marks_in(image: Mapping[str, object]) -> dict[str, str]:
    """Those members of an image's record that can be its group; a number is taken as text."""
    found = {name: image.get(name) for name in MARKS}
    return {name: str(value) for name, value in found.items() if isinstance(value, str | int) and value != ""}


def grouped(examples: Sequence[Example], marks: Sequence[Mapping[str, str]]) -> tuple[Example, ...]:
    """Give each picture the group that it has by its person, its session or its take.

    It is the first of the three that a picture has, and under which each label can be on both sides: there are at least
    two groups of its pictures. By person, a picture that has none is grouped by its session, or else by its take. If
    one of a label's pictures has no group at all, that is as good as a group. Labels of a single picture, which is on
    one side anyway, have no say, nor have pictures for testing. If none of the three will do, there are no groups.

    Args:
        examples: All pictures of a data set.
        marks: What `marks_in` says of each.
    """
    for first, mark in enumerate(MARKS):
        if not any(mark in each for each in marks):
            continue
        groups = [_group(each, MARKS[first:]) for each in marks]
        if _can_be_split(examples, groups):
            return tuple(replace(each, group=group) for each, group in zip(examples, groups, strict=True))
    return tuple(examples)


def _group(marks: Mapping[str, str], names: Sequence[str]) -> str:
    name = next((name for name in names if name in marks), "")
    # Takes are counted in each session anew.
    return (
        "/".join(marks[part] for part in ("session", name) if part in marks) if name == "take" else marks.get(name, "")
    )


def _can_be_split(examples: Sequence[Example], groups: Sequence[str]) -> bool:
    units: dict[str, list[str | int]] = defaultdict(list)
    for at, (example, group) in enumerate(zip(examples, groups, strict=True)):
        if example.split != "test":
            for label in example.labels:
                units[label].append(group or at)
    return all(len(set(each)) > 1 for each in units.values() if len(each) > 1)
