"""What of one detector's findings another one finds again."""

import numpy as np
import pytest

from unlite.detection.pipeline import Detections
from unlite.training.judging.agreement import Agreement, agree

pytestmark = pytest.mark.one_setting

BOX, NEAR, FAR = (0.1, 0.1, 0.4, 0.4), (0.15, 0.1, 0.4, 0.4), (0.5, 0.5, 0.4, 0.4)


def found(*boxes: tuple[float, ...], class_: int = 0) -> Detections:
    count = len(boxes)
    corners = np.array(boxes, np.float32).reshape(count, 4)
    scores, points = np.linspace(1, 0.5, count, dtype=np.float32), np.zeros((count, 0, 2), np.float32)
    return Detections(corners, points, scores, np.full(count, class_))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (found(BOX), found(NEAR), Agreement(1, 1, 0)),
        (found(BOX), found(FAR), Agreement(1, 0, 1)),
        (found(BOX), found(NEAR, class_=1), Agreement(1, 0, 1)),
        (found(BOX, NEAR), found(BOX), Agreement(2, 1, 0)),  # one is about one
        (found(BOX), found(), Agreement(1, 0, 0)),
        (found(), found(BOX), Agreement(0, 0, 1)),
    ],
)
def test_pairs(one: Detections, other: Detections, expected: Agreement) -> None:
    assert agree([one], [other]) == expected


def test_nearest_is_taken() -> None:
    assert agree([found(BOX, NEAR)], [found(NEAR, BOX)]) == Agreement(2, 2, 0)


def test_share() -> None:
    assert Agreement(4, 3, 2).share == 0.75
    assert str(Agreement(4, 3, 2)) == "3 of 4 found again (75.0%), 2 more"
    assert Agreement(0, 0, 0).share == 1
