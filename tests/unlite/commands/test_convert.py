"""`unlite convert`: what it prints, which exit code, and what it leaves behind."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
import parity
from converter.rebuild import archive
from tests.tools.commands import check_refused, document, left_behind, output, process
from tests.tools.files import odd, quantized, two

pytestmark = pytest.mark.one_setting


def test_writes_a_model_that_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    says = ["same as the original on 16 seeded inputs", "wrote file.keras: 5 layers, 234 parameters"]
    output(capsys, "convert", "file.tflite", says=says)
    assert left_behind() == {"file.keras"}
    assert parity.verify("file.tflite", converter.load("file.keras")).ok


@pytest.mark.parametrize(
    ("content", "exit_code", "message"),
    [
        (odd(), 3, "error: op #0 CUMSUM: this op has no Keras equivalent"),
        (two(), 2, "error: model has 2 subgraphs, and only models with one can be converted"),
        (quantized(), 2, "error: input tensor #0 'input' is INT8; only float32 graphs can be trained"),
    ],
)
def test_what_cannot_be_converted(
    content: bytes, exit_code: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("model.tflite").write_bytes(content)
    check_refused(capfd, "convert", "model.tflite", message=message, exit_code=exit_code)


def test_back_end_that_does_not_exist() -> None:
    done = process("convert", "file.tflite", KERAS_BACKEND="foo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Keras cannot start" in done.stderr
    assert "Traceback" not in done.stderr
    assert left_behind() == set()


def test_without_verifying_no_back_end_is_needed() -> None:
    done = process("convert", "file.tflite", "--no-verify", KERAS_BACKEND="foo")
    assert (done.returncode, done.stderr) == (0, "")
    assert left_behind() == {"file.keras"}
    assert parity.verify("file.tflite", "file.keras").ok


def test_disk_that_fills_up_leaves_the_old_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    Path("out.keras").write_bytes(b"old")
    monkeypatch.setattr(archive, "copyfileobj", copy)
    arguments = ("convert", "file.tflite", "-o", "out.keras", "--no-verify")
    check_refused(capsys, *arguments, message="out.keras cannot be written: [Errno 28] No space left")
    assert Path("out.keras").read_bytes() == b"old"


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_model_that_does_not_agree(
    as_json: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = converter.load

    def wrong(path: Path) -> Any:
        model = right(path)
        layer = model.get_layer("end")
        layer.bias.assign(layer.bias + np.array([0, 1e-3], np.float32))
        return model

    monkeypatch.setattr(converter, "load", wrong)
    Path("file.keras").write_bytes(b"old")
    if not as_json:
        output(capsys, "convert", "file.tflite", says="NOT the same as the original", exit_code=1)
        assert Path("file.keras").read_bytes() == b"old"
        return
    verification = document(capsys, "convert", "file.tflite", exit_code=1)["verification"]
    assert (verification["ok"], verification["outputs"][0]["verdict"]) == (False, "differs")
    assert verification["outputs"][0]["error"] > verification["outputs"][0]["limit"]


def test_without_verifying(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "verify", lambda *_, **__: pytest.fail("it was verified"))
    output(capsys, "convert", "file.tflite", "--no-verify", "-o", "other.keras", says="not verified")
    assert left_behind() == {"other.keras"}
    assert document(capsys, "convert", "file.tflite", "--no-verify")["verification"] is None


def test_as_json_in_a_process_of_its_own() -> None:
    made = process("convert", "file.tflite", "--json")
    report = json.loads(made.stdout)
    assert made.returncode == 0
    verification = report.pop("verification")
    assert report == {"model": "file", "output": "file.keras", "layers": 5, "parameters": 234}
    assert (verification["ok"], verification["inputs"], made.stderr) == (True, 16, "")
