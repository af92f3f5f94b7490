"""What training makes smaller, against a version of its own in numpy and float64, on every back end."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tools.lazy import keras, ops
from tests.tools.training import gradient
from unlite.training.lessons import losses
from unlite.training.lessons.targets import IGNORED, NOTHING

Doubles = NDArray[np.float64]
LARGE = 1e4
# Sums of some hundred float32 numbers.
CLOSE = 1e-6


def log_sigmoid(x: Doubles) -> Doubles:
    return -np.logaddexp(0, -x)


def focal(y: Doubles, logits: Doubles) -> Doubles:
    """As Lin et al. write it, anchor by anchor: -(1 - p_t)^γ log p_t."""
    made = np.zeros(len(y))
    for picture, (rows, values) in enumerate(zip(y, logits, strict=True)):
        total: Any = 0.0
        objects = 0
        for wanted, each in zip(rows[:, 0], values, strict=True):
            objects += wanted >= 0
            for number, logit in enumerate(each):
                log_p = log_sigmoid(logit if number == wanted else -logit)
                total += 0 if wanted == IGNORED else -((1 - np.exp(log_p)) ** losses.FOCUS) * log_p
        made[picture] = total / max(objects, 1)
    return made


def entropy(y: Doubles, logits: Doubles) -> Doubles:
    made = np.zeros(len(y))
    for picture, (rows, values) in enumerate(zip(y[..., 0].astype(int), logits, strict=True)):
        each = [
            np.log(np.exp(row).sum()) - row[wanted] for wanted, row in zip(rows, values, strict=True) if wanted >= 0
        ]
        made[picture] = sum(each) / max(len(each), 1)
    return made


def both(y: Doubles, logits: Doubles) -> Doubles:
    return focal(y, logits) + entropy(y, logits)


def distance(y: Doubles, boxes: Doubles) -> Doubles:
    made = np.zeros(len(y))
    for picture, (rows, values) in enumerate(zip(y, boxes, strict=True)):
        apart = abs(rows[:, :-1] - values)
        each = np.where(apart < losses.BEND, apart**2 / 2 / losses.BEND, apart - losses.BEND / 2).mean(axis=1)
        made[picture] = (each * rows[:, -1]).sum() / max(rows[:, -1].sum(), 1)
    return made


def finite_differences(function: Callable[[Doubles], Doubles], x: Doubles, step: float = 1e-6) -> Doubles:
    made = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[place] += step
        behind[place] -= step
        made[place] = (function(ahead).sum() - function(behind).sum()) / (2 * step)
    return made


def classes_and_logits(classes: int = 3, spread: float = 3.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Three pictures: objects and ignored anchors, one object, none."""
    rng = np.random.default_rng(classes)
    y = rng.integers(IGNORED, classes, (3, 12, 1)).astype(np.float32)
    y[1], y[2] = NOTHING, NOTHING
    y[1, 4], y[0, :3, 0] = 0, (0, NOTHING, IGNORED)
    return y, rng.normal(0, spread, (3, 12, classes)).astype(np.float32)


def value(made: Any) -> Any:
    return keras.ops.convert_to_numpy(made)


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize(
    ("loss", "independent"), [(losses.anchor_classification, both), (losses.class_entropy, entropy)]
)
def test_classification(loss: Any, independent: Any, classes: int) -> None:
    y, logits = classes_and_logits(classes)
    right = independent(y.astype(float), logits.astype(float))
    np.testing.assert_allclose(
        value(loss(ops.convert_to_tensor(y), ops.convert_to_tensor(logits))), right, rtol=CLOSE, atol=CLOSE
    )
    slope = finite_differences(lambda x: independent(y.astype(float), x), logits.astype(float))
    np.testing.assert_allclose(gradient(lambda x: loss(ops.convert_to_tensor(y), x), logits), slope, rtol=0, atol=CLOSE)


def test_distance_of_boxes() -> None:
    rng = np.random.default_rng(0)
    boxes, wanted = (rng.normal(0, 2, (2, 9, 6)).astype(np.float32) for _ in range(2))
    y = np.concatenate([wanted, rng.uniform(0, 1, (2, 9, 1)).astype(np.float32)], axis=2)
    y[0, 3, -1] = y[1, :, -1] = 0  # an anchor, and a picture, that does not count
    y[0, 0, :-1] = boxes[0, 0]
    right = distance(y.astype(float), boxes.astype(float))
    np.testing.assert_allclose(
        value(losses.smooth_l1(ops.convert_to_tensor(y), ops.convert_to_tensor(boxes))), right, rtol=CLOSE
    )
    slope = finite_differences(lambda x: distance(y.astype(float), x), boxes.astype(float))
    made = gradient(lambda x: losses.smooth_l1(ops.convert_to_tensor(y), x), boxes)
    np.testing.assert_allclose(made, slope, atol=CLOSE)
    assert not made[0, 3].any()
    assert not made[1].any()
    assert made[0, 1].all()


@pytest.mark.parametrize("focus", [0, 1, 1.5, 2])
def test_a_teachers_probabilities(focus: float) -> None:
    """Between 0 and 1, the loss is least where the prediction is the teacher's, if nothing is focused on."""
    wanted, logits = np.array([[0, 0.25, 1]], np.float32), np.array([[-2, 0.5, 3]], np.float32)
    p = 1 / (1 + np.exp(-logits.astype(float)))
    wrong = p * (1 - wanted) + (1 - p) * wanted
    right = -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)) * wrong**focus
    made = losses.binary_focal(ops.convert_to_tensor(wanted), ops.convert_to_tensor(logits), focus)
    np.testing.assert_allclose(value(made), right, rtol=1e-5)


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("loss", [losses.anchor_classification, losses.class_entropy])
def test_huge_logits(loss: Any, classes: int) -> None:
    y, logits = classes_and_logits(classes)
    huge = np.where(logits > 0, LARGE, -LARGE).astype(np.float32)
    huge[:, ::4] = 0
    made = value(loss(ops.convert_to_tensor(y), ops.convert_to_tensor(huge)))
    assert np.isfinite(made).all()
    assert np.isfinite(gradient(lambda x: loss(ops.convert_to_tensor(y), x), huge)).all()
    if loss is losses.anchor_classification:
        assert made[1] > LARGE / 10  # it is very wrong somewhere, and says so


def test_a_picture_without_objects_teaches() -> None:
    y, logits = classes_and_logits()
    made = gradient(lambda x: losses.anchor_classification(ops.convert_to_tensor(y), x), logits)
    assert (made[2] > 0).all()  # towards less
    assert not gradient(lambda x: losses.class_entropy(ops.convert_to_tensor(y), x), logits)[2].any()


def test_nothing_is_asked_of_ignored_anchors() -> None:
    y, logits = classes_and_logits()
    for loss in (losses.anchor_classification, losses.class_entropy):
        made = gradient(lambda x, loss=loss: loss(ops.convert_to_tensor(y), x), logits)
        assert not made[y[..., 0] == IGNORED].any()
        assert made[y[..., 0] >= 0].any(axis=1).all()


def test_one_class_has_nothing_to_be_told_from() -> None:
    y, logits = classes_and_logits(1)
    assert not gradient(lambda x: losses.class_entropy(ops.convert_to_tensor(y), x), logits).any()
    assert gradient(lambda x: losses.anchor_classification(ops.convert_to_tensor(y), x), logits).any()


def test_teacher_holds_scores() -> None:
    rng = np.random.default_rng(0)
    wanted, logits = rng.uniform(0, 1, (2, 5, 3)), rng.normal(0, 2, (2, 5, 3))
    entropy = -(wanted * log_sigmoid(logits) + (1 - wanted) * log_sigmoid(-logits)).sum(axis=(1, 2))
    right = entropy / np.maximum(wanted.sum(axis=(1, 2)), 1)
    y = ops.convert_to_tensor(wanted.astype(np.float32))

    def loss(x: Any) -> Any:
        return losses.held_scores(y, x)

    made = loss(ops.convert_to_tensor(logits.astype(np.float32)))
    np.testing.assert_allclose(ops.convert_to_numpy(made), right, rtol=1e-5)
    exact = np.log(wanted / (1 - wanted)).astype(np.float32)  # at what is wanted there is nothing to gain
    np.testing.assert_allclose(gradient(loss, exact), 0, atol=1e-6)
    assert np.isfinite(ops.convert_to_numpy(loss(ops.convert_to_tensor(np.full_like(exact, LARGE))))).all()
