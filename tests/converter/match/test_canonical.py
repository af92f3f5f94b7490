"""Several ways to write the same model in Keras: all of them match, transfer, and compute the same."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import converter
import parity
from converter.match.audit import audit
from converter.match.trace import keras_network
from converter.match.transfer import transfer
from fixtures.builder import Builder
from tests.tools.lazy import keras, layers, odd_layers
from tests.tools.networks import plan_for, randomized


def a_file() -> bytes:
    """Strided convolution with ReLU, depthwise and 1×1 convolution with ReLU6, resizing, an addition."""
    b = Builder()
    x = b.conv(b.input((1, 9, 7, 3)), (4, 3, 3, 3), "stem", stride=2, fusedActivationFunction=1)
    weights = [*b.weights("deep", (1, 3, 3, 4)), b.constant(np.zeros(4, np.float32), "zeros")]
    options = {"padding": 0, "strideW": 1, "strideH": 1, "depthMultiplier": 1}
    y = b.op("DEPTHWISE_CONV_2D", [x, *weights], [(1, 5, 4, 4)], ["deep"], **options)[0]
    y = b.conv(y, (4, 1, 1, 4), "point", fusedActivationFunction=3)
    y = b.op("ADD", [x, y], [(1, 5, 4, 4)], ["sum"])[0]
    size = b.constant(np.array([10, 8], np.int32), "size")
    return b.build(b.op("RESIZE_BILINEAR", [y, size], [(1, 10, 8, 4)], ["up"], halfPixelCenters=True))


def plain_model(x: Any) -> Any:
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.Conv2D(4, 1, activation="relu6")(y)
    return layers.UpSampling2D(2, interpolation="bilinear")(layers.Add()([x, y]))


def layer_by_layer(x: Any) -> Any:
    """Padding, activations and the separable convolution each in another way."""
    x = layers.Conv2D(4, 3, strides=2)(layers.ZeroPadding2D(((1, 1), (1, 1)))(x))
    x = layers.Dropout(0.5)(layers.Activation("relu")(x))
    y = layers.SeparableConv2D(4, 3, padding="same", activation=keras.activations.relu6)(x)
    return layers.Resizing(10, 8)(x + y)


def normalized(x: Any) -> Any:
    """With batch normalization, and ReLU6 as a layer."""
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x)))
    y = layers.BatchNormalization(scale=False)(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
    y = layers.ReLU(max_value=6.0)(layers.BatchNormalization(epsilon=1e-5)(layers.Conv2D(4, 1)(y)))
    return layers.UpSampling2D(2, interpolation="bilinear")(keras.ops.add(x, y))


def nested(x: Any) -> Any:
    """Sequential blocks, a model within the model, a layer that holds layers."""
    inner = keras.Input((9, 7, 3))
    stem = keras.Sequential([keras.Input((9, 7, 3)), layers.Conv2D(4, 3, strides=2, padding="same"), layers.ReLU()])
    backbone = keras.Model(inner, stem(inner))
    return layers.UpSampling2D(2, interpolation="bilinear")(odd_layers.Residual()(backbone(x)))


WAYS = [plain_model, layer_by_layer, normalized, nested]


@pytest.mark.parametrize("write", WAYS)
def test_every_way_transfers_and_agrees(write: Callable[[Any], Any]) -> None:
    inputs = keras.Input((9, 7, 3))
    model = randomized(keras.Model(inputs, write(inputs)))
    file = converter.read(a_file())
    plan = plan_for(model, file)
    transfer(plan)
    assert [finding.message for finding in audit(plan.ours, plan.candidate.network, plan.matching)] == []
    outcome = parity.layers(file, model)
    assert outcome.ok, outcome.guilty
    assert len(outcome.layers) == 7  # with what lies before the two fused activations


def test_subclassed_model_transfers_and_agrees() -> None:
    model = odd_layers.Whole()
    model.build((None, 9, 7, 3))
    file = converter.read(a_file())
    transfer(plan_for(randomized(model), file))
    outcome = parity.layers(file, model)
    assert outcome.ok, outcome.guilty


def test_layers_in_what_cannot_be_entered_are_known_by_name() -> None:
    inputs = keras.Input((8, 8, 3))
    network = keras_network(keras.Model(inputs, odd_layers.Opaque(name="block")(inputs))).network
    assert [(node.name, node.kind) for node in network.nodes] == [("block", "tests.tools.odd_layers.Opaque")]
    assert [(node.name, node.kind) for node in network.loose] == [("block/point", "conv")]
    assert set(network.loose[0].weights) == {"kernel", "bias"}


def test_tracing_leaves_the_model_as_it_was() -> None:
    inputs = keras.Input((9, 7, 3))
    model = keras.Model(inputs, nested(inputs))
    x = np.ones((1, 9, 7, 3), np.float32)
    before = keras.ops.convert_to_numpy(model(x))
    names = [layer.name for layer in model.layers]
    keras_network(model)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(x)), before)
    assert [layer.name for layer in model.layers] == names
