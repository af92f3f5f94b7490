"""Results for people: tables in a terminal, plain columns in a pipe."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from converter.errors import UnliteError

if TYPE_CHECKING:
    from parity.verification import Verification

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


@contextmanager
def native_log_held_back() -> Iterator[TextIO]:
    """Keep back what TensorFlow's and LiteRT's C++ code writes to stderr; show it only if something breaks.

    Yields:
        The real stderr, for our own messages. Python's `sys.stderr` goes there as well.
    """
    visible = os.fdopen(os.dup(2), "w")
    python_stderr, sys.stderr = sys.stderr, visible
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield visible
        except UnliteError:
            raise
        except Exception:
            log.seek(0)
            visible.write(log.read().decode(errors="replace"))
            raise
        finally:
            visible.flush()
            os.dup2(visible.fileno(), 2)
            sys.stderr = python_stderr
            visible.close()


def table(*columns: str) -> Table:
    """A table without a frame; columns that start with `#` hold numbers and stand right-aligned."""
    made = Table(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column.lstrip("#"), justify="right" if column.startswith("#") else "left", overflow="fold")
    return made


def print_summary(console: Console, summary: dict[str, Any]) -> None:
    """What `converter.summary.summarize` found."""
    headline = f"{summary['name']}  {summary['bytes'] / 1e6:.2f} MB  {summary['parameters']:,} parameters"
    console.print(headline, style="bold")
    tensors = table("", "name", "shape", "type")
    for side in ("inputs", "outputs"):
        for entry in summary[side]:
            tensors.add_row(side[:-1], entry["name"], _shape(entry["shape"]), entry["dtype"])
    storage = table("weights", "#tensors", "#parameters", "#bytes")
    for label, entry in summary["weight_storage"].items():
        storage.add_row(label, *(f"{entry[key]:,}" for key in ("tensors", "parameters", "bytes")))
    operators = table("operator", "#count")
    for kind, count in summary["operators"].items():
        operators.add_row(kind + " (custom)" * (kind in summary["custom_operators"]), str(count))
    for part in (tensors, storage, operators):
        console.print(part)
        console.print()
    facts = {name: ", ".join(summary[name]) for name in ("metadata", "signatures")}
    for name, fact in ({"description": summary["description"]} | facts).items():
        if fact:
            console.print(f"{name}: {fact}")
    _print_outlook(console, summary["unsupported"])


def _print_outlook(console: Console, reasons: list[str]) -> None:
    if not reasons:
        console.print("can be converted", style="green")
        return
    console.print(f"cannot be converted, for {len(reasons)} reason{'s' * (len(reasons) > 1)}:", style="red")
    for reason in dict.fromkeys(reasons):
        console.print(f"  {reason}")


def print_verification(console: Console, verification: "Verification") -> None:
    """Every output with its error, the model's own spread, and the verdict."""
    rows = table("output", "shape", "#largest error", "#kernel spread", "#allowed", "verdict")
    for c in verification.comparisons:
        verdict = Text(c.verdict, style="green" if c.verdict == "ok" else "red")
        numbers = (f"{value:.2e}" for value in (c.error, c.spread, c.limit))
        rows.add_row(c.name, _shape((None, *c.shape[1:])), *numbers, verdict)
    console.print(rows)
    for note in verification.notes:
        console.print(f"note: {note}")
    if verification.ok:
        console.print(
            f"same as the original on {verification.inputs} seeded inputs (LiteRT, plain kernels)", style="green"
        )
    else:
        console.print(f"NOT the same as the original on {verification.inputs} seeded inputs", style="red")


def _shape(shape: Any) -> str:
    return "×".join("N" if extent is None else str(extent) for extent in shape) or "scalar"
