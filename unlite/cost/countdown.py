"""How long it will still take."""

import time
from collections.abc import Callable

# Called with what is being done.
Say = Callable[[str], None]


class Countdown:
    """Says what the next of several steps is, and about how long they and all that follows will still take.

    Args:
        say: Called with both.
        steps: How many steps there are; each is expected to take as long as those before it.
        later_steps: How many more of that kind follow, without being said here.
        later_seconds: What takes how long besides.
        clock: Gives seconds.
    """

    def __init__(
        self,
        say: Say,
        steps: int,
        *,
        later_steps: int = 0,
        later_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._clock = say, clock
        self._steps, self._later_seconds = steps + later_steps, later_seconds
        self._done, self._start = 0, clock()

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return self._clock() - self._start

    def __call__(self, what: str) -> None:
        """The next step begins; nothing is known of how long the first one takes."""
        if self._done:
            left = self.elapsed / self._done * (self._steps - self._done) + self._later_seconds
            what = f"{what}, {spelled(left)} left"
        self._done += 1
        self._say(what)


def spelled(seconds: float) -> str:
    """About how long that is, in words."""
    return f"about {seconds:.0f} s" if seconds < 100 else f"about {seconds / 60:.0f} min"
