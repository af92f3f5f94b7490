"""Keras weights back into the file that they came from: the same operators in the same order, names and metadata.

What has not changed comes back bit for bit. Where a layer's place in the file allows it, only the bytes of its
weights are overwritten; the file is taken apart only for sparse weights, which come back dense, for constants that
several layers shared and no longer do, for another storage type, and for layers that the file does not have.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from converter.blueprints.build import blueprint
from converter.blueprints.specs import Blueprint
from converter.errors import CannotExport
from converter.match.audit import Finding, audit, settings
from converter.match.canonical import network_of_blueprint
from converter.match.matching import match
from converter.match.trace import KerasNetwork, keras_network
from converter.ops import records
from converter.ops.forms.emission import UnknownLayer
from converter.ops.node import Node
from converter.tflite.decode import decode
from converter.tflite.model import Model, Op, Tensor
from converter.write.comparison import Comparison
from converter.write.splice import Splicing

if TYPE_CHECKING:
    from converter.ops.steps import Weight

StorageType = Literal["float16", "float32"]
FLOATS: Mapping[str, Any] = {"FLOAT16": np.float16, "FLOAT32": np.float32}


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


def write(
    original: Model | None, model: Any, dtype: StorageType | None = None, *, allow_changes: bool = False
) -> bytes:
    """Write a Keras model as `.tflite`: see `Writer`, in one call."""
    return Writer(original, model, allow_changes=allow_changes).write(dtype)


class Writer:
    """Writes a Keras model into the file that it was made from.

    A model with another head is written as well, as long as one output is still the original's: what has changed
    becomes new operators. Changes that reach every output are as likely a mistake, and have to be allowed.

    Args:
        original: The file, as read; None for a model that comes from none.
        model: A `keras.Model`: converted, or filled by `converter.match.transfer`, then changed and trained.
        allow_changes: Whether the model may differ in what all outputs depend on.

    Attributes:
        changes: Where the model differs from the file, one sentence each.

    Raises:
        CannotExport: The model is another one; the message says which layer.
        UnknownLayer: A layer's place in the graph is unknown.
    """

    def __init__(self, original: Model | None, model: Any, *, allow_changes: bool = False) -> None:
        candidate = keras_network(model)
        _check_types(candidate)
        if candidate.network.loose:
            raise UnknownLayer(f"{candidate.network.loose[0].name}: its place in the graph is unknown")
        self._network = candidate.network
        self._layers = {call.name: call.layer for call in candidate.calls}
        self._original, self._comparison = original, None
        self.changes: tuple[str, ...] = ()
        if original is None:
            return
        plan = blueprint(original.graph)
        ours = network_of_blueprint(plan)
        matching = match(ours, self._network)
        findings = audit(ours, self._network, matching)
        self._comparison = Comparison(plan, ours, self._network, matching, findings)
        self.changes = tuple(_changes(self._comparison, findings))
        if findings:
            self._check(self._comparison, allow_changes=allow_changes)

    def _check(self, comparison: Comparison, *, allow_changes: bool) -> None:
        """Refuse a model that is not the original's."""
        if not allow_changes and not comparison.untouched_outputs():
            more = f" (and {len(self.changes) - 1} more differences)" if len(self.changes) > 1 else ""
            raise CannotExport(
                f"the model is not the original's: {self.changes[0]}{more}",
                hint="`unlite parity ORIGINAL MODEL` shows all of them; allow_changes=True writes the model as it is",
            )
        for i, j in comparison.matching.outputs:
            if i != j:
                name = comparison.ours.outputs[i][0]
                raise CannotExport(f"the model has {name} in another place among its outputs, or not at all")

    def write(self, dtype: StorageType | None = None) -> bytes:
        """The new file.

        Args:
            dtype: How weights are stored; default: each as the original has it, new ones as most of the others.

        Raises:
            CannotExport: A weight has no place in the file; the message says which layer.
            UnknownLayer: A new layer is nothing that could be written.
        """
        if self._original is None or self._comparison is None:
            splicing = Splicing(None, FLOATS[(dtype or "float32").upper()])
            splicing.write_all(self._network, self._values)
            return splicing.pack()
        placed = self.placed()
        if not self.changes:
            return place(self._original, placed, dtype)
        splicing = Splicing(self._original.data, FLOATS[(dtype or _prevailing(self._comparison.plan)).upper()])
        splicing.splice(self._comparison, self._values)
        return _restored(splicing, placed, [_storage_type(each, dtype) for each in placed])

    def placed(self) -> list[Placed]:
        """Every weight of the model that has a place in the file."""
        if self._comparison is None:
            return []
        plan = self._comparison.plan
        return [
            each
            for ours, theirs in self._comparison.kept
            if ours.weights or theirs.weights
            for each in _of_pair(plan, ours, theirs, self._layers)
        ]

    def _values(self, node: Node) -> dict[str, NDArray[np.float32]]:
        return _values(node, self._layers)


def _check_types(candidate: KerasNetwork) -> None:
    import keras

    for tensor in keras.tree.flatten(candidate.arguments):
        if tensor.dtype != "float32":
            raise CannotExport(f"input {tensor.name} is {tensor.dtype}; only float32 models can be written")
    for call in candidate.calls:
        if getattr(call.layer, "compute_dtype", "float32") != "float32":
            raise CannotExport(
                f"{call.name} computes in {call.layer.compute_dtype}; only float32 models can be written",
                hint="build the model with the dtype policy float32, and copy the weights",
            )


def _changes(comparison: Comparison, findings: Sequence[Finding]) -> Iterable[str]:
    """The findings, with one for both where something stands for what the audit found no partner for."""
    replaced = {id(node) for node in comparison.partners.values()}
    for finding in findings:
        partner = comparison.partners.get(id(finding.theirs))
        if partner and finding.ours is None and finding.theirs:
            yield f"{finding.theirs.name}: {'; '.join(settings(partner, finding.theirs)) or 'it reads something else'}"
        elif finding.theirs or finding.ours is None or id(finding.ours) not in replaced:
            yield finding.message


def _prevailing(plan: Blueprint) -> str:
    """How most of the file's weights are stored."""
    stored = [tensor.storage.dtype for _, _, tensor, _ in plan.weights() if tensor.storage]
    return "float16" if stored.count("FLOAT16") > len(stored) / 2 else "float32"


def _of_pair(plan: Blueprint, ours: Node, theirs: Node, layers: Mapping[str, Any]) -> Iterable[Placed]:
    values = _values(theirs, layers)
    for name, slot in ours.weights.items():
        weight: Weight = slot.holder
        tensor = plan.graph.tensors[weight.tensor]
        if name not in values and not decode(tensor).any():  # a bias of zeros that the model does without
            continue
        made = values.pop(name) if name in values else np.zeros(slot.shape, np.float32)
        if made.shape != slot.shape:
            raise CannotExport(f"{theirs.name}: {name} has shape {made.shape}, the file's {tensor} {slot.shape}")
        yield Placed(ours.origin.op, tensor, weight.layout.to_tflite(made, tensor.shape), theirs.name)
    for name, left in values.items():
        if np.any(left):
            raise CannotExport(f"{theirs.name}: {ours.origin.op} of the file has no place for its {name}")


def _values(node: Node, layers: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """A layer's weights in Keras's axis order, with its batch normalization folded in."""
    from keras import ops

    if node.kind == "batch_norm":  # behind nothing that could take it in
        return dict(zip(("scale", "shift"), _scale_and_shift(layers[node.name]), strict=True))
    values = {
        name: np.asarray(ops.convert_to_numpy(slot.holder), np.float32)
        for name, slot in node.weights.items()
        if not name.startswith("batch_norm/")
    }
    if "batch_norm" not in node.config:
        return values
    scale, shift = _scale_and_shift(layers[node.config["batch_norm"]])
    axes = records.kind(node.kind).scaled_axes
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
    return _restored(Splicing(original.data, np.float32), placed, kinds)


def _storage_type(each: Placed, dtype: StorageType | None) -> str:
    stored = each.tensor.storage.dtype if each.tensor.storage else "nothing"
    if dtype is None and stored not in FLOATS:
        raise CannotExport(
            f"{each.tensor} of {each.op} is stored as {stored}", hint="dtype='float32' or 'float16' stores it so"
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
            hint="dtype='float32' has room for it",
        )
    return stored.tobytes()


def _restored(file: Splicing, placed: Sequence[Placed], kinds: Sequence[str]) -> bytes:
    """A file taken apart, with its weights in other places."""
    first: dict[int, bytes] = {}
    moved: dict[tuple[int, bytes], int] = {}  # operand and content → the operand that has it now
    for each, kind in zip(placed, kinds, strict=True):
        index, content = each.tensor.index, _encode(each, kind)
        if (index, content) not in moved:
            is_first = first.setdefault(index, content) == content
            moved[index, content] = file.stored(index if is_first else file.twin(index), kind, content)
        file.reads(file.originals[each.op.index], index, moved[index, content])
    file.drop_what_nobody_reads()
    return file.pack()
