"""`unlite parity`: what it prints, which exit code, and what it leaves behind."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import converter
from parity.candidates.saved_traces import SavedTrace
from tests.tools import models
from tests.tools.commands import check_refused, document, left_behind, output
from tests.tools.lazy import keras


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert not document(capsys, "parity", "file.tflite", "mine.py:right", exit_code=1)["ok"]  # random weights


def test_trace_html_and_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    output(capsys, "transfer", "file.tflite", "mine.py:right", "-o", "out.keras")
    picture = np.linspace(0, 1, 192, dtype=np.float32).reshape(8, 8, 3)
    np.save("picture.npy", picture)
    arguments = ["--inputs", "picture.npy", "--save-trace", "trace.npz", "--html", "report.html", "--all"]
    says = ["4 tensors, 1 inputs", "left", "right", "add", "end"]
    output(capsys, "parity", "file.tflite", "out.keras", *arguments, says=says)
    assert left_behind() == {"out.keras", "picture.npy", "trace.npz", "report.html"}
    (given,) = SavedTrace(Path("trace.npz")).inputs
    np.testing.assert_array_equal(given, picture[None, None])  # one input, one picture
    output(capsys, "parity", "file.tflite", "trace.npz", says="1 inputs")


def test_pairs_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    output(capsys, "transfer", "file.tflite", "mine.py:right", "-o", "out.keras")
    says = ["left of the candidate is left of the original (by name,", "+6.0  the same name", "+5.0  the same weights"]
    output(capsys, "parity", "file.tflite", "out.keras", "--explain", "left", says=says)
    pairs = document(capsys, "parity", "file.tflite", "out.keras")["matching"]
    found = next(pair for pair in pairs if pair["file"] == "left")
    assert (found["model"], found["evidence"]) == ("left", "name")
    assert found["points"] == sum(reason["points"] for reason in found["reasons"])


def test_what_has_no_partner_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    says = ["left has no partner", "possible: a as left", "possible: b as left", "nothing tells these apart"]
    output(capsys, "parity", "file.tflite", "mine.py:nameless", "--explain", "left", says=says, exit_code=1)


def test_pictures_of_a_folder_are_inputs_of_a_known_detector(capsys: pytest.CaptureFixture[str]) -> None:
    name = "face_detection_short_range"
    converter.save(models.shared(name), "face.keras")
    Path("pictures/below").mkdir(parents=True)
    for place, tone in (("a.png", 60), ("below/b.png", 190)):
        Image.new("RGB", (90, 60), (tone, 120, 90)).save(Path("pictures", place))
    output(capsys, "parity", name, "face.keras", "--inputs", "pictures", says=["same: ", "2 inputs"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["file.tflite", "mine.py:right", "--inputs", "."], "the model is no detector that is known"),
        (["file.tflite", "mine.py:raises"], "mine.py:raises raises RuntimeError: out of luck"),
        (["file.tflite", "mine.py:large"], "has shape (16, 16, 3), the original's (8, 8, 3)"),
        (["file.tflite", "mine.py:right", "--explain", "lefd"], "did you mean left"),
        (["file.tflite", "none.keras"], "no such file: none.keras"),
        (["file.tflite", "none.tflite"], "no such file: none.tflite"),
        (["file.tflite", "mine.txt"], "is nothing that can be compared"),
        (["file.tflite", "broken.keras"], "cannot be loaded as a Keras model"),
        (["file.tflite", "custom.keras"], "cannot be loaded as a Keras model"),
        (["file.tflite", "mine.py:right", "--inputs", "nan.npy"], "192 values that are not finite"),
        (["file.tflite", "mine.py:right", "--inputs", "bad.toml"], "bad.toml holds no arrays"),
        (["file.tflite", "mine.py:right", "--seeds", "0"], "there are no inputs"),
        (["file.tflite", "mine.py:right", "--html", "no/report.html"], "the folder no does not exist"),
        (["file.tflite", "mine.py:right", "--save-trace", "trace"], "does not end in .npz"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.toml").write_text("no arrays")
    Path("broken.keras").write_bytes(b"PK nonsense")
    np.save("nan.npy", np.full((1, 8, 8, 3), np.nan, np.float32))
    mine = type("Mine", (keras.layers.Layer,), {"call": lambda _, x: x})  # whom nobody else can import
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, mine()(inputs)).save("custom.keras")
    check_refused(capsys, "parity", *arguments, message=message)


def test_inputs_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """What is there under the input's name is fed: that it cannot be, shows it."""
    values = np.zeros((8, 8, 3), np.float32)
    np.savez("named.npz", another=values, input=values * np.nan)
    arguments = ("parity", "file.tflite", "mine.py:right", "--inputs", "named.npz")
    check_refused(capsys, *arguments, message="192 values that are not finite")
