"""Single faults in the three hand-written models: the layer at fault is named, from activations alone."""

from functools import cache
from typing import Any, NamedTuple

import pytest

from converter.match.audit import audit
from converter.match.transfer import Plan
from parity.candidates.keras import KerasCandidate
from parity.inputs import seeded_inputs
from parity.layerwise.check import match_candidate, report
from parity.layerwise.original import Original, run_original
from parity.layerwise.results import LayerResult
from parity.outputs.compare import RELATIVE, SPREADS
from tests.tools.faults import COLUMNS, SETTINGS, WEIGHTS
from tests.tools.lazy import mutants
from tests.tools.networks import TRANSFERS, assert_same, original, transferred
from tests.tools.spread import assert_bit_equal

pytestmark = pytest.mark.parity

# Per fault, so that the large model does not take most of the time.
PER_FAULT = {"blaze_face": 12, "palm_192": 8, "blaze_palm": 5}
FAULTS = {*SETTINGS, *WEIGHTS}


class Healthy(NamedTuple):
    """A model with the right weights, and all faults to try."""

    plan: Plan
    original: Original
    mutants: tuple[Any, ...]


@cache
def healthy(name: str) -> Healthy:
    model, plan = transferred(name)
    inputs = seeded_inputs(original(name).graph, 1)[:1]
    return Healthy(plan, run_original(original(name), inputs), tuple(mutants.sample(model, PER_FAULT[name])))


@cache
def unmutated(name: str) -> KerasCandidate:
    return KerasCandidate(transferred(name)[0])


def changes_outputs(layers: tuple[LayerResult, ...]) -> bool:
    """By more than the kernel spread explains."""
    outputs = [layer for layer in layers if layer.is_output]
    limits = {layer.tensor: max(SPREADS * layer.spread, RELATIVE * layer.span) for layer in outputs}
    errors = {layer.tensor: layer.chained.max_abs if layer.chained else None for layer in outputs}
    return any(error is None or not error <= limits[tensor] for tensor, error in errors.items())


@pytest.mark.one_setting
@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("name", TRANSFERS)
def test_guilty_layer_is_named(name: str, fault: str, record_property: Any) -> None:
    case = healthy(name)
    tried = [mutant for mutant in case.mutants if mutant.fault == fault]
    ours_of = {layer: pair.ours.name for pair in case.plan.matching.pairs() for layer in pair.theirs.layers}
    audited = changing = 0
    for mutant in tried:
        candidate = KerasCandidate(mutant.build())
        outcome = report(case.original, candidate, with_audit=False).report
        matching = match_candidate(case.original, candidate)
        audited += bool(audit(case.original.network, candidate.network, matching))
        if not changes_outputs(outcome.layers):
            continue
        changing += 1
        assert outcome.guilty, mutant
        assert outcome.guilty.mode == "isolated", (mutant, outcome.guilty)
        # What is gone has no layer of its own any more: then the file's name for it is given.
        at_fault = {*mutant.layers, *(ours_of[layer] for layer in mutant.layers if layer in ours_of)}
        assert outcome.guilty.layer in at_fault, (mutant, outcome.guilty)
    assert changing or not tried  # not every model has what every fault is about
    assert audited == len(tried) or fault not in SETTINGS
    for column, value in zip(COLUMNS, (len(tried), changing, changing, audited), strict=True):
        record_property(column, value)
    record_property("fault", fault)


def test_enough_faults_of_every_kind_were_tried() -> None:
    tried = [mutant for name in TRANSFERS for mutant in healthy(name).mutants]
    assert len(tried) >= 300
    assert {mutant.fault for mutant in tried} == FAULTS


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(n, marks=pytest.mark.one_setting) for n in range(3, 20))])
@pytest.mark.parametrize("name", TRANSFERS)
def test_nothing_is_found_where_nothing_is_wrong(name: str, seed: int) -> None:
    inputs = seeded_inputs(original(name).graph, seed + 1)[-2:]
    assert_same(report(run_original(original(name), inputs), unmutated(name)).report)


def test_mutants_leave_the_original_alone() -> None:
    model, _ = transferred("blaze_face")
    before = model.get_weights()
    for mutant in mutants.mutants(model):
        if mutant.fault in ("weights_exchanged", "kernel_rotated", "wrong_activation"):
            mutant.build()
    assert_bit_equal(model.get_weights(), before)
