"""What `unlite inspect` and `unlite convert` take, next to `import keras` in the same run."""

from pathlib import Path
from statistics import median
from typing import Any

import keras

import converter
from benchmarks.process import Run, run
from tests.models import path

ROUNDS = 5
NAME = "palm_detection_full"
IMPORT_KERAS = ["-c", "import keras"]


def test_convert_in_a_warm_process(benchmark: Any) -> None:
    benchmark.group = f"{NAME}, warm process, {keras.backend.backend()}"
    model = benchmark.pedantic(converter.convert, [path(NAME)], rounds=ROUNDS, warmup_rounds=1)
    assert model.output_shape == [(None, 2016, 18), (None, 2016, 1)]


def test_inspect_as_a_process(benchmark: Any, report: list[str]) -> None:
    benchmark.group = "whole process"
    runs: list[Run] = []
    command = ["-m", "unlite", "inspect", str(path(NAME))]
    run(command)  # warms the file system's cache, and is in no number
    benchmark.pedantic(lambda: runs.append(run(command)), rounds=ROUNDS)
    report.append(f"unlite inspect: median {_seconds(runs):.2f} s, peak {max(r.peak_mb for r in runs):.0f} MB")


def test_convert_as_a_process_against_import_keras(benchmark: Any, report: list[str], tmp_path: Path) -> None:
    """Interleaved, so that the machine's drift is in both."""
    benchmark.group = "whole process"
    command = ["-m", "unlite", "convert", str(path(NAME)), "--no-verify", "-o", str(tmp_path / "model.keras")]
    imports: list[Run] = []
    conversions: list[Run] = []
    run(command)  # warms the file system's cache, and is in no number
    benchmark.pedantic(
        lambda: conversions.append(run(command)),
        setup=lambda: imports.append(run(IMPORT_KERAS)),
        rounds=ROUNDS,
    )
    ratios = [c.seconds / i.seconds for c, i in zip(conversions, imports, strict=True)]
    report.append(
        f"unlite convert --no-verify: median {_seconds(conversions):.2f} s; import keras ({keras.backend.backend()}): "
        f"median {_seconds(imports):.2f} s; ratio: median {median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}"
    )


def _seconds(runs: list[Run]) -> float:
    return median(r.seconds for r in runs)
