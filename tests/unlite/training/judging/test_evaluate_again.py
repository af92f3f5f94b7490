"""Metrics against a second implementation, in plain Python, that shares nothing with the first."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.tools.evaluations import LABELS, some
from unlite.detection.pipeline import Detections
from unlite.training.judging.evaluate import Truth, evaluate

pytestmark = pytest.mark.one_setting


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def partners(detections: Detections, there: Truth, least: float, *, by_class: bool) -> dict[int, int]:
    """Detection → object, in the order of the scores."""
    made: dict[int, int] = {}
    boxes, objects = detections.boxes_xywh.astype(float).tolist(), there.boxes_xywh.astype(float).tolist()
    for row in np.argsort(-detections.scores).tolist():
        free = [n for n in range(len(objects)) if n not in made.values()]
        free = [n for n in free if not by_class or there.classes[n] == detections.classes[row]]
        overlaps = {n: overlap(boxes[row], objects[n]) for n in free}
        best = max(overlaps, key=lambda n: overlaps[n], default=None)
        if best is not None and overlaps[best] >= least:
            made[row] = best
    return made


def average_precision(detections: list[Detections], there: list[Truth], label: int, least: float) -> float:
    ranking = []
    for each, objects in zip(detections, there, strict=True):
        right = partners(each, objects, least, by_class=True)
        ranking += [(each.scores[row], row in right) for row in range(len(each)) if each.classes[row] == label]
    hits, points, objects_of_class = 0, [], sum((each.classes == label).sum() for each in there)
    for place, (_, is_right) in enumerate(sorted(ranking, reverse=True), start=1):
        hits += is_right
        points.append((hits / objects_of_class, hits / place))
    best = [max((p for r, p in points if r >= recall), default=0) for recall in np.linspace(0, 1, 101)]
    return float(np.mean(best))


@pytest.mark.parametrize("seed", range(4))
def test_second_implementation_agrees(seed: int) -> None:
    detections, there = some(seed)
    made = evaluate(detections, there, LABELS, threshold=0.4)
    for label, scores in enumerate(made.classes):
        of_all = [average_precision(detections, there, label, least) for least in np.arange(50, 100, 5) / 100]
        assert 0 < scores.ap < scores.ap50 < 1
        assert (scores.ap50, scores.ap) == pytest.approx((of_all[0], np.mean(of_all)), abs=1e-9)


@pytest.mark.parametrize("threshold", [0.05, 0.4, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_second_implementation_counts_the_same(seed: int, threshold: float) -> None:
    """What is below the threshold is removed first, which must be no different."""
    detections, there = some(seed)
    confusion, right = np.zeros((4, 4), int), np.zeros(3)
    kept = [each[each.scores >= threshold] for each in detections]
    for each, objects in zip(kept, there, strict=True):
        pairs = partners(each, objects, 0.5, by_class=False)
        for row in range(len(each)):
            confusion[objects.classes[pairs[row]] if row in pairs else 3, each.classes[row]] += 1
        for row in set(range(len(objects.classes))) - set(pairs.values()):
            confusion[objects.classes[row], 3] += 1
        for row in partners(each, objects, 0.5, by_class=True):
            right[each.classes[row]] += 1
    made = evaluate(detections, there, LABELS, threshold=threshold)
    assert made.confusion.tolist() == confusion.tolist()
    assert [c.recall * c.objects for c in made.classes] == pytest.approx(right)
    assert [c.precision * c.found for c in made.classes] == pytest.approx(right)
    place = int(np.argmin(abs(made.thresholds - threshold)))
    assert made.f1[:, place] == pytest.approx([c.f1 for c in made.classes])
    is_empty = [not len(each.classes) for each in there]
    alarms = sum(len(each) for each, empty in zip(kept, is_empty, strict=True) if empty)
    assert made.false_alarms == pytest.approx(alarms / sum(is_empty))
    assert len(made.mistakes) == confusion.sum() - np.trace(confusion)
