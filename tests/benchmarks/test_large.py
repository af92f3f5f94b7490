"""What the benchmark of large files measures, on small ones."""

from pathlib import Path

import pytest

import converter
from benchmarks.large import INSPECT, Growth, Measured, chain, growth, heavy
from benchmarks.process import Run

pytestmark = pytest.mark.one_setting


def taken(operators: int, processor_seconds: float) -> Measured:
    return Measured(f"chain of {operators}", 0.0, operators, INSPECT, Run(0.0, processor_seconds, 0.0))


def test_growth_is_without_what_starting_takes() -> None:
    measured = [taken(10, 5.0), taken(1000, 6.0), taken(5000, 10.0), taken(10000, 25.0)]
    assert list(growth(measured)) == [Growth(INSPECT, 1000, 20.0)]
    assert not list(growth(measured[1:]))


def test_files_are_what_they_are_called(tmp_path: Path) -> None:
    assert chain(tmp_path / "chain.tflite", 6) == len(converter.read(tmp_path / "chain.tflite").graph.ops) == 6
    heavy(tmp_path / "heavy.tflite", layers=2)
    model = converter.read(tmp_path / "heavy.tflite")
    stored = {tensor.storage.dtype for tensor in model.graph.tensors if tensor.storage}
    assert stored == {"FLOAT16", "FLOAT32"}
    assert len(model.data) > 6e6
