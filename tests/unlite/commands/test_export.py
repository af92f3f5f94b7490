"""`unlite export`: what it prints, which exit code, and what it leaves behind."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
from converter.detectors.labels import Labels, read_labels
from converter.surgery.heads import replace_classes
from converter.surgery.inputs import widen_input
from fixtures.builder import Builder
from tests.tools import models
from tests.tools.commands import check_refused, document, output, run
from tests.tools.labelled import detector
from tests.tools.lazy import keras
from tests.tools.spread import assert_bit_equal

pytestmark = pytest.mark.one_setting

NAME = "face_detection_short_range"
LIKE = ("export", "file.keras", "--like", "file.tflite", "-o", "new.tflite")


@pytest.fixture(autouse=True)
def converted(folder: Path) -> None:
    """The file as a Keras model."""
    converter.save(converter.convert("file.tflite"), "file.keras")


def test_unchanged_model_is_the_original_again(capsys: pytest.CaptureFixture[str]) -> None:
    says = ["same as the model on 16 seeded inputs", "wrote new.tflite: the original, byte for byte"]
    output(capsys, *LIKE, says=says)
    assert Path("new.tflite").read_bytes() == Path("file.tflite").read_bytes()


def test_changed_model_says_what_float16_rounds_off(capsys: pytest.CaptureFixture[str]) -> None:
    model = models.fresh(NAME)
    layer = model.layers[1]
    layer.set_weights([np.float32(1.0007) * values for values in layer.get_weights()])
    converter.save(model, "changed.keras")
    wrote = "wrote changed.tflite: the original's graph with the model's weights"
    output(capsys, "export", "changed.keras", "--like", NAME, says=["classificators: storage rounds off up to", wrote])
    old, new = models.original(NAME), converter.read("changed.tflite")
    assert abs(len(new.data) - len(old.data)) < 0.01 * len(old.data)
    back = converter.convert(new).layers[1]
    assert_bit_equal(back.get_weights(), [w.astype(np.float16).astype(np.float32) for w in layer.get_weights()])


def test_dense_layer_in_place_of_a_convolution(capsys: pytest.CaptureFixture[str]) -> None:
    output(capsys, "transfer", "file.tflite", "mine.py:dense", "-o", "dense.keras", says="same: ")
    output(capsys, "export", "dense.keras", "--like", "file.tflite", "-o", "new.tflite", says="byte for byte")
    model = converter.load("dense.keras")
    model.get_layer("end").kernel.assign([[n, -n] for n in range(4)])
    converter.save(model, "changed.keras")
    output(capsys, "export", "changed.keras", "--like", "file.tflite", says="same as the model on 16 seeded inputs")
    output(capsys, "export", "changed.keras", "-o", "anew.tflite", says="same as the model on 16 seeded inputs")


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    made = document(capsys, "export", "file.keras", "--like", "file.tflite", "--dtype", "float16")
    assert (made["ok"], made["unchanged"], made["output"]) == (True, False, "file.tflite")
    assert made["verification"]["ok"]
    assert len(made["rounding"]) == 1


def test_model_from_a_function_without_verification(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text("import keras\nbuild = lambda: keras.models.load_model('file.keras')\n")
    assert "same as" not in output(capsys, "export", "mine.py:build", "--like", "file.tflite", "--no-verify")
    assert Path("build.tflite").exists()


def test_builtin_only(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(models.shared("selfie_segmentation"), "selfie.keras")
    arguments = ("export", "selfie.keras", "--like", "selfie_segmentation", "--builtin-only")
    output(capsys, *arguments, says="wrote selfie.tflite: the original's graph")
    assert "Convolution2DTransposeBias" not in str(converter.read("selfie.tflite").graph.ops)


def test_new_head_is_spliced_in_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(replace_classes(models.shared(NAME), 7), "seven.keras")
    changed = "changed: classificator_8: kernel has shape (1, 1, 88, 14), the file has (1, 1, 88, 2)"
    says = [changed, "and new operators for what has changed"]
    output(capsys, "export", "seven.keras", "--like", NAME, says=says)
    assert [shape[-1] for shape in converter.convert("seven.tflite").output_shape] == [16, 7]


def test_changes_that_reach_every_output_have_to_be_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(widen_input(models.shared(NAME), 4), "wide.keras")
    arguments = ("export", "wide.keras", "--like", NAME)
    check_refused(capsys, *arguments, message="conv2d: kernel has shape (5, 5, 4, 24), the file has (5, 5, 3, 24)")
    check_refused(capsys, *arguments, message="; --allow-changes writes the model as it is")
    made = document(capsys, *arguments, "--allow-changes")
    assert (made["ok"], len(made["changes"])) == (True, 2)


def test_without_an_original(capsys: pytest.CaptureFixture[str]) -> None:
    output(capsys, "export", "file.keras", "-o", "new.tflite", says="wrote new.tflite: a graph of its own")


def test_layer_without_operators_goes_through_keras(capsys: pytest.CaptureFixture[str]) -> None:
    inputs = keras.Input((8, 8, 3), name="picture")
    x = keras.layers.Conv2D(4, 3, name="features")(inputs)
    first = keras.layers.Flatten(name="second_by_name")(keras.ops.cumsum(x, axis=1))
    model = keras.Model(inputs, [first, keras.layers.GlobalAveragePooling2D(name="a_mean")(x)])
    converter.save(model, "odd.keras")
    says = "no TFLite operator is known here for Cumsum; Keras's own LiteRT export wrote the whole file"
    output(capsys, "export", "odd.keras", says=says)
    graph = converter.read("odd.tflite").graph
    assert [graph.tensors[i].name for i in (*graph.inputs, *graph.outputs)] == ["picture", "second_by_name", "a_mean"]
    check_refused(capsys, "export", "odd.keras", "--dtype", "float16", message="stores float32 only")


ODD = """
import keras
from keras import layers, ops

def named():
    x = keras.Input((8, 8, 3))
    return keras.Model(x, {"b": layers.Conv2D(4, 3)(x), "a": layers.Conv2D(2, 1)(x)})

def several():
    a, b = keras.Input((8, 8, 3), name="a"), keras.Input((8, 8, 3), name="b")
    return keras.Model([a, b], ops.cumsum(a + b, axis=1))

def recurrent():
    x = keras.Input((8, 3))
    return keras.Model(x, layers.LSTM(4)(x))
"""


@pytest.mark.parametrize("name", ["named", "several"])
def test_models_of_other_kinds(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.py").write_text(ODD)
    code, out, err = run(capsys, "export", f"odd.py:{name}")
    assert (code, err) == (0, "")
    assert "same as the model" in out


def test_what_keras_exports_with_control_flow_cannot_be_compared(capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.py").write_text(ODD)
    code, _, err = run(capsys, "export", "odd.py:recurrent")  # older Keras prints while it exports
    assert (code, "but cannot be compared" in err, "hint: --no-verify writes it" in err) == (2, True, True)
    output(capsys, "export", "odd.py:recurrent", "--no-verify")
    assert Path("recurrent.tflite").exists()


@pytest.mark.quantize
def test_int8(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("seen.npy", np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32))
    says = ["the ranges of activations come from 4 inputs", "storage rounds off up to"]
    output(capsys, *LIKE, "--dtype", "int8", "--representative", "seen.npy", says=says)
    assert "INT8" in {t.storage.dtype for t in converter.read("new.tflite").graph.tensors if t.storage}


@pytest.mark.quantize
def test_dynamic_range_says_on_what_it_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    output(capsys, *LIKE, "--dtype", "dynamic", says="measured on random numbers; --representative")


@pytest.mark.quantize
def test_int8_with_custom_operators_is_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    b = Builder()
    x = b.conv(b.input((1, 8, 8, 16)), (8, 3, 3, 16), "conv")
    options = struct.pack("<6i", 1, 2, 2, 2, 2, 0)
    ends = b.op("MaxPoolingWithArgmax2D", [x], [(1, 4, 4, 8), (1, 4, 4, 8)], ["largest", "where"], custom=options)
    Path("custom.tflite").write_bytes(b.build(ends[:1]))
    converter.save(converter.convert("custom.tflite"), "custom.keras")
    arguments = ["export", "custom.keras", "--like", "custom.tflite", "--dtype", "dynamic", "-o", "new.tflite"]
    output(capsys, *arguments, says="not measured: LiteRT has no kernel for MaxPoolingWithArgmax2D")
    assert "INT8" in {tensor.dtype for tensor in converter.read("new.tflite").graph.tensors}


def test_onnx(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(replace_classes(models.shared(NAME), 7, "gated"), "seven.keras")
    says = ["same as the model on 16 seeded inputs (ONNX Runtime)", "wrote seven.onnx: a graph of its own"]
    output(capsys, "export", "seven.keras", "--like", NAME, "--onnx", says=says)
    import onnx

    ends = onnx.load("seven.onnx").graph.output
    assert [end.name for end in ends] == ["regressors", "classificators", "class_classificators"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["file.keras", "--allow-changes", "-o", "new.tflite"], "--allow-changes is about an original"),
        pytest.param(
            ["file.keras", "--like", "file.tflite", "--dtype", "int8"],
            "int8 needs representative inputs",
            marks=pytest.mark.quantize,
        ),
        (["file.keras", "--like", "file.tflite", "--representative", "x.npy"], "hint: --dtype int8"),
        (["file.keras", "--like", "file.tflite", "--onnx", "--dtype", "float16"], "--dtype and --builtin-only are for"),
        (["file.keras", "--like", "file.tflite", "--onnx", "-o", "new.tflite"], "does not end in .onnx"),
        (["file.keras", "--like", NAME], "the model is not the original's"),
        (["none.keras", "--like", "file.tflite"], "no such file: none.keras"),
        (["file.keras", "--like", "none.tflite"], "no such file: none.tflite"),
        (["file.keras", "--like", "file.tflite", "-o", "new.keras"], "does not end in .tflite"),
        (["file.keras", "--like", "file.tflite", "-o", "missing/new.tflite"], "the folder missing does not exist"),
        (["broken.keras", "--like", "file.tflite", "-o", "new.tflite"], "are not finite"),
    ],
)
def test_bad_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    broken = converter.load("file.keras")
    broken.get_layer("end").bias.assign(keras.ops.full((2,), np.nan))
    converter.save(broken, "broken.keras")
    check_refused(capsys, "export", *arguments, message=message)


def test_export_that_does_not_agree_is_not_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from converter.write.writer import Writer

    def exchanged(self: Writer) -> list[Any]:
        placed = place(self)
        left, right = (i for i, each in enumerate(placed) if each.values.shape == (4, 3, 3, 3))
        return [*placed[:left], replace(placed[left], values=2 * placed[right].values), *placed[left + 1 :]]

    place = Writer.placed
    monkeypatch.setattr(Writer, "placed", exchanged)
    output(capsys, *LIKE, says=["NOT the same as the model", "nothing was written"], exit_code=1)
    assert not Path("new.tflite").exists()


LABELS = Labels(("near", "far"), 0.25)


def test_labels_travel(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(converter.load("file.keras"), "named.keras", LABELS)
    like = ("export", "named.keras", "--like", "file.tflite")
    out = output(capsys, *like, says="weights, labels near, far")
    assert "pbtxt" not in out  # it is no detector
    assert read_labels("named.tflite") == LABELS
    output(capsys, "inspect", "named.tflite", says="labels (from a score of 0.25): near, far\n")
    assert document(capsys, "inspect", "named.tflite")["labels"] == LABELS.as_dict()
    output(capsys, *like[:3], "named.tflite", "-o", "new.tflite", says="the original, byte for byte, labels near, far")
    output(capsys, "convert", "named.tflite", "-o", "back.keras")
    assert read_labels("back.keras") == LABELS
    for labels in (None, LABELS.as_dict()):
        name = "named" if labels else "file"
        made = document(capsys, "export", f"{name}.keras", "--like", "file.tflite", "--no-verify")
        assert (made["labels"], made["graph"]) == (labels, None)


def test_labelled_detector_comes_with_a_graph_for_mediapipe(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(detector("joint"), "three.keras")
    given = ("export", "three.keras", "--like", "palm_detection_full")
    output(capsys, *given, says="wrote three.pbtxt: with it, MediaPipe 0.10.21 runs the detector")
    assert 'model_path: "three.tflite"' in Path("three.pbtxt").read_text(encoding="utf-8")
    assert document(capsys, *given, "--no-verify")["graph"] == "three.pbtxt"
    converter.save(detector("gated"), "gated.keras")
    says = "no graph for MediaPipe was written: gated.tflite gives location, objectness, score"
    output(capsys, "export", "gated.keras", "--like", "palm_detection_full", says=says)
    assert not Path("gated.pbtxt").exists()


def test_neither_file_is_written_where_one_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    Path("three.pbtxt").mkdir()
    converter.save(detector("joint"), "three.keras")
    check_refused(capsys, "export", "three.keras", "--like", "palm_detection_full", message="three.pbtxt cannot be")


def test_labels_that_are_not_as_many_as_classes_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    converter.save(converter.load("file.keras"), "named.keras", Labels(("a", "b", "c")))
    message = "there are 3 labels, but the model gives 1×8×8×2"
    check_refused(capsys, "export", "named.keras", "--like", "file.tflite", message=message)
