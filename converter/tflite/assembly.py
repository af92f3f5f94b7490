"""A file taken apart, so that operators and constants can be exchanged, added and taken out."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.tflite.edit import Editable
from converter.tflite.flatbuffer import enum_names
from converter.tflite.model import STORAGE_OPS
from converter.tflite.reader import ENUM_OPTIONS


class Assembly(Editable):
    """Tensors, constants and operators of one file, by index.

    Args:
        data: The file; None begins an empty one.

    Attributes:
        padded: Tensor, and zeros around it → the tensor that has both.
    """

    def __init__(self, data: memoryview | None) -> None:
        super().__init__(data)
        self.padded: dict[tuple[int, Any], int] = {}
        self._codes: dict[str, int] = {}
        for number, code in enumerate(self.model.operatorCodes):
            if not code.customCode:
                kind = max(code.builtinCode, code.deprecatedBuiltinCode)
                self._codes.setdefault(f"{kind} {code.version}", number)

    def tensor(self, shape: Sequence[int], name: str, dtype: str = "FLOAT32") -> int:
        """Add a tensor that is computed."""
        tensor = self.schema.TensorT()
        tensor.shape, tensor.name = list(shape), name.encode()
        tensor.type, tensor.buffer = getattr(self.schema.TensorType, dtype), 0
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values: NDArray[Any], name: str) -> int:
        """Add a constant of float32, float16 or int32."""
        index = self.tensor(values.shape, name, values.dtype.name.upper())
        self._fill(index, values.tobytes())
        return index

    def weight(self, values: NDArray[Any], name: str, index: int | None) -> int:
        """Add a constant that operators read as float32, whatever it is stored as.

        Args:
            values: As they are stored.
            name: What to call it.
            index: A constant whose place it can take.
        """
        if index is not None:
            return self.stored(index, values.dtype.name.upper(), values.tobytes(), values.shape)
        index = self.constant(values, name)
        return self._dequantized(index) if values.dtype == np.float16 else index

    def _fill(self, index: int, content: bytes) -> None:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(content, np.uint8)
        self.model.buffers.append(buffer)
        self.graph.tensors[index].buffer = len(self.model.buffers) - 1

    def operator(  # noqa: PLR0913, PLR0917 - what an operator consists of
        self,
        kind: str,
        inputs: Sequence[int],
        output: int,
        version: int = 1,
        table: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        """Make an operator, which has no place yet.

        Args:
            kind: Builtin name.
            inputs: Operands; -1 leaves an optional one out.
            output: Its result.
            version: Of the operator.
            table: The schema's table of its settings; empty: it has none.
            options: Called as `converter.tflite.reader` reads them.
        """
        op = self.schema.OperatorT()
        op.opcodeIndex = self._code(kind, version)
        op.inputs, op.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if table:
            op.builtinOptionsType = getattr(self.schema.BuiltinOptions, table)
            op.builtinOptions = getattr(self.schema, f"{table}T")()
            for name, value in (options or {}).items():
                number = getattr(getattr(self.schema, ENUM_OPTIONS[name]), value) if name in ENUM_OPTIONS else value
                setattr(op.builtinOptions, _camel(name), number)
        return op

    def _code(self, kind: str, version: int) -> int:
        number = getattr(self.schema.BuiltinOperator, kind)
        key = f"{number} {version}"
        if key not in self._codes:
            code = self.schema.OperatorCodeT()
            code.builtinCode, code.version = number, version
            code.deprecatedBuiltinCode = min(number, 127)  # all that fits; readers take the larger one
            self.model.operatorCodes.append(code)
            self._codes[key] = len(self.model.operatorCodes) - 1
        return self._codes[key]

    def kind(self, op: Any) -> str:
        """The builtin name, or the custom op's."""
        return self.custom_kind(op) or enum_names("BuiltinOperator")[self.builtin_kind(op)]

    def stored(self, index: int, kind: str, content: bytes, shape: Sequence[int] | None = None) -> int:
        """Store a constant that operators read as `index`, dense and of this type; gives what they read now."""
        root, chain = self._chain(index)
        tensor = self.graph.tensors[root]
        tensor.sparsity, tensor.type = None, getattr(self.schema.TensorType, kind)
        if shape is not None:
            for each in (root, *(int(op.outputs[0]) for op in chain)):
                self.graph.tensors[each].shape = list(shape)
        self._fill(root, content)
        dequantize = next((op for op in chain if self.kind(op) == "DEQUANTIZE"), None)
        if kind == "FLOAT32":
            return root
        if dequantize is None:
            return self._dequantized(root)
        dequantize.inputs = [root]
        return int(dequantize.outputs[0])

    def twin(self, index: int) -> int:
        """A copy of a constant and of what makes the operand of it."""
        root, chain = self._chain(index)
        made = self._copy_of(root)
        for op in reversed([op for op in chain if self.kind(op) == "DEQUANTIZE"]):
            twin = copy.copy(op)
            twin.inputs, twin.outputs = [made], [self._copy_of(int(op.outputs[0]))]
            self.graph.operators.insert(self.position(op) + 1, twin)
            made = twin.outputs[0]
        return made

    def _chain(self, index: int) -> tuple[int, list[Any]]:
        """The constant that an operand is made of, and the operators that make it, last first."""
        producers = {int(op.outputs[0]): op for op in self.graph.operators if self._is_storage(op)}
        chain = []
        while index in producers:
            chain.append(producers[index])
            index = int(producers[index].inputs[0])
        return index, chain

    def _dequantized(self, root: int) -> int:
        """An operand made of a float16 constant."""
        made = self._copy_of(root)
        tensor = self.graph.tensors[made]
        tensor.type, tensor.buffer = self.schema.TensorType.FLOAT32, 0
        tensor.name += b"_dequantize"
        # The first version that takes float16 is 3.
        self.graph.operators.insert(0, self.operator("DEQUANTIZE", [root], made, version=3))
        return made

    def _copy_of(self, index: int) -> int:
        self.graph.tensors.append(copy.copy(self.graph.tensors[index]))
        return len(self.graph.tensors) - 1

    def position(self, op: Any) -> int:
        """Where an operator is."""
        return next(number for number, other in enumerate(self.graph.operators) if other is op)

    @staticmethod
    def reads(op: Any, before: int, after: int) -> None:
        """Let an operator read another tensor."""
        op.inputs = np.array([after if index == before else index for index in op.inputs], np.int32)

    def drop_what_nobody_reads(self) -> None:
        """Storage operators without a reader, and the content of buffers without a tensor; indices stay."""
        while idle := {op for op in self.graph.operators if self._is_storage(op) and not self.is_read(op.outputs[0])}:
            self.graph.operators = [op for op in self.graph.operators if op not in idle]
        ends = [*self.graph.inputs, *self.graph.outputs]
        ends += [index for op in self.graph.operators for index in (*op.inputs, *op.outputs) if index >= 0]
        used = {0, *(entry.buffer for entry in self.model.metadata or [])}
        used |= {self.graph.tensors[index].buffer for index in ends}
        for number, buffer in enumerate(self.model.buffers):
            if number not in used:
                buffer.data = None

    def _is_storage(self, op: Any) -> bool:
        return self.kind(op) in STORAGE_OPS

    def is_free(self, index: int) -> bool:
        """Whether nobody reads an operand, nor anything else the constant that it is made of."""
        root, chain = self._chain(index)
        others = [op for op in self.graph.operators if root in op.inputs and not any(op is own for own in chain)]
        return not self.is_read(index) and not others

    def is_read(self, index: int) -> bool:
        """Whether an operator reads a tensor, or it is an output."""
        return index in self.graph.outputs or any(index in other.inputs for other in self.graph.operators)


def _camel(name: str) -> str:
    """As the schema's Python classes call a field."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
