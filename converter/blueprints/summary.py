"""What `unlite inspect` says about a model, as plain data."""

from collections import Counter
from typing import Any

from converter.blueprints.build import Lowered, blueprint, lower_all
from converter.detectors.labels import labels_in
from converter.errors import UnliteError
from converter.tflite.model import Graph, Model, Tensor

FLOATS = ("FLOAT16", "FLOAT32", "FLOAT64")


def summarize(model: Model) -> dict[str, Any]:
    """Describe a model; never fails because of an operator that cannot be converted.

    Returns:
        A JSON-ready dictionary; for several subgraphs, all but `subgraphs` is about the first.
    """
    graph = model.graphs[0]
    lowered, labels = lower_all(graph), labels_in(model)
    return {
        "name": model.name,
        "bytes": len(model.data),
        "description": model.description,
        "subgraphs": len(model.graphs),
        "inputs": [_tensor(graph.tensors[i]) for i in graph.inputs],
        "outputs": [_tensor(graph.tensors[i]) for i in graph.outputs],
        "operators": dict(Counter(op.kind for op in graph.ops).most_common()),
        "custom_operators": dict(Counter(op.kind for op in graph.ops if op.is_custom)),
        "parameters": _parameters(lowered.graph),
        "weight_storage": _storage([tensor for tensor in lowered.graph.constants() if tensor.dtype in FLOATS]),
        "metadata": {name: len(data) for name, data in model.metadata.items()},
        "labels": labels.as_dict() if labels else None,
        "signatures": [signature.key for signature in model.signatures],
        "unsupported": _unsupported(model, lowered),
    }


def _parameters(graph: Graph) -> int:
    """As Keras will count them: a constant that two layers share in the file is one weight of each."""
    operands = (graph.tensors[index] for op in graph.ops for index in op.inputs if index is not None)
    return sum(tensor.size for tensor in operands if tensor.storage and tensor.dtype in FLOATS)


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}


def _storage(weights: list[Tensor]) -> dict[str, dict[str, int]]:
    """Per way to store: number of tensors, of values, and of bytes in the file."""
    kinds: dict[str, dict[str, int]] = {}
    for size, storage in ((tensor.size, tensor.storage) for tensor in weights if tensor.storage):
        entry = kinds.setdefault(storage.label, {"tensors": 0, "parameters": 0, "bytes": 0})
        entry["tensors"] += 1
        entry["parameters"] += size
        entry["bytes"] += len(storage.data)
    return kinds


def _unsupported(model: Model, lowered: Lowered) -> list[str]:
    problems = [str(problem) for problem in lowered.problems]
    try:
        blueprint(lowered if len(model.graphs) == 1 else model.graph)
    except UnliteError as error:
        return problems or [str(error)]
    return problems
