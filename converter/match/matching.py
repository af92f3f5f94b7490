"""Which step of one network is which step of the other.

Both graphs are walked together, from what is known (inputs, outputs, overrides, telling names) to its neighbours:
two nodes belong together if they are each other's only possible partner around a pair that already belongs
together. Shapes alone prove nothing; what has several possible partners stays open and is reported.

Names come in two strengths. `regressor_16` says what it is. `conv2d_42` only counts, and counts differently after
every change: such names decide between candidates that the graph leaves open, never against the graph.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import cast

from converter.match.network import Network
from converter.ops.node import Node, Ref

# Names that Keras (and the exporters) give by themselves: they count, they do not tell.
_COUNTED = re.compile(
    r"^(conv2d|depthwise_conv2d|conv2d_transpose|separable_conv2d|dense|p_re_lu|prelu|batch_normalization|conv|"
    r"depthwise|layer|re_lu|activation|add|max_pooling2d|average_pooling2d|concatenate|reshape|tf_?\w*)(_\d+)?$"
)
_NUMBER = re.compile(r"_?(\d+)$")


class Evidence(StrEnum):
    """Why two nodes belong together."""

    NAME = "name"
    OVERRIDE = "override"
    TOPOLOGY = "topology"


@dataclass(frozen=True, slots=True)
class Match:
    """One pair; either side is None for a node that the other network leaves out.

    Attributes:
        values: (the file's value, the model's value) that should be equal.
    """

    ours: Node | None
    theirs: Node | None
    evidence: Evidence
    values: tuple[tuple[Ref, Ref], ...]

    @property
    def node(self) -> Node:
        """The file's node, or the model's where the file has none."""
        return cast("Node", self.ours or self.theirs)


# (the file's input or output, the model's) by position; None where there is no partner.
Ends = tuple[tuple[int, int | None], ...]


@dataclass(frozen=True)
class Matching:
    """What belongs together.

    Attributes:
        matches: In the file's order; what only one side has follows what it comes after.
        ambiguous: Node with weights → the candidates that the graph cannot tell apart.
        open_ours: The file's nodes without a partner.
        open_theirs: The model's.
        outputs: Which output is which.
        inputs: Which input is which.
    """

    matches: tuple[Match, ...]
    ambiguous: Mapping[str, tuple[str, ...]]
    open_ours: tuple[Node, ...]
    open_theirs: tuple[Node, ...]
    outputs: Ends
    inputs: Ends


def match(ours: Network, theirs: Network, fixed: Iterable[tuple[Node, Node]] = ()) -> Matching:
    """Match two networks.

    Args:
        ours: What the file computes.
        theirs: What the model computes.
        fixed: Pairs that are given (overrides).
    """
    walk = _Walk(ours, theirs)
    for left, right in fixed:
        walk.pair(left, right, Evidence.OVERRIDE)
    for left, right in telling_names(ours, theirs):
        walk.pair(left, right, Evidence.NAME)
    inputs, outputs = walk.pair_ends()
    walk.settle()
    walk.pair_operands()
    walk.settle()
    for left, right in counted_names(ours, theirs):
        if walk.is_possible(left, right):
            walk.pair(left, right, Evidence.NAME)
            walk.settle()
    walk.pair_outputs(outputs)
    return walk.result(inputs, outputs)


def telling_names(ours: Network, theirs: Network) -> list[tuple[Node, Node]]:
    """Pairs of nodes with weights whose names agree and say more than a number."""
    left, right = _by_name(ours), _by_name(theirs)
    return [
        (left[name][0], right[name][0])
        for name in left
        if len(left[name]) == len(right.get(name, ())) == 1
        and not _COUNTED.match(name)
        and _fits(left[name][0], right[name][0])
    ]


def counted_names(ours: Network, theirs: Network) -> list[tuple[Node, Node]]:
    """Pairs of nodes with weights that are the n-th of their name on both sides.

    The numbers themselves need not agree: Keras goes on counting from one model to the next. As far as the shapes
    agree, the order of the numbers counts.
    """
    pairs = []
    left, right = _counted(ours), _counted(theirs)
    for key in left.keys() & right.keys():
        for a, b in zip(left[key], right[key], strict=False):
            if not _fits(a, b):
                break
            pairs.append((a, b))
    return pairs


def _by_name(network: Network) -> dict[str, list[Node]]:
    names: dict[str, list[Node]] = {}
    for node in network.all_nodes():
        if node.weights:
            names.setdefault(_last(node.name), []).append(node)
    return names


def _last(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _counted(network: Network) -> dict[tuple[str, str], list[Node]]:
    groups: dict[tuple[str, str], list[Node]] = {}
    for node in network.all_nodes():
        if node.weights and _COUNTED.match(_last(node.name)):
            groups.setdefault((_NUMBER.sub("", _last(node.name)), node.kind), []).append(node)
    for nodes in groups.values():
        nodes.sort(key=_number)
    return groups


def _number(node: Node) -> int:
    found = _NUMBER.search(_last(node.name))
    return int(found[1]) if found else 0


def _fits(left: Node, right: Node) -> bool:
    """Same family, and the weights that both have are of the same shape."""
    if left.family != right.family:
        return False
    if left.family == "activation":  # which one it is, and what it shares, is for the audit to say
        return True
    both = left.weights.keys() & right.weights.keys()
    return all(left.weights[name].shape == right.weights[name].shape for name in both)


@dataclass
class _Side:
    """One network with what is known of it."""

    network: Network
    producers: dict[Ref, Node] = field(init=False)
    consumers: dict[Ref, list[Node]] = field(init=False)
    nodes: dict[int, Node] = field(default_factory=dict)  # id of a node → its partner
    values: dict[Ref, Ref] = field(default_factory=dict)  # value → the other side's, the last one paired

    def __post_init__(self) -> None:
        self.producers, self.consumers = self.network.producers(), self.network.consumers()

    def open(self, nodes: Iterable[Node]) -> list[Node]:
        return [node for node in nodes if id(node) not in self.nodes]

    def shape(self, node: Node) -> tuple[int | None, ...] | None:
        return self.network.shapes.get(node.outputs[0]) if node.outputs else None


class _Walk:
    """The state of matching."""

    def __init__(self, ours: Network, theirs: Network) -> None:
        self.left, self.right = _Side(ours), _Side(theirs)
        self._matches: list[Match] = []
        self._pending: list[tuple[Ref, Ref]] = []

    def pair(self, left: Node, right: Node, evidence: Evidence) -> None:
        """Two nodes belong together, and so do their results."""
        if id(left) in self.left.nodes or id(right) in self.right.nodes:
            return
        self.left.nodes[id(left)], self.right.nodes[id(right)] = right, left
        values = tuple(zip(left.outputs, right.outputs, strict=False))
        for a, b in values:
            self._pair_values(a, b)
        self._matches.append(Match(left, right, evidence, values))

    def _pair_values(self, a: Ref, b: Ref) -> None:
        self.left.values[a], self.right.values[b] = b, a
        self._pending.append((a, b))

    def pair_ends(self) -> tuple[Ends, Ends]:
        """Inputs and outputs: by name, by a shape that only one has, then by position."""
        left, right = self.left.network, self.right.network
        named = (list(left.inputs.items()), list(right.inputs.items()))
        inputs = _pair_ends(named[0], named[1], left, right)
        for i, j in inputs:
            if j is not None:
                self._pair_values(named[0][i][1], named[1][j][1])
        outputs = _pair_ends(left.outputs, right.outputs, left, right)
        for i, j in outputs:
            if j is not None:
                self._pair_backward(left.outputs[i][1], right.outputs[j][1])
        return tuple(inputs), tuple(outputs)

    def pair_outputs(self, outputs: Sequence[tuple[int, int | None]]) -> None:
        """Outputs are compared in any case, also where one side ends with a node that the other does not have."""
        known = {pair for match in self._matches for pair in match.values}
        for i, j in outputs:
            if j is None:
                continue
            a, b = self.left.network.outputs[i][1], self.right.network.outputs[j][1]
            left, right = self.left.producers.get(a), self.right.producers.get(b)
            if (a, b) in known or left is None or right is None:
                continue
            if self.left.open([left]) and self.right.values.get(b) in left.inputs:
                self.left.nodes[id(left)] = left
                self._matches.append(Match(left, None, Evidence.TOPOLOGY, ((a, b),)))
            else:
                self.right.nodes.setdefault(id(right), right)
                self._matches.append(Match(None, right, Evidence.TOPOLOGY, ((a, b),)))
            self._pair_values(a, b)

    def pair_operands(self) -> None:
        """What nothing else tells apart goes by its place in a step that has an order, such as a concatenation."""
        for left in self.left.network.nodes:
            right = self.left.nodes.get(id(left))
            if right is None or left.is_commutative or not len(left.inputs) == len(right.inputs) > 1:
                continue
            for a, b in zip(left.inputs, right.inputs, strict=True):
                first, second = self.left.producers.get(a), self.right.producers.get(b)
                is_open = first and second and self.left.open([first]) and self.right.open([second])
                if is_open and first and second and self._is_alike(first, second):
                    self.pair(first, second, Evidence.TOPOLOGY)

    def settle(self) -> None:
        """Walk on until nothing more follows; step over what only one side has when there is no other way."""
        while True:
            while self._step(self._is_alike) or self._step(_fits):
                pass
            if not self._step_over():
                return

    def _step(self, alike: Callable[[Node, Node], bool]) -> bool:
        before = len(self._matches)
        for a, b in list(self.left.values.items()):
            if self.right.values.get(b) == a:
                self._forward(a, b, alike)
        for left in self.left.network.nodes:
            right = self.left.nodes.get(id(left))
            if right is not None and right.inputs:
                self._backward(left, right, alike)
        return len(self._matches) > before

    def _is_alike(self, left: Node, right: Node) -> bool:
        return left.kind == right.kind and _fits(left, right) and self.left.shape(left) == self.right.shape(right)

    def _forward(self, a: Ref, b: Ref, alike: Callable[[Node, Node], bool]) -> None:
        lefts = self.left.open(self.left.consumers.get(a, ()))
        rights = self.right.open(self.right.consumers.get(b, ()))
        for left, right in _only_partners(lefts, rights, alike):
            self.pair(left, right, Evidence.TOPOLOGY)

    def _backward(self, left: Node, right: Node, alike: Callable[[Node, Node], bool]) -> None:
        lefts = self.left.open(self._made(self.left, left.inputs))
        rights = self.right.open(self._made(self.right, right.inputs))
        for first, second in _only_partners(lefts, rights, alike):
            self.pair(first, second, Evidence.TOPOLOGY)

    def _pair_backward(self, a: Ref, b: Ref) -> None:
        left, right = self.left.producers.get(a), self.right.producers.get(b)
        if left and right and _fits(left, right):
            self.pair(left, right, Evidence.TOPOLOGY)

    @staticmethod
    def _made(side: _Side, values: Iterable[Ref]) -> list[Node]:
        return [side.producers[value] for value in dict.fromkeys(values) if value in side.producers]

    def _step_over(self) -> bool:
        """Leave one node out: it has no kernel, reads one value, and what follows fits without it."""
        for a, b in list(self.left.values.items()):
            if self.right.values.get(b) != a:
                continue
            for node in self.left.open(self.left.consumers.get(a, ())):
                if self._continues(self.left, node, self.right, b):
                    self.left.nodes[id(node)] = node
                    self._matches.append(Match(node, None, Evidence.TOPOLOGY, ((node.outputs[0], b),)))
                    self._pair_values(node.outputs[0], b)
                    return True
            for node in self.right.open(self.right.consumers.get(b, ())):
                if self._continues(self.right, node, self.left, a):
                    self.right.nodes[id(node)] = node
                    self._matches.append(Match(None, node, Evidence.TOPOLOGY, ((a, node.outputs[0]),)))
                    self._pair_values(a, node.outputs[0])
                    return True
        return False

    @staticmethod
    def _continues(side: _Side, node: Node, other: _Side, value: Ref) -> bool:
        """Whether what follows a node is, on the other side, what reads `value` (the node's own operand) directly."""
        has_kernel = node.weights and node.family != "activation"
        if has_kernel or len(set(node.inputs)) != 1 or len(node.outputs) != 1:
            return False
        following = side.consumers.get(node.outputs[0], ())
        readers = other.consumers.get(value, ())
        partners = [side.nodes.get(id(follower)) for follower in following]
        if any(partner is reader for partner in partners for reader in readers):
            return True
        open_readers = other.open(readers)
        return any(_fits(follower, reader) for follower in side.open(following) for reader in open_readers)

    def is_possible(self, left: Node, right: Node) -> bool:
        """Whether nothing that is known speaks against a pair: neither is taken, nor are their operands."""
        if id(left) in self.left.nodes or id(right) in self.right.nodes or not _fits(left, right):
            return False
        known = [self.left.values[value] for value in left.inputs if value in self.left.values]
        claimed = [value for value in right.inputs if value in self.right.values]
        return all(value in right.inputs for value in known) and len(claimed) <= len(known)

    def result(self, inputs: Ends, outputs: Ends) -> Matching:
        """What was found, with names as evidence where they agree too."""
        agreeing = {(id(a), id(b)) for a, b in counted_names(self.left.network, self.right.network)}
        place = {id(node): number for number, node in enumerate(self.left.network.all_nodes())}
        made = {value: number for number, node in enumerate(self.left.network.nodes) for value in node.outputs}
        matches = [
            replace(pair, evidence=Evidence.NAME)
            if pair.evidence is Evidence.TOPOLOGY and (id(pair.ours), id(pair.theirs)) in agreeing
            else pair
            for pair in self._matches
        ]
        matches.sort(key=lambda m: place[id(m.ours)] if m.ours else made.get(m.values[0][0], -1) + 0.5)
        left = tuple(self.left.open(self.left.network.all_nodes()))
        right = tuple(self.right.open(self.right.network.all_nodes()))
        candidates = {node.name: tuple(o.name for o in right if node.weights and _fits(node, o)) for node in left}
        return Matching(tuple(matches), {k: v for k, v in candidates.items() if v}, left, right, outputs, inputs)


def _only_partners(
    lefts: Sequence[Node], rights: Sequence[Node], alike: Callable[[Node, Node], bool]
) -> list[tuple[Node, Node]]:
    """The pairs of which neither side has another possible partner."""
    options = [[right for right in rights if alike(left, right)] for left in lefts]
    return [
        (left, option[0])
        for left, option in zip(lefts, options, strict=True)
        if len(option) == 1 and sum(option[0] in other for other in options) == 1
    ]


def _pair_ends(
    lefts: Sequence[tuple[str, Ref]], rights: Sequence[tuple[str, Ref]], ours: Network, theirs: Network
) -> list[tuple[int, int | None]]:
    """For each left end the index of its partner: same name, else only one of that shape, else same position."""
    partner: dict[int, int] = {}

    def shapes(ends: Sequence[tuple[str, Ref]], network: Network) -> list[object]:
        return [network.shapes.get(value) for _, value in ends]

    left_shapes, right_shapes = shapes(lefts, ours), shapes(rights, theirs)

    def alone(shape: object) -> bool:
        return left_shapes.count(shape) == right_shapes.count(shape) == 1

    rules: list[Callable[[int, int], bool]] = [
        lambda i, j: lefts[i][0] == rights[j][0] and left_shapes[i] == right_shapes[j],
        lambda i, j: left_shapes[i] == right_shapes[j] and alone(left_shapes[i]),
        lambda i, j: i == j,
    ]
    for rule in rules:
        for i in range(len(lefts)):
            for j in range(len(rights)):
                if i not in partner and j not in partner.values() and rule(i, j):
                    partner[i] = j
    return [(i, partner.get(i)) for i in range(len(lefts))]
