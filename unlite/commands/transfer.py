"""`unlite transfer`: plan, transfer, compare, save; nothing is written before everything else is done."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import converter
from converter.files import SUFFIX, check_output, whole_file
from converter.rebuild.saving import WEIGHTS, not_loadable, save_weights
from unlite.commands.frame import JSON, MODEL, NO_VERIFY, OVERRIDES, Progress, Result, Verb, find, tell, working

if TYPE_CHECKING:
    import keras
    from rich.console import Console

    from converter.match.transfer import Plan
    from converter.tflite.model import Model
    from parity.layerwise.results import ParityReport

NOTES_SHOWN = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Both models, what belongs together by hand, and what may stay as it is."""
    parser.add_argument("model", **MODEL)
    parser.add_argument("candidate", metavar="CANDIDATE", help="your model: a .keras file, or file.py:function")
    text = "the whole model (default: MODEL's name in this folder), or for your own code to load: OUT.weights.h5"
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.keras", help=text)
    parser.add_argument("--overrides", **OVERRIDES)
    text = "write a table with a row for each layer that has no partner, to be filled in, and stop"
    parser.add_argument("--write-overrides", type=Path, metavar="FILE", help=text)
    text = "layers, variables or tensors that may stay as they are, e.g. 'classificator_*'; repeatable"
    parser.add_argument("--allow-unfed", action="append", default=[], metavar="PATTERN", help=text)
    parser.add_argument("--no-verify", **NO_VERIFY)
    parser.add_argument("--json", **JSON)


def run(arguments: argparse.Namespace) -> Result:
    """Transfer, and write the model if it agrees; or write a table of overrides."""
    from converter.match.overrides import read_overrides
    from converter.match.transfer import make_plan, transfer

    output = arguments.output or Path(f"{Path(arguments.model).stem}.keras")
    is_weights = output.name.endswith(WEIGHTS)
    check_output(output, WEIGHTS if is_weights else SUFFIX)
    original = converter.read(find(arguments.model))
    with working() as progress:
        from parity.candidates.loading import load_model

        rows = read_overrides(arguments.overrides) if arguments.overrides else ()
        blueprint = converter.blueprint(original.graph, original.name)
        progress("loading the candidate")
        model = load_model(arguments.candidate)
        notes = [] if is_weights or arguments.write_overrides else _warnings(model, output)
        for note in notes:
            tell(f"note: {note}")
        progress("matching")
        plan = make_plan(blueprint, model, rows, arguments.allow_unfed)
        if arguments.write_overrides:
            return _write_starter(plan, arguments.write_overrides)
        transfer(plan)
        report = None if arguments.no_verify else _compared(original, plan, progress)
        if report and rows:
            report = _without_table(original, plan, report, arguments.allow_unfed, progress)
        # With gaps the outputs cannot agree: then every layer that got weights has to agree by itself.
        agrees = report is None or report.ok or (plan.has_gaps_on_purpose and report.matched_layers_ok)
        if agrees:
            progress(f"saving {output}")
            (save_weights if is_weights else converter.save)(model, output)
    return _result(plan, report, output if agrees else None, notes)


def _warnings(model: "keras.Model", output: Path) -> list[str]:
    """What somebody should know before the model is written."""
    reasons = [f"{what}: {why}" for what, why in not_loadable(model).items()]
    if not reasons:
        return []
    weights = f"{output.stem}{WEIGHTS}"
    more = f"; and {len(reasons) - NOTES_SHOWN} more" if len(reasons) > NOTES_SHOWN else ""
    return [
        f"{output} will not load in unlite again: {'; '.join(reasons[:NOTES_SHOWN])}{more}. With -o {weights} a "
        f"function of yours can build the model and call model.load_weights('{weights}'): `unlite parity` and "
        "`unlite export` take it as file.py:function"
    ]


def _result(plan: "Plan", report: "ParityReport | None", output: Path | None, notes: list[str]) -> Result:
    def show(console: "Console") -> None:
        from parity.report.text import print_parity

        _show_plan(console, plan)
        if output:
            console.print(f"wrote {output}", style="green")
        if report:
            print_parity(console, report, how="--json has them")
        if not output:
            console.print("nothing was written; --no-verify writes the model as it is")

    assignments = [
        {
            "variable": a.path,
            "tensor": a.tensor.name if a.tensor else None,
            "layout": a.layout.name if a.tensor else None,
            "matched_by": a.why.value,
            "note": a.note,
        }
        for a in plan.assignments
    ]
    rest = {"notes": [*notes, *plan.notes], "parity": report.as_dict() if report else None}
    document = {"ok": output is not None, "assignments": assignments} | rest
    return Result(lambda: document, show, output is not None)


def _show_plan(console: "Console", plan: "Plan") -> None:
    """What went where, and what did not."""
    counts = Counter(assignment.why.value for assignment in plan.assignments)
    ways = ", ".join(f"{count} by {why}" for why, count in counts.items())
    console.print(f"{len(plan.assignments)} variables matched: {ways}", style="bold")
    for note, count in Counter(assignment.note for assignment in plan.assignments if assignment.note).items():
        console.print(f"  {count} variables: {note}")
    notes = plan.notes
    if len(notes) > NOTES_SHOWN:
        notes = (f"{len(notes)} notes (--json has them), among them: {notes[0]}",)
    for note in notes:
        console.print(f"  {note}")


def _compared(original: "Model", plan: "Plan", progress: Progress) -> "ParityReport":
    """Layer by layer, with what the plan has found out."""
    from parity.candidates.keras import KerasCandidate
    from parity.layerwise.check import report
    from parity.layerwise.original import run_original

    candidate = KerasCandidate(plan.candidate.model, plan.candidate)
    run = run_original(original, plan=plan, progress=progress)
    return report(run, candidate, plan.matching, progress=progress).report


def _without_table(
    original: "Model", plan: "Plan", told: "ParityReport", allow_unfed: Sequence[str], progress: Progress
) -> "ParityReport":
    """Where a table of overrides leads to another model, whether it is the table's fault."""
    from converter.match.transfer import make_plan, transfer
    from parity.layerwise.contradictions import contradicted_table

    if told.ok:
        return told
    other = make_plan(plan.blueprint, plan.candidate.model, (), allow_unfed)
    if not other.is_complete:
        return told
    transfer(other)
    found = _compared(original, other, progress)
    transfer(plan)
    return contradicted_table(told, found)


def _write_starter(plan: "Plan", target: Path) -> Result:
    from converter.match.overrides import starter_table

    with whole_file(target) as whole:
        whole.write_text(starter_table(plan.starter), encoding="utf-8")
    text = f"wrote {target}: {len(plan.starter)} rows to be filled in"
    return Result(show=lambda console: console.print(text))


VERB = Verb("transfer", "Put a file's weights into a Keras model of your own.", add_options, run)
