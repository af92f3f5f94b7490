"""Functions of one number, and PReLU."""

import struct
from collections.abc import Callable
from math import inf

from converter.ops.forms import Emission, OpView, Part, Step, View, Weight, activation_parts
from converter.ops.forms.layouts import reshaped
from converter.ops.records import Kind, Layer, Operator, record

LEAKY = "leaky_relu"
# Keras's function → the operator that it is.
WRITTEN_AS = {"gelu": "GELU"}


def _function(step: Step, **settings: float) -> Callable[[OpView], list[Step]]:
    """How to read an operator that is one layer, as long as it has these settings."""

    def lower(op: OpView) -> list[Step]:
        op.alone()
        for name, value in settings.items():
            if op.option(name) != value:
                raise op.unsupported(f"{name} is {op.option(name)}, and {step.config['activation']} has {value}")
        return [step]

    return lower


def softmax(op: OpView) -> list[Step]:
    """Along the last axis."""
    if len(op.computed(0).shape) < 2:
        raise op.unsupported("it normalizes along the batch axis")
    return _function(_named("softmax"), beta=1.0)(op)


def leaky_relu(op: OpView) -> list[Step]:
    """x, or alpha · x where negative."""
    op.alone()
    if not 0 <= op.option("alpha") < inf:
        raise op.unsupported(f"its slope is {op.option('alpha')}; Keras's LeakyReLU takes 0 and more")
    return [Step("LeakyReLU", {"negative_slope": op.option("alpha")})]


def prelu(op: OpView) -> list[Step]:
    """x, or alpha · x where negative. Alpha is broadcast from the right; its axes of extent 1 are shared."""
    x, alpha = op.computed(0), op.weight(1)
    shape = op.per_sample(alpha, x)
    shape = (1,) * (len(x.shape) - 1 - len(shape)) + shape
    shared = [axis + 1 for axis, extent in enumerate(shape) if extent == 1]
    if not all(extent in (1, own) for extent, own in zip(shape, x.shape[1:], strict=True)):
        raise op.unsupported(f"alpha of shape {alpha.shape} does not fit an input of shape {x.shape}")
    return [Step("PReLU", {"shared_axes": shared or None}, {"alpha": Weight(alpha.index, reshaped(shape))})]


def _named(function: str) -> Step:
    return Step("Activation", {"activation": function})


def _relu_parts(view: View) -> list[Part]:
    ceiling = 6.0 if view.layer == "Relu6" else view.config.get("max_value")
    default = 0.3 if view.layer == "LeakyReLU" else 0.2 if view.layer == "LeakyRelu" else 0.0
    slope = float(view.config.get("negative_slope", default) or 0)
    threshold = float(view.config.get("threshold", 0) or 0)
    name = "relu" if not slope else f"{LEAKY}({_shortest(slope)})"
    if ceiling is not None:
        name = "relu6" if (float(ceiling), slope) == (6.0, 0.0) else f"{name} up to {ceiling:g}"
    if threshold:
        name = f"{name} from {threshold:g}"
    return [Part("activation", {"function": name})]


def _shortest(number: float) -> str:
    """The fewest digits that are the same number in float32, as files have it."""
    texts = (f"{number:.{digits}g}" for digits in range(6, 10))
    return next(text for text in texts if struct.pack("f", float(text)) == struct.pack("f", number))


def _parts_with_setting(view: View) -> list[Part]:
    """Activations that have a setting: the default one needs no telling."""
    axis, rank = view.config.get("axis", -1), len(view.inputs[0]) + 1 if view.inputs else 0
    names = {
        "elu": "" if view.config.get("alpha", 1.0) == 1 else f"({view.config['alpha']:g})",
        "softmax": "" if axis in (-1, rank - 1) else f" over {axis}",
        "gelu": " (approximate)" if view.config.get("approximate") else "",
    }
    name = view.layer.lower()
    return [Part("activation", {"function": name + names[name]})]


def _parts_of(function: str) -> Callable[[View], list[Part]]:
    return lambda _: [Part("activation", {"function": function})]


def _prelu_parts(view: View) -> list[Part]:
    return [Part("prelu", {"shared_axes": tuple(view.config.get("shared_axes") or ())}, {"alpha": "alpha"})]


def _emit(e: Emission) -> None:
    name = e.config["function"]
    if name == "softmax":
        e.op("SOFTMAX", e.inputs[0], beta=1.0)
    elif name.startswith(f"{LEAKY}(") and name.endswith(")"):
        e.op("LEAKY_RELU", e.inputs[0], alpha=float(name[len(LEAKY) + 1 : -1]))
    elif name in WRITTEN_AS:
        e.op(WRITTEN_AS[name], e.inputs[0])
    else:
        raise e.unknown(name)


def _unary(operator: str, function: str, step: Step | None = None, *, fuses: bool = False) -> Operator:
    """An operator without settings that is a function of Keras's, in either direction."""
    WRITTEN_AS[function] = operator
    return Operator(operator, _function(step or _named(function)), fused_as=function if fuses else "")


record(
    Kind("activation", _emit),
    _unary("RELU", "relu", Step("ReLU"), fuses=True),
    _unary("RELU6", "relu6", Step("ReLU", {"max_value": 6.0}), fuses=True),
    _unary("RELU_N1_TO_1", "hard_tanh", fuses=True),
    _unary("LOGISTIC", "sigmoid"),
    _unary("TANH", "tanh"),
    _unary("HARD_SWISH", "hard_silu"),
    _unary("ELU", "elu"),
    Operator("GELU", _function(_named("gelu"), approximate=False), "GeluOptions"),
    Operator("LEAKY_RELU", leaky_relu, "LeakyReluOptions"),
    Operator("SOFTMAX", softmax, "SoftmaxOptions"),
    Layer(
        "Activation",
        lambda view: activation_parts(view.config["activation"]),
        exported_as=("Sigmoid", "Tanh", "Relu", "Relu6"),
        any_size=True,
        in_head=True,
    ),
    Layer("ReLU", _relu_parts, exported_as=("Relu", "Relu6", "clip_by_value"), any_size=True, per_channel=True),
    *(Layer(name, _relu_parts, any_size=True) for name in ("LeakyReLU", "Relu")),
    *(Layer(name, _relu_parts) for name in ("Relu6", "LeakyRelu")),
    *(Layer(name, _parts_with_setting) for name in ("ELU", "Elu", "Softmax", "Gelu")),
    *(Layer(name, _parts_of(name.lower())) for name in ("Sigmoid", "Tanh", "Silu", "Softplus")),
    Layer("HardTanh", _parts_of("hard_tanh")),
    Layer("HardSilu", _parts_of("hard_silu")),
)
record(
    Kind("prelu", lambda e: e.op("PRELU", e.inputs[0], e.weight("alpha")), family="activation"),
    Operator("PRELU", prelu),
    Layer("PReLU", _prelu_parts, any_size=True),
)
