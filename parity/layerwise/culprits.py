"""Whose fault a wrong result is: where several layers lead to it, or the one that should is not there."""

from collections.abc import Hashable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np

from converter.match.alignment.evidence import Evidence, Match
from converter.match.alignment.numbers import kernel_digests
from converter.match.alignment.signatures import has_kernel
from converter.match.differences import describe
from converter.match.matching import Matching
from converter.ops.forms import Node, Slot
from converter.tflite.decode import decode
from parity.candidates.candidate import Candidate
from parity.layerwise.modes import BothModes
from parity.layerwise.original import Original
from parity.layerwise.results import LayerResult
from parity.layerwise.statistics import measure, span_of
from parity.outputs.compare import RELATIVE


class Culprit(NamedTuple):
    """Whose fault it is.

    Attributes:
        layer: The candidate's; the file's where the candidate has none.
        reason: What is wrong with it, where values say so; else empty.
    """

    layer: str
    reason: str = ""


class Culprits:
    """Tells which layer it is.

    Args:
        original: What is right.
        candidate: What is judged.
        modes: The candidate's values.
        matching: Which value is which.
    """

    def __init__(self, original: Original, candidate: Candidate, modes: BothModes, matching: Matching) -> None:
        self._original, self._candidate, self._modes, self._matching = original, candidate, modes, matching
        self._nodes, self._shapes = set(candidate.network.nodes), candidate.network.shapes

    def of(self, result: LayerResult) -> Culprit:
        """The layer to blame for a wrong result."""
        pair = result.match
        if pair is None or pair.theirs is None or self._lacks_kernel(pair):
            return Culprit(pair.ours.name if pair and pair.ours else result.tensor)
        return self._superfluous(result) or self._normalization(pair, result) or self._itself(pair)

    def lacks(self, result: LayerResult) -> bool:
        """Whether the candidate has nothing that could be what is wrong."""
        return result.match is not None and (result.match.theirs is None or self._lacks_kernel(result.match))

    def _lacks_kernel(self, pair: Match) -> bool:
        """Whether what stands in the place of a layer with a kernel has none."""
        is_other = pair.evidence is Evidence.PLACE and pair.ours is not None and has_kernel(pair.ours)
        return is_other and not any(map(has_kernel, self._steps(pair)))

    def _superfluous(self, result: LayerResult) -> Culprit | None:
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
                return Culprit(step.name, f"without this {describe(step)} the result is right")
        return None

    def _steps(self, match: Match) -> Iterator[Node]:
        """The candidate's nodes of a match."""
        return (node for node in (*match.inside, match.theirs) if node in self._nodes)

    def _may_be_dropped(self, node: Node) -> bool:
        is_alone = len(set(node.inputs)) == 1
        return is_alone and self._shapes.get(node.inputs[0]) == self._shapes.get(node.outputs[0])

    def _normalization(self, pair: Match, result: LayerResult) -> Culprit | None:
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
        return self._left_behind_by(pair.theirs) or Culprit(
            str(pair.theirs.config["batch_norm"]), f"before it {pair.theirs.name} gives the result that the file has"
        )

    def _left_behind_by(self, normalized: Node) -> Culprit | None:
        """The missing layer with a kernel that a batch normalization belongs to, which now follows another one."""
        for match in self._matching.matches:
            missing = match.ours if match.theirs is None else None
            if missing and has_kernel(missing) and match.values[0].theirs in normalized.outputs:
                return Culprit(missing.name)
        return None

    def _itself(self, pair: Match) -> Culprit:
        """The layer, and whether it is its weights: no matter of settings, so that the audit does not see them."""
        ours, theirs = cast("Node", pair.ours or pair.theirs), cast("Node", pair.theirs)
        if not pair.is_same_layer or "batch_norm" in theirs.config:
            return Culprit(theirs.name)
        if ours.kind in ("Scale", "Offset") and not theirs.weights:
            return Culprit(theirs.name, self._number(ours, theirs))
        own = self._digests[1].get(theirs)
        others = [node.name for node, digest in self._digests[0].items() if digest == own and node is not ours]
        if others:
            return Culprit(theirs.name, f"its weights are those of {others[0]} in the file")
        other = [name for name, slot in ours.weights.items() if self._is_other(slot, theirs.weights.get(name))]
        are = "is" if len(other) == 1 else "are"
        return Culprit(theirs.name, f"its {' and '.join(other)} {are} not the file's" if other else "")

    def _number(self, ours: Node, theirs: Node) -> str:
        """How the numbers differ that something is multiplied with or added to in a model's own code."""
        given = [arg for arg in getattr(theirs.origin, "args", ()) if isinstance(arg, (int, float))]
        value = self._original.weight(ours.weights["value"])
        return f"its number is {given[0]:g}, the file has {value.flat[0]:g}" if given and value.size == 1 else ""

    def _is_other(self, ours: Slot, theirs: Slot | None) -> bool:
        array = self._candidate.weight(theirs) if theirs else None
        return array is not None and not np.array_equal(array, self._original.weight(ours))

    @cached_property
    def _digests(self) -> tuple[Mapping[Node, Hashable], Mapping[Node, Hashable]]:
        original, candidate = self._original, self._candidate
        return kernel_digests(original.network, original.weight), kernel_digests(candidate.network, candidate.weight)
