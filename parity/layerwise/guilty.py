"""Which layer is the guilty one, and why."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from converter.match.alignment.evidence import Match
from converter.match.audit import Finding, op_of
from converter.match.differences import describe
from converter.match.matching import Matching
from parity.layerwise.judging import Judge
from parity.layerwise.results import Guilty, LayerResult

if TYPE_CHECKING:
    from converter.match.ends import End
    from parity.layerwise.statistics import Statistics


def find_guilty(
    results: Sequence[LayerResult], findings: Sequence[Finding], judge: Judge, matching: Matching
) -> Guilty | None:
    """What to look at first; None if all is as it should be.

    That is the first layer that is wrong on the original's own values; else outputs in another place; else the first
    layer that the candidate lacks; else the first tensor with an error.

    Args:
        results: In execution order.
        findings: The audit's, for the reason; may be empty.
        judge: What knows which of several layers it is.
        matching: Which layer is which.
    """
    first = next((r for r in results if r.isolated is not None and not r.isolated.ok), None)
    if first is not None:
        return _wrong_alone(first, findings, judge)
    off = next((r for r in results if r.chained is not None and not r.chained.ok), None)
    if off is None and all(r.chained for r in results if r.is_output):
        return None
    moved = [ends for ends in matching.outputs if ends.theirs and ends.theirs.place != ends.ours.place]
    if off is not None and off.is_output and moved:
        ends = moved[0]
        end = cast("End", ends.theirs)
        why = f"output {end.place} of the model is the file's output {ends.ours.place} ({ends.ours.name})"
        return Guilty(end.name, off.tensor, off.op, "misplaced", why)
    if judge.gaps:
        node = judge.gaps[0]
        known = [f.message.removeprefix(f"{f.layer}: ") for f in findings if f.ours is node]
        why = "; ".join(known) or f"the candidate has no {describe(node)} for it"
        return Guilty(node.name, node.name, op_of(node), "absent", why)
    if off is None:
        return None
    why = "; ".join((*_about(off.match, findings), *_about_ends(off, findings))) or _symptom(off, "chained")
    return Guilty(off.layer or judge.culprits.of(off).layer, off.tensor, off.op, "chained", why)


def _wrong_alone(result: LayerResult, findings: Sequence[Finding], judge: Judge) -> Guilty:
    (layer, reason), pair = judge.culprits.of(result), result.match
    known = [f.message for f in findings if f.layer == layer] or list(_about(pair, findings))
    said = [message.removeprefix(f"{layer}: ") for message in known]
    why = "; ".join(filter(None, (*said, reason, "" if said else _symptom(result, "isolated"))))
    return Guilty(layer, result.tensor, result.op, "absent" if judge.culprits.lacks(result) else "isolated", why)


def _about(pair: Match | None, findings: Sequence[Finding]) -> Iterator[str]:
    """What the audit says of a pair."""
    around = {pair.ours, pair.theirs} - {None} if pair else set()
    return (f.message for f in findings if around & {f.ours, f.theirs})


def _about_ends(result: LayerResult, findings: Sequence[Finding]) -> Iterator[str]:
    return (f.message for f in findings if result.is_output and f.ours is f.theirs is None)


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
