"""Single faults in the hand-written models: the layer at fault is named, with the audit and from activations alone.

Every kind of fault once; `python -m benchmarks.localisation` tries many more, and all rewrites.
"""

from functools import cache
from typing import Any

import pytest

from parity.candidates.keras import KerasCandidate
from parity.inputs import seeded_inputs
from parity.layerwise.check import report
from parity.layerwise.original import run_original
from tests.tools.lazy import architectures, faults, rewrites, trials
from tests.tools.networks import ARCHITECTURES, assert_same
from tests.tools.spread import assert_bit_equal

pytestmark = pytest.mark.parity


@cache
def case(name: str) -> Any:
    return trials.Case(architectures.ARCHITECTURES[name])


@cache
def chosen() -> dict[str, list[Any]]:
    """Every kind of fault once, in the first of the networks that has it."""
    tried: dict[str, list[Any]] = {}
    for name in ARCHITECTURES:
        known = {mutant.fault for others in tried.values() for mutant in others}
        tried[name] = [mutant for mutant in faults.sample(case(name).model, 1) if mutant.fault not in known]
    return tried


@pytest.mark.one_setting
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_layer_at_fault_is_named(name: str, subtests: pytest.Subtests) -> None:
    for mutant in chosen()[name]:
        with subtests.test(mutant.fault):
            trial = case(name).try_mutant(mutant)
            assert trial.is_exact, trial


@pytest.mark.one_setting
@pytest.mark.parametrize("name", ["twelve_blocks", "blaze_face"])
def test_wrong_skip_misplaces_no_weight_and_is_named(name: str, subtests: pytest.Subtests) -> None:
    tried = 0
    for mutant in faults.sample(case(name).model, 2):
        if mutant.fault in faults.WIRING and (trial := case(name).try_fresh(mutant)):
            tried += 1
            with subtests.test(mutant.fault):
                assert trial.is_exact, trial
    assert tried > 10


@pytest.mark.one_setting
def test_rewrite_is_filled_and_found_the_same(subtests: pytest.Subtests) -> None:
    for rewrite in rewrites.rewrites(case("twelve_blocks").model):
        with subtests.test(rewrite.kind):
            filled = case("twelve_blocks").try_rewrite(rewrite)
            assert filled.is_same, filled


def test_there_are_enough_kinds_of_faults() -> None:
    assert sum(len(mutants) for mutants in chosen().values()) >= 70


def test_fault_that_nobody_sees_needs_no_name() -> None:
    dead = faults.Mutant("none", (), lambda: case("twelve_blocks").model)
    trial = case("twelve_blocks").try_mutant(dead)
    assert (trial.changes, trial.is_exact) == (False, True)


def test_wrong_name_is_not_exact() -> None:
    fault = next(mutant for mutant in chosen()["twelve_blocks"] if mutant.fault == "bias_dropped")
    trial = case("twelve_blocks").try_mutant(faults.Mutant(fault.fault, ("another",), fault.build))
    assert (trial.changes, trial.is_exact) == (True, False)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_nothing_is_found_where_nothing_is_wrong(name: str, seed: int) -> None:
    file = case(name).file
    original = run_original(file, seeded_inputs(file.graph, seed + 1)[-2:])
    assert_same(report(original, KerasCandidate(case(name).model)).report)


def test_mutants_leave_the_original_alone() -> None:
    model = case("twelve_blocks").model
    before = model.get_weights()
    for mutant in faults.sample(model, 1):
        mutant.build()
    assert_bit_equal(model.get_weights(), before)
