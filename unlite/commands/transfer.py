"""`unlite transfer`: plan, transfer, compare, save; nothing is written before everything else is done."""

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import converter
from converter.files import check_output, whole_file
from unlite.commands.frame import (
    JSON,
    KERAS_OUTPUT,
    MODEL,
    NO_VERIFY,
    OVERRIDES,
    Progress,
    Result,
    Verb,
    find,
    working,
)

if TYPE_CHECKING:
    from rich.console import Console

    from converter.match.transfer import Plan
    from converter.tflite.model import Model
    from parity.layerwise.results import ParityReport

NOTES_SHOWN = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Both models, what belongs together by hand, and what may stay as it is."""
    parser.add_argument("model", **MODEL)
    parser.add_argument("candidate", metavar="CANDIDATE", help="your model: a .keras file, or file.py:function")
    parser.add_argument("-o", "--output", **KERAS_OUTPUT)
    parser.add_argument("--overrides", **OVERRIDES)
    text = "write a table with a row for each layer that has no partner, to be filled in, and stop"
    parser.add_argument("--write-overrides", type=Path, metavar="FILE", help=text)
    text = "layers, variables or tensors that may stay as they are, e.g. 'classificator_*'; repeatable"
    parser.add_argument("--allow-unfed", action="append", default=[], metavar="PATTERN", help=text)
    parser.add_argument("--no-verify", **NO_VERIFY)
    parser.add_argument("--json", **JSON)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        report: The comparison; None if there was none.
        output: Where the model was written; None if it does not agree.
    """

    plan: "Plan"
    report: "ParityReport | None"
    output: Path | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        assignments = [
            {
                "variable": a.path,
                "tensor": a.tensor.name if a.tensor else None,
                "layout": a.layout.name if a.tensor else None,
                "matched_by": a.why.value,
                "note": a.note,
            }
            for a in self.plan.assignments
        ]
        report = self.report.as_dict() if self.report else None
        rest = {"assignments": assignments, "notes": list(self.plan.notes), "parity": report}
        return {"ok": self.output is not None} | rest

    def show(self, console: "Console") -> None:
        """What went where, what did not, and the comparison."""
        from parity.report.text import print_parity

        assignments, notes = self.plan.assignments, self.plan.notes
        counts = Counter(assignment.why.value for assignment in assignments)
        ways = ", ".join(f"{count} by {why}" for why, count in counts.items())
        console.print(f"{len(assignments)} variables matched: {ways}", style="bold")
        for note, count in Counter(assignment.note for assignment in assignments if assignment.note).items():
            console.print(f"  {count} variables: {note}")
        if len(notes) > NOTES_SHOWN:
            notes = (f"{len(notes)} notes (--json has them), among them: {notes[0]}",)
        for note in notes:
            console.print(f"  {note}")
        if self.output:
            console.print(f"wrote {self.output}", style="green")
        if self.report:
            print_parity(console, self.report)
        if not self.output:
            console.print("nothing was written; --no-verify writes the model as it is")


def run(arguments: argparse.Namespace) -> Result:
    """Transfer, and write the model if it agrees; or write a table of overrides."""
    from converter.match.overrides import read_overrides
    from converter.match.transfer import make_plan, transfer

    output = arguments.output or Path(f"{Path(arguments.model).stem}.keras")
    check_output(output)
    original = converter.read(find(arguments.model))
    with working() as progress:
        from parity.candidates.loading import load_model

        rows = read_overrides(arguments.overrides) if arguments.overrides else ()
        blueprint = converter.blueprint(original.graph, original.name)
        progress("loading the candidate")
        model = load_model(arguments.candidate)
        progress("matching")
        plan = make_plan(blueprint, model, rows, arguments.allow_unfed)
        if arguments.write_overrides:
            return _write_starter(plan, arguments.write_overrides)
        transfer(plan)
        report = None
        if not arguments.no_verify:
            report = _compared(original, plan, progress)
        # With gaps the outputs cannot agree: then every layer that got weights has to agree by itself.
        agrees = report is None or report.ok or (plan.has_gaps_on_purpose and report.matched_layers_ok)
        if agrees:
            progress(f"saving {output}")
            converter.save(model, output)
    made = Outcome(plan, report, output if agrees else None)
    return Result(made.as_dict, made.show, agrees)


def _compared(original: "Model", plan: "Plan", progress: Progress) -> "ParityReport":
    """Layer by layer, with what the plan has found out."""
    from parity.candidates.keras import KerasCandidate
    from parity.layerwise.original import run_original
    from parity.layerwise.report import report

    candidate = KerasCandidate(plan.candidate.model, plan.candidate)
    run = run_original(original, plan=plan, progress=progress)
    return report(run, candidate, plan.matching, progress=progress).report


def _write_starter(plan: "Plan", target: Path) -> Result:
    from converter.match.overrides import starter_table

    with whole_file(target) as whole:
        whole.write_text(starter_table(plan.starter), encoding="utf-8")
    text = f"wrote {target}: {len(plan.starter)} rows to be filled in"
    return Result(show=lambda console: console.print(text))


VERB = Verb("transfer", "Put a file's weights into a Keras model of your own.", add_options, run)
