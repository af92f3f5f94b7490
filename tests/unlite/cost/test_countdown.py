"""How long it will still take, with a clock that is told."""

import pytest

from unlite.cost.countdown import Countdown, spelled

pytestmark = pytest.mark.one_setting


def test_steps_are_expected_to_take_as_long_as_those_before() -> None:
    now, told = 0.0, list[str]()
    countdown = Countdown(told.append, 3, later_steps=2, later_seconds=40, clock=lambda: now)
    for taken in (0, 2, 4):  # before each step
        now += taken
        countdown(f"at {now:.0f}")
    # Four steps of two seconds and what follows; three of three seconds.
    assert told == ["at 0", "at 2, about 48 s left", "at 6, about 49 s left"]
    assert countdown.elapsed == 6


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (99.4, "99 s"), (100, "2 min"), (900, "15 min")])
def test_spelled(seconds: float, text: str) -> None:
    assert spelled(seconds) == f"about {text}"
