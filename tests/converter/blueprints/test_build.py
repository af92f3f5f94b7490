"""What cannot become a Keras model is refused by name, before Keras is imported; what can keeps its meaning."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import converter
from converter.blueprints.summary import summarize
from converter.errors import MalformedModel, UnliteError, UnsupportedModel, UnsupportedOp
from fixtures.builder import Builder, one

pytestmark = pytest.mark.one_setting

HALF = np.zeros((1, 4), np.float16)


def zeros(*shape: int) -> Any:
    """A float32 constant."""
    return np.zeros(shape, np.float32)


def int8_kernel() -> bytes:
    """Dynamic-range quantization: float activations, int8 weights."""
    graph = Builder()
    operands = [graph.input((1, 6)), graph.constant(np.ones((4, 6), np.int8))]
    graph.quantize(operands[1], [0.01], [0])
    return graph.build(graph.op("FULLY_CONNECTED", operands, [(1, 4)]))


def state() -> bytes:
    """An op that reads a variable."""
    graph = Builder()
    operands = [graph.input((1, 4)), graph.tensor((1, 4))]
    graph.graph.tensors[operands[1]].isVariable = True
    return graph.build(graph.op("ADD", operands, [(1, 4)]))


def constant_output() -> bytes:
    """An output that only looks computed."""
    graph = Builder()
    relu = graph.op("RELU", [graph.input((1, 4))], [(1, 4)])
    return graph.build([*relu, *graph.op("DEQUANTIZE", [graph.constant(HALF)], [(1, 4)])])


def no_outputs() -> bytes:
    """Nothing to compute."""
    graph = Builder()
    graph.op("RELU", [graph.input((1, 4))], [(1, 4)])
    return graph.build([])


def input_twice() -> bytes:
    """One tensor, two inputs."""
    graph = Builder()
    x = graph.input((1, 4))
    graph.graph.inputs.append(x)
    return graph.build(graph.op("RELU", [x], [(1, 4)]))


def constant_input() -> bytes:
    """An input with a value of its own."""
    graph = Builder()
    x = graph.constant(zeros(1, 4))
    graph.graph.inputs = [x]
    return graph.build(graph.op("RELU", [x], [(1, 4)]))


def free_size() -> bytes:
    """An input size that the exporter left open."""
    graph = Builder()
    x = graph.input((1, 1, 1, 3))
    graph.graph.tensors[x].shapeSignature = [-1, -1, -1, 3]
    return graph.build(graph.op("RELU", [x], [(1, 1, 1, 3)]))


def other_batches() -> bytes:
    """A broadcast along the batch."""
    graph = Builder()
    operands = [graph.input((2, 3), "a"), graph.input((1, 3), "b")]
    return graph.build(graph.op("ADD", operands, [(2, 3)]))


REFUSED: dict[str, tuple[Callable[[], bytes], type[UnliteError], str]] = {
    "int8 kernel": (int8_kernel, UnsupportedOp, "is INT8"),
    "fp16 constant": (lambda: one("ADD", (1, 4), (1, 4), HALF[0]), UnsupportedOp, "is FLOAT16"),
    "int32 constant": (lambda: one("ADD", (1, 4), (1, 4), np.zeros(4, np.int32)), UnsupportedOp, "has to be float32"),
    "alpha of higher rank": (lambda: one("PRELU", (1, 5), (1, 5), zeros(1, 1, 5)), UnsupportedOp, "has more axes"),
    "alpha too short": (lambda: one("PRELU", (1, 5), (1, 5), zeros(4)), UnsupportedOp, "does not fit"),
    "constant along the batch": (
        lambda: one("ADD", (1, 4), (3, 4), zeros(3, 4)),
        UnsupportedOp,
        "along the batch axis",
    ),
    "odd paddings": (lambda: one("PAD", (1, 4), (1, 4), np.zeros(3, np.int32)), MalformedModel, "paddings"),
    "reshape to another size": (lambda: one("RESHAPE", (1, 6), (1, 7)), MalformedModel, "reshapes"),
    "reshape without batch": (lambda: one("RESHAPE", (1, 6), (6,)), UnsupportedOp, "mixes the batch axis"),
    "mean of a missing axis": (
        lambda: one("MEAN", (1, 4), (1,), np.array([2], np.int32)),
        MalformedModel,
        "no axis 2",
    ),
    "mean over the batch": (lambda: one("MEAN", (1, 4), (4,), np.array([0], np.int32)), UnsupportedOp, "batch axis"),
    "concatenation on a missing axis": (
        lambda: one("CONCATENATION", (1, 4), (1, 4), axis=2),
        MalformedModel,
        "no axis 2",
    ),
    "concatenation of the batch": (lambda: one("CONCATENATION", (1, 4), (1, 4), axis=0), UnsupportedOp, "batch axis"),
    "operands of other batches": (other_batches, UnsupportedOp, "mix the batch axis"),
    "state": (state, UnsupportedModel, "which no layer computes"),
    "constant output": (constant_output, UnsupportedModel, "is a constant"),
    "no outputs": (no_outputs, UnsupportedModel, "no outputs"),
    "input twice": (input_twice, UnsupportedModel, "the same input twice"),
    "constant input": (constant_input, UnsupportedModel, "is a constant"),
    "free size": (free_size, UnsupportedModel, "more axes free than the batch"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    make, error, message = REFUSED[what]
    model = converter.read(make())
    with pytest.raises(error, match=message) as caught:
        converter.blueprint(model.graph)
    assert type(caught.value) is error
    assert message in "\n".join(summarize(model)["unsupported"])


def test_every_unsupported_operator_is_named_at_once() -> None:
    graph = Builder()
    first = graph.op("SVDF", [graph.input((1, 4))], [(1, 4)])
    second = graph.op("Mystery", first, [(1, 4)], custom=b"")
    with pytest.raises(UnsupportedOp, match=r"op #0 SVDF(.|\n)*op #1 Mystery"):
        converter.blueprint(converter.read(graph.build(second)).graph)


def test_layers_that_nothing_depends_on_are_left_out() -> None:
    graph = Builder()
    x = graph.input((1, 4))
    graph.op("LOGISTIC", [x], [(1, 4)])
    plan = converter.blueprint(converter.read(graph.build(graph.op("RELU", [x], [(1, 4)]))).graph)
    assert [spec.layer for spec in plan.specs] == ["ReLU"]


def test_a_shape_that_the_file_declares_wrongly_is_noticed() -> None:
    options: dict[str, Any] = {"padding": 0, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    with pytest.raises(UnliteError, match=r"MAX_POOL_2D: layer .* gives"):
        converter.convert(one("MAX_POOL_2D", (1, 4, 4, 3), (1, 3, 2, 3), **options))
