"""Classes on a model's own features: what trains, what does not, and what has no such features."""

from typing import Any

import numpy as np
import pytest

import converter
from converter.errors import BadHead
from converter.surgery.region import classifier_on_features
from converter.write.writer import write
from parity.runners.runtimes import keras_runner
from tests.tools import models
from tests.tools.lazy import keras, layers
from tests.tools.networks import assert_agrees, randomized
from tests.tools.spread import assert_bit_equal


def small(ends: Any = lambda x: [layers.Dense(6, name="landmarks")(x), layers.Dense(1)(x)]) -> Any:
    """What ends as MediaPipe's hand landmark models do: the mean of features, and layers that read it."""
    inputs = keras.Input((8, 8, 3), name="picture")
    x = layers.Conv2D(5, 3, strides=2, activation="relu", name="features")(inputs)
    return randomized(keras.Model(inputs, ends(layers.GlobalAveragePooling2D(name="mean")(x)), name="hands"))


def presence(x: Any) -> list[Any]:
    return [layers.Identity()(layers.Dense(6)(x)), layers.Activation("sigmoid")(layers.Dense(1)(x))]


@pytest.mark.parametrize(("hidden", "new"), [(7, 2), (0, 1)])
@pytest.mark.parametrize("ends", [None, presence])
def test_only_the_new_layers_train(ends: Any, hidden: int, new: int) -> None:
    model = small(ends) if ends else small()
    before = [w.copy() for w in model.get_weights()]
    made = classifier_on_features(model, 4, hidden)
    assert made.output_shape == (None, 4)
    assert len(made.trainable_variables) == 2 * new
    assert all("class" in variable.path for variable in made.trainable_variables)
    assert_bit_equal(made.get_layer("features").get_weights(), before[:2])
    x = np.random.default_rng(0).uniform(0, 1, (1, 8, 8, 3)).astype(np.float32)
    assert not keras_runner(made)([x])[0].any()  # every class equally likely
    for variable in made.trainable_variables:
        variable.assign(np.ones(variable.shape))
    assert_bit_equal(model.get_weights(), before)
    mean = keras_runner(keras.Model(model.input, model.get_layer("mean").output))([x])[0].sum()
    expected = hidden * (mean + 1) + 1 if hidden else mean + 1
    np.testing.assert_allclose(keras_runner(made)([x])[0], [[expected] * 4], rtol=1e-5)


def test_learns_and_is_written(tmp_path: Any) -> None:
    made = classifier_on_features(small(), 3, 8)
    made.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    made.fit(rng.uniform(0, 1, (8, 8, 8, 3)), rng.uniform(0, 1, (8, 3)), epochs=2, verbose=0)
    assert_agrees(write(None, made), made)
    converter.save(made, tmp_path / "made.keras")
    x = rng.uniform(0, 1, (1, 8, 8, 3)).astype(np.float32)
    assert_bit_equal(keras_runner(converter.load(tmp_path / "made.keras"))([x]), keras_runner(made)([x]))


@pytest.mark.parametrize(("name", "channels"), [("hand_landmark_lite", 672), ("hand_landmark_full", 1152)])
def test_features_of_hands(name: str, channels: int) -> None:
    made = classifier_on_features(models.shared(name), 11)
    assert made.get_layer("class_features").kernel.shape == (channels, 256)
    assert made.output_shape == (None, 11)


@pytest.mark.parametrize(
    ("model", "n", "message"),
    [
        (lambda: models.shared("palm_detection_full"), 3, "no fully connected layer gives the outputs"),
        (lambda: small(lambda x: [layers.Dense(2)(x), layers.Dense(2)(layers.ReLU()(x))]), 3, "has 2 tensors"),
        (lambda: small(lambda x: layers.Dense(2)(layers.Reshape((1, 5))(x))), 3, "expected one"),
        (lambda: small(lambda x: layers.Identity()(x)), 3, "global_average|mean"),
        (small, 0, "0 classes on 256 hidden units"),
    ],
)
def test_what_has_no_such_features(model: Any, n: int, message: str) -> None:
    with pytest.raises(BadHead, match=message):
        classifier_on_features(model(), n)
