"""Layer by layer: which one is wrong, and which only inherits an error.

Every tensor of the original is compared twice. *Chained*: both models run on the same input, so an error travels
on to all that follows. *Isolated*: each layer of the candidate gets what the original's layer got, so only a layer
that is wrong itself shows an error. The first one that does is the guilty one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from converter.match.matching import Matching
from converter.match.network import Network
from converter.ops.node import Node, Ref
from converter.tflite.decode import decode
from parity.candidates.candidate import Candidate
from parity.layerwise.original import Original, Progress
from parity.layerwise.results import LayerResult
from parity.layerwise.statistics import measure, span_of
from parity.layerwise.tolerance import limits
from parity.outputs.compare import RELATIVE, Verdict
from parity.runners.types import Array


class BothModes:
    """The candidate's values for every tensor of the original that has a partner, in both modes.

    Args:
        original: Its traces.
        candidate: What to run.
        matching: Which value is which.
        progress: Called with what is being done.
    """

    def __init__(
        self, original: Original, candidate: Candidate, matching: Matching, progress: Progress | None = None
    ) -> None:
        self._prepare(original, candidate, matching)
        for number, inputs in enumerate(original.inputs):
            if progress:
                progress(f"running the candidate, input {number + 1}/{len(original.inputs)}")
            self._run(number, inputs)

    def _prepare(self, original: Original, candidate: Candidate, matching: Matching) -> None:
        self._original, self._candidate, self._matching = original, candidate, matching
        self._pairs = [
            (pair, ours, theirs)
            for pair in matching.matches
            for ours, theirs in pair.values
            if ours in original.spreads
        ]
        # What the candidate's later layers read in place of its own values: the last partner of each.
        self._feeds = {theirs: ours for _, ours, theirs in self._pairs}
        self.chained: list[list[Array | None]] = [[] for _ in self._pairs]
        self.isolated: list[list[Array | None]] = [[] for _ in self._pairs]
        self.real: list[list[Array | None]] = []  # what the model returns, in the original's order
        partners = dict(matching.outputs) if candidate.has_named_outputs else {}
        self._output_places = [partners.get(number, number) for number in range(len(original.network.outputs))]
        self._alone: Mapping[Ref, Array] = {}
        self._unknown = _behind(matching.open_ours, original.network)

    def _run(self, number: int, inputs: Sequence[Array]) -> None:
        trace, shapes = self._original.traces[number], self._candidate.network.shapes
        given = _in_order(inputs, self._matching)
        chained = self._candidate.run(given, {})
        made = self._candidate.outputs(given, chained)
        places = self._output_places
        self.real.append([made[at] if at is not None and at < len(made) else None for at in places])
        feeds = {
            theirs: trace[ours]
            for theirs, ours in self._feeds.items()
            if tuple(shapes.get(theirs, ())) == trace[ours].shape[1:]
        }
        alone = self._candidate.run(given, feeds) if self._candidate.can_isolate else {}
        self._alone = alone
        known = {*feeds, *self._candidate.network.inputs.values()}
        for place, (pair, _, theirs) in enumerate(self._pairs):
            self.chained[place].append(chained.get(theirs))
            if pair.theirs is None and pair.ours is not None:  # left out: what comes before stands in its place
                self.isolated[place].append(trace.get(pair.ours.inputs[0]))
            elif pair.theirs is not None and not known.issuperset(pair.theirs.inputs):
                self.isolated[place].append(None)  # it did not get what the original's layer got
            else:
                self.isolated[place].append(alone.get(theirs))

    def results(self) -> list[LayerResult]:
        """Compare every tensor, in the original's order."""
        original = self._original
        outputs = {value for _, value in original.network.outputs}
        spans = {value: span_of([trace[value] for trace in original.traces]) for value in original.spreads}
        allowed = limits(original.network, spans, original.spreads, original.sensitivities)
        made = []
        for place, (pair, ours, _) in enumerate(self._pairs):
            arrays = [trace[ours] for trace in original.traces]
            spread, span, both = original.spreads[ours], spans[ours], allowed[ours]
            modes = [
                measure(mode[place], arrays, limit, span) if any(a is not None for a in mode[place]) else None
                for mode, limit in zip((self.chained, self.isolated), both[::-1], strict=True)
            ]
            if ours in self._unknown:
                modes = [None, modes[1] if modes[1] and modes[1].verdict is not Verdict.OTHER_SHAPE else None]
            op = str(pair.ours.origin.op) if pair.ours else "(not in the file)"
            layer = pair.theirs.name if pair.theirs else None
            name = original.tensor_name(ours)
            chained, isolated = modes
            result = LayerResult(name, op, layer, arrays[0].shape, span, spread, *both, chained, isolated)
            is_behind = ours in self._unknown
            made.append(replace(result, is_output=ours in outputs, is_behind_gap=is_behind, pair=pair))
        return self._with_real_outputs(made, spans, allowed)

    def by_value(self) -> dict[Ref, list[Array | None]]:
        """The candidate's own run: value of the original → one array per input."""
        return {ours: self.chained[place] for place, (_, ours, _) in enumerate(self._pairs)}

    def heat_maps(self) -> dict[str, dict[str, Array]]:
        """For every tensor and mode where the difference of the last input lies."""
        maps: dict[str, dict[str, Array]] = {}
        for place, (_, ours, _) in enumerate(self._pairs):
            reference = self._original.traces[-1][ours]
            own = maps.setdefault(self._original.tensor_name(ours), {})
            for mode, values in (("chained", self.chained), ("isolated", self.isolated)):
                array = values[place][-1]
                if array is not None and array.shape == reference.shape:
                    own[mode] = heat_map(array, reference)
        return maps

    def culprit(self, result: LayerResult) -> str | None:
        """Which layer it is, where a convolution and its batch normalization are one step.

        The file has the normalization folded away, so before it the convolution alone has to give the file's
        result, without the bias if the normalization is what adds it.
        """
        pair = result.pair
        if pair is None or pair.ours is None or pair.theirs is None or "batch_norm" not in pair.theirs.config:
            return result.layer
        own = self._alone.get(self._candidate.value_of(pair.theirs.name))
        expected = self._original.traces[-1][pair.ours.outputs[0]]
        if "bias" in pair.ours.weights and "bias" not in pair.theirs.weights:
            bias = pair.ours.weights["bias"].holder
            expected = expected - np.asarray(decode(self._original.blueprint.graph.tensors[bias.tensor]), np.float32)
        if own is None or own.shape != expected.shape:
            return result.layer
        is_right = measure([own], [expected], max(result.limit, RELATIVE * span_of([expected])), np.inf).ok
        return str(pair.theirs.config["batch_norm"]) if is_right else result.layer

    def _with_real_outputs(
        self, made: list[LayerResult], spans: Mapping[Ref, float], allowed: Mapping[Ref, tuple[float, float]]
    ) -> list[LayerResult]:
        """What the model itself returns counts for its outputs, in the original's order, whatever a replay says."""
        original, network = self._original, self._original.network
        places = {ours: place for place, (_, ours, _) in enumerate(self._pairs)}
        for number, (_, value) in enumerate(network.outputs):
            if value not in original.spreads:
                continue
            arrays = [trace[value] for trace in original.traces]
            span = spans[value]
            stats = measure([outputs[number] for outputs in self.real], arrays, allowed[value][1], span)
            if value in places:
                row = made[places[value]]
                if row.chained is None or not stats.ok:
                    made[places[value]] = replace(row, chained=stats)
                continue
            name, op = original.tensor_name(value), str(network.producers()[value].origin.op)
            described = name, op, None, arrays[0].shape, span, original.spreads[value], *allowed[value]
            is_behind = value in self._unknown
            made.append(LayerResult(*described, stats, None, is_output=True, is_behind_gap=is_behind))
        return made


def _behind(nodes: Sequence[Node], network: Network) -> set[Ref]:
    """Everything that depends on nodes without a partner: there is nothing to expect of it in the whole network."""
    values = {value for node in nodes for value in node.outputs}
    for node in network.nodes:
        if values.intersection(node.inputs):
            values.update(node.outputs)
    return values


def _in_order(inputs: Sequence[Array], matching: Matching) -> list[Array]:
    """The original's inputs in the candidate's order; all of them, where the candidate has another number."""
    places = {j: i for i, j in matching.inputs if j is not None}
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
