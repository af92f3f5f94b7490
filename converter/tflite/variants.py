"""Variants of a file that the stock runtime can run, for use as references."""

import struct
from collections.abc import Sequence
from typing import Any

from converter.errors import VerificationImpossible
from converter.tflite.edit import Editable
from converter.tflite.flatbuffer import schema

TRANSPOSE_BIAS = "Convolution2DTransposeBias"


def builtin_only(data: memoryview) -> bytes:
    """Replace MediaPipe's transposed convolution by the builtin `TRANSPOSE_CONV` (version 3, with bias).

    Both compute the same as long as the forward convolution of the output has the input's size; given the
    declared output shape, TFLite then pads exactly what the custom op crops.

    Args:
        data: A file that `converter.read` accepts.

    Raises:
        VerificationImpossible: One of them has a geometry for which that does not hold.
    """
    import numpy as np

    file = Editable(data)
    names = file.schema
    code = names.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = names.BuiltinOperator.TRANSPOSE_CONV
    code.version = 3
    file.model.operatorCodes.append(code)
    for number, op in enumerate(file.graph.operators):
        if file.custom_kind(op) != TRANSPOSE_BIAS:
            continue
        padding, stride_w, stride_h = np.frombuffer(bytes(op.customOptions[:12]), "<i4")
        x, kernel, bias = op.inputs
        before, after = (np.asarray(file.graph.tensors[index].shape) for index in (x, op.outputs[0]))
        if (-(-after[1:3] // (stride_h, stride_w)) != before[1:3]).any() and padding == 1:
            raise VerificationImpossible(
                f"op #{number} {TRANSPOSE_BIAS}: TRANSPOSE_CONV has no padding for {before} → {after}",
                hint="`verify=False` converts without comparing",
            )
        op.opcodeIndex = len(file.model.operatorCodes) - 1
        op.inputs = np.array([_add_ints(file, after), kernel, x, bias], np.int32)
        op.customOptions = None
        op.builtinOptionsType = names.BuiltinOptions.TransposeConvOptions
        op.builtinOptions = names.TransposeConvOptionsT()
        op.builtinOptions.padding = names.Padding.SAME if padding == 1 else names.Padding.VALID
        op.builtinOptions.strideW, op.builtinOptions.strideH = int(stride_w), int(stride_h)
    return file.pack()


def _add_ints(file: Editable, values: Any) -> int:
    import numpy as np

    buffer, tensor = file.schema.BufferT(), file.schema.TensorT()
    buffer.data = np.frombuffer(values.astype("<i4").tobytes(), np.uint8)
    tensor.name = b"output_shape"
    tensor.shape, tensor.type = [len(values)], file.schema.TensorType.INT32
    file.model.buffers.append(buffer)
    tensor.buffer = len(file.model.buffers) - 1
    file.graph.tensors.append(tensor)
    return len(file.graph.tensors) - 1


def without_custom_ops(data: memoryview) -> bytes:
    """Cut every custom op out: what they computed becomes input, what they read becomes output.

    The new inputs and outputs follow the old ones, in the order of the cut ops' operands, each once.
    """
    import numpy as np

    file = Editable(data)
    cut = [op for op in file.graph.operators if file.custom_kind(op)]
    constant = {i for i, t in enumerate(file.graph.tensors) if file.model.buffers[t.buffer].data is not None}
    kept = [op for op in file.graph.operators if not file.custom_kind(op)]
    made = {int(index) for op in cut for index in op.outputs}
    fed = [*map(int, file.graph.inputs), *sorted(made)]
    read = {int(index) for op in cut for index in op.inputs} - constant - set(fed) - set(map(int, file.graph.outputs))
    file.graph.operators = kept
    file.graph.inputs = np.array(fed, np.int32)
    file.graph.outputs = np.array([*map(int, file.graph.outputs), *sorted(read)], np.int32)
    file.model.signatureDefs = None  # they name the old inputs and outputs
    return file.pack()


def with_outputs(data: memoryview | bytes, tensors: Sequence[int]) -> tuple[bytes, int]:
    """Make intermediate results outputs of the model, after its own: then delegates fill them in as well.

    The new list is put behind the file and referred to; taking the whole file apart would take as long as running it.

    Returns:
        The file, and how many outputs it had of its own.
    """
    buffer = bytearray(data)
    tables = schema()["tables"]

    def field(table: int, name: str, of: str) -> int:
        """Position of a table's reference to a vector."""
        vtable = table - struct.unpack_from("<i", buffer, table)[0]
        slot = tables[of][name][0]
        return table + int(struct.unpack_from("<H", buffer, vtable + 4 + 2 * slot)[0])

    def target(position: int) -> int:
        return position + int(struct.unpack_from("<I", buffer, position)[0])

    graph = target(target(field(target(0), "subgraphs", "Model")) + 4)
    reference = field(graph, "outputs", "SubGraph")
    count, *own = struct.unpack_from(f"<I{_length(buffer, target(reference))}i", buffer, target(reference))
    inputs = target(field(graph, "inputs", "SubGraph"))
    known = {*own, *struct.unpack_from(f"<{_length(buffer, inputs)}i", buffer, inputs + 4)}
    every = [*own, *(index for index in tensors if index not in known)]
    buffer += bytes(-len(buffer) % 4)
    struct.pack_into("<I", buffer, reference, len(buffer) - reference)
    buffer += struct.pack(f"<I{len(every)}i", len(every), *every)
    return bytes(buffer), count


def cut_at(data: memoryview | bytes, tensors: Sequence[int]) -> bytes:
    """Make intermediate results the only outputs of the model, and drop every operator that they do not need."""
    import numpy as np

    file = Editable(memoryview(data))
    needed, kept = set(tensors), []
    for op in reversed(file.graph.operators):
        if needed.intersection(map(int, op.outputs)):
            needed.update(map(int, op.inputs))
            kept.append(op)
    file.graph.operators = kept[::-1]
    file.graph.outputs = np.array(tensors, np.int32)
    file.model.signatureDefs = None  # they name the old outputs
    return file.pack()


def _length(buffer: bytearray, vector: int) -> int:
    return int(struct.unpack_from("<I", buffer, vector)[0])
