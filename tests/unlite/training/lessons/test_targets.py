"""Boxes encoded and decoded, and objects assigned to anchors."""

from dataclasses import replace

import numpy as np
import pytest

from converter.detectors.table import Detector, anchors, find, known
from unlite.detection.pipeline import Floats, decode, intersection_over_union
from unlite.training.lessons.targets import (
    IGNORED,
    NEGATIVE,
    NOTHING,
    POSITIVE,
    Objects,
    assign,
    decode_boxes,
    encode_boxes,
)

pytestmark = pytest.mark.one_setting

# Subtracting an anchor and adding it again rounds twice, to the 24 bits of numbers of up to a few inputs' widths.
ULPS = 4 * 2.0**-23
DETECTORS = [*known(), replace(find("palm"), height=128, width=256)]


def objects_of(boxes: list[tuple[float, float, float, float]], classes: list[int] | None = None) -> Objects:
    count = len(boxes)
    return Objects(
        np.array(boxes, np.float32).reshape(count, 4),
        np.array(range(count) if classes is None else classes, np.intp),
        np.full((count, 0, 2), np.nan, np.float32),
    )


def regressors_of(detector: Detector, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 1, (detector.boxes, detector.coordinates)) * detector.width).astype(np.float32)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: f"{detector.name} {detector.height}")
def test_encoding_is_the_inverse_of_decoding(detector: Detector) -> None:
    for seed in range(10):
        said = regressors_of(detector, seed)
        boxes, keypoints = decode_boxes(said, detector)
        tolerance = ULPS * np.abs(said).max()
        np.testing.assert_allclose(encode_boxes(boxes, keypoints, detector), said, rtol=0, atol=tolerance)
        again = decode_boxes(encode_boxes(boxes, keypoints, detector), detector)
        np.testing.assert_allclose(again[0], boxes, rtol=0, atol=tolerance / detector.width * 2)
        np.testing.assert_allclose(again[1], keypoints, rtol=0, atol=tolerance / detector.width * 2)
        assert np.abs(encode_boxes(boxes + np.float32(0.01), keypoints, detector) - said).max() > tolerance


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: f"{detector.name} {detector.height}")
def test_decodes_as_detection_does(detector: Detector) -> None:
    said = regressors_of(detector, 0)
    found = decode(said, np.full((detector.boxes, 1), 50, np.float32), detector)
    boxes, keypoints = decode_boxes(said, detector)
    is_box = (boxes[:, 2:] >= 0).all(axis=1)
    np.testing.assert_allclose(found.boxes_xywh, boxes[is_box], atol=1e-5)
    np.testing.assert_allclose(found.keypoints_xy, keypoints[is_box], atol=1e-5)


def boxes_around_anchors(size: float = 0.2, seed: int = 0) -> Floats:
    """What a detector might say: a box at each of the palm detector's anchors."""
    centres = anchors(find("palm"))
    rng = np.random.default_rng(seed)
    sides = (size * rng.uniform(0.8, 1.2, (len(centres), 2))).astype(np.float32)
    return np.concatenate([centres - sides / 2, sides], axis=1)


def test_what_lies_on_an_object_is_about_it() -> None:
    boxes, objects = boxes_around_anchors(), objects_of([(0.3, 0.3, 0.2, 0.2), (0.6, 0.1, 0.2, 0.25)], [7, 3])
    classes, about = assign(boxes, objects)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    overlaps = np.stack([intersection_over_union(each, corners) for each in objects.corners()])
    most = overlaps.max(axis=0)
    assert set(classes[most >= POSITIVE]) == {7, 3}
    assert set(classes[most < NEGATIVE]) == {NOTHING}
    between = (most >= NEGATIVE) & (most < POSITIVE)
    assert between.sum() > 10
    assert set(classes[between]) == {IGNORED}
    assert (about[most >= POSITIVE] == overlaps.argmax(axis=0)[most >= POSITIVE]).all()
    assert (about[classes < 0] == -1).all()
    assert (objects.classes[about[classes >= 0]] == classes[classes >= 0]).all()


@pytest.mark.parametrize(
    "boxes",
    [
        [(0.3, 0.3, 0.2, 0.2), (0.3, 0.3, 0.2, 0.2)],  # two on the same anchors
        [(0.3, 0.3, 0.2, 0.2), (0.3, 0.3, 0.2, 0.2), (0.31, 0.3, 0.2, 0.2)],
        [(0.5, 0.5, 0.001, 0.001)],
        [(0.5, 0.5, 0.001, 0.001), (0.4, 0.4, 0.2, 0.2)],  # a tiny one in another
        [(-0.05, -0.05, 0.1, 0.1), (0.95, 0.9, 0.1, 0.1)],  # half outside
        [(0.0, 0.0, 1.0, 1.0)],  # all of it
    ],
)
def test_every_object_owns_an_anchor(boxes: list[tuple[float, float, float, float]]) -> None:
    classes, about = assign(boxes_around_anchors(), objects_of(boxes))
    assert set(range(len(boxes))) <= set(about.tolist())
    assert set(range(len(boxes))) <= set(classes.tolist())


def test_none_takes_the_only_anchor_of_another() -> None:
    """Two anchors: both objects fit the first one best, the better one has nothing else that lies on it."""
    anchors_say = np.array([(0.3, 0.3, 0.2, 0.2), (0.45, 0.3, 0.2, 0.2)], np.float32)
    first, second = (0.3, 0.3, 0.2, 0.2), (0.32, 0.3, 0.2, 0.2)
    for order in ([first, second], [second, first]):
        _, about = assign(anchors_say, objects_of(order))
        assert [order[number] for number in about] == [first, second]


@pytest.mark.parametrize("seed", range(20))
def test_every_one_of_many_owns_an_anchor(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner, sides = rng.uniform(0, 0.8, (12, 2)), rng.uniform(0.01, 0.2, (12, 2))
    boxes = [(x, y, w, h) for (x, y), (w, h) in zip(corner.tolist(), sides.tolist(), strict=True)]
    _, about = assign(boxes_around_anchors(seed=seed), objects_of(boxes))
    assert set(range(12)) <= set(about.tolist())


@pytest.mark.parametrize(
    "box", [(1.4, 1.4, 0.2, 0.2), (-0.15, 0.4, 0.2, 0.2), (np.nan, 0.2, 0.1, 0.1), (0.2, 0.2, np.nan, 0.1)]
)
def test_what_cannot_be_seen_takes_nothing(box: tuple[float, float, float, float]) -> None:
    """Also not from one that can be."""
    alone, both = objects_of([(0.3, 0.3, 0.2, 0.2)]), objects_of([(0.3, 0.3, 0.2, 0.2), box])
    for each, other in zip(assign(boxes_around_anchors(), alone), assign(boxes_around_anchors(), both), strict=True):
        assert np.logical_or(each == other, other == IGNORED).all()


def test_anchors_without_a_box() -> None:
    boxes = boxes_around_anchors()
    boxes[::2], boxes[1, 2:] = np.nan, -1
    classes, about = assign(boxes, objects_of([(0.3, 0.3, 0.2, 0.2)]))
    assert (classes >= 0).any()
    assert (about[::2] == -1).all()
    assert (classes[::2] == NOTHING).all()


def test_ignored_objects_ignore_and_take_nothing() -> None:
    boxes = boxes_around_anchors()
    classes, _ = assign(boxes, objects_of([(0.3, 0.3, 0.2, 0.2)], [IGNORED]))
    assert set(classes.tolist()) == {NOTHING, IGNORED}
    same = objects_of([(0.3, 0.3, 0.2, 0.2), (0.3, 0.3, 0.2, 0.2)], [IGNORED, 4])
    assert 4 in assign(boxes, same)[0]
    tiny = assign(boxes, objects_of([(0.5, 0.5, 0.001, 0.001)], [IGNORED]))[0]
    assert set(tiny.tolist()) == {NOTHING}


def test_nothing_to_assign() -> None:
    classes, about = assign(boxes_around_anchors(), objects_of([]))
    assert (classes == NOTHING).all()
    assert (about == -1).all()
    assert len(assign(np.zeros((0, 4), np.float32), objects_of([(0.3, 0.3, 0.2, 0.2)]))[0]) == 0
