"""Which of several things takes longer? Interleaved, so that a machine that slows down does so for all of them."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from statistics import quantiles

from converter.errors import BadInput

Contender = Callable[[], object]
# Rounds done, and all of them as far as can be told.
Progress = Callable[[int, int], None]
# Caches, lazy compilation and the first allocation are in the first run, a branch predictor's lesson in the second.
WARM_UP = 2
# By how little chance anything is claimed, and the fewest rounds of which seven tosses of a coin can claim it.
CHANCE, FEWEST = 0.01, 7


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of many values, and where the others lie.

    Attributes:
        low: Lower quartile.
        high: Upper quartile.
        at_least: What the median is above, whatever the distribution, unless chance does what it does once in a
            hundred times (the sign test). Only so much can be claimed to be slow.
    """

    median: float
    low: float
    high: float
    at_least: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"median": self.median, "lower_quartile": self.low, "upper_quartile": self.high}


def spread(values: Sequence[float]) -> Spread:
    """Of at least seven values."""
    low, middle, high = quantiles(values, n=4, method="inclusive")
    rank, chance = 0, 0.5 ** len(values)  # of so many or fewer values below the true median
    while chance <= CHANCE:
        rank += 1
        chance += comb(len(values), rank) * 0.5 ** len(values)
    return Spread(middle, low, high, sorted(values)[max(rank - 1, 0)])


@dataclass(frozen=True, slots=True)
class Timings:
    """What was measured.

    Attributes:
        seconds: Name of each contender → its seconds, round by round: the n-th values of all were taken together.
    """

    seconds: Mapping[str, tuple[float, ...]]

    @property
    def rounds(self) -> int:
        """How many."""
        return len(next(iter(self.seconds.values())))

    def rows(self, *names: str) -> tuple[float, ...]:
        """Seconds of several contenders one after the other, round by round."""
        return tuple(map(sum, zip(*(self.seconds[name] for name in names), strict=True)))

    def of(self, *names: str) -> Spread:
        """Seconds of several contenders one after the other."""
        return spread(self.rows(*names))

    def difference(self, name: str, less: str) -> Spread:
        """Seconds by which one takes longer than another, round by round."""
        return spread(tuple(a - b for a, b in zip(self.rows(name), self.rows(less), strict=True)))

    def ratio(self, names: Sequence[str], to: Sequence[str]) -> Spread:
        """How many times as long some take as others, round by round: what slows a round down is in both."""
        return spread(tuple(a / b for a, b in zip(self.rows(*names), self.rows(*to), strict=True)))


def interleave(  # noqa: PLR0913 - settings, by keyword
    contenders: Mapping[str, Contender],
    *,
    rounds: int = 100,
    seconds: float = float("inf"),
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress = lambda _, __: None,
) -> Timings:
    """Run all contenders once per round, in an order that is shuffled each time.

    Args:
        contenders: Name → what to run.
        rounds: Most rounds.
        seconds: No further round starts after so long, but there are always seven.
        seed: Of the shuffling: who follows whom must not always be the same, but be the same in the next run.
        clock: Gives seconds.
        progress: Called after every round.

    Raises:
        BadInput: There is nothing to compare, or fewer than seven rounds.
    """
    if not contenders or rounds < FEWEST:
        hint = f"at least {FEWEST} rounds"
        raise BadInput(f"{len(contenders)} contenders in {rounds} rounds: nothing to compare", hint)
    for _ in range(WARM_UP):
        for contender in contenders.values():
            contender()
    order, taken = list(contenders), {name: list[float]() for name in contenders}
    shuffler, start = random.Random(seed), clock()  # noqa: S311 - an order, not a secret
    for done in range(1, rounds + 1):
        shuffler.shuffle(order)
        for name in order:
            before = clock()
            contenders[name]()
            taken[name].append(clock() - before)
        elapsed = clock() - start
        expected = rounds if seconds == float("inf") or not elapsed else min(rounds, int(seconds * done / elapsed) + 1)
        progress(done, max(done, expected, FEWEST))
        if elapsed >= seconds and done >= FEWEST:
            break
    return Timings({name: tuple(values) for name, values in taken.items()})
