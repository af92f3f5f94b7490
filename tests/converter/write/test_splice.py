"""A changed model in the original's graph: what stays, what is new, and where it is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import converter
from converter.errors import CannotExport
from converter.tflite.edit import Editable
from converter.tflite.model import Graph, Model
from converter.tflite.variants import builtin_only
from converter.write.writer import write
from fixtures.builder import Builder
from parity.inputs.seeded import seeded_inputs
from parity.runners.keras import keras_runner
from parity.runners.litert import LiteRT
from tests import models
from tests.lazy import keras, layers
from tests.networks import assert_agrees, randomized
from tests.spread import assert_within_spread, mapped


def operators(graph: Graph) -> list[tuple[str, tuple[str, ...]]]:
    """Kind and results, in order; sparse constants come back dense."""
    return [(op.kind, tuple(graph.tensors[i].name for i in op.outputs)) for op in graph.ops if op.kind != "DENSIFY"]


@pytest.mark.parametrize("name", models.DETECTORS)
def test_joint_head_is_the_same_graph_with_other_extents(name: str) -> None:
    old = models.original(name)
    new = converter.read(write(old, models.with_classes((name, "joint"))))
    assert operators(new.graph) == operators(old.graph)
    for ends in ("inputs", "outputs"):
        names = [[model.graph.tensors[i].name for i in getattr(model.graph, ends)] for model in (new, old)]
        assert names[0] == names[1]
    assert {key: bytes(data) for key, data in new.metadata.items()} == {k: bytes(d) for k, d in old.metadata.items()}
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


def chain(*, signature: bool = False) -> Model:
    """conv → ReLU (fused) → conv → RELU (apart) → two heads; the constants of both convolutions are one."""
    b, rng = Builder(), np.random.default_rng(0)
    kernel = b.constant(rng.normal(size=(4, 1, 1, 4)).astype(np.float32), "kernel")
    bias = b.constant(rng.normal(size=4).astype(np.float32), "bias")
    options = {"padding": 0, "strideW": 1, "strideH": 1}
    x = b.input((1, 6, 5, 4), "x")
    shape = (1, 6, 5, 4)
    x = b.op("CONV_2D", [x, kernel, bias], [shape], ["first"], fusedActivationFunction=1, **options)[0]
    x = b.op("CONV_2D", [x, kernel, bias], [shape], ["second"], **options)[0]
    x = b.op("RELU", [x], [shape], ["relu"])[0]
    heads = []
    for name, filters in (("left", 3), ("right", 2)):
        weights = [b.constant(rng.normal(size=(filters, 1, 1, 4)).astype(np.float32), f"{name}/kernel")]
        weights.append(b.constant(rng.normal(size=filters).astype(np.float32), f"{name}/bias"))
        heads += b.op("CONV_2D", [x, *weights], [(1, 6, 5, filters)], [name], **options)
    file = b.build(heads)
    if not signature:
        return converter.read(file)
    editable = Editable(memoryview(file))
    names = editable.schema
    made = names.SignatureDefT()
    made.signatureKey, made.subgraphIndex, made.inputs, made.outputs = b"serve", 0, [], []
    for entries, ends in ((made.inputs, b.graph.inputs), (made.outputs, heads)):
        for index in ends:
            entry = names.TensorMapT()
            entry.name, entry.tensorIndex = editable.graph.tensors[index].name, index
            entries.append(entry)
    editable.model.signatureDefs = [made]
    return converter.read(editable.pack())


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
    b, rng = Builder(), np.random.default_rng(0)
    shapes = ((4, 1, 1, 4), (4,))
    kernels = [[b.constant(rng.normal(size=s).astype(np.float32)) for s in shapes] for _ in range(3)]
    x, shape, options = b.input((1, 6, 5, 4), "x"), (1, 6, 5, 4), {"padding": 0, "strideW": 1, "strideH": 1}
    early = b.op("RELU", [x], [shape], ["early"])[0]
    first = b.op("CONV_2D", [early, *kernels[0]], [shape], ["first"], **options)[0]
    late = b.op("CONV_2D", [x, *kernels[1]], [shape], ["late"], **options)[0]
    last = b.op("CONV_2D", [late, *kernels[2]], [shape], ["last"], **options)[0]
    file = converter.read(b.build([first, last]))
    old = converter.convert(file)
    early, first, late, last = map(old.get_layer, ("early", "first", "late", "last"))
    moved = again(first, layers.Add()([early.output, layers.ReLU(name="new")(late.output)]))
    model = keras.Model(old.inputs, [moved, last.output])
    data = write(file, model)
    assert [op.kind for op in converter.read(data).graph.ops] == ["RELU", "CONV_2D", "RELU", "ADD", *["CONV_2D"] * 2]
    assert_agrees(data, model)


def test_a_layer_that_stays_but_reads_what_no_tensor_holds() -> None:
    """The sum of a fused ReLU's result becomes the sum of what is before the ReLU."""
    b, rng = Builder(), np.random.default_rng(0)
    x, shape, options = b.input((1, 6, 5, 4), "x"), (1, 6, 5, 4), {"padding": 0, "strideW": 1, "strideH": 1}
    weights = [[b.constant(rng.normal(size=s).astype(np.float32)) for s in ((4, 1, 1, 4), (4,))] for _ in range(3)]
    first = b.op("CONV_2D", [x, *weights[0]], [shape], ["first"], fusedActivationFunction=1, **options)[0]
    other = b.op("CONV_2D", [x, *weights[1]], [shape], ["other"], **options)[0]
    total = b.op("ADD", [first, other], [shape], ["sum"])[0]
    last = b.op("CONV_2D", [first, *weights[2]], [shape], ["last"], **options)[0]
    file = converter.read(b.build([total, last]))
    old = converter.convert(file)
    bare = layers.Conv2D(4, 1, name="bare")
    before = bare(old.inputs[0])
    bare.set_weights(old.get_layer("first").get_weights())
    new = head("new", 4)(layers.Activation("tanh")(old.get_layer("other").output))
    end = again(old.get_layer("last"), layers.ReLU()(before))
    model = keras.Model(old.inputs, [layers.Add(name="sum")([before, new]), end])
    assert_agrees(write(file, model, allow_changes=True), model)


def test_file_that_takes_several_inputs_at_a_time() -> None:
    b = Builder()
    x = b.input((4, 6, 5, 3), "x")
    file = converter.read(b.build([b.op("RELU", [x], [(4, 6, 5, 3)], ["relu"])[0]]))
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
    file = chain(signature=True)
    model = changed(file, lambda x, old: [old["left"].output, old["right"].output, head("third")(x)])
    (signature,) = converter.read(write(file, model)).signatures
    assert (signature.key, list(signature.inputs), list(signature.outputs)) == (
        "serve",
        ["x"],
        ["left", "right", "third"],
    )


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
