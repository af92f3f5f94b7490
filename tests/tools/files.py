"""Files that cannot be converted, and what tests look at in others."""

from collections.abc import Callable
from typing import Any

from converter.tflite.model import Graph, Model
from fixtures.builder import Builder, pack


def odd() -> bytes:
    """One operator that has no Keras equivalent here, and one that nobody knows."""
    builder = Builder()
    (y,) = builder.op("CUMSUM", [builder.input([1, 4, 6, 3])], [[1, 4, 6, 3]])
    return builder.build(builder.op("Wobble", [y], [[1, 4, 6, 3]], custom=b"abc"))


def two() -> bytes:
    """Two subgraphs."""
    builder = Builder()
    builder.graph.outputs = builder.op("RELU", [builder.input([1, 4])], [[1, 4]])
    builder.model.subgraphs.append(builder.graph)
    return pack(builder.model)


def quantized() -> bytes:
    """An int8 input."""
    builder = Builder()
    (y,) = builder.op("RELU", [builder.input([1, 4], dtype="int8")], [[1, 4]])
    builder.graph.tensors[y].type = builder.graph.tensors[0].type
    return builder.build([y])


def operators(graph: Graph) -> list[tuple[str, tuple[str, ...]]]:
    """Kind and results of everything that computes, and of DEQUANTIZE, in order; sparse constants come back dense."""
    return [(op.kind, tuple(graph.tensors[i].name for i in op.outputs)) for op in graph.ops if op.kind != "DENSIFY"]


def frame(model: Model) -> Any:
    """All around the operators: names of inputs and outputs, signatures, metadata, version and description."""
    ends = [[model.graph.tensors[i].name for i in indices] for indices in (model.graph.inputs, model.graph.outputs)]
    metadata = {name: bytes(data) for name, data in model.metadata.items()}
    return ends, model.signatures, metadata, model.version, model.description


def first_kernel(onnx_model: Any) -> Any:
    """The first convolution's kernel, which every output depends on."""
    name = next(node.input[1] for node in onnx_model.graph.node if node.op_type == "Conv")
    return next(entry for entry in onnx_model.graph.initializer if entry.name == name)


def change(constant: Any, edit: Callable[[Any], Any]) -> None:
    """Other values for a constant of an ONNX file."""
    from onnx import numpy_helper

    values = edit(numpy_helper.to_array(constant).copy())
    constant.CopyFrom(numpy_helper.from_array(values, constant.name))


def siblings_file(first: str, second: str) -> bytes:
    """Two 3×3 convolutions [8, 8, 3] → [8, 8, 4] of the same input, added; then one to 2 channels, `end`.

    Args:
        first: Name of one.
        second: Name of the other.
    """
    b = Builder()
    x = b.input((1, 8, 8, 3))
    both = [b.conv(x, (4, 3, 3, 3), name) for name in (first, second)]
    total = b.op("ADD", both, [(1, 8, 8, 4)], ["add"])[0]
    return b.build([b.conv(total, (2, 1, 1, 4), "end")])
