"""`unlite inspect`: what it prints, and what it does without."""

import os
from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

from benchmarks.process import run as run_alone
from fixtures.builder import Builder
from tests.tools import models
from tests.tools.commands import document, output, process, run
from tests.tools.files import odd, two

pytestmark = pytest.mark.one_setting

LARGE_MB = 400


def test_real_model(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "inspect", str(models.path("palm_detection_full")))
    assert (code, err) == (0, "")
    for part in ("1,136,248 parameters", "1×192×192×3", "Identity_1", "CONV_2D", "FLOAT16", "can be converted"):
        assert part in out


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    summary = document(capsys, "inspect", str(models.path("palm_detection_full")))
    assert summary["inputs"] == [{"name": "input_1", "shape": [1, 192, 192, 3], "dtype": "FLOAT32"}]
    assert [entry["shape"] for entry in summary["outputs"]] == [[1, 2016, 18], [1, 2016, 1]]
    assert summary["operators"]["CONV_2D"] == 35
    assert summary["custom_operators"] == {}
    assert summary["weight_storage"]["FLOAT16"]["bytes"] == 2 * summary["weight_storage"]["FLOAT16"]["parameters"]
    assert (summary["parameters"], summary["subgraphs"], summary["unsupported"]) == (1136248, 1, [])


def test_lists_what_cannot_be_converted(capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.tflite").write_bytes(odd())
    reasons = ["op #0 CUMSUM: this op has no Keras equivalent", "op #1 Wobble: this custom op has no Keras equivalent"]
    output(capsys, "inspect", "odd.tflite", says=["cannot be converted", *reasons])
    summary = document(capsys, "inspect", "odd.tflite")
    assert summary["custom_operators"] == {"Wobble": 1}
    assert [reason.split(":")[0] for reason in summary["unsupported"]] == ["op #0 CUMSUM", "op #1 Wobble"]


def test_several_subgraphs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("two.tflite").write_bytes(two())
    summary = document(capsys, "inspect", "two.tflite")
    assert summary["subgraphs"] == 2
    assert "2 subgraphs" in summary["unsupported"][0]


def test_names_are_neither_cut_in_a_pipe_nor_taken_for_markup() -> None:
    names = ["a/scope/that/goes/on/and/on/" * 12 + "conv2d", "a[bold]b[/red]"]
    graph = Builder()
    x = graph.input((1, 4), names[0])
    Path("m[v2].tflite").write_bytes(graph.build(graph.op("RELU", [x], [(1, 4)], names[1:])))
    made = process("inspect", "m[v2].tflite")
    assert (made.returncode, "…" in made.stdout) == (0, False)
    assert all(name in made.stdout for name in (*names, "m[v2]"))


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_starts_without_heavy_packages(options: list[str]) -> None:
    heavy = ["keras", "tensorflow", "jax", "torch", "numpy", "ai_edge_litert"]
    code = f"""
import sys
from unlite.commands.main import main
code = main(sys.argv[1:])
print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""
    made = process("inspect", str(models.path("palm_detection_full")), *options, code=code)
    assert (made.returncode, made.stderr) == (0, "[]\n")
    assert "palm_detection_full" in made.stdout


def test_the_weights_of_a_large_file_are_not_touched(tmp_path: Path) -> None:
    """A page of a file that is touched counts as the process's memory, whether it was copied or only looked at."""
    path = sparse_file(tmp_path / "large.tflite")
    assert run_alone(["-m", "unlite", "inspect", str(path)]).peak_mb < LARGE_MB / 2
    touched = "import sys, converter; converter.read(sys.argv[1]).graph.tensors[1].storage.data.tobytes()"
    assert run_alone(["-c", touched, str(path)]).peak_mb > LARGE_MB


def sparse_file(path: Path) -> Path:
    """A file of one dense layer whose weights are a hole behind the tables: it takes no room on the disk."""
    graph, offset = Builder(), 1 << 16
    rows = LARGE_MB * 1024 * 1024 // 4 // 1024
    x, kernel = graph.input((1, 1024)), graph.tensor((rows, 1024), "kernel")
    buffer = schema.BufferT()
    buffer.offset, buffer.size = offset, 4 * 1024 * rows
    graph.model.buffers.append(buffer)
    graph.graph.tensors[kernel].buffer = 1
    tables = graph.build(graph.op("FULLY_CONNECTED", [x, kernel, -1], [(1, rows)]))
    assert len(tables) <= offset
    path.write_bytes(tables)
    os.truncate(path, offset + buffer.size)
    return path
