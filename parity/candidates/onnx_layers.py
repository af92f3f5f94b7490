"""ONNX operators as the Keras layers that they are."""

from collections.abc import Callable, Sequence
from typing import Any

from converter.errors import BadCandidate
from converter.match.canonical import Layer, NetworkBuilder
from converter.match.network import Network
from converter.ops.forms import Slot, View
from parity.candidates.onnx_graph import TO_NHWC, OnnxGraph

Described = tuple[str, dict[str, Any], dict[str, Slot]]


def _pairs(flat: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """ONNX lists all begins, then all ends."""
    half = len(flat) // 2
    return tuple(zip(flat[:half], flat[half:], strict=True))


def _weights(node: Any, graph: OnnxGraph) -> list[Any]:
    found = [graph.constants[name] for name in node.input[1:] if name in graph.constants]
    if not found:
        raise BadCandidate(
            f"{node.op_type} {node.name!r}: its weights are computed (from float16, say)",
            hint="fold constants first, for instance with onnxsim",
        )
    return found


def _padding(node: Any, graph: OnnxGraph) -> Any:
    """As Keras's `padding`: a word or pixels."""
    given = graph.attributes(node)
    automatic = given.get("auto_pad", b"NOTSET").decode()
    if automatic == "SAME_LOWER":
        raise BadCandidate(f"{node.op_type} {node.name!r} pads SAME_LOWER, which Keras cannot")
    return {"SAME_UPPER": "same", "VALID": "valid"}.get(automatic) or _pairs(given.get("pads", [0] * 4))


def _conv(node: Any, graph: OnnxGraph) -> Described:
    given, weights = graph.attributes(node), _weights(node, graph)
    filters, channels, height, width = weights[0].shape
    groups = given.get("group", 1)
    config = {
        "kernel_size": (height, width),
        "strides": given.get("strides", [1, 1]),
        "dilation_rate": given.get("dilations", [1, 1]),
        "padding": _padding(node, graph),
        "use_bias": len(weights) > 1,
    }
    bias = {"bias": Slot((filters,), weights[1])} if len(weights) > 1 else {}
    if groups > 1 and channels == 1:
        kernel = Slot((height, width, groups, filters // groups), weights[0])
        return "DepthwiseConv2D", config | {"depth_multiplier": filters // groups}, {"kernel": kernel} | bias
    kernel = Slot((height, width, channels, filters), weights[0])
    return "Conv2D", config | {"groups": groups}, {"kernel": kernel} | bias


def _conv_transpose(node: Any, graph: OnnxGraph) -> Described:
    given, weights = graph.attributes(node), _weights(node, graph)
    channels, filters, height, width = weights[0].shape
    config = {"kernel_size": (height, width), "strides": given.get("strides", [1, 1]), "use_bias": len(weights) > 1}
    slots = {"kernel": Slot((height, width, filters, channels), weights[0])}
    if len(weights) > 1:
        slots["bias"] = Slot((filters,), weights[1])
    return "Conv2DTranspose", config, slots


def _pool(layer: str) -> Callable[[Any, OnnxGraph], Described]:
    def describe(node: Any, graph: OnnxGraph) -> Described:
        given = graph.attributes(node)
        config = {"pool_size": given["kernel_shape"], "strides": given.get("strides", [1, 1])}
        return layer, config | {"padding": _padding(node, graph)}, {}

    return describe


def _prelu(node: Any, graph: OnnxGraph) -> Described:
    alpha = _weights(node, graph)[0]
    channels = alpha.size if graph.is_nchw(node.input[0]) else alpha.shape[-1]
    shape = (1, 1, channels) if alpha.size == channels else tuple(alpha.shape[-3:])
    return "PReLU", {"shared_axes": [1, 2] if shape[:2] == (1, 1) else None}, {"alpha": Slot(shape, alpha)}


def _clip(node: Any, graph: OnnxGraph) -> Described:
    bounds = [float(value.item()) for value in _weights(node, graph)]
    return ("ReLU", {"max_value": bounds[1]}, {}) if len(bounds) == 2 and not bounds[0] else _generic(node, graph)


def _concat(node: Any, graph: OnnxGraph) -> Described:
    axis = graph.attributes(node)["axis"]
    return "Concatenate", {"axis": [0, 3, 1, 2][axis] if graph.is_nchw(node.input[0]) else axis}, {}


def _pad(node: Any, graph: OnnxGraph) -> Described:
    pads = _pairs([int(pad) for pad in _weights(node, graph)[0]])
    if graph.is_nchw(node.input[0]):
        pads = tuple(pads[axis] for axis in TO_NHWC)
    return "ZeroPadding", {"padding": pads[1:]}, {}


def _resize(node: Any, graph: OnnxGraph) -> Described:
    given = {
        name: value.decode() if isinstance(value, bytes) else value for name, value in graph.attributes(node).items()
    }
    mode = given.get("coordinate_transformation_mode", "half_pixel")
    config = {
        "interpolation": {"linear": "bilinear"}.get(given.get("mode", "nearest"), given.get("mode", "nearest")),
        "half_pixel_centers": mode in ("half_pixel", "pytorch_half_pixel"),
        "align_corners": mode == "align_corners",
    }
    return "Resizing", config, {}


def _named(layer: str) -> Callable[[Any, OnnxGraph], Described]:
    return lambda _node, _graph: (layer, {}, {})


def _generic(node: Any, graph: OnnxGraph) -> Described:
    return node.op_type, graph.attributes(node), {}


# To read one more operator: its function here, and its case in tests/parity/candidates/test_onnx.py.
LAYERS: dict[str, Callable[[Any, OnnxGraph], Described]] = {
    "Add": _named("Add"),
    "AveragePool": _pool("AveragePooling2D"),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": lambda _node, _graph: ("GlobalAveragePooling2D", {"keepdims": True}, {}),
    "Identity": _named("Identity"),
    "MaxPool": _pool("MaxPooling2D"),
    "Mul": _named("Multiply"),
    "PRelu": _prelu,
    "Pad": _pad,
    "Relu": _named("ReLU"),
    "Reshape": _named("Reshape"),
    "Resize": _resize,
    "Sigmoid": _named("Sigmoid"),
}


def network_of(graph: OnnxGraph) -> Network:
    """The graph in canonical form."""
    inputs = {name: graph.values[name] for name in graph.inputs}
    builder = NetworkBuilder(inputs, {value: graph.shape(name) for name, value in inputs.items()})
    for node in graph.nodes:
        operands = [name for name in node.input if name in graph.values]
        results = [name for name in node.output if name]
        if graph.values[results[0]].key != results[0]:
            continue  # a transposition that is not seen
        kind, config, slots = LAYERS.get(node.op_type, _generic)(node, graph)
        view = View(kind, config, tuple(map(graph.shape, operands)), tuple(map(graph.shape, results)))
        read, made = (tuple(graph.values[name] for name in names) for names in (operands, results))
        builder.add(Layer((node.name or results[0]).partition(":")[0], view, read, made, slots, node))
    return builder.build((name, graph.values[name]) for name in graph.outputs)
