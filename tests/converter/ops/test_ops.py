"""Every operator of the registry against LiteRT's own kernel, in every variant that `cases` has."""

import numpy as np
import pytest

import converter
from converter.ops import OPS
from parity.inputs.seeded import seeded_inputs
from parity.runners.keras import keras_runner
from parity.runners.litert import LiteRT
from tests.converter.ops.cases import CASES, Case

# Both sum the same float32 products in another order: 16 roundings of the largest value.
TOLERANCE = 16 * np.finfo(np.float32).eps
CUSTOM = {kind for kind in OPS if kind != kind.upper()}


def test_every_builtin_operator_has_a_case() -> None:
    assert set(CASES) == set(OPS) - CUSTOM


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{kind}-{case.name}") for kind, cases in CASES.items() for case in cases]
)
def test_agrees_with_litert(case: Case) -> None:
    model = converter.read(case.data)
    inputs = seeded_inputs(model.graph, seeds=1)
    litert = LiteRT(case.data, "plain")
    wanted = [litert.run(values)[0] for values in inputs]
    # Two at once: the batch axis has to be free.
    (got,) = keras_runner(converter.convert(model))([np.concatenate(values) for values in zip(*inputs, strict=True)])
    assert got.shape == (len(inputs), *wanted[0].shape[1:])
    np.testing.assert_allclose(got, np.concatenate(wanted), rtol=0, atol=TOLERANCE * max(1, np.abs(wanted).max()))
