"""Several runs of a Keras model as one batch: the same as one after the other, also where a layer mixes its batch."""

from typing import Any

import numpy as np

from parity.candidates.candidate import run_all
from parity.candidates.keras import KerasCandidate
from tests.tools.lazy import keras, layers, odd_layers


def a_model(*behind: Any) -> Any:
    x = inputs = keras.Input((8, 8, 3))
    for layer in (layers.Conv2D(4, 3, padding="same", activation="relu"), *behind, layers.Conv2D(2, 1)):
        x = layer(x)
    return keras.Model(inputs, x)


def check(model: Any) -> None:
    """Two inputs, each as it is and with one value given, at once and one after the other."""
    candidate, rng = KerasCandidate(model), np.random.default_rng(0)
    value = candidate.network.nodes[0].outputs[0]
    given = [
        ([rng.random((1, 8, 8, 3), np.float32)], {value: rng.random((1, 8, 8, 4), np.float32)} if is_fed else {})
        for is_fed in (False, True)
        for _ in range(2)
    ]
    for together, run in zip(run_all(candidate, given), given, strict=True):
        alone = candidate.run(*run)
        assert set(together) == set(alone)
        for each in alone:
            np.testing.assert_allclose(together[each], alone[each], rtol=0, atol=2e-6)


def test_runs_at_once_are_what_they_are_one_by_one() -> None:
    check(a_model(layers.DepthwiseConv2D(3, padding="same"), layers.PReLU(shared_axes=[1, 2])))


def test_layer_of_ones_own_is_not_run_on_a_batch() -> None:
    check(a_model(odd_layers.MeanOfBatch()))
