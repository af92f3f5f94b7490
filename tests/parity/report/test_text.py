"""Tables for people."""

import io

import pytest

from parity.report.text import aligned, make_console, table

pytestmark = pytest.mark.one_setting


@pytest.mark.parametrize("cells", [("fist", "1.5", "-"), ("手のひら", "1234.567", "12, 3"), ("", "", "")])
def test_aligned_lines_are_those_of_a_table_in_a_pipe(cells: tuple[str, str, str]) -> None:
    columns, rows = ("label", "#score", "#left"), (cells, ("a", "0.25", "3, 4"))
    shown, file = table(*columns), io.StringIO()
    for row in rows:
        shown.add_row(*row)
    make_console(file).print(shown)
    cells_of = zip(*rows, strict=True)
    assert aligned(zip(columns, map(list, cells_of), strict=True)) == file.getvalue().splitlines()
