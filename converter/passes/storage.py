"""Graph → Graph: what the exporter did for storage, undone."""

from dataclasses import replace

from converter.errors import MalformedModel
from converter.tflite.model import STORAGE_OPS, Graph, Op, Tensor


def fold_storage(graph: Graph) -> Graph:
    """Remove every `DENSIFY` and `DEQUANTIZE` of a constant: its result becomes the constant.

    Nothing is decoded yet: the result keeps the stored bytes, and `converter.tflite.decode` gives the dense float32.
    A `DEQUANTIZE` of something computed stays.

    Raises:
        MalformedModel: The result has another shape than the constant, or a type that the operator cannot give.
    """
    tensors = list(graph.tensors)
    kept: list[Op] = []
    for op in graph.ops:
        source = tensors[op.inputs[0]] if op.kind in STORAGE_OPS and op.inputs and op.inputs[0] is not None else None
        if source is None or source.storage is None or not op.outputs:
            kept.append(op)
            continue
        result = tensors[op.outputs[0]]
        _check(op, source, result)
        tensors[result.index] = replace(result, storage=source.storage)
    return replace(graph, tensors=tuple(tensors), ops=tuple(kept))


def _check(op: Op, source: Tensor, result: Tensor) -> None:
    types = (source.dtype,) if op.kind == "DENSIFY" else ("FLOAT16", "FLOAT32")
    if result.shape != source.shape or result.dtype not in types:
        made = f"{result} ({result.dtype} {result.shape})"
        raise MalformedModel(f"{op} cannot turn {source} ({source.dtype} {source.shape}) into {made}")
