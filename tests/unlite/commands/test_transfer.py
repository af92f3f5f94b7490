"""`unlite transfer`: what it prints, which exit code, and what it leaves behind."""

import re
from pathlib import Path
from typing import Any

import pytest

import converter
from parity.candidates.loading import load_model
from tests.parity.layerwise.test_other_peoples_models import conv_file
from tests.tools.commands import check_refused, document, left_behind, output, process, run
from tests.tools.spread import assert_bit_equal

COMPARE = ("parity", "file.tflite", "out.keras")


def transfer(capsys: pytest.CaptureFixture[str], name: str, *arguments: str, **expected: Any) -> str:
    """Into what a function of the module makes; what is printed."""
    return output(capsys, "transfer", "file.tflite", f"mine.py:{name}", *arguments, **expected)


def test_transfer_writes_a_model_that_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    transfer(capsys, "right", "-o", "out.keras", says=["6 variables matched: 6 by name", "wrote out.keras", "same: "])
    assert output(capsys, *COMPARE).startswith("same: ")


def test_wrong_model_is_not_written_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    says = ["end is wrong: the file has no relu here", "--no-verify writes"]
    transfer(capsys, "with_relu", "-o", "out.keras", says=says, exit_code=1)
    assert left_behind() == set()
    transfer(capsys, "with_relu", "-o", "out.keras", "--no-verify")
    says = ["end is wrong: without this relu the result is right; off by up to"]
    output(capsys, *COMPARE, "--no-audit", says=says, exit_code=1)


def test_gaps_are_listed_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    check_refused(capsys, "transfer", "file.tflite", "mine.py:seven", message="2 tensors that nobody reads")


def test_heads_left_out_on_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--allow-unfed", "end", "--allow-unfed", "end/*"]
    transfer(capsys, "seven", "-o", "out.keras", *arguments, says="same as far as it goes")
    output(capsys, *COMPARE, exit_code=1)  # it is not the same model
    written, converted = converter.load("out.keras"), converter.convert("file.tflite")
    for name in ("left", "right"):  # what was not left out has arrived
        assert_bit_equal(written.get_layer(name).get_weights(), converted.get_layer(name).get_weights())


def test_starter_table_leads_to_a_transfer(capsys: pytest.CaptureFixture[str]) -> None:
    transfer(capsys, "nameless", "--write-overrides", "table.toml", says="wrote table.toml: 2 rows to be filled in")
    row = Path("table.toml").read_text().split("[[override]]")[1]
    filled = row.replace('variable = ""\nwhy = ""', 'variable = "a/kernel"\nwhy = "first"')
    Path("table.toml").write_text(f"[[override]]{filled}")
    transfer(capsys, "nameless", "--overrides", "table.toml", "-o", "out.keras", says="2 by override")
    output(capsys, *COMPARE, "--overrides", "table.toml")


def test_table_that_the_numbers_contradict_is_told_both(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file.tflite").write_bytes(conv_file(siblings=True))
    Path("mine.py").write_text(
        "from keras import Input, Model, layers\n"
        "def joined():\n"
        "    x = Input((8, 8, 3))\n"
        "    both = [layers.Conv2D(4, 3, padding='same', name=name)(x) for name in ('a', 'b')]\n"
        "    return Model(x, layers.Concatenate(name='both')(both))\n"
    )
    transfer(capsys, "joined", "--no-verify", "-o", "right.keras", says="4 by topology")
    row = '[[override]]\ntensor = "conv2d/Kernel"\nvariable = "b/kernel"\nwhy = "the second, as I thought"\n'
    Path("table.toml").write_text(row)
    out = transfer(capsys, "joined", "--overrides", "table.toml", "-o", "out.keras", exit_code=1)
    assert re.search(
        r"table of overrides contradicts the numbers: with it both is off by \S+ \(.*\), without it off by", out
    )
    assert not Path("out.keras").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("with_lambda", "layer 'odd': Keras loads no Python lambda in safe mode"),
        ("with_class", "layer 'odd': the class Same is in your code alone"),
    ],
)
def test_file_that_will_not_load_again_is_told_before_it_is_written(
    name: str, why: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, save = [], converter.save

    def spied(*given: Any) -> None:
        before.append(capfd.readouterr().err)
        save(*given)

    monkeypatch.setattr(converter, "save", spied)
    made = document(capfd, "transfer", "file.tflite", f"mine.py:{name}", "-o", "out.keras", "--no-verify")
    (note,) = made["notes"]
    assert f"out.keras will not load in unlite again: {why}" in note
    assert "-o out.weights.h5" in note
    assert before == [f"note: {note}\n"]
    again = process("parity", "file.tflite", "out.keras")  # where nobody has run mine.py
    assert (again.returncode, "cannot be loaded" in again.stderr) == (2, True)


def test_weights_alone_for_code_of_ones_own(capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capfd, "transfer", "file.tflite", "mine.py:with_lambda", "-o", "out.weights.h5", "--no-verify")
    assert (code, err) == (0, "")
    output(capfd, "parity", "file.tflite", "mine.py:filled", "--no-audit", says="same: ")
    model, converted = load_model("mine.py:filled"), converter.convert("file.tflite")
    for name in ("left", "right", "end"):
        assert_bit_equal(model.get_layer(name).get_weights(), converted.get_layer(name).get_weights())


def test_model_that_cannot_be_saved_has_weights_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("transfer", "file.tflite", "mine.py:unsaved", "--no-verify")
    check_refused(capsys, *arguments, message="its weights alone can: OUT.weights.h5")
    output(capsys, *arguments, "-o", "out.weights.h5", says="wrote out.weights.h5")


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    made = document(capsys, "transfer", "file.tflite", "mine.py:with_relu", exit_code=1)
    assert made["parity"]["guilty"]["layer"] == "end"
    assert made["assignments"][0]["matched_by"] == "name"


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
