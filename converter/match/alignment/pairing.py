"""Pairs of nodes, the best supported first.

Every pair that anything speaks for is weighed; the one with the most points is settled, which is evidence for and
against what lies around it. What two partners claim with the same points stays open, so that nothing is guessed.

Source of the idea: seeded graph matching by percolation, L. Yartseva and M. Grossglauser, "On the performance of
percolation graph matching" (2013); the seeds are the signatures of `signatures`.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, product

from converter.match.alignment.evidence import OPERANDS, READERS, READS_OTHER, Reason, Rival
from converter.match.alignment.features import Evidences
from converter.match.alignment.names import fits
from converter.match.alignment.signatures import has_kernel
from converter.match.ends import Ends
from converter.match.network import Network, Pair
from converter.ops.forms import Node, Value

# How many nodes without a partner are looked through for the next ones that fit.
REACH = 4
# Readers of one value beyond which only those of the same place in their order are weighed against each other.
MANY = 16
# How many other pairs are kept, to be shown.
RIVALS = 3
_EPSILON = 1e-9


@dataclass
class Side:
    """One network with what is known of it.

    Attributes:
        places: Node and a value that it reads → the first place among its operands.
        partners: Node → the other side's.
        values: Value → the other side's.
    """

    network: Network
    producers: dict[Value, Node] = field(init=False)
    consumers: dict[Value, list[Node]] = field(init=False)
    order: dict[Node, int] = field(init=False)
    places: dict[tuple[Node, Value], int] = field(init=False)
    partners: dict[Node, Node] = field(default_factory=dict)
    values: dict[Value, Value] = field(default_factory=dict)
    options: dict[Node, dict[Node, None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.producers, self.consumers = self.network.producers(), self.network.consumers()
        self.order = {node: number for number, node in enumerate(self.network.all_nodes())}
        self.places = {
            (node, node.inputs[place]): place
            for node in self.network.nodes
            for place in reversed(range(len(node.inputs)))
        }

    def is_open(self, node: Node | None) -> bool:
        """Whether a node has no partner."""
        return node is not None and node not in self.partners

    def readers(self, value: Value) -> list[Node]:
        """The open nodes that read a value."""
        return [node for node in self.consumers.get(value, ()) if node not in self.partners]

    def next_open(self, value: Value) -> Iterator[tuple[int, Node]]:
        """The open nodes that a value reaches through open ones, and how far they are."""
        nodes, seen = self.readers(value), set[Node]()
        for distance in range(1, REACH + 1):
            yield from ((distance, node) for node in nodes)
            seen.update(nodes)
            after = [reader for node in nodes for result in node.outputs for reader in self.readers(result)]
            nodes = [node for node in dict.fromkeys(after) if node not in seen]


@dataclass(frozen=True, slots=True)
class Settled:
    """One pair with what was said of it when it was settled."""

    pair: Pair[Node]
    reasons: tuple[Reason, ...]
    rivals: tuple[Rival, ...]


class Pairing:
    """Pairs the nodes of two networks.

    Attributes:
        settled: The pairs, in the order in which they were settled.
    """

    def __init__(self, ours: Network, theirs: Network, inputs: Sequence[Ends], evidences: Evidences) -> None:
        self.left, self.right = Side(ours), Side(theirs)
        self.settled: list[Settled] = []
        self._evidences = evidences
        self._queue: list[tuple[float, int, int, int, Node, Node]] = []
        self._tied: list[tuple[float, float, int, int, int, Node, Node]] = []
        self._tickets = count()
        self._frontier: dict[Value, None] = {}
        for ends in inputs:
            if ends.theirs:
                self._pair_values(Pair(ends.ours.value, ends.theirs.value))

    def fix(self, pair: Pair[Node], reason: Reason) -> None:
        """A pair that is given."""
        if self.left.is_open(pair.ours) and self.right.is_open(pair.theirs):
            self._settle(pair, (reason,), ())

    def run(self) -> None:
        """Settle what can be settled; where nothing is left look through open nodes, then at names that only count."""
        for pair in self._evidences.pairs():
            self._propose(pair)
        while True:
            self._work_off()
            if not self._look_through() and not self._break_tie():
                return

    def reasons(self, pair: Pair[Node]) -> tuple[Reason, ...]:
        """All that speaks for a pair and against it, as far as is known."""
        return (*self._evidences.reasons(pair), *self._operands(pair), *self._readers(pair))

    def _points(self, left: Node, right: Node) -> float:
        return sum(reason.points for reason in self.reasons(Pair(left, right)))

    def _counting(self, left: Node, right: Node) -> float:
        return sum(reason.points for reason in self._evidences.counts(Pair(left, right)))

    def _operands(self, pair: Pair[Node]) -> Iterator[Reason]:
        """Whether both read the same, as far as that is known."""
        left, right = pair.ours.inputs, pair.theirs.inputs
        agree = against = 0
        for place, value in enumerate(left):
            known = self.left.values.get(value)
            given = right if pair.ours.is_commutative else right[place : place + 1]
            agree += known in given
            # What has no partner itself may be one more step of the same.
            against += known is not None and known not in given and all(each in self.right.values for each in given)
        share = OPERANDS / max(len(left), len(right), 1)
        if agree:
            yield Reason("it reads what its partner reads", agree * share)
        if against:
            is_what_it_reads = len(left) == len(right) == 1 and not has_kernel(pair.ours)
            yield Reason("it reads something else", -READS_OTHER if is_what_it_reads else -against * share)

    def _readers(self, pair: Pair[Node]) -> Iterator[Reason]:
        """Whether both are read by the same, as far as that is known."""
        agree = against = 0
        for ours, theirs in zip(pair.ours.outputs, pair.theirs.outputs, strict=False):
            for reader in self.left.consumers.get(ours, ())[:MANY]:
                other = self.left.partners.get(reader)
                if other is None:
                    continue
                place = self.right.places.get((other, theirs))
                same = place is not None and (reader.is_commutative or place == self.left.places[reader, ours])
                agree, against = agree + same, against + (not same)
        if agree:
            yield Reason("it is read by what reads its partner", READERS * agree / (agree + against))
        if against:
            yield Reason("something else is read in its place", -READERS * against / (agree + against))

    def considered(self, node: Node) -> tuple[Rival, ...]:
        """The pairs that an open node of the file might be in, best first."""
        options = [other for other in self.left.options.get(node, ()) if self.right.is_open(other)]
        rivals = [Rival(node.name, other.name, self._points(node, other)) for other in options]
        return tuple(sorted(rivals, key=lambda rival: -rival.points)[:RIVALS])

    def _propose(self, pair: Pair[Node]) -> bool:
        """Weigh a pair (again); gives whether it is possible."""
        left, right = pair.ours, pair.theirs
        if not (self.left.is_open(left) and self.right.is_open(right) and fits(left, right)):
            return False
        self.left.options.setdefault(left, {})[right] = None
        self.right.options.setdefault(right, {})[left] = None
        place = self.left.order[left], self.right.order[right]
        heapq.heappush(self._queue, (-self._points(left, right), *place, next(self._tickets), left, right))
        return True

    def _work_off(self) -> None:
        while self._queue:
            points, _, _, _, left, right = heapq.heappop(self._queue)
            if not (self.left.is_open(left) and self.right.is_open(right)):
                continue
            now = self._points(left, right)
            if now < -points - _EPSILON:
                self._propose(Pair(left, right))
                continue
            rivals = self._rivals(left, right)
            if now > max((rival.points for rival in rivals), default=0.0) + _EPSILON:
                self._settle(Pair(left, right), self.reasons(Pair(left, right)), tuple(rivals[:RIVALS]))
            elif now > _EPSILON:
                counts = self._counting(left, right)
                place = self.left.order[left], self.right.order[right]
                heapq.heappush(self._tied, (-now, -counts, *place, next(self._tickets), left, right))

    def _break_tie(self) -> bool:
        """Settle the best of what only the names that count tell apart; gives whether there is any."""
        while self._tied:
            *_, left, right = heapq.heappop(self._tied)
            if not (self.left.is_open(left) and self.right.is_open(right)):
                continue
            counts, own = self._evidences.counts(Pair(left, right)), self._points(left, right)
            rivals = self._rivals(left, right, with_counts=True)
            best = own + self._counting(left, right)
            if counts and best > max((rival.points for rival in rivals), default=0.0) + _EPSILON:
                reasons = (*self.reasons(Pair(left, right)), *counts)
                self._settle(Pair(left, right), reasons, tuple(rivals[:RIVALS]))
                return True
        return False

    def _rivals(self, left: Node, right: Node, *, with_counts: bool = False) -> list[Rival]:
        """Other pairs that one of the two could be in, best first."""
        others = [(left, other) for other in self.left.options[left] if other is not right]
        others += [(other, right) for other in self.right.options[right] if other is not left]
        rivals = [
            Rival(a.name, b.name, self._points(a, b) + (self._counting(a, b) if with_counts else 0.0))
            for a, b in others
            if self.left.is_open(a) and self.right.is_open(b)
        ]
        return sorted(rivals, key=lambda rival: -rival.points)

    def _settle(self, pair: Pair[Node], reasons: tuple[Reason, ...], rivals: tuple[Rival, ...]) -> None:
        left, right = pair.ours, pair.theirs
        self.left.partners[left], self.right.partners[right] = right, left
        self.settled.append(Settled(pair, reasons, rivals))
        for operands in self._operand_pairs(left, right):
            makers = self.left.producers.get(operands.ours), self.right.producers.get(operands.theirs)
            if makers[0] and makers[1]:
                self._propose(Pair(makers[0], makers[1]))
        for values in map(Pair, left.outputs, right.outputs):
            self._pair_values(values)
        # What they might have been paired with has a rival less, and what lies around them has a reason more.
        lefts, rights = self.right.options.pop(right, ()), self.left.options.pop(left, ())
        freed = [(other, option) for option in rights for other in self.right.options.get(option, ())]
        freed += [(option, other) for option in lefts for other in self.left.options.get(option, ())]
        around = [maker for value in left.inputs if (maker := self.left.producers.get(value))]
        around += [reader for value in left.outputs for reader in self.left.consumers.get(value, ())[:MANY]]
        freed += [(node, option) for node in around for option in self.left.options.get(node, ())]
        freed += [(closer.ours, closer.theirs) for closer in self._evidences.settle(pair)]
        for a, b in dict.fromkeys(freed):
            self._propose(Pair(a, b))

    def _operand_pairs(self, left: Node, right: Node) -> Iterable[Pair[Value]]:
        if left.is_commutative:
            return (Pair(a, b) for a, b in product(left.inputs[:MANY], right.inputs[:MANY]))
        return map(Pair, left.inputs, right.inputs)

    def _pair_values(self, values: Pair[Value]) -> None:
        self.left.values[values.ours], self.right.values[values.theirs] = values.theirs, values.ours
        self._frontier[values.ours] = None
        lefts, rights = self.left.readers(values.ours), self.right.readers(values.theirs)
        pairs = product(lefts, rights) if len(lefts) * len(rights) <= MANY**2 else zip(lefts, rights, strict=False)
        for left, right in pairs:
            self._propose(Pair(left, right))

    def _look_through(self) -> bool:
        """Weigh the nearest pairs behind what only one side has; gives whether any is new."""
        found, values = False, list(self._frontier)
        self._frontier.clear()  # what comes of these pairs has values of its own
        for value in (value for value in values if self.left.readers(value)):
            ahead = list(self.right.next_open(self.left.values[value]))
            ways = sorted(
                ((a + b, left, right) for a, left in self.left.next_open(value) for b, right in ahead),
                key=lambda way: way[0],
            )
            nearest: float = len(ways) + 2 * REACH
            for distance, left, right in ways:
                is_new = right not in self.left.options.get(left, {})
                if distance <= nearest and is_new and self._propose(Pair(left, right)):
                    nearest, found = distance, True
        return found
