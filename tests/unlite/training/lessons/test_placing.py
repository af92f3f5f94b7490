"""Where labelled objects are, as the detector says: which of its boxes, and what is doubtful."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converter.detectors.table import find
from tests.tools import models
from unlite.detection.pipeline import Detections
from unlite.training.data.records import Annotation, Dataset, Example
from unlite.training.drawn.sets import Drawn, drawn_set
from unlite.training.judging.evaluate import Truth, evaluate
from unlite.training.lessons import placing
from unlite.training.lessons.placing import Placing, Relation, place
from unlite.training.lessons.source import Source
from unlite.training.lessons.targets import IGNORED

pytestmark = pytest.mark.one_setting

PALM = find("palm")
LABELS = ("fist", "ok")
Box = tuple[float, float, float, float]
# A palm, and one far away from it.
HERE: Box = (0.2, 0.2, 0.2, 0.2)
THERE: Box = (0.6, 0.6, 0.2, 0.2)
Say = Callable[..., Placing]


def detections(found: dict[Box, float]) -> Detections:
    """Best first."""
    boxes = np.array(sorted(found, key=lambda box: -found[box]), np.float32).reshape(len(found), 4)
    scores = np.array(sorted(found.values(), reverse=True), np.float32)
    keypoints = np.full((len(found), len(PALM.keypoints), 2), 0.3, np.float32)
    return Detections(boxes, keypoints, scores, np.zeros(len(found), np.intp))


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Places the objects of one picture in which the detector finds this."""
    path = tmp_path / "0.png"
    Image.new("RGB", (64, 64)).save(path)

    def placed(found: dict[Box, float], *annotations: Annotation) -> Placing:
        monkeypatch.setattr(placing, "look", lambda *_: detections(found))
        return place(Dataset(LABELS, (Example(path, annotations),)), lambda: lambda _: [], PALM)

    return placed


def test_the_best_box_of_a_labelled_picture(say: Say) -> None:
    made = say({HERE: 0.9, THERE: 0.2}, Annotation("ok"))
    (picture,) = made.placed
    np.testing.assert_allclose(picture.objects.boxes_xywh, [HERE])
    assert picture.objects.classes.tolist() == [1]
    assert np.isfinite(picture.objects.keypoints_xy).all()
    assert (picture.is_given, made.problems, made.relation) == ((False,), (), None)


@pytest.mark.parametrize(("best", "second"), [(0.93, 0.71), (0.6, 0.45), (0.9, 0.65)])
def test_nothing_says_which_of_two_hands_is_meant(say: Say, best: float, second: float) -> None:
    made = say({HERE: best, THERE: second}, Annotation("ok"))
    assert not made.placed
    (problem,) = made.problems
    assert problem.text == f"ok: two candidates ({best:.2f}, {second:.2f}): nothing says which; give boxes"


@pytest.mark.parametrize(
    ("second", "score", "ignored"),
    [
        (THERE, 0.44, 1),  # less than half as sure, but something
        (THERE, 0.29, 0),
        ((0.28, 0.2, 0.2, 0.2), 0.9, 0),  # the same thing, roughly
        ((0.33, 0.2, 0.2, 0.2), 0.5, 1),  # near
    ],
)
def test_what_else_is_there_is_left_alone(say: Say, second: Box, score: float, ignored: int) -> None:
    made = say({HERE: 0.95, second: score}, Annotation("fist"))
    assert not made.problems
    assert made.placed[0].objects.classes.tolist() == [0] + [IGNORED] * ignored
    assert made.placed[0].is_given == (False,) * (1 + ignored)


def test_nothing_to_believe(say: Say) -> None:
    made = say({}, Annotation("ok"))
    assert not made.placed
    assert "ok: the detector finds nothing with a score of 0.1 or more" in str(made.problems[0])


def test_pictures_of_nothing(say: Say) -> None:
    made = say({HERE: 0.9})
    assert len(made.placed[0].objects) == 0


def test_several_objects_need_boxes(say: Say) -> None:
    for annotations in ([Annotation("ok"), Annotation("fist")], [Annotation("ok", HERE), Annotation("fist")]):
        made = say({HERE: 0.9, THERE: 0.2}, *annotations)
        assert not made.placed
        assert "2 objects, and no box for" in made.problems[0].text


@pytest.mark.parametrize(
    ("given", "convention"),
    [
        ((0.21, 0.2, 0.2, 0.2), "same"),
        ((0.1, 0.05, 0.4, 0.45), "inside"),
        ((0.3, 0.3, 0.2, 0.2), "other"),
        (THERE, "other"),
    ],
)
def test_how_given_boxes_lie(say: Say, given: Box, convention: str) -> None:
    made = say({HERE: 0.9}, Annotation("ok", given))
    assert made.relation
    assert made.relation.convention == convention
    assert ("WARNING" in str(made.relation)) == (convention == "other")
    assert "1 given boxes, " in str(made.relation)
    is_given = convention == "other"
    assert made.placed[0].is_given == (is_given,)
    np.testing.assert_allclose(made.placed[0].objects.boxes_xywh[0], given if is_given else HERE)
    assert np.isnan(made.placed[0].objects.keypoints_xy).all() == is_given
    assert made.relation.as_dict()["found"] == (0 if is_given else 1)


def test_few_that_fit_say_nothing_about_the_rest() -> None:
    assert Relation(10, 5, 0.9, 1.0).convention == "same"
    assert Relation(10, 4, 0.9, 1.0).convention == "other"
    assert "10 given boxes, 4 found by the detector: median overlap 0.90, 100%" in str(Relation(10, 4, 0.9, 1.0))


def test_hands_without_a_label_beside_given_boxes_are_background(say: Say) -> None:
    made = say({HERE: 0.9, THERE: 0.8}, Annotation("ok", HERE))
    assert made.placed[0].objects.classes.tolist() == [1]


def test_a_box_of_the_detector_belongs_to_one_object(say: Say) -> None:
    """Two whole hands; the second one's box has both palms in it."""
    made = say(
        {HERE: 0.9, THERE: 0.5}, Annotation("ok", (0.05, 0.05, 0.6, 0.6)), Annotation("fist", (0.15, 0.15, 0.7, 0.7))
    )
    np.testing.assert_allclose(made.placed[0].objects.boxes_xywh, [HERE, THERE])
    twice = say({HERE: 0.9}, Annotation("ok", HERE), Annotation("fist", HERE))
    assert twice.placed[0].is_given == (False, True)


def test_a_given_box_that_is_not_found_counts_as_missed(say: Say) -> None:
    (picture,) = say({}, Annotation("ok", HERE)).placed
    truth = Truth(picture.objects.boxes_xywh, picture.objects.classes, (64, 64))
    judged = evaluate([detections({})], [truth], LABELS)
    assert judged.map50 == 0
    found = replace(detections({HERE: 0.9}), classes=np.array([1], np.intp))
    assert evaluate([found], [truth], LABELS).map50 > 0.9


def test_broken_and_missing_pictures_are_listed(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    examples = tuple(Example(tmp_path / name, (Annotation("ok", HERE),)) for name in ("broken.jpg", "missing.jpg"))
    made = place(Dataset(LABELS, examples), lambda: lambda _: [], PALM)
    assert not made.placed
    assert [problem.file.name for problem in made.problems] == ["broken.jpg", "missing.jpg"]
    assert made.relation is None  # of what cannot be looked at nothing is known


@cache
def palm() -> Source:
    return Source.of(models.path("palm_detection_full"))


@pytest.mark.parametrize(("boxes", "convention"), [("palm", "same"), ("hand", "inside")])
def test_drawn_hands(tmp_path: Path, boxes: Any, convention: str) -> None:
    dataset = drawn_set(tmp_path / "set", 4, size=192, drawn=Drawn(("open", "ok"), others=0.0, boxes=boxes))
    made = place(dataset, palm().make_run, PALM)
    assert made.relation
    assert (made.relation.boxes, made.relation.convention) == (8, convention)
    assert made.relation.found >= 6
    without = replace(dataset, examples=tuple(_without_boxes(each) for each in dataset.examples))
    again = place(without, palm().make_run, PALM)
    assert len(again.placed) + len(again.problems) == len(dataset.examples)
    assert sum(len(each.objects) > 0 for each in again.placed) >= 6


def _without_boxes(example: Example) -> Example:
    return replace(example, annotations=tuple(Annotation(each.label) for each in example.annotations[:1]))
