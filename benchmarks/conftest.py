"""Ratios and memory below pytest-benchmark's own table, which has no column for them."""

import pytest

LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> list[str]:
    """Lines to print at the end."""
    return request.config.stash.setdefault(LINES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print them."""
    if config.stash.get(LINES, []):
        terminalreporter.section("ratios and memory")
        for line in config.stash[LINES]:
            terminalreporter.write_line(line)
