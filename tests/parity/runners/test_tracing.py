"""The runner's intermediate tensors are the true ones: recomputed operator by operator."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import converter
from converter.match.canonical import network_of_blueprint
from converter.match.network import Network
from converter.passes.activations import split_activations
from converter.passes.storage import fold_storage
from converter.rebuild.model import make_layer
from converter.tflite.edit import Editable
from converter.tflite.model import Graph, Model, Op
from parity.inputs import seeded_inputs
from parity.runners.reference import TracedReference
from parity.runners.runtimes import LiteRT
from tests.tools import models
from tests.tools.spread import assert_within_spread

pytestmark = pytest.mark.one_setting

NAME = "face_detection_short_range"
PLAIN = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def alone(data: bytes, number: int, op: Op) -> Callable[[Callable[[int], Any]], Any]:
    """One operator as a model of its own, in which no memory can be shared."""
    file = Editable(memoryview(data))
    inputs = [index for index in op.inputs if index is not None and not _is_constant(file, index)]
    makers = {int(o): n for n, other in enumerate(file.graph.operators) for o in other.outputs}
    needed = [makers[index] for index in inputs if index in makers and _gives_constant(file, makers[index])]
    file.graph.operators = [file.graph.operators[n] for n in (*needed, number)]
    fed = [index for index in inputs if index not in makers or makers[index] not in needed]
    file.graph.inputs, file.graph.outputs = np.array(fed, np.int32), np.array(op.outputs, np.int32)
    file.model.signatureDefs = None
    interpreter = Interpreter(model_content=file.pack(), experimental_op_resolver_type=PLAIN, num_threads=1)
    interpreter.allocate_tensors()

    def run(values: Any) -> Any:
        for detail, index in zip(interpreter.get_input_details(), fed, strict=True):
            interpreter.set_tensor(detail["index"], values(index))
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return run


def _is_constant(file: Editable, index: int) -> bool:
    return file.model.buffers[file.graph.tensors[index].buffer].data is not None


def _gives_constant(file: Editable, number: int) -> bool:
    return all(_is_constant(file, index) for index in file.graph.operators[number].inputs)


def computing(graph: Graph) -> list[Op]:
    return [op for op in fold_storage(graph).ops if op.kind != "DEQUANTIZE"]


def wrong_tensors(preserve: bool, resolver: Any) -> list[str]:  # noqa: FBT001 - one of LiteRT's two switches
    """Tensors that an interpreter with these switches gives and that are not what their operator computes."""
    model = models.original(NAME)
    interpreter = Interpreter(
        model_content=bytes(model.data),
        experimental_preserve_all_tensors=preserve,
        experimental_op_resolver_type=resolver,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    (inputs,) = seeded_inputs(model.graph, 1)[:1]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], inputs[0])
    interpreter.invoke()
    truth: dict[int, Any] = {model.graph.inputs[0]: inputs[0]}
    wrong = []
    for op in computing(model.graph):
        truth[op.outputs[0]] = alone(bytes(model.data), op.index, op)(truth.__getitem__)
        try:
            read = interpreter.get_tensor(op.outputs[0])
        except ValueError:  # a delegate has not even allocated it
            read = None
        expected = truth[op.outputs[0]]
        if read is None or np.abs(read - expected).max() > 1e-3 * np.abs(expected).max():
            wrong.append(model.graph.tensors[op.outputs[0]].name)
    return wrong


def test_tensors_are_wrong_without_preserving_them() -> None:
    """The runner sets both switches: older LiteRT needs the resolver without delegates as well, 2.3 does not."""
    assert wrong_tensors(preserve=True, resolver=PLAIN) == []
    assert len(wrong_tensors(preserve=False, resolver=PLAIN)) > 30
    assert len(wrong_tensors(preserve=False, resolver=OpResolverType.BUILTIN)) > 30


def traced(model: Model) -> tuple[Network, TracedReference, list[Any]]:
    """The file's network, what runs it, and what to feed."""
    network = network_of_blueprint(converter.blueprint(model.graph))
    return network, TracedReference(model, network), seeded_inputs(model.graph, 1)[0]


@pytest.mark.parametrize("name", [NAME, "hand_landmark_lite"])
def test_traced_tensors_are_what_each_operator_computes(name: str) -> None:
    """Also where fused activations were split off (hand_landmark_lite)."""
    model = models.original(name)
    _, reference, inputs = traced(model)
    trace = reference.trace(inputs)
    values: dict[int, Any] = {v.tensor: array for v, array in trace.items() if v.tensor is not None}
    values[model.graph.inputs[0]] = inputs[0]
    for op in computing(model.graph):
        made = alone(bytes(model.data), op.index, op)(values.__getitem__)
        np.testing.assert_array_equal(values[op.outputs[0]], made, err_msg=str(op))
    assert len(trace) > len(computing(model.graph))


def test_values_before_fused_activations_are_traced() -> None:
    model = models.original("hand_landmark_lite")
    _, split = split_activations(model.data)
    network, reference, inputs = traced(model)
    trace = reference.trace(inputs)
    assert len(split) == sum(value.tensor is None for value in trace) > 0
    for node in network.nodes:
        if node.kind == "activation" and node.inputs[0].tensor is None:
            layer = make_layer(node.origin)
            activation = getattr(layer, "activation", layer)
            np.testing.assert_array_equal(np.asarray(activation(trace[node.inputs[0]])), trace[node.outputs[0]])


def test_xnnpack_computes_the_same_with_all_tensors_shown() -> None:
    model = models.original(NAME)
    (inputs,) = seeded_inputs(model.graph, 1)[:1]
    shown = LiteRT(model.data, "xnnpack", [op.outputs[0] for op in computing(model.graph)])
    right = [LiteRT(model.data, kernels).run for kernels in ("xnnpack", "plain")]
    assert_within_spread(shown.run, right, [inputs])  # it may fuse fewer operators


def test_spread_is_small_but_there() -> None:
    """Were the delegate's tensors not its own, the spread would be zero, or as large as the values.

    What it is on the right ones, the processor says: far less than the bound.
    """
    network, reference, inputs = traced(models.original(NAME))
    trace = reference.trace(inputs)
    spreads = reference.spread(inputs, trace)
    shares = [spreads[node.outputs[0]] / np.ptp(trace[node.outputs[0]]) for node in network.nodes]
    assert 0 < np.median(shares) < max(shares) < 1e-3
