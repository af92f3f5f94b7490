"""What a detector gets wrong, one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unlite.training.judging.matching import Boxes, Ints

Kind = Literal["confused", "nothing there", "missed"]
KINDS: tuple[Kind, ...] = ("confused", "nothing there", "missed")
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong at the threshold.

    Attributes:
        picture: Its index.
        kind: An object under another name; a detection where nothing is, or a second one of the same object; an object
            without a detection.
        truth: What is there, if anything.
        found: What the model says, if anything.
        score: Of the detection; of a missed object, that of the detection below the threshold, 0 without any.
        truth_box: Left, top, width, height, as shares of the picture.
        found_box: As `truth_box`.
    """

    picture: int
    kind: Kind
    truth: str | None
    found: str | None
    score: float
    truth_box: Box | None
    found_box: Box | None


def mistakes(
    found: Boxes, truth: Boxes, partners: Ints, labels: Sequence[str], threshold: float
) -> tuple[Mistake, ...]:
    """All of them, the worst first: what is said wrongly, by its score; then what is missed, the lowest first.

    Args:
        found: All detections.
        truth: All objects.
        partners: [D]: the object that each detection is where, of any class; -1: none.
        labels: Names of the classes.
        threshold: The score from which on a detection counts.
    """

    def mistake(kind: Kind, row: int, other: int) -> Mistake:
        return Mistake(
            picture=int(truth.pictures[other] if other >= 0 else found.pictures[row]),
            kind=kind,
            truth=labels[truth.classes[other]] if other >= 0 else None,
            found=labels[found.classes[row]] if kind != "missed" else None,
            score=float(found.scores[row]) if row >= 0 else 0.0,
            truth_box=_box(truth, other),
            found_box=_box(found, row) if kind != "missed" else None,
        )

    made = []
    missed = set(range(len(truth)))
    for row in np.flatnonzero(found.count(threshold)).tolist():
        other = int(partners[row])
        missed.discard(other)
        if other < 0:
            made.append(mistake("nothing there", row, other))
        elif truth.classes[other] != found.classes[row]:
            made.append(mistake("confused", row, other))
    below = {other: row for row, other in enumerate(partners.tolist()) if other >= 0}
    made.extend(mistake("missed", below.get(other, -1), other) for other in sorted(missed))
    return tuple(sorted(made, key=lambda each: each.score if each.kind == "missed" else -each.score))


def _box(boxes: Boxes, row: int) -> Box | None:
    if row < 0:
        return None
    left, top, width, height = boxes.boxes_xywh[row].tolist()
    return left, top, width, height
