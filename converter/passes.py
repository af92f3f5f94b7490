"""Graph → Graph: what the exporter did for storage, undone."""

from dataclasses import replace

from converter.graph import Graph, Op

# Both only give a stored constant another form.
STORAGE_OPS = ("DENSIFY", "DEQUANTIZE")


def fold_storage(graph: Graph) -> Graph:
    """Remove every `DENSIFY` and `DEQUANTIZE` of a constant: its result becomes the constant.

    Nothing is decoded yet: the result keeps the stored bytes, and `Tensor.array` gives the dense float32.
    A `DEQUANTIZE` of something computed stays.
    """
    tensors = list(graph.tensors)
    kept: list[Op] = []
    for op in graph.ops:
        source = tensors[op.inputs[0]] if op.kind in STORAGE_OPS and op.inputs and op.inputs[0] is not None else None
        if source is None or source.storage is None or not op.outputs:
            kept.append(op)
            continue
        tensors[op.outputs[0]] = replace(tensors[op.outputs[0]], storage=source.storage)
    return replace(graph, tensors=tuple(tensors), ops=tuple(kept))
