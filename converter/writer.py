"""Keras weights back into the file that they came from: the same operators in the same order, names and metadata.

What has not changed comes back bit for bit. Where a layer's place in the file allows it, only the bytes of its
weights are overwritten; the file is taken apart only for sparse weights, which come back dense, for constants that
several layers shared and no longer do, and for another storage type.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.audit import audit
from converter.blueprint import blueprint
from converter.errors import CannotExport
from converter.graph import Model, Op, Tensor
from converter.keras_network import keras_network
from converter.matching import Match, match
from converter.network import Node
from converter.networks import network_of_blueprint
from converter.passes import STORAGE_OPS
from converter.rewrite import Editable
from converter.specs import Blueprint, Weight

StorageType = Literal["float16", "float32"]
FLOATS: Mapping[str, Any] = {"FLOAT16": np.float16, "FLOAT32": np.float32}
# Where a kernel in Keras's axis order has its output channels, which batch normalization scales.
OUTPUT_AXES = {"conv": (-1,), "dense": (-1,), "conv_transpose": (-2,), "depthwise": (-2, -1)}


@dataclass(frozen=True, slots=True)
class Placed:
    """One weight on its way back.

    Attributes:
        op: Operator of the file that reads it.
        tensor: The operand, as the operator sees it.
        values: In the file's axis order.
        layer: Where it comes from.
    """

    op: Op
    tensor: Tensor
    values: NDArray[np.float32]
    layer: str


def write(original: Model, model: Any, dtype: StorageType | None = None) -> bytes:
    """Write a Keras model's weights into the file that it was made from.

    Args:
        original: The file, as read.
        model: A `keras.Model` of the same architecture: converted, or filled by `converter.transfer`, then trained.
        dtype: How weights are stored; default: each as the original has it.

    Returns:
        The new file.

    Raises:
        CannotExport: The model is another one, or a weight has no place in the file; the message says which layer.
    """
    placed = collect(blueprint(original.graph), model)
    return place(original, placed, dtype)


def collect(plan: Blueprint, model: Any) -> list[Placed]:
    """Every weight of a model and its place in the file.

    Args:
        plan: The file's.
        model: See `write`.

    Raises:
        CannotExport: See `write`.
    """
    ours, candidate = network_of_blueprint(plan), keras_network(model)
    matching = match(ours, candidate.network)
    findings = audit(ours, candidate.network, matching)
    if findings:
        more = f" (and {len(findings) - 1} more differences)" if len(findings) > 1 else ""
        raise CannotExport(
            f"the model is not the original's: {findings[0].message}{more}",
            hint="`unlite parity ORIGINAL MODEL` shows all of them",
        )
    layers = {call.name: call.layer for call in candidate.calls}
    placed: list[Placed] = []
    for pair in matching.matches:
        if pair.ours and pair.theirs and (pair.ours.weights or pair.theirs.weights):
            placed += _of_pair(plan, pair, layers)
    return placed


def _of_pair(plan: Blueprint, pair: Match, layers: Mapping[str, Any]) -> Iterable[Placed]:
    ours, theirs = pair.node, pair.theirs or pair.node
    values = _values(theirs, layers)
    for name, slot in ours.weights.items():
        weight: Weight = slot.holder
        tensor = plan.graph.tensors[weight.tensor]
        if name not in values:  # a bias that is all zeros in the file, and that the model does without
            continue
        made = values.pop(name)
        if made.shape != slot.shape:
            raise CannotExport(f"{theirs.name}: {name} has shape {made.shape}, the file's {tensor} {slot.shape}")
        yield Placed(ours.origin.op, tensor, weight.layout.to_tflite(made, tensor.shape), theirs.name)
    for name, left in values.items():
        if np.any(left):
            raise CannotExport(f"{theirs.name}: {ours.origin.op} of the file has no place for its {name}")


def _values(node: Node, layers: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """A layer's weights in Keras's axis order, with its batch normalization folded in."""
    from keras import ops

    values = {
        name: np.asarray(ops.convert_to_numpy(slot.holder), np.float32)
        for name, slot in node.weights.items()
        if not name.startswith("batch_norm/")
    }
    if "batch_norm" not in node.config:
        return values
    scale, shift = _scale_and_shift(layers[node.config["batch_norm"]])
    axes = OUTPUT_AXES[node.kind]
    extents = [values["kernel"].shape[axis] for axis in axes]
    shape = [1] * values["kernel"].ndim
    for axis, extent in zip(axes, extents, strict=True):
        shape[axis] = extent
    values["kernel"] = values["kernel"] * scale.reshape(shape)
    bias = values.get("bias", np.zeros_like(shift))
    values["bias"] = (bias * scale.reshape(bias.shape) + shift.reshape(bias.shape)).astype(np.float32)
    return values


def _scale_and_shift(layer: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a batch normalization multiplies by and adds, as the back end computes it: exactly 1 stays exactly 1."""
    from keras import ops

    channels = layer.moving_mean.shape[0]
    one, zero = np.ones((1, channels), np.float32), np.zeros((1, channels), np.float32)
    weights = [None if w is None else ops.convert_to_tensor(w) for w in (layer.beta, layer.gamma)]

    def run(x: NDArray[np.float32], mean: Any, offset: Any) -> NDArray[np.float32]:
        made = ops.batch_normalization(
            x, mean, layer.moving_variance, axis=-1, offset=offset, scale=weights[1], epsilon=layer.epsilon
        )
        return np.asarray(ops.convert_to_numpy(made)[0], np.float32)

    return run(one, zero[0], None), run(zero, layer.moving_mean, weights[0])


def place(original: Model, placed: Sequence[Placed], dtype: StorageType | None = None) -> bytes:
    """Put weights into the file.

    Args:
        original: The file.
        placed: Weights; what is not among them stays.
        dtype: See `write`.

    Raises:
        CannotExport: A weight does not fit the storage type, or is stored quantized.
    """
    kinds = [_storage_type(each, dtype) for each in placed]
    encoded = [_encode(each, kind) for each, kind in zip(placed, kinds, strict=True)]
    patched = bytearray(original.data)
    base = np.frombuffer(original.data, np.uint8).ctypes.data
    written: dict[int, bytes] = {}
    for each, kind, content in zip(placed, kinds, encoded, strict=True):
        storage = each.tensor.storage
        if storage is None or storage.sparsity or storage.dtype != kind:
            break
        start = np.frombuffer(storage.data, np.uint8).ctypes.data - base
        if written.setdefault(start, content) != content:  # shared until now
            break
        patched[start : start + len(content)] = content
    else:
        return bytes(patched)
    return _Restored(original).with_weights(placed, kinds, encoded)


def _storage_type(each: Placed, dtype: StorageType | None) -> str:
    stored = each.tensor.storage.dtype if each.tensor.storage else "nothing"
    if dtype is None and stored not in FLOATS:
        raise CannotExport(
            f"{each.tensor} of {each.op} is stored as {stored}", hint="--dtype float32 or float16 stores it so"
        )
    return dtype.upper() if dtype else stored


def _encode(each: Placed, kind: str) -> bytes:
    if not np.isfinite(each.values).all():
        raise CannotExport(f"{each.layer}: weights for {each.tensor} are not finite")
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(each.values.astype(FLOATS[kind]))
    if not np.isfinite(stored).all():
        raise CannotExport(
            f"{each.layer}: a weight of {np.abs(each.values).max():.3g} is too large for {kind.lower()}",
            hint="--dtype float32 has room for it",
        )
    return stored.tobytes()


class _Restored(Editable):
    """The file taken apart, with its weights in other places."""

    def __init__(self, original: Model) -> None:
        super().__init__(original.data)
        self._codes = {
            name: number
            for number, code in enumerate(self.model.operatorCodes)
            for name in STORAGE_OPS
            if max(code.builtinCode, code.deprecatedBuiltinCode) == getattr(self.schema.BuiltinOperator, name)
        }
        self._operators = list(self.graph.operators)  # by their indices in the original

    def with_weights(self, placed: Sequence[Placed], kinds: Sequence[str], encoded: Sequence[bytes]) -> bytes:
        """The new file."""
        first: dict[int, bytes] = {}
        moved: dict[tuple[int, bytes], int] = {}  # operand and content → the operand that has it now
        for each, kind, content in zip(placed, kinds, encoded, strict=True):
            index = each.tensor.index
            if first.setdefault(index, content) == content:
                if (index, content) not in moved:
                    moved[index, content] = self._stored(index, kind, content)
            elif (index, content) not in moved:
                moved[index, content] = self._stored(self._twin(index), kind, content)
            self._reads(self._operators[each.op.index], index, moved[index, content])
        self._drop_what_nobody_reads()
        return self.pack()

    def _stored(self, index: int, kind: str, content: bytes) -> int:
        """Store a constant, dense and of this type; gives the tensor that operators read."""
        root, chain = self._chain(index)
        tensor = self.graph.tensors[root]
        tensor.sparsity, tensor.type = None, getattr(self.schema.TensorType, kind)
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(content, np.uint8)
        self.model.buffers.append(buffer)
        tensor.buffer = len(self.model.buffers) - 1
        dequantize = next((op for op in chain if op.opcodeIndex == self._codes.get("DEQUANTIZE")), None)
        if kind == "FLOAT32":
            return root
        if dequantize is None:
            return self._dequantized(root)
        dequantize.inputs = [root]
        return int(dequantize.outputs[0])

    def _chain(self, index: int) -> tuple[int, list[Any]]:
        """The constant that an operand is made of, and the operators that make it, last first."""
        producers = {int(op.outputs[0]): op for op in self.graph.operators if self._is_storage(op)}
        chain = []
        while index in producers:
            chain.append(producers[index])
            index = int(producers[index].inputs[0])
        return index, chain

    def _twin(self, index: int) -> int:
        """A copy of a constant and of what makes the operand of it."""
        root, chain = self._chain(index)
        made = self._copy_of(root)
        for op in reversed([op for op in chain if op.opcodeIndex == self._codes.get("DEQUANTIZE")]):
            twin = copy.copy(op)
            twin.inputs, twin.outputs = [made], [self._copy_of(int(op.outputs[0]))]
            self.graph.operators.insert(self._position(op) + 1, twin)
            made = twin.outputs[0]
        return made

    def _dequantized(self, root: int) -> int:
        """An operand made of a float16 constant that was float32 before."""
        names = self.schema
        if "DEQUANTIZE" not in self._codes:
            code = names.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = names.BuiltinOperator.DEQUANTIZE
            code.version = 3  # the first that takes float16
            self.model.operatorCodes.append(code)
            self._codes["DEQUANTIZE"] = len(self.model.operatorCodes) - 1
        op = names.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = self._codes["DEQUANTIZE"], [root], [self._copy_of(root)]
        made = self.graph.tensors[op.outputs[0]]
        made.type, made.buffer = names.TensorType.FLOAT32, 0
        made.name += b"_dequantize"
        self.graph.operators.insert(0, op)
        return int(op.outputs[0])

    def _copy_of(self, index: int) -> int:
        self.graph.tensors.append(copy.copy(self.graph.tensors[index]))
        return len(self.graph.tensors) - 1

    def _position(self, op: Any) -> int:
        return next(number for number, other in enumerate(self.graph.operators) if other is op)

    @staticmethod
    def _reads(op: Any, before: int, after: int) -> None:
        op.inputs = np.array([after if index == before else index for index in op.inputs], np.int32)

    def _drop_what_nobody_reads(self) -> None:
        """Storage operators without a reader, and the content of buffers without a tensor; indices stay."""
        while idle := [id(op) for op in self.graph.operators if self._is_storage(op) and not self._is_read(op)]:
            self.graph.operators = [op for op in self.graph.operators if id(op) not in idle]
        ends = [*self.graph.inputs, *self.graph.outputs]
        ends += [index for op in self.graph.operators for index in (*op.inputs, *op.outputs) if index >= 0]
        used = {0, *(entry.buffer for entry in self.model.metadata or [])}
        used |= {self.graph.tensors[index].buffer for index in ends}
        for number, buffer in enumerate(self.model.buffers):
            if number not in used:
                buffer.data = None

    def _is_storage(self, op: Any) -> bool:
        return op.opcodeIndex in self._codes.values()

    def _is_read(self, op: Any) -> bool:
        made = int(op.outputs[0])
        return made in self.graph.outputs or any(made in other.inputs for other in self.graph.operators)
