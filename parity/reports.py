"""Results for people: tables in a terminal, plain columns in a pipe."""

import io
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from converter.errors import UnliteError

if TYPE_CHECKING:
    from converter.transfer import Plan
    from parity.converting import Conversion
    from parity.exporting import Export
    from parity.layerwise import ParityReport
    from parity.verification import Verification

# What a pipe gets: rows as wide as they need to be, never cut, so that `grep` finds what it looks for.
PIPE_WIDTH = 10_000
SHOWN_CHANGES = 8
# Everything after a wrong layer is wrong, too: a table of all that hides the first.
LAYERS_SHOWN, NOTES_SHOWN, NAME_WIDTH = 10, 3, 48


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


def print_verification(console: Console, verification: "Verification", other: str = "original") -> None:
    """Every output with its error, the file's own spread, and the verdict; `other` is what it is compared with."""
    rows = table("output", "shape", "#largest error", "#kernel spread", "#allowed", "verdict")
    for c in verification.comparisons:
        verdict = Text(c.verdict, style="green" if c.verdict == "ok" else "red")
        numbers = (f"{value:.2e}" for value in (c.error, c.spread, c.limit))
        rows.add_row(c.name, _shape((None, *c.shape[1:])), *numbers, verdict)
    console.print(rows)
    for note in verification.notes:
        console.print(f"note: {note}")
    if verification.ok:
        where = f"{verification.inputs} seeded inputs ({verification.runtime})"
        console.print(f"same as the {other} on {where}", style="green")
    else:
        console.print(f"NOT the same as the {other} on {verification.inputs} seeded inputs", style="red")


def _shape(shape: Any) -> str:
    return "×".join("N" if extent is None else str(extent) for extent in shape) or "scalar"


def parity_text(report: "ParityReport") -> str:
    """The report as plain text, e.g. for a failed assertion."""
    with io.StringIO() as text:
        print_parity(make_console(text), report)
        return text.getvalue()


def print_parity(console: Console, report: "ParityReport", *, every_layer: bool = False) -> None:
    """The guilty layer on top, what the audit found, then the tensors.

    Args:
        console: Where to.
        report: What.
        every_layer: Whether to show all tensors, not only the wrong ones and the outputs.
    """
    compared = f"{len(report.layers)} tensors, {report.inputs} inputs"
    if report.ok:
        console.print(f"same: {report.candidate} computes what {report.model} computes ({compared})", style="green")
    elif report.matched_layers_ok and report.guilty:
        guilty = report.guilty
        console.print(f"same as far as it goes: all that has a partner agrees ({compared})", style="yellow")
        console.print(f"{guilty.layer} and what depends on it was not compared: {guilty.why}")
    elif report.guilty:
        guilty, modes = (
            report.guilty,
            {"isolated": "is wrong", "chained": "is the first one off", "absent": "is missing"},
        )
        console.print(f"{guilty.layer} {modes[guilty.mode]}: {guilty.why}", style="bold red")
        console.print(f"it should compute {_short(guilty.tensor)} ({guilty.op} of {report.model}); {compared} compared")
    else:
        console.print(f"NOT the same: nothing of {report.model}'s outputs could be compared", style="red")
    if report.findings:
        console.print(f"\n{len(report.findings)} differences in what the layers are:", style="bold")
        for finding in report.findings:
            console.print(f"  {finding.message}")
    _print_layers(console, report, every_layer=every_layer)
    for note in report.notes:
        console.print(f"note: {note}")


def _print_layers(console: Console, report: "ParityReport", *, every_layer: bool) -> None:
    shown = [layer for layer in report.layers if every_layer or layer.is_output or not layer.ok]
    wrong = [layer for layer in shown if not (every_layer or layer.is_output)]
    left_out = {id(layer) for layer in wrong[LAYERS_SHOWN:]}
    rows = table("tensor", "layer", "#own error", "#allowed", "#error so far", "#allowed", "#cosine", "verdict")
    for layer in shown:
        if id(layer) in left_out:
            continue
        modes = [mode for mode in (layer.isolated, layer.chained) if mode]
        verdict = next((mode.verdict.value for mode in modes if not mode.ok), "ok" if modes else "not compared")
        if layer.ok is False and layer.isolated and layer.isolated.ok:
            verdict = "inherits an error"
        cosine = layer.chained.cosine if layer.chained else None
        numbers = [
            _number(layer.isolated.max_abs if layer.isolated else None),
            _number(layer.limit),
            _number(layer.chained.max_abs if layer.chained else None),
            _number(layer.chained_limit),
            "" if cosine is None else f"{cosine:.6f}",
        ]
        style = "green" if verdict == "ok" else "yellow" if verdict in ("inherits an error", "not compared") else "red"
        rows.add_row(_short(layer.tensor), layer.layer or "-", *numbers, Text(verdict, style=style))
    console.print()
    console.print(rows)
    if left_out:
        console.print(f"… and {len(left_out)} more wrong tensors (--all shows them)")


def _number(value: float | None, form: str = ".2e") -> str:
    return "-" if value is None else format(value, form)


def _short(name: str) -> str:
    """The last of several names that the exporter joined, without its scope."""
    last = name.rpartition(";")[2]
    return last if len(last) <= NAME_WIDTH else f"…{last[1 - NAME_WIDTH :]}"


def print_plan(console: Console, plan: "Plan", output: str | None) -> None:
    """What went where, and what did not.

    Args:
        console: Where to.
        plan: What.
        output: The file that was written; None if none was.
    """
    counts = Counter(assignment.why.value for assignment in plan.assignments)
    ways = ", ".join(f"{count} by {why}" for why, count in counts.items())
    console.print(f"{len(plan.assignments)} variables matched: {ways}", style="bold")
    special = Counter(assignment.note for assignment in plan.assignments if assignment.note)
    for note, count in special.items():
        console.print(f"  {count} variables: {note}")
    if len(plan.notes) > NOTES_SHOWN:
        console.print(f"  {len(plan.notes)} notes (--json has them), among them: {plan.notes[0]}")
    else:
        for note in plan.notes:
            console.print(f"  {note}")
    if output:
        console.print(f"wrote {output}", style="green")


def print_look(console: Console, seen: dict[str, Any]) -> None:
    """One picture, as `parity.detection.looking.Look.as_dict` gives it."""
    rows, size = seen["detections"], f"{seen['width']}×{seen['height']}"
    console.print(f"{seen['picture']}  {size}  {len(rows) or 'nothing'} found", style="bold")
    if rows:
        has_classes = any(row["class"] for row in rows)  # with one class alone all are 0
        columns = ("#class",) * has_classes + ("#score", "#left", "#top", "#width", "#height")
        shown = table(*columns, *(f"#{name}" for name in rows[0]["keypoints"]))
        for row in rows:
            points = (", ".join(_number(value, ".0f") for value in point) for point in row["keypoints"].values())
            first = (str(row["class"]),) * has_classes + (f"{row['score']:.3f}",)
            shown.add_row(*first, *(_number(value, ".1f") for value in row["box"].values()), *points)
        console.print(shown)
    for hand in seen.get("hands", ()):
        console.print(f"{hand['handedness']} hand, {hand['handedness_score']:.2f}, presence {hand['presence']:.2f}")
    if "difference" in seen:
        console.print(seen["difference"]["text"])
    if "drawing" in seen:
        console.print(f"drawn into {seen['drawing']}")


def print_conversion(console: Console, made: "Conversion") -> None:
    """What `unlite convert` did."""
    if made.verification:
        print_verification(console, made.verification)
    else:
        console.print("not verified")
    if made.ok:
        console.print(f"wrote {made.output}: {made.layers} layers, {made.parameters:,} parameters")
    else:
        console.print("nothing was written; --no-verify writes the model as it is")


def print_export(console: Console, made: "Export", output: str) -> None:
    """What `unlite export` did."""
    for note in made.notes:
        console.print(note)
    for change in made.changes[:SHOWN_CHANGES]:
        console.print(f"changed: {change}")
    if len(made.changes) > SHOWN_CHANGES:
        console.print(f"… and {len(made.changes) - SHOWN_CHANGES} more changes; --json lists all")
    if made.verification:
        print_verification(console, made.verification, "model")
    for rounding in made.rounding:
        if rounding.error:
            share = rounding.error / rounding.span if rounding.span else 0.0
            console.print(f"{rounding.name}: storage rounds off up to {rounding.error:.2e}, {share:.1e} of its range")
    if not made.ok:
        console.print("nothing was written; --no-verify writes the file as it is")
        return
    console.print(f"wrote {output}: {_what(made)}, {len(made.data) / 1e6:.2f} MB")


def _what(made: "Export") -> str:
    if made.is_unchanged:
        return "the original, byte for byte"
    if made.is_anew:
        return "a graph of its own"
    spliced = ", and new operators for what has changed" if made.changes else ""
    return f"the original's graph with the model's weights{spliced}"
