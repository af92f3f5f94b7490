"""What the two models' settings say, without running them: where they differ, one sentence each."""

from collections.abc import Iterator
from dataclasses import dataclass

from converter.match.alignment.evidence import Match
from converter.match.differences import describe, settings
from converter.match.matching import Matching
from converter.match.network import Network, Pair
from converter.ops.forms import Node, Value


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference.

    Attributes:
        layer: The model's layer; where it has none, the one that comes before.
        op: What the file has, e.g. `op #37 MAX_POOL_2D`; empty if it has nothing.
        message: The difference, starting with the layer's name.
        ours: The file's node.
        theirs: The model's node.
        is_structural: Whether it is about who reads what, so that the same may be computed nevertheless.
    """

    layer: str
    op: str
    message: str
    ours: Node | None = None
    theirs: Node | None = None
    is_structural: bool = False

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"layer": self.layer, "op": self.op, "message": self.message}


def audit(ours: Network, theirs: Network, matching: Matching, *, in_order: bool = True) -> list[Finding]:
    """Compare the settings of everything that was matched, in the file's order.

    Args:
        ours: What the file computes.
        theirs: What the model computes.
        matching: Which node is which.
        in_order: Whether the order of the model's outputs says anything; not that of a dictionary.
    """
    wiring = _Wiring(ours, theirs, matching)
    found: list[Finding] = []
    for pair in matching.matches:
        found += _one_side_only(pair, wiring)
        if pair.ours and pair.theirs:
            own, read = settings(pair.ours, pair.theirs), wiring.differences(pair.ours, pair.theirs)
            is_other = not pair.is_same_layer or pair.ours.kind != pair.theirs.kind
            found += [_finding(pair, message, is_structural=is_other) for message in own]
            found += [_finding(pair, message, is_structural=True) for message in read]
    for node in matching.open_ours:
        message = f"{node.name}: the model has no {describe(node)} for this"
        found.append(Finding(node.name, op_of(node), message, node, is_structural=True))
    for node in matching.open_theirs:
        message = f"{node.name}: the file has nothing like this {describe(node)}"
        found.append(Finding(node.name, "", message, None, node, is_structural=True))
    return [*found, *_inputs(ours, theirs, matching), *_outputs(theirs, matching, in_order=in_order)]


def op_of(node: Node) -> str:
    """The file's operator that a node stands for, in words."""
    return str(node.origin.op)


def _finding(pair: Match, message: str, *, is_structural: bool) -> Finding:
    name = (pair.theirs or pair.node).name
    op = op_of(pair.ours) if pair.ours else ""
    return Finding(name, op, f"{name}: {message}", pair.ours, pair.theirs, is_structural)


def _one_side_only(pair: Match, wiring: "_Wiring") -> Iterator[Finding]:
    if pair.theirs is None and pair.ours is not None:
        before = wiring.name_of(pair.values[0].theirs)
        reading = "".join(f", which {name} reads in its place" for name in wiring.reading(pair.values[0])[:1])
        message = f"{pair.ours.name}: the model has no {describe(pair.ours)} after {before}{reading}"
        yield Finding(pair.ours.name, op_of(pair.ours), message, pair.ours, None, is_structural=True)
    elif pair.ours is None and pair.theirs is not None:
        yield _finding(pair, f"the file has no {describe(pair.theirs)} here", is_structural=True)


class _Wiring:
    """Who reads what, in terms of the other side."""

    def __init__(self, ours: Network, theirs: Network, matching: Matching) -> None:
        self._partners: dict[Value, set[Value]] = {}
        pairs = [pair for m in matching.matches for pair in m.values]
        pairs += [Pair(ends.ours.value, ends.theirs.value) for ends in matching.inputs if ends.theirs]
        for pair in pairs:
            self._partners.setdefault(pair.ours, set()).add(pair.theirs)
        self._pairs = tuple(matching.pairs())
        self._known = {pair.theirs for pair in pairs}
        self._names, self._our_names = (
            {end.value: end.name for end in network.inputs}
            | {value: node.name for node in network.nodes for value in node.outputs}
            for network in (theirs, ours)
        )

    def reading(self, values: Pair[Value]) -> list[str]:
        """The model's layers that read one value where their partners read the other."""
        return [
            pair.theirs.name
            for pair in self._pairs
            if values.ours in pair.ours.inputs and values.theirs in pair.theirs.inputs
        ]

    def name_of(self, value: Value) -> str:
        """The model's layer that computes a value."""
        return self._names.get(value, str(value))

    def differences(self, ours: Node, theirs: Node) -> Iterator[str]:
        """Whether two matched nodes read the same values, in the same order where it matters."""
        expected = [self._partners.get(value, set()) for value in ours.inputs]
        if not self._known.issuperset(theirs.inputs):
            return  # something before them has no partner: reported there
        if len(expected) != len(theirs.inputs):
            yield f"it has {len(theirs.inputs)} operands, the file has {len(expected)}"
            return
        given = list(theirs.inputs)
        in_order = all(value in options for value, options in zip(given, expected, strict=True))
        if in_order or (ours.is_commutative and _can_be_assigned(given, expected)):
            return
        what = "operands are" if len(given) > 1 else "operand is"
        theirs_read = ", ".join(map(self.name_of, given))
        ours_read = ", ".join(self._their_name(value) for value in ours.inputs)
        yield f"its {what} {theirs_read}; the file has {ours_read}"

    def _their_name(self, value: Value) -> str:
        partners = sorted(map(self.name_of, self._partners.get(value, ())))
        return partners[0] if len(partners) == 1 else self._our_names.get(value, str(value))


def _can_be_assigned(given: list[Value], expected: list[set[Value]]) -> bool:
    if not given:
        return True
    return any(
        given[0] in options and _can_be_assigned(given[1:], expected[:i] + expected[i + 1 :])
        for i, options in enumerate(expected)
    )


def _inputs(ours: Network, theirs: Network, matching: Matching) -> Iterator[Finding]:
    for left, right in ((ends.ours, ends.theirs) for ends in matching.inputs):
        if right and left.shape != right.shape:
            message = f"the input has shape {right.shape}, the file's {left.name} has {left.shape}"
            yield Finding(right.name, "", f"{right.name}: {message}")
    if len(ours.inputs) != len(theirs.inputs):
        yield Finding("inputs", "", f"inputs: the model has {len(theirs.inputs)}, the file has {len(ours.inputs)}")


def _outputs(theirs: Network, matching: Matching, *, in_order: bool) -> Iterator[Finding]:
    for ends in matching.outputs:
        left, right = ends.ours, ends.theirs
        if ends.packed is not None:
            continue
        if right is None:
            yield Finding(left.name, "", f"{left.name}: the model has no such output")
        elif left.shape != right.shape:
            message = f"it has shape {right.shape}, the file's {left.name} has {left.shape}"
            yield Finding(right.name, "", f"output {right.place}: {message}")
        elif in_order and left.place != right.place:
            yield Finding(right.name, "", f"output {right.place}: it is the file's output {left.place} ({left.name})")
    taken = {end for ends in matching.outputs for end in (ends.theirs, ends.packed)}
    for end in theirs.outputs:
        if end not in taken:
            yield Finding(end.name, "", f"output {end.place} ({end.name}): the file has no such output")
