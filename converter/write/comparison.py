"""What a changed model and the file that it came from still have in common."""

from collections.abc import Sequence

from converter.blueprints.specs import Blueprint
from converter.match.audit import Finding
from converter.match.matching import Matching
from converter.match.network import Network
from converter.ops import records
from converter.ops.node import Node, Ref


class Comparison:
    """Which operators stay, and which nodes of the model are written anew.

    Attributes:
        kept: Pairs whose operators stay.
        fresh: The model's nodes without such a pair, in order.
        partners: id of a node of the model → what it stands for in the file.
        dropped: Indices of operators that do not stay.
    """

    def __init__(
        self, plan: Blueprint, ours: Network, theirs: Network, matching: Matching, findings: Sequence[Finding]
    ) -> None:
        self.plan, self.ours, self.theirs, self.matching = plan, ours, theirs, matching
        pairs = [(m.ours, m.theirs) for m in matching.matches if m.ours and m.theirs]
        self.partners = {id(theirs_): ours_ for ours_, theirs_ in pairs}
        wrong = {id(node) for f in findings for node in (f.ours, f.theirs) if node}
        wrong |= {id(m.node) for m in matching.matches if not (m.ours and m.theirs)}
        bad = {id(a) for a, b in pairs if wrong.intersection((id(a), id(b))) or self._is_moved(a, b)}
        known = {id(a) for a, _ in pairs}
        bad |= {id(node) for node in ours.nodes if id(node) not in known}
        while True:
            self.dropped = self._close(bad)
            self.kept = [(a, b) for a, b in pairs if id(a) not in bad]
            stays = {id(b) for _, b in self.kept}
            self.fresh = [node for node in theirs.nodes if id(node) not in stays]
            inside = self._read_inside()
            if not inside:
                break
            bad |= inside
        self._stand_in()

    def ops_of(self, node: Node) -> set[int]:
        """The operators that a node of the file is made of."""
        return {spec.op.index for spec in self.plan.specs if spec.name in node.layers}

    def _is_moved(self, ours: Node, theirs: Node) -> bool:
        """Whether another extent makes the operators, which state theirs, other ones."""
        is_same = [self.ours.shapes.get(v) for v in ours.outputs] == [self.theirs.shapes.get(v) for v in theirs.outputs]
        return not is_same and (len(self.ops_of(ours)) > 1 or records.operator(ours.origin.op.kind).states_size)

    def _close(self, bad: set[int]) -> set[int]:
        """Nodes that share an operator with a bad one are bad as well; gives the operators."""
        while True:
            dropped = {op for node in self.ours.nodes if id(node) in bad for op in self.ops_of(node)}
            more = {id(node) for node in self.ours.nodes if id(node) not in bad and dropped & self.ops_of(node)}
            if not more:
                return dropped
            bad |= more

    def _read_inside(self) -> set[int]:
        """Nodes of the file whose results no tensor holds, but that something else than the next of them reads now."""
        inside = {
            b: ours
            for ours, node in self.kept
            for a, b in zip(ours.outputs, node.outputs, strict=True)
            if isinstance(a, str)
        }
        read = {value for node in self.fresh for value in node.inputs} | {value for _, value in self.theirs.outputs}
        found = {id(ours) for value, ours in inside.items() if value in read}
        for ours, node in self.kept:
            others = [inside[v] for v in node.inputs if v in inside and not set(inside[v].outputs) & set(ours.inputs)]
            if others:
                found |= {id(ours), *map(id, others)}
        return found

    def _stand_in(self) -> None:
        """Find out what nodes without a partner stand for: what belongs together reads both in the same place."""
        ours, theirs = self.ours.producers(), self.theirs.producers()
        ends = [
            (ours.get(self.ours.outputs[i][1]), theirs.get(self.theirs.outputs[j][1]))
            for i, j in self.matching.outputs
            if j is not None
        ]
        pending = [(a, b) for a, b in ends if a and b]
        pending += [(self.partners[id(node)], node) for node in self.theirs.nodes if id(node) in self.partners]
        taken = {id(node) for node in self.partners.values()}
        while pending:
            a, b = pending.pop()
            if id(b) not in self.partners and id(a) not in taken and a.family == b.family:
                self.partners[id(b)] = a
                taken.add(id(a))
            if self.partners.get(id(b)) is a and len(a.inputs) == len(b.inputs) and not a.is_commutative:
                operands = ((ours.get(x), theirs.get(y)) for x, y in zip(a.inputs, b.inputs, strict=True))
                pending += [(x, y) for x, y in operands if x and y and id(y) not in self.partners]

    def untouched_outputs(self) -> list[str]:
        """Outputs of the file that the model computes as before."""
        fresh = {id(node) for node in self.fresh}
        touched: set[Ref] = set()
        lefts, rights = list(self.ours.inputs.values()), list(self.theirs.inputs.values())
        for i, j in self.matching.inputs:
            if j is not None and self.ours.shapes[lefts[i]] != self.theirs.shapes[rights[j]]:
                touched.add(rights[j])
        for node in self.theirs.nodes:
            if id(node) in fresh or touched.intersection(node.inputs):
                touched.update(node.outputs)
        return [
            self.ours.outputs[i][0]
            for i, j in self.matching.outputs
            if j is not None and self.theirs.outputs[j][1] not in touched
        ]
