"""Which layer is the guilty one, and why."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from converter.match.audit import Finding, op_of
from converter.match.alignment.evidence import Match
from converter.match.matching import Matching
from parity.layerwise.results import Guilty, LayerResult

if TYPE_CHECKING:
    from parity.layerwise.statistics import Statistics


Culprit = Callable[[LayerResult], str | None]


def first_without_partner(matching: Matching) -> Guilty | None:
    """The first layer of the original that the candidate does not have."""
    if not matching.open_ours:
        return None
    node = matching.open_ours[0]
    return Guilty(node.name, node.name, op_of(node), "absent", f"the candidate has no {node.kind} for it")


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
    in_file = first.match.ours.name if first.match and first.match.ours else first.tensor
    layer = (culprit(first) if mode == "isolated" else first.layer) or in_file
    known = [f.message.removeprefix(f"{layer}: ") for f in findings if first.match and _is_about(f, first.match)]
    if mode == "chained" and first.is_output:
        known += [f.message for f in findings if f.ours is f.theirs is None]  # about inputs and outputs
    return Guilty(layer, first.tensor, first.op, mode, "; ".join(known) or _symptom(first, mode))


def _is_about(finding: Finding, pair: Match) -> bool:
    return bool({pair.ours, pair.theirs} & {finding.ours, finding.theirs} - {None})


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
