"""An ONNX graph, seen in NHWC."""

from typing import Any

import numpy as np

from converter.ops.forms import Shape, Value
from parity.runners.runtimes import Array

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
FED = "fed:"


class OnnxGraph:
    """What an ONNX graph says.

    Attributes:
        inputs: Names of the inputs that are no constants.
        outputs: Names of the outputs.
        values: Name of a computed float value → the network's value; transposed copies have the same.
    """

    def __init__(self, model: Any) -> None:
        from onnx import numpy_helper

        self._model = model
        graph = model.graph
        self.constants = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self.inputs = [entry.name for entry in graph.input if entry.name not in self.constants]
        self._infos = {e.name: e for e in (*graph.input, *graph.output, *graph.value_info)}
        self.outputs = [entry.name for entry in graph.output]
        self.nodes = [node for node in graph.node if node.op_type != "Constant"]
        self.values = {name: Value(name) for name in self.inputs}
        self._nchw: set[str] = set()
        for node in self.nodes:
            self._place(node)

    def _place(self, node: Any) -> None:
        operands = [name for name in node.input if name in self.values]
        is_nchw = bool(operands) and operands[0] in self._nchw
        perm = self.attributes(node).get("perm")
        if node.op_type == "Transpose" and perm == (TO_NHWC if is_nchw else TO_NCHW):
            self.values[node.output[0]] = self.values[operands[0]]
            is_nchw = not is_nchw
        else:
            self.values |= {name: Value(name) for name in node.output if name}
        if is_nchw:
            self._nchw.update(name for name in node.output if len(self.extents(name)) == 4)

    @staticmethod
    def attributes(node: Any) -> dict[str, Any]:
        """A node's attributes as Python values."""
        from onnx import helper

        return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}

    def extents(self, name: str) -> tuple[int, ...]:
        """Extents as stored."""
        info = self._infos.get(name)
        return tuple(d.dim_value for d in info.type.tensor_type.shape.dim) if info else ()

    def shape(self, name: str) -> Shape:
        """Extents as seen, without the batch axis."""
        extents = self.extents(name)
        return tuple(extents[axis] for axis in TO_NHWC[1:]) if name in self._nchw else extents[1:]

    def is_nchw(self, name: str) -> bool:
        """Whether a value is stored with its channels first."""
        return name in self._nchw

    def seen(self, name: str, array: Array) -> Array:
        """A stored array as NHWC."""
        return array.transpose(TO_NHWC) if name in self._nchw else array

    def stored(self, name: str, array: Array) -> Array:
        """The inverse of `seen`."""
        return np.ascontiguousarray(array.transpose(TO_NCHW)) if name in self._nchw else array

    def observed(self, fed: tuple[str, ...]) -> bytes:
        """The model with every float result as an output, in which `fed` values are read from inputs instead."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        renamed = {name: FED + name for name in fed}
        for node in model.graph.node:
            for place, name in enumerate(node.input):
                node.input[place] = renamed.get(name, name)
        float32 = onnx.TensorProto.FLOAT
        for name in fed:
            extents = [extent or None for extent in self.extents(name)]  # 0 is a free one
            model.graph.input.append(onnx.helper.make_tensor_value_info(FED + name, float32, extents))
        del model.graph.output[:]
        for node in self.nodes:
            for name in node.output:
                info = self._infos.get(name)
                if info and info.type.tensor_type.elem_type == float32:
                    model.graph.output.append(info)
        data: bytes = model.SerializeToString()
        return data
