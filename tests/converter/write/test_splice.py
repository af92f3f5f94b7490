"""A changed model in the original's graph: what stays, what is new, and where it is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import converter
from converter.errors import CannotExport
from converter.tflite.model import Model
from converter.tflite.variants import builtin_only
from converter.write.writer import write
from fixtures.builder import Builder, one, signature
from parity.inputs import seeded_inputs
from parity.runners.runtimes import LiteRT, keras_runner
from tests.tools import models
from tests.tools.files import frame, operators
from tests.tools.lazy import keras, layers
from tests.tools.networks import assert_agrees, randomized
from tests.tools.spread import assert_within_spread, mapped


@pytest.mark.parametrize("name", models.DETECTORS)
def test_joint_head_is_the_same_graph_with_other_extents(name: str) -> None:
    old = models.original(name)
    new = converter.read(write(old, models.with_classes((name, "joint"))))
    assert (operators(new.graph), frame(new)) == (operators(old.graph), frame(old))
    dtypes = [{t.storage.dtype for t in model.graph.constants() if t.storage} for model in (new, old)]
    assert dtypes[0] == dtypes[1]


@pytest.mark.parametrize("name", models.DETECTORS)
def test_gated_head_only_adds(name: str) -> None:
    old = models.original(name)
    new = converter.read(write(old, models.with_classes((name, "gated"))))
    added = operators(new.graph)
    for op in operators(old.graph):
        assert op in added
    own = [op for op in added if op in operators(old.graph)]
    assert own == operators(old.graph)


def test_builtin_only_with_a_new_head() -> None:
    """The palm detector of 2019 has MediaPipe's transposed convolution, and the stock interpreter refuses it."""
    model = models.with_classes((models.PALM_2019, "joint"))
    data = builtin_only(memoryview(write(models.original(models.PALM_2019), model)))
    assert not any(op.is_custom for op in converter.read(data).graph.ops)
    assert_agrees(data, model, seeds=1)
    # Boxes have not changed; the other operator is another graph, which XNNPACK may sum in another order.
    old, keras_model = models.original(models.PALM_2019), models.shared(models.PALM_2019)
    right = [LiteRT(write(old, keras_model), "xnnpack").run, keras_runner(keras_model)]
    new, *right = (mapped(run, lambda made: made[:1]) for run in (LiteRT(data, "xnnpack").run, *right))
    assert_within_spread(new, right, seeded_inputs(old.graph, 1)[:1])


def chain(*, with_signature: bool = False) -> Model:
    """conv → ReLU (fused) → conv → RELU (apart) → two heads; the constants of both convolutions are one."""
    b = Builder()
    kernel, shape = (4, 1, 1, 4), (1, 6, 5, 4)
    start, weights = b.input(shape, "x"), b.weights("", kernel, (4,))
    x = b.conv(start, kernel, "first", weights=weights, fusedActivationFunction=1)
    x = b.op("RELU", [b.conv(x, kernel, "second", weights=weights)], [shape], ["relu"])[0]
    heads = {name: b.conv(x, (filters, 1, 1, 4), name) for name, filters in (("left", 3), ("right", 2))}
    if with_signature:
        b.model.signatureDefs = [signature("serve", {"x": start}, heads)]
    return converter.read(b.build([*heads.values()]))


def changed(file: Model, change: Callable[[Any, dict[str, Any]], Any]) -> Any:
    """The model built by hand, with `change` at its end: it gets the features and the converted model's layers."""
    old = converter.convert(file)
    made = {layer.name: layer for layer in old.layers}
    return keras.Model(old.inputs, change(made["relu"].output, made))


def again(layer: Any, x: Any) -> Any:
    """A copy of a layer, with its weights, on something else."""
    copy = type(layer).from_config(layer.get_config())
    made = copy(x)
    copy.set_weights(layer.get_weights())
    return made


def head(name: str, filters: int = 2, **settings: Any) -> Any:
    return layers.Conv2D(filters, 1, name=name, **settings)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        # a new output, which reads what the file has
        (
            lambda x, old: [old["left"].output, old["right"].output, head("third")(x)],
            ["CONV_2D", "CONV_2D", "RELU", "CONV_2D", "CONV_2D", "CONV_2D"],
        ),
        # a new output that reads what only exists inside an operator
        (
            lambda _, old: [old["left"].output, old["right"].output, head("third")(old["second"].output)],
            ["CONV_2D", "CONV_2D", "CONV_2D", "RELU", "CONV_2D", "CONV_2D"],
        ),
        # a layer more in one branch
        (
            lambda x, old: [old["left"].output, head("right")(head("before", 8, activation="relu")(x))],
            ["CONV_2D", "CONV_2D", "RELU", "CONV_2D", "CONV_2D", "CONV_2D"],
        ),
    ],
)
def test_changes_at_the_end(change: Any, kinds: list[str]) -> None:
    file = chain()
    model = changed(file, change)
    data = write(file, model)
    graph = converter.read(data).graph
    assert [op.kind for op in graph.ops] == kinds
    assert_agrees(data, model)
    names = [graph.tensors[i].name for i in graph.outputs]
    assert names[:2] == ["left", "right"]
    assert len(names) == len(model.outputs)


def test_removed_and_inserted_in_the_middle() -> None:
    """Everything depends on it: it has to be allowed."""
    file = chain()
    old = converter.convert(file)
    x = layers.MaxPooling2D(2, strides=1, padding="same")(old.get_layer("second").output)  # no ReLU, but a pool
    model = keras.Model(old.inputs, [again(old.get_layer(name), x) for name in ("left", "right")])
    with pytest.raises(CannotExport, match="allow_changes=True"):
        write(file, model)
    data = write(file, model, allow_changes=True)
    assert [op.kind for op in converter.read(data).graph.ops] == ["CONV_2D", "CONV_2D", "MAX_POOL_2D", *["CONV_2D"] * 2]
    assert_agrees(data, model)


def test_operators_come_after_what_they_read_now() -> None:
    """A layer that reads what the file computes later moves, and so does what follows it."""
    b, shape, kernel = Builder(), (1, 6, 5, 4), (4, 1, 1, 4)
    x = b.input(shape, "x")
    first = b.conv(b.op("RELU", [x], [shape], ["early"])[0], kernel, "first")
    file = converter.read(b.build([first, b.conv(b.conv(x, kernel, "late"), kernel, "last")]))
    old = converter.convert(file)
    early, late, last = (old.get_layer(name).output for name in ("early", "late", "last"))
    moved = again(old.get_layer("first"), layers.Add()([early, layers.ReLU(name="new")(late)]))
    model = keras.Model(old.inputs, [moved, last])
    data = write(file, model)
    assert [op.kind for op in converter.read(data).graph.ops] == ["RELU", "CONV_2D", "RELU", "ADD", *["CONV_2D"] * 2]
    assert_agrees(data, model)


def test_a_layer_that_stays_but_reads_what_no_tensor_holds() -> None:
    """The sum of a fused ReLU's result becomes the sum of what is before the ReLU."""
    b, shape, kernel = Builder(), (1, 6, 5, 4), (4, 1, 1, 4)
    x = b.input(shape, "x")
    first = b.conv(x, kernel, "first", fusedActivationFunction=1)
    total = b.op("ADD", [first, b.conv(x, kernel, "other")], [shape], ["sum"])[0]
    file = converter.read(b.build([total, b.conv(first, kernel, "last")]))
    old = converter.convert(file)
    bare = layers.Conv2D(4, 1, name="bare")
    before = bare(old.inputs[0])
    bare.set_weights(old.get_layer("first").get_weights())
    new = head("new", 4)(layers.Activation("tanh")(old.get_layer("other").output))
    end = again(old.get_layer("last"), layers.ReLU()(before))
    model = keras.Model(old.inputs, [layers.Add(name="sum")([before, new]), end])
    assert_agrees(write(file, model, allow_changes=True), model)


def padded() -> Model:
    """A ReLU, zeros around it, and two heads that read them."""
    b, shape, kernel = Builder(), (1, 6, 5, 4), (2, 3, 3, 4)
    x = b.op("RELU", [b.input(shape, "x")], [shape], ["relu"])[0]
    pads = b.constant(np.array([[0, 0], [1, 0], [0, 1], [0, 0]], np.int32), "pads")
    x = b.op("PAD", [x, pads], [(1, 7, 6, 4)], ["pad"])[0]

    def conv(name: str) -> int:
        settings = {"padding": 1, "strideW": 1, "strideH": 1}
        return b.op("CONV_2D", [x, *b.weights(name, kernel, (2,))], [(1, 5, 4, 2)], [name], **settings)[0]

    return converter.read(b.build([conv("left"), conv("right")]))


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        # one of the two that read the zeros goes: they stay for the other
        (lambda x, old: [old["left"].output, head("right")(x)], ["RELU", "PAD", "CONV_2D", "CONV_2D"]),
        # another zero for one of them: each its own
        (
            lambda x, old: [old["left"].output, again(old["right"], old["pad"](layers.ReLU(name="new")(x)))],
            ["RELU", "PAD", "CONV_2D", "RELU", "PAD", "CONV_2D"],
        ),
    ],
)
def test_zeros_that_two_read(change: Any, kinds: list[str]) -> None:
    file = padded()
    model = changed(file, change)
    data = write(file, model, allow_changes=True)
    assert sorted(op.kind for op in converter.read(data).graph.ops) == sorted(kinds)
    assert_agrees(data, model)


def test_zeros_that_two_read_are_written_once() -> None:
    model = converter.convert(padded())
    assert [op.kind for op in converter.read(write(None, model)).graph.ops] == ["RELU", "PAD", "CONV_2D", "CONV_2D"]


def test_file_that_takes_several_inputs_at_a_time() -> None:
    file = converter.read(one("RELU", (4, 6, 5, 3), (4, 6, 5, 3), names=["relu"]))
    old = converter.convert(file)
    model = keras.Model(old.inputs, [old.outputs[0], layers.Activation("tanh")(old.outputs[0])])
    with pytest.raises(CannotExport, match="takes 4 inputs at a time"):
        write(file, model)


def test_constants_that_two_layers_shared_part() -> None:
    file = chain()
    model = changed(file, lambda x, old: [old["left"].output, head("right", 5)(x)])
    model.get_layer("second").set_weights([w + 1 for w in model.get_layer("second").get_weights()])
    assert_agrees(write(file, model), model)


def test_constants_that_two_replaced_layers_shared_part() -> None:
    file = chain()
    old = converter.convert(file)
    x = old.inputs[0]
    for name in ("first", "second"):  # both read the same kernel in the file; now they differ, and in size
        x = layers.Conv2D(4, 3, padding="same", name=name)(x)
    ends = [again(old.get_layer(name), layers.ReLU()(x)) for name in ("left", "right")]
    model = randomized(keras.Model(old.inputs, ends))
    assert_agrees(write(file, model, allow_changes=True), model)


def test_signature_gets_the_new_output() -> None:
    file = chain(with_signature=True)
    model = changed(file, lambda x, old: [old["left"].output, old["right"].output, head("third")(x)])
    (made,) = converter.read(write(file, model)).signatures
    assert (made.key, [*made.inputs], [*made.outputs]) == ("serve", ["x"], ["left", "right", "third"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _, old: old["left"].output, "right"),
        (lambda _, old: [old["right"].output, old["left"].output], "left in another place"),
        (lambda x, old: [old["left"].output, layers.Activation("mish")(x)], "activation mish"),
    ],
)
def test_what_cannot_be_written(change: Any, message: str) -> None:
    file = chain()
    with pytest.raises(CannotExport, match=message):
        write(file, changed(file, change))
