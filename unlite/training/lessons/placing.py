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
from numpy.typing import NDArray

from converter.detectors.table import Detector
from converter.errors import BadPicture
from parity.runners.runtimes import Run
from unlite.detection.images import load_picture
from unlite.detection.near import look_near
from unlite.detection.pipeline import Detections, Floats, Pixels, intersection_over_union
from unlite.training.data.records import Annotation, Dataset, Example, Problem
from unlite.training.lessons.features import in_threads
from unlite.training.lessons.targets import IGNORED, Objects

# Least score of a box that is believed in a labelled picture (measured: palms of 99.5 % of 1,375 photographs).
BELIEVED = 0.1
# From which score on something that nobody has labelled is left alone instead of being taught as nothing.
DISTURBING = 0.3
# A second box beside the best one makes a picture doubtful if it scores this share of it, and hardly overlaps it.
RIVAL, APART = 0.7, 0.1
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
        if 2 * self.found < self.boxes:  # how the few lie says nothing about the rest
            return "other"
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
        if found.placed:
            boxes += sum(annotation.box_xywh is not None for annotation in example.annotations)
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
    if doubt := _doubt(example.annotations, candidates):
        return _Found(problems=[Problem(example.path, 0, doubt)])
    made, rows = _Found(), _rows(example.annotations, candidates)
    chosen: list[tuple[Annotation, Detections | None]] = []
    for annotation, own in zip(example.annotations, rows, strict=True):
        row = _best(annotation, candidates, own, made)
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


def _doubt(annotations: Sequence[Annotation], candidates: Detections) -> str:
    """Why the detector cannot say where the object of a picture without boxes is; empty if it can."""
    without = [annotation.label for annotation in annotations if annotation.box_xywh is None]
    if not without:
        return ""
    if len(annotations) > 1:
        return f"{len(annotations)} objects, and no box for {without[0]}: nothing says which is which; give boxes"
    if not len(candidates):
        return f"{without[0]}: the detector finds nothing with a score of {BELIEVED} or more; give boxes"
    if other := rival(candidates):
        scores = f"{candidates.scores[0]:.2f}, {other:.2f}"
        return f"{without[0]}: two candidates ({scores}): nothing says which; give boxes"
    return ""


def rival(candidates: Detections) -> float | None:
    """The score of a second candidate that could as well be meant, beside the best, which is first."""
    if not len(candidates):
        return None
    corners, best = candidates.corners(), float(candidates.scores[0])
    is_apart = intersection_over_union(corners[0], corners) < APART
    is_apart[0] = False  # a box without area overlaps nothing, not even itself
    other = float(candidates.scores[is_apart].max(initial=0))
    return other if other >= max(DISTURBING, RIVAL * best) else None


def _rows(annotations: Sequence[Annotation], candidates: Detections) -> list[NDArray[np.intp]]:
    """For each object the detector's boxes that are nobody else's: each is the one's whose given box it fits best."""
    given = [annotation.box_xywh for annotation in annotations if annotation.box_xywh is not None]
    if not given:  # one object, or none: see `_doubt`
        return [np.arange(len(candidates)) for _ in annotations]
    overlaps = np.stack([intersection_over_union(_corners(box), candidates.corners()) for box in given])
    owner = overlaps.argmax(axis=0)
    return [np.flatnonzero(owner == number) for number in range(len(given))]


def _corners(box_xywh: Sequence[float]) -> Floats:
    left, top, width, height = box_xywh
    return np.array([left, top, left + width, top + height], np.float32)


def _best(annotation: Annotation, candidates: Detections, own: NDArray[np.intp], made: _Found) -> int | None:
    """The row of the detector's box for an object, one of its own; how it lies to the given box is noted."""
    if not own.size:
        return None
    if annotation.box_xywh is None:
        return 0
    given, corners = _corners(annotation.box_xywh), candidates.corners()
    overlaps, inside = intersection_over_union(given, corners), _inside(given, corners)
    # On the box, or inside it and no tiny part: an overlap of a twentieth is a palm in a hand with its arm.
    fitting = own[(overlaps[own] >= NEAR) | ((inside[own] >= HOLDING) & (overlaps[own] >= PART))]
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
