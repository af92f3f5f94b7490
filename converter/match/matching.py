"""Which step of one network is which step of the other.

`alignment.signatures` says what lies before and behind each node, `alignment.evidence` what speaks for a pair and how
much, `alignment.pairing` settles the best supported first, `alignment.gaps` finds what lies between: what only one
side has, or both in another way. What several could be stays open and is reported.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from converter.match.alignment.evidence import Evidence, Match, Reason, Rival
from converter.match.alignment.features import Evidences
from converter.match.alignment.gaps import bridged, packing
from converter.match.alignment.names import counted_names, fits, telling_names
from converter.match.alignment.pairing import Pairing, Settled
from converter.match.ends import Ends, pair_ends, place_outputs
from converter.match.network import Network, Pair
from converter.ops.forms import Node, Value

GIVEN = Reason("a row of the table of overrides says so", float("inf"))
COMPUTED = Reason("given the original's values it alone computes the original's result", float("inf"))
Numbers = Mapping[Node, Hashable]


@dataclass(frozen=True)
class Matching:
    """What belongs together.

    Attributes:
        matches: In the file's order; what only one side has follows what it comes after.
        ambiguous: Node with weights → the candidates that the graph cannot tell apart.
        open_ours: The file's nodes without a partner.
        open_theirs: The model's.
        considered: The file's nodes without a partner → the pairs that they might be in.
        outputs: Which output is which: one for each of the file's.
        inputs: Which input is which.
    """

    matches: tuple[Match, ...]
    ambiguous: Mapping[str, tuple[str, ...]]
    open_ours: tuple[Node, ...]
    open_theirs: tuple[Node, ...]
    considered: Mapping[Node, tuple[Rival, ...]]
    outputs: tuple[Ends, ...]
    inputs: tuple[Ends, ...]

    def pairs(self) -> Iterator[Pair[Node]]:
        """The layers that both sides have."""
        for found in self.matches:
            if found.ours and found.theirs and found.is_same_layer:
                yield Pair(found.ours, found.theirs)

    def overridden(self) -> list[Pair[Node]]:
        """The pairs that were given."""
        found = [m for m in self.matches if m.evidence is Evidence.OVERRIDE]
        return [Pair(m.ours, m.theirs) for m in found if m.ours and m.theirs]


def match(
    ours: Network,
    theirs: Network,
    fixed: Iterable[Pair[Node]] = (),
    *,
    numbers: tuple[Numbers, Numbers] = ({}, {}),
    computed: Iterable[Pair[Node]] = (),
) -> Matching:
    """Match two networks.

    Args:
        ours: What the file computes.
        theirs: What the model computes.
        fixed: Pairs that are given (overrides).
        numbers: Node → a digest of its kernel, for each side, where the model has weights that mean something.
        computed: Pairs of which the model's was seen to compute what the file's does.
    """
    inputs = pair_ends(ours.inputs, theirs.inputs)
    pairing = Pairing(ours, theirs, inputs, Evidences(ours, theirs, inputs, numbers))
    for pair in fixed:
        pairing.fix(pair, GIVEN)
    for pair in computed:
        pairing.fix(pair, COMPUTED)
    pairing.run()
    packed = packing(pairing)
    inside = {end: each.values for end, each in packed.items()}
    outputs = place_outputs(ours.outputs, theirs.outputs, pairing.left.values, inside)
    named = {(p.ours, p.theirs) for pairs in (telling_names, counted_names) for p in pairs(ours, theirs)}
    matches = [_match(settled, named) for settled in pairing.settled]
    matches += bridged(pairing, outputs)
    place: dict[Node | None, int] = {node: number for number, node in enumerate(ours.all_nodes())}

    def order(found: Match) -> float:
        return (
            place[found.ours] if found.ours else place.get(pairing.left.producers.get(found.values[0].ours), -1) + 0.5
        )

    matches.sort(key=order)
    taken = {node for found in matches for node in (found.ours, found.theirs)}
    taken |= {node for ends in outputs if ends.packed for node in packed[ends.packed].nodes}
    left = tuple(node for node in ours.all_nodes() if node not in taken)
    right = tuple(node for node in theirs.all_nodes() if node not in taken)
    candidates = {node.name: tuple(o.name for o in right if node.weights and fits(node, o)) for node in left}
    ambiguous = {name: others for name, others in candidates.items() if others}
    considered = {node: pairing.considered(node) for node in left}
    return Matching(tuple(matches), ambiguous, left, right, considered, outputs, inputs)


def _match(settled: Settled, named: set[tuple[Node, Node]]) -> Match:
    pair, reasons = settled.pair, settled.reasons
    evidence = Evidence.TOPOLOGY
    if GIVEN in reasons:
        evidence = Evidence.OVERRIDE
    elif COMPUTED in reasons:
        evidence = Evidence.NUMBERS
    elif (pair.ours, pair.theirs) in named:
        evidence = Evidence.NAME
    values: tuple[Pair[Value], ...] = tuple(map(Pair, pair.ours.outputs, pair.theirs.outputs))
    return Match(pair.ours, pair.theirs, evidence, values, reasons, settled.rivals)
