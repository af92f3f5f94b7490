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


def test_nothing_else_passes_for_it() -> None:
    """Neither another window, nor as many channels that are mixed."""
    for file, model in (
        (file_of("CONV_2D", (6, 3, 3, 4)), model_of(dense)),
        (depthwise(), model_of(lambda **given: layers.Dense(4, **given))),
        (depthwise(), model_of(lambda **given: layers.Conv2D(4, (3, 2), groups=2, padding="same", **given))),
    ):
        outcome = parity.layers(file, model)
        assert not outcome.ok
        assert outcome.findings


def test_one_variable_stays_one_however_it_is_seen() -> None:
    """One layer over a picture and over its mean: its two nodes are of two kinds, and share their weights."""
    inputs, layer = keras.Input(SHAPE), layers.Dense(6, name="both")
    means = layer(layers.GlobalAveragePooling2D()(inputs))
    traced = keras_network(keras.Model(inputs, [layer(inputs), means]))
    nodes = {node.kind: node for node in traced.network.nodes if node.weights}
    seen = {kind: node.weights["kernel"] for kind, node in nodes.items()}
    assert {kind: slot.shape for kind, slot in seen.items()} == {"conv": (1, 1, 4, 6), "dense": (4, 6)}
    assert len({*seen.values(), *traced.slots}) == 2  # kernel and bias


def siblings() -> tuple[Model, Any]:
    """Two 1×1 convolutions that nothing tells apart in the model, where they are dense layers."""
    b = Builder()
    x = b.input((1, *SHAPE))
    both = [b.conv(x, (6, 1, 1, 4), name) for name in ("left", "right")]
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, layers.Add()([layers.Dense(6, name=name)(inputs) for name in ("a", "b")]))
    return converter.read(b.build(b.op("ADD", both, [(1, *SHAPE[:2], 6)], ["sum"]))), model


def test_rows_pair_them() -> None:
    file, model = siblings()
    (first, _) = plan_for(model, file).starter
    assert (first.name, first.nearest) == ("left/Kernel", ("a/kernel", "b/kernel"))
    for layout in (None, "ohwi->hwio"):
        transfer(plan_for(model, file, overrides=[Override("right/Kernel", "a/kernel", "a test", layout)]))
        assert_agrees(file, model)
    right = converter.convert(file).get_layer("right").kernel
    np.testing.assert_array_equal(model.get_layer("a").kernel, np.reshape(right, (4, 6)))


def test_rows_know_the_variable_s_own_shape() -> None:
    file, model = siblings()
    transfer(plan_for(model, file, overrides=[Override("left/Kernel", "a/kernel", "a test", "reshaped")]))
    stored = np.reshape(converter.convert(file).get_layer("left").kernel, (4, 6)).T  # as the file has it
    np.testing.assert_array_equal(model.get_layer("a").kernel, stored.reshape(4, 6))
    inputs = keras.Input(SHAPE)
    other = keras.Model(inputs, layers.Dense(5, name="a")(inputs))
    with pytest.raises(BadOverride, match=r"the tensor has shape \(6, 1, 1, 4\), the variable \(4, 5\)"):
        plan_for(other, file, overrides=[Override("left/Kernel", "a/kernel", "a test")])


def test_what_is_left_over_has_its_own_shape() -> None:
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, layers.Dense(5, name="step")(inputs))
    assert "step/kernel (4, 5)" in {str(each).partition(";")[0] for each in plan_for(model, pointwise()).unfed}


def test_written_in_the_cheapest_form() -> None:
    """A new file has the operators that runtimes are fast with, whatever the layers are called."""
    for form, expected in ((dense, "CONV_2D"), (in_groups(2), "DEPTHWISE_CONV_2D")):
        graph = converter.read(write(None, model_of(form))).graph
        assert [kind for kind, _ in operators(graph)] == [expected]
