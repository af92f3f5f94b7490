"""The whole comparison, from two models to a report that names the layer."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from converter.audit import Finding, audit, op_of
from converter.blueprint import blueprint
from converter.errors import BadInput
from converter.graph import Graph, Model
from converter.matching import Match, Matching, match
from converter.networks import network_of_blueprint
from converter.override_pairs import resolve
from converter.overrides import Override
from parity.candidates import Candidate
from parity.layerwise import BothModes, Guilty, LayerResult, Original, ParityReport, Progress
from parity.runners import Array
from parity.tracing import Trace, TracedReference
from parity.verification import seeded_inputs

if TYPE_CHECKING:
    from converter.specs import Ref
    from parity.statistics import Statistics

Culprit = Callable[[LayerResult], str | None]


def run_original(
    model: Model, inputs: Sequence[Sequence[Array]] | None = None, *, seeds: int = 1, progress: Progress | None = None
) -> Original:
    """Run the original with all its intermediate results, and measure its kernel spread and sensitivity.

    Args:
        model: The original.
        inputs: What to run it on; default: seeded random inputs.
        seeds: Number of seeds; each gives one input in [0, 1] and one in [-1, 1].
        progress: Called with what is being done.

    Raises:
        BadInput: The inputs do not fit, or are not finite.
        VerificationImpossible: LiteRT cannot run the original.
    """
    plan = blueprint(model.graph, model.name)
    network = network_of_blueprint(plan)
    inputs = seeded_inputs(model.graph, seeds) if inputs is None else inputs
    check_inputs(inputs, model.graph)
    reference = TracedReference(model, network)
    traces: list[Trace] = []
    spreads: dict[Ref, float] = {}
    sensitivities: dict[Ref, float] = {}
    for number, arrays in enumerate(inputs, start=1):
        if progress:
            progress(f"running the original, input {number}/{len(inputs)}")
        traces.append(reference.trace(arrays))
        for largest, measure in ((spreads, reference.spread), (sensitivities, reference.sensitivity)):
            for value, distance in measure(arrays, traces[-1]).items():
                largest[value] = max(largest.get(value, 0.0), distance)
    return Original(plan, network, inputs, traces, spreads, sensitivities)


def check_inputs(inputs: Sequence[Sequence[Array]], graph: Graph) -> None:
    """Check that the original can be run on these.

    Raises:
        BadInput: Number, shape, type or values are wrong; the message says which.
    """
    expected = [graph.tensors[index] for index in graph.inputs]
    if not inputs:
        raise BadInput("there are no inputs to run the models on")
    for number, arrays in enumerate(inputs):
        if len(arrays) != len(expected):
            raise BadInput(f"input {number} has {len(arrays)} arrays, the model takes {len(expected)}")
        for array, tensor in zip(arrays, expected, strict=True):
            if array.shape != tensor.shape or array.dtype != np.float32:
                raise BadInput(f"input {number} is {array.dtype} {array.shape}; {tensor} takes float32 {tensor.shape}")
            if not np.isfinite(array).all():
                raise BadInput(
                    f"input {number} for {tensor} has {int((~np.isfinite(array)).sum())} values that are not finite"
                )


def match_candidate(original: Original, candidate: Candidate, overrides: Sequence[Override] = ()) -> Matching:
    """Which layer of the candidate is which of the original."""
    given = resolve(overrides, original.network, candidate.network, original.blueprint)
    return match(original.network, candidate.network, given.nodes)


def report(
    original: Original,
    candidate: Candidate,
    overrides: Sequence[Override] = (),
    *,
    with_audit: bool = True,
    progress: Progress | None = None,
) -> tuple[ParityReport, BothModes]:
    """Compare a candidate with an original that has been run.

    Args:
        original: See `run_original`.
        candidate: What to compare.
        overrides: Layers that belong together although neither names nor graph say so.
        with_audit: Whether to compare settings as well; activations alone name the same layer.
        progress: Called with what is being done.

    Returns:
        The report, and the values behind it.
    """
    matching = match_candidate(original, candidate, overrides)
    findings = tuple(audit(original.network, candidate.network, matching)) if with_audit else ()
    modes = BothModes(original, candidate, matching, progress)
    results = modes.results()
    guilty = find_guilty(results, findings, modes.culprit)
    is_whole = all(result.chained and result.chained.ok for result in results if result.is_output)
    if not is_whole and (guilty is None or guilty.mode == "chained"):
        guilty = _first_without_partner(matching) or guilty
    made = ParityReport(
        original.blueprint.name,
        candidate.name,
        len(original.inputs),
        tuple(results),
        guilty,
        findings,
        tuple(_notes(matching, candidate)),
    )
    return made, modes


def _first_without_partner(matching: Matching) -> Guilty | None:
    if not matching.open_ours:
        return None
    node = matching.open_ours[0]
    return Guilty(node.name, node.name, op_of(node), "absent", f"the candidate has no {node.kind} for it")


def _notes(matching: Matching, candidate: Candidate) -> list[str]:
    notes = [f"not compared: {node.name} of the original has no partner" for node in matching.open_ours]
    notes += [f"not compared: {node.name} of the candidate has no partner" for node in matching.open_theirs]
    if not candidate.can_isolate:
        notes.append("the layers of this candidate cannot be run one by one: errors are chained only")
    return notes


def find_guilty(results: Sequence[LayerResult], findings: Sequence[Finding], culprit: Culprit) -> Guilty | None:
    """The first layer that is wrong on the original's own values; else the first tensor with an error.

    Args:
        results: In execution order.
        findings: The audit's, for the reason; may be empty.
        culprit: Which of several folded layers it is.
    """
    first = next((r for r in results if r.isolated is not None and not r.isolated.ok), None)
    mode = "isolated"
    if first is None:
        first, mode = next((r for r in results if r.chained is not None and not r.chained.ok), None), "chained"
    if first is None:
        return None
    in_file = first.pair.ours.name if first.pair and first.pair.ours else first.tensor
    layer = (culprit(first) if mode == "isolated" else first.layer) or in_file
    known = [f.message.removeprefix(f"{layer}: ") for f in findings if first.pair and _is_about(f, first.pair)]
    if mode == "chained" and first.is_output:
        known += [f.message for f in findings if f.ours is f.theirs is None]  # about inputs and outputs
    return Guilty(layer, first.tensor, first.op, mode, "; ".join(known) or _symptom(first, mode))


def _is_about(finding: Finding, pair: Match) -> bool:
    sides = [node for node in (pair.ours, pair.theirs) if node is not None]
    return any(node is side for node in sides for side in (finding.ours, finding.theirs))


def _symptom(result: LayerResult, mode: str) -> str:
    if result.layer is None:
        return "the candidate has nothing in this place"
    statistics = cast("Statistics", result.isolated if mode == "isolated" else result.chained)
    if statistics.max_abs is None:
        return f"its result is {statistics.verdict.value}"
    allowed = result.limit if mode == "isolated" else result.chained_limit
    share = "" if statistics.share_out is None else f" in {statistics.share_out:.2%} of the elements"
    if mode == "isolated":
        given = "given the original's own values"
    else:
        given = "though every layer alone is right" if result.isolated else "no layer was run alone"
    return f"off by up to {statistics.max_abs:.3g} (allowed {allowed:.3g}){share}, {given}"
