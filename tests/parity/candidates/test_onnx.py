"""ONNX files as candidates: exported from the original, damaged, and no ONNX at all."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import converter
import parity
from converter.errors import BadCandidate
from fixtures.builder import Builder
from parity.layerwise.results import ParityReport
from tests.tools import models
from tests.tools.files import change
from tests.tools.networks import assert_same, guilty

pytestmark = pytest.mark.one_setting


def exported(name: str, folder: Path) -> Path:
    """The published file, as tf2onnx writes it."""
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    path = folder / f"{name}.onnx"
    tf2onnx.convert.from_tflite(str(models.path(name)), output_path=str(path), opset=17)
    return path


@pytest.mark.filterwarnings("ignore")  # tf2onnx still uses TensorFlow's old interpreter
@pytest.mark.parametrize("name", ["face_detection_short_range", "palm_detection_full"])
def test_export_agrees_layer_by_layer(name: str, tmp_path: Path) -> None:
    outcome = parity.layers(models.original(name), exported(name, tmp_path))
    assert_same(outcome)
    assert all(layer.isolated and layer.chained for layer in outcome.layers)


@pytest.mark.filterwarnings("ignore")
def test_damaged_weight_and_other_window_are_named(tmp_path: Path) -> None:
    name = "face_detection_short_range"
    path = exported(name, tmp_path)
    model = onnx.load(path)
    node = next(node for node in model.graph.node if node.name == "conv2d_5")
    weight = next(entry for entry in model.graph.initializer if entry.name == node.input[1])
    change(weight, lambda values: values * np.float32(1.5))
    onnx.save(model, path)
    assert guilty(parity.layers(models.original(name), path)).layer == "conv2d_5"

    model = onnx.load(exported(name, tmp_path))
    pool = next(node for node in model.graph.node if node.op_type == "MaxPool")
    for attribute in pool.attribute:
        if attribute.name in ("kernel_shape", "pads"):
            attribute.ints[:] = [3, 3] if attribute.name == "kernel_shape" else [0, 0, 1, 1]
    onnx.save(model, path)
    blamed = guilty(parity.layers(models.original(name), path))
    assert (blamed.layer, blamed.why) == ("max_pooling2d", "pool_size is (3, 3), the file has (2, 2)")


def every_operator() -> tuple[bytes, Any]:
    """A file with most operators, and the same in ONNX's own terms (NCHW inside)."""
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(2, 2, 2, 3)).astype(np.float32), rng.normal(size=2).astype(np.float32)
    slope = rng.normal(size=(1, 1, 3)).astype(np.float32)
    b = Builder()
    x = b.input((1, 4, 4, 3), "x")
    x = b.op("PRELU", [x, b.constant(slope, "slope")], [(1, 4, 4, 3)], ["prelu"])[0]
    window = {"filterWidth": 2, "filterHeight": 2, "strideW": 2, "strideH": 2, "padding": 1}
    x = b.op("AVERAGE_POOL_2D", [x], [(1, 2, 2, 3)], ["pool"], **window)[0]
    shape = b.constant(np.array([1, 4, 4, 2], np.int32), "shape")
    up = [shape, b.constant(kernel, "up/Kernel"), x, b.constant(bias, "up/Bias")]
    x = b.op("TRANSPOSE_CONV", up, [(1, 4, 4, 2)], ["up"], padding=1, strideW=2, strideH=2, version=3)[0]
    x = b.op("LOGISTIC", [x], [(1, 4, 4, 2)], ["gate"])[0]
    x = b.op("MUL", [x, x], [(1, 4, 4, 2)], ["product"])[0]
    x = b.op("RELU6", [x], [(1, 4, 4, 2)], ["relu6"])[0]
    data = b.build(b.op("CONCATENATION", [x, x], [(1, 4, 4, 4)], ["all"], axis=3))

    def constant(name: str, values: Any) -> Any:
        return numpy_helper.from_array(np.array(values, np.float32, order="C"), name)

    weights = [
        constant("slope", slope.transpose(2, 0, 1)),
        constant("kernel", kernel.transpose(3, 0, 1, 2)),  # OHWI → IOHW
        constant("bias", bias),
        constant("zero", 0.0),
        constant("six", 6.0),
    ]
    nodes = [
        helper.make_node("Transpose", ["x"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("PRelu", ["nchw", "slope"], ["prelu"], "prelu"),
        helper.make_node("AveragePool", ["prelu"], ["pool"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("ConvTranspose", ["pool", "kernel", "bias"], ["up"], "up", strides=[2, 2]),
        helper.make_node("Sigmoid", ["up"], ["gate"], "gate"),
        helper.make_node("Identity", ["gate"], ["same"], "same"),
        helper.make_node("Mul", ["same", "same"], ["product"], "product"),
        helper.make_node("Clip", ["product", "zero", "six"], ["relu6"], "relu6"),
        helper.make_node("Concat", ["relu6", "relu6"], ["both"], "both", axis=1),
        helper.make_node("Transpose", ["both"], ["all"], perm=[0, 2, 3, 1]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 4, n]) for name, n in (("x", 3), ("all", 4))]
    graph = helper.make_graph(nodes, "every", ends[:1], ends[1:], weights)
    return data, model_of(graph)


def model_of(graph: Any) -> Any:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def compared(data: bytes, model: Any, folder: Path) -> ParityReport:
    onnx.save(model, folder / "model.onnx")
    return parity.layers(converter.read(data), folder / "model.onnx")


def test_operators_in_onnx_terms(tmp_path: Path) -> None:
    outcome = compared(*every_operator(), tmp_path)
    assert_same(outcome)
    assert len(outcome.layers) == 7


def test_clip_at_another_value_is_named(tmp_path: Path) -> None:
    """What sigmoids multiply to never reaches it: only the audit can know."""
    data, model = every_operator()
    six = next(entry for entry in model.graph.initializer if entry.name == "six")
    change(six, lambda _: np.array(3, np.float32))
    outcome = compared(data, model, tmp_path)
    assert [finding.message for finding in outcome.findings] == ["relu6: function is relu up to 3, the file has relu6"]


def test_what_is_no_onnx_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    with pytest.raises(BadCandidate, match="no valid ONNX model"):
        parity.layers(models.original("hand_recrop"), tmp_path / "bad.onnx")


def test_other_input_layout_is_an_error_that_says_which(tmp_path: Path) -> None:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 256, 256]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], "relu")], "g", ends[:1], ends[1:])
    onnx.save(model_of(graph), tmp_path / "a.onnx")
    with pytest.raises(BadCandidate, match="pictures have to be NHWC"):
        parity.layers(models.original("hand_recrop"), tmp_path / "a.onnx")


def convolution(*, inputs: int = 1, is_cast: bool = False, **attributes: Any) -> tuple[bytes, Any]:
    """One convolution with padding SAME as a file, and in ONNX's own terms."""
    kernel = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
    b = Builder()
    operands = [b.input((1, 4, 4, 3), "x"), b.constant(kernel, "conv/Kernel"), b.constant(np.ones(2, np.float32), "b")]
    data = b.build(b.op("CONV_2D", operands, [(1, 4, 4, 2)], ["conv"], padding=0, strideW=1, strideH=1))
    stored = kernel.transpose(0, 3, 1, 2).astype(np.float16 if is_cast else np.float32)
    weights = [numpy_helper.from_array(np.ascontiguousarray(stored), "stored" if is_cast else "kernel")]
    cast = [helper.make_node("Cast", ["stored"], ["kernel"], to=TensorProto.FLOAT)] if is_cast else []
    nodes = [
        *cast,
        helper.make_node("Transpose", ["x"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "kernel"] + (["b"] if not is_cast else []), ["made"], "conv", **attributes),
        helper.make_node("Transpose", ["made"], ["conv"], perm=[0, 2, 3, 1]),
    ]
    weights += [] if is_cast else [numpy_helper.from_array(np.ones(2, np.float32), "b")]
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 4, 3]) for name in ("x", "unused")[:inputs]]
    end = helper.make_tensor_value_info("conv", TensorProto.FLOAT, [1, 4, 4, 2])
    return data, model_of(helper.make_graph(nodes, "conv", given, [end], weights))


@pytest.mark.parametrize("attributes", [{"auto_pad": "SAME_UPPER"}, {"pads": [1, 1, 1, 1]}])
def test_padding_in_words_or_in_pixels(attributes: dict[str, Any], tmp_path: Path) -> None:
    assert_same(compared(*convolution(**attributes), tmp_path))


def test_free_batch(tmp_path: Path) -> None:
    data, model = convolution(auto_pad="SAME_UPPER")
    for end in (*model.graph.input, *model.graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "batch"
    outcome = compared(data, model, tmp_path)
    assert outcome.ok, outcome.guilty
    assert outcome.layers[0].isolated


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"auto_pad": "SAME_LOWER"}, "Conv 'conv' pads SAME_LOWER, which Keras cannot"),
        ({"is_cast": True, "auto_pad": "SAME_UPPER"}, "Conv 'conv': its weights are computed"),
        ({"inputs": 2, "auto_pad": "SAME_UPPER"}, "the candidate takes 2 inputs, the original 1"),
    ],
)
def test_onnx_that_cannot_be_compared_is_an_error(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadCandidate, match=message):
        compared(*convolution(**settings), tmp_path)
