"""Inputs and outputs, and which is which: inputs by name, shape and position, outputs by what computes them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
    """An input or output of the file and the model's.

    Attributes:
        theirs: None where the model has no such one.
        packed: The model's output that has this one inside, together with others.
        inside: The value that is packed.
    """

    ours: End
    theirs: End | None
    packed: End | None = None
    inside: Value | None = None


def pair_ends(lefts: Sequence[End], rights: Sequence[End]) -> tuple[Ends, ...]:
    """For each of the file's the model's: same name and shape, else a shape that only one has, else same position."""
    ours, theirs = (Counter(end.shape for end in ends) for ends in (lefts, rights))
    rules: list[Callable[[End, End], bool]] = [
        lambda a, b: a.name == b.name and a.shape == b.shape,
        lambda a, b: a.shape == b.shape and ours[a.shape] == theirs[a.shape] == 1,
        lambda a, b: a.place == b.place,
    ]
    partners: dict[End, End] = {}
    taken: set[End] = set()
    for rule, left in product(rules, lefts):
        right = (
            None if left in partners else next((end for end in rights if end not in taken and rule(left, end)), None)
        )
        if right:
            partners[left] = right
            taken.add(right)
    return tuple(Ends(end, partners.get(end)) for end in lefts)


def place_outputs(
    lefts: Sequence[End],
    rights: Sequence[End],
    partners: Mapping[Value, Value],
    packing: Mapping[End, Sequence[Value]],
) -> tuple[Ends, ...]:
    """For each of the file's outputs the model's: what its partner's value is, else as `pair_ends`.

    Args:
        lefts: The file's.
        rights: The model's.
        partners: Value of the file → the model's.
        packing: Output of the model that is made of several values → these.
    """
    found: dict[End, Ends] = {}
    taken: set[End | None] = set()
    giving: dict[Value | None, list[End]] = {}
    for right in rights:
        giving.setdefault(right.value, []).append(right)
    for left in lefts:
        same = [right for right in giving.get(partners.get(left.value), ()) if right not in taken]
        if same:
            found[left] = Ends(left, min(same, key=lambda right: right.place != left.place))
            taken.add(found[left].theirs)
    for left in lefts:
        inside = partners.get(left.value)
        packed = next((end for end, values in packing.items() if inside in values), None)
        if left not in found and packed:
            found[left] = Ends(left, None, packed, inside)
    taken |= {ends.packed for ends in found.values()}
    rest = pair_ends([left for left in lefts if left not in found], [right for right in rights if right not in taken])
    found |= {ends.ours: ends for ends in rest}
    return tuple(found[left] for left in lefts)
