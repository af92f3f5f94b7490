"""Keras layers in comparable form: several ways to write the same step end in the same kind and settings.

One function per group of layers, as in `converter.ops`; what has none keeps its class name and its own settings.
The file's side (`LayerSpec`) and the user's (`get_config()`) speak the same language, so both pass through here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.ops.node import Shape

Pair = tuple[int, int]

# Settings that say nothing about what is computed (in inference).
HOUSEKEEPING = ("name", "dtype", "trainable", "data_format", "build_config")
HOUSEKEEPING_ENDINGS = ("_initializer", "_regularizer", "_constraint")
# Layers that hand on what they get, in inference.
IDENTITIES = frozenset(
    {"Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"}
    | {"Identity", "ConvertToTensor", "StopGradient"}
    | {f"Random{what}" for what in ("Brightness", "Contrast", "Flip", "Rotation", "Translation", "Zoom")}
)
ALIASES = {"hard_swish": "hard_silu", "swish": "silu", "HardSwish": "hard_silu"}


@dataclass(frozen=True, slots=True)
class Part:
    """One step of a layer.

    Attributes:
        weights: The node's name for a weight → the layer's.
        channels: Of its result, where they are not the layer's.
    """

    kind: str
    config: Mapping[str, Any]
    weights: Mapping[str, str] = field(default_factory=dict)
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A layer as a function of this module sees it; shapes are without the batch axis."""

    layer: str
    config: Mapping[str, Any]
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]

    def pair(self, name: str, default: int = 1) -> Pair:
        """A setting given as a number or as (height, width)."""
        return _pair(self.config.get(name, default))

    def pads(self, window: Pair, strides: Pair, dilation: Pair = (1, 1)) -> tuple[Pair, Pair]:
        """((top, bottom), (left, right)) that `padding` comes to here; TensorFlow puts the odd pixel last."""
        given = self.config.get("padding", "valid")
        if not isinstance(given, str):
            return _pair(given[0]), _pair(given[1])
        return pads_of(given, self.inputs[0], window, strides, dilation)


def pads_of(mode: str, shape: Shape, window: Pair, strides: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """((top, bottom), (left, right)) that `same` or `valid` comes to; TensorFlow puts the odd pixel last."""
    pads = []
    for extent, k, s, d in zip(shape[:2], window, strides, dilation, strict=True):
        reach = (k - 1) * d + 1
        total = max((-(-extent // s) - 1) * s + reach - extent, 0) if mode == "same" and extent else 0
        pads.append((total // 2, total - total // 2))
    return pads[0], pads[1]


Form = Callable[[View], list[Part]]
FORMS: dict[str, Form] = {}


def form(*layers: str) -> Callable[[Form], Form]:
    """Decorator: this function knows these layers (or `keras.ops` operations) by class name."""

    def add(function: Form) -> Form:
        FORMS.update(dict.fromkeys(layers, function))
        return function

    return add


def parts(view: View) -> list[Part]:
    """A layer's steps; none if it only hands on what it gets."""
    if view.layer in IDENTITIES:
        return []
    if view.layer in FORMS:
        return FORMS[view.layer](view)
    return [Part(view.layer, _settings(view.config), _weights(view))]


def _weights(view: View) -> dict[str, str]:
    return {"value": "value"} if view.layer in ("Scale", "Offset") else {}


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _plain(value)
        for name, value in config.items()
        if name not in HOUSEKEEPING and not name.endswith(HOUSEKEEPING_ENDINGS)
    }


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _pair(value: Any) -> Pair:
    if isinstance(value, int):
        return value, value
    first, second = value
    return int(first), int(second)


def activation(given: Any) -> list[Part]:
    """An `activation` argument as a step of its own; none if it is linear."""
    if isinstance(given, Mapping):  # a serialized object or function
        settings = given.get("config")
        if given.get("class_name") in FORMS and isinstance(settings, Mapping):
            return FORMS[given["class_name"]](View(given["class_name"], settings, (), ()))
        given = settings if isinstance(settings, str) else given.get("class_name", "unknown")
    name = str(given or "linear")
    return [] if name == "linear" else [Part("activation", {"function": ALIASES.get(name, name)})]


@form("Activation")
def _activation(view: View) -> list[Part]:
    return activation(view.config["activation"])


@form("ReLU", "Relu", "Relu6", "LeakyReLU", "LeakyRelu")
def _relu(view: View) -> list[Part]:
    ceiling = 6.0 if view.layer == "Relu6" else view.config.get("max_value")
    default = 0.3 if view.layer == "LeakyReLU" else 0.2 if view.layer == "LeakyRelu" else 0.0
    slope = float(view.config.get("negative_slope", default) or 0)
    threshold = float(view.config.get("threshold", 0) or 0)
    name = "relu" if not slope else f"leaky_relu({slope:g})"
    if ceiling is not None:
        name = "relu6" if (float(ceiling), slope) == (6.0, 0.0) else f"{name} up to {ceiling:g}"
    if threshold:
        name = f"{name} from {threshold:g}"
    return [Part("activation", {"function": name})]


@form("ELU", "Elu", "Softmax", "Gelu")
def _with_setting(view: View) -> list[Part]:
    """Activations that have a setting: the default one needs no telling."""
    axis, rank = view.config.get("axis", -1), len(view.inputs[0]) + 1 if view.inputs else 0
    names = {
        "elu": "" if view.config.get("alpha", 1.0) == 1 else f"({view.config['alpha']:g})",
        "softmax": "" if axis in (-1, rank - 1) else f" over {axis}",
        "gelu": " (approximate)" if view.config.get("approximate") else "",
    }
    name = view.layer.lower()
    return [Part("activation", {"function": name + names[name]})]


@form("Sigmoid", "Tanh", "HardTanh", "Silu", "HardSilu", "Softplus")
def _named_activation(view: View) -> list[Part]:
    names = {"HardTanh": "hard_tanh", "HardSilu": "hard_silu"}
    return [Part("activation", {"function": names.get(view.layer, view.layer.lower())})]


@form("PReLU")
def _prelu(view: View) -> list[Part]:
    return [Part("prelu", {"shared_axes": tuple(view.config.get("shared_axes") or ())}, {"alpha": "alpha"})]


def _convolution(view: View, kind: str, extra: Mapping[str, Any], kernel: str = "kernel") -> Part:
    size, strides, dilation = view.pair("kernel_size"), view.pair("strides"), view.pair("dilation_rate")
    config = {"kernel_size": size, "strides": strides, "dilation_rate": dilation, **extra}
    config["padding"] = view.pads(size, strides, dilation)
    return Part(kind, config, {"kernel": kernel} | _bias(view))


def _bias(view: View) -> dict[str, str]:
    return {"bias": "bias"} if view.config.get("use_bias", True) else {}


@form("Conv2D")
def _conv(view: View) -> list[Part]:
    made = _convolution(view, "conv", {"groups": view.config.get("groups", 1)})
    return [made, *activation(view.config.get("activation"))]


@form("DepthwiseConv2D")
def _depthwise(view: View) -> list[Part]:
    made = _convolution(view, "depthwise", {"depth_multiplier": view.config.get("depth_multiplier", 1)})
    return [made, *activation(view.config.get("activation"))]


@form("SeparableConv2D")
def _separable(view: View) -> list[Part]:
    extra = {"depth_multiplier": view.config.get("depth_multiplier", 1)}
    depthwise = _convolution(view, "depthwise", extra, "depthwise_kernel")
    channels = (view.inputs[0][-1] or 0) * extra["depth_multiplier"]
    pointwise = {"kernel_size": (1, 1), "strides": (1, 1), "dilation_rate": (1, 1), "groups": 1}
    return [
        Part("depthwise", depthwise.config, {"kernel": "depthwise_kernel"}, channels or None),
        Part("conv", pointwise | {"padding": ((0, 0), (0, 0))}, {"kernel": "pointwise_kernel"} | _bias(view)),
        *activation(view.config.get("activation")),
    ]


@form("Conv2DTranspose")
def _conv_transpose(view: View) -> list[Part]:
    size, strides = view.pair("kernel_size"), view.pair("strides")
    crops = []
    for axis in range(2):
        before, after = view.inputs[0][axis], view.outputs[0][axis]
        full = ((before or 1) - 1) * strides[axis] + max(size[axis], strides[axis])
        total = full - (after or full)
        crops.append((total // 2, total - total // 2))
    config: dict[str, Any] = {"kernel_size": size, "strides": strides, "cropping": tuple(crops)}
    if view.pair("dilation_rate") != (1, 1):
        config["dilation_rate"] = view.pair("dilation_rate")
    if view.config.get("output_padding") is not None:  # then what is cropped in front is another share
        config["output_padding"] = view.pair("output_padding")
    made = Part("conv_transpose", config, {"kernel": "kernel"} | _bias(view))
    return [made, *activation(view.config.get("activation"))]


@form("Dense")
def _dense(view: View) -> list[Part]:
    made = Part("dense", {"units": view.config["units"]}, {"kernel": "kernel"} | _bias(view))
    return [made, *activation(view.config.get("activation"))]


@form("MaxPooling2D", "AveragePooling2D", "PaddedAveragePooling2D")
def _pool(view: View) -> list[Part]:
    size = view.pair("pool_size", 2)
    strides = view.pair("strides") if view.config.get("strides") else size
    kind = "max_pool" if view.layer == "MaxPooling2D" else "average_pool"
    return [Part(kind, {"pool_size": size, "strides": strides, "padding": view.pads(size, strides)})]


@form("GlobalAveragePooling2D", "Mean")
def _mean(view: View) -> list[Part]:
    rank = len(view.inputs[0]) + 1
    axes = (1, 2) if view.layer == "GlobalAveragePooling2D" else view.config["axis"]
    axes = (axes,) if isinstance(axes, int) else tuple(axes or range(rank))
    config = {"axis": tuple(sorted(axis % rank for axis in axes)), "keepdims": bool(view.config.get("keepdims"))}
    return [Part("mean", config)]


@form("BatchNormalization")
def _batch_norm(view: View) -> list[Part]:
    names = ["gamma"] * bool(view.config.get("scale", True)) + ["beta"] * bool(view.config.get("center", True))
    names += ["moving_mean", "moving_variance"]
    axis, rank = view.config.get("axis", -1), len(view.inputs[0]) + 1
    config = {"epsilon": view.config.get("epsilon", 1e-3), "axis": -1 if axis == rank - 1 else axis}
    return [Part("batch_norm", config, dict(zip(names, names, strict=True)))]


@form("Add", "BroadcastAdd")
def _add(_view: View) -> list[Part]:
    return [Part("add", {})]


@form("Multiply")
def _multiply(_view: View) -> list[Part]:
    return [Part("multiply", {})]


@form("Concatenate")
def _concatenate(view: View) -> list[Part]:
    return [Part("concatenate", {"axis": view.config.get("axis", -1) % (len(view.inputs[0]) + 1)})]


@form("Reshape", "Flatten", "Ravel")
def _reshape(view: View) -> list[Part]:
    return [Part("reshape", {"target_shape": tuple(view.outputs[0])})]


@form("Permute", "Transpose")
def _permute(view: View) -> list[Part]:
    dims = view.config.get("dims") or tuple(view.config.get("axes") or range(len(view.inputs[0]), -1, -1))[1:]
    return [Part("permute", {"dims": tuple(dims)})]


@form("ZeroPadding2D", "ZeroPadding", "Pad")
def _pad(view: View) -> list[Part]:
    given = view.config["pad_width"][1:] if view.layer == "Pad" else view.config["padding"]
    pads = ((given, given) if isinstance(given, int) else tuple(given)) + (0,) * len(view.inputs[0])
    config = {"paddings": tuple(_pair(pad) for pad in pads[: len(view.inputs[0])])}
    mode = view.config.get("mode", "constant")
    value = view.config.get("constant_values") or 0
    extra = {"mode": mode} if mode != "constant" else {"value": value} if value else {}
    return [Part("pad", config | extra)]


@form("UpSampling2D", "ResizeBilinear", "Resizing", "Resize")
def _resize(view: View) -> list[Part]:
    """Keras's own resizing has half-pixel centers on every back end; repeating pixels needs none."""
    interpolation = "bilinear" if view.layer == "ResizeBilinear" else view.config.get("interpolation", "bilinear")
    config = {
        "interpolation": "nearest"
        if view.layer == "UpSampling2D" and "interpolation" not in view.config
        else interpolation,
        "size": tuple(view.outputs[0][:2]),
        "half_pixel_centers": view.config.get(
            "half_pixel_centers", interpolation == "bilinear" or view.layer in ("Resizing", "Resize")
        ),
        "align_corners": view.config.get("align_corners", False),
    }
    others = ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")
    return [Part("resize", config | {name: True for name in others if view.config.get(name)})]


@form("Cropping2D")
def _cropping(view: View) -> list[Part]:
    given = view.config["cropping"]
    crops = (given, given) if isinstance(given, int) else given
    return [Part("cropping", {"cropping": (_pair(crops[0]), _pair(crops[1]))})]
