"""Which of several things takes longer? Interleaved, so that a machine that slows down does so for all of them."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, lgamma, log
from statistics import quantiles

from converter.errors import BadInput

Contender = Callable[[], object]
# What was measured so far, and how many rounds there will be, as far as can be told.
Progress = Callable[["Timings", int], None]
# Caches, lazy compilation and the first allocation are in the first run, a branch predictor's lesson in the second.
WARM_UP = 2
# By how little chance anything is claimed, and the fewest rounds in which it can be claimed of four things at once:
# nine tosses of a coin are all heads once in 512 times.
CHANCE, FEWEST = 0.01, 9


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of many values, and where the others lie.

    Attributes:
        low: Lower quartile.
        high: Upper quartile.
        at_least: What the true median is above, whatever the distribution, unless chance does what it does once in a
            hundred times. Only so much can be claimed to be slow.
        at_most: What it is below, in the same way.
    """

    median: float
    low: float
    high: float
    at_least: float
    at_most: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {
            "median": self.median,
            "lower_quartile": self.low,
            "upper_quartile": self.high,
            "median_at_least": self.at_least,
            "median_at_most": self.at_most,
        }


def spread(values: Sequence[float], chance: float = CHANCE) -> Spread:
    """Of at least nine values; the median is above `at_least`, and below `at_most`, but for so little chance each.

    These are order statistics, as the sign test has them: of n values, fewer than k are below the true median as seldom
    as of n tosses of a coin fewer than k fall heads. Source: Conover, Practical Nonparametric Statistics, 3rd edition,
    1999, section 3.2.

    The rounds of one run need not be independent, and are not: other programs slow down several in a row. But the order
    within each round is drawn anew, so that of two contenders that are the same, either is as likely to be the one that
    is hit, whatever happened in the round before. Source: Fisher, The Design of Experiments, 1935, chapter II.
    """
    low, middle, high = quantiles(values, n=4, method="inclusive")
    ordered, rank = sorted(values), _rank(len(values), chance)
    return Spread(middle, low, high, ordered[rank - 1], ordered[-rank])


def milliseconds(seconds: Spread, form: str = ".2f") -> str:
    """The median; `~0` where nothing says that it is more than nothing, as of what is left after subtracting noise."""
    return format(1000 * seconds.median, form) if seconds.at_least > 0 else "~0"


@cache
def _rank(count: int, chance: float) -> int:
    """The largest k such that of so many tosses of a coin fewer than k fall heads with no more than that chance."""
    rank, total = 0, 0.0
    while True:
        total += exp(lgamma(count + 1) - lgamma(rank + 1) - lgamma(count - rank + 1) - count * log(2))
        if total > chance:
            return max(rank, 1)
        rank += 1


@dataclass(frozen=True, slots=True)
class Timings:
    """What was measured.

    Attributes:
        seconds: Name of each contender → its seconds, round by round: the n-th values of all were taken together.
    """

    seconds: Mapping[str, Sequence[float]]

    @property
    def rounds(self) -> int:
        """How many."""
        return len(next(iter(self.seconds.values())))

    @property
    def total(self) -> float:
        """Seconds that all of them took together."""
        return sum(map(sum, self.seconds.values()))

    def rows(self, *names: str) -> tuple[float, ...]:
        """Seconds of several contenders one after the other, round by round."""
        return tuple(map(sum, zip(*(self.seconds[name] for name in names), strict=True)))

    def of(self, *names: str) -> Spread:
        """Seconds of several contenders one after the other."""
        return spread(self.rows(*names))

    def difference(self, name: str, less: str) -> Spread:
        """Seconds by which one takes longer than another, round by round."""
        return spread(tuple(a - b for a, b in zip(self.rows(name), self.rows(less), strict=True)))

    def ratios(self, names: Sequence[str], to: Sequence[str]) -> tuple[float, ...]:
        """How many times as long some take as others, round by round: what slows a round down is in both."""
        return tuple(a / b for a, b in zip(self.rows(*names), self.rows(*to), strict=True))

    def ratio(self, names: Sequence[str], to: Sequence[str], chance: float = CHANCE) -> Spread:
        """The same, in the middle."""
        return spread(self.ratios(names, to), chance)


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
        seconds: No further round starts after so long, but there are always nine.
        seed: Of the shuffling: who follows whom must not always be the same, but be the same in the next run.
        clock: Gives seconds.
        progress: Called after every round.

    Raises:
        BadInput: There is nothing to compare, or fewer than nine rounds.
    """
    if not contenders or rounds < FEWEST:
        hint = f"at least {FEWEST} rounds"
        raise BadInput(f"{len(contenders)} contenders in {rounds} rounds: nothing to compare", hint)
    for _ in range(WARM_UP):
        for contender in contenders.values():
            contender()
    order, taken = list(contenders), {name: list[float]() for name in contenders}
    timings = Timings(taken)
    shuffler, start = random.Random(seed), clock()  # noqa: S311 - an order, not a secret
    for done in range(1, rounds + 1):
        shuffler.shuffle(order)
        for name in order:
            before = clock()
            contenders[name]()
            taken[name].append(clock() - before)
        elapsed = clock() - start
        expected = rounds if seconds == float("inf") or not elapsed else min(rounds, int(seconds * done / elapsed) + 1)
        progress(timings, max(done, expected, FEWEST))
        if elapsed >= seconds and done >= FEWEST:
            break
    return timings
