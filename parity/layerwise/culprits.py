"""Whose fault a wrong result is: where several layers lead to it, or the one that should is not there."""

from collections.abc import Iterator

import numpy as np

from converter.match.alignment.evidence import Evidence, Match
from converter.match.alignment.signatures import has_kernel
from converter.match.matching import Matching
from converter.match.network import Network
from converter.ops.forms import Node
from converter.tflite.decode import decode
from parity.layerwise.modes import BothModes
from parity.layerwise.original import Original
from parity.layerwise.results import LayerResult
from parity.layerwise.statistics import measure, span_of
from parity.outputs.compare import RELATIVE


class Culprits:
    """Tells which layer it is.

    Args:
        original: What is right.
        network: What the candidate computes.
        modes: The candidate's values.
        matching: Which value is which.
    """

    def __init__(self, original: Original, network: Network, modes: BothModes, matching: Matching) -> None:
        self._original, self._modes, self._matching = original, modes, matching
        self._nodes, self._shapes = set(network.nodes), network.shapes

    def of(self, result: LayerResult) -> str:
        """The name of the layer to blame for a wrong result: the candidate's; the file's where it has none."""
        pair = result.match
        if pair is None or pair.theirs is None or self._lacks_kernel(pair):
            return pair.ours.name if pair and pair.ours else result.tensor
        return self._superfluous(result) or self._normalization(pair, result) or pair.theirs.name

    def lacks(self, result: LayerResult) -> bool:
        """Whether the candidate has nothing that could be what is wrong."""
        return result.match is not None and (result.match.theirs is None or self._lacks_kernel(result.match))

    def _lacks_kernel(self, pair: Match) -> bool:
        """Whether what stands in the place of a layer with a kernel has none."""
        is_other = pair.evidence is Evidence.PLACE and pair.ours is not None and has_kernel(pair.ours)
        return is_other and not any(map(has_kernel, self._steps(pair)))

    def _superfluous(self, result: LayerResult) -> str | None:
        """Of several steps to one value, the one without which the value is right."""
        rows = self._modes.rows
        value = next(row.values.ours for row in rows if row.match is result.match)
        steps = [step for row in rows if row.values.ours == value for step in self._steps(row.match)]
        partners = {pair.theirs for pair in self._matching.pairs()}
        steps.sort(key=partners.__contains__)  # what has a partner is the last to be superfluous
        last = next(row.values.theirs for row in reversed(rows) if row.values.ours == value)
        expected = [trace[value] for trace in self._original.traces]
        for step in filter(self._may_be_dropped, steps if len(steps) > 1 else ()):
            if measure(self._modes.without(step, last), expected, result.limit, result.span).ok:
                return step.name
        return None

    def _steps(self, match: Match) -> Iterator[Node]:
        """The candidate's nodes of a match."""
        return (node for node in (*match.inside, match.theirs) if node in self._nodes)

    def _may_be_dropped(self, node: Node) -> bool:
        is_alone = len(set(node.inputs)) == 1
        return is_alone and self._shapes.get(node.inputs[0]) == self._shapes.get(node.outputs[0])

    def _normalization(self, pair: Match, result: LayerResult) -> str | None:
        """The batch normalization of a convolution, if that is what is wrong in the step that they are together.

        The file has it folded away, so before it the convolution alone has to give the file's result, without the
        bias if the normalization is what adds it.
        """
        if pair.ours is None or pair.theirs is None or "batch_norm" not in pair.theirs.config:
            return None
        own = self._modes.alone[-1].get(pair.theirs.joined[0].outputs[0])
        expected = self._original.traces[-1][pair.ours.outputs[0]]
        if "bias" in pair.ours.weights and "bias" not in pair.theirs.weights:
            bias = pair.ours.weights["bias"].holder
            expected = expected - np.asarray(decode(self._original.blueprint.graph.tensors[bias.tensor]), np.float32)
        if own is None or own.shape != expected.shape:
            return None
        if not measure([own], [expected], max(result.limit, RELATIVE * span_of([expected])), np.inf).ok:
            return None
        return self._left_behind_by(pair.theirs) or str(pair.theirs.config["batch_norm"])

    def _left_behind_by(self, normalized: Node) -> str | None:
        """The missing layer with a kernel that a batch normalization belongs to, which now follows another one."""
        for match in self._matching.matches:
            missing = match.ours if match.theirs is None else None
            if missing and has_kernel(missing) and match.values[0].theirs in normalized.outputs:
                return missing.name
        return None
