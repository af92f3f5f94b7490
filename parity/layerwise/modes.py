"""Layer by layer: which one is wrong, and which only inherits an error.

Every tensor of the original is compared twice. *Chained*: both models run on the same input, so an error travels
on to all that follows. *Isolated*: each layer of the candidate gets what the original's layer got, so only a layer
that is wrong itself shows an error. The first one that does is the guilty one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from converter.match.alignment.evidence import Match
from converter.match.matching import Matching
from converter.match.network import Network, Pair
from converter.ops.forms import Node, Value
from converter.tflite.decode import decode
from parity.candidates.candidate import Candidate
from parity.layerwise.original import Original, Progress
from parity.layerwise.results import LayerResult
from parity.layerwise.statistics import Statistics, measure, span_of
from parity.layerwise.tolerance import limits
from parity.outputs.compare import RELATIVE, Verdict
from parity.runners.reference import Trace
from parity.runners.runtimes import Array


@dataclass(frozen=True, slots=True)
class Row:
    """One value of the original, and what the candidate makes of it in each mode.

    Attributes:
        match: The nodes that compute it.
        values: The original's and the candidate's.
        chained: One array per input; None where there is none.
        isolated: As `chained`; None as well where the layer did not get what the original's got.
    """

    match: Match
    values: Pair[Value]
    chained: list[Array | None] = field(default_factory=list)
    isolated: list[Array | None] = field(default_factory=list)


class BothModes:
    """The candidate's values for every tensor of the original that has a partner, in both modes.

    Args:
        original: Its traces.
        candidate: What to run.
        matching: Which value is which.
        progress: Called with what is being done.

    Attributes:
        rows: In the original's order.
        real: What the model returns, per input, in the original's order.
    """

    def __init__(
        self, original: Original, candidate: Candidate, matching: Matching, progress: Progress | None = None
    ) -> None:
        self._original, self._candidate, self._matching = original, candidate, matching
        known = original.spreads
        self.rows = [Row(found, pair) for found in matching.matches for pair in found.values if pair.ours in known]
        self.real: list[list[Array | None]] = []
        self._alone: Mapping[Value, Array] = {}
        self._unknown = _behind(matching.open_ours, original.network)
        self._spans = {value: span_of([trace[value] for trace in original.traces]) for value in known}
        self._limits = limits(original.network, self._spans, known, original.sensitivities)
        for number, inputs in enumerate(original.inputs):
            if progress:
                progress(f"running the candidate, input {number + 1}/{len(original.inputs)}")
            self._run(inputs, original.traces[number])

    def _run(self, inputs: Sequence[Array], trace: Trace) -> None:
        candidate, shapes = self._candidate, self._candidate.network.shapes
        given = _in_order(inputs, self._matching)
        chained = candidate.run(given, {})
        self.real.append(self._in_our_order(candidate.outputs(given, chained)))
        # What the candidate's later layers read in place of its own values: the last partner of each.
        partners = {row.values.theirs: trace[row.values.ours] for row in self.rows}
        feeds = {value: array for value, array in partners.items() if shapes.get(value, ()) == array.shape[1:]}
        alone = candidate.run(given, feeds) if candidate.can_isolate else {}
        self._alone = alone
        known = {*feeds, *(end.value for end in candidate.network.inputs)}
        for row in self.rows:
            ours, theirs = row.match.ours, row.match.theirs
            row.chained.append(chained.get(row.values.theirs))
            if theirs is None and ours is not None:  # left out: what comes before stands in its place
                row.isolated.append(trace.get(ours.inputs[0]))
            elif theirs is not None and not known.issuperset(theirs.inputs):
                row.isolated.append(None)  # it did not get what the original's layer got
            else:
                row.isolated.append(alone.get(row.values.theirs))

    def _in_our_order(self, made: Sequence[Array | None]) -> list[Array | None]:
        """What the model returns; a dictionary's order says nothing, so that there the matching counts."""
        ends = [pair.theirs if self._candidate.has_named_outputs else pair.ours for pair in self._matching.outputs]
        return [made[end.place] if end and end.place < len(made) else None for end in ends]

    def results(self) -> list[LayerResult]:
        """Compare every tensor, in the original's order."""
        made = []
        for row in self.rows:
            allowed = self._limits[row.values.ours]
            chained = self._measured(row, row.chained, allowed.chained)
            isolated = self._measured(row, row.isolated, allowed.own)
            if row.values.ours in self._unknown:
                chained = None
                isolated = isolated if isolated and isolated.verdict is not Verdict.OTHER_SHAPE else None
            made.append(self._result(row.values.ours, row.match, chained, isolated))
        return self._with_real_outputs(made)

    def _measured(self, row: Row, arrays: list[Array | None], limit: float) -> Statistics | None:
        if all(array is None for array in arrays):
            return None
        value = row.values.ours
        return measure(arrays, [trace[value] for trace in self._original.traces], limit, self._spans[value])

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
        places = {row.values.ours: place for place, row in enumerate(self.rows)}
        for end in original.network.outputs:
            value = end.value
            if value not in original.spreads:
                continue
            arrays = [trace[value] for trace in original.traces]
            returned = [outputs[end.place] for outputs in self.real]
            stats = measure(returned, arrays, self._limits[value].chained, self._spans[value])
            if value not in places:
                made.append(self._result(value, None, stats, None))
            elif made[places[value]].chained is None or not stats.ok:
                made[places[value]] = replace(made[places[value]], chained=stats)
        return made

    def by_value(self) -> dict[Value, list[Array | None]]:
        """The candidate's own run: value of the original → one array per input."""
        return {row.values.ours: row.chained for row in self.rows}

    def heat_maps(self) -> dict[str, dict[str, Array]]:
        """For every tensor and mode where the difference of the last input lies."""
        maps: dict[str, dict[str, Array]] = {}
        for row in self.rows:
            reference = self._original.traces[-1][row.values.ours]
            own = maps.setdefault(self._original.tensor_name(row.values.ours), {})
            for mode, array in (("chained", row.chained[-1]), ("isolated", row.isolated[-1])):
                if array is not None and array.shape == reference.shape:
                    own[mode] = heat_map(array, reference)
        return maps

    def culprit(self, result: LayerResult) -> str | None:
        """Which layer it is, where a convolution and its batch normalization are one step.

        The file has the normalization folded away, so before it the convolution alone has to give the file's
        result, without the bias if the normalization is what adds it.
        """
        pair = result.match
        if pair is None or pair.ours is None or pair.theirs is None or "batch_norm" not in pair.theirs.config:
            return result.layer
        own = self._alone.get(pair.theirs.joined[0].outputs[0])
        expected = self._original.traces[-1][pair.ours.outputs[0]]
        if "bias" in pair.ours.weights and "bias" not in pair.theirs.weights:
            bias = pair.ours.weights["bias"].holder
            expected = expected - np.asarray(decode(self._original.blueprint.graph.tensors[bias.tensor]), np.float32)
        if own is None or own.shape != expected.shape:
            return result.layer
        is_right = measure([own], [expected], max(result.limit, RELATIVE * span_of([expected])), np.inf).ok
        return str(pair.theirs.config["batch_norm"]) if is_right else result.layer


def _behind(nodes: Sequence[Node], network: Network) -> set[Value]:
    """Everything that depends on nodes without a partner: there is nothing to expect of it in the whole network."""
    values = {value for node in nodes for value in node.outputs}
    for node in network.nodes:
        if values.intersection(node.inputs):
            values.update(node.outputs)
    return values


def _in_order(inputs: Sequence[Array], matching: Matching) -> list[Array]:
    """The original's inputs in the candidate's order; all of them, where the candidate has another number."""
    places = {ends.theirs.place: ends.ours.place for ends in matching.inputs if ends.theirs}
    is_same = sorted(places) == list(range(len(inputs)))
    return [inputs[places[j]] for j in range(len(inputs))] if is_same else list(inputs)


def heat_map(candidate: Array, original: Array) -> Array:
    """Largest absolute difference over channels, [H, W]; one row for what is no picture."""
    difference: Array = np.abs(candidate - original)[0]
    if difference.ndim < 2:
        return difference.reshape(1, -1)
    leading = tuple(range(difference.ndim - 3))
    made: Array = difference.max(axis=(*leading, -1))
    return made if made.ndim == 2 else made[None]
