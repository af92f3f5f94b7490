"""An `.onnx` file as the candidate, run by ONNX Runtime.

Exporters keep pictures in NCHW between a few transpositions; here every value is seen as NHWC, and the
transpositions disappear.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converter.errors import BadCandidate
from converter.extras import importing
from converter.network import Network, Shape, Slot
from converter.networks import NetworkBuilder
from converter.normal_form import View
from converter.specs import Ref
from parity.runners import Array

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
FED = "fed:"


class OnnxCandidate:
    """An ONNX model with pictures in NHWC.

    Args:
        path: The file.

    Raises:
        BadCandidate: It is no ONNX model, or ONNX Runtime refuses it.
        MissingBackend: ONNX Runtime is not installed.
    """

    can_isolate = True
    has_named_outputs = False

    def __init__(self, path: Path) -> None:
        with importing("onnx", f"running {path}"):
            import onnx
            import onnxruntime  # noqa: F401 - says at once what is missing
        try:
            model = onnx.shape_inference.infer_shapes(onnx.load(path))
            onnx.checker.check_model(model)
        except Exception as error:
            raise BadCandidate(f"{path} is no valid ONNX model: {error}") from error
        self.name = path.stem
        self._graph = _Graph(model)
        self.network = self._graph.network()
        self._sessions: dict[tuple[str, ...], Any] = {}

    def run(self, inputs: Sequence[Array], feeds: Mapping[Ref, Array]) -> Mapping[Ref, Array]:
        """See `Candidate.run`."""
        graph, given = self._graph, {}
        if len(inputs) != len(graph.inputs):
            raise BadCandidate(f"the candidate takes {len(graph.inputs)} inputs, the original {len(inputs)}")
        for name, array in zip(graph.inputs, inputs, strict=True):
            if array.shape[1:] != tuple(self.network.shapes[name]):
                raise BadCandidate(
                    f"input {name!r} of the candidate has shape {self.network.shapes[name]}, the original's "
                    f"{array.shape[1:]}",
                    hint="pictures have to be NHWC, as tf2onnx leaves the inputs",
                )
            given[name] = array
        fed = [name for name, value in graph.values.items() if value in feeds and name not in graph.inputs]
        given |= {FED + name: graph.stored(name, feeds[graph.values[name]]) for name in fed}
        session = self._session(tuple(fed))
        names = [output.name for output in session.get_outputs()]
        taken = {entry.name for entry in session.get_inputs()}
        try:
            made = session.run(names, {name: array for name, array in given.items() if name in taken})
        except Exception as error:
            raise BadCandidate(f"ONNX Runtime cannot run {self.name}: {error}") from error
        return {graph.values[name]: graph.seen(name, array) for name, array in zip(names, made, strict=True)}

    def outputs(self, inputs: Sequence[Array], made: Mapping[Ref, Array]) -> Sequence[Array | None]:
        """See `Candidate.outputs`."""
        return [made.get(value) for _, value in self.network.outputs]

    def value_of(self, layer: str) -> Ref:
        """See `Candidate.value_of`."""
        return next(node.outputs[0] for node in self.network.nodes if node.name == layer)

    def _session(self, fed: tuple[str, ...]) -> Any:
        if fed not in self._sessions:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            # What the optimizer fuses has no result of its own.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.log_severity_level = 3
            options.intra_op_num_threads = 1
            try:
                data = self._graph.observed(fed)
                self._sessions[fed] = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            except Exception as error:
                raise BadCandidate(f"ONNX Runtime refuses {self.name}: {error}") from error
        return self._sessions[fed]


class _Graph:
    """What an ONNX graph says.

    Attributes:
        inputs: Names of the inputs that are no constants.
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
        self.nodes = [node for node in graph.node if node.op_type != "Constant"]
        self.values: dict[str, Ref] = {name: name for name in self.inputs}
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
            self.values |= {name: name for name in node.output if name}
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

    def network(self) -> Network:
        """The graph in normal form."""
        builder = NetworkBuilder(
            {name: self.values[name] for name in self.inputs}, {name: self.shape(name) for name in self.inputs}
        )
        for node in self.nodes:
            operands = tuple(name for name in node.input if name in self.values)
            results = tuple(name for name in node.output if name)
            if self.values[results[0]] != results[0]:
                continue  # a transposition that is not seen
            layer, config, slots = _LAYERS.get(node.op_type, _generic)(node, self)
            view = View(layer, config, tuple(map(self.shape, operands)), tuple(map(self.shape, results)))
            ends = tuple(self.values[name] for name in operands), tuple(self.values[name] for name in results)
            builder.add(view, (node.name or results[0]).partition(":")[0], ends, slots, node)
        return builder.build(tuple((entry.name, self.values[entry.name]) for entry in self._model.graph.output))

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


Described = tuple[str, dict[str, Any], dict[str, Slot]]


def _pairs(flat: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """ONNX lists all begins, then all ends."""
    half = len(flat) // 2
    return tuple(zip(flat[:half], flat[half:], strict=True))


def _weights(node: Any, graph: _Graph) -> list[Any]:
    found = [graph.constants[name] for name in node.input[1:] if name in graph.constants]
    if not found:
        raise BadCandidate(
            f"{node.op_type} {node.name!r}: its weights are computed (from float16, say)",
            hint="fold constants first, for instance with onnxsim",
        )
    return found


def _padding(node: Any, graph: _Graph) -> Any:
    """As Keras's `padding`: a word or pixels."""
    given = graph.attributes(node)
    automatic = given.get("auto_pad", b"NOTSET").decode()
    if automatic == "SAME_LOWER":
        raise BadCandidate(f"{node.op_type} {node.name!r} pads SAME_LOWER, which Keras cannot")
    return {"SAME_UPPER": "same", "VALID": "valid"}.get(automatic) or _pairs(given.get("pads", [0] * 4))


def _conv(node: Any, graph: _Graph) -> Described:
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


def _conv_transpose(node: Any, graph: _Graph) -> Described:
    given, weights = graph.attributes(node), _weights(node, graph)
    channels, filters, height, width = weights[0].shape
    config = {"kernel_size": (height, width), "strides": given.get("strides", [1, 1]), "use_bias": len(weights) > 1}
    slots = {"kernel": Slot((height, width, filters, channels), weights[0])}
    if len(weights) > 1:
        slots["bias"] = Slot((filters,), weights[1])
    return "Conv2DTranspose", config, slots


def _pool(layer: str) -> Callable[[Any, _Graph], Described]:
    def describe(node: Any, graph: _Graph) -> Described:
        given = graph.attributes(node)
        config = {"pool_size": given["kernel_shape"], "strides": given.get("strides", [1, 1])}
        return layer, config | {"padding": _padding(node, graph)}, {}

    return describe


def _prelu(node: Any, graph: _Graph) -> Described:
    alpha = _weights(node, graph)[0]
    channels = alpha.size if graph.is_nchw(node.input[0]) else alpha.shape[-1]
    shape = (1, 1, channels) if alpha.size == channels else tuple(alpha.shape[-3:])
    return "PReLU", {"shared_axes": [1, 2] if shape[:2] == (1, 1) else None}, {"alpha": Slot(shape, alpha)}


def _clip(node: Any, graph: _Graph) -> Described:
    bounds = [float(value.item()) for value in _weights(node, graph)]
    return ("ReLU", {"max_value": bounds[1]}, {}) if len(bounds) == 2 and not bounds[0] else _generic(node, graph)


def _concat(node: Any, graph: _Graph) -> Described:
    axis = graph.attributes(node)["axis"]
    return "Concatenate", {"axis": [0, 3, 1, 2][axis] if graph.is_nchw(node.input[0]) else axis}, {}


def _pad(node: Any, graph: _Graph) -> Described:
    pads = _pairs([int(pad) for pad in _weights(node, graph)[0]])
    if graph.is_nchw(node.input[0]):
        pads = tuple(pads[axis] for axis in TO_NHWC)
    return "ZeroPadding", {"padding": pads[1:]}, {}


def _resize(node: Any, graph: _Graph) -> Described:
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


def _named(layer: str) -> Callable[[Any, _Graph], Described]:
    return lambda _node, _graph: (layer, {}, {})


def _generic(node: Any, graph: _Graph) -> Described:
    return node.op_type, graph.attributes(node), {}


# To read one more operator: its function here, and its case in tests/parity/test_onnx_candidate.py.
_LAYERS: dict[str, Callable[[Any, _Graph], Described]] = {
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
