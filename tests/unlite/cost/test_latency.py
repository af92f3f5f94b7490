"""Interleaved timing, with a clock that is told how long things take."""

import numpy as np
import pytest

from converter.errors import BadInput
from unlite.cost.latency import FEWEST, WARM_UP, Contender, Timings, interleave, spread

pytestmark = pytest.mark.one_setting


class Machine:
    """A clock, and contenders that take as long as they are told, times how busy the machine is."""

    def __init__(self) -> None:
        self.now, self.busy, self.ran = 0.0, 1.0, list[str]()

    def clock(self) -> float:
        return self.now

    def contender(self, name: str, seconds: float) -> Contender:
        def run() -> None:
            self.ran.append(name)
            self.now += seconds * self.busy

        return run


def test_every_contender_runs_once_per_round_in_changing_order() -> None:
    machine = Machine()
    contenders = {name: machine.contender(name, 1) for name in "abc"}
    timings = interleave(contenders, rounds=10, clock=machine.clock)
    rounds = [tuple(machine.ran[start : start + 3]) for start in range(3 * WARM_UP, len(machine.ran), 3)]
    assert timings.rounds == len(rounds) == 10
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert len(set(rounds)) > 2
    again = Machine()
    interleave({name: again.contender(name, 1) for name in "abc"}, rounds=10, clock=again.clock)
    assert again.ran == machine.ran


def test_a_machine_that_slows_down_is_in_no_ratio() -> None:
    machine = Machine()
    contenders = {"one": machine.contender("one", 1.0), "two": machine.contender("two", 2.0)}

    def slower(done: int, _: int) -> None:
        machine.busy = 1 + done

    timings = interleave(contenders, rounds=20, clock=machine.clock, progress=slower)
    ratio = timings.ratio(["two"], ["one"])
    assert (ratio.median, ratio.low, ratio.high, ratio.at_least) == (2, 2, 2, 2)
    assert timings.of("one").high > 2 * timings.of("one").low
    assert timings.ratio(["one", "two"], ["one"]).median == 3
    assert timings.difference("two", "one").median == timings.of("one").median


def test_ends_when_time_is_up_but_not_before_the_fewest_rounds() -> None:
    machine = Machine()
    contenders = {"a": machine.contender("a", 1.0)}
    assert interleave(contenders, rounds=100, seconds=30, clock=machine.clock).rounds == 30
    assert interleave(contenders, rounds=100, seconds=0, clock=machine.clock).rounds == FEWEST
    assert interleave(contenders, rounds=12, clock=machine.clock).rounds == 12


def test_progress_says_how_far() -> None:
    machine, told = Machine(), list[tuple[int, int]]()
    only = {"a": machine.contender("a", 1.0)}
    interleave(only, rounds=100, seconds=10, clock=machine.clock, progress=lambda *said: told.append(said))
    assert [done for done, _ in told] == list(range(1, 11))
    assert all(done <= expected <= 11 for done, expected in told)


@pytest.mark.parametrize(("names", "rounds"), [("", 10), ("a", FEWEST - 1)])
def test_nothing_to_compare(names: str, rounds: int) -> None:
    with pytest.raises(BadInput, match="nothing to compare"):
        interleave({name: lambda: None for name in names}, rounds=rounds)


def test_spread() -> None:
    made = spread([5.0, 1.0, 3.0, 2.0, 4.0, 7.0, 6.0])
    assert (made.median, made.low, made.high) == (4, 2.5, 5.5)
    assert made.at_least == 1  # of seven, all have to be above: (1/2)^7 < 1 %
    assert made.as_dict() == {"median": 4, "lower_quartile": 2.5, "upper_quartile": 5.5}


@pytest.mark.parametrize("count", [7, 20, 100])
def test_the_median_is_rarely_below_what_it_is_claimed_to_be_above(count: int) -> None:
    rng = np.random.default_rng(count)
    values = rng.exponential(size=(4000, count))
    wrong = np.mean([spread(row.tolist()).at_least > np.log(2) for row in values])  # the true median
    assert wrong < 0.015
    assert wrong > 0.0001  # it claims what can be claimed


def test_timings_of_several() -> None:
    timings = Timings({"a": (1.0,) * 7, "b": (2.0,) * 7})
    assert timings.of("a", "b").median == 3
    assert timings.rows("a", "b") == (3.0,) * 7
