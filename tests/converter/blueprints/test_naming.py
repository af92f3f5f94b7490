"""Layer names: readable in each dialect of tensor names, unique, and such that every Keras back end takes them."""

import re

import numpy as np
import pytest

import converter
from converter.blueprints.naming import Namer, safe
from converter.tflite.model import Graph, Tensor
from fixtures.builder import Builder
from tests.tools import models

pytestmark = pytest.mark.one_setting

SAFE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?")


def namer(*tensors: str, outputs: tuple[int, ...] = ()) -> Namer:
    """For a graph with tensors of these names."""
    made = tuple(Tensor(i, name, (1,), (1,), "FLOAT32") for i, name in enumerate(tensors))
    return Namer(Graph("", made, (), (), outputs), "some model")


@pytest.mark.parametrize(
    ("layer", "kernel", "output", "name"),
    [
        # 2019: the layer comes first, or is all there is.
        ("Conv2D", "conv2d_10/Kernel", "add_7", "conv2d_10"),
        ("DepthwiseConv2D", "depthwise_conv2d_3/Kernel_dequantize", "add_7", "depthwise_conv2d_3"),
        ("Conv2D", "head/classifier_8/Kernel", "x", "head_classifier_8"),
        ("Add", None, "add_7__xeno_compat__1", "add_7"),
        ("PReLU", None, "p_re_lu_4", "p_re_lu_4"),
        # TF2: several scopes in one op, the one with the layer's own operation counts.
        (
            "Conv2D",
            "m/model/batch_normalization_25/FusedBatchNormV3;m/model/conv2d_25/Conv2D1",
            "m/model/re_lu_25/Relu",
            "conv2d_25",
        ),
        ("DepthwiseConv2D", "m/model/depthwise_conv2d_4/depthwise1", "m/model/add/add", "depthwise_conv2d_4"),
        ("Conv2D", "m/model/conv2d_9/Conv2D_dequantize", "m/model/add/add", "conv2d_9"),
        ("Add", None, "m/model/add_3/add;m/model/conv2d_3/BiasAdd", "add_3"),
        ("MaxPooling2D", None, "m/model/max_pooling2d/MaxPool", "max_pooling2d"),
        ("UpSampling2D", None, "m/model/up_sampling2d/resize/ResizeBilinear", "up_sampling2d"),
        # Names that say nothing: the class.
        ("Conv2D", "StatefulPartitionedCall/kernel", "StatefulPartitionedCall:0", "conv2d"),
        ("MaxPooling2D", None, "Identity_2", "max_pooling2d"),
        ("DepthToSpace", None, "tensor_17", "depth_to_space"),
    ],
)
def test_dialects(layer: str, kernel: str | None, output: str, name: str) -> None:
    names = namer("m/model/conv2d/Conv2D", "m/model/add/add")
    assert names.layer(layer, kernel, output, is_last=True) == name


def test_only_the_scope_that_all_share_is_cut_off() -> None:
    names = namer("net/left/conv2d/Conv2D", "net/right/conv2d/Conv2D")
    assert names.layer("Conv2D", "net/left/conv2d/Conv2D", "x", is_last=True) == "left_conv2d"
    assert names.layer("Conv2D", "net/right/conv2d/Conv2D", "x", is_last=True) == "right_conv2d"


@pytest.mark.parametrize(("last", "result", "outputs"), [("Reshape", "regressors", (0,)), ("Add", "add_7", ())])
def test_only_the_last_layer_takes_the_name_of_the_result(last: str, result: str, outputs: tuple[int, ...]) -> None:
    names = namer(result, outputs=outputs)
    assert names.layer("ZeroPadding2D", None, result, is_last=False) == "zero_padding2d"
    assert names.layer(last, None, result, is_last=True) == result


def test_names_are_unique() -> None:
    names = namer("x")
    made = [names.unique(name) for name in ("a", "a_1", "a", "a", "a_1", "b", "a_2")]
    assert made[:3] == ["a", "a_1", "a_2"]
    assert len(set(made)) == len(made)
    assert all(name[0] == first for name, first in zip(made, "aaaaaba", strict=True))


def test_layers_that_share_a_kernel_have_names_of_their_own() -> None:
    names = namer("x")
    made = [names.layer("Conv2D", "conv2d_4/Kernel", output, is_last=True) for output in ("left", "right")]
    assert made == ["conv2d_4", "conv2d_4_1"]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("conv2d_10", "conv2d_10"),
        ("a/b:0", "a_b_0"),
        ("__private__", "private"),
        ("-x-", "x"),
        ("größe 3×3", "gr_e_3_3"),
        ("batch-norm", "batch-norm"),
        ("", "layer"),
        ("///", "layer"),
    ],
)
def test_names_have_safe_characters_only(name: str, made: str) -> None:
    assert safe(name) == made


def test_inputs_are_named_like_the_files() -> None:
    name, names = "serving_default_image:0", namer("x")
    assert [names.input(name), names.input(name)] == ["serving_default_image", "serving_default_image_1"]


def test_two_outputs_of_one_name_and_an_output_twice() -> None:
    builder = Builder()
    x = builder.input([1, 4])
    (a,) = builder.op("RELU", [x], [[1, 4]], ["same"])
    (b,) = builder.op("LOGISTIC", [x], [[1, 4]], ["same"])
    plan = converter.blueprint(converter.read(builder.build([b, a, b])).graph)
    assert [name.startswith("same") for name in plan.outputs] == [True] * 3
    made_by = {ref: spec for spec in plan.specs for ref in spec.outputs}
    assert [made_by[ref].op.kind for ref in plan.outputs.values()] == ["LOGISTIC", "RELU", "LOGISTIC"]


def test_odd_names_reach_the_blueprint_safely() -> None:
    builder = Builder()
    x = builder.input([1, 2, 3, 4], "图像:0")
    kernel = builder.constant(np.ones((2, 1, 1, 4), np.float32), "größe/Kernel")
    made = builder.op("CONV_2D", [x, kernel, -1], [[1, 2, 3, 2]], ["?"], strideH=1, strideW=1)
    plan = converter.blueprint(converter.read(builder.build(made)).graph, "my model!")
    names = [plan.name, *plan.inputs, *plan.outputs, *(spec.name for spec in plan.specs)]
    assert all(SAFE.fullmatch(name) for name in names)


@pytest.mark.parametrize("name", models.NAMES)
def test_real_models(name: str) -> None:
    graph = models.original(name).graph
    plan = converter.blueprint(graph, name)
    layers = [*plan.inputs, *(spec.name for spec in plan.specs)]
    assert len(set(layers)) == len(layers)
    assert all(SAFE.fullmatch(layer) for layer in layers)
    assert list(plan.outputs) == [graph.tensors[index].name for index in graph.outputs]
    assert list(plan.inputs.values()) == list(graph.inputs)


def test_layers_of_the_palm_detector_have_the_names_of_its_author() -> None:
    plan = converter.blueprint(models.original("palm_detection_full").graph)
    convolutions = [spec.name for spec in plan.specs if spec.layer == "Conv2D"]
    heads = [name for name in convolutions if not re.fullmatch(r"conv2d(_\d+)?", name)]
    assert heads == [f"{kind}_palm_{stride}_NO_PRUNING" for stride in (16, 8) for kind in ("classifier", "regressor")]
    assert [name for name in convolutions if name not in heads] == ["conv2d", *(f"conv2d_{i}" for i in range(1, 31))]
    depthwise = [spec.name for spec in plan.specs if spec.layer == "DepthwiseConv2D"]
    assert depthwise == ["depthwise_conv2d", *(f"depthwise_conv2d_{i}" for i in range(1, 28))]
    # Each really is the layer that the file's kernel belongs to.
    for spec in plan.specs:
        if spec.layer == "Conv2D":
            assert f"/{spec.name}/" in plan.graph.tensors[spec.weights["kernel"].tensor].name


def test_an_output_keeps_its_name_when_a_layer_inside_would_take_it() -> None:
    builder, alpha = Builder(), np.zeros(4, np.float32)
    operands = [builder.input([1, 4]), *builder.weights("head", (4, 4))]
    inner = builder.op("FULLY_CONNECTED", operands, [[1, 4]], ["inner"])
    made = builder.op("PRELU", [*inner, builder.constant(alpha)], [[1, 4]], ["head"])
    plan = converter.blueprint(converter.read(builder.build(made)).graph)
    assert list(plan.outputs) == ["head"]
    assert [spec.name for spec in plan.specs] == ["head_1", "head"]
