"""Which layers train."""

import numpy as np
import pytest

from tests.tools.lazy import keras, layers
from unlite.training.lessons.freezing import everything, trained
from unlite.training.lessons.parts import cut

pytestmark = pytest.mark.one_setting


def test_everything_but_constants_and_statistics() -> None:
    from converter.layers.shaping import Offset, Scale

    x = inputs = keras.Input((4, 4, 3), name="x")
    x = Scale((1,), trainable=False, name="to_bytes")(x)
    x = layers.Conv2D(2, 1, name="conv", trainable=False)(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = Offset((1, 1, 2), trainable=False, name="shift")(x)
    model = keras.Model(inputs, x)
    before = [layer.trainable for layer in model.layers]
    with trained(model, everything):
        assert {layer.name for layer in model.layers if layer.trainable_weights} == {"conv", "shift"}
        parts = cut(model)
    assert [layer.trainable for layer in model.layers] == before
    assert {weight.path.split("/")[0] for weight in parts.head.trainable_weights} == {"conv", "shift"}
    assert len(parts.body.layers) == 2  # the unit conversion runs once for each picture


def test_without_a_body_the_head_takes_the_input() -> None:
    inputs = keras.Input((2, 2, 3))
    parts = cut(keras.Model(inputs, layers.Conv2D(1, 1)(inputs)))
    x = np.ones((1, 2, 2, 3), np.float32)
    assert parts.body is None
    np.testing.assert_array_equal(parts.run_body()([x])[0], x)
