"""Interleaved timing, with a clock that is told how long things take."""

import numpy as np
import pytest

from converter.errors import BadInput
from unlite.cost.latency import CHANCE, FEWEST, WARM_UP, Contender, Timings, interleave, milliseconds, spread

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

    def slower(timings: Timings, _: int) -> None:
        machine.busy = 1 + timings.rounds

    timings = interleave(contenders, rounds=20, clock=machine.clock, progress=slower)
    ratio = timings.ratio(["two"], ["one"])
    assert (ratio.median, ratio.low, ratio.high, ratio.at_least, ratio.at_most) == (2, 2, 2, 2, 2)
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
    interleave(
        only,
        rounds=100,
        seconds=10,
        clock=machine.clock,
        progress=lambda timings, expected: told.append((timings.rounds, expected)),
    )
    assert [done for done, _ in told] == list(range(1, 11))
    assert all(done <= expected <= 11 for done, expected in told)


@pytest.mark.parametrize(("names", "rounds"), [("", 10), ("a", FEWEST - 1)])
def test_nothing_to_compare(names: str, rounds: int) -> None:
    with pytest.raises(BadInput, match="nothing to compare"):
        interleave({name: lambda: None for name in names}, rounds=rounds)


def test_spread() -> None:
    made = spread([5.0, 1.0, 3.0, 2.0, 4.0, 7.0, 6.0, 8.0, 9.0])
    assert (made.median, made.low, made.high) == (5, 3, 7)
    assert (made.at_least, made.at_most) == (1, 9)  # of nine, all have to be above: two of them are, by chance, in 2 %
    assert made.as_dict() == {
        "median": 5,
        "lower_quartile": 3,
        "upper_quartile": 7,
        "median_at_least": 1,
        "median_at_most": 9,
    }


def test_less_is_claimed_where_less_chance_is_allowed() -> None:
    values = list(np.random.default_rng(0).normal(size=100))
    usual, careful = spread(values), spread(values, CHANCE / 4)
    assert careful.at_least < usual.at_least < usual.median == careful.median < usual.at_most < careful.at_most


def test_bounds_of_very_many_values() -> None:
    made = spread(list(range(1, 10_000)))
    # 2.33 standard deviations of the number of heads, which is half the root of the number of tosses
    assert (5000 - made.at_least, made.at_most - 5000) == pytest.approx((116, 116), abs=1.5)


@pytest.mark.parametrize("count", [FEWEST, 20, 100])
def test_the_median_is_rarely_outside_its_bounds(count: int) -> None:
    rng = np.random.default_rng(count)
    made = [spread(row.tolist()) for row in rng.exponential(size=(4000, count))]
    truth = np.log(2)
    for wrong in (np.mean([each.at_least > truth for each in made]), np.mean([each.at_most < truth for each in made])):
        assert wrong < 0.015
        assert wrong > 0.0001  # it claims what can be claimed


def test_what_cannot_be_told_from_nothing() -> None:
    noise = [-4.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert milliseconds(spread(noise)) == milliseconds(spread([0.0] * 9)) == "~0"
    assert milliseconds(spread([each / 1000 for each in range(1, 10)])) == "5.00"
    assert milliseconds(spread([each / 1000 for each in range(1, 10)]), "+.1f") == "+5.0"


def test_timings_of_several() -> None:
    timings = Timings({"a": (1.0,) * 9, "b": (2.0,) * 9})
    assert timings.of("a", "b").median == 3
    assert timings.rows("a", "b") == (3.0,) * 9
    assert timings.total == 27
