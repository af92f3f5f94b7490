"""Whose boxes: where labelled objects are, in the convention in which the detector answers.

A frozen detector's boxes are what they are: MediaPipe's hands are squares around the palm, while people draw boxes
around whole hands, or none at all. So each object gets the box that the detector itself gives it: the best one that
lies on the given box, or inside it, or, without a box, the best one in the picture. Looked for at several scales,
and well below the usual score: in a labelled picture a weak box is worth having. What stays doubtful is listed, not
guessed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import numpy as np

from converter.detectors.table import Detector
from converter.errors import BadPicture
from parity.runners.runtimes import Run
from unlite.detection.images import load_picture
from unlite.detection.near import look_near
from unlite.detection.pipeline import Detections, Floats, Pixels, intersection_over_union
from unlite.training.data.records import Annotation, Dataset, Example, Problem
from unlite.training.features import in_threads
from unlite.training.targets import IGNORED, Objects

# Least score of a box that is believed in a labelled picture (measured: palms of 99.5 % of 1,375 photographs).
BELIEVED = 0.1
# From which score on something that nobody has labelled is left alone instead of being taught as nothing.
DISTURBING = 0.3
# From which median on given boxes are the detector's own (intersection over union), or hold them (share inside).
OVERLAPPING, HOLDING = 0.5, 0.7


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture whose objects have boxes.

    Attributes:
        example: Where it comes from.
        objects: Shares of the picture; classes are numbers of the data set's labels.
        is_given: [G] Whether the box is the data set's own, because the detector finds nothing there.
    """

    example: Example
    objects: Objects
    is_given: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """How given boxes lie to the detector's own.

    Attributes:
        boxes: How many were given.
        found: For how many the detector has one.
        overlap: Median intersection over union of the two.
        contained: Median share of the detector's box that lies in the given one.
    """

    boxes: int
    found: int
    overlap: float
    contained: float

    @property
    def convention(self) -> str:
        """`same`, `inside` (the detector's boxes are parts of the given ones) or `other`."""
        if self.overlap >= OVERLAPPING:
            return "same"
        return "inside" if self.contained >= HOLDING else "other"

    def __str__(self) -> str:
        numbers = f"median overlap {self.overlap:.2f}, {self.contained:.0%} of the detector's box inside the given one"
        first = f"{self.boxes} given boxes, {self.found} found by the detector: {numbers}"
        meaning = {
            "same": "they are the detector's own kind",
            "inside": "the detector's boxes are parts of them, and are trained and judged instead",
            "other": "WARNING: they are no boxes of this detector, which cannot learn others while it is frozen",
        }
        return f"{first}; {meaning[self.convention]}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        numbers = {"boxes": self.boxes, "found": self.found, "convention": self.convention}
        return numbers | {"median_overlap": self.overlap, "median_contained": self.contained}


@dataclass(frozen=True, slots=True)
class Placing:
    """All pictures, placed.

    Attributes:
        placed: Those that can be used.
        problems: What is doubtful: pictures without a box that could be believed, pictures that cannot be read.
        relation: To given boxes; None: there were none.
    """

    placed: tuple[Placed, ...]
    problems: tuple[Problem, ...]
    relation: Relation | None


@dataclass(slots=True)
class _Found:
    placed: Placed | None = None
    problems: list[Problem] = field(default_factory=list)
    measured: list[tuple[float, float]] = field(default_factory=list)


def place(
    dataset: Dataset,
    make_run: Callable[[], Run],
    detector: Detector,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Placing:
    """Let a detector say where the objects of a data set are.

    Args:
        dataset: Pictures and labels.
        make_run: Makes a runner of the detector, one for each thread: its input → its outputs as they were before any
            training.
        detector: What they mean.
        progress: Called with pictures done, and all.
    """
    placed, problems, measured, boxes = [], [], [], 0

    def work(example: Example, run: Run) -> _Found:
        return _place(example, dataset.labels, run, detector)

    for number, (example, found) in enumerate(in_threads(work, dataset.examples, make_run), start=1):
        problems += found.problems
        measured += found.measured
        boxes += sum(annotation.box_xywh is not None for annotation in example.annotations)
        if found.placed:
            placed.append(found.placed)
        progress(number, len(dataset.examples))
    relation = _relation(boxes, measured) if boxes else None
    return Placing(tuple(placed), tuple(problems), relation)


def _relation(boxes: int, measured: Sequence[tuple[float, float]]) -> Relation:
    overlaps, contained = zip(*measured, strict=True) if measured else ((0.0,), (0.0,))
    return Relation(boxes, len(measured), float(median(overlaps)), float(median(contained)))


def _place(example: Example, labels: Sequence[str], run: Run, detector: Detector) -> _Found:
    try:
        picture = load_picture(example.path)
    except BadPicture as error:
        return _Found(problems=[Problem(example.path, 0, str(error).partition("\n")[0])])
    candidates = look(picture, run, detector, len(example.annotations))
    made = _Found()
    chosen: list[tuple[Annotation, Detections | None]] = []
    for annotation in example.annotations:
        row = _best(annotation, candidates, made)
        if row is None and annotation.box_xywh is None:
            score = float(candidates.scores.max(initial=0))
            text = f"{annotation.label}: the detector's best box has a score of {score:.2f}, too little to believe"
            made.problems.append(Problem(example.path, 0, text))
            return made
        chosen.append((annotation, None if row is None else candidates[[row]]))
    objects = _objects(chosen, _others(chosen, candidates), labels, len(detector.keypoints))
    given = (found is None for _, found in chosen)
    made.placed = Placed(example, objects, (*given, *(False for _ in range(len(objects) - len(chosen)))))
    return made


def look(picture: Pixels, run: Run, detector: Detector, objects: int = 1) -> Detections:
    """What a detector finds at any of several scales, down to a low score; shares of the picture, best first.

    Args:
        picture: RGB [H, W, 3].
        run: The detector.
        detector: What its tensors mean.
        objects: How many there are: when so many are found for sure, no further scale is tried.
    """
    return look_near(run, replace(detector, min_score=BELIEVED), picture, objects=objects)


def _best(annotation: Annotation, candidates: Detections, made: _Found) -> int | None:
    """The row of the detector's box for an object; how it lies to the given box is noted."""
    if not len(candidates):
        return None
    if annotation.box_xywh is None:
        return 0
    left, top, width, height = annotation.box_xywh
    given = np.array([left, top, left + width, top + height], np.float32)
    overlaps = intersection_over_union(given, candidates.corners())
    inside = _inside(given, candidates.corners())
    # On the box, or inside it and no tiny part: an overlap of a twentieth is a palm in a hand with its arm.
    fitting = np.flatnonzero((overlaps >= NEAR) | ((inside >= HOLDING) & (overlaps >= PART)))
    if not fitting.size:
        return None
    row = int(fitting[candidates.scores[fitting].argmax()])
    made.measured.append((float(overlaps[row]), float(inside[row])))
    return row


NEAR, PART = 0.3, 0.05


def _inside(given: Floats, corners: Floats) -> Floats:
    """Share of each box that lies in the given one."""
    sides = np.minimum(given[2:], corners[:, 2:]) - np.maximum(given[:2], corners[:, :2])
    area = np.prod(corners[:, 2:] - corners[:, :2], axis=1)
    made: Floats = np.clip(sides, 0, None).prod(axis=1) / np.maximum(area, np.finfo(np.float32).tiny)
    return made


def _others(chosen: Sequence[tuple[Annotation, Detections | None]], candidates: Detections) -> Iterator[Detections]:
    """What else the detector finds in a picture that has a label and no boxes: it may be of the same label."""
    if not chosen or any(annotation.box_xywh is not None for annotation, _ in chosen):
        return
    taken = [found.corners()[0] for _, found in chosen if found is not None]
    for row in np.flatnonzero(candidates.scores >= DISTURBING):
        corners = candidates.corners()[row]
        if not taken or intersection_over_union(corners, np.stack(taken)).max() < NEAR:
            yield candidates[[row]]


def _objects(
    chosen: Sequence[tuple[Annotation, Detections | None]],
    others: Iterable[Detections],
    labels: Sequence[str],
    keypoints: int,
) -> Objects:
    boxes, classes, points = [], [], []
    unknown = np.full((keypoints, 2), np.nan, np.float32)
    for annotation, found in chosen:
        boxes.append(np.array(annotation.box_xywh, np.float32) if found is None else found.boxes_xywh[0])
        classes.append(labels.index(annotation.label))
        points.append(unknown if found is None else found.keypoints_xy[0])
    for found in others:
        boxes.append(found.boxes_xywh[0])
        classes.append(IGNORED)
        points.append(found.keypoints_xy[0])
    count = len(boxes)
    return Objects(
        np.array(boxes, np.float32).reshape(count, 4),
        np.array(classes, np.intp),
        np.array(points, np.float32).reshape(count, keypoints, 2),
    )
