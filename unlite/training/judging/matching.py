"""Detections beside what is truly there: which belong together, and average precision, by faster-coco-eval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.errors import BadData
from converter.extras import importing
from unlite.detection.pipeline import Detections, Floats

Ints = NDArray[np.intp]
Doubles = NDArray[np.float64]
# A detection is where an object is if their boxes overlap so much.
IOU = 0.5
# As COCO has it: the best so many detections of a class in a picture count for average precision.
MOST = 100
# COCO's ids start here: 0 would mean "unmatched".
FIRST = 1


@dataclass(frozen=True, slots=True)
class Truth:
    """What is in a picture.

    Attributes:
        boxes_xywh: [G, 4]: left, top, width, height, as shares of the picture.
        classes: [G] int, as the labels are numbered.
        size: Height and width in pixels.
    """

    boxes_xywh: Floats
    classes: Ints
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Boxes:
    """Those of all pictures, one after the other.

    Attributes:
        boxes_xywh: [N, 4], as shares of their picture.
        classes: [N].
        scores: [N]; of what is truly there 1.
        pictures: [N], in which it is.
    """

    boxes_xywh: Floats
    classes: Ints
    scores: Floats
    pictures: Ints

    def __len__(self) -> int:
        return len(self.classes)

    def count(self, threshold: float) -> NDArray[np.bool_]:
        """[N]: which of them a threshold lets through; compared in float32, as detectors do."""
        made: NDArray[np.bool_] = self.scores >= np.float32(threshold)
        return made


def all_truth(truth: Sequence[Truth], labels: Sequence[str]) -> Boxes:
    """All objects.

    Raises:
        BadData: There is none, or one has no box, or no label.
    """
    for picture, each in enumerate(truth):
        _check(picture, each, len(labels))
    if not any(len(each.classes) for each in truth):
        hint = "keep some labelled pictures for it, of every class"
        raise BadData(f"nothing to evaluate: no object in {len(truth)} pictures", hint)
    return _joined([(each.boxes_xywh, each.classes, np.ones(len(each.classes), np.float32)) for each in truth])


def all_found(found: Sequence[Detections], labels: Sequence[str]) -> tuple[Boxes, int]:
    """All detections, and how many were left out: those whose score or box is not finite, or whose box has no extent.

    Raises:
        BadData: One has a class without a label.
    """
    made = _joined([(each.boxes_xywh, each.classes, each.scores) for each in found])
    unknown = np.flatnonzero((made.classes < 0) | (made.classes >= len(labels)))
    if unknown.size:
        picture, number = made.pictures[unknown[0]], made.classes[unknown[0]]
        raise BadData(
            f"picture {picture}: a detection is of class {number}, and there are {len(labels)} labels",
            "evaluate with the labels that the model was trained for",
        )
    numbers = np.concatenate([made.boxes_xywh, made.scores[:, None]], axis=1)
    good = np.isfinite(numbers).all(axis=1) & (made.boxes_xywh[:, 2:] > 0).all(axis=1)
    kept = Boxes(made.boxes_xywh[good], made.classes[good], made.scores[good], made.pictures[good])
    return kept, len(made) - len(kept)


def _check(picture: int, truth: Truth, labels: int) -> None:
    where = f"picture {picture}"
    if len(truth.boxes_xywh) != len(truth.classes):
        raise BadData(f"{where} has {len(truth.boxes_xywh)} boxes and {len(truth.classes)} classes")
    if min(truth.size) < 1:
        raise BadData(f"{where} has {truth.size[1]}×{truth.size[0]} pixels")
    for row, (box, number) in enumerate(zip(truth.boxes_xywh, truth.classes, strict=True)):
        if not 0 <= number < labels:
            raise BadData(f"{where}, object {row}: class {number}, and there are {labels} labels")
        if not (np.isfinite(box).all() and (box[2:] > 0).all()):
            raise BadData(f"{where}, object {row}: {box.tolist()} is no box (left, top, width, height)")


def _joined(parts: Sequence[tuple[Floats, Ints, Floats]]) -> Boxes:
    boxes, classes, scores = (
        [np.reshape(part[place], shape) for part in parts] for place, shape in enumerate([(-1, 4), -1, -1])
    )
    pictures = np.repeat(np.arange(len(parts)), [len(each) for each in classes])
    return Boxes(
        np.concatenate(boxes).astype(np.float32),
        np.concatenate(classes).astype(np.intp),
        np.concatenate(scores).astype(np.float32),
        pictures.astype(np.intp),
    )


class Comparison:
    """Detections and truth as COCO's evaluation takes them.

    Args:
        found: All detections.
        truth: All objects.
        sizes: Height and width of every picture in pixels.
        labels: How many classes there are.

    Raises:
        MissingBackend: faster-coco-eval is not installed.
    """

    def __init__(self, found: Boxes, truth: Boxes, sizes: Sequence[tuple[int, int]], labels: int) -> None:
        with importing("train", "evaluation"):
            from faster_coco_eval import COCO

        frame = {
            "images": [{"id": n + FIRST, "height": height, "width": width} for n, (height, width) in enumerate(sizes)],
            "categories": [{"id": n + FIRST, "name": str(n)} for n in range(labels)],
        }
        self._found, self._truth = (
            COCO(frame | {"annotations": _annotations(boxes, sizes)}) for boxes in (found, truth)
        )
        self._detections = len(found)
        self._most = int(np.bincount(found.pictures).max(initial=1))

    def precision(self) -> Doubles:
        """[10, 101, classes]: at IoU .5 to .95 and recall 0 to 1 the best precision from there on; NaN: no object."""
        made: Doubles = self._run(MOST).eval["precision"][..., 0, 0]
        return np.where(made < 0, np.nan, made)

    def matches(self, *, by_class: bool) -> Ints:
        """[D]: the object that each detection is where; -1: none.

        In the order of their scores, each takes the one that it overlaps most of those that are left, with IoU ≥ 0.5.
        What is below a threshold therefore changes nothing above it.

        Args:
            by_class: Only objects of the detection's own class count.
        """
        made = np.full(self._detections, -1, np.intp)
        for pair in self._run(self._most, by_class=by_class, thresholds=[IOU]).eval["matched"]:
            row, other = pair.split("_")
            made[int(row) - FIRST] = int(other) - FIRST
        return made

    def _run(self, most: int, *, by_class: bool = True, thresholds: list[float] | None = None) -> Any:
        from faster_coco_eval import COCOeval_faster

        made = COCOeval_faster(self._truth, self._found, "bbox")
        made.params.areaRng, made.params.areaRngLbl = [[0, np.inf]], ["all"]
        made.params.maxDets, made.params.useCats = [most], int(by_class)
        if thresholds:
            made.params.iouThrs = np.array(thresholds)
        made.evaluate()
        made.accumulate()
        return made


def _annotations(boxes: Boxes, sizes: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """In pixels."""
    scale = np.array(sizes, np.float64)[:, [1, 0, 1, 0]]
    pixels = boxes.boxes_xywh * scale[boxes.pictures]
    columns = (pixels.tolist(), boxes.classes.tolist(), boxes.scores.tolist(), boxes.pictures.tolist())
    return [
        {
            "id": row + FIRST,
            "image_id": picture + FIRST,
            "category_id": number + FIRST,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": 0,
            "score": score,
        }
        for row, (box, number, score, picture) in enumerate(zip(*columns, strict=True))
    ]
