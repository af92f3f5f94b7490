"""What only one side has, or both have in another way: found between the pairs, by who reads what.

Two partners that read values without partners, in the same place, say that these values should be equal, whatever
computes them. What computes them is a gap: one node or several, on one side or on both.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from converter.match.alignment.evidence import Evidence, Match, Reason
from converter.match.alignment.pairing import Pairing, Side
from converter.match.ends import End, Ends
from converter.match.network import Pair
from converter.ops.forms import Node, Value

IN_PLACE = Reason("it stands where the file has another kind of layer, or others", 0.0)
MISSING = Reason("what reads its result in the file reads something else in the model", 0.0)
EXTRA = Reason("what reads its result in the model reads something else in the file", 0.0)


def bridged(pairing: Pairing, outputs: Sequence[Ends]) -> Iterator[Match]:
    """A match for the last node of every gap, which says what its result should be equal to.

    Args:
        pairing: What was paired.
        outputs: Which output is which.
    """
    left, right = pairing.left, pairing.right
    seen: set[tuple[Value, Value]] = set()
    taken: set[Node] = set()
    for values in _read_in_place(pairing, outputs):
        key = values.ours, values.theirs
        ours, theirs = left.producers.get(values.ours), right.producers.get(values.theirs)
        is_ours, is_theirs = left.is_open(ours), right.is_open(theirs)
        if key in seen or not (is_ours or is_theirs) or left.values.get(values.ours) == values.theirs:
            continue
        seen.add(key)
        if is_ours and is_theirs and not {ours, theirs} & taken:
            inside = (*_inside(left, ours), *_inside(right, theirs))
            yield Match(ours, theirs, Evidence.PLACE, (values,), (IN_PLACE,), inside=inside)
        elif is_ours and ours not in taken and _stands_in(pairing, values):
            yield Match(ours, None, Evidence.TOPOLOGY, (values,), (MISSING,), inside=_inside(left, ours))
        elif is_theirs and theirs not in taken:
            yield Match(None, theirs, Evidence.TOPOLOGY, (values,), (EXTRA,), inside=_inside(right, theirs))
        else:
            continue
        taken |= {node for node in (ours, theirs) if node}


@dataclass(frozen=True, slots=True)
class Packed:
    """An output that only holds other values, one beside the other.

    Attributes:
        values: These values.
        nodes: What puts them together.
    """

    values: tuple[Value, ...]
    nodes: tuple[Node, ...]


def packing(pairing: Pairing) -> dict[End, Packed]:
    """The model's outputs that hold several values as one."""
    side, found = pairing.right, dict[End, Packed]()
    for end in side.network.outputs:
        last = side.producers.get(end.value)
        if last is None or not side.is_open(last):
            continue
        gap = (*_inside(side, last), last)
        read = dict.fromkeys(value for node in gap for value in node.inputs if value in side.values)
        sizes = [_size(side, value) for value in read]
        if len(read) > 1 and sum(sizes) == _size(side, end.value):
            found[end] = Packed(tuple(read), gap)
    return found


def _size(side: Side, value: Value) -> int:
    return prod(extent or 0 for extent in side.network.shapes[value])


def _read_in_place(pairing: Pairing, outputs: Sequence[Ends]) -> Iterator[Pair[Value]]:
    """Values that partners read in the same place, or that are the same output; the last ones first."""
    for ends in outputs:
        if ends.theirs:
            yield Pair(ends.ours.value, ends.theirs.value)
    for node in reversed(pairing.left.network.nodes):
        other = pairing.left.partners.get(node)
        if other is None:
            continue
        if not node.is_commutative:
            yield from map(Pair, node.inputs, other.inputs)
            continue
        yield from _in_any_order(pairing, node, other)


def _in_any_order(pairing: Pairing, ours: Node, theirs: Node) -> Iterator[Pair[Value]]:
    """The operands of two additions that are left over, by what they are computed from."""
    paired = pairing.left.values
    rest = [value for value in ours.inputs if paired.get(value) not in theirs.inputs]
    others = [value for value in theirs.inputs if value not in {paired.get(v) for v in ours.inputs}]
    if len(rest) == len(others) == 1:
        yield Pair(rest[0], others[0])
        return
    for value in rest:
        sources = {paired.get(source) for source in _sources(pairing.left, value)}
        possible = [other for other in others if sources & _sources(pairing.right, other)]
        if len(possible) == 1:  # of several, nothing says which it is
            yield Pair(value, possible[0])


def _stands_in(pairing: Pairing, values: Pair[Value]) -> bool:
    """Whether the model reads what the file's value is computed from; if not, it reads something else altogether."""
    return values.theirs in {pairing.left.values.get(source) for source in _sources(pairing.left, values.ours)}


def _sources(side: Side, value: Value) -> set[Value]:
    """The value itself if it has a partner, else those with one that it is computed from."""
    maker = side.producers.get(value)
    if value in side.values or maker is None or not side.is_open(maker):
        return {value}
    return {read for node in (*_inside(side, maker), maker) for read in node.inputs if read in side.values}


def _inside(side: Side, last: Node | None) -> tuple[Node, ...]:
    """The open nodes that lead to the last one of a gap, in order, without itself."""
    found: dict[Node, None] = {}
    pending: list[Node] = [last] if last else []
    while pending:
        for maker in _makers(side, pending.pop().inputs):
            if maker not in found:
                found[maker] = None
                pending.append(maker)
    return tuple(sorted(found, key=side.order.__getitem__))


def _makers(side: Side, values: Iterable[Value]) -> Iterator[Node]:
    for value in values:
        maker = side.producers.get(value)
        if maker is not None and side.is_open(maker):
            yield maker
