"""A `.tflite` file taken apart with the schema's object API, to be changed and packed again."""

from functools import partial
from typing import Any

ALIGNMENT = 16
ROOM = 1 << 16  # bytes for tables, to begin with


class Editable:
    """A `.tflite` file taken apart with the schema's object API, to be changed and packed again.

    Args:
        data: The file; None begins an empty one.
    """

    def __init__(self, data: memoryview | None) -> None:
        from ai_edge_litert import schema_py_generated

        self.schema = schema_py_generated
        self.model: Any = self._empty() if data is None else self._unpacked(data)
        self.graph = self.model.subgraphs[0]

    def _unpacked(self, data: memoryview) -> Any:
        import numpy as np

        model = self.schema.ModelT.InitFromPackedBuf(data, 0)  # weights stay views on it
        for buffer in model.buffers:
            if buffer.offset > 1:  # its data lies behind the tables, where packing would lose it
                buffer.data = np.frombuffer(data[buffer.offset : buffer.offset + buffer.size], np.uint8)
                buffer.offset = buffer.size = 0
        return model

    def _empty(self) -> Any:
        model, graph = self.schema.ModelT(), self.schema.SubGraphT()
        model.version, model.description = 3, b"unlite"
        model.subgraphs, model.buffers, model.operatorCodes = [graph], [self.schema.BufferT()], []
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        return model

    def custom_kind(self, op: Any) -> str | None:
        """The custom op's name; None for builtin ones."""
        code = self.model.operatorCodes[op.opcodeIndex]
        return code.customCode.decode() if code.customCode else None

    def builtin_kind(self, op: Any) -> int:
        """The builtin operator's number, also where the file is older than the field for it."""
        code = self.model.operatorCodes[op.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def pack(self) -> bytes:
        """The file."""
        import flatbuffers

        for buffer in self.model.buffers:
            buffer.Pack = partial(_pack_aligned, buffer, self.schema)
        # With room for all weights: where it has to grow, it doubles, and copies everything.
        stored = sum(len(buffer.data) + ALIGNMENT for buffer in self.model.buffers if buffer.data is not None)
        builder = flatbuffers.Builder(stored + ROOM)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(memoryview(builder.Bytes)[builder.Head() :])


def _pack_aligned(buffer: Any, names: Any, builder: Any) -> int:
    """A buffer whose data starts at a multiple of 16, as the schema demands; its own `Pack` leaves it anywhere."""
    vector = None
    if buffer.data is not None:
        content = bytes(buffer.data)
        builder.StartVector(1, len(content), ALIGNMENT)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        vector = builder.EndVector()
    names.BufferStart(builder)
    if vector is not None:
        names.BufferAddData(builder, vector)
    return int(names.BufferEnd(builder))
