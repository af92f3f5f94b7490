"""`unlite transfer` and `unlite parity`: what they print, which exit code, and what they leave behind."""

import json
from pathlib import Path

import numpy as np
import pytest

import converter
from fixtures.siblings import siblings_file
from parity.candidates.saved_traces import SavedTrace
from tests.commands import run
from tests.lazy import keras

MODULE = """
import keras
from keras import layers

def build(filters=2, activation=None, names=("left", "right"), size=8, pool=None):
    inputs = keras.Input((size, size, 3))
    both = [layers.Conv2D(4, 3, padding="same", name=name)(inputs) for name in names]
    return keras.Model(inputs, layers.Conv2D(filters, 1, activation=activation, name="end")(layers.Add()(both)))

def right(): return build()
def nameless(): return build(names=("a", "b"))
def seven(): return build(filters=7)
def with_relu(): return build(activation="relu")
def large(): return build(size=16)
def number(): return 3
def raises(): raise RuntimeError("out of luck")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder with a file and a module."""
    monkeypatch.chdir(tmp_path)
    Path("file.tflite").write_bytes(siblings_file("left", "right"))
    Path("mine.py").write_text(MODULE)
    return tmp_path


def left_behind(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"file.tflite", "mine.py", "__pycache__"}


def test_transfer_writes_a_model_that_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "transfer", "file.tflite", "mine.py:right", "-o", "out.keras")
    assert code == 0
    assert "6 variables matched: 6 by name" in out
    assert "wrote out.keras" in out
    assert "same: " in out
    code, out, _ = run(capsys, "parity", "file.tflite", "out.keras")
    assert code == 0
    assert out.startswith("same: ")


def test_wrong_model_is_not_written_unless_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "transfer", "file.tflite", "mine.py:with_relu", "-o", "out.keras")
    assert code == 1
    assert "end is wrong: the file has no relu here" in out
    assert "--no-verify writes" in out
    assert left_behind(folder) == set()
    code, _, _ = run(capsys, "transfer", "file.tflite", "mine.py:with_relu", "-o", "out.keras", "--no-verify")
    assert code == 0
    code, out, _ = run(capsys, "parity", "file.tflite", "out.keras", "--no-audit")
    assert code == 1
    assert "end is wrong: off by up to" in out


def test_gaps_are_listed_and_nothing_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "transfer", "file.tflite", "mine.py:seven", "-o", "out.keras")
    assert code == 2
    assert "2 tensors that nobody reads" in err
    assert left_behind(folder) == set()


def test_heads_left_out_on_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--allow-unfed", "end", "--allow-unfed", "end/*"]
    code, out, _ = run(capsys, "transfer", "file.tflite", "mine.py:seven", "-o", "out.keras", *arguments)
    assert code == 0
    assert "same as far as it goes" in out
    code, out, _ = run(capsys, "parity", "file.tflite", "out.keras")
    assert code == 1  # it is not the same model
    written, converted = converter.load("out.keras"), converter.convert("file.tflite")
    for name in ("left", "right"):  # what was not left out has arrived
        for made, truth in zip(written.get_layer(name).weights, converted.get_layer(name).weights, strict=True):
            np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (made, truth)))


def test_starter_table_leads_to_a_transfer(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "transfer", "file.tflite", "mine.py:nameless", "--write-overrides", "table.toml")
    assert code == 0
    assert "wrote table.toml: 2 rows to be filled in" in out
    text = Path("table.toml").read_text()
    rows = text.split("[[override]]")
    Path("table.toml").write_text(
        "[[override]]" + rows[1].replace('variable = ""\nwhy = ""', 'variable = "a/kernel"\nwhy = "first"')
    )
    code, out, _ = run(
        capsys, "transfer", "file.tflite", "mine.py:nameless", "--overrides", "table.toml", "-o", "out.keras"
    )
    assert code == 0
    assert "2 by override" in out
    code, out, _ = run(capsys, "parity", "file.tflite", "out.keras", "--overrides", "table.toml")
    assert code == 0


def test_json_says_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "transfer", "file.tflite", "mine.py:with_relu", "--json")
    document = json.loads(out)
    assert code == 1
    assert document["parity"]["guilty"]["layer"] == "end"
    assert document["assignments"][0]["matched_by"] == "name"
    code, out, _ = run(capsys, "parity", "file.tflite", "mine.py:right", "--json")
    document = json.loads(out)
    assert (code, document["ok"]) == (1, False)  # random weights


def test_trace_html_and_inputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "transfer", "file.tflite", "mine.py:right", "-o", "out.keras")[0] == 0
    picture = np.linspace(0, 1, 192, dtype=np.float32).reshape(8, 8, 3)
    np.save("picture.npy", picture)
    arguments = ["--inputs", "picture.npy", "--save-trace", "trace.npz", "--html", "report.html", "--all"]
    code, out, _ = run(capsys, "parity", "file.tflite", "out.keras", *arguments)
    assert code == 0
    assert "4 tensors, 1 inputs" in out
    assert all(name in out for name in ("left", "right", "add", "end"))
    assert left_behind(folder) == {"out.keras", "picture.npy", "trace.npz", "report.html"}
    (given,) = SavedTrace(Path("trace.npz")).inputs
    np.testing.assert_array_equal(given, picture[None, None])  # one input, one picture
    code, out, _ = run(capsys, "parity", "file.tflite", "trace.npz")
    assert code == 0
    assert "1 inputs" in out


BAD = '[[override]]\ntensor = "left/Kernel"\nvariable = "a/kernul"\nwhy = "x"\n'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["transfer", "file.tflite", "mine.py:number"], "gives a int, not a keras.Model"),
        (["transfer", "file.tflite", "mine.py:nobody"], "has no function 'nobody'"),
        (["transfer", "file.tflite", "none.py:right"], "no such file: none.py"),
        (["transfer", "file.tflite", "file.tflite"], "is no Keras model"),
        (["transfer", "file.tflite", "mine.py:right", "-o", "out.h5"], "does not end in .keras"),
        (["transfer", "file.tflite", "mine.py:nameless", "--overrides", "bad.toml"], "bad.toml:1: row 1"),
        (["transfer", "file.tflite", "mine.py:nameless", "--overrides", "no.toml"], "cannot read no.toml"),
        (["parity", "file.tflite", "mine.py:raises"], "mine.py:raises raises RuntimeError: out of luck"),
        (["parity", "file.tflite", "mine.py:large"], "has shape (16, 16, 3), the original's (8, 8, 3)"),
        (["parity", "file.tflite", "none.keras"], "no such file: none.keras"),
        (["parity", "file.tflite", "none.tflite"], "no such file: none.tflite"),
        (["parity", "file.tflite", "mine.txt"], "is nothing that can be compared"),
        (["parity", "file.tflite", "broken.keras"], "cannot be loaded as a Keras model"),
        (["parity", "file.tflite", "custom.keras"], "cannot be loaded as a Keras model"),
        (["parity", "file.tflite", "mine.py:right", "--inputs", "nan.npy"], "192 values that are not finite"),
        (["parity", "file.tflite", "mine.py:right", "--inputs", "bad.toml"], "bad.toml holds no arrays"),
        (["parity", "file.tflite", "mine.py:right", "--seeds", "0"], "there are no inputs"),
        (["parity", "file.tflite", "mine.py:right", "--html", "no/report.html"], "the folder no does not exist"),
        (["parity", "file.tflite", "mine.py:right", "--save-trace", "trace"], "does not end in .npz"),
    ],
)
def test_mistakes_end_in_a_message(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.toml").write_text(BAD)
    Path("broken.keras").write_bytes(b"PK nonsense")
    np.save("nan.npy", np.full((1, 8, 8, 3), np.nan, np.float32))
    save_with_a_layer_of_ones_own(Path("custom.keras"))
    before = left_behind(folder)
    code, out, err = run(capsys, *arguments)
    assert code == 2, out + err
    assert message in err
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert left_behind(folder) == before


def save_with_a_layer_of_ones_own(path: Path) -> None:
    mine = type("Mine", (keras.layers.Layer,), {"call": lambda _, x: x})  # whom nobody else can import
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, mine()(inputs)).save(path)


def test_inputs_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """What is there under the input's name is fed: that it cannot be, shows it."""
    values = np.zeros((8, 8, 3), np.float32)
    np.savez("named.npz", another=values, input=values * np.nan)
    code, _, err = run(capsys, "parity", "file.tflite", "mine.py:right", "--inputs", "named.npz")
    assert code == 2
    assert "192 values that are not finite" in err
