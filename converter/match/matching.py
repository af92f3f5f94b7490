"""Which step of one network is which step of the other.

Both graphs are walked together, from what is known (inputs, outputs, overrides, telling names) to its neighbours:
two nodes belong together if they are each other's only possible partner around a pair that already belongs
together. Shapes alone prove nothing; what has several possible partners stays open and is reported.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import cast

from converter.match.ends import Ends, pair_ends
from converter.match.names import counted_names, fits, telling_names
from converter.match.network import Network, Pair
from converter.ops.forms import Node, Shape, Value

Alike = Callable[[Node, Node], bool]


class Evidence(StrEnum):
    """Why two nodes belong together."""

    NAME = "name"
    OVERRIDE = "override"
    TOPOLOGY = "topology"


@dataclass(frozen=True, slots=True)
class Match:
    """One pair; either side is None for a node that the other network leaves out.

    Attributes:
        values: Values that should be equal.
    """

    ours: Node | None
    theirs: Node | None
    evidence: Evidence
    values: tuple[Pair[Value], ...]

    @property
    def node(self) -> Node:
        """The file's node, or the model's where the file has none."""
        return cast("Node", self.ours or self.theirs)


@dataclass(frozen=True)
class Matching:
    """What belongs together.

    Attributes:
        matches: In the file's order; what only one side has follows what it comes after.
        ambiguous: Node with weights → the candidates that the graph cannot tell apart.
        open_ours: The file's nodes without a partner.
        open_theirs: The model's.
        outputs: Which output is which: one for each of the file's.
        inputs: Which input is which.
    """

    matches: tuple[Match, ...]
    ambiguous: Mapping[str, tuple[str, ...]]
    open_ours: tuple[Node, ...]
    open_theirs: tuple[Node, ...]
    outputs: tuple[Ends, ...]
    inputs: tuple[Ends, ...]

    def pairs(self) -> Iterator[Pair[Node]]:
        """The matches that have both sides."""
        for found in self.matches:
            if found.ours and found.theirs:
                yield Pair(found.ours, found.theirs)


def match(ours: Network, theirs: Network, fixed: Iterable[Pair[Node]] = ()) -> Matching:
    """Match two networks.

    Args:
        ours: What the file computes.
        theirs: What the model computes.
        fixed: Pairs that are given (overrides).
    """
    walk = _Walk(ours, theirs)
    for pair in fixed:
        walk.pair(pair, Evidence.OVERRIDE)
    for pair in telling_names(ours, theirs):
        walk.pair(pair, Evidence.NAME)
    walk.pair_ends()
    walk.settle()
    walk.pair_operands()
    walk.settle()
    for pair in counted_names(ours, theirs):
        if walk.is_possible(pair):
            walk.pair(pair, Evidence.NAME)
            walk.settle()
    walk.pair_outputs()
    return walk.result()


@dataclass
class _Side:
    """One network with what is known of it."""

    network: Network
    producers: dict[Value, Node] = field(init=False)
    consumers: dict[Value, list[Node]] = field(init=False)
    partners: dict[Node, Node | None] = field(default_factory=dict)  # None: the other side leaves it out
    values: dict[Value, Value] = field(default_factory=dict)  # value → the other side's, the last one paired

    def __post_init__(self) -> None:
        self.producers, self.consumers = self.network.producers(), self.network.consumers()

    def open(self, nodes: Iterable[Node]) -> list[Node]:
        return [node for node in nodes if node not in self.partners]

    def readers(self, value: Value) -> list[Node]:
        """The open nodes that read a value."""
        return self.open(self.consumers.get(value, ()))

    def makers(self, values: Iterable[Value]) -> list[Node]:
        """The open nodes that compute values."""
        return self.open(self.producers[value] for value in dict.fromkeys(values) if value in self.producers)

    def shape(self, node: Node) -> Shape | None:
        return self.network.shapes.get(node.outputs[0]) if node.outputs else None


class _Walk:
    """The state of matching."""

    def __init__(self, ours: Network, theirs: Network) -> None:
        self.left, self.right = _Side(ours), _Side(theirs)
        self._inputs = pair_ends(ours.inputs, theirs.inputs)
        self._outputs = pair_ends(ours.outputs, theirs.outputs)
        self._matches: list[Match] = []

    def pair(self, pair: Pair[Node], evidence: Evidence = Evidence.TOPOLOGY) -> None:
        """Two nodes belong together, and so do their results."""
        if pair.ours in self.left.partners or pair.theirs in self.right.partners:
            return
        self.left.partners[pair.ours], self.right.partners[pair.theirs] = pair.theirs, pair.ours
        values = tuple(map(Pair, pair.ours.outputs, pair.theirs.outputs))
        for each in values:
            self._pair_values(each)
        self._matches.append(Match(pair.ours, pair.theirs, evidence, values))

    def _pair_values(self, pair: Pair[Value]) -> None:
        self.left.values[pair.ours], self.right.values[pair.theirs] = pair.theirs, pair.ours

    def _leave_out(self, side: _Side, node: Node, values: Pair[Value]) -> None:
        """Only this side has a node; these values, around it, should be equal."""
        side.partners.setdefault(node, None)
        ours, theirs = (node, None) if side is self.left else (None, node)
        self._matches.append(Match(ours, theirs, Evidence.TOPOLOGY, (values,)))
        self._pair_values(values)

    def pair_ends(self) -> None:
        """Inputs are the same value, outputs are computed by the same node."""
        for ends in self._inputs:
            if ends.theirs:
                self._pair_values(Pair(ends.ours.value, ends.theirs.value))
        for ends in self._outputs:
            left = self.left.producers.get(ends.ours.value)
            right = self.right.producers.get(ends.theirs.value) if ends.theirs else None
            if left and right and fits(left, right):
                self.pair(Pair(left, right))

    def pair_outputs(self) -> None:
        """Outputs are compared in any case, also where one side ends with a node that the other does not have."""
        known = {pair for match in self._matches for pair in match.values}
        for ends in self._outputs:
            if ends.theirs is None:
                continue
            values = Pair(ends.ours.value, ends.theirs.value)
            left, right = self.left.producers.get(values.ours), self.right.producers.get(values.theirs)
            if values in known or left is None or right is None:
                continue
            if self.left.open([left]) and self.right.values.get(values.theirs) in left.inputs:
                self._leave_out(self.left, left, values)
            else:
                self._leave_out(self.right, right, values)

    def pair_operands(self) -> None:
        """What nothing else tells apart goes by its place in a step that has an order, such as a concatenation."""
        for left in self.left.network.nodes:
            right = self.left.partners.get(left)
            if right is None or left.is_commutative or not len(left.inputs) == len(right.inputs) > 1:
                continue
            for a, b in zip(left.inputs, right.inputs, strict=True):
                for pair in map(Pair, self.left.makers([a]), self.right.makers([b])):
                    if self._is_alike(pair.ours, pair.theirs):
                        self.pair(pair)

    def settle(self) -> None:
        """Walk on until nothing more follows; step over what only one side has when there is no other way."""
        while True:
            while self._step(self._is_alike) or self._step(fits):
                pass
            if not self._step_over():
                return

    def _known(self) -> Iterator[Pair[Value]]:
        """Values that are each other's last partner."""
        for a, b in list(self.left.values.items()):
            if self.right.values.get(b) == a:
                yield Pair(a, b)

    def _step(self, alike: Alike) -> bool:
        before = len(self._matches)
        for values in self._known():
            self._pair_only(self.left.readers(values.ours), self.right.readers(values.theirs), alike)
        for left in self.left.network.nodes:
            right = self.left.partners.get(left)
            if right is not None:
                self._pair_only(self.left.makers(left.inputs), self.right.makers(right.inputs), alike)
        return len(self._matches) > before

    def _pair_only(self, lefts: Sequence[Node], rights: Sequence[Node], alike: Alike) -> None:
        """Pair nodes of which neither has another possible partner."""
        options = [[right for right in rights if alike(left, right)] for left in lefts]
        for left, option in zip(lefts, options, strict=True):
            if len(option) == 1 and sum(option[0] in other for other in options) == 1:
                self.pair(Pair(left, option[0]))

    def _is_alike(self, left: Node, right: Node) -> bool:
        return left.kind == right.kind and fits(left, right) and self.left.shape(left) == self.right.shape(right)

    def _step_over(self) -> bool:
        """Leave one node out: it has no kernel, reads one value, and what follows fits without it."""
        for values in self._known():
            for node in self.left.readers(values.ours):
                if self._continues(self.left, node, self.right, values.theirs):
                    self._leave_out(self.left, node, Pair(node.outputs[0], values.theirs))
                    return True
            for node in self.right.readers(values.theirs):
                if self._continues(self.right, node, self.left, values.ours):
                    self._leave_out(self.right, node, Pair(values.ours, node.outputs[0]))
                    return True
        return False

    @staticmethod
    def _continues(side: _Side, node: Node, other: _Side, value: Value) -> bool:
        """Whether what follows a node is, on the other side, what reads `value` (the node's own operand) directly."""
        has_kernel = node.weights and node.family != "activation"
        if has_kernel or len(set(node.inputs)) != 1 or len(node.outputs) != 1:
            return False
        following = side.consumers.get(node.outputs[0], ())
        readers = other.consumers.get(value, ())
        if any(side.partners.get(follower) in readers for follower in following):
            return True
        return any(fits(follower, reader) for follower in side.open(following) for reader in other.open(readers))

    def is_possible(self, pair: Pair[Node]) -> bool:
        """Whether nothing that is known speaks against a pair: neither is taken, nor are their operands."""
        left, right = pair.ours, pair.theirs
        if left in self.left.partners or right in self.right.partners or not fits(left, right):
            return False
        known = [self.left.values[value] for value in left.inputs if value in self.left.values]
        claimed = [value for value in right.inputs if value in self.right.values]
        return all(value in right.inputs for value in known) and len(claimed) <= len(known)

    def result(self) -> Matching:
        """What was found, with names as evidence where they agree too."""
        ours, theirs = self.left.network, self.right.network
        agreeing = {(pair.ours, pair.theirs) for pair in counted_names(ours, theirs)}
        place: dict[Node | None, int] = {node: number for number, node in enumerate(ours.all_nodes())}
        matches = [
            replace(found, evidence=Evidence.NAME)
            if found.evidence is Evidence.TOPOLOGY and (found.ours, found.theirs) in agreeing
            else found
            for found in self._matches
        ]

        def order(found: Match) -> float:
            if found.ours:
                return place[found.ours]
            return place.get(self.left.producers.get(found.values[0].ours), -1) + 0.5

        matches.sort(key=order)
        left, right = tuple(self.left.open(ours.all_nodes())), tuple(self.right.open(theirs.all_nodes()))
        candidates = {node.name: tuple(o.name for o in right if node.weights and fits(node, o)) for node in left}
        ambiguous = {name: others for name, others in candidates.items() if others}
        return Matching(tuple(matches), ambiguous, left, right, self._outputs, self._inputs)
