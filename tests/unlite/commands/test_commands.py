"""The command line: what it prints, where, which exit code, and what it leaves behind."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
import parity
from fixtures.builder import Builder, pack
from tests import models
from tests.commands import run
from tests.lazy import keras
from unlite.commands.main import VERBS, main

pytestmark = pytest.mark.one_setting

GOOD, ODD, TWO, QUANTIZED = (f"../in/{name}.tflite" for name in ("good", "odd", "two", "quantized"))
LONG = "a/scope/that/goes/on/and/on/" * 12 + "conv2d"


def good() -> bytes:
    """A small convolution."""
    builder = Builder()
    x = builder.input([1, 4, 6, 3])
    rng = np.random.default_rng(0)
    kernel = builder.constant(rng.normal(size=(2, 3, 3, 3)).astype(np.float32), "conv2d/Kernel")
    bias = builder.constant(rng.normal(size=2).astype(np.float32), "conv2d/Bias")
    return builder.build(builder.op("CONV_2D", [x, kernel, bias], [[1, 4, 6, 2]], [LONG], strideH=1, strideW=1))


def odd() -> bytes:
    """One operator that has no Keras equivalent here, and one that nobody knows."""
    builder = Builder()
    (y,) = builder.op("CUMSUM", [builder.input([1, 4, 6, 3])], [[1, 4, 6, 3]])
    return builder.build(builder.op("Wobble", [y], [[1, 4, 6, 3]], custom=b"abc"))


def two() -> bytes:
    """Two subgraphs."""
    builder = Builder()
    builder.graph.outputs = builder.op("RELU", [builder.input([1, 4])], [[1, 4]])
    builder.model.subgraphs.append(builder.graph)
    return pack(builder.model)


def quantized() -> bytes:
    """An int8 input."""
    builder = Builder()
    (y,) = builder.op("RELU", [builder.input([1, 4], dtype="int8")], [[1, 4]])
    builder.graph.tensors[y].type = builder.graph.tensors[0].type
    return builder.build([y])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, which is empty; the models are in another."""
    (tmp_path / "work").mkdir()
    (tmp_path / "in").mkdir()
    for make in (good, odd, two, quantized):
        (tmp_path / "in" / f"{make.__name__}.tflite").write_bytes(make())
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def process(*arguments: str, code: str = "") -> "subprocess.CompletedProcess[str]":
    """The same in a process of its own."""
    root = Path(__file__).parents[3]
    command = [sys.executable, *(("-c", code) if code else ("-m", "unlite")), *arguments]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)


def test_inspect_a_real_model(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "inspect", str(models.path("palm_detection_full")))
    assert (code, err) == (0, "")
    for part in ("1,136,248 parameters", "1×192×192×3", "Identity_1", "CONV_2D", "FLOAT16", "can be converted"):
        assert part in out


def test_inspect_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "inspect", "--json", str(models.path("palm_detection_full")))
    summary = json.loads(out)
    assert code == 0
    assert summary["inputs"] == [{"name": "input_1", "shape": [1, 192, 192, 3], "dtype": "FLOAT32"}]
    assert [entry["shape"] for entry in summary["outputs"]] == [[1, 2016, 18], [1, 2016, 1]]
    assert summary["operators"]["CONV_2D"] == 35
    assert summary["custom_operators"] == {}
    assert summary["weight_storage"]["FLOAT16"]["bytes"] == 2 * summary["weight_storage"]["FLOAT16"]["parameters"]
    assert (summary["parameters"], summary["subgraphs"], summary["unsupported"]) == (1136248, 1, [])


def test_inspect_lists_what_cannot_be_converted(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "inspect", ODD)
    assert code == 0
    assert "cannot be converted" in out
    assert "op #0 CUMSUM: this op has no Keras equivalent" in out
    assert "op #1 Wobble: this custom op has no Keras equivalent" in out
    code, out, _ = run(capsys, "inspect", ODD, "--json")
    summary = json.loads(out)
    assert code == 0
    assert summary["custom_operators"] == {"Wobble": 1}
    assert [reason.split(":")[0] for reason in summary["unsupported"]] == ["op #0 CUMSUM", "op #1 Wobble"]


def test_inspect_several_subgraphs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "inspect", TWO, "--json")
    assert (code, json.loads(out)["subgraphs"]) == (0, 2)
    assert "2 subgraphs" in json.loads(out)["unsupported"][0]


def test_long_names_are_not_cut_in_a_pipe() -> None:
    made = process("inspect", GOOD)
    assert (made.returncode, "…" in made.stdout) == (0, False)
    assert LONG in made.stdout


def test_inspect_starts_without_heavy_packages() -> None:
    code = (
        "import sys; from unlite.commands.main import main; code = main(sys.argv[1:]); "
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'numpy', 'ai_edge_litert') "
        "if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    made = process("inspect", str(models.path("palm_detection_full")), code=code)
    assert (made.returncode, made.stderr) == (0, "[]\n")
    assert "can be converted" in made.stdout


@pytest.mark.parametrize(
    ("model", "exit_code", "message"),
    [
        (ODD, 3, "error: op #0 CUMSUM: this op has no Keras equivalent"),
        (TWO, 2, "error: two has 2 subgraphs, and only models with one can be converted"),
        (QUANTIZED, 2, "error: input tensor #0 'input' is INT8; only float32 graphs can be trained"),
    ],
)
def test_what_cannot_be_converted(
    model: str, exit_code: int, message: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capfd, "convert", model)
    assert (code, out) == (exit_code, "")
    assert err.startswith(message)
    assert err.count("error:") == 1
    assert "Traceback" not in err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "missing.tflite"], "no such file: missing.tflite"),
        (["convert", "missing.tflite"], "no such file: missing.tflite"),
        (["inspect", "."], "cannot read ."),
        (["inspect", "palm_detection_ful"], "did you mean palm_detection_full"),
        (["zoo", "fetch", "palm_detection_ful"], "did you mean palm_detection_full"),
        (["convert", GOOD, "-o", "out.h5"], "out.h5 does not end in .keras\nhint: try out.keras"),
        (["convert", GOOD, "-o", ""], "does not end in .keras"),
        (["convert", GOOD, "-o", "/"], "does not end in .keras"),
        (["convert", GOOD, "-o", "none/out.keras"], "the folder none does not exist\nhint: mkdir -p none"),
        (["convert", GOOD, "-o", f"{GOOD}/out.keras"], "does not exist"),
        (["convert", GOOD, "-o", "/proc/out.keras"], "/proc/out.keras cannot be written"),
        (["demo", "-o", GOOD], "cannot make the folder"),
    ],
    ids=" ".join,
)
def test_mistakes(arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert list(folder.iterdir()) == []


def test_an_output_that_is_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "out.keras").mkdir()
    code, _, err = run(capsys, "convert", GOOD, "-o", "out.keras")
    assert (code, err) == (2, "error: out.keras cannot be written: it is a folder\n")


def test_a_disk_that_fills_up_leaves_the_old_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(_: Any, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    (folder / "out.keras").write_bytes(b"old")
    monkeypatch.setattr(keras.Model, "save", save)
    code, _, err = run(capsys, "convert", GOOD, "-o", "out.keras", "--no-verify")
    assert code == 2
    assert "error: out.keras cannot be written: " in err
    assert "No space left" in err
    assert [path.name for path in folder.iterdir()] == ["out.keras"]
    assert (folder / "out.keras").read_bytes() == b"old"


def test_convert(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "convert", GOOD)
    assert code == 0
    assert "same as the original on 16 seeded inputs" in out
    assert "wrote good.keras: 3 layers, 56 parameters" in out
    assert [path.name for path in folder.iterdir()] == ["good.keras"]
    assert parity.verify(converter.read(GOOD), converter.load("good.keras")).ok


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_model_that_does_not_agree(
    as_json: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = converter.convert

    def wrong(*arguments: Any, **options: Any) -> Any:
        model = right(*arguments, **options)
        layer = model.get_layer("conv2d")
        layer.bias.assign(layer.bias + np.array([0, 1e-3], np.float32))
        return model

    monkeypatch.setattr(converter, "convert", wrong)
    code, out, _ = run(capsys, "convert", GOOD, *as_json)
    assert code == 1
    if as_json:
        verification = json.loads(out)["verification"]
        assert (verification["ok"], verification["outputs"][0]["verdict"]) == (False, "differs")
        assert verification["outputs"][0]["error"] > verification["outputs"][0]["limit"]
    else:
        assert "NOT the same as the original" in out


def test_convert_without_verifying(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "verify", lambda *_, **__: pytest.fail("it was verified"))
    code, out, _ = run(capsys, "convert", GOOD, "--no-verify", "-o", "other.keras")
    assert code == 0
    assert "not verified" in out
    assert [path.name for path in folder.iterdir()] == ["other.keras"]
    assert json.loads(run(capsys, "convert", GOOD, "--no-verify", "--json")[1])["verification"] is None


def test_convert_as_json_in_a_process_of_its_own() -> None:
    made = process("convert", GOOD, "--json")
    report = json.loads(made.stdout)
    assert made.returncode == 0
    verification = report.pop("verification")
    assert report == {"model": "good", "output": "good.keras", "layers": 3, "parameters": 56}
    assert (verification["ok"], verification["inputs"], made.stderr) == (True, 16, "")


def test_the_list_of_known_models(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "zoo", "list")
    assert code == 0
    assert set(models.NAMES) <= set(out.split())
    assert run(capsys, "zoo")[1] == out
    for arguments in (["zoo", "--json"], ["zoo", "list", "--json"]):
        code, out, _ = run(capsys, *arguments)
        rows = json.loads(out)
        assert (code, sorted(row["name"] for row in rows)) == (0, models.NAMES)
        assert {row["licence"] for row in rows} == {"Apache-2.0"}


def test_fetch_prints_where_the_model_is(capsys: pytest.CaptureFixture[str]) -> None:
    path = models.path("hand_recrop")
    assert run(capsys, "zoo", "fetch", "hand_recrop") == (0, f"{path}\n", "")


@pytest.mark.parametrize("verb", ["", "zoo list", "zoo fetch", *(verb.name for verb in VERBS)])
def test_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*verb.split(), "--help"])
    out = capsys.readouterr().out
    assert stopped.value.code == 0
    assert f"Usage: {' '.join(['unlite', *verb.split()])}" in out
    assert ("Exit codes: 0 done; 1 does not agree" in " ".join(out.split())) == (not verb)


@pytest.mark.parametrize("arguments", [[], ["fly"], ["convert"], ["inspect", "a", "b"]])
def test_a_command_that_is_none(arguments: list[str]) -> None:
    made = process(*arguments)
    assert made.returncode == 2
    assert "Usage: unlite" in made.stderr
    assert "Traceback" not in made.stderr


def test_a_reader_that_has_seen_enough() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "unlite", "zoo", "--json"]
    made = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (made.returncode, made.stderr) == (141, b"")  # not 0: no verdict has been read


def test_json_before_the_subcommand_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "--json", "list"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 14


def test_names_that_look_like_markup_stay_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = Builder()
    x = graph.input((1, 4), "a[bold]b[/red]")
    path = tmp_path / "m[v2].tflite"
    path.write_bytes(graph.build(graph.op("RELU", [x], [(1, 4)])))
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "a[bold]b[/red]" in out
    assert "m[v2]" in out


def test_a_back_end_that_does_not_exist(folder: Path) -> None:
    environment = os.environ | {"KERAS_BACKEND": "foo"}
    command = [sys.executable, "-m", "unlite", "convert", GOOD]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Keras cannot start" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []
