"""Files that cannot be converted."""

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
