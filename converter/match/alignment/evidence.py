"""Why two nodes belong together, what speaks against it, and how much each counts."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, cast

from converter.match.network import Pair
from converter.ops.forms import Node, Value

# What each kind of evidence counts. Orders of magnitude, not measurements: a name that tells, equal numbers and a place
# in the whole graph each beat what lies next to a node; what it reads says more of what it computes than who reads it;
# names that only count decide what nothing else does.
NAME, NUMBERS, GRAPH, SKELETON = 6.0, 5.0, 4.0, 3.0
OPERANDS, READERS, OUTPUT = 3.0, 2.0, 2.0
# Without a kernel a layer is nothing but what it reads: reading something else outweighs any place behind it.
READS_OTHER = 8.0
SETTINGS, SHAPE = 2.0, 1.0
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
