"""Layer by layer: which one is wrong, and which only inherits an error.

Every tensor of the original is compared twice. *Chained*: both models run on the same input, so an error travels
on to all that follows. *Isolated*: each layer of the candidate gets what the original's layer got, so only a layer
that is wrong itself shows an error. What the candidate has in place of a layer, however many steps it takes, is
compared by what comes out of it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from converter.match.alignment.evidence import Match
from converter.match.ends import Ends
from converter.match.matching import Matching
from converter.match.network import Pair
from converter.ops.forms import Node, Value
from parity.candidates.candidate import Candidate, Given, run_all
from parity.layerwise.original import Original, Progress
from parity.runners.runtimes import Array


@dataclass(frozen=True, slots=True)
class Row:
    """One value of the original, and what the candidate makes of it in each mode.

    Attributes:
        match: The nodes that compute it.
        values: The original's and the candidate's.
        chained: One array per input; None where there is none.
        isolated: As `chained`.
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
        alone: What every layer of the candidate makes of the original's values, per input.
    """

    def __init__(
        self, original: Original, candidate: Candidate, matching: Matching, progress: Progress | None = None
    ) -> None:
        self._original, self._candidate, self._matching = original, candidate, matching
        known = original.spreads
        self.rows = [Row(found, pair) for found in matching.matches for pair in found.values if pair.ours in known]
        self.real: list[list[Array | None]] = []
        self._stand_ins = dict(self._standing_in())
        self._read_as_themselves = set(self._reading_itself())
        self._inputs = [_in_order(inputs, matching) for inputs in original.inputs]
        if progress:
            progress("running the candidate")
        self._run()

    def _run(self) -> None:
        """Both modes on all inputs, at once where the candidate can."""
        candidate, count = self._candidate, len(self._inputs)
        runs: list[Given] = [(given, {}) for given in self._inputs]
        if candidate.can_isolate:
            runs += [(given, self._feeds(number)) for number, given in enumerate(self._inputs)]
        made = run_all(candidate, runs)
        self.alone = list(made[count:]) or [{}] * count
        for given, chained, alone, trace in zip(self._inputs, made, self.alone, self._original.traces, strict=False):
            self.real.append(self._in_our_order(candidate.outputs(given, chained), chained))
            for row in self.rows:
                row.chained.append(chained.get(row.values.theirs))
                row.isolated.append(self._isolated(row, alone, trace))

    def again(self, apart_from: Collection[Value]) -> list[list[Array | None]]:
        """The isolated mode once more, in which some values of the candidate are its own: per row one per input."""
        made: list[list[Array | None]] = [[] for _ in self.rows]
        for number, given in enumerate(self._inputs):
            feeds = {value: array for value, array in self._feeds(number).items() if value not in apart_from}
            alone = self._candidate.run(given, feeds)
            for row, arrays in zip(self.rows, made, strict=True):
                arrays.append(self._isolated(row, alone, self._original.traces[number]))
        return made

    def without(self, step: Node, result: Value) -> list[Array | None]:
        """What one of the candidate's values would be if a step handed on what it reads: one array per input."""
        made: list[Array | None] = []
        for number, given in enumerate(self._inputs):
            feeds = self._feeds(number)
            source = feeds.get(step.inputs[0], self.alone[number].get(step.inputs[0]))
            if source is not None and step.outputs[0] != result:
                made.append(self._candidate.run(given, feeds | {step.outputs[0]: source}).get(result))
            else:
                made.append(source)
        return made

    def _isolated(self, row: Row, alone: Mapping[Value, Array], trace: Mapping[Value, Array]) -> Array | None:
        if row.match.theirs is None and self._candidate.can_isolate:  # left out: what is there stands in its place
            stand_in = self._stand_ins.get(row.values.theirs)
            return None if stand_in is None else trace.get(stand_in)
        return alone.get(row.values.theirs)

    def _standing_in(self) -> Iterator[tuple[Value, Value]]:
        """Value of the candidate → what it is by itself, whatever it stands in for."""
        for ends in self._matching.inputs:
            if ends.theirs:
                yield ends.theirs.value, ends.ours.value
        for row in self.rows:
            if row.match.theirs is not None:
                yield row.values.theirs, row.values.ours

    def _feeds(self, number: int) -> dict[Value, Array]:
        """What the candidate's layers read in place of its own values.

        Where several of its values should equal one of the original's, the last does. Where one of its values stands
        for several of the original's, because a layer between them is missing, its readers get what their partners
        get, if they all agree.
        """
        trace, shapes = self._original.traces[number], self._candidate.network.shapes
        last = {row.values.ours: row.values.theirs for row in self.rows}
        feeds: dict[Value, Array] = {}
        for row in self.rows:
            ours, theirs = row.values.ours, row.values.theirs
            is_fed = last[ours] == theirs and (row.match.theirs or theirs not in self._read_as_themselves)
            if is_fed and shapes.get(theirs, ()) == trace[ours].shape[1:]:
                feeds[theirs] = trace[ours]
        return feeds

    def _reading_itself(self) -> Iterator[Value]:
        """Values of the candidate that some layer reads as its partner reads theirs."""
        for pair in self._matching.pairs():
            for value in pair.theirs.inputs:
                if self._stand_ins.get(value) in pair.ours.inputs:
                    yield value

    def _in_our_order(self, made: Sequence[Array | None], chained: Mapping[Value, Array]) -> list[Array | None]:
        """What the model returns; a dictionary's order says nothing, so that there the matching counts."""
        outputs: list[Array | None] = []
        for ends in self._matching.outputs:
            end = ends.theirs if self._candidate.has_named_outputs else ends.ours
            if ends.packed is not None:
                outputs.append(_taken_out(ends, made, chained))
            else:
                outputs.append(made[end.place] if end and end.place < len(made) else None)
        return outputs

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


def _taken_out(ends: Ends, made: Sequence[Array | None], chained: Mapping[Value, Array]) -> Array | None:
    """One of several results that the model returns as one: the part of it that equals the value inside."""
    whole = made[ends.packed.place] if ends.packed and ends.packed.place < len(made) else None
    part = chained.get(ends.inside) if ends.inside else None
    if whole is None or part is None:
        return None
    for axis in range(1, whole.ndim):
        across = whole.size // whole.shape[axis]
        length = part.size // across
        for start in range(whole.shape[axis] - length + 1 if length * across == part.size else 0):
            taken: Array = whole[(*[slice(None)] * axis, slice(start, start + length))].reshape(part.shape)
            if np.isclose(taken.flat[0], part.flat[0], equal_nan=True) and np.allclose(taken, part, equal_nan=True):
                return taken
    return None


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
