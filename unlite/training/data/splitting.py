"""Which pictures are trained on, and which tell how well it worked."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from converter.errors import BadData
from unlite.training.data.copies import joined, near_copies
from unlite.training.data.records import Dataset, Example, Problem, Split

# Of near-copies on several sides, those on the first of these stay.
SIDES: tuple[Split, ...] = ("train", "val", "test")
MORE = "take pictures of more persons or on more occasions, or give a split of your own in train/ and val/"


def split(dataset: Dataset, share: float = 0.2, seed: int = 0, group: str | None = None) -> Dataset:
    """Put every picture on a side.

    A given split stays, but near-copies of what is trained on are left out of its other sides; where it has no `val`,
    a part of `train` becomes it. Groups stay whole, near-copies are one group, and each label has its share on either
    side as far as its groups allow. The result depends on names of pictures and groups alone: not on the machine, nor
    on where the data set lies.

    Args:
        dataset: As read.
        share: Of each label's pictures, for `val`.
        seed: Another one gives another split.
        group: Regular expression, searched for in the path below the folder that all pictures lie in: its first group,
            or else all that it matches, names the picture's group. Default: the groups that the data set has.

    Raises:
        BadData: One side would be empty, or an argument makes no sense.
    """
    if not 0 < share < 1:
        raise BadData(f"share={share} for validation is not between 0 and 1")
    if not dataset.examples:
        raise BadData("a data set without pictures cannot be split")
    if group is not None:
        dataset = _grouped(dataset, group)
    copies = near_copies(dataset.examples)
    if any(example.split == "val" for example in dataset.examples):
        examples = [replace(example, split=example.split or "train") for example in dataset.examples]
    else:
        examples = _chosen(dataset, copies, share, seed)
    problems = _crossing(examples, copies)
    copied = {problem.file for problem in problems}
    made = replace(dataset, examples=tuple(example for example in examples if example.path not in copied))
    _check_sides(made, problems)
    return replace(made, problems=(*dataset.problems, *problems, *_one_sided(made)))


def _grouped(dataset: Dataset, group: str) -> Dataset:
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise BadData(f"group={group!r} is no regular expression: {error}") from None
    places = _places(dataset)
    examples = []
    for example, place in zip(dataset.examples, places, strict=True):
        found = pattern.search(place)
        examples.append(replace(example, group=(found[1] if pattern.groups else found[0]) or "" if found else ""))
    if not any(example.group for example in examples):
        raise BadData(f"group={group!r} fits no picture's path", f"one of them: {places[0]}")
    return replace(dataset, examples=tuple(examples))


def _places(dataset: Dataset) -> list[str]:
    """Paths of pictures, the same on every machine: file systems differ in slashes, and in how they compose letters."""
    folder = dataset.folder
    paths = (example.path.absolute().relative_to(folder).as_posix() for example in dataset.examples)
    return [unicodedata.normalize("NFC", path) for path in paths]


@dataclass(frozen=True, slots=True)
class _Unit:
    """What stays together.

    Attributes:
        members: Positions of its pictures.
        counts: Label → how many of them show it; "": none.
        rank: Where it comes by chance.
    """

    members: tuple[int, ...]
    counts: Counter[str]
    rank: str


class _Balance:
    """How many pictures of each label are chosen, of how many, and how many there should be."""

    def __init__(self, units: Sequence[_Unit], share: float) -> None:
        self._units, self._share = units, share
        self._total, self._inside = Counter[str](), Counter[str]()
        for unit in units:
            self._total.update(unit.counts)
        self.chosen: set[str] = set()

    def fill(self) -> None:
        """Choose what brings the labels nearer to their share, one by one."""
        for unit in self._units:
            if self._gain(unit, 1) > 0:
                self._move(unit, 1)

    def repair(self) -> None:
        """Get labels that are on one side alone onto both, where that costs no other label a side; rare ones first."""
        several = Counter(label for unit in self._units for label in unit.counts)
        for label in sorted(several, key=lambda label: (several[label], label)):
            if several[label] < 2 or self._is_cut(label):
                continue
            sign = -1 if self._inside[label] else 1
            able = [unit for unit in self._units if label in unit.counts and self._keeps_both(unit, sign)]
            if able:
                self._move(max(able, key=lambda unit: self._gain(unit, sign)), sign)

    def _gain(self, unit: _Unit, sign: int) -> float:
        """How much nearer to their share the labels of a unit come, if it changes sides."""
        return sum(
            self._loss(label, self._inside[label]) - self._loss(label, self._inside[label] + sign * count)
            for label, count in unit.counts.items()
        )

    def _loss(self, label: str, count: int) -> float:
        return (count / self._total[label] - self._share) ** 2

    def _move(self, unit: _Unit, sign: int) -> None:
        self._inside.update({label: sign * count for label, count in unit.counts.items()})
        self.chosen ^= {unit.rank}

    def _keeps_both(self, unit: _Unit, sign: int) -> bool:
        return all(
            not self._is_cut(label) or 0 < self._inside[label] + sign * count < self._total[label]
            for label, count in unit.counts.items()
        )

    def _is_cut(self, label: str) -> bool:
        return 0 < self._inside[label] < self._total[label]


def _chosen(dataset: Dataset, copies: Sequence[Sequence[int]], share: float, seed: int) -> list[Example]:
    """Examples with a side; a part of those that are not for testing in `val`."""
    units = _units(dataset, copies, seed)
    balance = _Balance(units, share)
    balance.fill()
    balance.repair()
    sides: dict[int, Split] = {
        member: "val" if unit.rank in balance.chosen else "train" for unit in units for member in unit.members
    }
    return [replace(example, split=sides.get(at, example.split)) for at, example in enumerate(dataset.examples)]


def _units(dataset: Dataset, copies: Sequence[Sequence[int]], seed: int) -> list[_Unit]:
    """What is not for testing, in an order by chance that is the same everywhere."""
    pool = [at for at, example in enumerate(dataset.examples) if example.split != "test"]
    names: dict[str, int] = {}
    pairs = [(names.setdefault(dataset.examples[at].group, at), at) for at in pool if dataset.examples[at].group]
    for copied in copies:
        ours = [at for at in copied if dataset.examples[at].split != "test"]
        pairs += [(ours[0], other) for other in ours[1:]]
    roots = joined(len(dataset.examples), pairs)
    members: dict[int, list[int]] = defaultdict(list)
    for at in pool:
        members[roots[at]].append(at)
    keys = [
        unicodedata.normalize("NFC", f"group {example.group}") if example.group else place
        for example, place in zip(dataset.examples, _places(dataset), strict=True)
    ]
    made = []
    for positions in members.values():
        rank = sha256(f"{seed} {min(keys[at] for at in positions)}".encode()).hexdigest()
        counts = Counter(label for at in positions for label in dataset.examples[at].labels or {""})
        made.append(_Unit(tuple(positions), counts, rank))
    return sorted(made, key=lambda unit: unit.rank)


def _crossing(examples: Sequence[Example], copies: Sequence[Sequence[int]]) -> list[Problem]:
    """One for each picture of which another side has a near-copy."""
    problems = []
    for group in copies:
        ordered = sorted((examples[at] for at in group), key=lambda example: SIDES.index(example.split or "train"))
        problems += [
            Problem(example.path, 0, f"is nearly the same picture as {ordered[0].path}; left out of {example.split}")
            for example in ordered
            if example.split != ordered[0].split
        ]
    return problems


def _check_sides(dataset: Dataset, problems: Sequence[Problem]) -> None:
    for side in SIDES[:2]:
        if any(dataset.of(side)):
            continue
        if problems:
            raise BadData(f"every picture of {side} is nearly the same as one that is elsewhere: {problems[0]}", MORE)
        raise BadData(f"no picture is left for {side}: each label has but one group of pictures", MORE)


def _one_sided(dataset: Dataset) -> list[Problem]:
    """One for each label that is not both trained and validated; and for groups that a given split cuts."""
    made = []
    for label, counts in dataset.counts().items():
        missing = [side for side in SIDES[:2] if not counts[side]]
        if label and missing and counts:
            made.append(Problem(dataset.folder, 0, f"no picture of {' or '.join(missing)} shows {label!r}: {MORE}"))
    sides = defaultdict(set)
    for example in dataset.examples:
        sides[example.group].add(example.split)
    made += [
        Problem(dataset.folder, 0, f"the given split has group {name!r} on more than one side")
        for name, found in sides.items()
        if name and len(found) > 1
    ]
    return made
