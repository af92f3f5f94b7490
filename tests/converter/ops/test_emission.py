"""Every kind of node that can be written: Keras → `.tflite` → LiteRT computes what Keras computes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import converter
from converter.errors import CannotExport
from converter.match.trace import keras_network
from converter.ops import KINDS
from converter.ops.forms import UnknownLayer
from converter.write.writer import write
from tests.tools.lazy import keras, layers, ops, own_layers
from tests.tools.networks import assert_agrees, randomized

WRITTEN = sorted(name for name, kind in KINDS.items() if kind.emit)
SHAPE = (10, 13, 6)  # every extent differs
# A layer, or what it is made of: takes the input.
Case = Callable[[Any], Any]


def cases() -> Mapping[str, Sequence[Case]]:
    """Kind → layers of that kind, and compositions with one in them."""
    return {
        "conv": [
            layers.Conv2D(5, (3, 2), padding="same"),
            layers.Conv2D(5, (3, 2), padding="valid", strides=(2, 3), use_bias=False),
            layers.Conv2D(5, 3, padding="same", dilation_rate=(2, 1), activation="relu6"),
            layers.Conv2D(6, 3, groups=3),
            lambda x: layers.Conv2D(5, 3, strides=2)(layers.ZeroPadding2D(((2, 0), (1, 3)))(x)),
            lambda x: layers.BatchNormalization()(layers.Conv2D(5, 1)(x)),
            lambda x: layers.BatchNormalization(axis=3)(layers.Conv2D(5, 1)(x)),
            layers.Dense(4),
            lambda x: layers.BatchNormalization()(layers.Dense(4, use_bias=False)(layers.ZeroPadding2D()(x))),
        ],
        "depthwise": [
            layers.DepthwiseConv2D((3, 2), padding="same", strides=2),
            layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, activation="relu"),
            layers.DepthwiseConv2D(3, padding="same", dilation_rate=(1, 2)),
            layers.SeparableConv2D(4, 3),
            layers.Conv2D(6, 3, groups=6, strides=(2, 1)),
            lambda x: layers.BatchNormalization()(layers.Conv2D(12, (3, 2), groups=6, use_bias=False)(x)),
        ],
        "conv_transpose": [
            layers.Conv2DTranspose(4, 2, strides=2, padding="same"),
            layers.Conv2DTranspose(4, (3, 2), strides=(2, 1), use_bias=False),
            lambda x: layers.Cropping2D(((0, 1), (0, 1)))(layers.Conv2DTranspose(4, 3, strides=2)(x)),
        ],
        "dense": [
            lambda x: layers.Dense(4)(layers.Reshape((-1, 6))(x)),
            lambda x: layers.Dense(3, activation="tanh", use_bias=False)(layers.Flatten()(x)),
        ],
        "max_pool": [layers.MaxPooling2D((2, 3), strides=(2, 1), padding="same"), layers.MaxPooling2D(3)],
        "average_pool": [
            layers.AveragePooling2D((2, 3), padding="same", strides=2),
            layers.AveragePooling2D(2),
            own_layers.PaddedAveragePooling2D((3, 3), (2, 2), ((0, 1), (1, 1))),
        ],
        "mean": [
            layers.GlobalAveragePooling2D(),
            layers.GlobalAveragePooling2D(keepdims=True),
            own_layers.Mean([3], keepdims=False),
        ],
        "add": [
            lambda x: layers.Add()([x, layers.ReLU()(x)]),
            lambda x: layers.ReLU()(x + layers.Conv2D(6, 1)(x)),
            lambda x: layers.Add()([x, layers.ReLU()(x), layers.Conv2D(6, 1)(x), layers.Activation("tanh")(x)]),
            lambda x: x + 1,
            lambda x: x + np.arange(6, dtype=np.float32),
        ],
        "multiply": [
            lambda x: layers.Multiply()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)]),
            lambda x: 2.5 * x,
        ],
        "Scale": [own_layers.Scale((6,)), own_layers.Scale((13, 1))],
        "Offset": [own_layers.Offset((6,)), lambda x: own_layers.Offset((1,))(layers.GlobalAveragePooling2D()(x))],
        "batch_norm": [layers.BatchNormalization(), lambda x: layers.BatchNormalization(scale=False)(layers.ReLU()(x))],
        "concatenate": [
            lambda x: layers.Concatenate(axis=2)([x, x]),
            lambda x: layers.Concatenate()([x, layers.ReLU()(x)]),
        ],
        "reshape": [layers.Reshape((-1, 3)), layers.Flatten()],
        "permute": [layers.Permute((3, 1, 2))],
        "pad": [layers.ZeroPadding2D(((1, 0), (2, 3))), own_layers.ZeroPadding(((0, 1), (2, 0), (1, 3)))],
        "cropping": [layers.Cropping2D(((1, 2), (3, 0)))],
        "StridedSlice": [
            own_layers.StridedSlice((1, 0, 2), (3, 13, 2), (3, 1, 2)),
            own_layers.StridedSlice((9, 0, 4), (10, 13, 2), (-1, 1, -3)),
        ],
        "resize": [
            layers.UpSampling2D((2, 3)),
            layers.UpSampling2D(2, interpolation="bilinear"),
            own_layers.ResizeBilinear(7, 5, align_corners=True),
            own_layers.ResizeBilinear(20, 5),
            layers.Resizing(7, 20, interpolation="nearest"),
            layers.Resizing(7, 20),
        ],
        "DepthToSpace": [lambda x: own_layers.DepthToSpace(2)(layers.Conv2D(8, 1)(x))],
        "SpaceToDepth": [lambda x: own_layers.SpaceToDepth(2)(layers.Cropping2D(((0, 0), (0, 1)))(x))],
        "prelu": [layers.PReLU(shared_axes=[1, 2]), layers.PReLU()],
        "activation": [
            *(layers.Activation(name) for name in ("relu", "relu6", "sigmoid", "tanh", "hard_silu", "elu", "softmax")),
            layers.LeakyReLU(negative_slope=0.15),
            lambda x: ops.gelu(x, approximate=False),
        ],
    }


def model_of(case: Case) -> Any:
    inputs = keras.Input(SHAPE, name="x")
    return randomized(keras.Model(inputs, case(inputs)))


@pytest.mark.parametrize("kind", WRITTEN)
def test_litert_computes_what_keras_computes(kind: str) -> None:
    for case in cases()[kind]:
        model = model_of(case)
        assert kind in {node.kind for node in keras_network(model).network.nodes}
        data = write(None, model)
        assert_agrees(data, model, seeds=1)
        file = converter.read(data)
        back = converter.convert(file)
        assert_agrees(data, back, seeds=1)
        assert back.output_shape == model.output_shape


def test_every_case_is_of_a_kind() -> None:
    assert sorted(cases()) == WRITTEN


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_storage_type(dtype: Any) -> None:
    model = model_of(cases()["conv"][0])
    graph = converter.read(write(None, model, dtype)).graph
    assert {t.storage.dtype for t in graph.tensors if t.storage} == {dtype.upper()}


def test_relu_becomes_part_of_what_is_before_it() -> None:
    graph = converter.read(write(None, model_of(cases()["conv"][2]))).graph
    assert [op.kind for op in graph.ops] == ["CONV_2D"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (lambda x: ops.cumsum(x, axis=1), "no TFLite operator is known here for Cumsum"),
        (lambda x: layers.Activation("mish")(x), "activation mish"),
        (lambda x: ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect"), "pad with mode reflect"),
        (lambda x: ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=3.0), "pad with value 3.0"),
        (lambda x: layers.ELU(alpha=0.5)(x), r"activation elu\(0.5\)"),
        (lambda x: layers.Softmax(axis=1)(x), "activation softmax over 1"),
        (lambda x: ops.softmax(x, axis=2), "activation softmax over 2"),
        (lambda x: ops.gelu(x), "activation gelu .approximate"),
        (lambda x: layers.BatchNormalization(axis=1)(x), "batch_norm over axis 1"),
        (lambda x: layers.Resizing(7, 20, crop_to_aspect_ratio=True)(x), "resize with crop_to_aspect_ratio"),
        (lambda x: ops.image.resize(x, (7, 20), antialias=True), "resize with antialias"),
        (
            lambda x: layers.Conv2DTranspose(4, 3, dilation_rate=2, padding="same")(x),
            "conv_transpose with dilation_rate",
        ),
        (
            lambda x: layers.Conv2DTranspose(4, 3, strides=2, output_padding=1)(x),
            "no TFLite operator is known here for conv_transpose",
        ),
        (lambda x: layers.UpSampling2D(2, interpolation="bicubic")(x), "resize of bicubic"),
        (
            lambda x: layers.Cropping2D(((1, 0), (1, 0)))(layers.Conv2DTranspose(4, 2, strides=2)(x)),
            "conv_transpose that crops",
        ),
    ],
)
def test_what_is_unknown_is_named(case: Case, message: str) -> None:
    with pytest.raises(UnknownLayer, match=message):
        write(None, model_of(case))


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, "float32"), (1e6, "float16")])
def test_weight_that_cannot_be_stored_is_an_error(value: float, dtype: Any) -> None:
    model = model_of(layers.Conv2D(2, 1, name="c"))
    model.get_layer("c").bias.assign([value, 0])
    with pytest.raises(CannotExport, match=f"c: its bias does not fit {dtype}"):
        write(None, model, dtype)
