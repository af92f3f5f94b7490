"""int8 files: small, with the old one's ends, as good as the inputs that they were made with, and honest about it."""

import re
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

import converter
from converter import detectors
from converter.errors import BadInput, CannotExport, UnliteError
from converter.passes.activations import fuse_activations
from converter.tflite.edit import Editable
from converter.tflite.model import Graph, Tensor
from converter.tflite.variants import builtin_only
from converter.write import writer
from converter.write.quantize import Inputs, Quantized, QuantizedType, calibrate, quantize
from fixtures import pictures
from fixtures.builder import Builder, signature
from parity.inputs import seeded_inputs
from parity.runners.runtimes import Array, Kernels, LiteRT
from tests.tools import models
from tests.tools.files import frame, siblings_file
from tests.tools.spread import assert_bit_equal
from unlite.detection.drawn import DrawnHand, draw
from unlite.detection.finder import Finder, difference
from unlite.detection.pipeline import as_tensor

pytestmark = pytest.mark.quantize
KINDS: tuple[QuantizedType, ...] = ("dynamic", "int8")
KERNELS: tuple[Kernels, ...] = ("plain", "xnnpack")
PALM, FACE, POSE = "palm_detection_full", "face_detection_short_range", "pose_detection"
DETECTOR = detectors.find("palm")
ADDED = r"(_(quantized|dequant|duplicated_\d+))+$"  # to the names of the quantizer's own tensors
WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


SIBLINGS = converter.read(siblings_file("left", "right"))
SHAPE = (1, 8, 8, 3)


@cache
def exact(name: str) -> bytes:
    """The model with float32 weights."""
    return writer.write(models.original(name), models.shared(name), "float32")


@cache
def hands() -> tuple[Any, ...]:
    """Hands near and far, turned and not."""
    grounds = ((255, 255, 255), (233, 228, 225))
    drawn = (DrawnHand(0.5, (0.5, 0.5)), DrawnHand(0.4, (0.4, 0.55), -30), DrawnHand(0.35, (0.6, 0.5), 40))
    return tuple(np.asarray(draw(384, 384, (hand,), ground)) for ground in grounds for hand in drawn)


def inputs_for(name: str) -> list[list[Array]]:
    graph = models.original(name).graph
    if name != PALM:
        return seeded_inputs(graph, 2)
    return [[as_tensor(picture, DETECTOR)[0]] for picture in hands()]


@cache
def quantized(name: str, kind: QuantizedType) -> Quantized:
    return quantize(exact(name), kind, inputs_for(name) if kind == "int8" else None)


def mean_error(data: bytes, inputs: Sequence[Inputs]) -> float:
    """As a share of the range of each output; the worst output's."""
    truth, made = (LiteRT(each, "xnnpack") for each in (exact(PALM), data))
    runs = [(truth.run(list(x)), made.run(list(x))) for x in inputs]
    errors = []
    for place in range(len(runs[0][0])):
        a, b = (np.stack([run[side][place] for run in runs]) for side in (0, 1))
        errors.append(float(np.abs(a - b).mean() / np.ptp(a)))
    return max(errors)


def weights(graph: Graph) -> list[Tensor]:
    """Every kernel of the file, as stored."""
    stored = {op.outputs[0]: op.inputs[0] for op in graph.ops if op.kind == "DEQUANTIZE"}
    kernels = [op.inputs[1] for op in graph.ops if op.kind in WITH_WEIGHTS]
    return [graph.tensors[stored.get(index, index) or 0] for index in kernels if index is not None]


@pytest.mark.parametrize(
    ("name", "kind", "share"),
    # A quarter, and a scale and a zero point for every channel, which weigh more the smaller the model is.
    [
        (PALM, "dynamic", 0.30),
        (PALM, "int8", 0.33),
        (POSE, "dynamic", 0.29),
        (POSE, "int8", 0.31),
        (FACE, "dynamic", 0.38),
        (FACE, "int8", 0.45),
    ],
)
def test_weights_are_int8(name: str, kind: QuantizedType, share: float) -> None:
    made = quantized(name, kind)
    assert 0.25 < len(made.data) / len(exact(name)) < share
    stored = weights(converter.read(made.data).graph)
    assert len(stored) == len(weights(converter.read(exact(name)).graph)) > 30
    assert {tensor.dtype for tensor in stored} == {"INT8"}
    for tensor in stored:
        assert tensor.quantization
        assert len(tensor.quantization.scale) == tensor.shape[tensor.quantization.axis]
    assert {tensor.dtype for tensor in weights(converter.read(exact(name)).graph)} == {"FLOAT32"}


def test_operators_that_would_be_slow_are_not_there() -> None:
    kinds = [op.kind for op in converter.read(quantized(FACE, "int8").data).graph.ops]
    assert "RELU" not in kinds
    graph = converter.read(quantized(FACE, "dynamic").data).graph
    floats = {op.outputs[0] for op in graph.ops if op.kind == "DEQUANTIZE"}
    assert floats == {op.inputs[1] for op in graph.ops if op.kind == "DEPTHWISE_CONV_2D"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [PALM, FACE, POSE])
def test_ends_and_the_rest_of_the_file_stay(name: str, kind: QuantizedType) -> None:
    old, new = models.original(name), converter.read(quantized(name, kind).data)
    for ends in ("inputs", "outputs"):
        before, after = ([model.graph.tensors[i] for i in getattr(model.graph, ends)] for model in (old, new))
        assert [(t.name, t.shape, t.dtype) for t in after] == [(t.name, t.shape, "FLOAT32") for t in before]
    assert frame(new) == frame(old)
    known = {tensor.name for tensor in converter.read(exact(name)).graph.tensors}
    assert {re.sub(ADDED, "", tensor.name) for tensor in new.graph.tensors} <= known


@pytest.mark.parametrize("kind", KINDS)
def test_hands_are_still_found(kind: QuantizedType) -> None:
    finders = [Finder("", LiteRT(data, "xnnpack").run, DETECTOR) for data in (exact(PALM), quantized(PALM, kind).data)]
    for picture in hands():
        truth, found = (finder(picture) for finder in finders)
        apart = difference(truth, found)
        assert (len(truth), len(apart.pairs), apart.only_second) == (1, 1, ())


def test_calibration_matters() -> None:
    """The file is as good as what it was calibrated with: pictures in the wrong range make it worse by far."""
    inputs = inputs_for(PALM)
    right = mean_error(quantized(PALM, "int8").data, inputs)
    for factor in (np.float32(255), np.float32(0.02)):
        wrong = quantize(exact(PALM), "int8", [[factor * x for x in each] for each in inputs])
        assert mean_error(wrong.data, inputs) > 2 * right
    assert mean_error(quantized(PALM, "dynamic").data, inputs) < right  # fewer roundings


def test_ranges_do_not_depend_on_the_order() -> None:
    inputs = inputs_for(PALM)
    made, turned = calibrate(exact(PALM), inputs), calibrate(exact(PALM), inputs[::-1])
    assert made == turned
    assert made.samples == len(inputs)
    index = converter.read(exact(PALM)).graph.inputs[0]
    assert made.ranges[index] == (min(x.min() for (x,) in inputs), max(x.max() for (x,) in inputs))


@pytest.mark.parametrize(
    ("name", "kind", "left"),
    [
        (PALM, "dynamic", {"PRELU": 31}),
        (PALM, "int8", {"PRELU": 31}),
        (POSE, "dynamic", {}),
        (POSE, "int8", {"DEPTH_TO_SPACE": 3}),
        (FACE, "dynamic", {}),
        (FACE, "int8", {}),
    ],
)
def test_what_stays_float_is_told(name: str, kind: QuantizedType, left: dict[str, int]) -> None:
    assert quantized(name, kind).left_float == left
    graph = converter.read(quantized(name, kind).data).graph
    floats = {op.kind for op in graph.ops if any(graph.tensors[i].dtype == "FLOAT32" for i in op.outputs)}
    assert kind == "dynamic" or floats == {*left, "DEQUANTIZE"}


@pytest.mark.parity
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", models.NAMES)
def test_every_model(name: str, kind: QuantizedType) -> None:
    data = builtin_only(memoryview(exact(name)))
    graph = converter.read(data).graph
    _, height, width, _ = graph.tensors[graph.inputs[0]].shape
    faces = [Image.fromarray(pictures.picture(face)).resize((width, height)) for face in pictures.FACES]
    inputs = [[np.asarray(face, np.float32)[None] / np.float32(255)] for face in faces]
    if name == "face_landmark_with_attention":
        if kind == "int8":
            with pytest.raises(CannotExport, match=r"Landmarks2TransformMatrix.*\nhint: dtype='dynamic'"):
                quantize(data, kind, inputs)
        else:
            assert quantize(data, kind).left_float == {"PRELU": 73, "MUL": 6}
        return
    made = quantize(data, kind, inputs).data
    for kernels in KERNELS:
        truth, rounded = (LiteRT(each, kernels).run(inputs[0]) for each in (data, made))
        assert [a.shape for a in truth] == [b.shape for b in rounded]
        assert all(np.isfinite(b).all() for b in rounded)
        # What the model is for comes first; of a face, other outputs may be one number, or nearly constant. An operator
        # that is quantized wrongly shows by far: right, all correlate with 0.98 to 1. What is off by a factor or an
        # offset does so as well: right, factors are within 0.06 of 1, and offsets up to 0.04 deviations.
        exactly, roughly = truth[0].ravel(), rounded[0].ravel()
        assert np.corrcoef(exactly, roughly)[0, 1] > 0.97
        assert np.polyfit(exactly, roughly, 1)[0] == pytest.approx(1, abs=0.15)
        assert abs((roughly - exactly).mean()) < 0.1 * exactly.std()


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    quantize(exact(PALM), "int8", inputs_for(PALM)[:1])
    quantize(exact(PALM), "dynamic")
    assert capsys.readouterr() == ("", "")


def test_signatures_and_names_that_repeat_stay() -> None:
    file = Editable(memoryview(siblings_file("same", "same")))
    inputs, outputs = ({"argument": int(indices[0])} for indices in (file.graph.inputs, file.graph.outputs))
    file.model.signatureDefs = [signature("serving_default", inputs, outputs)]
    file.graph.tensors[file.graph.outputs[0]].name = None
    data = file.pack()
    for kind in KINDS:
        made = converter.read(quantize(data, kind, seeded_inputs(SIBLINGS.graph, 1)).data)
        (ours,) = made.signatures
        assert (ours.key, ours.inputs) == ("serving_default", {"argument": made.graph.inputs[0]})
        assert ours.outputs == {"argument": made.graph.outputs[0]}
        assert len([tensor for tensor in made.graph.tensors if tensor.name == "same"]) >= 2


@pytest.mark.parametrize(
    ("representative", "message"),
    [
        (None, "int8 needs representative inputs.*\nhint: representative="),
        ([], "there are no representative inputs"),
        ([[np.zeros((1, 8, 9, 3), np.float32)]], r"shape \(1, 8, 9, 3\); the model takes \(1, 8, 8, 3\)"),
        ([[np.zeros(SHAPE, np.float32)] * 2], r"shape \(1, 8, 8, 3\), \(1, 8, 8, 3\); the model takes"),
        ([[np.full(SHAPE, x, np.float32)] for x in (0, np.nan)], "input 2 makes tensor .* infinite or NaN"),
    ],
)
def test_bad_representative_inputs(representative: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        quantize(bytes(SIBLINGS.data), "int8", representative)


@pytest.mark.parametrize("kind", KINDS)
def test_constant_inputs_are_enough_to_go_on(kind: QuantizedType) -> None:
    made = quantize(bytes(SIBLINGS.data), kind, [[np.zeros(SHAPE, np.float32)]])
    for kernels in KERNELS:
        assert np.isfinite(LiteRT(made.data, kernels).run([np.zeros(SHAPE, np.float32)])[0]).all()


def test_quantizer_that_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from litert_quantizer import quantizer

    def fails(*_: object, **__: object) -> None:
        sys.stdout.write("a report")
        raise RuntimeError("tensor 7 is odd")

    monkeypatch.setattr(quantizer.Quantizer, "quantize", fails)
    with pytest.raises(CannotExport, match="RuntimeError: tensor 7 is odd\nhint: dtype='float16'") as caught:
        quantize(bytes(SIBLINGS.data), "dynamic")
    assert isinstance(caught.value, UnliteError)
    assert capsys.readouterr() == ("", "")


def relu_file(*, also_read: bool = False, fused: int = 0, before: str = "CONV_2D") -> bytes:
    """One operator, a ReLU of its own, and one more operator that reads what the ReLU gives."""
    b, shape = Builder(), [(1, 4, 4, 2)]
    x = b.input(shape[0])
    if before == "CONV_2D":
        made = [b.conv(x, (2, 1, 1, 2), "before", fusedActivationFunction=fused)]
    else:
        made = b.op(before, [x, b.constant(np.zeros((4, 2), np.int32), "pads")], shape, ["before"])
    relu = b.op("RELU", made, shape, ["relu"])
    total = b.op("ADD", [relu[0], x], shape, ["total"])
    return b.build([*total, *(made if also_read else [])])


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({}, ["CONV_2D", "ADD"]),
        ({"also_read": True}, ["CONV_2D", "RELU", "ADD"]),
        ({"fused": 3}, ["CONV_2D", "RELU", "ADD"]),  # has a ReLU6 already
        ({"before": "PAD"}, ["PAD", "RELU", "ADD"]),
    ],
)
def test_relu_becomes_part_of_the_operator_before_it(settings: Any, kinds: list[str]) -> None:
    data = relu_file(**settings)
    file = Editable(memoryview(data))
    fuse_activations(file)
    made = file.pack()
    assert [op.kind for op in converter.read(made).graph.ops] == kinds
    (inputs,) = seeded_inputs(converter.read(data).graph, 1)[1:]
    for kernels in KERNELS:
        assert_bit_equal(*(LiteRT(each, kernels).run(inputs) for each in (made, data)))
