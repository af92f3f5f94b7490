"""What nodes of two networks have in common before anything is paired, and what each of it counts."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from converter.match.alignment.evidence import (
    GRAPH,
    NAME,
    NUMBERS,
    ORDER,
    OUTPUT,
    SAME_COUNT,
    SETTINGS,
    SHAPE,
    SKELETON,
    Reason,
)
from converter.match.alignment.names import counted_names, fits, same_counts, telling_names
from converter.match.alignment.signatures import Signatures, Signer
from converter.match.differences import settings
from converter.match.ends import Ends, pair_ends
from converter.match.network import Network, Pair
from converter.ops.forms import Node, Shape

# Nodes that share something with more others than this are told apart by their neighbours alone.
SEVERAL = 4
# Node → what it has.
Having = Mapping[Node, Hashable]


class _Feature:
    """Something that nodes of both networks have or have not in common.

    Args:
        text: What it says of two nodes that share it.
        points: What it counts where no other open node shares it; where several do, each of them has a part.
        ours: Node → what it has.
        theirs: As `ours`.
    """

    def __init__(
        self, text: str, points: float, ours: Mapping[Node, Hashable], theirs: Mapping[Node, Hashable]
    ) -> None:
        self._text, self._points, self._sides = text, points, (ours, theirs)
        self._open: dict[Hashable, tuple[dict[Node, None], dict[Node, None]]] = {}
        for side, having in enumerate(self._sides):
            for node, shared in having.items():
                self._open.setdefault(shared, ({}, {}))[side][node] = None

    def pairs(self) -> Iterator[Pair[Node]]:
        """The pairs of what few nodes share."""
        for group in self._open.values():
            yield from _few(group)

    def reason(self, pair: Pair[Node]) -> Reason | None:
        """What it says of two open nodes."""
        shared = self._sides[0].get(pair.ours)
        if shared is None or shared != self._sides[1].get(pair.theirs):
            return None
        several = max(map(len, self._open[shared]))
        text = self._text if several <= 1 else f"{self._text}, as for {several - 1} more"
        return Reason(text, self._points / max(several, 1))

    def settle(self, pair: Pair[Node]) -> Iterator[Pair[Node]]:
        """Two nodes are no longer open; gives the pairs of those that few share something with now."""
        for side, node in enumerate((pair.ours, pair.theirs)):
            shared = self._sides[side].get(node)
            if shared is not None:
                group = self._open[shared]
                group[side].pop(node, None)
                yield from _few(group)


def _few(group: tuple[Mapping[Node, None], Mapping[Node, None]]) -> Iterator[Pair[Node]]:
    ours, theirs = group
    if max(len(ours), len(theirs)) <= SEVERAL:
        yield from (Pair(left, right) for left in list(ours) for right in list(theirs) if fits(left, right))


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
        self._alike: dict[Pair[Node], list[Reason]] = {}
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
            _Feature("the same kernels come before it", SKELETON, *skeletons[0]),
            _Feature("the same kernels come behind it", SKELETON, *skeletons[1]),
            _Feature("the same output", OUTPUT, *_ending(ours, theirs)),
        ]
        self._places = [
            _Feature("all before it is the same", GRAPH, *before),
            _Feature("all behind it is the same", GRAPH, *behind),
        ]
        counts, orders = same_counts(ours, theirs), counted_names(ours, theirs)
        self._count = _Feature("the same name, though it only counts", SAME_COUNT, *_numbered(counts))
        self._order = _Feature("the same place in the order of its name", ORDER, *_numbered(orders))

    def pairs(self) -> Iterator[Pair[Node]]:
        """What shares something that few have: the pairs to begin with."""
        for feature in (*self._features, *self._places, self._count, self._order):
            yield from feature.pairs()

    def settle(self, pair: Pair[Node]) -> Iterator[Pair[Node]]:
        """Two nodes are paired; gives the pairs that more speaks for now, since others are left less choice."""
        for feature in (*self._features, *self._places):
            yield from feature.settle(pair)

    def reasons(self, pair: Pair[Node]) -> list[Reason]:
        """What speaks for a pair by itself."""
        found = [reason for feature in self._features if (reason := feature.reason(pair))]
        places = [reason for feature in self._places if (reason := feature.reason(pair))]
        is_placed = any(reason.points == GRAPH for reason in places)
        # Where what lies before says this and what lies behind says that, a link is missing: names say which one.
        count = self._count.reason(pair) if is_placed else None
        return [*found, *places, *self._likeness(pair), *([count] if count else [])]

    def _likeness(self, pair: Pair[Node]) -> list[Reason]:
        """What two nodes are by themselves."""
        known = self._alike.get(pair)
        if known is None:
            known = self._alike[pair] = []
            ours, theirs = self._networks
            if _shapes(ours, pair.ours) == _shapes(theirs, pair.theirs):
                known.append(Reason("the same shape", SHAPE))
            if not any(settings(pair.ours, pair.theirs)):
                known.append(Reason("the same settings", SETTINGS))
        return known

    def counts(self, pair: Pair[Node]) -> list[Reason]:
        """What names that only count say of a pair, where `reasons` has not counted them yet."""
        reasons = [feature.reason(pair) for feature in (self._count, self._order)]
        known = {reason.text for reason in self.reasons(pair)}
        return [reason for reason in reasons if reason and reason.text not in known]


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
