"""Results for people: tables in a terminal, plain columns in a pipe."""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console

from converter.errors import UnliteError
from parity.report.console import table
from parity.report.text import _number, _shape, print_verification

if TYPE_CHECKING:
    from converter.match.transfer import Plan
    from unlite.commands.converting import Conversion
    from unlite.commands.exporting import Export

SHOWN_CHANGES, NOTES_SHOWN = 8, 3


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


def print_summary(console: Console, summary: dict[str, Any]) -> None:
    """What `converter.blueprints.summary.summarize` found."""
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
    """One picture, as `unlite.detection.looking.Look.as_dict` gives it."""
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
