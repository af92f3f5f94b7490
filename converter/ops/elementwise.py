"""Activations and arithmetic on equal or broadcast shapes."""

from converter.ops.layouts import reshaped
from converter.ops.registry import OPS
from converter.ops.steps import Step, Weight
from converter.ops.view import OpView
from converter.tflite.model import Tensor


@OPS.register("RELU")
def relu(op: OpView) -> list[Step]:
    """max(x, 0)."""
    return [Step("ReLU")]


@OPS.register("RELU6")
def relu6(op: OpView) -> list[Step]:
    """min(max(x, 0), 6)."""
    return [Step("ReLU", {"max_value": 6.0})]


@OPS.register("HARD_SWISH")
def hard_swish(op: OpView) -> list[Step]:
    """x · relu6(x + 3) / 6."""
    return [Step("Activation", {"activation": "hard_silu"})]


@OPS.register("LOGISTIC")
def logistic(op: OpView) -> list[Step]:
    """1 / (1 + exp(-x))."""
    return [Step("Activation", {"activation": "sigmoid"})]


@OPS.register("PRELU")
def prelu(op: OpView) -> list[Step]:
    """x, or alpha · x where negative. Alpha is broadcast from the right; its axes of extent 1 are shared."""
    x, alpha = op.computed(0), op.weight(1)
    shape = _per_sample(op, alpha, x)
    shape = (1,) * (len(x.shape) - 1 - len(shape)) + shape
    shared = [axis + 1 for axis, extent in enumerate(shape) if extent == 1]
    fits = all(extent in (1, own) for extent, own in zip(shape, x.shape[1:], strict=True))
    if not fits:
        raise op.unsupported(f"alpha of shape {alpha.shape} does not fit an input of shape {x.shape}")
    return [Step("PReLU", {"shared_axes": shared or None}, {"alpha": Weight(alpha.index, reshaped(shape))})]


@OPS.register("ADD")
def add(op: OpView) -> list[Step]:
    """Sum of two values, or of a value and a constant."""
    return _binary(op, "Add", "BroadcastAdd", "Offset")


@OPS.register("MUL")
def mul(op: OpView) -> list[Step]:
    """Product of two values, or of a value and a constant."""
    return _binary(op, "Multiply", "Multiply", "Scale")


def _binary(op: OpView, layer: str, broadcasting: str, with_constant: str) -> list[Step]:
    constants = [i for i in (0, 1) if op.operand(i).storage is not None]
    if len(constants) == 1:
        computed, constant = op.computed(1 - constants[0]), op.weight(constants[0])
        shape = _per_sample(op, constant, computed)
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
    widened = Step("Reshape", {"target_shape": target}, inputs=(op.op.inputs[low],))
    return [widened, Step(broadcasting, inputs=(op.op.inputs[high], None)), *op.fused_steps()]


def _per_sample(op: OpView, constant: Tensor, x: Tensor) -> tuple[int, ...]:
    """The constant's shape without the batch axis, which must not carry several values."""
    if len(constant.shape) > len(x.shape):
        raise op.unsupported(f"{constant} of shape {constant.shape} has more axes than {x} of shape {x.shape}")
    if len(constant.shape) < len(x.shape):
        return constant.shape
    if constant.shape[0] != 1:
        raise op.unsupported(f"{constant} of shape {constant.shape} has values along the batch axis")
    return constant.shape[1:]
