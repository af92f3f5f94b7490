"""The suite's own report: how many faults were put in, and who found them."""

from collections import defaultdict

import pytest

COLUMNS = ("mutants", "change an output", "layer named", "found by the audit")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    totals: dict[str, list[int]] = defaultdict(lambda: [0] * len(COLUMNS))
    for report in terminalreporter.getreports("passed"):
        properties = dict(report.user_properties)
        if "fault" in properties:
            counts = [int(str(properties[column])) for column in COLUMNS]
            for row in (str(properties["fault"]), "all"):
                totals[row] = [a + b for a, b in zip(totals[row], counts, strict=True)]
    if totals:
        terminalreporter.section("single faults in the hand-written models")
        terminalreporter.write_line(f"{'':28}" + "".join(f"{column:>20}" for column in COLUMNS))
        for fault in sorted(totals, key=lambda name: (name == "all", name)):
            terminalreporter.write_line(f"{fault:28}" + "".join(f"{count:20}" for count in totals[fault]))
