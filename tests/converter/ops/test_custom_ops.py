"""MediaPipe's custom ops against what MediaPipe 0.10.21 itself computed (`fixtures/golden`)."""

from pathlib import Path

import numpy as np
import pytest

import converter
import fixtures
from converter.errors import UnsupportedOp
from converter.ops import OPERATORS
from fixtures.custom_op_cases import CASES, Case, build
from parity.runners.runtimes import keras_runner

GOLDEN = Path(fixtures.__file__).parent / "golden"
# Sums and trigonometric functions in another order than MediaPipe's: 16 roundings of the largest value.
TOLERANCE = 16 * np.finfo(np.float32).eps


def test_every_custom_op_has_a_case() -> None:
    assert {case.kind for case in CASES} == {kind for kind in OPERATORS if kind != kind.upper()}


@pytest.mark.parametrize("case", [case for case in CASES if not case.is_overlapping], ids=lambda case: case.name)
def test_agrees_with_mediapipe(case: Case) -> None:
    model = converter.convert(build(case))
    twice = [np.concatenate([value, value]) for value in case.inputs]  # the batch axis has to be free
    with np.load(GOLDEN / "custom_ops.npz") as golden:
        wanted = [golden[f"{case.name}.output{i}"] for i in range(len(case.output_shapes))]
        assert all(np.array_equal(golden[f"{case.name}.input{i}"], value) for i, value in enumerate(case.inputs))
    for got, reference in zip(keras_runner(model)(twice), wanted, strict=True):
        for half in np.split(got, 2):
            np.testing.assert_allclose(half, reference, rtol=0, atol=TOLERANCE * max(1, np.abs(reference).max()))


@pytest.mark.parametrize("case", [case for case in CASES if case.is_overlapping], ids=lambda case: case.name)
def test_windows_that_overlap_or_leave_gaps_are_refused(case: Case) -> None:
    with pytest.raises(UnsupportedOp, match="MaxUnpooling2D"):
        converter.blueprint(converter.read(build(case)).graph)
