"""Keras models that are compiled from a certain call on."""

from typing import Any

import numpy as np
import pytest

from parity.runners.runtimes import keras_runner
from tests.tools.lazy import keras

pytestmark = pytest.mark.one_setting


def counting() -> Any:
    """A layer that doubles, and knows how often Python was asked to."""

    class Counting(keras.layers.Layer):  # type: ignore[misc, name-defined]
        calls = 0

        def call(self, x: Any) -> Any:
            self.calls += 1
            return x * 2

    return Counting()


@pytest.mark.parametrize("eager", [None, 0, 2])
def test_compiled_after_so_many_calls(eager: int | None) -> None:
    layer = counting()
    model = keras.Sequential([keras.Input((3,)), layer])
    run, before = keras_runner(model, eager), layer.calls
    values = [run([np.full((1, 3), number, np.float32)])[0] for number in range(6)]
    np.testing.assert_array_equal(values, [[[2 * number] * 3] for number in range(6)])
    # JAX compiles at once; what is compiled asks Python once more.
    expected = {"jax": 1, "tensorflow": 6 if eager is None else eager + 1}.get(keras.backend.backend(), 6)
    assert layer.calls - before == expected
