"""Inputs and outputs, and which is which: what the walk from one network into the other starts from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from converter.ops.forms import Shape, Value


@dataclass(frozen=True, slots=True)
class End:
    """An input or an output.

    Attributes:
        place: Its position among the network's inputs or outputs.
        shape: Without the batch axis; None if unknown.
    """

    place: int
    name: str
    value: Value
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class Ends:
    """An input or output of the file and the model's; None where it has no such one."""

    ours: End
    theirs: End | None


def pair_ends(lefts: Sequence[End], rights: Sequence[End]) -> tuple[Ends, ...]:
    """For each of the file's the model's: same name and shape, else a shape that only one has, else same position."""
    ours, theirs = [end.shape for end in lefts], [end.shape for end in rights]
    rules: list[Callable[[End, End], bool]] = [
        lambda a, b: a.name == b.name and a.shape == b.shape,
        lambda a, b: a.shape == b.shape and ours.count(a.shape) == theirs.count(a.shape) == 1,
        lambda a, b: a.place == b.place,
    ]
    partners: dict[End, End] = {}
    for rule, left, right in product(rules, lefts, rights):
        if left not in partners and right not in partners.values() and rule(left, right):
            partners[left] = right
    return tuple(Ends(end, partners.get(end)) for end in lefts)
