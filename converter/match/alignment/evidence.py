"""Why two nodes belong together, what speaks against it, and how much each counts."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, cast

from converter.match.alignment.names import counted_names, fits, same_counts, telling_names
from converter.match.alignment.signatures import Signatures, Signer
from converter.match.differences import settings
from converter.match.ends import Ends, pair_ends
from converter.match.network import Network, Pair
from converter.ops.forms import Node, Shape, Value

# What each kind of evidence counts. Orders of magnitude, not measurements: a name that tells, equal numbers and a place
# in the whole graph each beat what lies next to a node; what it reads says more of what it computes than who reads it;
# names that only count decide what nothing else does.
NAME, NUMBERS, GRAPH, SKELETON = 6.0, 5.0, 4.0, 3.0
OPERANDS, READERS, OUTPUT = 3.0, 2.0, 2.0
SETTINGS, SHAPE, ONE_OF_SEVERAL = 2.0, 1.0, 1.0
SAME_COUNT, ORDER = 2.0, 1.0


class Evidence(StrEnum):
    """What a pair rests on most of all."""

    NAME = "name"
    OVERRIDE = "override"
    NUMBERS = "numbers"
    TOPOLOGY = "topology"
    PLACE = "place"  # something else stands there: to be compared by what it computes, not as the same layer


class Reason(NamedTuple):
    """One piece of evidence; negative points speak against a pair."""

    text: str
    points: float


class Rival(NamedTuple):
    """Another pair that one of two nodes might have been in, and what spoke for it when they were paired."""

    ours: str
    theirs: str
    points: float


@dataclass(frozen=True, slots=True)
class Match:
    """One pair; either side is None for a node that the other network leaves out.

    Attributes:
        values: Values that should be equal.
        reasons: What speaks for it and against it.
        rivals: Other pairs that were considered, best first.
        inside: Nodes without a partner that lead to this one: what one side has in place of what the other has.
    """

    ours: Node | None
    theirs: Node | None
    evidence: Evidence
    values: tuple[Pair[Value], ...]
    reasons: tuple[Reason, ...] = ()
    rivals: tuple[Rival, ...] = ()
    inside: tuple[Node, ...] = ()

    @property
    def node(self) -> Node:
        """The file's node, or the model's where the file has none."""
        return cast("Node", self.ours or self.theirs)

    @property
    def points(self) -> float:
        """What all its reasons come to."""
        return sum(reason.points for reason in self.reasons)

    @property
    def is_same_layer(self) -> bool:
        """Whether both sides have the layer, and not something else in its place."""
        return bool(self.ours and self.theirs) and self.evidence is not Evidence.PLACE


@dataclass(frozen=True, slots=True)
class _Feature:
    """Something that nodes of both networks have or have not in common.

    Attributes:
        text: What it says of two nodes that share it.
        points: What it counts where no other node shares it.
        ours: Node → what it has.
        theirs: As `ours`.
    """

    text: str
    points: float
    ours: Mapping[Node, Hashable]
    theirs: Mapping[Node, Hashable]
    counts: tuple[Counter[Hashable], Counter[Hashable]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", (Counter(self.ours.values()), Counter(self.theirs.values())))

    def reason(self, pair: Pair[Node]) -> Reason | None:
        """What it says of two nodes."""
        shared = self.ours.get(pair.ours)
        if shared is None or shared != self.theirs.get(pair.theirs):
            return None
        several = max(count[shared] for count in self.counts)
        return Reason(self.text, self.points) if several == 1 else Reason(f"{self.text} as {several}", ONE_OF_SEVERAL)


class Evidences:
    """All that can be said of two nodes without knowing what is paired around them.

    Args:
        ours: What the file computes.
        theirs: What the model computes.
        inputs: Which input is which.
        numbers: Node → a digest of its kernel, for each side; empty where the model has no trained weights.
    """

    def __init__(
        self,
        ours: Network,
        theirs: Network,
        inputs: Sequence[Ends],
        numbers: tuple[Mapping[Node, Hashable], Mapping[Node, Hashable]],
    ) -> None:
        self._networks = ours, theirs
        signer = Signer(inputs)
        before = signer.before(ours, "ours"), signer.before(theirs, "theirs")
        behind = signer.behind(ours), signer.behind(theirs)
        skeletons = (
            (signer.skeleton_before(ours, "ours"), signer.skeleton_before(theirs, "theirs")),
            (signer.skeleton_behind(ours), signer.skeleton_behind(theirs)),
        )
        self._features = [
            _Feature("the same name", NAME, *_numbered(telling_names(ours, theirs))),
            _Feature("the same weights", NUMBERS, *numbers),
            _Feature("all before it is the same", GRAPH, *before),
            _Feature("all behind it is the same", GRAPH, *behind),
            _Feature("the same kernels come before it", SKELETON, *skeletons[0]),
            _Feature("the same kernels come behind it", SKELETON, *skeletons[1]),
            _Feature("the same output", OUTPUT, *_ending(ours, theirs)),
        ]
        self._counts = [
            _Feature("the same name, though it only counts", SAME_COUNT, *_numbered(same_counts(ours, theirs))),
            _Feature("the same place in the order of its name", ORDER, *_numbered(counted_names(ours, theirs))),
        ]

    def pairs(self) -> Iterator[Pair[Node]]:
        """What shares something that few have: the pairs to begin with."""
        for feature in (*self._features, *self._counts):
            sharing: dict[Hashable, list[Node]] = {}
            for node, shared in feature.theirs.items():
                sharing.setdefault(shared, []).append(node)
            for node, shared in feature.ours.items():
                others = sharing.get(shared, ())
                if max(count[shared] for count in feature.counts) <= SEVERAL:
                    yield from (Pair(node, other) for other in others if fits(node, other))

    def reasons(self, pair: Pair[Node]) -> list[Reason]:
        """What speaks for a pair by itself."""
        found = [reason for feature in self._features if (reason := feature.reason(pair))]
        ours, theirs = self._networks
        if _shapes(ours, pair.ours) == _shapes(theirs, pair.theirs):
            found.append(Reason("the same shape", SHAPE))
        if not any(settings(pair.ours, pair.theirs)):
            found.append(Reason("the same settings", SETTINGS))
        return found

    def counts(self, pair: Pair[Node]) -> list[Reason]:
        """What names that only count say of a pair."""
        return [reason for feature in self._counts if (reason := feature.reason(pair))]


# Nodes that share something with more others than this are told apart by their neighbours alone.
SEVERAL = 4


def _shapes(network: Network, node: Node) -> list[Shape | None]:
    return [network.shapes.get(value) for value in node.outputs]


def _ending(ours: Network, theirs: Network) -> tuple[Signatures, Signatures]:
    """What computes an output, by the file's number of it; which is which goes by name, shape and position."""
    left, right = ours.producers(), theirs.producers()
    pairs = [ends for ends in pair_ends(ours.outputs, theirs.outputs) if ends.theirs]
    return (
        {left[ends.ours.value]: ends.ours.place for ends in pairs if ends.ours.value in left},
        {right[ends.theirs.value]: ends.ours.place for ends in pairs if ends.theirs and ends.theirs.value in right},
    )


def _numbered(pairs: Iterable[Pair[Node]]) -> tuple[Signatures, Signatures]:
    """Pairs as something that each has in common with its partner."""
    listed = list(pairs)
    return (
        {pair.ours: number for number, pair in enumerate(listed)},
        {pair.theirs: number for number, pair in enumerate(listed)},
    )
