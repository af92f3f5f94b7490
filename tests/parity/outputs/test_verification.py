"""Verification can fail: every damage to a converted model is noticed."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import converter
import parity
from converter.errors import VerificationImpossible
from fixtures.builder import Builder
from parity.inputs import RANGES, seeded_inputs
from parity.outputs import verification
from parity.outputs.compare import RELATIVE, SPREADS, Comparison, Verdict, compare
from parity.outputs.verification import agreement
from parity.runners.reference import Reference, nudged
from parity.runners.runtimes import Run
from tests.tools.lazy import keras, odd_layers
from tests.tools.models import fresh, original, shared

NAME = "palm_detection_full"
SENSITIVE = "pose_landmark_full"  # without a spread, its segmentation is off by a hundred times the limit
REFERENCE = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4)
OTHER_KERNELS = REFERENCE + np.float32(1e-6)


def change(model: Any, path: str, damage: Callable[[Any], float]) -> None:
    """Replace the middle element of one variable."""
    (variable,) = (v for v in model.trainable_variables if v.path == path)
    values = np.array(keras.ops.convert_to_numpy(variable))
    values.flat[values.size // 2] = damage(values)
    variable.assign(values)


def by_a_thousandth(values: Any) -> float:
    """Of the variable's range."""
    return float(values.flat[values.size // 2] + 1e-3 * np.ptp(values))


@pytest.mark.parametrize(
    "variable",
    [
        "conv2d/kernel",
        "depthwise_conv2d_13/kernel",
        "p_re_lu/alpha",
        "conv2d_16/bias",
        "regressor_palm_8_NO_PRUNING/kernel",
    ],
)
def test_one_weight_off_by_a_thousandth_of_its_range(variable: str) -> None:
    model = fresh(NAME)
    change(model, variable, by_a_thousandth)
    assert not parity.verify(original(NAME), model, seeds=1).ok


def test_one_nan() -> None:
    model = fresh(NAME)
    change(model, "classifier_palm_8_NO_PRUNING/kernel", lambda _: np.nan)
    verdicts = {c.name: c.verdict for c in parity.verify(original(NAME), model, seeds=1).comparisons}
    assert verdicts == {"Identity": Verdict.OK, "Identity_1": Verdict.NOT_FINITE}


@pytest.mark.parametrize(
    ("which", "order", "expected"),
    [
        ("iris_landmark", [1, 0], [Verdict.OTHER_SHAPE] * 2),
        ("hand_landmark_full", [0, 2, 1, 3], [Verdict.OK, Verdict.DIFFERS, Verdict.DIFFERS, Verdict.OK]),
        ("iris_landmark", [0], [Verdict.OK, Verdict.ABSENT]),
    ],
    ids=["of_other_shape", "of_equal_shape", "missing"],
)
def test_outputs_swapped_or_missing(which: str, order: list[int], expected: list[Verdict]) -> None:
    wrong = keras.Model(shared(which).input, [shared(which).outputs[i] for i in order])
    assert verdicts(parity.verify(original(which), wrong, seeds=1).comparisons) == expected


def test_another_window() -> None:
    """The bug that the project exists for: every weight is right, one pool window is not."""
    model = shared(NAME)
    config = model.get_config()
    (pool,) = (layer for layer in config["layers"] if layer["name"] == "max_pooling2d")
    pool["config"] |= {"pool_size": (5, 5), "padding": "same"}
    wrong = keras.Model.from_config(config)
    wrong.set_weights(model.get_weights())
    assert not parity.verify(original(NAME), wrong, seeds=1).ok


def test_an_output_too_many() -> None:
    model = fresh("hand_recrop")
    double = keras.Model(model.input, [model.output, model.output * 2])
    assert verdicts(parity.verify(original("hand_recrop"), double, seeds=1).comparisons) == [Verdict.OK, Verdict.EXTRA]


def test_a_model_that_mixes_up_its_batch() -> None:
    """One at a time it is right."""
    mixed = odd_layers.MixesBatch(fresh("hand_recrop"))
    assert verdicts(parity.verify(original("hand_recrop"), mixed, seeds=1).comparisons) == [Verdict.MIXES_BATCH]


def test_a_candidate_with_another_input() -> None:
    with pytest.raises(VerificationImpossible, match="cannot be called"):
        parity.verify(original("hand_recrop"), shared("iris_landmark"), seeds=1)
    with pytest.raises(ValueError, match="nothing would be compared"):
        parity.verify(original("hand_recrop"), shared("hand_recrop"), seeds=0)


def test_a_custom_op_that_nothing_depends_on() -> None:
    graph = Builder()
    x = graph.input((1, 4, 4, 3))
    options = struct.pack("<6i", 1, 2, 2, 2, 2, 0)
    graph.op("MaxPoolingWithArgmax2D", [x], [(1, 2, 2, 3), (1, 2, 2, 3)], custom=options)
    data = graph.build(graph.op("RELU", [x], [(1, 4, 4, 3)]))
    assert parity.verify(data, converter.convert(data), seeds=1).ok


def test_inputs_are_seeded_and_cover_both_ranges() -> None:
    graph = original(NAME).graph
    first, second = seeded_inputs(graph, 3), seeded_inputs(graph, 3)
    assert len(first) == 3 * len(RANGES)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, second, strict=True))
    assert [(round(float(v[0].min())), round(float(v[0].max()))) for v in first[:2]] == [(0, 1), (-1, 1)]
    assert not np.array_equal(first[0][0], first[2][0])


def test_equal_passes() -> None:
    assert compare("t", REFERENCE, REFERENCE, REFERENCE).verdict is Verdict.OK


def test_limit_is_the_spread_or_the_rounding_of_the_span() -> None:
    spread = float(np.abs(OTHER_KERNELS - REFERENCE).max())
    assert compare("t", REFERENCE, REFERENCE, OTHER_KERNELS).limit == max(SPREADS * spread, RELATIVE * 2)
    assert compare("t", REFERENCE, REFERENCE, REFERENCE).limit == RELATIVE * 2


@pytest.mark.parametrize("damage", [np.nan, np.inf, -np.inf, 1e-4, -1e-4])
def test_one_damaged_element_is_caught(damage: float) -> None:
    hurt = REFERENCE.copy()
    hurt[1, 2, 3] += damage
    expected = Verdict.DIFFERS if np.isfinite(damage) else Verdict.NOT_FINITE
    assert compare("t", hurt, REFERENCE, OTHER_KERNELS).verdict is expected


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["plain", "xnnpack"])
def test_a_reference_that_is_not_finite_never_passes(bad: float, where: str) -> None:
    """An infinite reference must not make the limit infinite."""
    hurt = REFERENCE.copy()
    hurt[0, 0, 0] = bad
    runs = {"plain": REFERENCE, "xnnpack": REFERENCE} | {where: hurt}
    assert compare("t", runs["plain"], runs["plain"], runs["xnnpack"]).verdict is Verdict.NOT_FINITE


def test_kernels_that_disagree_prove_nothing() -> None:
    """A spread as wide as the values would let zeros pass."""
    wild = REFERENCE + np.float32(1)
    assert compare("t", REFERENCE, REFERENCE, wild).verdict is Verdict.UNDECIDED
    assert compare("t", np.zeros_like(REFERENCE), REFERENCE, wild).verdict is Verdict.UNDECIDED


def test_spread_is_the_farthest_of_what_is_known() -> None:
    def run(factor: float) -> Run:
        return lambda inputs: [inputs[0] * np.float32(factor)]

    inputs = [[REFERENCE[:1]], [REFERENCE[1:]]]
    known = [run(1), run(1.00001), run(1.001), run(1.0001)]
    (comparison,) = agreement(["t"], inputs, run(1.002), known)
    assert comparison.verdict is Verdict.OK
    assert comparison.spread == pytest.approx(1e-3, rel=1e-3)
    assert agreement(["t"], inputs, run(1.002), known[:2])[0].verdict is Verdict.DIFFERS
    for bad in ([*known, run(np.nan)], [run(np.inf), run(np.inf)]):
        assert agreement(["t"], inputs, run(1.002), bad)[0].verdict is Verdict.NOT_FINITE


def test_only_what_differs_is_judged_again_and_only_for_the_better() -> None:
    inputs = [[REFERENCE[:1]], [REFERENCE[1:]]]

    def run(*factors: float) -> Run:
        return lambda given: [given[0] * np.float32(factor) for factor in factors]

    known, candidate = [run(1, 1, 1), run(1, 1, 1.0001)], run(1.0003, 1.0003, 1.0003)
    assert verdicts(agreement("abc", inputs, candidate, known)) == [Verdict.DIFFERS, Verdict.DIFFERS, Verdict.OK]
    again = agreement("abc", inputs, candidate, known, otherwise=run(1, 1.0001, 2))
    assert verdicts(again) == [Verdict.DIFFERS, Verdict.OK, Verdict.OK]
    for bad in (2, np.nan):  # what says nothing excuses nothing
        assert verdicts(agreement("a", inputs, candidate, [run(1), run(1)], otherwise=run(bad)))[0] is Verdict.DIFFERS


def verdicts(comparisons: Sequence[Comparison]) -> list[Verdict]:
    return [comparison.verdict for comparison in comparisons]


def test_nudged_inputs_are_one_rounding_away() -> None:
    (moved,), (other,) = nudged([REFERENCE]), nudged([REFERENCE], seed=1)
    assert moved.dtype == np.float32
    steps = (moved.view(np.int32) - REFERENCE.view(np.int32))[REFERENCE != 0]
    assert set(np.unique(steps)) == {-1, 1}
    assert not np.array_equal(moved, other)


def test_what_a_runtime_is_known_to_be_off_by_comes_on_top() -> None:
    candidate = REFERENCE + np.float32(1e-4)
    for error, expected in ((0.0, Verdict.DIFFERS), (9e-5, Verdict.DIFFERS), (1e-4, Verdict.OK)):
        assert compare("t", candidate, REFERENCE, OTHER_KERNELS, kernel_error=error).verdict is expected


def test_absence_and_other_shapes_never_pass() -> None:
    made = [compare("t", each, REFERENCE, REFERENCE) for each in (None, REFERENCE[:1], REFERENCE[..., None])]
    assert verdicts(made) == [Verdict.ABSENT, Verdict.OTHER_SHAPE, Verdict.OTHER_SHAPE]


def test_nothing_compared_is_not_a_success() -> None:
    assert not verification.Verification((), 6, ()).ok


def test_before_a_model_is_called_wrong_its_input_is_rounded_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here LiteRT's kernel sets agree to the last bit, which nobody else does."""

    def agreeing(model: Any) -> Reference:
        reference = Reference(model)
        reference.xnnpack = reference.plain
        return reference

    monkeypatch.setattr(verification, "Reference", agreeing)
    # At most 0.40 of the limit with one seed (AMD with AVX-512).
    found = parity.verify(original(SENSITIVE), shared(SENSITIVE), seeds=2)
    assert found.ok, found.as_dict()
    assert any(comparison.spread > 0 for comparison in found.comparisons)  # of what would differ
    model = fresh(SENSITIVE)
    change(model, model.trainable_variables[0].path, by_a_thousandth)
    assert not parity.verify(original(SENSITIVE), model, seeds=1).ok
    monkeypatch.setattr(Reference, "nudged", lambda self, inputs: self.plain(inputs))
    assert not parity.verify(original(SENSITIVE), shared(SENSITIVE), seeds=1).ok
