"""Comparisons as text: tables in a terminal, plain columns in a pipe."""

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from parity.layerwise.results import ParityReport
    from parity.outputs.verification import Verification

# What a pipe gets: rows as wide as they need to be, never cut, so that `grep` finds what it looks for.
PIPE_WIDTH = 10_000
# Everything after a wrong layer is wrong, too: a table of all that hides the first.
LAYERS_SHOWN, NAME_WIDTH = 10, 48

# What is said of the guilty layer, by `Guilty.mode`; of what is missing, the reason says so.
MODES = {"isolated": " is wrong", "chained": " is the first one off", "misplaced": " is misplaced", "absent": ""}


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


def aligned(columns: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """The lines of a `table`, as wide as they need to be: for what is printed many times a second.

    Args:
        columns: Each one's name, as `table` takes it, and its cells.
    """
    made = []
    for name, cells in columns:
        column = [name.lstrip("#"), *cells]
        width = max(map(cell_len, column))
        rooms = [" " * (width - cell_len(cell)) for cell in column]
        is_right = name.startswith("#")
        made.append([room + cell if is_right else cell + room for room, cell in zip(rooms, column, strict=True)])
    return ["  ".join(row) for row in zip(*made, strict=True)]


def print_verification(console: Console, verification: "Verification", other: str = "original") -> None:
    """Every output with its error, the file's own spread, and the verdict; `other` is what it is compared with."""
    rows = table("output", "shape", "#largest error", "#kernel spread", "#allowed", "verdict")
    for c in verification.comparisons:
        verdict = Text(c.verdict, style="green" if c.verdict == "ok" else "red")
        numbers = (f"{value:.2e}" for value in (c.error, c.spread, c.limit))
        rows.add_row(c.name, spelled((None, *c.shape[1:])), *numbers, verdict)
    console.print(rows)
    for note in verification.notes:
        console.print(f"note: {note}")
    if verification.ok:
        where = f"{verification.inputs} seeded inputs ({verification.runtime})"
        console.print(f"same as the {other} on {where}", style="green")
    else:
        console.print(f"NOT the same as the {other} on {verification.inputs} seeded inputs", style="red")


def spelled(shape: Any) -> str:
    """A shape, with × between its extents."""
    return "×".join("N" if extent is None else str(extent) for extent in shape) or "scalar"


def parity_text(report: "ParityReport") -> str:
    """The report as plain text, e.g. for a failed assertion."""
    with io.StringIO() as text:
        print_parity(make_console(text), report)
        return text.getvalue()


def print_parity(
    console: Console, report: "ParityReport", *, every_layer: bool = False, how: str = "`layers` has them"
) -> None:
    """The guilty layer on top, what the audit found, then the tensors: all, or the outputs and the first wrong ones.

    `how` says how to see them all.
    """
    compared = f"{len(report.layers)} tensors, {report.inputs} inputs"
    if report.ok:
        console.print(f"same: {report.candidate} computes what {report.model} computes ({compared})", style="green")
    elif report.matched_layers_ok and report.guilty:
        guilty = report.guilty
        console.print(f"same as far as it goes: all that has a partner agrees ({compared})", style="yellow")
        console.print(f"{guilty.layer} and what depends on it was not compared: {guilty.why}")
    elif report.guilty:
        guilty = report.guilty
        console.print(f"{guilty.layer}{MODES[guilty.mode]}: {guilty.why}", style="bold red")
        console.print(f"it should compute {_short(guilty.tensor)} ({guilty.op} of {report.model}); {compared} compared")
    else:
        console.print(f"NOT the same: nothing of {report.model}'s outputs could be compared", style="red")
    if report.findings:
        console.print(f"\n{len(report.findings)} differences in what the layers are:", style="bold")
        for finding in report.findings:
            console.print(f"  {finding.message}")
    _print_layers(console, report, how, every_layer=every_layer)
    for note in report.notes:
        console.print(f"note: {note}")


def _print_layers(console: Console, report: "ParityReport", how: str, *, every_layer: bool) -> None:
    shown = [layer for layer in report.layers if every_layer or layer.is_output or not layer.ok]
    wrong = [layer for layer in shown if not (every_layer or layer.is_output)]
    left_out = set(wrong[LAYERS_SHOWN:])
    rows = table("tensor", "layer", "#own error", "#allowed", "#error so far", "#allowed", "#cosine", "verdict")
    for layer in shown:
        if layer in left_out:
            continue
        modes = [mode for mode in (layer.isolated, layer.chained) if mode]
        verdict = next((mode.verdict.value for mode in modes if not mode.ok), "ok" if modes else "not compared")
        if layer.ok is False and layer.isolated and layer.isolated.ok:
            verdict = "inherits an error"
        cosine = layer.chained.cosine if layer.chained else None
        numbers = [
            rounded(layer.isolated.max_abs if layer.isolated else None),
            rounded(layer.limit),
            rounded(layer.chained.max_abs if layer.chained else None),
            rounded(layer.chained_limit),
            "" if cosine is None else f"{cosine:.6f}",
        ]
        style = "green" if verdict == "ok" else "yellow" if verdict in ("inherits an error", "not compared") else "red"
        rows.add_row(_short(layer.tensor), layer.layer or "-", *numbers, Text(verdict, style=style))
    console.print()
    console.print(rows)
    if left_out:
        console.print(f"… and {len(left_out)} more wrong tensors ({how})")


def rounded(value: float | None, form: str = ".2e") -> str:
    """A number; - where there is none."""
    return "-" if value is None else format(value, form)


def _short(name: str) -> str:
    """The last of several names that the exporter joined, without its scope."""
    last = name.rpartition(";")[2]
    return last if len(last) <= NAME_WIDTH else f"…{last[1 - NAME_WIDTH :]}"
