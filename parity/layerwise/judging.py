"""From the values of both modes to a result per tensor; what is equal in another way is left alone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from converter.match.alignment.evidence import Evidence, Match
from converter.match.alignment.names import fits
from converter.match.audit import Finding
from converter.match.matching import Matching
from converter.match.network import Network, Pair
from converter.ops.forms import Node, Value
from parity.candidates.candidate import Candidate
from parity.layerwise.culprits import Culprits
from parity.layerwise.modes import BothModes, Row
from parity.layerwise.original import Original
from parity.layerwise.results import LayerResult
from parity.layerwise.statistics import Statistics, measure, span_of
from parity.layerwise.tolerance import limits
from parity.outputs.compare import Verdict
from parity.runners.runtimes import Array


class Judge:
    """Measures and judges.

    Args:
        original: What is right.
        candidate: What is judged.
        modes: The candidate's values.
        matching: Which value is which.
        findings: What the audit says, whether it is to be shown or not: where structures differ, values decide.
    """

    def __init__(
        self,
        original: Original,
        candidate: Candidate,
        modes: BothModes,
        matching: Matching,
        findings: Iterable[Finding],
    ) -> None:
        self._original, self._modes, self._matching = original, modes, matching
        self.culprits = Culprits(original, candidate, modes, matching)
        self._differing = {node for finding in findings for node in (finding.ours, finding.theirs) if node}
        known = original.spreads
        self._spans = {value: span_of([trace[value] for trace in original.traces]) for value in known}
        self._limits = limits(original.network, self._spans, known, dict.fromkeys(known, 0.0))
        self.gaps = tuple(_gaps(matching))
        self._unknown = _behind(self.gaps, original.network)
        self._unmatched, self._shapes = set(matching.open_theirs), candidate.network.shapes
        self._makers, self._nodes = candidate.network.producers(), set(candidate.network.nodes)
        self._open_makers = tuple(
            {value: node for node in nodes for value in node.outputs}
            for nodes in (matching.open_ours, matching.open_theirs)
        )

    def results(self) -> list[LayerResult]:
        """One per tensor that has a partner, and per output, in the original's order."""
        rows, original = self._modes.rows, self._original
        made = self._all_judged()
        if any(result.chained and not result.chained.ok for result in made):  # perhaps roundings alone explain it
            self._limits = limits(original.network, self._spans, original.spreads, original.sensitivities)
            made = self._all_judged()
        last = {row.values.ours: place for place, row in enumerate(rows)}
        intermediate = {
            place
            for place, row in enumerate(rows)
            if last[row.values.ours] != place and _is_right(made[last[row.values.ours]])
        }
        made = [
            _set_aside(replace(result, is_output=False)) if place in intermediate else result
            for place, result in enumerate(made)
        ]
        bad = {place for place, row in enumerate(rows) if _is_wrong(made[place]) and self._is_other(row)}
        aside = self._computed_otherwise(bad, intermediate, made) if bad else ()
        return [_set_aside(result) if place in aside else result for place, result in enumerate(made)]

    def _computed_otherwise(self, bad: set[int], known: set[int], made: Sequence[LayerResult]) -> set[int]:
        """Of the rows that are off, those that make no difference to what reads them.

        All of them run once more on the candidate's own values, so that what reads them gets what it gets in earnest.
        """
        rows = self._modes.rows
        again = self._modes.again({rows[place].values.theirs for place in bad})
        readers: dict[Value, set[int]] = {}
        for place, row in enumerate(rows):
            for node in self._around(row.match):
                for value in node.inputs if node in self._nodes else ():
                    readers.setdefault(value, set()).add(place)
        aside = set(known)
        for place in sorted(bad, reverse=True):  # what reads comes after what is read
            result, reading = made[place], readers.get(rows[place].values.theirs, set()) - {place} - aside
            is_harmless = not any(p in bad or _is_wrong(self._judged(rows[p], again[p])) for p in reading)
            if is_harmless and not (result.is_output and result.chained and not result.chained.ok):
                aside.add(place)
        return aside - known

    def _all_judged(self) -> list[LayerResult]:
        return self._with_real_outputs([self._judged(row, row.isolated) for row in self._modes.rows])

    def _is_other(self, row: Row) -> bool:
        """Whether there is a difference that might be another way to compute the same."""
        return not row.match.is_same_layer or bool({row.match.ours, row.match.theirs} & self._differing)

    def _judged(self, row: Row, alone: Sequence[Array | None]) -> LayerResult:
        allowed = self._limits[row.values.ours]
        chained = self._measured(row, row.chained, allowed.chained)
        isolated = self._measured(row, alone, allowed.own)
        if row.values.ours in self._unknown:
            chained = None
            isolated = isolated if isolated and isolated.verdict is not Verdict.OTHER_SHAPE else None
        if isolated and not isolated.ok and self._got_something_else(row.match):
            isolated = None
        return self._result(row.values.ours, row.match, chained, isolated)

    def _got_something_else(self, match: Match) -> bool:
        """Whether a layer reads what has no partner, so that it says nothing about the layer if its result is off."""
        return match.is_same_layer and any(node in self._unmatched for node in self._around(match))

    def _measured(self, row: Row, arrays: Sequence[Array | None], limit: float) -> Statistics | None:
        if all(array is None for array in arrays):
            return None
        value = row.values.ours
        return measure(list(arrays), [trace[value] for trace in self._original.traces], limit, self._spans[value])

    def _result(
        self, value: Value, pair: Match | None, chained: Statistics | None, isolated: Statistics | None
    ) -> LayerResult:
        original = self._original
        ours = pair.ours if pair else original.network.producers()[value]
        return LayerResult(
            tensor=original.tensor_name(value),
            op=str(ours.origin.op) if ours else "(not in the file)",
            layer=pair.theirs.name if pair and pair.theirs else None,
            shape=original.traces[0][value].shape,
            span=self._spans[value],
            spread=original.spreads[value],
            limit=self._limits[value].own,
            chained_limit=self._limits[value].chained,
            chained=chained,
            isolated=isolated,
            is_output=any(end.value == value for end in original.network.outputs),
            is_behind_gap=value in self._unknown,
            match=pair,
        )

    def _with_real_outputs(self, made: list[LayerResult]) -> list[LayerResult]:
        """What the model itself returns counts for its outputs, in the original's order, whatever a replay says."""
        original = self._original
        places = {row.values.ours: place for place, row in enumerate(self._modes.rows)}
        for place, end in enumerate(original.network.outputs):
            value = end.value
            if value not in original.spreads:
                continue
            arrays = [trace[value] for trace in original.traces]
            returned = [outputs[place] for outputs in self._modes.real]
            stats = measure(returned, arrays, self._limits[value].chained, self._spans[value])
            if value not in places:
                made.append(self._result(value, None, stats, None))
            elif made[places[value]].chained is None or not stats.ok:
                made[places[value]] = replace(made[places[value]], chained=stats)
        return made

    def refuted(self, findings: Iterable[Finding], results: Sequence[LayerResult]) -> set[Finding]:
        """Differences in structure that make none in what is computed."""
        right: dict[Node, bool] = {}
        other_way: set[Node] = set()
        for row, result in zip(self._modes.rows, results, strict=False):
            if result.is_set_aside or self._got_something_else(row.match):
                other_way |= {node for node in (row.match.ours, row.match.theirs) if node}
            if row.match.theirs and any(self._makers.get(value) in other_way for value in row.match.theirs.inputs):
                other_way.add(row.match.theirs)  # padded by what comes before it, for example
            is_fine = result.isolated.ok if result.isolated else result.is_set_aside
            for node in self._around(row.match):
                right[node] = right.get(node, True) and is_fine
        return {
            finding
            for finding in findings
            if (finding.is_structural or {finding.ours, finding.theirs} & other_way)
            and all(right.get(node, False) for node in (finding.ours, finding.theirs) if node)
        }

    def _around(self, match: Match) -> Iterator[Node]:
        """The nodes that a result comes from: its own, and those without a partner that lead to it."""
        for last, makers in zip((match.ours, match.theirs), self._open_makers, strict=True):
            found = dict.fromkeys([last] if last else [])
            pending = list(found)
            while pending:
                before = [makers[value] for value in pending.pop().inputs if value in makers]
                pending += [node for node in before if node not in found]
                found |= dict.fromkeys(before)
            yield from found

    def computing_the_same(self) -> list[Pair[Node]]:
        """Layers without a partner of which one gives, on the original's values, what the other does there.

        Of several that do, the last: what comes first is left for what nothing computes.
        """
        found: dict[Node, Node] = {}  # the candidate's → the original's
        known, shapes = self._original.spreads, self._shapes
        for ours in (node for node in self._matching.open_ours if set(node.outputs[:1]) & known.keys()):
            value = ours.outputs[0]
            arrays = [trace[value] for trace in self._original.traces]
            possible = [
                theirs
                for theirs in self._matching.open_theirs
                if theirs.outputs and fits(ours, theirs) and shapes.get(theirs.outputs[0]) == arrays[0].shape[1:]
            ]
            limit, span = self._limits[value].own, self._spans[value]
            same = [theirs for theirs in possible if measure(self._made_by(theirs), arrays, limit, span).ok]
            found |= dict.fromkeys([theirs for theirs in same if theirs not in found][-1:], ours)
        return [Pair(ours, theirs) for theirs, ours in found.items()]

    def _made_by(self, node: Node) -> list[Array | None]:
        return [alone.get(node.outputs[0]) for alone in self._modes.alone]


def _is_right(result: LayerResult) -> bool:
    return result.isolated is not None and result.isolated.ok


def _is_wrong(result: LayerResult) -> bool:
    return result.isolated is not None and not result.isolated.ok


def _set_aside(result: LayerResult) -> LayerResult:
    """A value that the candidate computes in another way: what comes of it was compared instead."""
    chained = result.chained if result.is_output else None
    return replace(result, isolated=None, chained=chained, is_set_aside=True)


def _gaps(matching: Matching) -> list[Node]:
    """The original's layers that the candidate lacks, or has in a form that cannot take their weights."""
    unfit = [
        found.ours
        for found in matching.matches
        if found.evidence is Evidence.PLACE
        and found.ours
        and found.theirs
        and found.ours.weights
        and found.ours.family == found.theirs.family  # another kind of layer may compute the same nevertheless
    ]
    inside = {node for found in matching.matches for node in found.inside}
    return [*unfit, *(node for node in matching.open_ours if node not in inside)]


def _behind(nodes: Sequence[Node], network: Network) -> set[Value]:
    """Everything that depends on nodes without a partner: there is nothing to expect of it in the whole network."""
    values = {value for node in nodes for value in node.outputs}
    for node in network.nodes:
        if values.intersection(node.inputs):
            values.update(node.outputs)
    return values
