"""Keras models written as ONNX: right ones pass in ONNX Runtime, damaged ones do not, and what cannot be is said."""

import logging
import sys
from typing import Any

import numpy as np
import onnx
import pytest

import converter
import parity
from converter.errors import BadCandidate, CannotExport, MissingBackend
from converter.tflite.model import Model
from converter.write.onnx import _unique, to_onnx
from converter.write.writer import write
from fixtures.builder import Builder
from parity.inputs import seeded_inputs
from parity.outputs.compare import Verdict
from parity.outputs.verification import SIGMOID_ERROR, Truth, Verification, kernel_errors, verify_onnx
from parity.runners.runtimes import OnnxRuntime, keras_runner
from tests.tools import models
from tests.tools.files import change, first_kernel
from tests.tools.lazy import keras, ops

pytestmark = pytest.mark.one_setting

NAME = "face_detection_short_range"
QUICK = (NAME, "hand_landmark_lite", "palm_detection_full", "selfie_segmentation")


def exact(name: str) -> Model:
    """The file with float32 weights."""
    return converter.read(write(models.original(name), models.shared(name), "float32"))


def checked(exact: Model, model: Any, data: bytes, seeds: int = 1) -> Verification:
    """As `unlite export --onnx`: the model on two inputs per seed, and ONNX Runtime on the same."""
    return verify_onnx(Truth(exact), keras_runner(model), data, parity.verify(exact, model, seeds=seeds))


def verdicts(data: bytes) -> list[Verdict]:
    return [c.verdict for c in checked(exact(NAME), models.shared(NAME), data).comparisons]


def one_op(kind: str, names: tuple[str, str] = ("x", "y")) -> Model:
    b = Builder()
    x = b.input((1, 4, 4, 3), names[0])
    return converter.read(b.build(b.op(kind, [x], [(1, 4, 4, 3)], [names[1]])))


def model_of(function: Any) -> Any:
    inputs = keras.Input((4, 4, 3))
    return keras.Model(inputs, function(inputs))


@pytest.fixture(scope="module")
def data() -> bytes:
    return to_onnx(models.original(NAME), models.shared(NAME))


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.onnx) for n in models.NAMES])
def test_onnx_runtime_computes_the_same(name: str) -> None:
    original, model = models.original(name), models.shared(name)
    data = to_onnx(original, model)
    # Eleven custom ops in turns with LiteRT: each input takes seconds.
    seeds = 2 if name == "face_landmark_with_attention" else 8
    outcome = checked(exact(name), model, data, seeds=seeds)
    assert outcome.inputs == 2 * seeds
    assert outcome.ok, outcome.as_dict()
    graph, made = original.graph, onnx.load_from_string(data).graph
    for indices, ends in ((graph.inputs, made.input), (graph.outputs, made.output)):
        expected = [(graph.tensors[i].name, ["batch", *graph.tensors[i].shape[1:]]) for i in indices]
        assert [(e.name, [d.dim_param or d.dim_value for d in e.type.tensor_type.shape.dim]) for e in ends] == expected


def damaged(data: bytes, share: float) -> bytes:
    """With one element of the first kernel off by this share of its range."""

    def hurt(values: Any) -> Any:
        values.flat[values.size // 2] += share * np.ptp(values)
        return values

    model = onnx.load_from_string(data)
    change(first_kernel(model), hurt)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(("damage", "expected"), [(1e-3, Verdict.DIFFERS), (np.nan, Verdict.NOT_FINITE)])
def test_one_weight_off_by_a_thousandth_of_its_range_or_nan(damage: float, expected: Verdict, data: bytes) -> None:
    assert expected in verdicts(damaged(data, damage))


def test_outputs_swapped_or_missing(data: bytes) -> None:
    model = onnx.load_from_string(data)
    first, second = model.graph.output
    for outputs, expected in (([second, first], [Verdict.OTHER_SHAPE] * 2), ([first], [Verdict.OK, Verdict.ABSENT])):
        wrong = onnx.ModelProto()
        wrong.CopyFrom(model)
        del wrong.graph.output[:]
        wrong.graph.output.extend(outputs)
        assert verdicts(wrong.SerializeToString()) == expected


def changed() -> Any:
    model = models.fresh(NAME)
    model.layers[1].set_weights([values * np.float32(1.01) for values in model.layers[1].get_weights()])
    return model


def test_other_weights_than_the_keras_model_has(data: bytes) -> None:
    """The file that was exported before training goes on."""
    model = changed()
    trained = converter.read(write(models.original(NAME), model, "float32"))
    assert not checked(trained, model, data).ok
    assert checked(trained, model, to_onnx(models.original(NAME), model)).ok


def test_a_keras_model_that_is_wrong_itself_is_no_measure(data: bytes) -> None:
    with pytest.raises(ValueError, match="shows nothing"):
        checked(models.original(NAME), changed(), data)


def test_sigmoid_near_zero() -> None:
    """ONNX Runtime's own Sigmoid may be further off than 2e-6 of such a range; a wrong model is not let through.

    How far off, its version and the processor say: here only that it is not more than it gets.
    """
    file = one_op("LOGISTIC")
    model = model_of(lambda x: ops.sigmoid(x - 16))
    (values,) = seeded_inputs(file.graph, 1)[0]
    (made,) = OnnxRuntime(to_onnx(file, model)).run([values])
    truth = ops.convert_to_numpy(model(values))
    error = np.abs(made - truth).max()
    assert error <= SIGMOID_ERROR

    model, wrong = model_of(ops.sigmoid), model_of(lambda x: ops.sigmoid(x + 1e-4))
    assert checked(file, model, to_onnx(file, model)).ok
    assert not checked(file, model, to_onnx(file, wrong)).ok


def test_only_outputs_that_show_a_sigmoid_get_its_error() -> None:
    for function, expected in (
        (ops.sigmoid, {"y": SIGMOID_ERROR}),
        (lambda x: ops.transpose(ops.sigmoid(x), (0, 2, 1, 3)), {"y": SIGMOID_ERROR}),
        (ops.relu, {}),
        (lambda x: 1000 * ops.sigmoid(x), {}),
        (ops.silu, {}),
    ):
        assert kernel_errors(to_onnx(one_op("RELU"), model_of(function)), ["y"]) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("serving_default_x:0", "StatefulPartitionedCall:0"), ["serving_default_x:0", "StatefulPartitionedCall:0"]),
        (("Identity:0", "input_0"), ["Identity:0", "input_0"]),  # what TensorFlow calls them, the other way round
        (("same", "same"), ["same", "same:1"]),
    ],
)
def test_names_that_clash(names: tuple[str, str], expected: list[str]) -> None:
    file, model = one_op("RELU", names), model_of(ops.relu)
    data = to_onnx(file, model)
    graph = onnx.load_from_string(data).graph
    assert [end.name for end in (*graph.input, *graph.output)] == expected
    assert checked(file, model, data).ok


def test_names_are_never_the_same() -> None:
    assert _unique(["", "", "a", "a", "a:5", "a"]) == [":0", ":1", "a", "a:3", "a:5", "a:5:5"]


def test_operator_that_onnx_lacks_is_named(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(CannotExport, match=r"ONNX has no operator for Erfinv \(.*erfinv.*\)"):
        to_onnx(one_op("RELU"), model_of(ops.erfinv))
    assert capsys.readouterr() == ("", "")
    assert caplog.records == []
    assert logging.root.manager.disable == logging.NOTSET


def test_other_number_of_outputs() -> None:
    with pytest.raises(CannotExport, match="3 inputs and outputs, the file has 2"):
        to_onnx(one_op("RELU"), model_of(lambda x: [x, ops.relu(x)]))


def test_tf2onnx_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    import tf2onnx

    def fail(*_: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(tf2onnx.convert, "from_function", fail)
    with pytest.raises(CannotExport, match="tf2onnx cannot write the model: KeyError: 'x'"):
        to_onnx(one_op("RELU"), model_of(ops.relu))


def test_missing_packages(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tf2onnx", None)
        with pytest.raises(MissingBackend, match=r"tf2onnx[^\n]*\nhint: pip install 'unlite\[onnx\]'"):
            to_onnx(one_op("RELU"), model_of(ops.relu))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingBackend, match=r"onnxruntime[^\n]*\nhint: pip install 'unlite\[onnx\]'"):
        OnnxRuntime(data)


def test_other_back_ends_are_told_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(MissingBackend, match=r"Keras runs on jax\nhint: .*KERAS_BACKEND=tensorflow"):
        to_onnx(one_op("RELU"), model_of(ops.relu))


def test_what_onnx_runtime_refuses(data: bytes) -> None:
    with pytest.raises(BadCandidate, match="ONNX Runtime refuses the model"):
        OnnxRuntime(b"nonsense")
    with pytest.raises(BadCandidate, match="ONNX Runtime cannot run the model"):
        OnnxRuntime(data).run([np.zeros((1, 3, 128, 128), np.float32)])
