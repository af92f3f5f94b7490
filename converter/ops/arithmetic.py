"""Sums and products: of two values, of a value and a constant, and what is left of a batch normalization."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from converter.ops.forms import Emission, OpView, Part, Shape, Step, View, Weight
from converter.ops.forms.layouts import reshaped
from converter.ops.records import Kind, Layer, Operator, record


def _binary(op: OpView, layer: str, broadcasting: str, with_constant: str) -> list[Step]:
    constants = [i for i in (0, 1) if op.operand(i).storage is not None]
    if len(constants) == 1:
        computed, constant = op.computed(1 - constants[0]), op.weight(constants[0])
        shape = op.per_sample(constant, computed)
        # A vector along the channels is what batch normalization leaves behind, and is learned. Any other
        # constant was written by hand (a unit conversion, a mask), and stays as it is.
        is_learned = constant.size > 1 and constant.size == computed.shape[-1] == shape[-1]
        weights = {"value": Weight(constant.index, reshaped(shape), is_learned)}
        return [Step(with_constant, {"shape": shape, "trainable": is_learned}, weights), *op.fused_steps()]
    shapes = [op.computed(i).shape for i in (0, 1)]
    if shapes[0] == shapes[1]:
        return [Step(layer), *op.fused_steps()]
    ranks = [len(shape) for shape in shapes]
    if not all(ranks) or shapes[0][0] != shapes[1][0] or (ranks[0] != ranks[1] and shapes[0][0] != 1):
        raise op.unsupported(f"operands of shapes {shapes[0]} and {shapes[1]} mix the batch axis with others")
    if ranks[0] == ranks[1]:
        return [Step(broadcasting), *op.fused_steps()]
    # TFLite broadcasts from the right, Keras's merging layers from the left: give the shorter one its axes.
    low, high = (0, 1) if ranks[0] < ranks[1] else (1, 0)
    target = (1,) * (ranks[high] - ranks[low]) + shapes[low][1:]
    widened = Step("Reshape", {"target_shape": target}, inputs=(op.op.inputs[low],), shape=target)
    return [widened, Step(broadcasting, inputs=(op.op.inputs[high], None)), *op.fused_steps()]


def _broadcast(_: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    """From the right; where both are known, one of two extents is 1, or they are the same."""
    made: list[int | None] = []
    for extents in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):
        wide = {extent for extent in extents if extent != 1}
        if len(wide - {None}) > 1:
            raise ValueError(f"shapes {', '.join(map(str, shapes))} cannot be broadcast together")
        made.append(max(wide, key=lambda extent: extent is not None) if wide else 1)
    return [tuple(made[::-1])]


def _with_constant(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[Shape]:
    return _broadcast(config, [*shapes, config["shape"]])


def _batch_norm_parts(view: View) -> list[Part]:
    names = ["gamma"] * bool(view.config.get("scale", True)) + ["beta"] * bool(view.config.get("center", True))
    names += ["moving_mean", "moving_variance"]
    axis, rank = view.config.get("axis", -1), len(view.inputs[0]) + 1
    config = {"epsilon": view.config.get("epsilon", 1e-3), "axis": -1 if axis == rank - 1 else axis}
    return [Part("batch_norm", config, dict(zip(names, names, strict=True)))]


def _emit(e: Emission, operator: str) -> None:
    first, *others = e.inputs if len(e.inputs) > 1 else (*e.inputs, _number(e))
    for operand in others[:-1]:
        first = e.between(operator, e.shape, first, operand)
    e.op(operator, first, others[-1])


def _number(e: Emission) -> int:
    """The number or array that a value is added to or multiplied with: `x * 2.0`."""
    import numpy as np

    given = [arg for arg in e.node.origin.args if isinstance(arg, (int, float, np.ndarray, np.generic))]
    if len(e.inputs) != 1 or len(given) != 1:
        raise e.unknown(f"of {len(e.inputs)} computed operands")
    return e.weight("value", np.atleast_1d(np.asarray(given[0], np.float32)))


def _emit_batch_norm(e: Emission) -> None:
    if e.config["axis"] != -1:
        raise e.unknown(f"over axis {e.config['axis']}")
    scaled = e.between("MUL", e.shape, e.inputs[0], e.weight("scale"))
    e.op("ADD", scaled, e.weight("shift"))


record(
    Kind("add", lambda e: _emit(e, "ADD"), is_commutative=True),
    Operator("ADD", lambda op: _binary(op, "Add", "BroadcastAdd", "Offset"), "AddOptions", takes_activation=True),
    Layer("Add", lambda _: [Part("add", {})], shapes=_broadcast, exported_as=("add", "AddV2"), any_size=True),
    Layer("BroadcastAdd", lambda _: [Part("add", {})], shapes=_broadcast, any_size=True),
)
record(
    Kind("multiply", lambda e: _emit(e, "MUL"), is_commutative=True),
    Operator("MUL", lambda op: _binary(op, "Multiply", "Multiply", "Scale"), "MulOptions", takes_activation=True),
    Layer("Multiply", lambda _: [Part("multiply", {})], shapes=_broadcast, exported_as=("mul", "Mul"), any_size=True),
)
record(
    Kind("Offset", lambda e: e.op("ADD", e.inputs[0], e.weight("value")), family="add"),
    Layer("Offset", weights=("value",), shapes=_with_constant),
)
record(
    Kind("Scale", lambda e: e.op("MUL", e.inputs[0], e.weight("value")), family="multiply"),
    Layer("Scale", weights=("value",), shapes=_with_constant),
)
record(
    Kind("batch_norm", _emit_batch_norm), Layer("BatchNormalization", _batch_norm_parts, any_size=True, in_head=True)
)
record(None, Operator("SUB", takes_activation=True, one_way="no file has needed it yet: only its activation is known"))
