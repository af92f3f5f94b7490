"""What lies before and behind each node of two networks, as numbers that are equal where the graphs are.

A single difference between two networks changes what lies before everything after it, and what lies behind everything
before it; each node keeps one of the two. The *skeleton* has only the nodes with kernels, so that other ways to pad,
reshape or activate do not change it.
"""

from collections.abc import Hashable, Iterable, Sequence
from math import prod

from converter.match.ends import Ends
from converter.match.network import Network
from converter.ops.forms import Node, Value

Signatures = dict[Node, int]
_NOTHING = "nothing"


class Signer:
    """Gives both networks the same number for the same surroundings; exact, since nothing is hashed.

    Args:
        inputs: Which input is which.
    """

    def __init__(self, inputs: Sequence[Ends]) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._inputs: dict[tuple[str, Value], int] = {}
        for number, ends in enumerate(inputs):
            self._inputs["ours", ends.ours.value] = number
            if ends.theirs:
                self._inputs["theirs", ends.theirs.value] = number

    def before(self, network: Network, side: str) -> Signatures:
        """All that a node is computed from."""
        known = self._inputs_of(network, side)
        made: Signatures = {}
        for node in network.nodes:
            operands = [known.get(value, -1) for value in node.inputs]
            if node.is_commutative:
                operands.sort()
            made[node] = self._number("before", _label(node), tuple(operands))
            known.update((value, self._number(made[node], place)) for place, value in enumerate(node.outputs))
        return made

    def behind(self, network: Network) -> Signatures:
        """All that is computed from a node."""
        read: dict[Value, list[tuple[int, int]]] = {end.value: [(-1, 0)] for end in network.outputs}
        made: Signatures = {}
        for node in reversed(network.nodes):
            readers = tuple(tuple(sorted(read.get(value, ()))) for value in node.outputs)
            made[node] = self._number("behind", _label(node), readers)
            for place, value in enumerate(node.inputs):
                read.setdefault(value, []).append((made[node], -1 if node.is_commutative else place))
        return made

    def skeleton_before(self, network: Network, side: str) -> Signatures:
        """The nodes with kernels that a node with a kernel is computed from."""
        known = self._inputs_of(network, side)
        made: Signatures = {}
        for node in network.nodes:
            operands = [known[value] for value in node.inputs if value in known]
            if has_kernel(node):
                made[node] = self._number("skeleton before", _label(node), tuple(operands))
                known.update((value, self._number(made[node], place)) for place, value in enumerate(node.outputs))
            elif operands:
                known.update(dict.fromkeys(node.outputs, self._joined(operands)))
        return made

    def skeleton_behind(self, network: Network) -> Signatures:
        """The nodes with kernels that are computed from a node with a kernel."""
        read: dict[Value, list[int]] = {}
        made: Signatures = {}
        for node in reversed(network.nodes):
            behind = self._joined([number for value in node.outputs for number in read.get(value, ())])
            if has_kernel(node):
                behind = made[node] = self._number("skeleton behind", _label(node), behind)
            if behind != self._number(_NOTHING):
                for value in dict.fromkeys(node.inputs):
                    read.setdefault(value, []).append(behind)
        return made

    def _inputs_of(self, network: Network, side: str) -> dict[Value, int]:
        """Numbers of the inputs."""
        return {
            end.value: self._number("input", self._inputs.get((side, end.value), f"{side} {end.place}"))
            for end in network.inputs
        }

    def _joined(self, numbers: Iterable[int]) -> int:
        """One number for several ways; the same as before where there is only one."""
        distinct = sorted(set(numbers))
        if not distinct:
            return self._number(_NOTHING)
        return distinct[0] if len(distinct) == 1 else self._number("several", tuple(distinct))

    def _number(self, *key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def has_kernel(node: Node) -> bool:
    """Whether it has a weight of more than one axis: something that a model is recognized by."""
    return node.family != "activation" and any(prod(slot.shape) > max(slot.shape, default=1) for slot in _own(node))


def _own(node: Node) -> list:  # type: ignore[type-arg]
    return [slot for name, slot in node.weights.items() if name != "bias" and not name.startswith("batch_norm/")]


def _label(node: Node) -> Hashable:
    """What a node is by itself, as far as people do not write it differently."""
    shapes = () if node.family == "activation" else tuple(sorted(slot.shape for slot in _own(node)))
    return node.family, shapes
