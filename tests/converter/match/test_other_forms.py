"""A layer that has its kernel under another shape than the file's operator: it is the same step all the same."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import converter
import parity
from converter.errors import BadOverride
from converter.match.overrides import Override
from converter.match.trace import keras_network
from converter.match.transfer import transfer
from converter.ops import KINDS
from converter.tflite.model import Model
from converter.write.writer import write
from fixtures.builder import Builder
from tests.tools.files import operators
from tests.tools.lazy import keras, layers
from tests.tools.networks import assert_agrees, assert_same, plan_for, randomized

# A layer, which gets `name` and `use_bias`.
Form = Callable[..., Any]
SHAPE = (7, 5, 4)  # every extent differs


def file_of(kind: str, kernel: Sequence[int], *, has_bias: bool = True, **options: Any) -> Model:
    """One operator, `step`, that keeps a picture's size, and ReLU. LiteRT's convolutions want a bias: zeros, then."""
    b = Builder()
    x, channels = b.input((1, *SHAPE)), kernel[0] if kind != "DEPTHWISE_CONV_2D" else kernel[3]
    weights = b.weights("step", kernel, (channels,)) if has_bias else b.weights("step", kernel)
    if kind != "FULLY_CONNECTED" and not has_bias:
        weights.append(b.constant(np.zeros(channels, np.float32), "zeros"))
    settings = {} if kind == "FULLY_CONNECTED" else {"padding": 0, "strideW": 1, "strideH": 1}
    made = b.op(kind, [x, *weights], [(1, *SHAPE[:2], channels)], ["step"], **settings, **options)
    return converter.read(b.build(b.op("RELU", made, [(1, *SHAPE[:2], channels)], ["relu"])))


def pointwise(*, has_bias: bool = True) -> Model:
    return file_of("CONV_2D", (6, 1, 1, 4), has_bias=has_bias)


def matrix(*, has_bias: bool = True) -> Model:
    return file_of("FULLY_CONNECTED", (6, 4), has_bias=has_bias, keepNumDims=True)


def depthwise(multiplier: int = 1, *, has_bias: bool = True) -> Model:
    return file_of("DEPTHWISE_CONV_2D", (1, 3, 2, 4 * multiplier), has_bias=has_bias, depthMultiplier=multiplier)


def grouped(multiplier: int = 1, *, has_bias: bool = True) -> Model:
    return file_of("CONV_2D", (4 * multiplier, 3, 2, 1), has_bias=has_bias)


def dense(**settings: Any) -> Any:
    return layers.Dense(6, **settings)


def conv(**settings: Any) -> Any:
    return layers.Conv2D(6, 1, **settings)


def in_groups(multiplier: int = 1) -> Form:
    return lambda **settings: layers.Conv2D(4 * multiplier, (3, 2), padding="same", groups=4, **settings)


def by_channel(multiplier: int = 1) -> Form:
    return lambda **settings: layers.DepthwiseConv2D((3, 2), padding="same", depth_multiplier=multiplier, **settings)


FORMS = {
    "dense for a convolution": (pointwise, dense),
    "dense for a matrix": (matrix, dense),
    "convolution for a matrix": (matrix, conv),
    **{
        f"{name} with multiplier {m}": (lambda m=m, file=file, **given: file(m, **given), form(m))
        for m in (1, 2, 3)
        for name, file, form in (
            ("groups for depthwise", depthwise, in_groups),
            ("groups for groups", grouped, in_groups),
            ("depthwise for groups", grouped, by_channel),
        )
    },
}


def model_of(form: Form, *, use_bias: bool = True, is_normalized: bool = False, name: str = "step") -> Any:
    inputs = keras.Input(SHAPE)
    x = form(use_bias=use_bias, name=name)(inputs)
    if is_normalized:
        x = layers.BatchNormalization(epsilon=0.01, name="norm")(x)
    return randomized(keras.Model(inputs, layers.ReLU()(x)))


@pytest.mark.parametrize(
    ("has_bias", "settings"),
    [
        (True, {}),
        (False, {"use_bias": False}),
        (True, {"use_bias": False, "is_normalized": True}),
        (True, {"is_normalized": True}),
    ],
    ids=["bias", "no bias", "batch norm", "bias and batch norm"],
)
@pytest.mark.parametrize("name", FORMS)
def test_transfers_and_comes_back(name: str, has_bias: bool, settings: dict[str, Any]) -> None:  # noqa: FBT001
    make_file, form = FORMS[name]
    file, model = make_file(has_bias=has_bias), model_of(form, **settings)
    transfer(plan_for(model, file))
    assert_agrees(file, model)
    assert_same(parity.layers(file, model))
    # Into the file again, where the very same weights lie; with others; and without the file.
    assert write(file, model) == file.data
    assert_agrees(write(file, randomized(model, seed=1)), model)
    anew = converter.read(write(None, model))
    assert_agrees(anew, model)
    assert_same(parity.layers(anew, model))
