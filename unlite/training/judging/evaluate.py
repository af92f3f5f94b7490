"""How good a detector is on labelled pictures: average precision, F1 against threshold, what is taken for what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.errors import BadData
from parity.report.page import finite
from unlite.detection.pipeline import Detections
from unlite.training.judging.matching import IOU, Boxes, Comparison, Doubles, Ints, Truth, all_found, all_truth
from unlite.training.judging.mistakes import KINDS, Kind, Mistake, mistakes

__all__ = ["ClassScores", "Evaluation", "Mistake", "Truth", "evaluate"]

THRESHOLDS: Doubles = np.arange(1, 100) / 100
# Thresholds whose F1 is so near the best one's are as good: a single detection more or less is no reason for another.
PLATEAU = 0.005


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One class.

    Attributes:
        label: Its name.
        objects: How many there truly are.
        found: How many detections say so, at the threshold.
        ap50: Average precision at IoU 0.5, over all thresholds; NaN: no object.
        ap: The mean of it at IoU .5, .55, … .95.
        precision: Share of `found` that is right; NaN: none is found.
        recall: Share of `objects` that is found; NaN: no object.
        f1: Harmonic mean of the two; NaN: no object.
    """

    label: str
    objects: int
    found: int
    ap50: float
    ap: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What came out.

    Attributes:
        labels: Names of the classes.
        pictures: How many.
        threshold: The score from which on a detection counts, in all numbers but average precision, which has none.
        suggested: The threshold in the middle of those whose mean F1 is best.
        classes: One by one, in the order of the labels.
        accuracy: Right class in the right place: share of the objects.
        false_alarms: Detections per picture, of those without objects; NaN: there are none.
        confusion: [n + 1, n + 1] counts: rows are what is there, columns what is found; the last row has detections
            where nothing is, the last column objects that are missed.
        thresholds: [T], for the curves.
        f1: [n, T]; NaN: no object of that class.
        precision: [n, 101] at IoU 0.5, at recall 0, 0.01, … 1: the highest from there on, over all thresholds.
        mistakes: All, the worst first: what is said wrongly, by its score; then what is missed, the lowest first.
        left_out: Detections without a finite score and a box.
    """

    labels: tuple[str, ...]
    pictures: int
    threshold: float
    suggested: float
    classes: tuple[ClassScores, ...]
    accuracy: float
    false_alarms: float
    confusion: NDArray[np.int64] = field(repr=False)
    thresholds: Doubles = field(repr=False)
    f1: Doubles = field(repr=False)
    precision: Doubles = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(repr=False)
    left_out: int = 0

    @property
    def map50(self) -> float:
        """Mean average precision at IoU 0.5, over classes that have objects."""
        return float(np.nanmean([each.ap50 for each in self.classes]))

    @property
    def map(self) -> float:
        """Mean average precision at IoU .5, .55, … .95, over classes that have objects."""
        return float(np.nanmean([each.ap for each in self.classes]))

    @property
    def mean_f1(self) -> Doubles:
        """[T], over classes that have objects."""
        return _mean_f1(self.f1)

    def worst(self, count: int, kind: Kind | None = None) -> tuple[Mistake, ...]:
        """The so many worst mistakes, the worst first: of one kind, or of all."""
        return tuple(each for each in self.mistakes if kind in (None, each.kind))[:count]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: None stands for what is not defined. Of the mistakes, how many there are of each kind."""
        kinds = [mistake.kind for mistake in self.mistakes]
        made: dict[str, Any] = finite(
            {
                "labels": list(self.labels),
                "pictures": self.pictures,
                "objects": sum(each.objects for each in self.classes),
                "iou": IOU,
                "map50": self.map50,
                "map50_95": self.map,
                "suggested_threshold": self.suggested,
                "at_threshold": {
                    "threshold": self.threshold,
                    "accuracy": self.accuracy,
                    "false_alarms_per_picture_without_objects": self.false_alarms,
                    "mean_f1": float(np.nanmean([each.f1 for each in self.classes])),
                    "classes": {each.label: _at_threshold(each) for each in self.classes},
                    "confusion": self.confusion.tolist(),
                    "mistakes": {kind: kinds.count(kind) for kind in KINDS},
                },
                "ap50": {each.label: each.ap50 for each in self.classes},
                "ap50_95": {each.label: each.ap for each in self.classes},
                "curves": {
                    "thresholds": self.thresholds.tolist(),
                    "f1": dict(zip(self.labels, self.f1.tolist(), strict=True)),
                    "mean_f1": self.mean_f1.tolist(),
                },
                "left_out": self.left_out,
            }
        )
        return made


def evaluate(
    found: Sequence[Detections], truth: Sequence[Truth], labels: Sequence[str], *, threshold: float | None = None
) -> Evaluation:
    """Compare what a detector finds with what is there.

    Average precision is COCO's, of faster-coco-eval. A detection is where an object is if their boxes overlap with an
    IoU of 0.5 or more; in the order of their scores, each takes the object that it overlaps most, of those that are
    left: of its own class for precision, recall and F1, of any class for confusion, accuracy and mistakes.

    Args:
        found: Per picture, after suppression, and down to a low score, as 0.01: what is not among them counts nowhere.
        truth: Per picture.
        labels: Names of the classes.
        threshold: That of another set, if this one shall have no say in it; None: the one that this set suggests.

    Raises:
        BadData: There is nothing to evaluate, or truth, detections and labels do not belong together.
        MissingBackend: faster-coco-eval is not installed.
    """
    if len(found) != len(truth):
        raise BadData(f"detections of {len(found)} pictures, and the truth of {len(truth)}")
    objects = all_truth(truth, labels)
    detections, left_out = all_found(found, labels)
    comparison = Comparison(detections, objects, [each.size for each in truth], len(labels))
    counted = _Counts(detections, objects, comparison.matches(by_class=True), len(labels))
    f1 = counted.f1(THRESHOLDS)
    suggested = _suggested(_mean_f1(f1))
    chosen = suggested if threshold is None else threshold
    average = comparison.precision()
    partners = comparison.matches(by_class=False)
    counts = detections.count(chosen)
    confusion = _confusion(detections, objects, np.where(counts, partners, -1), counts, len(labels))
    is_empty = np.array([not len(each.classes) for each in truth])
    return Evaluation(
        labels=tuple(labels),
        pictures=len(truth),
        threshold=chosen,
        suggested=suggested,
        classes=counted.classes(labels, average, chosen),
        accuracy=float(np.trace(confusion[:-1, :-1]) / len(objects)),
        false_alarms=_share(is_empty[detections.pictures[counts]].sum(), is_empty.sum()),
        confusion=confusion,
        thresholds=THRESHOLDS,
        f1=f1,
        precision=average[0].T,
        mistakes=mistakes(detections, objects, partners, labels, chosen),
        left_out=left_out,
    )


class _Counts:
    """Per class, how many detections there are from a threshold on, and how many of them are right."""

    def __init__(self, found: Boxes, truth: Boxes, partners: Ints, labels: int) -> None:
        self.objects = np.bincount(truth.classes, minlength=labels)
        own = [found.classes == number for number in range(labels)]
        self._scores = [np.sort(found.scores[mine]) for mine in own]
        self._right = [np.sort(found.scores[mine & (partners >= 0)]) for mine in own]

    def at(self, thresholds: Doubles) -> tuple[Doubles, Doubles]:
        """[n, T] detections, [n, T] of them right."""
        places = thresholds.astype(np.float32)
        found, right = (
            np.array([len(each) - np.searchsorted(each, places) for each in scores], np.float64)
            for scores in (self._scores, self._right)
        )
        return found, right

    def f1(self, thresholds: Doubles) -> Doubles:
        """[n, T]."""
        found, right = self.at(thresholds)
        objects = self.objects[:, None]
        return np.where(objects > 0, 2 * right / np.maximum(found + objects, 1), np.nan)

    def classes(self, labels: Sequence[str], average: Doubles, threshold: float) -> tuple[ClassScores, ...]:
        """All numbers of each."""
        at = np.array([threshold])
        (found, right), f1 = self.at(at), self.f1(at)
        return tuple(
            ClassScores(
                label=label,
                objects=int(self.objects[row]),
                found=int(found[row, 0]),
                ap50=float(average[0, :, row].mean()),
                ap=float(average[..., row].mean()),
                precision=_share(right[row, 0], found[row, 0]),
                recall=_share(right[row, 0], self.objects[row]),
                f1=float(f1[row, 0]),
            )
            for row, label in enumerate(labels)
        )


def _mean_f1(f1: Doubles) -> Doubles:
    made: Doubles = f1[~np.isnan(f1[:, 0])].mean(axis=0)
    return made


def _suggested(mean_f1: Doubles) -> float:
    """The middle of the longest run of thresholds that are as good as the best."""
    is_good = np.concatenate([[False], mean_f1 >= mean_f1.max() - PLATEAU, [False]])
    starts, stops = np.flatnonzero(np.diff(is_good)).reshape(-1, 2).T
    longest = int(np.argmax(stops - starts))
    return float(THRESHOLDS[(starts[longest] + stops[longest] - 1) // 2])


def _confusion(found: Boxes, truth: Boxes, partners: Ints, counts: NDArray[np.bool_], labels: int) -> NDArray[np.int64]:
    there = np.where(partners >= 0, truth.classes[partners], labels)[counts]
    missed = np.delete(truth.classes, partners[partners >= 0])
    rows = np.concatenate([there, missed])
    columns = np.concatenate([found.classes[counts], np.full_like(missed, labels)])
    side = labels + 1
    return np.bincount(rows * side + columns, minlength=side**2).reshape(side, side)


def _at_threshold(scores: ClassScores) -> Mapping[str, float]:
    return {name: getattr(scores, name) for name in ("objects", "found", "precision", "recall", "f1")}


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
