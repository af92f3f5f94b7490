"""What a record says about an object, and whether that can be."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from unlite.training.data.records import Annotation, Problem

# Shares of the picture's side: what is further outside than rounding explains, and what was never meant as a share.
ROUNDING, ABSURD = 0.01, 1.0


class Broken(Exception):
    """A record that says what cannot be.

    Attributes:
        line: Where, in a file that is read as a whole; 0: everywhere.
    """

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True, slots=True)
class Record:
    """A part of a file.

    Attributes:
        file: The file.
        line: Its first line, from 1.
        value: What stands there.
    """

    file: Path
    line: int
    value: Any

    def problem(self, text: object) -> Problem:
        """What is wrong with it; by its id too, since some JSON is all in one line."""
        name = f"id {self.value['id']}: " if isinstance(self.value, dict) and "id" in self.value else ""
        return Problem(self.file, self.line, f"{name}{text}")


@dataclass(frozen=True, slots=True)
class Said:
    """An object as a record describes it.

    Attributes:
        label: What it is.
        corners: Left, top, right, bottom as shares of the picture.
        keypoints_xy: (x, y) as shares of the picture.
    """

    label: str
    corners: tuple[float, ...]
    keypoints_xy: tuple[tuple[float, float], ...] = ()


def annotated(
    records: Iterable[Record], parse: Callable[[Any], Said | None], problems: list[Problem]
) -> tuple[Annotation, ...]:
    """The annotations of one picture.

    Args:
        records: One per object.
        parse: What a record's value says; None: it is no object by itself. Raises `Broken`.
        problems: Gets those of records that are left out, and of boxes that are clipped.
    """
    made = []
    for record in records:
        try:
            said = parse(record.value)
            if said is None:
                continue
            _check_keypoints(said)
            inside = _inside(said.corners)
        except Broken as error:
            problems.append(record.problem(error))
            continue
        outside = max(abs(a - b) for a, b in zip(said.corners, inside, strict=True))
        if outside > ROUNDING:
            problems.append(record.problem(f"the box reaches outside the picture by {outside:.0%}; clipped"))
        left, top, right, bottom = inside
        made.append(Annotation(said.label, (left, top, right - left, bottom - top), said.keypoints_xy))
    return tuple(made)


def _inside(corners: tuple[float, ...]) -> tuple[float, float, float, float]:
    """The part of a box that is in the picture."""
    left, top, right, bottom = corners
    place = f"left {left:.4g}, top {top:.4g}, right {right:.4g}, bottom {bottom:.4g} as shares of the picture"
    if not all(isfinite(corner) for corner in corners):
        raise Broken(f"the box is not finite: {place}")
    if right < left or bottom < top:
        raise Broken(f"the box is inverted: {place}")
    if right == left or bottom == top:
        raise Broken(f"the box is empty: {place}")
    if right <= 0 or bottom <= 0 or left >= 1 or top >= 1:
        raise Broken(f"the box is outside the picture: {place}")
    if min(left, top) < -ABSURD or max(right, bottom) > 1 + ABSURD:
        raise Broken(f"the box is larger than the picture (in another unit?): {place}")
    return max(left, 0.0), max(top, 0.0), min(right, 1.0), min(bottom, 1.0)


def _check_keypoints(said: Said) -> None:
    for number, point in enumerate(said.keypoints_xy):
        if not all(isfinite(share) and -ABSURD <= share <= 1 + ABSURD for share in point):
            raise Broken(f"keypoint {number} is far outside the picture: {point} as shares of it")


def numbers(value: object, what: str, count: int | None = None) -> tuple[float, ...]:
    """A list of numbers, also where they are written as text.

    Args:
        value: What a record has there.
        what: How to call it.
        count: How many there should be.

    Raises:
        Broken: It is something else.
    """
    if not isinstance(value, list):
        raise Broken(f"has no {what}" if value is None else f"{what} is no list: {value!r}")
    try:
        made = tuple(float(number) for number in value)
    except (TypeError, ValueError, OverflowError):
        raise Broken(f"{what} is not made of numbers: {value!r}") from None
    if count is not None and len(made) != count:
        raise Broken(f"{what} has {len(made)} numbers instead of {count}")
    return made


def text_of(file: Path) -> str:
    """A file's text.

    Raises:
        Broken: It is not UTF-8, or cannot be read.
    """
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise Broken("is not text in UTF-8") from None
    except OSError as error:
        raise Broken(f"cannot be read: {error.strerror}") from None
