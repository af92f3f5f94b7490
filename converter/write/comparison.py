"""What a changed model and the file that it came from still have in common."""

from collections.abc import Sequence

from converter.blueprints.specs import Blueprint
from converter.match.audit import Finding
from converter.match.matching import Matching
from converter.match.network import Network, Pair
from converter.ops import records
from converter.ops.forms import Node, Value
from converter.passes.fusions import unfuse


class Comparison:
    """Which operators stay, and which nodes of the model are written anew.

    Attributes:
        kept: Pairs whose operators stay.
        fresh: The model's nodes without such a pair, in order.
        partners: Node of the model → what it stands for in the file.
        dropped: Indices of operators that do not stay.
    """

    def __init__(
        self, plan: Blueprint, ours: Network, theirs: Network, matching: Matching, findings: Sequence[Finding]
    ) -> None:
        self.plan, self.ours, self.theirs, self.matching = plan, ours, theirs, matching
        pairs = list(matching.pairs())
        self.partners = {pair.theirs: pair.ours for pair in pairs}
        wrong = {node for f in findings for node in (f.ours, f.theirs) if node}
        wrong |= {m.node for m in matching.matches if not (m.ours and m.theirs)}
        bad = {pair.ours for pair in pairs if wrong & {pair.ours, pair.theirs} or self._is_moved(pair)}
        bad |= set(ours.nodes) - {pair.ours for pair in pairs}
        bad |= self._parted(pairs)
        while True:
            self.dropped = self._close(bad)
            self.kept = [pair for pair in pairs if pair.ours not in bad]
            stays = {pair.theirs for pair in self.kept}
            self.fresh = [node for node in theirs.nodes if node not in stays]
            inside = self._read_inside()
            if not inside:
                break
            bad |= inside
        self._stand_in()

    def ops_of(self, node: Node) -> set[int]:
        """The operators that a node of the file is made of."""
        return {part.origin.op.index for part in unfuse([node])}

    def _is_moved(self, pair: Pair[Node]) -> bool:
        """Whether another extent makes the operators, which state theirs, other ones."""
        before = [self.ours.shapes.get(value) for value in pair.ours.outputs]
        is_same = before == [self.theirs.shapes.get(value) for value in pair.theirs.outputs]
        states_size = records.operator(pair.ours.origin.op.kind).states_size
        return not is_same and (len(self.ops_of(pair.ours)) > 1 or states_size)

    @staticmethod
    def _parted(pairs: Sequence[Pair[Node]]) -> set[Node]:
        """Nodes that read the same zeros around a picture in the file, and different pictures in the model."""
        read: dict[Node, set[Value]] = {}
        for pair in pairs:
            for pad in _pads(pair.ours):
                read.setdefault(pad, set()).update(pair.theirs.inputs)
        return {pair.ours for pair in pairs if any(len(read[pad]) > 1 for pad in _pads(pair.ours))}

    def _close(self, bad: set[Node]) -> set[int]:
        """Nodes that share an operator with a bad one are bad as well; gives the operators.

        Zeros that several kernels read are an operator of their own, and stay for those that stay.
        """
        while True:
            good = [node for node in self.ours.nodes if node not in bad]
            shared = {pad for node in good for pad in _pads(node)}
            dropped = {
                part.origin.op.index
                for part in unfuse(node for node in self.ours.nodes if node in bad)
                if part not in shared
            }
            more = {node for node in self.ours.nodes if node not in bad and dropped & self.ops_of(node)}
            if not more:
                return dropped
            bad |= more

    def _read_inside(self) -> set[Node]:
        """Nodes of the file whose results no tensor holds, but that something else than the next of them reads now."""
        inside = {
            b: pair.ours
            for pair in self.kept
            for a, b in zip(pair.ours.outputs, pair.theirs.outputs, strict=True)
            if a.tensor is None
        }
        read = {value for node in self.fresh for value in node.inputs} | {end.value for end in self.theirs.outputs}
        found = {ours for value, ours in inside.items() if value in read}
        for pair in self.kept:
            makers = [inside[value] for value in pair.theirs.inputs if value in inside]
            others = [maker for maker in makers if not set(maker.outputs) & set(pair.ours.inputs)]
            if others:
                found |= {pair.ours, *others}
        return found

    def _stand_in(self) -> None:
        """Find out what nodes without a partner stand for: what belongs together reads both in the same place."""
        ours, theirs = self.ours.producers(), self.theirs.producers()
        ends = [
            (ours.get(ends.ours.value), theirs.get(ends.theirs.value)) for ends in self.matching.outputs if ends.theirs
        ]
        pending = [(a, b) for a, b in ends if a and b]
        pending += [(self.partners[node], node) for node in self.theirs.nodes if node in self.partners]
        taken = set(self.partners.values())
        while pending:
            a, b = pending.pop()
            if b not in self.partners and a not in taken and a.family == b.family:
                self.partners[b] = a
                taken.add(a)
            if self.partners.get(b) is a and len(a.inputs) == len(b.inputs) and not a.is_commutative:
                operands = ((ours.get(x), theirs.get(y)) for x, y in zip(a.inputs, b.inputs, strict=True))
                pending += [(x, y) for x, y in operands if x and y and y not in self.partners]

    def untouched_outputs(self) -> list[str]:
        """Outputs of the file that the model computes as before."""
        inputs = ((ends.ours, ends.theirs) for ends in self.matching.inputs)
        touched = {right.value for left, right in inputs if right and left.shape != right.shape}
        for node in self.theirs.nodes:
            if node in self.fresh or touched.intersection(node.inputs):
                touched.update(node.outputs)
        outputs = ((ends.ours, ends.theirs) for ends in self.matching.outputs)
        return [left.name for left, right in outputs if right and right.value not in touched]


def _pads(node: Node) -> list[Node]:
    """Zeros around a picture that a node has taken over."""
    return [part for part in unfuse(node.joined) if part.kind == "pad"]
