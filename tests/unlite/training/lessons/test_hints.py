"""Hints from inside a teacher."""

import numpy as np
import pytest

from converter.surgery.activations import swap_activation
from converter.surgery.inputs import resize_input
from parity.runners.runtimes import keras_runner
from tests.tools.lazy import keras
from tests.tools.tiny_detector import SIDE, tiny_detector
from unlite.training.lessons.hints import WEIGHT, exchanged, hinted
from unlite.training.lessons.parts import cut

pytestmark = pytest.mark.one_setting


def test_hints_are_on_what_goes_into_exchanged_layers() -> None:
    teacher = tiny_detector()
    assert exchanged(swap_activation(teacher).model, teacher) == ("conv_0", "conv_1")
    assert exchanged(teacher, teacher) == ()
    assert exchanged(resize_input(teacher, 2 * SIDE, 2 * SIDE), teacher) == ()


def test_hint_is_the_relative_error() -> None:
    teacher = tiny_detector()
    student = swap_activation(teacher).model
    names = exchanged(student, teacher)
    head = hinted(cut(student).head, teacher, names)
    x = np.random.default_rng(0).uniform(0, 1, (2, SIDE, SIDE, 3)).astype(np.float32)
    *outputs, hint = keras_runner(head)([x])
    errors = []
    for name in names:
        mine, wanted = (
            keras_runner(keras.Model(model.inputs, model.get_layer(name).output))([x])[0]
            for model in (student, teacher)
        )
        errors.append(((mine - wanted) ** 2).mean(axis=(1, 2, 3)) / (wanted**2).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(hint, WEIGHT * np.mean(errors, axis=0)[:, None], rtol=1e-3)
    assert hint.min() > 0
    for made, expected in zip(outputs, keras_runner(student)([x]), strict=True):
        np.testing.assert_allclose(made, expected, atol=1e-5)


def test_only_the_student_trains() -> None:
    teacher = tiny_detector()
    student = swap_activation(teacher).model
    parts = cut(student)
    head = hinted(parts.head, teacher, exchanged(student, teacher))
    assert head.trainable_weights == parts.head.trainable_weights
    assert len(head.weights) == len(parts.head.weights) + 5  # the teacher as far as the last hint
    assert all(weight.trainable for weight in teacher.weights)
