"""Static differences: one sentence each, with the layer's name and both values; silence where there are none."""

import re
from typing import Any

import numpy as np
import pytest

import converter
from converter.match.audit import audit
from fixtures.builder import Builder
from tests.tools.faults import SETTINGS
from tests.tools.lazy import architectures, faults, keras, layers
from tests.tools.networks import TRANSFERS, original, plan_for, transferred

pytestmark = pytest.mark.one_setting


def messages(model: Any, file: Any) -> list[str]:
    plan = plan_for(model, file)
    return [finding.message for finding in audit(plan.ours, plan.candidate.network, plan.matching)]


def a_file() -> bytes:
    """Dilated and depth-multiplying convolutions, PReLU, pooling, padding, resizing, concatenation, reshape."""
    b = Builder()
    x = b.conv(b.input((1, 8, 8, 2)), (4, 3, 3, 2), "first", dilationWFactor=2, dilationHFactor=2)
    x = b.op("PRELU", [x, *b.weights("slope", (1, 1, 4))], [(1, 8, 8, 4)], ["slope"])[0]
    strided = {"padding": 0, "strideW": 2, "strideH": 2}
    wide = b.weights("deep", (1, 3, 3, 8), (8,))
    y = b.op("DEPTHWISE_CONV_2D", [x, *wide], [(1, 4, 4, 8)], ["deep"], depthMultiplier=2, **strided)[0]
    z = b.op("MAX_POOL_2D", [x], [(1, 4, 4, 4)], ["pool"], filterWidth=2, filterHeight=2, **strided)[0]
    pads = b.constant(np.array([[0, 0], [0, 0], [0, 0], [0, 4]], np.int32), "pads")
    z = b.op("PAD", [z, pads], [(1, 4, 4, 8)], ["pad"])[0]
    x = b.op("RELU", b.op("ADD", [z, y], [(1, 4, 4, 8)], ["sum"]), [(1, 4, 4, 8)], ["relu"])[0]
    size = b.constant(np.array([8, 8], np.int32), "size")
    up = b.op("RESIZE_BILINEAR", [x, size], [(1, 8, 8, 8)], ["up"], halfPixelCenters=True)[0]
    low = b.op("RESHAPE", [x], [(1, 16, 8)], ["low"], newShape=[1, 16, 8])[0]
    high = b.op("RESHAPE", [up], [(1, 64, 8)], ["high"], newShape=[1, 64, 8])[0]
    return b.build([*b.op("CONCATENATION", [high, low], [(1, 80, 8)], ["all"], axis=1), low])


def a_model(  # noqa: PLR0913 - a setting for every finding
    *,
    dilation: int = 2,
    shared: tuple[int, ...] = (1, 2),
    strides: int = 2,
    pool: str = "MaxPooling2D",
    window: int = 2,
    pads: tuple[int, int] = (0, 4),
    activation: str | None = "relu",
    interpolation: str = "bilinear",
    order: int = 1,
    residual: bool = True,
    swapped: bool = False,
    scaled: bool = False,
    size: int = 8,
) -> Any:
    inputs = keras.Input((size, size, 2), name="picture")
    x = layers.Rescaling(2.0, -1.0, name="scale")(inputs) if scaled else inputs
    x = layers.Conv2D(4, 3, padding="same", dilation_rate=dilation, name="first")(x)
    before = x
    x = layers.PReLU(shared_axes=shared, name="slope")(x)
    y = layers.DepthwiseConv2D(3, strides=strides, padding="same", depth_multiplier=2, name="deep")(x)
    z = getattr(layers, pool)(window, strides=strides, padding="same", name="pool")(x if residual else before)
    z = keras.ops.pad(z, [[0, 0], [0, 0], [0, 0], list(pads)])
    x = layers.Add(name="sum")([z, y])
    x = layers.Activation(activation, name="relu")(x) if activation else x
    up = layers.UpSampling2D(2, interpolation=interpolation, name="up")(x)
    low, high = (layers.Reshape((-1, 8), name=name)(value) for name, value in (("low", x), ("high", up)))
    every = layers.Concatenate(axis=1, name="all")([high, low][::order])
    return keras.Model(inputs, [low, every] if swapped else [every, low])


def test_no_findings_where_all_is_the_same() -> None:
    assert messages(a_model(), converter.read(a_file())) == []


@pytest.mark.parametrize("name", TRANSFERS)
def test_no_findings_on_the_hand_written_models(name: str) -> None:
    assert messages(getattr(architectures, name)(), original(name)) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 5}, "pool: pool_size is (5, 5), the file has (2, 2)"),
        ({"pool": "AveragePooling2D"}, "pool: it is an average pool, the file has a max pool"),
        ({"dilation": 1}, "first: dilation_rate is (1, 1), the file has (2, 2)"),
        ({"strides": 1}, "deep: strides is (1, 1), the file has (2, 2)"),
        ({"shared": (2, 3)}, "slope: alpha has shape (8, 1, 1), the file has (1, 1, 4)"),
        ({"pads": (4, 0)}, "pad: paddings is ((0, 0), (0, 0), (4, 0)), the file has ((0, 0), (0, 0), (0, 4))"),
        ({"activation": "tanh"}, "relu: function is tanh, the file has relu"),
        ({"activation": None}, "relu: the model has no relu after sum, which up reads in its place"),
        ({"interpolation": "nearest"}, "up: interpolation is nearest, the file has bilinear"),
        ({"order": -1}, "all: its operands are low, high; the file has high, low"),
        ({"residual": False}, "pool: its operand is first; the file has slope"),
        ({"swapped": True}, "output 0: it is the file's output 1 (low)"),
        ({"scaled": True}, "scale: the file has no Rescaling here"),
        ({"size": 16}, "picture: the input has shape (16, 16, 2), the file's input has (8, 8, 2)"),
    ],
)
def test_difference_is_said(settings: dict[str, Any], message: str) -> None:
    found = messages(a_model(**settings), converter.read(a_file()))
    # What `keras.ops` makes, Keras numbers from model to model.
    assert message in [re.sub(r"^pad_\d+:", "pad:", line) for line in found], found


def test_padding_on_the_wrong_side_is_said_in_pixels() -> None:
    b, inputs = Builder(), keras.Input((8, 8, 2))
    file = converter.read(b.build([b.conv(b.input((1, 8, 8, 2)), (4, 3, 3, 2), "conv", stride=2)]))
    padded = layers.ZeroPadding2D(((1, 0), (1, 0)))(inputs)
    model = keras.Model(inputs, layers.Conv2D(4, 3, strides=2, name="conv")(padded))
    assert messages(model, file) == [
        "conv: padding is ((1, 0), (1, 0)), the file has ((0, 1), (0, 1)) pixels (top, bottom), (left, right)"
    ]


@pytest.mark.parametrize("fault", SETTINGS)
def test_audit_knows_every_fault_that_is_no_weight(fault: str) -> None:
    model, plan = transferred("palm_192")
    mutant = next(mutant for mutant in faults.mutants(model) if mutant.fault == fault)
    found = messages(mutant.build(), original("palm_192"))
    ours = {pair.ours.name for pair in plan.matching.pairs() if set(pair.theirs.layers) & set(mutant.layers)}
    named = mutant.layers + tuple(ours)
    # As a whole word: conv2d_1 is not conv2d_12.
    assert any(re.search(rf"\b{re.escape(name)}\b", line) for line in found for name in named), (mutant, found)
