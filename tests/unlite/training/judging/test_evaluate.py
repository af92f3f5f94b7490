"""Metrics against numbers worked out by hand; against a second implementation in `test_evaluate_again.py`."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from converter.errors import BadData, MissingBackend
from tests.tools.evaluations import LABELS, LEFT, RIGHT, found, some, truth, with_every_mistake
from unlite.detection.pipeline import Detections
from unlite.training.judging.evaluate import Evaluation, Truth, evaluate

pytestmark = pytest.mark.one_setting


def shifted(box: Sequence[float], by: float) -> tuple[float, ...]:
    """To the right, by a share of its width."""
    return (box[0] + by * box[2], *box[1:])


def perfect() -> Evaluation:
    return evaluate([found((*LEFT, 0.9, 0), (*RIGHT, 0.8, 1))], [truth((*LEFT, 0), (*RIGHT, 1))], LABELS[:2])


def test_all_is_found() -> None:
    made = perfect()
    assert (made.map50, made.map, made.accuracy) == (1, 1, 1)
    assert made.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert [(each.precision, each.recall, each.f1, each.objects, each.found) for each in made.classes] == [
        (1, 1, 1, 1, 1)
    ] * 2
    assert made.worst(9) == ()
    assert np.isnan(made.false_alarms)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Right, wrong, right: recall up to a half at precision 1, the rest at 2/3.
        ([(*LEFT, 0.9, 0), (0.5, 0, 0.1, 0.1, 0.8, 0), (*RIGHT, 0.7, 0)], (51 + 50 * 2 / 3) / 101),
        # Wrong first: nothing is better than 2/3.
        ([(*LEFT, 0.8, 0), (0.5, 0, 0.1, 0.1, 0.9, 0), (*RIGHT, 0.7, 0)], 2 / 3),
        # Only half is found.
        ([(*LEFT, 0.9, 0)], 51 / 101),
        # A second detection of the same object is wrong.
        ([(*LEFT, 0.9, 0), (*LEFT, 0.8, 0), (*RIGHT, 0.7, 0)], (51 + 50 * 2 / 3) / 101),
        # In the wrong place.
        ([(*shifted(LEFT, 0.4), 0.9, 0), (*RIGHT, 0.7, 0)], 51 / 101 / 2),
        # Of another class.
        ([(*LEFT, 0.9, 1), (*RIGHT, 0.7, 0)], 51 / 101),
        ([], 0),
    ],
)
def test_average_precision_of_a_ranking(rows: list[tuple[float, ...]], expected: float) -> None:
    made = evaluate([found(*rows)], [truth((*LEFT, 0), (*RIGHT, 0))], LABELS)
    assert made.map50 == made.classes[0].ap50 == pytest.approx(expected)


def test_sloppy_boxes_cost_only_at_higher_overlap() -> None:
    made = evaluate([found((*shifted(LEFT, 0.3), 0.9, 0))], [truth((*LEFT, 0))], LABELS)  # IoU 0.7 / 1.3
    assert made.map50 == 1
    assert made.map == pytest.approx(0.1)  # .5 alone
    assert made.precision[0].tolist() == [1] * 101


def test_every_mistake_is_named_and_the_most_confident_is_first() -> None:
    made = with_every_mistake(LABELS[:2])
    assert made.confusion.tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
    kinds = [(m.kind, m.picture, m.truth, m.found, round(m.score, 3)) for m in made.worst(9)]
    assert kinds == [
        ("confused", 1, "fist", "palm", 0.95),
        ("nothing there", 2, None, "fist", 0.8),
        ("missed", 3, "palm", None, 0.0),
    ]
    confused, nothing, missed = made.mistakes
    assert made.worst(2) == (confused, nothing)
    assert made.worst(2, "missed") == (missed,)
    assert missed.truth_box == nothing.found_box == pytest.approx(RIGHT)
    assert missed.found_box is nothing.truth_box is None
    assert confused.found_box == confused.truth_box == pytest.approx(LEFT)
    assert made.accuracy == pytest.approx(1 / 3)
    assert made.false_alarms == 1


def test_missed_object_tells_what_lies_below_the_threshold() -> None:
    made = evaluate([found((*LEFT, 0.2, 1))], [truth((*LEFT, 0))], LABELS, threshold=0.5)
    assert [(m.kind, m.found, round(m.score, 3)) for m in made.mistakes] == [("missed", None, 0.2)]
    assert made.confusion.tolist()[0] == [0, 0, 0, 1]


def test_second_detection_of_an_object_is_where_nothing_is() -> None:
    made = evaluate([found((*LEFT, 0.9, 0), (*LEFT, 0.8, 1))], [truth((*LEFT, 0))], LABELS[:2], threshold=0.5)
    assert made.confusion.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert made.accuracy == 1


def test_one_detection_is_not_right_twice() -> None:
    made = evaluate([found((*LEFT, 0.9, 0))], [truth((*LEFT, 0), (*shifted(LEFT, 0.1), 0))], LABELS)
    assert made.accuracy == made.classes[0].recall == 0.5


def test_threshold_is_in_the_middle_of_the_best() -> None:
    made = evaluate([found((*LEFT, 0.9, 0), (*RIGHT, 0.2, 0))], [truth((*LEFT, 0))], LABELS)
    assert made.threshold == made.suggested == 0.55  # of 0.21, …, 0.9
    assert made.mean_f1[made.thresholds == 0.55] == 1
    assert made.mean_f1[made.thresholds == 0.1] == pytest.approx(2 / 3)
    assert made.mean_f1[made.thresholds == 0.95] == 0


def test_threshold_hardly_moves_with_one_more_detection() -> None:
    """Its own F1 is the best by far less than one detection in four hundred is worth."""
    many = [found((*LEFT, score, 0)) for score in np.linspace(0.6, 0.9, 400)]
    there = [truth((*LEFT, 0))] * 400
    first = evaluate(many, there, LABELS).suggested
    assert evaluate([*many, found((*LEFT, 0.05, 0))], [*there, truth()], LABELS).suggested == pytest.approx(
        first, abs=0.03
    )
    assert 0.2 < first < 0.4


def test_threshold_of_another_set_is_kept_to() -> None:
    detections, there = [found((*LEFT, 0.9, 0), (*RIGHT, 0.2, 0))], [truth((*LEFT, 0))]
    made = evaluate(detections, there, LABELS, threshold=0.1)
    assert (made.threshold, made.suggested) == (0.1, 0.55)
    assert (made.classes[0].precision, made.classes[0].found, made.confusion[-1, 0]) == (0.5, 2, 1)


def test_score_at_the_threshold_counts() -> None:
    """0.7 as float32 is below 0.7 as float64: detectors compare as float32."""
    made = evaluate([found((*LEFT, 0.7, 0))], [truth((*LEFT, 0))], LABELS, threshold=0.7)
    assert (made.classes[0].recall, made.accuracy, made.worst(1)) == (1, 1, ())


def test_class_without_objects_has_no_part_in_means() -> None:
    made = evaluate([found((*LEFT, 0.9, 0))], [truth((*LEFT, 0))], LABELS)
    assert made.map50 == made.map == 1
    assert np.isnan([made.classes[2].ap50, made.classes[2].recall, made.classes[2].precision]).all()
    assert made.mean_f1.max() == 1
    as_dict = made.as_dict()
    assert as_dict["ap50"] == {"fist": 1.0, "palm": None, "none of these": None}
    assert as_dict["at_threshold"]["classes"]["palm"] == {
        "objects": 0,
        "found": 0,
        "precision": None,
        "recall": None,
        "f1": None,
    }
    assert as_dict["at_threshold"]["false_alarms_per_picture_without_objects"] is None


def test_nothing_is_found() -> None:
    made = evaluate([found(), found()], [truth((*LEFT, 0)), truth()], LABELS)
    assert (made.map50, made.map, made.accuracy, made.false_alarms) == (0, 0, 0, 0)
    assert made.threshold == 0.5
    assert [mistake.kind for mistake in made.mistakes] == ["missed"]


@pytest.mark.parametrize(
    "broken",
    [
        (*LEFT, np.nan, 0),
        (*LEFT, np.inf, 0),
        (np.nan, 0, 1, 1, 0.99, 0),
        (0, 0, np.inf, 1, 0.99, 0),
        (0.5, 0.5, -0.1, 0.1, 0.99, 0),
        (0.5, 0.5, 0.0, 0.1, 0.99, 0),
    ],
)
def test_what_is_no_detection_counts_nowhere(broken: tuple[float, ...]) -> None:
    there = [truth((*LEFT, 0))]
    made = evaluate([found(broken, (*LEFT, 0.9, 0))], there, LABELS)
    whole = evaluate([found((*LEFT, 0.9, 0))], there, LABELS)
    assert (made.left_out, whole.left_out) == (1, 0)
    assert made.as_dict() | {"left_out": 0} == whole.as_dict()


GOOD = truth((*LEFT, 0))
NOTHING = np.zeros((0, 4), np.float32)


@pytest.mark.parametrize(
    ("detections", "there", "message"),
    [
        ([], [], "no object in 0 pictures"),
        ([found()], [truth()], "no object in 1 pictures"),
        ([found()], [GOOD, GOOD], "detections of 1 pictures, and the truth of 2"),
        ([found((*LEFT, 0.5, 3))], [GOOD], "picture 0: a detection is of class 3, and there are 3 labels"),
        ([found((*LEFT, 0.5, -1))], [GOOD], "picture 0: a detection is of class -1"),
        ([found()] * 2, [GOOD, truth((*LEFT, 0), (*LEFT, 3))], "picture 1, object 1: class 3, and there are 3 labels"),
        ([found()], [truth((0, 0, np.nan, 1, 0))], "picture 0, object 0: .* is no box"),
        ([found()], [truth((0, 0, 0, 1, 0))], "picture 0, object 0: .* is no box"),
        ([found()], [Truth(NOTHING, GOOD.classes, GOOD.size)], "picture 0 has 0 boxes and 1 classes"),
        ([found()], [Truth(GOOD.boxes_xywh, GOOD.classes, (0, 64))], "picture 0 has 64×0 pixels"),
    ],
)
def test_what_cannot_be_evaluated(detections: list[Detections], there: list[Truth], message: str) -> None:
    with pytest.raises(BadData, match=message):
        evaluate(detections, there, LABELS)


def test_as_dict_is_json() -> None:
    made = with_every_mistake().as_dict()
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert (made["at_threshold"]["threshold"], made["suggested_threshold"]) == (0.5, 0.85)
    assert made["at_threshold"]["mistakes"] == {"confused": 1, "nothing there": 1, "missed": 1}


@pytest.mark.parametrize("seed", range(3))
def test_order_of_pictures_is_nothing(seed: int) -> None:
    detections, there = some(seed)
    order = np.random.default_rng(seed).permutation(len(there))
    made = evaluate(detections, there, LABELS)
    again = evaluate([detections[n] for n in order], [there[n] for n in order], LABELS)
    assert made.as_dict() == again.as_dict()
    assert [(m.kind, m.score) for m in made.mistakes] == [(m.kind, m.score) for m in again.mistakes]
    assert set(made.mistakes) == {replace(m, picture=int(order[m.picture])) for m in again.mistakes}


def test_worst_are_sorted() -> None:
    made = evaluate(*some(5), LABELS)
    said = [mistake.score for mistake in made.mistakes if mistake.kind != "missed"]
    missed = [mistake.score for mistake in made.worst(99, "missed")]
    assert len(said) > 10
    assert len(missed) > 5
    assert [mistake.score for mistake in made.mistakes] == sorted(said, reverse=True) + sorted(missed)
    assert min(said) >= made.threshold > max(missed)


def test_every_object_and_every_detection_is_in_the_matrix_once() -> None:
    detections, there = some(6)
    made = evaluate(detections, there, LABELS)
    assert made.confusion.sum(axis=1)[:-1].tolist() == [each.objects for each in made.classes]
    assert made.confusion.sum(axis=0)[:-1].tolist() == [each.found for each in made.classes]


def test_more_detections_than_coco_takes_still_count_as_wrong() -> None:
    """The best hundred of a picture are in average precision; all are in the matrix."""
    wrong = [(0.9, 0.0, 0.05, 0.05, 0.9, 0)] * 150
    made = evaluate([found(*wrong, (*LEFT, 0.5, 0))], [truth((*LEFT, 0))], LABELS, threshold=0.3)
    assert made.map50 == 0
    assert (made.confusion[-1, 0], made.confusion[0, 0]) == (150, 1)


def test_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(
        MissingBackend, match=r"evaluation needs faster-coco-eval: .*\nhint: pip install 'unlite\[train\]'"
    ):
        perfect()


def test_import_is_light() -> None:
    heavy = "{'faster_coco_eval', 'keras', 'cv2'}"
    code = f"import sys, unlite.training.judging.evaluate; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
