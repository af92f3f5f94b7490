"""File → file: variants of a model that the stock runtime can run, for use as references."""

import struct
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from converter.errors import VerificationImpossible
from converter.flatbuffer import schema

ALIGNMENT = 16
TRANSPOSE_BIAS = "Convolution2DTransposeBias"
# Operators whose kernels, float and int8, apply a ReLU to their result.
FUSING = ("ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MUL", "SUB")


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

        model = self.schema.ModelT.InitFromPackedBuf(bytes(data), 0)
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
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


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
                hint="`--no-verify` converts without comparing",
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


def unfused(data: memoryview | bytes) -> tuple[bytes, dict[int, int]]:
    """Make every fused activation an operator of its own, so that what lies before it can be read.

    The computation stays the same: a kernel applies its activation to each finished sum.

    Returns:
        The file, and for each operator that was split: its index in the old file → the new tensor's index.
    """
    import copy

    file = Editable(memoryview(data))
    names = file.schema
    kinds = {
        names.ActivationFunctionType.RELU: names.BuiltinOperator.RELU,
        names.ActivationFunctionType.RELU6: names.BuiltinOperator.RELU6,
        names.ActivationFunctionType.RELU_N1_TO_1: names.BuiltinOperator.RELU_N1_TO_1,
    }
    codes: dict[int, int] = {}
    operators, split = [], {}
    for number, op in enumerate(file.graph.operators):
        operators.append(op)
        fused = getattr(op.builtinOptions, "fusedActivationFunction", 0)
        if fused not in kinds:
            continue
        if fused not in codes:
            code = names.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = kinds[fused]
            code.version = 1
            file.model.operatorCodes.append(code)
            codes[fused] = len(file.model.operatorCodes) - 1
        before = copy.copy(file.graph.tensors[op.outputs[0]])
        before.name += b" before its activation"
        file.graph.tensors.append(before)
        activation = names.OperatorT()
        activation.opcodeIndex = codes[fused]
        activation.inputs, activation.outputs = [len(file.graph.tensors) - 1], list(op.outputs)
        op.builtinOptions.fusedActivationFunction = names.ActivationFunctionType.NONE
        op.outputs = activation.inputs
        operators.append(activation)
        split[number] = activation.inputs[0]
    file.graph.operators = operators
    return file.pack(), split


def fuse_relus(file: Editable, among: Sequence[Any] | None = None) -> None:
    """Make a ReLU or ReLU6 part of the operator before it, if that can have one and nobody else reads its result.

    The opposite of `unfused`: the computation stays the same.

    Args:
        file: To be changed.
        among: The ReLUs to look at; default: all.
    """
    names = file.schema
    functions = {
        names.BuiltinOperator.RELU: names.ActivationFunctionType.RELU,
        names.BuiltinOperator.RELU6: names.ActivationFunctionType.RELU6,
    }
    fusing = {getattr(names.BuiltinOperator, kind) for kind in FUSING}
    wanted = {id(op) for op in (file.graph.operators if among is None else among)}
    reads = Counter(int(index) for op in file.graph.operators for index in {*op.inputs})
    reads.update(map(int, file.graph.outputs))
    producers: dict[int, Any] = {int(index): op for op in file.graph.operators for index in op.outputs}
    kept = []
    for op in file.graph.operators:
        source = int(op.inputs[0]) if len(op.inputs) else -1
        function, before = functions.get(file.builtin_kind(op)), producers.get(source)
        if (
            function is not None
            and id(op) in wanted
            and reads[source] == 1
            and before
            and file.builtin_kind(before) in fusing
            and before.builtinOptions.fusedActivationFunction == names.ActivationFunctionType.NONE
        ):
            before.builtinOptions.fusedActivationFunction = function
            before.outputs = op.outputs
            producers[int(op.outputs[0])] = before
        else:
            kept.append(op)
    file.graph.operators = kept


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
