"""Tables in a terminal, plain columns in a pipe."""

from typing import TextIO

from rich.console import Console
from rich.table import Table

# What a pipe gets: rows as wide as they need to be, never cut, so that `grep` finds what it looks for.
PIPE_WIDTH = 10_000


class _Console(Console):
    """Leaves a closed pipe to the command line, where rich would exit with 1: a code that has a meaning here."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def make_console(file: TextIO | None = None) -> Console:
    """A console as wide as the terminal, or wide enough for everything when piped."""
    # Names come from files and may look like markup.
    console = _Console(file=file, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def table(*columns: str) -> Table:
    """A table without a frame; columns that start with `#` hold numbers and stand right-aligned."""
    made = Table(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column.lstrip("#"), justify="right" if column.startswith("#") else "left", overflow="fold")
    return made
