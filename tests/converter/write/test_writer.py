"""Keras weights back into the file: bit for bit where nothing has changed, in the right place where something has."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

import converter
import parity
from converter.errors import CannotExport
from converter.match.transfer import transfer
from converter.tflite.decode import decode
from converter.tflite.edit import ALIGNMENT
from converter.tflite.variants import builtin_only
from converter.write import placed, writer
from fixtures.builder import Builder
from parity.inputs import seeded_inputs
from parity.runners.runtimes import LiteRT, keras_runner
from tests.tools import models
from tests.tools.files import frame, operators, siblings_file
from tests.tools.lazy import architectures, keras, layers
from tests.tools.networks import TRANSFERS, assert_agrees, original, plan_for, randomized, siblings, transferred
from tests.tools.spread import assert_bit_equal, assert_within_spread

SPARSE = {"face_detection_full_range_sparse", "pose_detection"}


@pytest.mark.parametrize("name", models.NAMES)
def test_unchanged_model_comes_back(name: str) -> None:
    old = models.original(name)
    data = writer.write(old, models.shared(name))
    if name not in SPARSE:
        assert data == bytes(old.data)
        return
    new = converter.read(data)
    assert (operators(new.graph), frame(new)) == (operators(old.graph), frame(old))
    inputs = seeded_inputs(old.graph, 1)
    plain, xnnpack = LiteRT(old.data, "plain").run, LiteRT(old.data, "xnnpack").run
    for values in inputs:
        assert_bit_equal(LiteRT(data, "plain").run(values), plain(values))
    # XNNPACK has kernels of its own for sparse weights.
    assert_within_spread(LiteRT(data, "xnnpack").run, [plain, xnnpack], inputs)


def trained(model: Any) -> Any:
    """As after training: every weight is another one, also where the file has one constant for several layers."""
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        values = keras.ops.convert_to_numpy(variable)
        noise = rng.normal(0, 1e-3 * max(np.abs(values).max(), 1e-2), values.shape)
        variable.assign((values + noise).astype(np.float32))
    return model


@pytest.mark.parity
@pytest.mark.parametrize("name", models.NAMES)
def test_changed_model_computes_the_same_in_litert(name: str) -> None:
    old, model = models.original(name), trained(models.fresh(name))
    exact = converter.read(writer.write(old, model, "float32"))
    assert_agrees(exact, model)
    stored = converter.read(writer.write(old, model))
    assert stored.signatures == old.signatures
    kinds = [op.kind for op in old.graph.ops if op.kind not in ("DENSIFY", "DEQUANTIZE")]
    assert [op.kind for op in stored.graph.ops if op.kind != "DEQUANTIZE"] == kinds
    both = (converter.blueprint(file.graph).weights() for file in (stored, exact))
    for (_, attribute, ours, _), (_, _, theirs, _) in zip(*both, strict=True):
        a, b = (np.asarray(decode(tensor), np.float32) for tensor in (ours, theirs))
        kind = ours.storage.dtype if ours.storage else ""
        np.testing.assert_array_equal(a, b.astype(placed.FLOATS[kind]).astype(np.float32), err_msg=f"{attribute}")


@pytest.mark.parametrize("name", ["palm_detection_full", "pose_detection", "iris_landmark"])
def test_storage_type_stays_or_is_changed(name: str) -> None:
    old, model = models.original(name), models.shared(name)
    dtypes: tuple[Literal["float16", "float32"] | None, ...] = (None, "float16", "float32")
    sizes = {dtype: len(writer.write(old, model, dtype)) for dtype in dtypes}
    assert sizes["float32"] > 1.8 * sizes["float16"]
    assert sizes[None] == pytest.approx(sizes["float32" if name == "iris_landmark" else "float16"], rel=0.01)
    half = converter.read(writer.write(old, model, "float16"))
    back = converter.convert(half)
    assert_bit_equal(back.get_weights(), [w.astype(np.float16).astype(np.float32) for w in model.get_weights()])


def test_buffers_are_aligned() -> None:
    """The schema wants multiples of 16, and some kernels rely on it."""
    name = "pose_detection"
    data = writer.write(models.original(name), models.shared(name))
    starts = {
        np.frombuffer(tensor.storage.data, np.uint8).ctypes.data
        for tensor in converter.read(data).graph.tensors
        if tensor.storage and len(tensor.storage.data)
    }
    base = np.frombuffer(data, np.uint8).ctypes.data
    assert len(starts) > 50
    assert {(start - base) % ALIGNMENT for start in starts} == {0}


def test_shared_constants_part_when_their_layers_do() -> None:
    old, model = models.original("palm_detection_full"), models.fresh("palm_detection_full")
    biases = [layer for layer in model.layers if isinstance(layer, layers.DepthwiseConv2D)]
    biases[3].bias.assign(np.full(biases[3].bias.shape, 0.5, np.float32))
    new = converter.read(writer.write(old, model))
    back = converter.convert(new)
    for layer in model.layers:
        assert_bit_equal(back.get_layer(layer.name).get_weights(), layer.get_weights())
    assert len(new.graph.ops) == len(old.graph.ops) + 1  # one DEQUANTIZE more


@pytest.mark.parametrize("name", TRANSFERS)
def test_hand_written_model_comes_back_as_the_original(name: str) -> None:
    """With batch normalization where the file has it folded away, and other names."""
    model, _ = transferred(name)
    assert writer.write(original(name), model) == bytes(original(name).data)


def test_batch_normalization_is_folded_in() -> None:
    model, _ = transferred("palm_192")
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            gamma, mean = gamma * rng.uniform(0.9, 1.1, gamma.shape), mean + rng.normal(0, 0.1, mean.shape)
            layer.set_weights([gamma, beta, mean, variance])
    data = writer.write(original("palm_192"), model, "float32")
    assert_agrees(data, model, seeds=8)


def test_damaged_export_is_found() -> None:
    """The check can fail: one weight in the wrong place."""
    name = "palm_detection_lite"
    old, model = models.original(name), models.shared(name)
    found = writer.Writer(old, model).placed()
    shapes = [each.values.shape for each in found]
    first, second = next((i, j) for i in range(len(shapes)) for j in range(i) if shapes[i] == shapes[j] and i - j > 1)
    found[first] = replace(found[first], values=found[second].values)
    assert not parity.verify(placed.place(old, found, "float32"), model).ok


@pytest.mark.parametrize("name", ["selfie_segmentation", "selfie_segmentation_landscape"])
def test_builtin_only_runs_in_the_stock_interpreter(name: str) -> None:
    old, model = models.original(name), models.shared(name)
    data = builtin_only(memoryview(writer.write(old, model)))
    assert not any(op.is_custom for op in converter.read(data).graph.ops)
    # Other operators are another graph, which XNNPACK may sum in another order.
    right, inputs = [LiteRT(old.data, "xnnpack").run, keras_runner(model)], seeded_inputs(old.graph, 1)
    for kernels in ("plain", "xnnpack"):
        assert_within_spread(LiteRT(data, kernels).run, right, inputs)


FILE = converter.read(siblings_file("left", "right"))


def test_weights_of_a_model_with_the_same_graph_are_taken() -> None:
    model = randomized(siblings())
    back = converter.convert(writer.write(FILE, model))
    for name in ("left", "right", "end"):
        assert_bit_equal(back.get_layer(name).get_weights(), model.get_layer(name).get_weights())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: siblings(activation="relu"), "the model is not the original's: .*end"),
        (lambda: siblings(filters=7), "the model is not the original's: .*"),
        (lambda: architectures.palm_192(pool_size=5), "the model is not the original's: "),
    ],
)
def test_another_model_is_an_error(model: Any, message: str) -> None:
    with pytest.raises(CannotExport, match=message):
        writer.write(FILE, model())


def test_wrong_pool_is_named() -> None:
    model, _ = transferred("palm_192", pool_size=5)
    with pytest.raises(CannotExport, match=r"max_pooling2d.*: pool_size is \(5, 5\), the file has \(2, 2\)"):
        writer.write(original("palm_192"), model)


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (np.nan, None, "end: weights for tensor .* are not finite"),
        (1e6, "float16", r"end: a weight of 1e\+06 is too large for float16\nhint: dtype='float32'"),
    ],
)
def test_weight_that_cannot_be_stored_is_an_error(value: float, dtype: Any, message: str) -> None:
    model = randomized(siblings())
    model.get_layer("end").bias.assign([value, 0])
    with pytest.raises(CannotExport, match=message):
        writer.write(FILE, model, dtype)


def test_bias_without_a_place_is_an_error() -> None:
    b, kernel = Builder(), (2, 3, 3, 3)
    made = b.conv(b.input((1, 8, 8, 3)), kernel, "conv", weights=b.weights("conv", kernel))
    file = converter.read(b.build([made]))
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layers.Conv2D(2, 3, padding="same", name="conv")(inputs))
    transfer(plan_for(model, file))
    assert writer.write(file, model) == bytes(file.data)
    model.get_layer("conv").bias.assign([1, 0])
    with pytest.raises(CannotExport, match=r"conv: op #0 CONV_2D of the file has no place for its bias"):
        writer.write(file, model)


def test_layer_without_a_bias_takes_the_bias_out_of_the_file() -> None:
    model = randomized(siblings(use_bias=False))
    data = writer.write(FILE, model)
    assert_agrees(data, model)
    assert not converter.convert(data).get_layer("end").get_weights()[1].any()


@pytest.mark.parametrize(
    ("settings", "message"), [({"dtype": "uint8"}, "input .* is uint8"), ({"policy": "mixed_float16"}, "in float16")]
)
def test_only_float32_models_are_written(settings: dict[str, str], message: str) -> None:
    inputs = keras.Input((8, 8, 3), dtype=settings.get("dtype"))
    x = layers.Rescaling(1 / 255)(inputs) if "dtype" in settings else inputs
    model = keras.Model(inputs, layers.Conv2D(2, 1, dtype=settings.get("policy"))(x))
    with pytest.raises(CannotExport, match=message):
        writer.write(None, model)
