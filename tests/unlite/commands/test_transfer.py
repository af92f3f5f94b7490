"""`unlite transfer`: what it prints, which exit code, and what it leaves behind."""

import json
from pathlib import Path

import numpy as np
import pytest

import converter
from tests.commands import check_refused, left_behind, run
from tests.lazy import keras


def test_transfer_writes_a_model_that_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "transfer", "file.tflite", "mine.py:right", "-o", "out.keras")
    assert code == 0
    assert "6 variables matched: 6 by name" in out
    assert "wrote out.keras" in out
    assert "same: " in out
    code, out, _ = run(capsys, "parity", "file.tflite", "out.keras")
    assert code == 0
    assert out.startswith("same: ")


def test_wrong_model_is_not_written_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "transfer", "file.tflite", "mine.py:with_relu", "-o", "out.keras")
    assert code == 1
    assert "end is wrong: the file has no relu here" in out
    assert "--no-verify writes" in out
    assert left_behind() == set()
    code, _, _ = run(capsys, "transfer", "file.tflite", "mine.py:with_relu", "-o", "out.keras", "--no-verify")
    assert code == 0
    code, out, _ = run(capsys, "parity", "file.tflite", "out.keras", "--no-audit")
    assert code == 1
    assert "end is wrong: off by up to" in out


def test_gaps_are_listed_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    check_refused(capsys, "transfer", "file.tflite", "mine.py:seven", message="2 tensors that nobody reads")


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


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "transfer", "file.tflite", "mine.py:with_relu", "--json")
    document = json.loads(out)
    assert code == 1
    assert document["parity"]["guilty"]["layer"] == "end"
    assert document["assignments"][0]["matched_by"] == "name"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["file.tflite", "mine.py:number"], "gives a int, not a keras.Model"),
        (["file.tflite", "mine.py:nobody"], "has no function 'nobody'"),
        (["file.tflite", "none.py:right"], "no such file: none.py"),
        (["file.tflite", "file.tflite"], "is no Keras model"),
        (["file.tflite", "mine.py:right", "-o", "out.h5"], "does not end in .keras"),
        (["file.tflite", "mine.py:nameless", "--overrides", "bad.toml"], "bad.toml:1: row 1"),
        (["file.tflite", "mine.py:nameless", "--overrides", "no.toml"], "cannot read no.toml"),
    ],
)
def test_mistakes(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.toml").write_text('[[override]]\ntensor = "left/Kernel"\nvariable = "a/kernul"\nwhy = "x"\n')
    check_refused(capsys, "transfer", *arguments, message=message)
