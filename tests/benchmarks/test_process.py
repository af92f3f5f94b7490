"""A benchmark that cannot fail measures nothing."""

import pytest

from benchmarks.process import run

pytestmark = pytest.mark.one_setting


def test_a_command_that_fails_is_not_timed() -> None:
    with pytest.raises(RuntimeError, match="exited with 3"):
        run(["-c", "raise SystemExit(3)"])


def test_time_and_memory_are_the_commands_own() -> None:
    small = run(["-c", "pass"])
    large = run(["-c", "import time; data = b'x' * 200_000_000; time.sleep(1)"])
    assert small.peak_mb < 100 < 190 < large.peak_mb
    assert large.seconds > 1 > small.processor_seconds > 0
