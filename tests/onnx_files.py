"""ONNX files for tests."""

from typing import Any


def first_kernel(model: Any) -> Any:
    """The first convolution's kernel, which every output depends on."""
    name = next(node.input[1] for node in model.graph.node if node.op_type == "Conv")
    return next(entry for entry in model.graph.initializer if entry.name == name)
