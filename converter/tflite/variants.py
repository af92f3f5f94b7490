"""Variants of a file that the stock runtime can run, for use as references."""

import struct
from collections.abc import Sequence

import numpy as np

from converter.errors import VerificationImpossible
from converter.tflite.assembly import Assembly
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
    file = Assembly(data)
    for number, op in enumerate(file.graph.operators):
        if file.custom_kind(op) != TRANSPOSE_BIAS:
            continue
        padding, stride_w, stride_h = np.frombuffer(bytes(op.customOptions[:12]), "<i4")
        x, kernel, bias = op.inputs
        before, after = (np.asarray(file.graph.tensors[index].shape) for index in (x, op.outputs[0]))
        if (-(-after[1:3] // (stride_h, stride_w)) != before[1:3]).any() and padding == 1:
            raise VerificationImpossible(
                f"op #{number} {TRANSPOSE_BIAS}: TRANSPOSE_CONV has no padding for {before} → {after}",
                hint="`unlite convert --no-verify` converts without comparing",
            )
        operands = [file.constant(after.astype(np.int32), "output_shape"), kernel, x, bias]
        options = {"padding": "SAME" if padding == 1 else "VALID", "stride_w": int(stride_w), "stride_h": int(stride_h)}
        made = file.operator("TRANSPOSE_CONV", operands, op.outputs[0], 3, "TransposeConvOptions", options)
        file.graph.operators[number] = made
    return file.pack()


def without_custom_ops(data: memoryview) -> bytes:
    """Cut every custom op out: what they computed becomes input, what they read becomes output.

    The new inputs and outputs follow the old ones, in the order of the cut ops' operands, each once.
    """
    file = Editable(data)
    cut = [op for op in file.graph.operators if file.custom_kind(op)]
    constant = {i for i, t in enumerate(file.graph.tensors) if file.model.buffers[t.buffer].data is not None}
    made = {int(index) for op in cut for index in op.outputs}
    fed = [*map(int, file.graph.inputs), *sorted(made)]
    read = {int(index) for op in cut for index in op.inputs} - constant - set(fed) - set(map(int, file.graph.outputs))
    file.graph.operators = [op for op in file.graph.operators if not file.custom_kind(op)]
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

    def vector(position: int) -> tuple[int, ...]:
        (length,) = struct.unpack_from("<I", buffer, position)
        return struct.unpack_from(f"<{length}i", buffer, position + 4)

    graph = target(target(field(target(0), "subgraphs", "Model")) + 4)
    reference = field(graph, "outputs", "SubGraph")
    own = vector(target(reference))
    known = {*own, *vector(target(field(graph, "inputs", "SubGraph")))}
    every = [*own, *(index for index in tensors if index not in known)]
    buffer += bytes(-len(buffer) % 4)
    struct.pack_into("<I", buffer, reference, len(buffer) - reference)
    buffer += struct.pack(f"<I{len(every)}i", len(every), *every)
    return bytes(buffer), len(own)


def cut_at(data: memoryview | bytes, tensors: Sequence[int]) -> bytes:
    """Make intermediate results the only outputs of the model, and drop every operator that they do not need."""
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
