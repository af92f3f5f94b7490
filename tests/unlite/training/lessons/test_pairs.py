"""A student and its teacher: where anchors meet, and who does not fit."""

from dataclasses import replace

import numpy as np
import pytest

from converter.detectors.table import anchors
from converter.errors import BadDetector
from converter.surgery.inputs import resize_input, widen_input
from tests.tools.lazy import keras
from tests.tools.tiny_detector import SIDE, TINY, tiny_detector
from unlite.training.lessons.pairs import Pair
from unlite.training.lessons.targets import decode_boxes

pytestmark = pytest.mark.one_setting


def pair_of(height: int = SIDE, width: int = SIDE) -> Pair:
    teacher = tiny_detector()
    student = teacher if height == width == SIDE else resize_input(teacher, height, width)
    return Pair.of(student, teacher, TINY)


def test_same_size_asks_for_the_same() -> None:
    pair, rng = pair_of(), np.random.default_rng(0)
    regressors, logits = (rng.normal(size=(64, n)).astype(np.float32) for n in (4, 1))
    boxes, scores = pair.wanted(regressors, logits)
    np.testing.assert_array_equal(boxes[:, :4], regressors)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), rtol=1e-6)
    np.testing.assert_array_equal(pair.anchors, np.arange(64))


@pytest.mark.parametrize("size", [2 * SIDE, 3 * SIDE, SIDE // 2])
def test_other_size_asks_for_the_same_boxes_from_near_anchors(size: int) -> None:
    pair = pair_of(size, size)
    assert pair.student.detector == replace(TINY, height=size, width=size)
    its, ours = anchors(TINY)[pair.anchors], anchors(pair.student.detector)
    assert len(ours) == 64 * (size / SIDE) ** 2
    assert np.abs(its - ours).max() <= 0.5 / 4  # half a cell of the coarser one, where neither has more
    rng = np.random.default_rng(0)
    regressors, logits = (rng.normal(size=(64, n)).astype(np.float32) for n in (4, 1))
    wanted, scores = pair.wanted(regressors, logits)
    made, said = decode_boxes(wanted[:, :4], pair.student.detector)[0], decode_boxes(regressors, TINY)[0]
    np.testing.assert_allclose(made, said[pair.anchors], atol=1e-6)
    assert scores.shape == (len(ours), 1)


def test_both_see_the_same() -> None:
    pair = pair_of(2 * SIDE, 2 * SIDE)
    tensor = np.random.default_rng(0).uniform(0, 1, (1, 2 * SIDE, 2 * SIDE, 3)).astype(np.float32)
    assert pair.eyes == pair.student.detector
    assert pair.seen(tensor, pair.student.detector) is tensor
    smaller = tensor.reshape(1, SIDE, 2, SIDE, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(pair.seen(tensor, TINY), smaller, atol=1e-6)


def test_further_channels_are_empty() -> None:
    teacher = tiny_detector()
    pair = Pair.of(widen_input(teacher, 5), teacher, TINY)
    tensor = np.ones((1, SIDE, SIDE, 3), np.float32)
    wide = pair.widened(tensor)
    assert wide.shape == (1, SIDE, SIDE, 5)
    np.testing.assert_array_equal(wide.sum(axis=(0, 1, 2)) > 0, [True] * 3 + [False] * 2)
    made = pair.running(pair.student.make_run())([tensor])
    for mine, original in zip(made, pair.teacher.make_run()([tensor]), strict=True):
        np.testing.assert_allclose(mine, original, atol=1e-5)


def test_other_proportions_are_refused() -> None:
    with pytest.raises(BadDetector, match="tiny cannot learn from tiny: it sees pictures of 32×64 pixels"):
        pair_of(SIDE, 2 * SIDE)


def test_other_classes_are_refused() -> None:
    with pytest.raises(
        BadDetector, match=r"its outputs have \[4, 2\] values at each anchor, and the teacher's \[4, 1\]"
    ):
        Pair.of(tiny_detector(classes=2), tiny_detector(), TINY)


def test_three_outputs_are_refused() -> None:
    gated = tiny_detector(classes=2)
    one = tiny_detector()
    three = keras.Model(one.inputs, [*one.outputs, keras.layers.Concatenate()([one.outputs[1]] * 2)], name="gated")
    with pytest.raises(BadDetector, match="3 outputs, expected boxes and logits"):
        Pair.of(three, three, TINY)
    assert Pair.of(gated, gated, TINY).classes == 2


def test_too_few_channels_are_refused() -> None:
    inputs = keras.Input((SIDE, SIDE, 1))
    grey = keras.Model(inputs, tiny_detector()(keras.layers.Concatenate()([inputs] * 3)), name="grey")
    with pytest.raises(BadDetector, match="takes 1 channels, and pictures have 3"):
        Pair.of(grey, tiny_detector(), TINY)
