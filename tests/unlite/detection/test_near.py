"""Looking again with room around the picture: when, how often, and where things then are."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from converter.detectors.table import Detector, anchors
from parity.runners.runtimes import Array
from unlite.detection.near import SCALES, look_near

TINY = Detector("tiny", 8, 8, (4,), 0.1, 0.5, ("nose",))
PICTURE = np.zeros((20, 40, 3), np.uint8)


class Finding:
    """A detector that finds, at each look, one thing with these scores: in the middle, half as large as the tensor."""

    def __init__(self, *scores: float) -> None:
        self.scores, self.seen = scores, list[Array]()

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        self.seen.append(inputs[0])
        score = self.scores[len(self.seen) - 1]
        logits = np.full((1, TINY.boxes, 1), -20, np.float32)
        logits[0, 0, 0] = np.log(score / (1 - score))
        regressors = np.zeros((1, TINY.boxes, TINY.coordinates), np.float32)
        centre = (0.5 - anchors(TINY)[0]) * 8
        regressors[0, 0] = [*centre, 4, 4, *centre]
        return [regressors, logits]


@pytest.mark.parametrize(
    ("scores", "looks"), [((0.9,), 1), ((0.7, 0.95), 2), ((0.05, 0.3, 0.9), 3), ((0.05, 0.05, 0.05), 3)]
)
def test_looks_again_while_nothing_is_sure(scores: tuple[float, ...], looks: int) -> None:
    run = Finding(*scores)
    found = look_near(run, TINY, PICTURE)
    assert len(run.seen) == looks
    assert found.scores.tolist() == pytest.approx(sorted((s for s in scores if s >= 0.1), reverse=True)[: len(found)])
    assert len(found) == (max(scores) >= 0.1)  # the same at every scale is one thing


def test_as_many_as_are_asked_for() -> None:
    run = Finding(0.9, 0.9, 0.9)
    look_near(run, TINY, PICTURE, objects=2)
    assert len(run.seen) == 3


def test_boxes_are_shares_of_the_picture_at_every_scale() -> None:
    alone = replace(TINY, min_score=0.5)
    for place, scale in enumerate(SCALES):
        scores = [0.2] * len(SCALES)
        scores[place] = 0.7
        found = look_near(Finding(*scores), alone, PICTURE)
        # The tensor is as wide as the picture is at scale 1, and twice as high.
        wide = 0.5 / scale
        np.testing.assert_allclose(found.boxes_xywh, [[0.5 - wide / 2, 0.5 - wide, wide, 2 * wide]], atol=1e-6)
        np.testing.assert_allclose(found.keypoints_xy, [[[0.5, 0.5]]], atol=1e-6)


def test_the_edge_is_repeated_around_the_picture() -> None:
    run = Finding(0.2, 0.2, 0.2)
    look_near(run, TINY, np.full((20, 20, 3), 255, np.uint8))
    assert all((tensor == 1).all() for tensor in run.seen)
