"""What is said during long work."""

import pytest

from tests.tools.commands import process
from unlite.commands.frame import seldom

pytestmark = pytest.mark.one_setting


def test_seldom_says_little_and_nothing_of_what_is_over_soon() -> None:
    now, told = 0.0, list[object]()
    progress = seldom(told.append, every=10, clock=lambda: now)
    for now in (1, 9, 10, 11, 19, 25, 30, 35):
        progress(f"at {now}")
    assert told == ["at 10", "at 25", "at 35"]


@pytest.mark.parametrize(("takes_minutes", "said"), [(True, "half\n"), (False, "")])
def test_lines_go_to_stderr_where_it_is_no_terminal(takes_minutes: bool, said: str) -> None:  # noqa: FBT001
    code = f"""
from unlite.commands import frame
frame.SELDOM = 0
with frame.working(takes_minutes={takes_minutes}) as progress:
    progress("half")
print("done")
"""
    made = process(code=code)
    assert (made.returncode, made.stdout, made.stderr) == (0, "done\n", said)
