"""The stages on what MediaPipe's pictures do not have: many classes, other sizes, nothing, nonsense."""

from dataclasses import replace

import numpy as np
import pytest

from converter.detectors.letterbox import Padding, Region, letterbox, whole
from converter.detectors.table import Detector, find
from converter.errors import BadDetector
from fixtures.detection_cases import raw_tensors
from parity.report.text import make_console
from unlite.commands.detect import show
from unlite.detection.finder import as_rows, difference
from unlite.detection.landmarks import hand_region, hands_of
from unlite.detection.pipeline import Detections, decode, regressors_and_logits, remove_letterbox, sample, suppress

TINY = Detector("tiny", 8, 12, (4,), 0.0, 0.5, ("nose",))  # 2×3 cells, one anchor each


def detections(*boxes: tuple[float, ...], scores: tuple[float, ...]) -> Detections:
    count = len(boxes)
    array = np.array(boxes, np.float32).reshape(count, 4)
    return Detections(array, array[:, None, :2].copy(), np.array(scores, np.float32), np.zeros(count, np.intp))


def test_decoding_by_hand() -> None:
    regressors, logits = np.zeros((6, 6), np.float32), np.full((6, 2), -9, np.float32)
    regressors[4] = (1.2, 0.8, 6, 4, -1.2, 0.8)  # second row, second column: centre at (0.5, 0.75)
    logits[4] = (0.0, np.log(3))
    found = decode(regressors, logits, TINY)
    np.testing.assert_allclose(found.boxes_xywh, [[0.6 - 0.25, 0.85 - 0.25, 0.5, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(found.keypoints_xy, [[[0.4, 0.85]]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.75], rtol=1e-6)
    assert found.classes.tolist() == [1]


@pytest.mark.parametrize("score", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_min_score_is_the_least_that_stays(score: float) -> None:
    detector = Detector("tiny", 8, 12, (4,), 0.0, score, ())
    logits = np.linspace(-3, 30, 6, dtype=np.float32)[:, None]
    regressors = np.ones((6, 4), np.float32)
    expected = 1 / (1 + np.exp(-logits[:, 0].astype(float))).astype(np.float32) >= score
    assert len(decode(regressors, logits, detector)) == expected.sum()


def test_logits_that_are_no_numbers_score_nothing() -> None:
    logits = np.full((6, 2), np.nan, np.float32)
    logits[0, 1] = 3
    found = decode(np.ones((6, 6), np.float32), logits, TINY)
    assert found.classes.tolist() == [1]


def test_outputs_are_told_apart_whatever_their_order() -> None:
    boxes, logits = np.zeros((1, 6, 6), np.float32), np.ones((1, 6, 3), np.float32)
    for outputs in ([boxes, logits], [logits, boxes]):
        first, second = regressors_and_logits(outputs, TINY)
        assert (first.shape, second.shape) == ((6, 6), (6, 3))
    for outputs in ([boxes], [boxes[:, :5], logits], [logits, logits]):
        with pytest.raises(BadDetector, match=r"has outputs \[6, 6\] and \[6, classes\]; the model's are"):
            regressors_and_logits(outputs, TINY)


def test_class_logits_beside_the_objectness_choose_the_class_alone() -> None:
    boxes, objectness = np.ones((1, 6, 6), np.float32), np.full((1, 6, 1), -9, np.float32)
    classes = np.zeros((1, 6, 3), np.float32)
    objectness[0, [2, 4]], classes[0, 2, 1], classes[0, 4, 2], classes[0, 0, 1] = 3, 0.5, 50, 99
    for outputs in ([boxes, objectness, classes], [objectness, boxes, classes]):
        found = decode(*regressors_and_logits(outputs, TINY), TINY)
        assert found.classes.tolist() == [1, 2]
        np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-3)), rtol=1e-6)
    with pytest.raises(BadDetector):
        regressors_and_logits([boxes, classes, classes], TINY)


def test_suppression_weighs_by_score_and_keeps_the_best_score() -> None:
    found = suppress(detections((0, 0, 1, 1), (0.2, 0, 1, 1), (5, 5, 1, 1), scores=(0.6, 0.9, 0.7)), 0.3)
    np.testing.assert_allclose(found.boxes_xywh, [[0.12, 0.0, 1.0, 1.0], [5.0, 5.0, 1.0, 1.0]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.9, 0.7])


def test_suppression_compares_with_the_best_box_not_with_the_mean() -> None:
    chain = detections((0, 0, 1, 1), (0.4, 0, 1, 1), (0.8, 0, 1, 1), scores=(0.9, 0.8, 0.7))
    assert len(suppress(chain, 0.3)) == 2


def test_suppression_of_nothing_and_of_boxes_without_area() -> None:
    assert len(suppress(detections(scores=()), 0.3)) == 0
    flat = suppress(detections((0, 0, 0, 1), (5, 5, 1, 1), scores=(0.9, 0.8)), 0.3)
    assert flat.scores.tolist() == pytest.approx([0.9])  # MediaPipe stops there


def test_another_threshold_gives_another_result() -> None:
    decoded = decode(*raw_tensors(3), find("palm"))
    assert len(suppress(decoded, 0.05)) < len(suppress(decoded, 0.95))


@pytest.mark.parametrize(("height", "width"), [(300, 480), (480, 300), (192, 192), (1, 1), (1, 4000), (7, 3)])
def test_letterbox_and_back(height: int, width: int) -> None:
    region, padding = letterbox(whole(height, width), 192, 192)
    assert region.width == pytest.approx(region.height)
    assert region.width == pytest.approx(max(height, width))
    inside = detections((padding.left, padding.top, 1 - 2 * padding.left, 1 - 2 * padding.top), scores=(1,))
    np.testing.assert_allclose(remove_letterbox(inside, padding).boxes_xywh, [[0, 0, 1, 1]], atol=1e-5)


def test_sampling_takes_pixels_as_they_are() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    same = sample(picture, Region(3.5, 4.5, 7, 9), (9, 7), (0.0, 255.0))
    np.testing.assert_array_equal(same[0], picture)
    turned = sample(picture, Region(3.5, 4.5, 7, 9, np.pi), (9, 7), (0.0, 255.0))
    np.testing.assert_array_equal(turned[0, 1:, 1:], picture[:0:-1, :0:-1])  # no half-pixel centres
    outside = sample(picture, Region(30, 30, 7, 9), (9, 7), (-1.0, 1.0))
    assert (outside == -1).all()
    edge = sample(picture, Region(30, 30, 7, 9), (9, 7), (0.0, 255.0), replicate=True)
    assert (edge == picture[-1, -1]).all()


def test_hand_region_points_up() -> None:
    points = np.full((1, 7, 2), 0.5, np.float32)
    points[0, 0], points[0, 2] = (0.3, 0.5), (0.7, 0.5)  # fingers to the right
    palm = replace(detections((0.4, 0.4, 0.2, 0.1), scores=(1,)), keypoints_xy=points)
    region = hand_region(palm, np.zeros((100, 200, 3), np.uint8))
    assert region.rotation == pytest.approx(np.pi / 2)
    assert (region.width, region.height) == pytest.approx((40 * 2.6, 40 * 2.6))
    assert (region.x, region.y) == pytest.approx((105, 45))  # half a palm's height towards the fingers


def test_difference_pairs_what_overlaps() -> None:
    first = detections((0, 0, 1, 1), (5, 5, 1, 1), scores=(0.9, 0.8))
    assert difference(first, first).is_same
    moved = difference(first, detections((5.1, 5, 1, 1), (0, 0, 1, 1), scores=(0.8, 0.9)))
    assert moved.pairs == ((0, 1), (1, 0))
    assert moved.box == pytest.approx(0.1, rel=1e-4)
    assert not moved.is_same
    fewer = difference(first, first[:1])
    assert (fewer.only_first, fewer.only_second) == ((1,), ())
    assert not fewer.is_same
    assert "1 only by the first" in str(fewer)
    assert difference(first[:0], first[:0]).is_same


def test_difference_sees_classes_and_what_is_no_number() -> None:
    first = detections((0, 0, 1, 1), scores=(0.9,))
    other_class = replace(first, classes=np.array([1]))
    assert (difference(first, other_class).only_first, difference(first, other_class).only_second) == ((0,), (0,))
    nowhere = replace(first, keypoints_xy=np.full_like(first.keypoints_xy, np.nan))
    assert not difference(first, nowhere).is_same
    assert difference(first, nowhere).as_dict()["largest_difference"]["keypoint"] is None


def test_table_of_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = replace(detections((0.1, 0.1, 0.5, 0.5), scores=(0.9,)), keypoints_xy=np.full((1, 1, 2), np.nan))
    rows = as_rows(nowhere, TINY, (10, 20))
    show({"picture": "p.png", "width": 20, "height": 10, "detections": rows}, make_console())
    assert "-, -" in capsys.readouterr().out


def test_palms_without_a_place_have_no_hands() -> None:
    palm = detections((0.4, 0.4, 0.2, 0.1), scores=(1,))
    nowhere = replace(palm, keypoints_xy=np.full((1, 7, 2), np.nan, np.float32))
    assert hands_of(lambda _: [], np.zeros((9, 9, 3), np.uint8), nowhere) == {}


def test_padding_is_by_side() -> None:
    assert letterbox(whole(100, 200), 10, 10)[1] == Padding(0.0, 0.25, 0.0, 0.25)
    assert letterbox(whole(200, 100), 10, 10)[1] == Padding(0.25, 0.0, 0.25, 0.0)
